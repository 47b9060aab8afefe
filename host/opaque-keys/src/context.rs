use std::fmt;
use std::str::FromStr;

use crate::{ContentLibraryKey, CourseKey, InvalidKey, parse};

/// Whatever learners or authors work in: a course key or a content library's key (upstream's `LearningContextKey`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LearningContextKey {
    /// A course, a CCX or a legacy library.
    Course(CourseKey),
    /// A content library, `lib:org:slug`.
    ContentLibrary(ContentLibraryKey),
}

impl LearningContextKey {
    /// The organization, which only a key of nothing but a version lacks.
    pub fn org(&self) -> Option<&str> {
        match self {
            Self::Course(key) => key.org(),
            Self::ContentLibrary(key) => Some(key.org()),
        }
    }

    /// Whether it names a course or a CCX rather than a library of either kind (`LearningContextKey.is_course`).
    pub fn is_course(&self) -> bool {
        self.as_course_key().is_some_and(CourseKey::is_course)
    }

    /// Whether it was written in the old style, `org/course/run` (`OpaqueKey.deprecated`).
    pub fn deprecated(&self) -> bool {
        self.as_course_key().is_some_and(CourseKey::deprecated)
    }

    /// What edx-opaque-keys calls the key's class: see [`Kind::class`](crate::Kind::class); `LibraryLocatorV2`
    /// for a content library.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Course(key) => key.kind().class(),
            Self::ContentLibrary(_) => "LibraryLocatorV2",
        }
    }

    /// [`CourseKey::without_branch_and_version`]; a content library's key has neither and stays as it is
    /// (`LibraryLocatorV2.for_branch`).
    #[must_use]
    pub fn without_branch_and_version(self) -> Option<Self> {
        match self {
            Self::Course(key) => key.without_branch_and_version().map(Self::Course),
            Self::ContentLibrary(_) => Some(self),
        }
    }

    /// The course key, which has the accessors that a content library has no use for.
    pub fn as_course_key(&self) -> Option<&CourseKey> {
        match self {
            Self::Course(key) => Some(key),
            Self::ContentLibrary(_) => None,
        }
    }
}

impl From<CourseKey> for LearningContextKey {
    fn from(key: CourseKey) -> Self {
        Self::Course(key)
    }
}

impl From<ContentLibraryKey> for LearningContextKey {
    fn from(key: ContentLibraryKey) -> Self {
        Self::ContentLibrary(key)
    }
}

impl FromStr for LearningContextKey {
    type Err = InvalidKey;

    /// `LearningContextKey.from_string`.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        parse::context_key(text).map_err(|problem| InvalidKey::new(text, problem))
    }
}

impl fmt::Display for LearningContextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Course(key) => key.fmt(f),
            Self::ContentLibrary(key) => key.fmt(f),
        }
    }
}
