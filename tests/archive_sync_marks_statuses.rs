//! The sample `archive-sync` marks a course's archive statuses with the time of the event that changed its catalogue
//! information, and never goes back.

use serde_json::{Value, json};

use crate::support::archive::{Person, unthrottled};
use crate::support::guest::written;
use crate::support::{CATALOG_INFO, COURSE, ENROLLMENT, Server, Site, catalog_info, event};

const OTHER: &str = "course-v1:edX+Other+1";

/// The sample, without a component of its own, and a step that tells when a user's status was synced.
fn site() -> Site {
    let plugins = format!(
        "[plugins.archive-sync]\ngrants = [\"archive:write\"]\nlimits = {{ event_time = \"30s\" }}\n\
         [plugins.reader]\ncomponent = \"reader.wasm\"\ngrants = [\"archive:write\"]\nlimits = {{ time = \"30s\" }}\n\
         [filters.\"{ENROLLMENT}\"]\npipeline = [\"reader\"]\nfail_silently = false\n"
    );
    Site::new(&unthrottled(&plugins)).with("reader.wasm", written("archives-by-mode"))
}

/// When the user's status of that course was last synced, as a plugin reads it; `none` for never.
#[track_caller]
fn last_synced(server: &Server, user: i64, course: &str) -> String {
    let arguments = json!({
        "user": {"id": user, "username": "ada", "email": "", "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": course,
        "mode": "y",
    });
    let answer = server.filter(ENROLLMENT, &arguments).json(200);
    answer["kwargs"]["mode"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Posts a change of that course's catalogue information at that time.
#[track_caller]
fn changed(server: &Server, id: &str, course: &str, time: &str) {
    let mut event = event(id, CATALOG_INFO, &catalog_info(course));
    event["time"] = json!(time);
    assert_eq!(server.post_event(&event).json(202)["accepted"][0]["receivers"], 1);
}

#[test]
fn the_time_of_the_event_is_written_into_every_status_of_the_course() {
    let site = site();
    let server = site.serve();
    let people: Vec<Person> =
        (2..=4).map(|id| Person::known(&server, &site, &format!("user-{id}"), id, &[])).collect();
    for person in &people {
        person.post(&server, &json!({"course_id": COURSE, "is_archived": true})).json(201);
    }
    people[0].post(&server, &json!({"course_id": OTHER})).json(201);
    let before: Vec<Vec<Value>> = people.iter().map(|person| person.all(&server)).collect();
    assert_eq!(last_synced(&server, 2, COURSE), "none");

    changed(&server, "one", COURSE, "2026-01-02T05:04:05.5+02:00");
    let time = "2026-01-02T03:04:05.500000+00:00";
    server.until("the course is synced", |server| last_synced(server, 4, COURSE) == time);
    for person in &people {
        assert_eq!(last_synced(&server, person.id, COURSE), time);
    }
    assert_eq!(last_synced(&server, 2, OTHER), "none", "another course");
    let after: Vec<Vec<Value>> = people.iter().map(|person| person.all(&server)).collect();
    assert_eq!(after, before, "the API shows nothing of it");
    let line = server.logs(1, &["a plugin wrote to the course archive", "plugin=\"archive-sync\""]);
    assert!(line.contains("what=\"set-last-synced\"") && line.contains("rows=3"), "{line}");
}

#[test]
fn an_older_event_that_comes_later_changes_nothing() {
    let site = site();
    let server = site.serve_with(&["--log", "debug"], &[]);
    let ada = Person::known(&server, &site, "ada", 7, &[]);
    ada.post(&server, &json!({"course_id": COURSE})).json(201);
    let synced = |time: &str| {
        server.until("the course is synced", |server| last_synced(server, 7, COURSE) == time);
    };
    changed(&server, "two", COURSE, "2026-01-02T03:04:05.678901Z");
    synced("2026-01-02T03:04:05.678901+00:00");
    changed(&server, "one", COURSE, "2026-01-02T03:04:05Z");
    server.logs(1, &["older than the last one that was synced", COURSE, "plugin=\"archive-sync\""]);
    assert_eq!(last_synced(&server, 7, COURSE), "2026-01-02T03:04:05.678901+00:00");
    changed(&server, "three", COURSE, "2026-01-02T03:04:06Z");
    synced("2026-01-02T03:04:06+00:00");
}

#[test]
fn a_course_key_that_is_none_is_rejected() {
    let server = site().serve();
    changed(&server, "one", "nonsense", "2026-01-02T03:04:05Z");
    let line = server.logs(1, &["receiver rejected the event", "plugin=\"archive-sync\""]);
    assert!(line.contains("Invalid course ID format."), "{line}");
}

#[test]
fn without_its_grant_the_server_does_not_start_and_names_it() {
    let ran = Site::new("[plugins.archive-sync]").run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    ran.explains(&["plugins.archive-sync", "the grant archive:write", "`grants` in the plugin's table"]);
}
