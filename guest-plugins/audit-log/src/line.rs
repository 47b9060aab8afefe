//! The line of one event.

use std::fmt::Write as _;

use serde_json::Value;

use crate::fields::Fields;
use crate::hookbox::plugin::types::EventMetadata;

/// The most bytes of a line. The host cuts a line at 2,048, and half a JSON object is none.
const LONGEST_LINE: usize = 2_000;
/// The most characters of one value.
const LONGEST_VALUE: usize = 256;
/// What stands for fields that the line had no room for.
const CUT: &str = ",\"cut\":true";

/// A JSON object with the chosen fields that the event has; then `attempt`, where it is not the first, and `count`, where
/// the event was counted.
pub fn line(fields: &Fields, metadata: &EventMetadata, data: &Value, count: Option<u64>) -> String {
    let mut end = String::new();
    let mut chosen: Vec<(&str, Value)> = fields.of(metadata, data).collect();
    if metadata.attempt > 1 && chosen.iter().all(|(name, _)| *name != "attempt") {
        chosen.push(("attempt", metadata.attempt.into()));
    }
    if let Some(count) = count {
        // Writing to a string cannot fail.
        let _ = write!(end, ",\"count\":{count}");
    }
    let mut line = String::new();
    for (name, value) in chosen {
        let field = visible(&format!(",{}:{}", Value::from(name), short(value)));
        if line.len() + field.len() + end.len() + CUT.len() + 2 > LONGEST_LINE {
            line.push_str(CUT);
            break;
        }
        line.push_str(&field);
    }
    line.push_str(&end);
    format!("{{{}}}", line.strip_prefix(',').unwrap_or_default())
}

/// The value, or the beginning of its text when it is long.
fn short(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => value,
    }
}

/// The same JSON with escapes for what the host would escape in a way that is not JSON's: characters that move a cursor,
/// end a line or reorder text. In JSON without spaces they stand in strings only.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        let code = u32::from(letter);
        let unseen = matches!(code, 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff);
        if letter.is_control() || unseen {
            // Writing to a string cannot fail; all of these have four digits.
            let _ = write!(out, "\\u{code:04x}");
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// Some event's metadata.
    pub(crate) fn metadata(attempt: u32) -> EventMetadata {
        EventMetadata {
            id: "0189aa11-9a77-7abc-8def-0123456789ab".to_owned(),
            event_type: "org.example.happened.v1".to_owned(),
            minorversion: 1,
            source: "openedx/lms/web".to_owned(),
            sourcehost: "lms-1".to_owned(),
            time: "2026-01-02T03:04:05+00:00".to_owned(),
            sourcelib: vec![11, 2, 0],
            attempt,
        }
    }

    fn of(fields: &str, attempt: u32, data: &Value, count: Option<u64>) -> String {
        line(&Fields::parse(fields).unwrap(), &metadata(attempt), data, count)
    }

    #[test]
    fn a_line_has_the_fields_in_their_order_and_the_count() {
        let data = json!({"grade": {"course": {"course_key": "course-v1:a+b+c"}, "percent": 0.5}});
        assert_eq!(
            of("type,percent,course,nothing,id", 1, &data, Some(12)),
            "{\"type\":\"org.example.happened.v1\",\"percent\":0.5,\"course\":\"course-v1:a+b+c\",\
             \"id\":\"0189aa11-9a77-7abc-8def-0123456789ab\",\"count\":12}"
        );
    }

    #[test]
    fn a_later_attempt_is_told() {
        assert_eq!(of("source", 3, &json!({}), None), r#"{"source":"openedx/lms/web","attempt":3}"#);
        assert_eq!(of("attempt", 3, &json!({}), Some(1)), r#"{"attempt":3,"count":1}"#);
    }

    #[test]
    fn an_event_without_any_of_the_fields_has_a_line_too() {
        assert_eq!(of("nothing", 1, &json!({}), Some(1)), r#"{"count":1}"#);
        assert_eq!(of("nothing", 1, &json!({}), None), "{}");
    }

    #[test]
    fn a_line_is_json_whatever_the_values_are() {
        let names: Vec<String> = (0..32).map(|number| format!("data.n{number}")).collect();
        for text in ["\u{202e}\u{7f}\u{85}\n\"\\".repeat(99), "é…✓".repeat(999), "\u{feff}".repeat(400)]
        {
            let data: serde_json::Map<String, Value> =
                (0..32).map(|number| (format!("n{number}"), json!({"a": [text.as_str()]}))).collect();
            let line = of(&names.join(","), 2, &Value::Object(data), Some(u64::MAX));
            assert!(line.len() <= LONGEST_LINE, "{} bytes", line.len());
            assert!(!line.chars().any(char::is_control), "{line}");
            let read: Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&read["cut"], &read["count"]), (&json!(true), &json!(u64::MAX)), "{line}");
            assert!(read["data.n0"].as_str().unwrap().ends_with('…'), "{line}");
        }
        let data = json!({"a": "\u{202e}é\u{7f}"});
        let line = of("a", 1, &data, None);
        assert_eq!(line, r#"{"a":"\u202eé\u007f"}"#);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), data);
    }
}
