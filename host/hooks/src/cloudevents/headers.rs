//! How header values spell attributes (CloudEvents HTTP Protocol Binding 1.0.2, section 3.1.3.2).
//!
//! Written by hand because the usual crate leaves a broken `%` as it is, which would hide a sender's mistake.

use super::CloudEventError;
use crate::check::excerpt;

const ENCODED: &str = "percent-encoded UTF-8";

/// The attribute's value: quotes around it are removed, then `%XX` is decoded once, then the bytes must be UTF-8.
pub(super) fn decode(attribute: &str, header: &str) -> Result<String, CloudEventError> {
    let invalid = || CloudEventError::AttributeInvalid {
        attribute: excerpt(attribute),
        expected: ENCODED,
        found: format!("{:?}", excerpt(header)),
    };
    let text = unquoted(header);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(hex).ok_or_else(invalid);
                digit()? * 16 + digit()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

/// The text between double quotes, with `\"` and `\\` undone; other values as they are.
fn unquoted(header: &str) -> String {
    let header = header.trim();
    let Some(inner) = header.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return header.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    text
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn percent_signs_are_decoded_once() {
        for (header, value) in [
            ("plain", "plain"),
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%e2%82%ac", "€"),
            ("a%2541", "a%41"),
            ("a+b", "a+b"),
            ("\"with \\\"quotes\\\" and %25\"", "with \"quotes\" and %"),
            ("\"", "\""),
            ("", ""),
        ] {
            assert_eq!(decode("x", header).unwrap(), value, "{header}");
        }
    }

    #[test]
    fn a_broken_encoding_is_refused_and_names_the_attribute() {
        for header in ["%", "%2", "%G0", "%+1", "100%", "%FF", "%C3%28"] {
            assert_eq!(decode("subject", header).unwrap_err().code(), "cloudevents-attribute-invalid");
        }
        assert_eq!(
            decode("subject", "50%").unwrap_err().to_string(),
            "attribute subject: expected percent-encoded UTF-8, found \"50%\""
        );
    }
}
