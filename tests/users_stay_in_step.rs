//! A user is known before the first request, keeps what is theirs under another name, and is gone once the platform says so.

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, unthrottled};
use crate::support::{COURSE, Server, Site, event};

const REGISTERED: &str = "org.openedx.learning.student.registration.completed.v1";
const ENROLLED: &str = "org.openedx.learning.course.enrollment.created.v1";
const RETIRED: &str = "org.example.user.retired.v1";
const OTHER_COURSE: &str = "course-v1:edX+Other+2026";

fn site() -> Site {
    Site::new(&unthrottled(&format!("[users]\nretired_by = [\"{RETIRED}\"]")))
}

fn user(id: i64, name: &str) -> Value {
    json!({"id": id, "is_active": true, "pii": {"username": name, "email": format!("{name}@example.com"), "name": ""}})
}

/// Sends an event of a minute of the year, under an id made of that.
#[track_caller]
fn send(server: &Server, minute: u32, event_type: &str, data: &Value) {
    let mut event = event(&format!("minute {minute}"), event_type, data);
    event["time"] = json!(format!("2026-01-01T00:{minute:02}:00Z"));
    server.post_event(&event).json(202);
}

#[track_caller]
fn facts(server: &Server, result: &str) -> f64 {
    server.metric("hookbox_user_facts_total", &[("result", result)])
}

#[test]
fn staff_can_name_a_user_who_never_sent_a_request() {
    let site = site();
    let server = site.serve();
    let staff = Person::new(&site, "root", 1, &["--staff"]);
    let archived = json!({"course_id": COURSE, "user": 42, "is_archived": true});
    assert!(staff.post(&server, &archived).json(400)["user"].is_array());
    send(&server, 1, REGISTERED, &json!({"user": user(42, "ada")}));
    assert_eq!(staff.post(&server, &archived).json(201)["user"], 42);
    let enrollment = json!({"enrollment": {
        "user": user(43, "bob"),
        "course": {"course_key": COURSE, "display_name": ""},
        "mode": "audit",
        "is_active": true,
        "creation_date": "2026-01-01T00:00:00Z",
        "created_by": user(44, "eve"),
    }});
    send(&server, 2, ENROLLED, &enrollment);
    for user in [43, 44] {
        staff.post(&server, &json!({"course_id": COURSE, "user": user})).json(201);
    }
    assert_eq!(facts(&server, "made"), 3.0);
}

#[test]
fn a_user_keeps_what_is_theirs_under_another_id_and_another_name() {
    let site = site();
    let server = site.serve();
    // A token without an id: the host makes one up.
    let token = site.token(&["--user", "ada"]);
    let ada = Person { id: 0, authorization: format!("JWT {token}") };
    ada.post(&server, &json!({"course_id": COURSE})).json(201);
    send(&server, 1, REGISTERED, &json!({"user": user(42, "ada")}));
    assert_eq!(ada.all(&server)[0]["user"], 42);
    ada.post(&server, &json!({"course_id": OTHER_COURSE})).json(201);
    send(&server, 3, REGISTERED, &json!({"user": user(42, "lovelace")}));
    // What arrives late changes nothing.
    send(&server, 2, REGISTERED, &json!({"user": user(42, "ada")}));
    let renamed = Person::new(&site, "lovelace", 42, &[]);
    assert_eq!(renamed.all(&server).len(), 2);
    let results = ["moved", "updated", "late"].map(|result| facts(&server, result));
    assert_eq!(results, [1.0, 1.0, 1.0]);
}

#[test]
fn a_retired_user_and_the_rows_are_gone() {
    let site = site();
    let server = site.serve();
    let staff = Person::new(&site, "root", 1, &["--staff"]);
    for (minute, id, name) in [(1, 42, "ada"), (2, 43, "bob")] {
        send(&server, minute, REGISTERED, &json!({"user": user(id, name)}));
        staff.post(&server, &json!({"course_id": COURSE, "user": id})).json(201);
    }
    // No plugin and no catalogue knows the type.
    send(&server, 3, RETIRED, &json!({"user": {"id": 42, "pii": {"username": "retired__user_x"}}}));
    let left = staff.get(&server, ROWS).json(200);
    assert_eq!((&left["count"], &left["results"][0]["user"]), (&json!(1), &json!(43)));
    assert!(staff.post(&server, &json!({"course_id": COURSE, "user": 42})).json(400)["user"].is_array());
    // A late event does not bring the user back.
    send(&server, 4, REGISTERED, &json!({"user": user(42, "ada")}));
    assert!(staff.post(&server, &json!({"course_id": COURSE, "user": 42})).json(400)["user"].is_array());
    assert_eq!((facts(&server, "removed"), facts(&server, "retired")), (1.0, 1.0));
    let unknown = event("unknown", "org.example.user.other.v1", &json!({"user_id": 43}));
    server.post_event(&unknown).problem(404, "unknown-event");
}

#[test]
fn nothing_is_followed_where_that_is_not_wanted() {
    let site = Site::new(&unthrottled("[users]\nfollow = false"));
    let server = site.serve();
    send(&server, 1, REGISTERED, &json!({"user": user(42, "ada")}));
    let staff = Person::new(&site, "root", 1, &["--staff"]);
    assert!(staff.post(&server, &json!({"course_id": COURSE, "user": 42})).json(400)["user"].is_array());
}

#[test]
fn a_type_that_cannot_tell_of_a_retirement_is_a_mistake() {
    for (types, says) in [
        ("[\"org.openedx.learning.course.enrollment.started.v1\"]", "is a filter"),
        ("[\"*\"]", "whole types"),
        ("[\"\"]", "whole types"),
    ] {
        let ran = Site::new(&format!("[users]\nretired_by = {types}")).run(&["check-install"]);
        assert!(ran.stderr.contains("users.retired_by") && ran.stderr.contains(says), "{}", ran.stderr);
    }
}
