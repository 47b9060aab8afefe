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
    let extra = [("ce-subject", "a%20b"), ("ce-level", "7"), ("ce-datacontenttype", "text/html")];
    let event = parse_binary(HEADERS.into_iter().chain(extra), b"{\"k\": 1}", now()).unwrap();
    assert_eq!(event.metadata.id, ID);
    assert_eq!(event.metadata.source, "openedx/café/web");
    assert_eq!((event.metadata.minorversion, event.metadata.sourcelib), (1, vec![11, 2, 0]));
    assert_eq!(event.data, json!({"k": 1}));
    assert_eq!(Value::Object(event.extensions), json!({"subject": "a b", "level": "7"}));
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
    assert_eq!(code(&[("content-type", "text/json")], b"{}"), "cloudevents-attribute-repeated");
    for header in ["ce-data", "ce-data_base64", "ce-ce_id", "ce-", "ce-trace-parent"] {
        assert_eq!(code(&[(header, "1")], b"{}"), "cloudevents-attribute-invalid", "{header}");
    }
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
    assert!(mode(Some("application/cloudevents-batch+xml")).unwrap_err().is_of_media_type());
}

#[test]
fn a_charset_is_utf_8_or_refused() {
    for (charset, good) in [
        ("utf-8", true),
        ("\"UTF-8\"", true),
        ("utf8", true),
        ("US-ASCII", true),
        ("iso-8859-1", false),
        ("utf-16", false),
        ("", false),
    ] {
        let content_type = |media: &str| format!("{media}; profile=x; Charset={charset}");
        for media in ["application/cloudevents+json", "application/cloudevents-batch+json"] {
            let mode = ContentMode::of(Some(&content_type(media)));
            assert_eq!(mode.is_ok(), good, "{charset}");
            if let Err(error) = mode {
                assert_eq!(
                    (error.code(), error.is_of_media_type()),
                    ("cloudevents-charset-unsupported", true)
                );
            }
        }
        let json = content_type("application/json");
        let headers = HEADERS.into_iter().filter(|(name, _)| *name != "Content-Type");
        let read = parse_binary(headers.chain([("content-type", json.as_str())]), b"{}", now());
        assert_eq!(read.is_ok(), good, "{charset}");
        // In JSON text the data has the text's own encoding; bytes have theirs.
        assert!(from_json(with("datacontenttype", json!(json)), now()).is_ok());
        let mut encoded = with("datacontenttype", json!(json));
        encoded.as_object_mut().unwrap().shift_remove("data");
        encoded["data_base64"] = json!("e30=");
        assert_eq!(from_json(encoded, now()).is_ok(), good, "{charset}");
    }
}

#[test]
fn any_json_media_type_does_for_the_data_and_no_other() {
    let binary = |media: &'static str| {
        let headers = HEADERS.into_iter().filter(|(name, _)| *name != "Content-Type");
        parse_binary(headers.chain([("content-type", media)]), b"{}", now())
    };
    for media in ["application/json", "text/json", "Application/Vnd.Example+JSON; v=1", " application/json "]
    {
        assert!(binary(media).is_ok() && from_json(with("datacontenttype", json!(media)), now()).is_ok());
    }
    for media in ["text/plain", "application/avro", "json", "", "application/jsonp", "application/json+xml"] {
        let error = binary(media).unwrap_err();
        assert_eq!((error.code(), error.is_of_media_type()), ("cloudevents-format-unsupported", true));
        let error = self::error(with("datacontenttype", json!(media)));
        assert_eq!((error.code(), error.is_of_media_type()), ("cloudevents-attribute-invalid", false));
    }
    let headers = HEADERS.into_iter().filter(|(name, _)| *name != "Content-Type");
    assert!(parse_binary(headers, b"{}", now()).is_ok(), "JSON unless somebody says otherwise");
}

#[test]
fn an_extension_is_kept_as_it_is() {
    for (name, value) in [
        ("traceparent", json!("00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01")),
        ("comexampleextension1", json!("")),
        ("anamethatisfarlongerthantwentyletters", json!("x")),
        ("sampledrate", json!(-30)),
        ("large", json!(u64::MAX)),
        ("authenticated", json!(false)),
        ("dataschema", json!("https://example.com/schemas/enrollment.json#v1")),
        ("subject", json!("course-v1:edX+DemoX+2026, größer")),
        ("007", json!("digits")),
    ] {
        let read = read(with(name, value.clone()));
        assert_eq!(read.extensions[name], value);
    }
    assert!(!read(with("gone", json!(null))).extensions.contains_key("gone"), "null is the same as none");
}

#[test]
fn what_cloudevents_does_not_allow_as_an_extension_is_refused() {
    for (name, value) in [
        ("ce_id", json!("x")),
        ("traceParent", json!("x")),
        ("trace-parent", json!("x")),
        ("größe", json!("x")),
        ("", json!("x")),
        ("a\u{7}b", json!("x")),
        ("nested", json!({"a": 1})),
        ("list", json!([1])),
        ("fraction", json!(0.5)),
        ("bell", json!("a\u{7}")),
        ("subject", json!("")),
        ("subject", json!(7)),
        ("dataschema", json!("")),
        ("dataschema", json!(true)),
    ] {
        let error = error(with(name, value));
        assert_eq!(error.code(), "cloudevents-attribute-invalid", "{name}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
}

#[test]
fn an_error_names_the_place_what_was_expected_and_what_was_found() {
    let told = |error: &CloudEventError| {
        let Mismatch { path, expected, found } = error.mismatch().unwrap();
        (path, expected, found)
    };
    let owned =
        |path: &str, expected: &str, found: &str| (path.to_owned(), expected.to_owned(), found.to_owned());
    assert_eq!(
        told(&error(with("time", json!("2026-01-02T03:04:05")))),
        owned("time", "an RFC 3339 time with an offset", "\"2026-01-02T03:04:05\"")
    );
    assert_eq!(
        told(&error(with("minorversion", json!({})))),
        owned("minorversion", "an integer from 0, or its decimal text", "an object")
    );
    assert_eq!(told(&error(without("data"))), owned("data", "an object with the event's data", "nothing"));
    let batch = json!([event(), with("data", json!([]))]).to_string();
    let error = parse_batch(batch.as_bytes(), now()).unwrap_err();
    assert_eq!((told(&error), error.index()), (owned("data", "a JSON object", "an array"), Some(1)));
    let error = parse_batch(b"[[]]", now()).unwrap_err();
    assert_eq!((error.mismatch(), error.index()), (None, Some(0)));
    let headers = [("content-type", "application/json"), ("ce-id", "1")];
    let error = parse_binary(headers, b"{}", now()).unwrap_err();
    assert_eq!(error.code(), "cloudevents-attribute-missing");
    assert!(told(&error).1.contains("application/cloudevents+json"), "{error}");
}

#[test]
fn times_are_read_as_rfc_3339_has_them_and_told_in_utc() {
    for (sent, told) in [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02t03:04:05z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.5-03:30", "2026-01-02T06:34:05.500000+00:00"),
        ("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123456+00:00"),
        ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05+00:00"),
    ] {
        assert_eq!(isoformat(read(with("time", json!(sent))).metadata.time), told);
    }
    for sent in ["2026-01-02", "2026-01-02T03:04", "2026-13-02T03:04:05Z", "02 Jan 2026 03:04:05 GMT", ""] {
        assert_eq!(error(with("time", json!(sent))).code(), "cloudevents-attribute-invalid", "{sent}");
    }
}
