//! The sample `audit-log` writes one line of JSON for each event that it is given, and counts the events of each type.

use serde_json::{Value, json};

use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_info, event};

const ENROLLED: &str = "org.openedx.learning.course.enrollment.created.v1";

/// The sample, without a component of its own; `settings` stand in its table.
fn site(settings: &str) -> Site {
    Site::new(&format!(
        "[plugins]\nsamples = false\n[plugins.audit-log]\ngrants = [\"keyvalue\"]\n\
         hooks = [\"{CATALOG_INFO}\", \"{ENROLLED}\"]\nlimits = {{ event_time = \"30s\" }}\n{settings}"
    ))
}

/// Data of [`ENROLLED`].
fn enrolled() -> Value {
    let user = json!({"pii": {"username": "ada", "email": "ada@example.com", "name": "Ada"}, "id": 7, "is_active": true});
    json!({"enrollment": {
        "user": user,
        "course": {"course_key": COURSE, "display_name": "Demo"},
        "mode": "audit",
        "is_active": true,
        "creation_date": "2026-01-02T03:04:05+00:00",
    }})
}

#[track_caller]
fn accepted(server: &Server, event: &Value) {
    assert_eq!(server.post_event(event).json(202)["accepted"][0]["receivers"], 1);
}

/// Waits for the line that holds all of these; the object that it is.
#[track_caller]
fn told(server: &Server, parts: &[&str]) -> Value {
    let line = server.logs(1, &[&["plugin=\"audit-log\"", "context=\"audit\""], parts].concat());
    let json = &line[line.find('{').unwrap()..];
    let mut values = serde_json::Deserializer::from_str(json).into_iter();
    values.next().unwrap().unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn each_event_is_a_line_and_each_type_has_a_count() {
    let site = site("");
    let server = site.serve();
    for number in 1..=3 {
        let mut event = event(
            &format!("7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a1{number}"),
            CATALOG_INFO,
            &catalog_info(COURSE),
        );
        event["time"] = json!("2026-01-02T03:04:05Z");
        accepted(&server, &event);
        let line = told(&server, &[event["id"].as_str().unwrap()]);
        let expected = json!({
            "id": event["id"], "type": CATALOG_INFO, "source": "openedx/cms/web", "time": "2026-01-02T03:04:05+00:00",
            "course": COURSE, "count": number,
        });
        assert_eq!(line, expected);
    }
    accepted(&server, &event("one", ENROLLED, &enrolled()));
    let line = told(&server, &[ENROLLED]);
    assert_eq!((&line["count"], &line["course"]), (&json!(1), &json!(COURSE)), "{line}");
    assert!(!server.log().contains("ada@example.com"), "only what was asked for:\n{}", server.log());
    server.stop();

    // The counts are rows of the plugin's, and outlive the server.
    let server = site.serve();
    accepted(&server, &event("two", ENROLLED, &enrolled()));
    assert_eq!(told(&server, &[ENROLLED])["count"], 2);
}

#[test]
fn the_operator_chooses_the_fields() {
    let server =
        site("settings = { fields = [\"user.id\", \"enrollment.mode\", \"type\", \"course.display_name\", \"attempt\", \"nothing\"] }").serve();
    let mut enrolled = event("one", ENROLLED, &enrolled());
    enrolled["data"]["enrollment"]["course"]["display_name"] = json!("\u{202e}Démo\n\u{7f}");
    accepted(&server, &enrolled);
    let expected = json!({
        "user.id": 7, "enrollment.mode": "audit", "type": ENROLLED, "course.display_name": "\u{202e}Démo\n\u{7f}", "attempt": 1,
        "count": 1,
    });
    assert_eq!(told(&server, &[ENROLLED]), expected);
}

#[test]
fn wrong_fields_keep_the_server_from_starting() {
    for (fields, told) in
        [("\"user..id\"", "\"user..id\" is no field"), ("[]", "from 1 to 32"), ("5", "expected a list")]
    {
        let ran =
            site(&format!("settings = {{ fields = {fields} }}")).run(&["serve", "--listen", "127.0.0.1:0"]);
        ran.exits(1).explains(&["plugins.audit-log", "fields: ", told]);
    }
}
