use std::fmt;
use std::str::FromStr;

use crate::{InvalidKey, Problem, parse};

/// A content library of the current kind, `lib:org:slug` (upstream's `LibraryLocatorV2`).
///
/// Upstream's patterns end in `$`, so **either part may end in one newline**, and does so here. Such a key is
/// printed with its newline: escape it where that matters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentLibraryKey {
    pub(crate) org: String,
    pub(crate) slug: String,
}

impl ContentLibraryKey {
    /// The key of the library `slug` of an organization: ASCII letters, digits, `_`, `-` and `.` in the organization;
    /// letters and digits of any script in the slug (`LibraryLocatorV2.__init__`).
    ///
    /// # Errors
    ///
    /// When a part is empty or has another character.
    pub fn new(org: &str, slug: &str) -> Result<Self, InvalidKey> {
        parse::content_library_parts(org, slug)
            .map_err(|problem| InvalidKey::new(&format!("lib:{org}:{slug}"), problem))
    }

    /// The organization.
    pub fn org(&self) -> &str {
        &self.org
    }

    /// What names the library within its organization.
    pub fn slug(&self) -> &str {
        &self.slug
    }
}

impl FromStr for ContentLibraryKey {
    type Err = InvalidKey;

    /// `LibraryLocatorV2.from_string`.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let parsed = match text.split_once(':') {
            Some((parse::CONTENT_LIBRARY, rest)) => parse::content_library(rest),
            _ => Err(Problem::NotAContentLibrary),
        };
        parsed.map_err(|problem| InvalidKey::new(text, problem))
    }
}

impl fmt::Display for ContentLibraryKey {
    /// `LibraryLocatorV2._to_string`, with its prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", parse::CONTENT_LIBRARY, self.org, self.slug)
    }
}
