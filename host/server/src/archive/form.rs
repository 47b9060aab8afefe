//! A URL-encoded form, as Django's `QueryDict` reads it.

use super::charset::Charset;
use super::content::MAX_FIELDS;
use super::fault::Fault;

/// Pairs of a form. The whole text is decoded first, and percent-encoded bytes in it on their own afterwards: the two
/// never join to one character. Pieces without `=` are names with an empty value.
///
/// # Errors
/// [`Fault::BadRequest`] when there are more than [`MAX_FIELDS`].
pub(super) fn pairs(bytes: &[u8], charset: Charset) -> Result<Vec<(String, String)>, Fault> {
    let text = charset.strict(bytes).unwrap_or_else(|| Charset::Latin1.lossy(bytes));
    if text.bytes().filter(|byte| *byte == b'&').count() >= MAX_FIELDS {
        return Err(Fault::BadRequest("The form has more than 1000 fields."));
    }
    let pieces = text.split('&').filter(|piece| !piece.is_empty());
    let pairs = pieces.map(|piece| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        (unquoted(&name.replace('+', " "), charset), unquoted(&value.replace('+', " "), charset))
    });
    Ok(pairs.collect())
}

/// Text with its percent-encoded bytes decoded, as `urllib.parse.unquote`: where there is a `%`, each run of ASCII is
/// taken as bytes of the charset.
pub(super) fn unquoted(text: &str, charset: Charset) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (run, more) = rest.split_at(rest.find(|letter: char| !letter.is_ascii()).unwrap_or(rest.len()));
        if !run.is_empty() {
            let bytes: Vec<u8> = percent_encoding::percent_decode_str(run).collect();
            decoded.push_str(&charset.lossy(&bytes));
        }
        let (foreign, more) =
            more.split_at(more.find(|letter: char| letter.is_ascii()).unwrap_or(more.len()));
        decoded.push_str(foreign);
        rest = more;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &[u8], charset: &str) -> Vec<(String, String)> {
        pairs(form, Charset::named(Some(charset))).unwrap()
    }

    #[test]
    fn text_is_decoded_first_and_percent_encoded_bytes_on_their_own() {
        let cases: [(&[u8], &str, &str); 11] = [
            (b"a=%C3%A9+x%2Bz%zz%4", "utf-8", "é x+z%zz%4"),
            ("a=é%C3%A9é".as_bytes(), "utf-8", "ééé"),
            (b"a=%C3\xa9", "utf-8", "\u{fffd}\u{a9}"),
            ("a=%C3\u{a9}".as_bytes(), "utf-8", "\u{fffd}\u{a9}"),
            (b"a=\xff\xc3\xa9", "utf-8", "\u{ff}\u{c3}\u{a9}"),
            (b"a=\xe9%e9%C3%A9", "latin-1", "ééÃ©"),
            (b"a=\xe9", "ascii", "é"),
            (b"a=%e9", "ascii", "\u{fffd}"),
            (b"a=\x81", "cp1252", "\u{81}"),
            (b"\xef\xbb\xbfa=b", "utf-8-sig", "b"),
            (b"a\0=\0b\0", "utf-16", "b"),
        ];
        for (form, charset, value) in cases {
            assert_eq!(read(form, charset), [("a".to_owned(), value.to_owned())], "{form:?} {charset}");
        }
        // A run of ASCII is bytes of the charset, when there is a `%` in it.
        assert_eq!(read(b"a\0=\0%\0", "utf-16")[0].1, "\u{fffd}");
        assert_eq!(
            read(b"&a&&=b&c=d=e", "utf-8"),
            [("a", ""), ("", "b"), ("c", "d=e")].map(|(a, b)| (a.into(), b.into()))
        );
        assert_eq!(read(b"\xef\xbb\xbf", "utf-8-sig"), []);
    }

    #[test]
    fn a_form_has_a_thousand_fields_at_most() {
        let ampersands = |count: usize| pairs(&b"&".repeat(count), Charset::Utf8);
        assert!(ampersands(MAX_FIELDS - 1).is_ok());
        assert!(matches!(ampersands(MAX_FIELDS), Err(Fault::BadRequest(_))));
    }
}
