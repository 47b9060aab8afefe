//! Why a request is refused, in the words that frontends of the Django plugin know.

use hookbox_store::StoreError;
use serde_json::{Value, json};

/// What somebody wanted to do for another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Create a row.
    Create,
    /// Change a row.
    Update,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
        }
    }
}

/// The messages of invalid fields, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invalid(Vec<(&'static str, Vec<String>)>);

impl Invalid {
    /// One field with one message.
    pub fn one(field: &'static str, message: impl Into<String>) -> Self {
        let mut invalid = Self::default();
        invalid.add(field, vec![message.into()]);
        invalid
    }

    /// What concerns no single field.
    pub fn whole(message: impl Into<String>) -> Self {
        Self::one("non_field_errors", message)
    }

    /// Adds a field's messages.
    pub fn add(&mut self, field: &'static str, messages: Vec<String>) {
        self.0.push((field, messages));
    }

    /// Whether nothing is invalid.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn body(&self) -> Value {
        self.0.iter().map(|(field, messages)| ((*field).to_owned(), json!(messages))).collect()
    }
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body breaks the rules: 400.
    #[error("the body is not valid: {}", .0.body())]
    Invalid(Invalid),
    /// The `course_id` filter is not a course key: 400.
    #[error("the course_id filter is not a course key")]
    CourseFilter,
    /// The `user` filter is invalid: 400.
    #[error("the user filter is not valid: {0}")]
    UserFilter(&'static str),
    /// The id in the path is not a number: 404.
    #[error("the id is not a number")]
    NotAnId,
    /// No row that the caller may see, and that the filters let through, has that id: 404.
    #[error("no visible row has that id")]
    NoMatch,
    /// There is no such page: 404.
    #[error("there is no such page")]
    InvalidPage,
    /// A regular user's body names another user: 403.
    #[error("only staff may {} records for other users", .0.word())]
    ForAnother(Act),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The one message for what is not a course key.
pub(crate) const BAD_COURSE: &str = "Invalid course ID format.";
/// The message for a second row with the same course and user.
pub(crate) const DUPLICATE: &str = "The fields course_id, user must make a unique set.";
/// The message for a `user` filter that names nobody.
pub(crate) const BAD_CHOICE: &str = "Select a valid choice. That choice is not one of the available choices.";
/// The message for a NUL in text.
pub(crate) const NUL: &str = "Null characters are not allowed.";
/// The message for `null`.
pub(crate) const NULL: &str = "This field may not be null.";

impl Refusal {
    /// A stable name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::CourseFilter | Self::UserFilter(_) => "invalid-filter",
            Self::NotAnId | Self::NoMatch => "not-found",
            Self::InvalidPage => "invalid-page",
            Self::ForAnother(_) => "for-another-user",
            Self::Store(error) => error.code(),
        }
    }

    /// The answer's body.
    pub fn body(&self) -> Value {
        match self {
            Self::Invalid(invalid) => invalid.body(),
            Self::CourseFilter => json!({"course_id": BAD_COURSE}),
            Self::UserFilter(message) => json!({"user": [message]}),
            Self::NotAnId => json!({"detail": "Not found."}),
            Self::NoMatch => json!({"detail": "No CourseArchiveStatus matches the given query."}),
            Self::InvalidPage => json!({"detail": "Invalid page."}),
            Self::ForAnother(act) => {
                let detail = format!("You do not have permission to {} records for other users.", act.word());
                json!({"detail": detail})
            }
            Self::Store(error) => json!({"detail": error.to_string()}),
        }
    }
}
