//! Whether a JSON value is of a type of the contract. The answer names the first place that is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::datetime::DateTime;
use crate::types::{Field, Named, ValueType, Variant};

/// How many characters of somebody's own text a message repeats.
const EXCERPT: usize = 60;

/// A value that is not what the contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub struct Mismatch {
    /// Where: `user.id`, `tags[3]`.
    pub path: String,
    /// What the contract wants there, in words.
    pub expected: String,
    /// The kind of JSON that stands there, in words. Never a text's content, which may be personal.
    pub found: String,
}

impl Mismatch {
    /// A mismatch at `path`.
    pub(crate) fn new(path: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.to_owned(), expected: expected.into(), found: found.into() }
    }
}

impl ValueType {
    /// Whether `value` is of this type. `path` is where the value stands; it begins the path of a mismatch.
    ///
    /// Stricter than upstream, which checks no more than the class of an event's top-level object
    /// (openedx_events tooling.py `send_event`): a guest's types must be met in full.
    ///
    /// # Errors
    /// The first place that does not fit.
    pub fn check(&self, value: &Value, path: &str) -> Result<(), Mismatch> {
        let fits = match (self, value) {
            (Self::Json, _) | (Self::Bool, Value::Bool(_)) | (Self::Text, Value::String(_)) => true,
            (Self::Int, Value::Number(number)) => number.is_i64(),
            (Self::StatusCode, Value::Number(number)) => {
                number.as_u64().is_some_and(|code| (100..=599).contains(&code))
            }
            (Self::Count, Value::Number(number)) => {
                number.as_u64().is_some_and(|count| u32::try_from(count).is_ok())
            }
            (Self::Float, Value::Number(number)) => number.as_f64().is_some_and(f64::is_finite),
            (Self::Named(named), Value::String(text)) => {
                return formed(named_fits(*named, text), self, path);
            }
            (Self::Bytes, Value::String(text)) => return formed(STANDARD.decode(text).is_ok(), self, path),
            (Self::List(item), Value::Array(items)) => {
                return items
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, value)| item.check(value, &format!("{path}[{at}]")));
            }
            (Self::Map(item), Value::Object(object)) => {
                return object.iter().try_for_each(|(key, value)| item.check(value, &join(path, key)));
            }
            (Self::Option(_), Value::Null) => true,
            (Self::Option(inner), value) => return inner.check(value, path),
            (Self::Record(record), Value::Object(object)) => {
                return check_fields(&record.fields, object, path);
            }
            (Self::Variant(variant), value) => return check_case(variant, value, path),
            _ => false,
        };
        if fits { Ok(()) } else { Err(Mismatch::new(path, self.json(), describe(value))) }
    }
}

/// Whether `object` holds every field it must, each of its type. Keys that no field names are fine.
///
/// # Errors
/// The first place that does not fit. A field that is missing without need is found to be "nothing".
pub fn check_fields(fields: &[Field], object: &Map<String, Value>, path: &str) -> Result<(), Mismatch> {
    for field in fields {
        let place = join(path, &field.name);
        match object.get(&field.name) {
            Some(value) => field.ty.check(value, &place)?,
            None if field.may_be_absent() => {}
            None => return Err(Mismatch::new(&place, field.ty.json(), "nothing")),
        }
    }
    Ok(())
}

/// Whether a value nests deeper than `limit`. A scalar has depth 0, `[]` and `{}` have depth 1, `[[]]` has depth 2.
///
/// Keeps its own stack, so that no value is too deep to be measured.
pub fn json_depth_exceeds(value: &Value, limit: usize) -> bool {
    let mut todo = vec![(value, 0_usize)];
    while let Some((value, above)) = todo.pop() {
        let children: &mut dyn Iterator<Item = &Value> = match value {
            Value::Array(items) => &mut items.iter(),
            Value::Object(object) => &mut object.values(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => continue,
        };
        if above >= limit {
            return true;
        }
        todo.extend(children.map(|child| (child, above + 1)));
    }
    false
}

/// The kind of a JSON value in words: `a string`, `null`, `the number 2.5`.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Text from outside, short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The path of `key` inside the object at `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The verdict on a string whose form matters.
fn formed(fits: bool, ty: &ValueType, path: &str) -> Result<(), Mismatch> {
    if fits { Ok(()) } else { Err(Mismatch::new(path, ty.json(), "a string of another form")) }
}

/// Keys are opaque here; a UUID must have its dashed form, which the contract promises to guests.
fn named_fits(named: Named, text: &str) -> bool {
    match named {
        Named::Datetime => DateTime::parse(text).is_some(),
        Named::Uuid => text.len() == uuid::fmt::Hyphenated::LENGTH && Uuid::try_parse(text).is_ok(),
        _ => true,
    }
}

fn check_case(variant: &Variant, value: &Value, path: &str) -> Result<(), Mismatch> {
    let (name, payload) = match value {
        Value::String(name) => (name, None),
        Value::Object(object) => {
            let mut entries = object.iter();
            let (Some((name, payload)), None) = (entries.next(), entries.next()) else {
                let found = format!("an object with {} keys", object.len());
                return Err(Mismatch::new(path, cases(variant), found));
            };
            (name, Some(payload))
        }
        other => return Err(Mismatch::new(path, cases(variant), describe(other))),
    };
    let Some(case) = variant.cases.iter().find(|case| case.name == *name) else {
        return Err(Mismatch::new(path, cases(variant), format!("`{}`", excerpt(name))));
    };
    match (&case.payload, payload) {
        (Some(ty), Some(payload)) => ty.check(payload, &join(path, name)),
        (None, None) => Ok(()),
        (Some(ty), None) => Err(Mismatch::new(&join(path, name), ty.json(), "nothing")),
        (None, Some(payload)) => Err(Mismatch::new(&join(path, name), "nothing", describe(payload))),
    }
}

fn cases(variant: &Variant) -> String {
    let names: Vec<&str> = variant.cases.iter().map(|case| case.name.as_str()).collect();
    format!("one of the cases {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::types::{Case, Record};

    fn found(ty: &ValueType, value: &Value) -> String {
        ty.check(value, "x").unwrap_err().to_string()
    }

    fn fits(ty: &ValueType, value: &Value) -> bool {
        ty.check(value, "x").is_ok()
    }

    fn user() -> ValueType {
        ValueType::Record(Arc::new(Record {
            wit: "user".into(),
            upstream: String::new(),
            fields: vec![
                Field::new("id", ValueType::Int.optional()),
                Field::new("username", ValueType::Text),
                Field {
                    default: Some(json!([])),
                    ..Field::new("tags", ValueType::List(Box::new(ValueType::Int)))
                },
            ],
            omit_none: false,
        }))
    }

    #[test]
    fn an_integer_is_no_float_and_fits_64_bits() {
        for value in [json!(0), json!(i64::MIN), json!(i64::MAX)] {
            assert!(fits(&ValueType::Int, &value), "{value}");
        }
        assert_eq!(found(&ValueType::Int, &json!(2.0)), "x: expected an integer, found the number 2.0");
        assert_eq!(
            found(&ValueType::Int, &json!(9_223_372_036_854_775_808_u64)),
            "x: expected an integer, found the number 9223372036854775808"
        );
        assert_eq!(found(&ValueType::Int, &json!(true)), "x: expected an integer, found true");
    }

    #[test]
    fn numbers_keep_to_their_ranges() {
        assert!(fits(&ValueType::StatusCode, &json!(100)) && fits(&ValueType::StatusCode, &json!(599)));
        assert!(!fits(&ValueType::StatusCode, &json!(99)) && !fits(&ValueType::StatusCode, &json!(600)));
        assert!(fits(&ValueType::Count, &json!(u32::MAX)) && !fits(&ValueType::Count, &json!(-1)));
        assert!(!fits(&ValueType::Count, &json!(4_294_967_296_u64)));
        assert!(fits(&ValueType::Float, &json!(1)) && fits(&ValueType::Float, &json!(-2.5)));
        assert!(!fits(&ValueType::Float, &json!("1")));
    }

    #[test]
    fn text_with_a_form_must_have_it() {
        let uuid = ValueType::Named(Named::Uuid);
        assert!(fits(&uuid, &json!("0189aa11-9a77-7abc-8def-0123456789ab")));
        assert_eq!(
            found(&uuid, &json!("0189aa119a777abc8def0123456789ab")),
            "x: expected a string with a UUID, found a string of another form"
        );
        let datetime = ValueType::Named(Named::Datetime);
        assert!(fits(&datetime, &json!("2026-01-02T03:04:05")));
        assert!(fits(&datetime, &json!("2026-01-02T03:04:05.123456789Z")));
        assert!(!fits(&datetime, &json!("2026-01-02")) && !fits(&datetime, &json!(1)));
        assert!(fits(&ValueType::Bytes, &json!("AAE=")) && fits(&ValueType::Bytes, &json!("")));
        assert!(!fits(&ValueType::Bytes, &json!("AAE")) && !fits(&ValueType::Bytes, &json!("-_8=")));
        assert!(fits(&ValueType::Named(Named::CourseKey), &json!("anything")));
    }

    #[test]
    fn null_is_for_optional_and_open_values_only() {
        assert!(fits(&ValueType::Json, &json!(null)) && fits(&ValueType::Text.optional(), &json!(null)));
        assert_eq!(found(&ValueType::Text, &json!(null)), "x: expected a string, found null");
        assert_eq!(found(&ValueType::Text.optional(), &json!(1)), "x: expected a string, found the number 1");
    }

    #[test]
    fn a_mismatch_names_the_place() {
        let wrong = |value| user().check(&value, "user").unwrap_err().to_string();
        assert_eq!(
            wrong(json!({"id": "1", "username": "a"})),
            "user.id: expected an integer, found a string"
        );
        assert_eq!(
            wrong(json!({"username": "a", "tags": [1, {}]})),
            "user.tags[1]: expected an integer, found an object"
        );
        assert_eq!(wrong(json!([])), "user: expected an object, found an array");
        let map = ValueType::Map(Box::new(ValueType::Bool));
        assert_eq!(map.check(&json!({"k": 0}), "").unwrap_err().path, "k");
    }

    #[test]
    fn a_missing_field_counts_unless_it_is_optional_or_has_a_default() {
        assert!(fits(&user(), &json!({"username": "a", "unknown": [1]})));
        assert_eq!(found(&user(), &json!({"id": 1})), "x.username: expected a string, found nothing");
    }

    #[test]
    fn a_variant_is_a_bare_name_or_an_object_with_that_one_key() {
        let case = |name: &str, payload| Case { name: name.into(), wit: name.into(), payload };
        let cases = vec![case("proceed", Some(ValueType::Int)), case("halt", None)];
        let outcome = ValueType::Variant(Arc::new(Variant { wit: "outcome".into(), cases }));
        assert!(fits(&outcome, &json!("halt")) && fits(&outcome, &json!({"proceed": 1})));
        for (value, message) in [
            (json!("stop"), "x: expected one of the cases proceed, halt, found `stop`"),
            (json!("proceed"), "x.proceed: expected an integer, found nothing"),
            (json!({"halt": 1}), "x.halt: expected nothing, found the number 1"),
            (json!({"proceed": "1"}), "x.proceed: expected an integer, found a string"),
            (
                json!({"proceed": 1, "halt": 1}),
                "x: expected one of the cases proceed, halt, found an object with 2 keys",
            ),
            (json!({}), "x: expected one of the cases proceed, halt, found an object with 0 keys"),
            (json!(null), "x: expected one of the cases proceed, halt, found null"),
        ] {
            assert_eq!(found(&outcome, &value), message);
        }
    }

    #[test]
    fn depth_counts_arrays_and_objects() {
        assert!(!json_depth_exceeds(&json!(1), 0) && json_depth_exceeds(&json!([]), 0));
        let value = json!({"a": [1, {"b": 2}]});
        assert!(!json_depth_exceeds(&value, 3) && json_depth_exceeds(&value, 2));
    }

    #[test]
    fn no_value_is_too_deep_to_be_measured() {
        let mut value = json!(0);
        for _ in 0..100_000 {
            value = Value::Array(vec![value]);
        }
        assert!(json_depth_exceeds(&value, 64) && !json_depth_exceeds(&value, 100_000));
        // Dropping a value recurses; take this one apart by hand.
        while let Value::Array(mut items) = value {
            value = items.pop().unwrap_or_default();
        }
    }
}
