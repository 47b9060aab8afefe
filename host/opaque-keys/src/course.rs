use std::fmt;
use std::str::FromStr;

use crate::{InvalidKey, VersionGuid, parse};

/// What a course key names, which also decides how it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A run of a course, `course-v1:org+course+run`.
    Course,
    /// A run of a course in the style that came first, `org/course/run`.
    OldStyleCourse,
    /// A legacy library, `library-v1:org+library`.
    Library,
    /// A custom course made from a run by a coach, `ccx-v1:org+course+run+ccx@number`.
    Ccx,
}

impl Kind {
    /// What edx-opaque-keys (for a CCX, edx-ccx-keys) calls the class of such keys.
    pub fn class(self) -> &'static str {
        match self {
            Self::Course | Self::OldStyleCourse => "CourseLocator",
            Self::Library => "LibraryLocator",
            Self::Ccx => "CCXLocator",
        }
    }

    /// What stands before the first `:` of such a key when it is printed. The old style has nothing there.
    pub fn namespace(self) -> Option<&'static str> {
        match self {
            Self::Course => Some("course-v1"),
            Self::OldStyleCourse => None,
            Self::Library => Some("library-v1"),
            Self::Ccx => Some("ccx-v1"),
        }
    }
}

/// A course, a CCX or a legacy library (upstream's `CourseKey`).
///
/// Keys are equal when their kinds and all their parts are, so `org/c/r` is not `course-v1:org+c+r`. They are
/// case-sensitive and compared as they are, without any normalization (`OpaqueKey.__eq__`).
///
/// Printing gives the canonical form, which **does not always hold every part**: a `course-v1` or `ccx-v1` key without
/// a run, and a `library-v1` key without a library, can only have come with a version, and nothing but the version (and
/// the CCX's number) is printed. Such a key, read back, is not the same.
///
/// ```
/// use hookbox_opaque_keys::CourseKey;
///
/// let key: CourseKey = "course-v1:edX+DemoX+2026+branch@draft+block@intro".parse()?;
/// assert_eq!((key.org(), key.course(), key.run()), (Some("edX"), Some("DemoX"), Some("2026")));
/// assert_eq!(key.to_string(), "course-v1:edX+DemoX+2026+branch@draft");
/// # Ok::<(), hookbox_opaque_keys::InvalidKey>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CourseKey {
    pub(crate) kind: Kind,
    pub(crate) org: Option<String>,
    pub(crate) course: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) version: Option<VersionGuid>,
    pub(crate) ccx: Option<String>,
}

impl CourseKey {
    /// The `course-v1` key of a run, from parts that may hold anything (`CourseLocator.__init__`).
    ///
    /// Unlike parsing a text put together from them, it can't be led to find a branch or a version in a part.
    ///
    /// # Errors
    ///
    /// When a part is empty or has a character that is neither a letter nor a digit nor one of `_ - ~ . :`.
    pub fn new(org: &str, course: &str, run: &str) -> Result<Self, InvalidKey> {
        parse::course_run(org, course, run)
            .map_err(|problem| InvalidKey::new(&format!("course-v1:{org}+{course}+{run}"), problem))
    }

    pub(crate) fn empty(kind: Kind) -> Self {
        Self { kind, org: None, course: None, run: None, branch: None, version: None, ccx: None }
    }

    /// What the key names.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The organization. Together with the course it is missing from a key of nothing but a version.
    pub fn org(&self) -> Option<&str> {
        self.org.as_deref()
    }

    /// The course's number; a library's code (upstream's `library`).
    pub fn course(&self) -> Option<&str> {
        self.course.as_deref()
    }

    /// The run. In the old style it may be empty. A library has none: upstream's word `library` for it, kept there
    /// for old callers, is not repeated here.
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// The branch, such as `draft-branch` or `published-branch`.
    pub fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// The version of the structure that the key points at.
    pub fn version_guid(&self) -> Option<VersionGuid> {
        self.version
    }

    /// A CCX's number as it was written: decimal digits of any script, leading zeros kept.
    pub fn ccx(&self) -> Option<&str> {
        self.ccx.as_deref()
    }

    /// Whether it names a course or a CCX rather than a library (`LearningContextKey.is_course`).
    pub fn is_course(&self) -> bool {
        self.kind != Kind::Library
    }

    /// Whether it was written in the old style, `org/course/run` (`OpaqueKey.deprecated`).
    pub fn deprecated(&self) -> bool {
        self.kind == Kind::OldStyleCourse
    }

    /// What edx-opaque-keys calls the key's class: see [`Kind::class`].
    pub fn class(&self) -> &'static str {
        self.kind.class()
    }

    /// The key of the course or library itself, whatever branch or version of it was meant: what the platform does
    /// before it stores a key (`CourseLocator.for_branch(None)`).
    ///
    /// `None` when without its version the key does not name anything, because it lacks the run (a library's: the
    /// library). Upstream raises `InvalidKeyError` for these.
    #[must_use]
    pub fn without_branch_and_version(self) -> Option<Self> {
        self.names_something().then_some(Self { branch: None, version: None, ..self })
    }

    /// Whether the key has all that it needs when it has no version. Other parts are printed only then.
    pub(crate) fn names_something(&self) -> bool {
        match self.kind {
            Kind::Library => self.course.is_some(),
            Kind::Course | Kind::OldStyleCourse | Kind::Ccx => self.run.is_some(),
        }
    }

    fn fmt_old_style(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [org, course, run] =
            [&self.org, &self.course, &self.run].map(|part| part.as_deref().unwrap_or(""));
        write!(f, "{org}/{course}/{run}")
    }
}

impl FromStr for CourseKey {
    type Err = InvalidKey;

    /// `CourseKey.from_string`.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        parse::course_key(text).map_err(|problem| InvalidKey::new(text, problem))
    }
}

impl fmt::Display for CourseKey {
    /// `OpaqueKey.__str__`, with the `_to_string` of `CourseLocator`, `LibraryLocator` and `CCXLocator`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(namespace) = self.kind.namespace() else {
            return self.fmt_old_style(f);
        };
        f.write_str(namespace)?;
        let mut separator = ':';
        let mut print = |keyword: &str, value: &dyn fmt::Display| {
            write!(f, "{separator}{keyword}{value}")?;
            separator = '+';
            Ok(())
        };
        if self.names_something() {
            for part in [&self.org, &self.course, &self.run].into_iter().flatten() {
                print("", part)?;
            }
            if let Some(branch) = &self.branch {
                print("branch@", branch)?;
            }
        }
        if let Some(version) = &self.version {
            print("version@", version)?;
        }
        if let Some(ccx) = &self.ccx {
            print("ccx@", ccx)?;
        }
        Ok(())
    }
}
