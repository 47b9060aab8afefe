//! CloudEvents 1.0 over HTTP: the structured form, the batch form and the binary form.
//!
//! Attributes of OEP-41 become the event's metadata: `sourcehost` (default empty), `minorversion` (an integer or its
//! decimal text, default 0) and `sourcelib` (`"11.2.0"` or a list of integers, default empty). Every other attribute
//! is kept in `extensions`, but for `specversion` and `datacontenttype`, which say nothing that is not known.
//!
//! **The id.** Open edX's ids are UUIDs, and the contract promises receivers one; CloudEvents allows any text. A
//! dashed UUID is kept, in lower case. Any other id becomes the name-based UUID
//! `uuid5(uuid5(NAMESPACE_URL, source), id)`, so that the same `source` and `id` always give the same UUID, and
//! `extensions` holds the original under `ce_id`. No attribute that CloudEvents allows has an underscore in its name.

mod attributes;
mod headers;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::check::{describe, excerpt};
use crate::event::ReceivedEvent;

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
            Self::UnsupportedFormat { .. } => "cloudevents-format-unsupported",
            Self::InBatch { error, .. } => error.code(),
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
    /// `UnsupportedFormat` for an event in another format than JSON.
    pub fn of(content_type: Option<&str>) -> Result<Self, CloudEventError> {
        match media_type(content_type.unwrap_or_default()).as_str() {
            "application/cloudevents+json" => Ok(Self::Structured),
            "application/cloudevents-batch+json" => Ok(Self::Batch),
            other if other.starts_with("application/cloudevents") => {
                Err(CloudEventError::UnsupportedFormat { found: excerpt(other) })
            }
            _ => Ok(Self::Binary),
        }
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
    let data = if body.is_empty() { None } else { Some(body) };
    attributes::event(attributes, attributes::Data::Bytes(data), received_at)
}

fn json(body: &[u8]) -> Result<Value, CloudEventError> {
    serde_json::from_slice(body).map_err(|error| CloudEventError::NotJson { reason: error.to_string() })
}

/// The media type of a `Content-Type`, without parameters, in lower case.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
