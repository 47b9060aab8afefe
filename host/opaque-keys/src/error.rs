use std::fmt;

use thiserror::Error;

/// How many characters of what was given an error shows.
const SHOWN: usize = 64;

/// The text is no key of the type that was asked for (upstream's `InvalidKeyError`).
///
/// It shows the beginning of the text, escaped, so that neither a long nor a hostile one fills or forges a log line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{given:?} is not a valid key: {problem}")]
pub struct InvalidKey {
    given: String,
    problem: Problem,
}

impl InvalidKey {
    pub(crate) fn new(text: &str, problem: Problem) -> Self {
        let mut given: String = text.chars().take(SHOWN).collect();
        if text.chars().nth(SHOWN).is_some() {
            given.push('…');
        }
        Self { given, problem }
    }

    /// What is wrong with the text.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// A name for the problem that stays the same from version to version: that of [`Problem::code`].
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }
}

/// What keeps a text from being a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is neither a `:` nor a `/` in it.
    #[error("it neither begins with a prefix such as `course-v1:` nor has the form org/course/run")]
    NoNamespace,
    /// What stands before the first `:` is no prefix known here. Prefixes are case-sensitive.
    #[error("it must begin with `course-v1:`, `library-v1:`, `ccx-v1:` or, for a content library, `lib:`")]
    UnknownNamespace,
    /// A content library was given where only a course key will do.
    #[error("`lib:` names a content library, which is not a course key")]
    NotACourseKey,
    /// Something other than a content library was given where only one of those will do.
    #[error("a content library's key begins with `lib:`")]
    NotAContentLibrary,
    /// A text with slashes does not have exactly the two of an old-style course id.
    #[error("an old-style course id is org/course/run, with exactly two slashes")]
    OldStyleShape,
    /// A `lib:` key does not have exactly two parts.
    #[error("a content library's key is lib:org:slug")]
    ContentLibraryShape,
    /// Nothing stands where a part should: a separator too many, or a part that may not be empty.
    #[error("a part is empty: the text begins or ends with a separator, has two in a row, or lacks a value")]
    EmptyPart,
    /// A part has a character that it may not have.
    #[error("{character:?} is not allowed in its {part}{}", advice(.character))]
    BadCharacter {
        /// Where the character stands.
        part: Part,
        /// The first character that is not allowed.
        character: char,
    },
    /// A part is unknown, comes twice, or stands after one that it must precede.
    #[error(
        "org, course and run may only be followed by branch@, version@, in ccx-v1 ccx@, type@ and block@, in this order"
    )]
    MisplacedPart,
    /// The version is not the 24 hexadecimal digits of an object id, or not in lower case outside `ccx-v1`.
    #[error("its version is not 24 hexadecimal digits in lower case")]
    BadVersion,
    /// Neither all of org, course and run (of org and library) nor a version is there.
    #[error("it needs org, course and run (a library: org and library), joined by `+`, or a version@")]
    Incomplete,
    /// A `ccx-v1` key without its `ccx@` part.
    #[error("a ccx-v1 key needs the part ccx@ with the CCX's number")]
    NoCcx,
}

impl Problem {
    /// A name for the problem that stays the same from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoNamespace => "key-no-namespace",
            Self::UnknownNamespace => "key-unknown-namespace",
            Self::NotACourseKey => "key-not-a-course-key",
            Self::NotAContentLibrary => "key-not-a-content-library",
            Self::OldStyleShape => "key-old-style-shape",
            Self::ContentLibraryShape => "key-content-library-shape",
            Self::EmptyPart => "key-empty-part",
            Self::BadCharacter { .. } => "key-bad-character",
            Self::MisplacedPart => "key-misplaced-part",
            Self::BadVersion => "key-bad-version",
            Self::Incomplete => "key-incomplete",
            Self::NoCcx => "key-no-ccx",
        }
    }
}

/// A space is nearly always a plus sign that went through a query string.
fn advice(character: &char) -> &'static str {
    if *character == ' ' { " (a `+` in a URL's query is written %2B)" } else { "" }
}

/// A part of a key. Its `Display` is the word for it in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The organization.
    Org,
    /// The course's number, or the library's code.
    Course,
    /// The run.
    Run,
    /// What follows `branch@`.
    Branch,
    /// What follows `version@`.
    Version,
    /// What follows `ccx@`.
    Ccx,
    /// What follows `type@`.
    BlockType,
    /// What follows `block@`.
    Block,
    /// The second part of a `lib:` key.
    Slug,
}

impl Part {
    /// The word for the part; for a part with a keyword, also the keyword, which stands before its `@`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Course => "course",
            Self::Run => "run",
            Self::Branch => "branch",
            Self::Version => "version",
            Self::Ccx => "ccx",
            Self::BlockType => "type",
            Self::Block => "block",
            Self::Slug => "slug",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
