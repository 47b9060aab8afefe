//! Operators find events by what they know of them; what cannot be found or asked is explained.

use serde_json::{Value, json};

use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_info, event};

const ID: &str = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";
const OTHER: &str = "0189aa11-9a77-4abc-8def-0123456789ab";

/// A server with three events of two senders, about two courses; two have the same id.
fn server() -> Server {
    let server = Site::empty().serve();
    for (id, source, course) in [
        (ID, "openedx/cms/web", COURSE),
        (ID, "openedx/lms/web", "course-v1:edX+Second+1"),
        (OTHER, "openedx/cms/web", "course-v1:edX+Second+1"),
    ] {
        let mut event = event(id, CATALOG_INFO, &catalog_info(course));
        event["source"] = json!(source);
        event["traceparent"] = json!("00-1");
        server.post_event(&event).json(202);
    }
    server.until("all are delivered", |server| server.events("?state=delivered").len() == 3);
    server
}

#[test]
fn events_are_found_by_what_is_known_of_them() {
    let server = server();
    let numbers = |query: &str| -> Vec<i64> {
        server.events(query).iter().map(|event| event["event"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers(""), [3, 2, 1], "the latest first");
    assert_eq!(numbers("?course=course-v1%3AedX%2BSecond%2B1"), [3, 2]);
    assert_eq!(numbers("?source=openedx/cms/web"), [3, 1]);
    assert_eq!(numbers(&format!("?id={ID}")), [2, 1]);
    assert_eq!(numbers(&format!("?type={CATALOG_INFO}&limit=1")), [3]);
    assert_eq!(numbers("?before=3&plugin=catalog-logger&state=delivered"), [2, 1]);
    assert_eq!(numbers("?state=dead,open"), [0; 0]);
    assert_eq!(numbers("?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z"), [0; 0]);
    assert_eq!(server.get("/admin/api/events?limit=2").json(200)["next"], 2);
}

#[test]
fn one_event_is_shown_by_its_number_or_its_id() {
    let server = server();
    let shown = server.get("/admin/api/events/1").json(200);
    assert_eq!((&shown["id"], &shown["data"]), (&json!(ID), &catalog_info(COURSE)), "{shown}");
    assert_eq!(shown["extensions"], json!({"traceparent": "00-1"}), "{shown}");
    assert_eq!(shown["deliveries"][0]["history"], json!([]), "{shown}");
    assert_eq!(server.get(&format!("/admin/api/events/{OTHER}")).json(200)["event"], 3);

    let several = server.get(&format!("/admin/api/events/{ID}")).problem(409, "ambiguous-event");
    let expected =
        json!([{"event": 1, "source": "openedx/cms/web"}, {"event": 2, "source": "openedx/lms/web"}]);
    assert_eq!(several["events"], expected, "{several}");
    let one = server.get(&format!("/admin/api/events/{ID}?source=openedx/lms/web")).json(200);
    assert_eq!(one["event"], 2);
    server.ask_of_events("retry", &json!({"event": ID})).problem(409, "ambiguous-event");
}

#[test]
fn what_cannot_be_asked_is_explained() {
    let server = server();
    for (query, texts) in [
        ("state=lost", ["\"lost\" is none of", "delivered"]),
        ("limit=0", ["limit", "from 1 to 500"]),
        ("from=yesterday", ["from", "no time such as"]),
        ("id=7", ["id", "no UUID"]),
        ("plugins=a", ["unknown field", "plugin"]),
    ] {
        let problem = server.get(&format!("/admin/api/events?{query}")).problem(400, "bad-query");
        for text in texts {
            assert!(problem["detail"].as_str().unwrap().contains(text), "{query}: {problem}");
        }
    }
    let unknown = server.get("/admin/api/events?plugin=catalog-loger").problem(404, "unknown-plugin");
    assert_eq!(unknown["nearest"], "catalog-logger");
    server.get("/admin/api/events/99").problem(404, "no-such-event");
    server.get(&format!("/admin/api/events/{}", ID.replace('7', "8"))).problem(404, "no-such-event");
    server.get("/admin/api/events/seven").problem(400, "bad-path");
    let refused = |what: &str, asked: Value| server.ask_of_events(what, &asked).problem(422, "bad-body");
    for what in ["retry", "discard"] {
        refused(what, json!({}));
        refused(what, json!({"dry_run": true}));
        refused(what, json!({"plugin": "catalog-logger", "state": "running"}));
        refused(what, json!({"event": "seven"}));
        refused(what, json!({"all": "yes"}));
    }
    let all = server.ask_of_events("retry", &json!({"all": true, "dry_run": true})).json(200);
    assert_eq!(all, json!({"changed": 0, "next": null, "dry_run": true}));
}
