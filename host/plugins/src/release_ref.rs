//! Names of releases as people and programs write them: `3`, `sha256:1f2e3d…`, `1.2.0`.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::registry::ReleaseRef;

/// Hexadecimal digits that a digest's beginning has at least. Fewer, all of them decimal, are a release's number.
const DIGITS_LEAST: usize = 6;
/// Hexadecimal digits of a whole digest.
const DIGITS_MOST: usize = 64;
/// Letters of the longest version.
const VERSION_MOST: usize = 256;

/// A text that names no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReleaseRef {
    /// Nothing at all.
    #[error("a release is named by its number, its digest or its version; this is empty")]
    Empty,
    /// Numbers begin at 1.
    #[error("releases are numbered from 1")]
    Zero,
    /// What follows `sha256:` is no beginning of a digest.
    #[error("a digest is sha256: and 6 to 64 hexadecimal digits")]
    Digest,
    /// Too long, or with letters that no version has.
    #[error("a version has at most 256 letters, none of them spaces or control characters")]
    Version,
}

impl BadReleaseRef {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "release-empty",
            Self::Zero => "release-zero",
            Self::Digest => "release-digest",
            Self::Version => "release-version",
        }
    }
}

impl FromStr for ReleaseRef {
    type Err = BadReleaseRef;

    /// One to five decimal digits are a number. `sha256:` with at least six hexadecimal digits, or such digits alone, are a
    /// digest, which is kept with the prefix and in lower case. Anything else is a version.
    fn from_str(text: &str) -> Result<Self, BadReleaseRef> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadReleaseRef::Empty);
        }
        if let Some(digits) = text.strip_prefix("sha256:") {
            return digest(digits).ok_or(BadReleaseRef::Digest);
        }
        if text.len() < DIGITS_LEAST
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return numbered(number);
        }
        if let Some(digest) = digest(text) {
            return Ok(digest);
        }
        if text.chars().count() > VERSION_MOST
            || text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            return Err(BadReleaseRef::Version);
        }
        Ok(Self::Version(text.to_owned()))
    }
}

impl ReleaseRef {
    /// Whether a release of this number, digest (`sha256:…`) and version is meant. Of several with the version, the newest is.
    pub fn names(&self, number: u32, digest: &str, version: Option<&str>) -> bool {
        let bare = |text: &str| text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
        match self {
            Self::Number(wanted) => *wanted == number,
            Self::Digest(wanted) => bare(digest).starts_with(&bare(wanted)),
            Self::Version(wanted) => version == Some(wanted.as_str()),
        }
    }
}

impl fmt::Display for ReleaseRef {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Digest(text) | Self::Version(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for ReleaseRef {
    /// A number is a release's number; a text is read as [`FromStr`] does.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = ReleaseRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a release's number, or its digest or version as a text")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ReleaseRef, E> {
                let number = u32::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))?;
                numbered(number).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ReleaseRef, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

fn numbered(number: u32) -> Result<ReleaseRef, BadReleaseRef> {
    if number == 0 { Err(BadReleaseRef::Zero) } else { Ok(ReleaseRef::Number(number)) }
}

fn digest(digits: &str) -> Option<ReleaseRef> {
    let sound = (DIGITS_LEAST..=DIGITS_MOST).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| ReleaseRef::Digest(format!("sha256:{}", digits.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<ReleaseRef, BadReleaseRef> {
        text.parse()
    }

    fn short(digits: &str) -> Result<ReleaseRef, BadReleaseRef> {
        Ok(ReleaseRef::Digest(format!("sha256:{digits}")))
    }

    #[test]
    fn a_short_number_is_a_release_s_number() {
        assert_eq!(read("3"), Ok(ReleaseRef::Number(3)));
        assert_eq!(read(" 99999 "), Ok(ReleaseRef::Number(99_999)));
        assert_eq!(read("0"), Err(BadReleaseRef::Zero));
        assert_eq!(read(" "), Err(BadReleaseRef::Empty));
    }

    #[test]
    fn six_hexadecimal_digits_are_the_beginning_of_a_digest() {
        assert_eq!(read("123456"), short("123456"));
        assert_eq!(read("ABCDEF12"), short("abcdef12"));
        assert_eq!(read("sha256:abcdef"), short("abcdef"));
        assert_eq!(read(&"a".repeat(64)), short(&"a".repeat(64)));
        for none in ["sha256:", "sha256:abc", "sha256:ghijkl", &format!("sha256:{}", "a".repeat(65))] {
            assert_eq!(read(none), Err(BadReleaseRef::Digest), "{none}");
        }
    }

    #[test]
    fn anything_else_is_a_version() {
        for version in ["1.2.0", "1.0.0-rc.1+build", "abc", "v2", &"a".repeat(65), "-1"] {
            assert_eq!(read(version), Ok(ReleaseRef::Version(version.to_owned())));
        }
        for none in ["1 2", "a\u{7}b", &"é".repeat(257)] {
            assert_eq!(read(none), Err(BadReleaseRef::Version), "{none}");
        }
    }

    #[test]
    fn json_holds_a_number_or_a_text() {
        let read = |value| serde_json::from_value::<ReleaseRef>(value);
        assert_eq!(read(json!(1_234_567)).unwrap(), ReleaseRef::Number(1_234_567));
        assert_eq!(read(json!("12")).unwrap(), ReleaseRef::Number(12));
        assert_eq!(read(json!("1.2.0")).unwrap(), ReleaseRef::Version("1.2.0".into()));
        for none in [json!(0), json!(-1), json!(1.5), json!(u64::MAX), json!(null), json!([1]), json!("")] {
            assert!(read(none.clone()).is_err(), "{none}");
        }
    }

    #[test]
    fn a_release_is_meant_by_its_number_the_beginning_of_its_digest_or_its_version() {
        let digest = format!("sha256:{}", "abcdef0123456789".repeat(4));
        let meant = |text: &str| read(text).unwrap().names(3, &digest, Some("1.2.0"));
        assert!(["3", "abcdef", "sha256:ABCDEF01", &digest, "1.2.0"].iter().all(|text| meant(text)));
        assert!(!["4", "bcdef0", "sha256:abcdee", "1.2"].iter().any(|text| meant(text)));
        assert!(!ReleaseRef::Version(String::new()).names(3, &digest, None));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "[0-9a-fA-F.v:+-]{0,70}|sha256:[0-9a-f]{0,70}|\\PC*") {
            if let Ok(release) = read(&text) {
                prop_assert_eq!(read(&release.to_string()), Ok(release));
            }
        }
    }
}
