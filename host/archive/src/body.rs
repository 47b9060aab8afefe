//! A request's body as the rules see it: the three fields they read, of JSON or of a form.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::python;

/// Levels of nesting that a JSON body may have. The Django plugin crashes from 957 on.
pub const MAX_DEPTH: usize = 950;

/// The fields that a body may set. Everything else in it is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `course_id`.
    CourseId,
    /// `user`.
    User,
    /// `is_archived`.
    IsArchived,
}

impl Field {
    /// The field with this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "course_id" => Some(Self::CourseId),
            "user" => Some(Self::User),
            "is_archived" => Some(Self::IsArchived),
            _ => None,
        }
    }
}

/// Text that may hold lone surrogates, as JSON's escapes allow and Rust's strings do not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The text; each lone surrogate is U+FFFD.
    pub text: String,
    /// The first lone surrogate.
    pub surrogate: Option<u32>,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), surrogate: None }
    }
}

/// One value of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction and exponent, as Python prints it.
    Int(String),
    /// A number with a fraction or an exponent; infinite where Python's would be.
    Float(f64),
    /// Text.
    Text(Text),
    /// An array.
    List,
    /// An object.
    Dict,
    /// An uploaded file, of a form.
    File,
}

impl Value {
    /// The name of Python's type for it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List => "list",
            Self::Dict => "dict",
            Self::File => "InMemoryUploadedFile",
        }
    }

    /// Whether it equals a whole number, as Python's `==` of numbers: text never does.
    pub fn equals(&self, number: i64) -> bool {
        match self {
            Self::Int(digits) => python::int(digits).and_then(python::Int::fits) == Some(number),
            Self::Float(float) => same(*float, number),
            _ => false,
        }
    }
}

/// Whether a float is exactly this whole number.
fn same(float: f64, number: i64) -> bool {
    whole(float) == Some(number) && float.fract() == 0.0
}

/// The whole part of a float, when 64 bits hold it.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn whole(float: f64) -> Option<i64> {
    // 2^63 is a float; the greatest i64 is not.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    let whole = float.trunc();
    (-BOUND..BOUND).contains(&whole).then_some(whole as i64)
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// An object or a form.
    Fields(Fields),
    /// JSON that is neither an object nor `null`, with the name of Python's type for it.
    NotAnObject(&'static str),
    /// `null`.
    Null,
}

/// The fields of an object or a form. A name that comes twice counts with its last value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    /// `course_id`.
    pub course_id: Option<Value>,
    /// `user`.
    pub user: Option<Value>,
    /// `is_archived`.
    pub is_archived: Option<Value>,
    /// Whether they come from a form, which cannot tell an absent field from an unchecked box.
    pub form: bool,
}

impl Fields {
    /// Sets one field; the last value counts.
    pub fn set(&mut self, field: Field, value: Value) {
        let place = match field {
            Field::CourseId => &mut self.course_id,
            Field::User => &mut self.user,
            Field::IsArchived => &mut self.is_archived,
        };
        *place = Some(value);
    }

    /// The fields of a form.
    pub fn of_form(pairs: impl IntoIterator<Item = (String, Value)>) -> Self {
        let mut fields = Self { form: true, ..Self::default() };
        for (name, value) in pairs {
            if let Some(field) = Field::named(&name) {
                fields.set(field, value);
            }
        }
        fields
    }
}

/// A body that is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// What the parser said, with line and column.
    #[error("{0}")]
    Syntax(String),
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads a JSON body as Python's `json.loads` does: lone surrogates are allowed, `NaN` and `Infinity` are not, the
/// last of equal names counts.
///
/// # Errors
/// [`JsonError`].
pub fn read_json(text: &str) -> Result<Body, JsonError> {
    look_over(text.as_bytes())?;
    let syntax = |error: serde_json::Error| JsonError::Syntax(error.to_string());
    if text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        let fields = reader.deserialize_map(FieldsVisitor).map_err(syntax)?;
        reader.end().map_err(syntax)?;
        return Ok(Body::Fields(fields));
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(syntax)?;
    Ok(match read_value(raw)? {
        Value::Null => Body::Null,
        other => Body::NotAnObject(other.type_name()),
    })
}

/// Looks over a body outside of its strings: brackets that nest too deep, and whole numbers of more digits than Python
/// reads, wherever they stand. Bytes that are no JSON at all are the parser's to refuse.
fn look_over(json: &[u8]) -> Result<(), JsonError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let (mut digits, mut whole) = (0_usize, true);
    for byte in json {
        let in_number = !in_string && matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        if in_number {
            digits += usize::from(byte.is_ascii_digit());
            whole &= byte.is_ascii_digit() || *byte == b'-';
            continue;
        }
        number_fits(digits, whole)?;
        (digits, whole) = (0, true);
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(JsonError::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    number_fits(digits, whole)
}

fn number_fits(digits: usize, whole: bool) -> Result<(), JsonError> {
    if whole && digits > python::MAX_DIGITS {
        let limit = python::MAX_DIGITS;
        return Err(JsonError::Syntax(format!("a whole number has more than {limit} digits")));
    }
    Ok(())
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(field) = map.next_key_seed(FieldName)? {
            let raw: &RawValue = map.next_value()?;
            // Python refuses a number of too many digits in ignored fields as well.
            if field.is_some() || raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
            {
                let value = read_value(raw).map_err(de::Error::custom)?;
                if let Some(field) = field {
                    fields.set(field, value);
                }
            }
        }
        Ok(fields)
    }
}

/// A name, read as bytes so that lone surrogates in it are no error.
struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Option<Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Field>, D::Error> {
        let Bytes(bytes) = Bytes::read(deserializer)?;
        Ok(std::str::from_utf8(&bytes).ok().and_then(Field::named))
    }
}

/// A JSON string's bytes; lone surrogates are three bytes each.
struct Bytes(Vec<u8>);

impl Bytes {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

fn read_value(raw: &RawValue) -> Result<Value, JsonError> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'[') => Value::List,
        Some(b'{') => Value::Dict,
        Some(b'"') => {
            let mut reader = serde_json::Deserializer::from_str(text);
            let bytes = Bytes::read(&mut reader);
            Value::Text(wobbly(&bytes.map_err(|error| JsonError::Syntax(error.to_string()))?.0))
        }
        _ if text.contains(['.', 'e', 'E']) => Value::Float(text.parse().unwrap_or(f64::NAN)),
        _ => Value::Int(if text == "-0" { "0".to_owned() } else { text.to_owned() }),
    })
}

/// Text of generalised UTF-8, in which a lone surrogate is `ED A0..BF xx`.
fn wobbly(bytes: &[u8]) -> Text {
    let mut text = String::with_capacity(bytes.len());
    let mut surrogate = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(sound) => {
                text.push_str(sound);
                break;
            }
            Err(error) => {
                let (sound, broken) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(sound));
                text.push('\u{fffd}');
                if let [0xed, second, third, ..] = broken {
                    let code = 0xd000 | (u32::from(second & 0x3f) << 6) | u32::from(third & 0x3f);
                    surrogate = surrogate.or(Some(code));
                }
                rest = broken.get(3..).unwrap_or_default();
            }
        }
    }
    Text { text, surrogate }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        match read_json(text) {
            Ok(Body::Fields(fields)) => fields,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn text(text: &str) -> Option<Value> {
        Some(Value::Text(text.into()))
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        assert_eq!(fields(r#"{"course_id":"a","course\u005fid":"b"}"#).course_id, text("b"));
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(
            fields(r#"{"user":9223372036854775808}"#).user,
            Some(Value::Int("9223372036854775808".into()))
        );
        assert_eq!(fields(r#"{"user":-0}"#).user, Some(Value::Int("0".into())));
        assert_eq!(fields(r#"{"user":1e400}"#).user, Some(Value::Float(f64::INFINITY)));
        assert!(
            Value::Float(1.0).equals(1) && !Value::Float(1.5).equals(1) && Value::Int("1".into()).equals(1)
        );
        assert!(!Value::Text("1".into()).equals(1) && !Value::Bool(true).equals(1));
        let long = "9".repeat(4_301);
        for bad in
            [format!(r#"{{"extra":{long}}}"#), format!(r#"{{"a":[{{"b":-{long}}}]}}"#), format!("[{long}]")]
        {
            assert!(read_json(&bad).is_err());
        }
        for good in
            [format!(r#"{{"a":{long}.0}}"#), format!(r#"{{"a":"{long}"}}"#), format!(r#"{{"a":{long}e1}}"#)]
        {
            assert!(read_json(&good).is_ok());
        }
    }

    #[test]
    fn lone_surrogates_are_read_and_pairs_are_joined() {
        let Some(Value::Text(lone)) = fields(r#"{"course_id":"a\ud800b\udfff"}"#).course_id else { panic!() };
        assert_eq!(lone, Text { text: "a\u{fffd}b\u{fffd}".into(), surrogate: Some(0xd800) });
        assert_eq!(fields(r#"{"course_id":"\ud83d\ude00"}"#).course_id, text("😀"));
        assert_eq!(fields(r#"{"\ud800":1,"user":2}"#).user, Some(Value::Int("2".into())));
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for bad in [
            "",
            " ",
            "{",
            "nul",
            "NaN",
            "Infinity",
            "-Infinity",
            "{\"user\":NaN}",
            "\u{feff}{}",
            "{} x",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1,}",
            "{\"a\":\"\u{1}\"}",
            "\u{a0}{}",
            "[1,]",
        ] {
            assert!(read_json(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_object_says_what_it_is() {
        for (json, name) in [
            ("[]", "list"),
            ("\"{\"", "str"),
            ("1", "int"),
            ("-1.5", "float"),
            ("true", "bool"),
            (" [{}] ", "list"),
        ] {
            assert_eq!(read_json(json), Ok(Body::NotAnObject(name)), "{json}");
        }
        assert_eq!(read_json("null"), Ok(Body::Null));
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_are_no_depth() {
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(read_json(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(read_json(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
        assert_eq!(read_json(&nested(1_000_000)), Err(JsonError::TooDeep));
        assert!(read_json(&format!("{{\"a\":\"{}\\\"[\"}}", "[".repeat(5_000))).is_ok());
    }
}
