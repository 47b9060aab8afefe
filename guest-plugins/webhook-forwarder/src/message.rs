//! The event as a CloudEvent in structured form.

use std::fmt::Write as _;

use serde_json::Value;

use crate::hookbox::plugin::types::EventMetadata;

/// The media type of a message.
pub const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// The message for an event. `data` is JSON, and stays letter for letter as it came.
pub fn message(metadata: &EventMetadata, data: &str) -> String {
    let mut message = String::from("{\"specversion\":\"1.0\"");
    let text = |text: &str| Some(Value::from(text)).filter(|_| !text.is_empty());
    let sourcelib: Vec<String> = metadata.sourcelib.iter().map(ToString::to_string).collect();
    // An attribute is never empty, so that what the sender did not say is left out.
    for (name, value) in [
        ("id", text(&metadata.id)),
        ("source", text(&metadata.source)),
        ("type", text(&metadata.event_type)),
        ("time", text(&metadata.time)),
        ("datacontenttype", text("application/json")),
        ("minorversion", Some(metadata.minorversion.into())),
        ("sourcehost", text(&metadata.sourcehost)),
        ("sourcelib", text(&sourcelib.join("."))),
    ] {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(message, ",\"{name}\":{value}");
        }
    }
    message + ",\"data\":" + data + "}"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata() -> EventMetadata {
        EventMetadata {
            id: "0189aa11-9a77-7abc-8def-0123456789ab".to_owned(),
            event_type: "org.example.happened.v1".to_owned(),
            minorversion: 1,
            source: "openedx/\"lms\"/web".to_owned(),
            sourcehost: "lms-1".to_owned(),
            time: "2026-01-02T03:04:05.678901+00:00".to_owned(),
            sourcelib: vec![11, 2, 0],
            attempt: 3,
        }
    }

    #[test]
    fn a_message_has_every_attribute_and_the_data() {
        let read: Value = serde_json::from_str(&message(&metadata(), r#"{"user": {"id": 7}}"#)).unwrap();
        let expected = json!({
            "specversion": "1.0",
            "id": "0189aa11-9a77-7abc-8def-0123456789ab",
            "source": "openedx/\"lms\"/web",
            "type": "org.example.happened.v1",
            "time": "2026-01-02T03:04:05.678901+00:00",
            "datacontenttype": "application/json",
            "minorversion": 1,
            "sourcehost": "lms-1",
            "sourcelib": "11.2.0",
            "data": {"user": {"id": 7}},
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn data_stays_letter_for_letter() {
        let data = r#"{"big":123456789012345678901234567890,"e":1.10,"ü":"é"}"#;
        assert!(message(&metadata(), data).ends_with(&format!(",\"data\":{data}}}")));
    }

    #[test]
    fn what_the_sender_did_not_say_is_left_out() {
        let silent = EventMetadata { sourcehost: String::new(), sourcelib: Vec::new(), ..metadata() };
        let read: Value = serde_json::from_str(&message(&silent, "{}")).unwrap();
        assert!(read.get("sourcehost").is_none() && read.get("sourcelib").is_none(), "{read}");
    }
}
