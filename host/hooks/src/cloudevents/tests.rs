#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_json::json;

use super::*;
use crate::datetime::{DateTime, isoformat};

const ID: &str = "0189aa11-9a77-7abc-8def-0123456789ab";

fn now() -> OffsetDateTime {
    DateTime::parse("2026-05-06T07:08:09.123456+02:00").unwrap().utc().unwrap()
}

fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": ID,
        "source": "openedx/lms/web",
        "type": "org.openedx.learning.course.enrollment.created.v1",
        "time": "2026-01-02T05:04:05.678901+02:00",
        "datacontenttype": "application/json; charset=utf-8",
        "sourcehost": "lms-1",
        "minorversion": 3,
        "sourcelib": "11.2.0",
        "subject": "course-v1:a+b+c",
        "traceparent": null,
        "data": {"enrollment": {"mode": "audit"}},
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut event = event();
    event[member] = value;
    event
}

fn without(member: &str) -> Value {
    let mut event = event();
    event.as_object_mut().unwrap().shift_remove(member);
    event
}

fn read(event: Value) -> ReceivedEvent {
    from_json(event, now()).unwrap()
}

fn error(event: Value) -> CloudEventError {
    from_json(event, now()).unwrap_err()
}

#[test]
fn a_structured_event_becomes_metadata_data_and_extensions() {
    let event = parse_structured(event().to_string().as_bytes(), now()).unwrap();
    assert_eq!(
        event.metadata.to_json(1),
        json!({
            "id": ID,
            "event_type": "org.openedx.learning.course.enrollment.created.v1",
            "minorversion": 3,
            "source": "openedx/lms/web",
            "sourcehost": "lms-1",
            "time": "2026-01-02T03:04:05.678901+00:00",
            "sourcelib": [11, 2, 0],
            "attempt": 1,
        })
    );
    assert_eq!(event.data, json!({"enrollment": {"mode": "audit"}}));
    assert_eq!(Value::Object(event.extensions), json!({"subject": "course-v1:a+b+c"}));
}

#[test]
fn what_a_sender_leaves_out_has_a_default() {
    let required = ["specversion", "id", "source", "type", "data"];
    let mut event = event();
    event.as_object_mut().unwrap().retain(|name, _| required.contains(&name.as_str()));
    let ReceivedEvent { metadata, extensions, .. } = read(event);
    assert_eq!(isoformat(metadata.time), "2026-05-06T05:08:09.123456+00:00");
    assert_eq!((metadata.sourcehost.as_str(), metadata.minorversion), ("", 0));
    assert!(metadata.sourcelib.is_empty() && extensions.is_empty());
}

#[test]
fn the_library_and_the_minor_version_may_be_text_or_numbers() {
    assert_eq!(read(with("minorversion", json!("12"))).metadata.minorversion, 12);
    assert_eq!(read(with("sourcelib", json!([10, 5, 0]))).metadata.sourcelib, [10, 5, 0]);
    assert!(read(with("sourcelib", json!(""))).metadata.sourcelib.is_empty());
    for (attribute, value) in [
        ("minorversion", json!(-1)),
        ("minorversion", json!("+1")),
        ("minorversion", json!("")),
        ("minorversion", json!(1.0)),
        ("sourcelib", json!("11.2.0rc1")),
        ("sourcelib", json!("11..0")),
        ("sourcelib", json!(["11"])),
        ("sourcelib", json!(11)),
    ] {
        assert_eq!(error(with(attribute, value)).code(), "cloudevents-attribute-invalid");
    }
}

#[test]
fn the_same_source_and_id_give_the_same_uuid() {
    let event = read(with("id", json!("A234-1234-1234")));
    // Python: uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "openedx/lms/web"), "A234-1234-1234")
    assert_eq!(event.metadata.id, "2afa479b-c19f-51a5-a47c-2a80b30ce48d");
    assert_eq!(event.extensions["ce_id"], json!("A234-1234-1234"));
    let mut other = with("id", json!("A234-1234-1234"));
    other["source"] = json!("openedx/cms/web");
    assert_ne!(read(other).metadata.id, event.metadata.id);
}

#[test]
fn a_dashed_uuid_is_kept_as_the_id_and_no_other_form_is() {
    let upper = read(with("id", json!(ID.to_uppercase())));
    assert_eq!((upper.metadata.id.as_str(), upper.extensions.get("ce_id")), (ID, None));
    let undashed = read(with("id", json!(ID.replace('-', ""))));
    assert_eq!(undashed.extensions["ce_id"], json!(ID.replace('-', "")));
    assert_ne!(undashed.metadata.id, ID);
}

#[test]
fn a_missing_or_wrong_attribute_is_named_with_what_was_expected() {
    for attribute in ["specversion", "id", "source", "type"] {
        for event in [without(attribute), with(attribute, json!(null))] {
            let error = error(event);
            assert_eq!(error.code(), "cloudevents-attribute-missing");
            assert!(error.to_string().starts_with(&format!("attribute {attribute}: expected ")), "{error}");
        }
    }
    for (attribute, value) in [
        ("specversion", json!("0.3")),
        ("specversion", json!(1.0)),
        ("id", json!(7)),
        ("source", json!("a\nb")),
        ("time", json!("2026-01-02T03:04:05")),
        ("time", json!("yesterday")),
        ("time", json!(0)),
        ("sourcehost", json!(["a"])),
        ("datacontenttype", json!("application/xml")),
        ("datacontenttype", json!("json")),
    ] {
        let error = error(with(attribute, value));
        assert_eq!(error.code(), "cloudevents-attribute-invalid", "{error}");
        assert!(error.to_string().contains(attribute), "{error}");
    }
    assert_eq!(error(with("id", json!(""))).code(), "cloudevents-attribute-missing");
    assert_eq!(
        error(with("specversion", json!("0.3"))).to_string(),
        "attribute specversion: expected the string \"1.0\", found \"0.3\""
    );
}

#[test]
fn data_must_be_an_object() {
    for data in [json!(null), json!([1]), json!("{}"), json!(1)] {
        assert_eq!(error(with("data", data)).code(), "cloudevents-data-invalid");
    }
    assert_eq!(error(without("data")).code(), "cloudevents-data-missing");
}

#[test]
fn data_in_base64_is_taken_when_it_is_json() {
    let encoded = |base64: Value| {
        let mut event = without("data");
        event["data_base64"] = base64;
        event
    };
    assert_eq!(read(encoded(json!("eyJhIjogMX0="))).data, json!({"a": 1}));
    for base64 in [json!("eyJhIjogMX0"), json!("AAE="), json!("WzFd"), json!(1)] {
        assert_eq!(error(encoded(base64)).code(), "cloudevents-data-invalid");
    }
    assert_eq!(error(with("data_base64", json!("e30="))).code(), "cloudevents-data-invalid");
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let read = |batch: Value| parse_batch(batch.to_string().as_bytes(), now());
    assert_eq!(read(json!([event(), with("id", json!("2"))])).unwrap().len(), 2);
    assert!(read(json!([])).unwrap().is_empty());
    let error = read(json!([event(), without("type")])).unwrap_err();
    assert_eq!(error.code(), "cloudevents-attribute-missing");
    assert!(error.to_string().starts_with("event 1 of the batch: attribute type: "), "{error}");
    assert_eq!(read(json!([event(), 1])).unwrap_err().code(), "cloudevents-not-an-object");
    assert_eq!(read(event()).unwrap_err().code(), "cloudevents-not-a-batch");
}

const HEADERS: [(&str, &str); 8] = [
    ("Host", "hookbox"),
    ("Content-Type", "application/json"),
    ("ce-specversion", "1.0"),
    ("CE-Id", "0189AA11-9a77-7abc-8def-0123456789ab"),
    ("ce-source", "openedx/caf%C3%A9/web"),
    ("ce-type", "org.openedx.x.v1"),
    ("ce-sourcelib", "11.2.0"),
    ("ce-minorversion", "1"),
];

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let extra = [("ce-subject", "a%20b"), ("ce-data", "{}"), ("ce-datacontenttype", "text/html")];
    let event = parse_binary(HEADERS.into_iter().chain(extra), b"{\"k\": 1}", now()).unwrap();
    assert_eq!(event.metadata.id, ID);
    assert_eq!(event.metadata.source, "openedx/café/web");
    assert_eq!((event.metadata.minorversion, event.metadata.sourcelib), (1, vec![11, 2, 0]));
    assert_eq!(event.data, json!({"k": 1}));
    assert_eq!(Value::Object(event.extensions), json!({"subject": "a b", "data": "{}"}));
}

#[test]
fn a_binary_event_that_is_wrong_is_refused() {
    let code = |extra: &[(&'static str, &'static str)], body: &[u8]| {
        parse_binary(HEADERS.into_iter().chain(extra.iter().copied()), body, now()).unwrap_err().code()
    };
    assert_eq!(code(&[], b""), "cloudevents-data-missing");
    assert_eq!(code(&[], b"{"), "cloudevents-not-json");
    assert_eq!(code(&[], b"[]"), "cloudevents-data-invalid");
    assert_eq!(code(&[("ce-subject", "%zz")], b"{}"), "cloudevents-attribute-invalid");
    assert_eq!(code(&[("Ce-Type", "other")], b"{}"), "cloudevents-attribute-repeated");
    assert_eq!(parse_binary([], b"{}", now()).unwrap_err().code(), "cloudevents-attribute-missing");
    assert_eq!(parse_structured(b"\xff", now()).unwrap_err().code(), "cloudevents-not-json");
}

#[test]
fn the_content_type_tells_the_mode() {
    let mode = |content_type| ContentMode::of(content_type);
    assert_eq!(mode(Some("Application/CloudEvents+JSON; charset=utf-8")), Ok(ContentMode::Structured));
    assert_eq!(mode(Some("application/cloudevents-batch+json")), Ok(ContentMode::Batch));
    assert_eq!(mode(Some("application/json")), Ok(ContentMode::Binary));
    assert_eq!(mode(None), Ok(ContentMode::Binary));
    let avro = mode(Some("application/cloudevents+avro")).unwrap_err();
    assert_eq!(avro.code(), "cloudevents-format-unsupported");
}
