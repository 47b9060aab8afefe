//! Whatever somebody sends as an event, it is read or refused with an error that can be shown. What was read can be
//! written and read again, and is the same.

use std::path::Path;

use hookbox_fuzz::{fuzz, mutate, mutations, saved};
use hookbox_hooks::ReceivedEvent;
use hookbox_hooks::cloudevents::{CloudEventError, ContentMode, parse_batch, parse_binary, parse_structured};
use hookbox_hooks::datetime::{DateTime, isoformat};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// What a sender sends: headers and a body. Names are visible ASCII, as HTTP lets through no other.
#[derive(Debug, Clone)]
struct Sent {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What has a meaning in an event.
const WORDS: &[&str] = &[
    "\"id\":",
    "\"ce_id\":",
    "\"data\":",
    "\"data_base64\":",
    "\"specversion\":",
    "\"1.0\"",
    "null",
    "{}",
    "[]",
    "-0",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "%00",
    "%E2%82",
    "ce-data: {}\n",
    "ce-id: 1\n",
    "ce-: x\n",
    "\n\n",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
];
const ATTRIBUTES: &[&str] = &[
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "sourcehost",
    "minorversion",
    "sourcelib",
    "datacontenttype",
    "subject",
    "data",
    "data_base64",
    "ce_id",
    "",
];
const VALUES: &[&str] = &[
    "",
    "1.0",
    "0189AA11-9A77-7ABC-8DEF-0123456789AB",
    "2026-01-02T03:04:05.678901234-03:30",
    "0001-01-01T00:00:00Z",
    "11.2.0",
    "9223372036854775807",
    "9223372036854775808.1",
    "application/json",
    "eyJhIjogMX0=",
    "\u{0}",
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/cloudevents"))
}

fn now() -> OffsetDateTime {
    DateTime::parse("2026-05-06T07:08:09.123456Z").unwrap().utc().unwrap()
}

/// A file of the corpus as a request: header lines, an empty line, the body. Without the line all of it is the body.
fn request(bytes: &[u8]) -> Sent {
    let text = String::from_utf8_lossy(bytes);
    match text.split_once("\n\n") {
        Some((head, body)) => Sent { headers: headers(head), body: body.as_bytes().to_vec() },
        None => Sent { headers: headers(&text), body: bytes.to_vec() },
    }
}

fn headers(head: &str) -> Vec<(String, String)> {
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (visible(name), value.trim().to_owned())).collect()
}

fn visible(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(VALUES).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

/// An event that is sound but for a few attributes.
fn nearly_sound() -> impl Strategy<Value = Value> {
    let name = prop_oneof![prop::sample::select(ATTRIBUTES).prop_map(str::to_owned), "[a-z0-9_-]{0,12}"];
    vec((name, any_json()), 0..4).prop_map(|pairs| {
        let mut event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {}});
        for (name, value) in pairs {
            // A form has either of the two.
            if name == "data_base64" {
                event.as_object_mut().unwrap().shift_remove("data");
            }
            event[name] = value;
        }
        event
    })
}

fn anything_sent() -> impl Strategy<Value = Sent> {
    let files: Vec<Vec<u8>> =
        ["json", "http"].iter().flat_map(|ending| saved(folder(), ending)).map(|saved| saved.bytes).collect();
    let changed = (prop::sample::select(files), mutations(WORDS));
    let header = (
        prop_oneof![
            prop::sample::select(ATTRIBUTES).prop_map(|name| format!("ce-{name}")),
            "(?i)ce-[a-z0-9]{0,8}",
            Just("Content-Type".to_owned()),
            "[!-~]{0,8}",
        ],
        prop_oneof![
            prop::sample::select(VALUES).prop_map(str::to_owned),
            "[ -~]{0,12}",
            "(%[0-9a-fA-F]{2}){0,6}",
            any::<String>(),
        ],
    );
    let sound =
        ["specversion: 1.0", "id: 1", "source: s", "type: t"].map(|line| format!("ce-{line}")).join("\n");
    prop_oneof![
        4 => changed.prop_map(|(bytes, changes)| request(&mutate(&bytes, &changes))),
        3 => nearly_sound().prop_map(|event| Sent { headers: Vec::new(), body: event.to_string().into_bytes() }),
        1 => vec(nearly_sound(), 0..4)
            .prop_map(|batch| Sent { headers: Vec::new(), body: Value::from(batch).to_string().into_bytes() }),
        3 => (vec(header, 0..6), any_json()).prop_map(move |(more, body)| Sent {
            headers: headers(&sound).into_iter().chain(more).collect(),
            body: body.to_string().into_bytes(),
        }),
        1 => vec(any::<u8>(), 0..64).prop_map(|body| Sent { headers: Vec::new(), body }),
    ]
}

/// The event in structured form.
fn structured(event: &ReceivedEvent) -> Value {
    let mut members = event.extensions.clone();
    let metadata = &event.metadata;
    let sent_with = members.shift_remove("ce_id").unwrap_or_else(|| json!(metadata.id));
    for (name, value) in [
        ("specversion", json!("1.0")),
        ("id", sent_with),
        ("source", json!(metadata.source)),
        ("type", json!(metadata.event_type)),
        ("time", json!(isoformat(metadata.time))),
        ("sourcehost", json!(metadata.sourcehost)),
        ("minorversion", json!(metadata.minorversion)),
        ("sourcelib", json!(metadata.sourcelib)),
        ("data", event.data.clone()),
    ] {
        let before = members.insert(name.to_owned(), value);
        assert_eq!(before, None, "an extension has the name of an attribute: {name}");
    }
    Value::Object(members)
}

/// The event's attributes as headers; `None` when one is no text.
fn binary(event: &ReceivedEvent) -> Option<Vec<(String, String)>> {
    let Value::Object(mut members) = structured(event) else { return None };
    members.shift_remove("data");
    let metadata = &event.metadata;
    members["minorversion"] = metadata.minorversion.to_string().into();
    let numbers: Vec<String> = metadata.sourcelib.iter().map(ToString::to_string).collect();
    if numbers.is_empty() {
        members.shift_remove("sourcelib");
    } else {
        members["sourcelib"] = numbers.join(".").into();
    }
    let encoded = |value: &Value| {
        let bytes = value.as_str()?.bytes();
        Some(bytes.map(|byte| format!("%{byte:02X}")).collect::<String>())
    };
    members.iter().map(|(name, value)| Some((format!("ce-{name}"), encoded(value)?))).collect()
}

#[track_caller]
fn can_be_shown(error: &CloudEventError) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
    assert!(text.len() <= 1_024, "{} bytes", text.len());
    assert!(error.code().starts_with("cloudevents-"), "{error:?}");
}

fn survives(event: &ReceivedEvent) {
    let text = structured(event).to_string();
    assert_eq!(parse_structured(text.as_bytes(), OffsetDateTime::UNIX_EPOCH).as_ref(), Ok(event), "{text}");
    let Some(headers) = binary(event) else { return };
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = event.data.to_string();
    assert_eq!(
        parse_binary(pairs, body.as_bytes(), OffsetDateTime::UNIX_EPOCH).as_ref(),
        Ok(event),
        "{headers:?}"
    );
}

fn is_read_or_refused(sent: &Sent) {
    let content_type = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Err(error) = ContentMode::of(content_type.map(|(_, value)| value.as_str())) {
        can_be_shown(&error);
    }
    let headers = || sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for one in [parse_structured(&sent.body, now()), parse_binary(headers(), &sent.body, now())] {
        match one {
            Ok(event) => survives(&event),
            Err(error) => can_be_shown(&error),
        }
    }
    match parse_batch(&sent.body, now()) {
        Ok(events) => events.iter().for_each(survives),
        Err(error) => can_be_shown(&error),
    }
}

#[test]
fn what_is_sent_is_read_or_refused() {
    fuzz("cloudevents", &anything_sent(), |sent| is_read_or_refused(&sent));
}

#[test]
fn what_was_found_before_stays_mended() {
    for saved in ["json", "http"].iter().flat_map(|ending| saved(folder(), ending)) {
        is_read_or_refused(&request(&saved.bytes));
    }
}
