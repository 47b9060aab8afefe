//! CloudEvents 1.0 over HTTP: the structured form, the batch form and the binary form.
//!
//! Attributes of OEP-41 become the event's metadata: `sourcehost` (default empty), `minorversion` (an integer or its
//! decimal text, default 0) and `sourcelib` (`"11.2.0"` or a list of integers, default empty). Every other attribute
//! is kept in `extensions`, but for `specversion` and `datacontenttype`, which say nothing that is not known. Their names are
//! lower-case letters and digits, their values text, whole numbers, `true` or `false`, as CloudEvents has it; what is neither
//! is refused, because a receiver could not tell what was meant.
//!
//! **The id.** Open edX's ids are UUIDs, and the contract promises receivers one; CloudEvents allows any text. A
//! dashed UUID is kept, in lower case. Any other id becomes the name-based UUID
//! `uuid5(uuid5(NAMESPACE_URL, source), id)`, so that the same `source` and `id` always give the same UUID, and
//! `extensions` holds the original under `ce_id`. No attribute that CloudEvents allows has an underscore in its name.

mod attributes;
mod headers;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::check::{Mismatch, describe, excerpt};
use crate::event::ReceivedEvent;

const BINARY: &str =
    "the header ce-specversion with 1.0, or a whole event with the content type application/cloudevents+json";

/// What is wrong with an event that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudEventError {
    /// The body is not JSON.
    #[error("the body is not JSON: {reason}")]
    NotJson {
        /// The parser's words, with line and column.
        reason: String,
    },
    /// An event in structured form is not an object.
    #[error("expected an event as a JSON object, found {found}")]
    NotAnObject {
        /// What stands there, in words.
        found: String,
    },
    /// A batch is not a list.
    #[error("expected a batch as a JSON array of events, found {found}")]
    NotABatch {
        /// What stands there, in words.
        found: String,
    },
    /// A required attribute is missing, `null` or empty.
    #[error("attribute {attribute}: expected {expected}, found nothing")]
    AttributeMissing {
        /// The attribute's name.
        attribute: String,
        /// What it must be, in words.
        expected: &'static str,
    },
    /// An attribute has the wrong type or form.
    #[error("attribute {attribute}: expected {expected}, found {found}")]
    AttributeInvalid {
        /// The attribute's name.
        attribute: String,
        /// What it must be, in words.
        expected: &'static str,
        /// What stands there, in words or quoted.
        found: String,
    },
    /// Two headers give the same attribute.
    #[error("attribute {attribute}: expected one header, found two")]
    AttributeRepeated {
        /// The attribute's name.
        attribute: String,
    },
    /// The event has no data.
    #[error("data: expected an object with the event's data, found nothing")]
    DataMissing,
    /// The data is not one JSON object.
    #[error("{member}: expected {expected}, found {found}")]
    DataInvalid {
        /// `data` or `data_base64`.
        member: &'static str,
        /// What it must be, in words.
        expected: &'static str,
        /// What stands there, in words.
        found: String,
    },
    /// The body is a CloudEvent in a format other than JSON.
    #[error("content type {found:?}: this host reads application/cloudevents+json and its batch form")]
    UnsupportedFormat {
        /// The media type.
        found: String,
    },
    /// The data of an event in binary form is no JSON.
    #[error(
        "content type {found:?}: expected a JSON media type such as application/json for the event's data"
    )]
    UnsupportedData {
        /// The media type.
        found: String,
    },
    /// The text is in another encoding than UTF-8.
    #[error("content type: expected the charset utf-8, found {found:?}")]
    UnsupportedCharset {
        /// The charset.
        found: String,
    },
    /// One event of a batch is wrong. Nothing of the batch is taken.
    #[error("event {index} of the batch: {error}")]
    InBatch {
        /// The event's place in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<CloudEventError>,
    },
}

impl CloudEventError {
    /// A name for programs that stays the same. In a batch, that of the event's own error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "cloudevents-not-json",
            Self::NotAnObject { .. } => "cloudevents-not-an-object",
            Self::NotABatch { .. } => "cloudevents-not-a-batch",
            Self::AttributeMissing { .. } => "cloudevents-attribute-missing",
            Self::AttributeInvalid { .. } => "cloudevents-attribute-invalid",
            Self::AttributeRepeated { .. } => "cloudevents-attribute-repeated",
            Self::DataMissing => "cloudevents-data-missing",
            Self::DataInvalid { .. } => "cloudevents-data-invalid",
            Self::UnsupportedFormat { .. } | Self::UnsupportedData { .. } => "cloudevents-format-unsupported",
            Self::UnsupportedCharset { .. } => "cloudevents-charset-unsupported",
            Self::InBatch { error, .. } => error.code(),
        }
    }

    /// Whether the request's media type is the mistake.
    pub fn is_of_media_type(&self) -> bool {
        matches!(
            self,
            Self::UnsupportedFormat { .. } | Self::UnsupportedData { .. } | Self::UnsupportedCharset { .. }
        )
    }

    /// Where the mistake is, what was expected there and what was found; `None` when it is in the body as a whole. In a batch,
    /// where it is in its event.
    pub fn mismatch(&self) -> Option<Mismatch> {
        let at = |path: &str, expected: &str, found: &str| Some(Mismatch::new(path, expected, found));
        match self {
            Self::AttributeMissing { attribute, expected } => at(attribute, expected, "nothing"),
            Self::AttributeInvalid { attribute, expected, found } => at(attribute, expected, found),
            Self::AttributeRepeated { attribute } => at(attribute, "one header", "two"),
            Self::DataMissing => at("data", "an object with the event's data", "nothing"),
            Self::DataInvalid { member, expected, found } => at(member, expected, found),
            Self::InBatch { error, .. } => error.mismatch(),
            _ => None,
        }
    }

    /// The place in the batch of the event that is wrong, from 0.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::InBatch { index, .. } => Some(*index),
            _ => None,
        }
    }
}

/// How a request carries CloudEvents (HTTP Protocol Binding 1.0.2, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentMode {
    /// The body is one event, `application/cloudevents+json`.
    Structured,
    /// The body is a list of events, `application/cloudevents-batch+json`.
    Batch,
    /// The body is the data, headers hold the attributes.
    Binary,
}

impl ContentMode {
    /// The mode a request's `Content-Type` header tells of.
    ///
    /// # Errors
    /// `UnsupportedFormat` for an event in another format than JSON, `UnsupportedCharset` for one that is not in UTF-8.
    pub fn of(content_type: Option<&str>) -> Result<Self, CloudEventError> {
        let content_type = content_type.unwrap_or_default();
        let mode = match media_type(content_type).as_str() {
            "application/cloudevents+json" => Self::Structured,
            "application/cloudevents-batch+json" => Self::Batch,
            other if other.starts_with("application/cloudevents") => {
                return Err(CloudEventError::UnsupportedFormat { found: excerpt(&visible(other)) });
            }
            _ => return Ok(Self::Binary),
        };
        in_utf8(content_type).map(|()| mode)
    }
}

/// Reads one event in structured form (JSON Event Format 1.0.2). `received_at` stands in for a missing `time`.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse_structured(body: &[u8], received_at: OffsetDateTime) -> Result<ReceivedEvent, CloudEventError> {
    from_json(json(body)?, received_at)
}

/// Reads one event in structured form that is already JSON. `received_at` stands in for a missing `time`.
///
/// # Errors
/// The first thing that is wrong.
pub fn from_json(event: Value, received_at: OffsetDateTime) -> Result<ReceivedEvent, CloudEventError> {
    match event {
        Value::Object(mut members) => {
            let data = attributes::structured_data(&mut members)?;
            attributes::event(members, data, received_at)
        }
        other => Err(CloudEventError::NotAnObject { found: describe(&other) }),
    }
}

/// Reads a batch (JSON Event Format 1.0.2, section 4): all of it or nothing. An empty batch holds no events.
///
/// # Errors
/// The first thing that is wrong, `InBatch` when it is in one of the events.
pub fn parse_batch(body: &[u8], received_at: OffsetDateTime) -> Result<Vec<ReceivedEvent>, CloudEventError> {
    let events = match json(body)? {
        Value::Array(events) => events,
        other => {
            return Err(CloudEventError::NotABatch { found: describe(&other) });
        }
    };
    let read = events.into_iter().enumerate().map(|(index, event)| {
        from_json(event, received_at)
            .map_err(|error| CloudEventError::InBatch { index, error: Box::new(error) })
    });
    read.collect()
}

/// Reads one event in binary form: `headers` are all of the request's, names in any case; those that begin with
/// `ce-` are attributes, `Content-Type` describes the body. `received_at` stands in for a missing `time`.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse_binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
    received_at: OffsetDateTime,
) -> Result<ReceivedEvent, CloudEventError> {
    let mut attributes = Map::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let (attribute, value) = match name.strip_prefix("ce-") {
            // The binding gives this attribute to the Content-Type header alone.
            Some("datacontenttype") => continue,
            Some(attribute) => (attribute, headers::decode(attribute, value)?),
            None if name == "content-type" => ("datacontenttype", value.to_owned()),
            None => continue,
        };
        if attributes.insert(attribute.to_owned(), Value::String(value)).is_some() {
            return Err(CloudEventError::AttributeRepeated { attribute: excerpt(attribute) });
        }
    }
    if !attributes.contains_key("specversion") {
        // Nothing tells an event in structured form under another media type from one without its headers.
        return Err(CloudEventError::AttributeMissing { attribute: "specversion".into(), expected: BINARY });
    }
    let data = if body.is_empty() { None } else { Some(body) };
    attributes::event(attributes, attributes::Data::Body(data), received_at)
}

fn json(body: &[u8]) -> Result<Value, CloudEventError> {
    serde_json::from_slice(body).map_err(|error| CloudEventError::NotJson { reason: error.to_string() })
}

/// Whether the text that a `Content-Type` describes is in UTF-8, which all JSON is (RFC 8259, section 8.1).
fn in_utf8(content_type: &str) -> Result<(), CloudEventError> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    for (name, value) in parameters {
        let value = value.trim().trim_matches('"');
        let utf8 = ["utf-8", "utf8", "us-ascii"].iter().any(|name| value.eq_ignore_ascii_case(name));
        if name.trim().eq_ignore_ascii_case("charset") && !utf8 {
            return Err(CloudEventError::UnsupportedCharset { found: excerpt(&visible(value)) });
        }
    }
    Ok(())
}

/// Text from outside in which a control character can be seen.
fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let escaped = letter.is_control().then(|| letter.escape_default());
            let plain = escaped.is_none().then_some(letter);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// The media type of a `Content-Type`, without parameters, in lower case.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
