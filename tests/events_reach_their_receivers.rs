//! An accepted event reaches every plugin that receives its type, in whichever form it was sent.

use serde_json::json;

use crate::support::guest::{sample, trapping_receiver};
use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_change, catalog_info, event};

const ID: &str = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";

/// Waits for the line that `catalog-logger` writes for a course.
#[track_caller]
fn logged(server: &Server, course_key: &str) {
    let line = server.logs(1, &[&format!("{course_key} has been updated!")]);
    assert!(line.contains("plugin=\"catalog-logger\""), "{line}");
}

#[test]
fn a_structured_event_is_accepted_and_received() {
    let server = Site::empty().serve();
    let answer = server.post_event(&event(ID, CATALOG_INFO, &catalog_info(COURSE)));
    let accepted = json!({"accepted": [{"id": ID, "type": CATALOG_INFO, "receivers": 1}]});
    assert_eq!(answer.json(202), accepted);
    logged(&server, COURSE);
}

#[test]
fn each_event_of_a_batch_is_received() {
    let server = Site::empty().serve();
    let (first, second) = ("course-v1:edX+Batch+1", "course-v1:edX+Batch+2");
    let batch = json!([
        event(ID, CATALOG_INFO, &catalog_info(first)),
        event("number two", CATALOG_INFO, &catalog_info(second)),
    ]);
    let headers = [("content-type", "application/cloudevents-batch+json; charset=utf-8")];
    let answer = server.send("POST", "/hooks/events", &headers, batch.to_string()).json(202);
    let accepted = answer["accepted"].as_array().unwrap();
    assert_eq!(accepted.len(), 2, "{answer}");
    assert_eq!(accepted[0]["id"], ID);
    assert_eq!(accepted[1]["ce_id"], "number two", "the id it was sent with is told: {answer}");
    logged(&server, first);
    logged(&server, second);
}

#[test]
fn a_binary_event_is_received() {
    let server = Site::empty().serve();
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", ID),
        ("ce-source", "openedx/cms/web"),
        ("ce-type", CATALOG_INFO),
        ("content-type", "application/json"),
    ];
    let answer = server.send("POST", "/hooks/events", &headers, catalog_info(COURSE).to_string());
    assert_eq!(answer.json(202)["accepted"][0]["id"], ID);
    logged(&server, COURSE);
}

#[test]
fn an_event_that_nobody_receives_is_accepted() {
    let server = Site::empty().serve();
    let deleted = "org.openedx.content_authoring.xblock.deleted.v1";
    let data = json!({"xblock_info": {"usage_key": "block-v1:edX+DemoX+Demo_Course+type@html+block@1", "block_type": "html"}});
    let answer = server.post_event(&event(ID, deleted, &data)).json(202);
    assert_eq!(answer["accepted"][0]["receivers"], 0, "{answer}");
}

#[test]
fn one_bad_event_keeps_the_whole_batch_out() {
    let server = Site::empty().serve();
    let batch = json!([
        event(ID, CATALOG_INFO, &catalog_info("course-v1:edX+Batch+Good")),
        event(ID, CATALOG_INFO, &json!({"catalog_info": {}})),
    ]);
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let answer = server.send("POST", "/hooks/events", &headers, batch.to_string());
    assert_eq!(answer.problem(422, "event-data")["index"], 1);
    assert_eq!(server.metric("hookbox_events_accepted_total", &[]), 0.0);
    server.post_catalog_info(COURSE);
    logged(&server, COURSE);
    assert!(!server.log().contains("Batch+Good"), "{}", server.log());
}

#[test]
fn a_receiver_that_traps_takes_nothing_from_another() {
    let site = Site::new(
        "[plugins.a-trap]
         component = \"trap.wasm\"
         [plugins.catalog-logger]
         component = \"logger.wasm\"",
    );
    let site = site.with("trap.wasm", trapping_receiver());
    let server = site.with("logger.wasm", sample("catalog-logger")).serve();
    for number in 1..=2 {
        let answer = server.post_event(&catalog_change(COURSE)).json(202);
        assert_eq!(answer["accepted"][0]["receivers"], 2, "{answer}");
        server.logs(number, &[&format!("{COURSE} has been updated!")]);
        server.logs(number, &["receiver failed", "plugin=\"a-trap\"", "code=\"trap\"", "unreachable"]);
    }
}
