//! Entity tags: what an operator saw of a plugin, and whether it is still so.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// What `If-Match` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// It is not there: whatever the plugin is.
    Whatever,
    /// `*`: the plugin exists.
    Exists,
    /// The plugin's revision.
    Revision(u64),
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut headers = parts.headers.get_all(header::IF_MATCH).iter();
        match (headers.next(), headers.next()) {
            (None, _) => Ok(Self::Whatever),
            (Some(only), None) => only.to_str().ok().and_then(read).ok_or_else(bad_tag),
            (Some(_), Some(_)) => Err(bad_tag()),
        }
    }
}

/// A proxy that compresses marks a tag as weak. What is compared is a number, which nothing in between changes.
fn read(text: &str) -> Option<IfMatch> {
    let text = text.trim();
    if text == "*" {
        return Some(IfMatch::Exists);
    }
    let text = text.strip_prefix("W/").unwrap_or(text);
    let digits = text.strip_prefix('"')?.strip_suffix('"')?;
    let sound = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| sound).map(IfMatch::Revision)
}

/// 400 for an `If-Match` that is no plugin's.
pub(crate) fn bad_tag() -> Problem {
    let detail = "If-Match takes one plugin's ETag, such as \"7\" with its quotes, or *";
    Problem::new(StatusCode::BAD_REQUEST, "bad-precondition", detail)
}

/// The tag of a plugin.
pub(super) fn of_revision(revision: u64) -> HeaderValue {
    quoted(&revision.to_string())
}

/// The tag of a list with this content.
pub(super) fn of_content(generation: u64, content: &[u8]) -> HeaderValue {
    let sum = Sha256::digest(content);
    let sum: String = sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    quoted(&format!("g{generation}-{sum}"))
}

/// Whether the asker has what this tag stands for.
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).as_bytes() == tag.as_bytes())
}

fn quoted(text: &str) -> HeaderValue {
    // Letters, digits and dashes are in every tag, so that there is no other way through here.
    HeaderValue::try_from(format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_was_given_out_reads_back_and_nothing_else_does() {
        let given = of_revision(7);
        assert_eq!(read(given.to_str().unwrap()), Some(IfMatch::Revision(7)));
        assert_eq!(read("W/\"7\""), Some(IfMatch::Revision(7)));
        assert_eq!(read(" * "), Some(IfMatch::Exists));
        for none in [
            "",
            "7",
            "\"\"",
            "\"7",
            "\"+7\"",
            "\"-1\"",
            "\"7\", \"8\"",
            "\"99999999999999999999\"",
            "w/\"7\"",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_list_is_known_by_its_tag_among_others() {
        let tag = of_content(3, b"[]");
        assert_eq!(tag.to_str().unwrap(), "\"g3-4f53cda18c2baa0c\"");
        let asks = |value: String| {
            let value = HeaderValue::try_from(value).unwrap();
            is_known(&HeaderMap::from_iter([(header::IF_NONE_MATCH, value)]), &tag)
        };
        let text = tag.to_str().unwrap();
        assert!(asks(text.to_owned()) && asks(format!("\"x\", W/{text}")) && asks("*".to_owned()));
        assert!(!asks("\"g3\"".to_owned()) && !is_known(&HeaderMap::new(), &tag));
        assert_ne!(of_content(4, b"[]"), tag);
        assert_ne!(of_content(3, b"[1]"), tag);
    }
}
