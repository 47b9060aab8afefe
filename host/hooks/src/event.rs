//! One event as receivers hear of it: its metadata and its data.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::catalogue::Event;
use crate::check::{Mismatch, check_fields, describe};
use crate::datetime::isoformat;

/// What travels beside an event's data (openedx_events data.py `EventsMetadata`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMetadata {
    /// The event's id, a UUID in its dashed lower-case form.
    pub id: String,
    /// The event's type, `org.openedx.…`.
    pub event_type: String,
    /// Minor version of the event's definition; upstream's default is 0.
    pub minorversion: i64,
    /// The service that sent it: `openedx/lms/web`.
    pub source: String,
    /// The host that sent it; empty when the sender did not say.
    pub sourcehost: String,
    /// When it was sent, in UTC, to the microsecond.
    pub time: OffsetDateTime,
    /// Version of openedx-events on the sending side, major first; empty when the sender did not say.
    pub sourcelib: Vec<i64>,
}

impl EventMetadata {
    /// The record `event-metadata` of `hookbox:plugin/types` as JSON. `attempt` is 1 for the first delivery to a
    /// receiver. `time` is printed as Python's `isoformat()` does.
    pub fn to_json(&self, attempt: u32) -> Value {
        json!({
            "id": self.id,
            "event_type": self.event_type,
            "minorversion": self.minorversion,
            "source": self.source,
            "sourcehost": self.sourcehost,
            "time": isoformat(self.time),
            "sourcelib": self.sourcelib,
            "attempt": attempt,
        })
    }
}

/// An event that somebody sent to this host.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// What the event says about itself.
    pub metadata: EventMetadata,
    /// The event's data: an object, for a catalogued event with its one data key.
    pub data: Value,
    /// Every other attribute the sender set, and `ce_id` (see [`crate::cloudevents`]).
    pub extensions: Map<String, Value>,
}

impl Event {
    /// Whether `data` is an object that holds this event's data key, and that key's value is of its type. Other
    /// keys are fine.
    ///
    /// # Errors
    /// The first place that does not fit; its path begins with `data`.
    pub fn check(&self, data: &Value) -> Result<(), Mismatch> {
        match data {
            Value::Object(object) => check_fields(std::slice::from_ref(&self.data), object, "data"),
            other => Err(Mismatch::new("data", "an object", describe(other))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

    use super::*;
    use crate::Catalogue;
    use crate::catalogue::any_event;
    use crate::datetime::DateTime;

    fn metadata(time: &str) -> EventMetadata {
        EventMetadata {
            id: "0189aa11-9a77-7abc-8def-0123456789ab".into(),
            event_type: "org.openedx.learning.course.enrollment.created.v1".into(),
            minorversion: 0,
            source: "openedx/lms/web".into(),
            sourcehost: "lms-1".into(),
            time: DateTime::parse(time).unwrap().utc().unwrap(),
            sourcelib: vec![11, 2, 0],
        }
    }

    #[test]
    fn metadata_is_the_record_that_receivers_take() {
        let json = metadata("2026-01-02T03:04:05.678901Z").to_json(2);
        let record = any_event().params.iter().find(|param| param.name == "metadata").unwrap();
        record.ty.check(&json, "metadata").unwrap();
        let crate::types::ValueType::Record(record) = &record.ty else { panic!("no record") };
        let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), names);
        assert_eq!(
            (&json["time"], &json["attempt"]),
            (&json!("2026-01-02T03:04:05.678901+00:00"), &json!(2))
        );
        assert_eq!(metadata("2026-01-02T03:04:05Z").to_json(1)["time"], json!("2026-01-02T03:04:05+00:00"));
    }

    #[test]
    fn data_must_hold_the_events_key_with_its_type() {
        let event =
            Catalogue::embedded().event("org.openedx.learning.student.registration.completed.v1").unwrap();
        let pii = json!({"username": "a", "email": "a@example.com", "name": "A"});
        let wrong = |data: Value| event.check(&data).unwrap_err().to_string();
        event.check(&json!({"user": {"pii": pii, "id": 1, "is_active": true}})).unwrap();
        assert_eq!(wrong(json!([])), "data: expected an object, found an array");
        assert_eq!(wrong(json!({"users": 1})), "data.user: expected an object, found nothing");
        assert_eq!(
            wrong(json!({"user": {"pii": pii, "id": "1", "is_active": true}})),
            "data.user.id: expected an integer, found a string"
        );
    }
}
