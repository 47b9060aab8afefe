//! An event reaches its receiver with all that came with it, in whichever form it was sent, and a mistake is named.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::guest::telling_receiver;
use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_info};

const ID: &str = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";
const JSON: &str = "application/json";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn told() -> Server {
    let site = Site::new("[plugins.teller]\ncomponent = \"teller.wasm\"\nhooks = [\"*\"]");
    site.with("teller.wasm", telling_receiver()).serve()
}

fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": ID.to_uppercase(),
        "source": "openedx/café/web",
        "type": CATALOG_INFO,
        "time": "2026-01-02T05:04:05.678901+02:00",
        "datacontenttype": "application/json; charset=utf-8",
        "dataschema": "https://example.com/catalog.json",
        "subject": COURSE,
        "sourcehost": "cms-1",
        "sourcelib": "11.2.0",
        "minorversion": 3,
        "sampledrate": 30,
        "data": catalog_info(COURSE),
    })
}

fn without(members: &[&str]) -> Value {
    let mut event = event();
    event.as_object_mut().unwrap().retain(|name, _| !members.contains(&name.as_str()));
    event
}

fn with(member: &str, value: Value) -> Value {
    let mut event = event();
    event[member] = value;
    event
}

/// The lines that the receiver writes when an event arrived as it was sent.
#[track_caller]
fn received(server: &Server, times: usize) {
    for line in [COURSE, ID, "openedx/café/web", "cms-1", "2026-01-02T03:04:05.678901+00:00", "numbers 3-3-1"]
    {
        server.logs(times, &["plugin=\"teller\"", line]);
    }
}

#[test]
fn every_form_tells_the_receiver_the_same() {
    let headers = [
        ("content-type", "application/vnd.example+json; charset=\"UTF-8\""),
        ("ce-specversion", "1.0"),
        ("ce-id", ID),
        ("ce-source", "openedx/caf%C3%A9/web"),
        ("ce-type", CATALOG_INFO),
        ("ce-time", "2026-01-02T03:04:05.678901Z"),
        ("ce-dataschema", "https://example.com/catalog.json"),
        ("ce-subject", COURSE),
        ("ce-sourcehost", "\"cms-1\""),
        ("ce-sourcelib", "11.2.0"),
        ("ce-minorversion", "3"),
        ("ce-sampledrate", "30"),
    ];
    // The same id twice is the same event: a server a form.
    let body = catalog_info(COURSE).to_string();
    let server = told();
    assert_eq!(server.send("POST", "/hooks/events", &headers, body).json(202)["accepted"][0]["id"], ID);
    received(&server, 1);

    let mut base64 = without(&["data"]);
    base64["data_base64"] = json!(STANDARD.encode(catalog_info(COURSE).to_string()));
    for (content_type, body) in [
        (STRUCTURED, event()),
        ("Application/CloudEvents+JSON; Charset=UTF-8", base64),
        (BATCH, json!([event()])),
    ] {
        let server = told();
        let answer =
            server.send("POST", "/hooks/events", &[("content-type", content_type)], body.to_string());
        assert_eq!(answer.json(202)["accepted"][0]["id"], ID);
        received(&server, 1);
    }
}

#[test]
fn an_empty_batch_holds_nothing() {
    let server = told();
    let answer = server.send("POST", "/hooks/events", &[("content-type", BATCH)], "[]").json(202);
    assert_eq!(answer, json!({"accepted": []}));
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let server = told();
    let send = |content_type: &str, body: &Value| {
        server.send("POST", "/hooks/events", &[("content-type", content_type)], body.to_string())
    };
    let invalid = "cloudevents-attribute-invalid";
    for (body, code, path, found) in [
        (without(&["source"]), "cloudevents-attribute-missing", "source", "nothing"),
        (with("id", json!(7)), invalid, "id", "the number 7"),
        (with("time", json!("yesterday")), invalid, "time", "\"yesterday\""),
        (with("sourcelib", json!({})), invalid, "sourcelib", "an object"),
        (with("minorversion", json!("one")), invalid, "minorversion", "\"one\""),
        (with("subject", json!("")), invalid, "subject", "\"\""),
        (with("trace-parent", json!("x")), invalid, "trace-parent", "\"trace-parent\""),
        (with("nested", json!([1])), invalid, "nested", "an array"),
        (with("data", json!([1])), "cloudevents-data-invalid", "data", "an array"),
        (without(&["data"]), "cloudevents-data-missing", "data", "nothing"),
    ] {
        let problem = send(STRUCTURED, &body).problem(400, code);
        assert_eq!((&problem["path"], &problem["found"]), (&json!(path), &json!(found)), "{problem}");
        assert!(problem["expected"].is_string() && problem["index"].is_null(), "{problem}");
        let problem = send(BATCH, &json!([event(), body])).problem(400, code);
        assert_eq!((&problem["path"], &problem["index"]), (&json!(path), &json!(1)), "{problem}");
    }
    send(BATCH, &json!([[event()]])).problem(400, "cloudevents-not-an-object");
    let mut data = catalog_info(COURSE);
    data["catalog_info"]["hidden"] = json!("no");
    let problem = send(STRUCTURED, &with("data", data)).problem(422, "event-data");
    assert_eq!(problem["path"], "data.catalog_info.hidden", "{problem}");
    for (content_type, code) in [
        ("application/cloudevents+avro", "cloudevents-format-unsupported"),
        ("application/cloudevents+json; charset=iso-8859-1", "cloudevents-charset-unsupported"),
    ] {
        send(content_type, &event()).problem(415, code);
    }
    // A whole event under another media type: nothing but its headers could tell.
    let problem = send(JSON, &event()).problem(400, "cloudevents-attribute-missing");
    assert!(problem["expected"].as_str().unwrap().contains(STRUCTURED), "{problem}");
    assert_eq!(server.metric("hookbox_events_accepted_total", &[]), 0.0);
}

#[test]
fn a_plugin_for_any_event_gets_all_of_the_catalogue_and_no_other() {
    let server = told();
    let answer = server.get(&format!("/hooks/{CATALOG_INFO}")).json(200).to_string();
    assert!(answer.contains("every event of the catalogue"), "{answer}");
    let mut own = event();
    own["type"] = json!("org.example.happened.v1");
    server.post_event(&own).problem(404, "unknown-event");
    let deleted = "org.openedx.content_authoring.xblock.deleted.v1";
    let data =
        json!({"xblock_info": {"usage_key": "block-v1:edX+DemoX+D+type@html+block@1", "block_type": "html"}});
    let accepted = server.post_event(&crate::support::event(ID, deleted, &data)).json(202);
    assert_eq!(accepted["accepted"][0]["receivers"], 1, "{accepted}");
    server.logs(1, &["plugin=\"teller\"", "block@1"]);
}
