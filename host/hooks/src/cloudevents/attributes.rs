//! From attributes and data to an event, the same for all forms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::{CloudEventError, in_utf8, media_type, visible};
use crate::check::{describe, excerpt};
use crate::datetime::DateTime;
use crate::event::{EventMetadata, ReceivedEvent};

const TEXT: &str = "a string that is not empty and has no control characters";
const SPECVERSION: &str = "the string \"1.0\"";
const CONTENT_TYPE: &str = "a JSON media type such as application/json";
const TIME: &str = "an RFC 3339 time with an offset";
const MINORVERSION: &str = "an integer from 0, or its decimal text";
const SOURCELIB: &str = "a version such as \"11.2.0\", or a list of integers from 0";

const BASE64: &str = "base64 of a JSON object";
const NAME: &str = "a name of lower-case letters and digits, other than data";
const EXTENSION: &str = "a string without control characters, a whole number, true or false";

/// The data as its form carries it.
pub(super) enum Data<'a> {
    /// Already JSON.
    Json(Value),
    /// Decoded base64, which must be JSON.
    Encoded(Vec<u8>),
    /// A body, which must be JSON; `None` when it is empty.
    Body(Option<&'a [u8]>),
}

/// Takes `data` or `data_base64` out of a structured event's members.
pub(super) fn structured_data(members: &mut Map<String, Value>) -> Result<Data<'static>, CloudEventError> {
    let data = members.shift_remove("data");
    let base64 = members.shift_remove("data_base64").filter(|value| !value.is_null());
    let expected = BASE64;
    let invalid = |expected, found| CloudEventError::DataInvalid { member: "data_base64", expected, found };
    match (data, base64) {
        (Some(_), Some(_)) => Err(invalid("nothing beside data", "both".into())),
        (Some(data), None) => Ok(Data::Json(data)),
        (None, None) => Err(CloudEventError::DataMissing),
        (None, Some(Value::String(text))) => {
            let bytes = STANDARD.decode(text);
            bytes.map(Data::Encoded).map_err(|_| invalid(expected, "a string that is not base64".into()))
        }
        (None, Some(other)) => Err(invalid(expected, describe(&other))),
    }
}

/// Makes the event. `attributes` holds the context attributes, all text in binary form.
pub(super) fn event(
    attributes: Map<String, Value>,
    data: Data<'_>,
    received_at: OffsetDateTime,
) -> Result<ReceivedEvent, CloudEventError> {
    let mut attributes = Attributes(attributes);
    match attributes.take("specversion") {
        Some(Value::String(version)) if version == "1.0" => {}
        Some(other) => return Err(invalid("specversion", SPECVERSION, &other)),
        None => return Err(missing("specversion", SPECVERSION)),
    }
    let id = attributes.required_text("id")?;
    let source = attributes.required_text("source")?;
    let event_type = attributes.required_text("type")?;
    let time = attributes.time(received_at)?;
    let sourcehost = attributes.sourcehost()?;
    let minorversion = attributes.minorversion()?;
    let sourcelib = attributes.sourcelib()?;
    attributes.content_type(&data)?;
    let mut extensions = attributes.extensions()?;
    let data = object(data)?;
    let uuid = event_id(&source, &id);
    if !uuid.eq_ignore_ascii_case(&id) {
        extensions.insert("ce_id".to_owned(), Value::String(id));
    }
    let metadata = EventMetadata { id: uuid, event_type, minorversion, source, sourcehost, time, sourcelib };
    Ok(ReceivedEvent { metadata, data, extensions })
}

/// The id itself when it is a dashed UUID, else a UUID made from source and id.
fn event_id(source: &str, id: &str) -> String {
    let dashed = id.len() == uuid::fmt::Hyphenated::LENGTH;
    let uuid = match Uuid::try_parse(id) {
        Ok(uuid) if dashed => uuid,
        _ => {
            let of_source = Uuid::new_v5(&Uuid::NAMESPACE_URL, source.as_bytes());
            Uuid::new_v5(&of_source, id.as_bytes())
        }
    };
    uuid.hyphenated().to_string()
}

/// The attributes that are not yet understood.
struct Attributes(Map<String, Value>);

impl Attributes {
    /// One attribute; `null` is the same as none (JSON Event Format 1.0.2, section 2.2).
    fn take(&mut self, attribute: &str) -> Option<Value> {
        self.0.shift_remove(attribute).filter(|value| !value.is_null())
    }

    fn required_text(&mut self, attribute: &str) -> Result<String, CloudEventError> {
        match self.take(attribute) {
            Some(Value::String(text)) if text.is_empty() => Err(missing(attribute, TEXT)),
            Some(Value::String(text)) if !text.contains(char::is_control) => Ok(text),
            Some(other) => Err(invalid(attribute, TEXT, &other)),
            None => Err(missing(attribute, TEXT)),
        }
    }

    fn sourcehost(&mut self) -> Result<String, CloudEventError> {
        match self.take("sourcehost") {
            None => Ok(String::new()),
            Some(Value::String(host)) if !host.contains(char::is_control) => Ok(host),
            Some(other) => Err(invalid("sourcehost", "a string without control characters", &other)),
        }
    }

    fn time(&mut self, received_at: OffsetDateTime) -> Result<OffsetDateTime, CloudEventError> {
        match self.take("time") {
            None => {
                let utc = received_at.checked_to_offset(UtcOffset::UTC).unwrap_or(received_at);
                Ok(utc.truncate_to_microsecond())
            }
            Some(value) => {
                let parsed = value.as_str().and_then(DateTime::parse).and_then(DateTime::utc);
                parsed.ok_or_else(|| invalid("time", TIME, &value))
            }
        }
    }

    fn minorversion(&mut self) -> Result<i64, CloudEventError> {
        let Some(value) = self.take("minorversion") else {
            return Ok(0);
        };
        let number = match &value {
            Value::String(text) => decimal(text),
            other => other.as_i64().filter(|number| *number >= 0),
        };
        number.ok_or_else(|| invalid("minorversion", MINORVERSION, &value))
    }

    fn sourcelib(&mut self) -> Result<Vec<i64>, CloudEventError> {
        let Some(value) = self.take("sourcelib") else {
            return Ok(Vec::new());
        };
        let numbers: Option<Vec<i64>> = match &value {
            Value::String(text) if text.is_empty() => Some(Vec::new()),
            Value::String(text) => text.split('.').map(decimal).collect(),
            Value::Array(parts) => {
                parts.iter().map(|part| part.as_i64().filter(|number| *number >= 0)).collect()
            }
            _ => None,
        };
        numbers.ok_or_else(|| invalid("sourcelib", SOURCELIB, &value))
    }

    /// What the data is must be JSON; where it is bytes, in UTF-8. In binary form the request's own media type says so.
    fn content_type(&mut self, data: &Data<'_>) -> Result<(), CloudEventError> {
        let Some(value) = self.take("datacontenttype") else {
            return Ok(());
        };
        let text = value.as_str().unwrap_or_default();
        let media = media_type(text);
        let subtype = media.split_once('/').map_or("", |(_, subtype)| subtype);
        match (subtype == "json" || subtype.ends_with("+json"), data) {
            (true, Data::Json(_)) => Ok(()),
            (true, Data::Encoded(_)) => {
                in_utf8(text).map_err(|_| invalid("datacontenttype", "JSON in UTF-8", &value))
            }
            (true, Data::Body(_)) => in_utf8(text),
            (false, Data::Body(_)) => {
                Err(CloudEventError::UnsupportedData { found: excerpt(&visible(&media)) })
            }
            (false, _) => Err(invalid("datacontenttype", CONTENT_TYPE, &value)),
        }
    }

    /// What nothing of this host's understands. `subject` and `dataschema` are never empty (CloudEvents 1.0.2, section 3.1.2).
    fn extensions(mut self) -> Result<Map<String, Value>, CloudEventError> {
        self.0.retain(|_, value| !value.is_null());
        for (name, value) in &self.0 {
            let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            if name.is_empty() || name == "data" || !name.bytes().all(sound) {
                let attribute = excerpt(&visible(name));
                let found = format!("{attribute:?}");
                return Err(CloudEventError::AttributeInvalid { attribute, expected: NAME, found });
            }
            let (fits, expected) = match (name.as_str(), value) {
                ("subject" | "dataschema", Value::String(text)) => {
                    (!text.is_empty() && !text.contains(char::is_control), TEXT)
                }
                ("subject" | "dataschema", _) => (false, TEXT),
                (_, Value::String(text)) => (!text.contains(char::is_control), EXTENSION),
                (_, Value::Number(number)) => (!number.is_f64(), EXTENSION),
                (_, Value::Bool(_)) => (true, EXTENSION),
                _ => (false, EXTENSION),
            };
            if !fits {
                return Err(invalid(&excerpt(name), expected, value));
            }
        }
        Ok(self.0)
    }
}

fn object(data: Data<'_>) -> Result<Value, CloudEventError> {
    let invalid = |member, expected, found| CloudEventError::DataInvalid { member, expected, found };
    let (value, member, expected) = match data {
        Data::Json(value) => (value, "data", "a JSON object"),
        Data::Encoded(bytes) => {
            let value = serde_json::from_slice(&bytes);
            let other = |error| invalid("data_base64", BASE64, format!("base64 of other text ({error})"));
            (value.map_err(other)?, "data_base64", BASE64)
        }
        Data::Body(None) => return Err(CloudEventError::DataMissing),
        Data::Body(Some(bytes)) => {
            let value = serde_json::from_slice(bytes);
            let error = |error: serde_json::Error| CloudEventError::NotJson { reason: error.to_string() };
            (value.map_err(error)?, "data", "a JSON object")
        }
    };
    if value.is_object() { Ok(value) } else { Err(invalid(member, expected, describe(&value))) }
}

/// Digits only: `parse` alone would take a sign.
fn decimal(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn missing(attribute: &str, expected: &'static str) -> CloudEventError {
    CloudEventError::AttributeMissing { attribute: attribute.to_owned(), expected }
}

fn invalid(attribute: &str, expected: &'static str, value: &Value) -> CloudEventError {
    let found = match value {
        Value::String(text) => format!("{:?}", excerpt(text)),
        other => describe(other),
    };
    CloudEventError::AttributeInvalid { attribute: attribute.to_owned(), expected, found }
}
