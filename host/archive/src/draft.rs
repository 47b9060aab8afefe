//! What a body asks for, checked field by field.

use hookbox_opaque_keys::CourseKey;

use crate::body::{Body, Fields, Text, Value, whole};
use crate::python;
use crate::refusal::{BAD_COURSE, Invalid, NUL, NULL};

/// Characters of a `course_id` at most.
pub const MAX_COURSE_ID: usize = 255;

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// POST.
    Create,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
}

/// A field's state after its own checks.
#[derive(Debug, Clone, PartialEq)]
enum Given<T> {
    Absent,
    Wrong(Vec<String>),
    Right(T),
}

/// A user as a body names one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// The id, when it is one that a user can have.
    id: Option<i64>,
    /// The value as the refusal repeats it.
    shown: String,
}

/// A body whose fields were looked at one by one. Whether the user exists is still open.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    course_id: Given<String>,
    user: Given<Named>,
    is_archived: Given<bool>,
    /// `user` as it stands in the body, also where it counts as absent.
    holds_user: Option<Value>,
}

/// What a valid body asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The course, as the answer repeats it and as it is kept.
    pub course: Option<Course>,
    /// The user whose row it is to be.
    pub user: Option<i64>,
    /// Whether it is to be archived.
    pub is_archived: Option<bool>,
}

/// A course in its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The canonical key, with branch and version: the answer to the write.
    pub canonical: String,
    /// The same without branch and version: what is kept, compared and read back.
    pub kept: String,
}

impl Course {
    /// Reads a course key. `None` when it is not one, or when nothing is left of it without branch and version.
    pub fn read(text: &str) -> Option<Self> {
        let key: CourseKey = text.parse().ok()?;
        let kept = key.clone().without_branch_and_version()?.to_string();
        Some(Self { canonical: key.to_string(), kept })
    }

    /// Reads a course key as it is read from a body: trimmed, neither blank nor too long, and a key.
    ///
    /// # Errors
    /// The messages of the field.
    pub fn given(text: &str) -> Result<Self, Vec<String>> {
        match read_course_id(&Value::Text(text.into())) {
            Given::Wrong(messages) => Err(messages),
            Given::Right(text) => Self::read(&text).ok_or_else(|| vec![BAD_COURSE.to_owned()]),
            Given::Absent => Err(vec![BAD_COURSE.to_owned()]),
        }
    }
}

impl Draft {
    /// Looks at each field.
    ///
    /// # Errors
    /// The body is no object.
    pub fn read(body: &Body, write: Write) -> Result<Self, Invalid> {
        let fields = match body {
            Body::Fields(fields) => fields,
            Body::Null => return Err(Invalid::whole("No data provided")),
            Body::NotAnObject(name) => {
                let message = format!("Invalid data. Expected a dictionary, but got {name}.");
                return Err(Invalid::whole(message));
            }
        };
        Ok(Self {
            course_id: match &fields.course_id {
                None if write == Write::Patch => Given::Absent,
                None => Given::Wrong(vec!["This field is required.".into()]),
                Some(value) => read_course_id(value),
            },
            user: present(&fields.user, fields).map_or(Given::Absent, read_user),
            is_archived: match present(&fields.is_archived, fields) {
                Some(value) => read_bool(value),
                // A form leaves an unchecked box out.
                None if fields.form && fields.is_archived.is_none() && write != Write::Patch => {
                    Given::Right(false)
                }
                None => Given::Absent,
            },
            holds_user: fields.user.clone(),
        })
    }

    /// Whether the body names a user who is not, as a JSON number, the one with this id.
    pub fn names_another(&self, id: i64) -> bool {
        self.holds_user.as_ref().is_some_and(|value| !value.equals(id))
    }

    /// The checks that need to know which users there are. A course key that is none is found last: the Django plugin
    /// fails on it only after everything else was in order.
    ///
    /// # Errors
    /// `Ok(Err(…))` with every field's messages; `Err` when `exists` fails.
    pub fn settle<E>(
        self,
        exists: impl FnOnce(i64) -> Result<bool, E>,
    ) -> Result<Result<Wanted, Invalid>, E> {
        let mut invalid = Invalid::default();
        let text = keep(self.course_id, "course_id", &mut invalid);
        let user = match keep(self.user, "user", &mut invalid) {
            Some(named) => match named.id {
                Some(id) if exists(id)? => Some(id),
                _ => {
                    let message = format!("Invalid pk \"{}\" - object does not exist.", named.shown);
                    invalid.add("user", vec![message]);
                    None
                }
            },
            None => None,
        };
        let is_archived = keep(self.is_archived, "is_archived", &mut invalid);
        if !invalid.is_empty() {
            return Ok(Err(invalid));
        }
        let course = match text.as_deref().map(Course::read) {
            Some(None) => return Ok(Err(Invalid::one("course_id", BAD_COURSE))),
            Some(course) => course,
            None => None,
        };
        Ok(Ok(Wanted { course, user, is_archived }))
    }
}

/// A value that counts as given: a form's empty text stands for an optional field that was left out.
fn present<'a>(value: &'a Option<Value>, fields: &Fields) -> Option<&'a Value> {
    let empty = |value: &&Value| matches!(value, Value::Text(text) if text.text.is_empty());
    value.as_ref().filter(|value| !(fields.form && empty(value)))
}

fn keep<T>(given: Given<T>, field: &'static str, invalid: &mut Invalid) -> Option<T> {
    match given {
        Given::Absent => None,
        Given::Right(value) => Some(value),
        Given::Wrong(messages) => {
            invalid.add(field, messages);
            None
        }
    }
}

fn wrong<T>(message: impl Into<String>) -> Given<T> {
    Given::Wrong(vec![message.into()])
}

fn read_course_id(value: &Value) -> Given<String> {
    let text = match value {
        Value::Null => return wrong(NULL),
        Value::Text(text) => text.clone(),
        Value::Int(digits) => Text::from(digits.as_str()),
        Value::Float(number) => Text::from(python::float(*number).as_str()),
        Value::Bool(_) | Value::List | Value::Dict | Value::File => return wrong("Not a valid string."),
    };
    let trimmed = python::strip(&text.text);
    if trimmed.is_empty() {
        return wrong("This field may not be blank.");
    }
    let mut messages = Vec::new();
    if trimmed.chars().count() > MAX_COURSE_ID {
        messages.push(format!("Ensure this field has no more than {MAX_COURSE_ID} characters."));
    }
    if trimmed.contains('\0') {
        messages.push(NUL.to_owned());
    }
    if let Some(code) = text.surrogate {
        messages.push(format!("Surrogate characters are not allowed: U+{code:X}."));
    }
    if messages.is_empty() { Given::Right(trimmed.to_owned()) } else { Given::Wrong(messages) }
}

fn read_user(value: &Value) -> Given<Named> {
    let incorrect = || wrong(format!("Incorrect type. Expected pk value, received {}.", value.type_name()));
    match value {
        Value::Null => wrong(NULL),
        Value::Text(text) if text.text.is_empty() => wrong(NULL),
        Value::Int(digits) => {
            Given::Right(Named { id: python::int(digits).and_then(python::Int::fits), shown: digits.clone() })
        }
        // Django looks a fraction up by its whole part.
        Value::Float(number) if number.is_finite() => {
            Given::Right(Named { id: whole(*number), shown: python::float(*number) })
        }
        Value::Text(text) => match python::int(&text.text) {
            Some(id) => Given::Right(Named { id: id.fits(), shown: text.text.clone() }),
            None => incorrect(),
        },
        Value::Float(_) | Value::Bool(_) | Value::List | Value::Dict | Value::File => incorrect(),
    }
}

fn read_bool(value: &Value) -> Given<bool> {
    const YES: &[&str] = &["true", "t", "yes", "y", "on", "1"];
    const NO: &[&str] = &["false", "f", "no", "n", "off", "0"];
    let read = match value {
        Value::Null => return wrong(NULL),
        Value::Bool(value) => Some(*value),
        Value::Int(_) | Value::Float(_) if value.equals(1) => Some(true),
        Value::Int(_) | Value::Float(_) if value.equals(0) => Some(false),
        Value::Text(text) => {
            let is = |word: &&str| text.text.eq_ignore_ascii_case(word);
            if YES.iter().any(is) {
                Some(true)
            } else if NO.iter().any(is) {
                Some(false)
            } else {
                None
            }
        }
        Value::Int(_) | Value::Float(_) | Value::List | Value::Dict | Value::File => None,
    };
    read.map_or_else(|| wrong("Must be a valid boolean."), Given::Right)
}
