//! A plugin that is granted the course archive reads and writes what the REST API shows, by the same rules, and nothing
//! without the grant.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::guest::written;
use crate::support::http::Answer;
use crate::support::{COURSE, ENROLLMENT, Server, Site};

/// The step `keeper`, which does with the archive what an enrollment's mode says, and the receiver `putter-away`, which
/// archives each changed course for user 7.
fn site() -> Site {
    let plugins = format!(
        "[plugins.keeper]\ncomponent = \"keeper.wasm\"\ngrants = [\"archive:write\"]\n\
         limits = {{ time = \"30s\" }}\n\
         [plugins.putter-away]\ncomponent = \"putter-away.wasm\"\ngrants = [\"archive:write\"]\n\
         [filters.\"{ENROLLMENT}\"]\npipeline = [\"keeper\"]\nfail_silently = false\n"
    );
    Site::new(&unthrottled(&plugins))
        .with("keeper.wasm", written("archives-by-mode"))
        .with("putter-away.wasm", written("archives-changed-courses"))
}

/// An enrollment of this user in this course.
fn enroll(server: &Server, user: i64, course: &str, mode: &str) -> Answer {
    server.filter(ENROLLMENT, &enrollment(user, course, mode))
}

fn enrollment(user: i64, course: &str, mode: &str) -> Value {
    json!({
        "user": {"id": user, "username": "ada", "email": "", "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": course,
        "mode": mode,
    })
}

/// The mode that the step made of it.
#[track_caller]
fn learned(answer: &Answer) -> String {
    let answer = answer.json(200);
    assert_eq!(answer["outcome"], "completed", "{answer}");
    answer["kwargs"]["mode"].as_str().unwrap().to_owned()
}

/// What the archive refused the step with.
#[track_caller]
fn refused(answer: &Answer) -> String {
    let answer = answer.json(200);
    assert_eq!(answer["outcome"], "raised", "{answer}");
    answer["exception"]["message"].as_str().unwrap().to_owned()
}

/// The person's only row.
#[track_caller]
fn only_row(person: &Person, server: &Server) -> Value {
    let mut rows = person.all(server);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn keys(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

const KEYS: [&str; 7] =
    ["id", "course_id", "user", "is_archived", "archive_date", "created_at", "updated_at"];

#[test]
fn what_a_receiver_archives_the_api_shows() {
    let site = site();
    let server = site.serve();
    let ada = Person::known(&server, &site, "ada", 7, &[]);
    server.post_catalog_info(COURSE);
    server.until("the course is archived", |server| ada.get(server, ROWS).json(200)["count"] == 1);
    let shown = only_row(&ada, &server);
    assert_eq!(keys(&shown), KEYS, "the keys of every row, in their order");
    assert_eq!((&shown["course_id"], &shown["user"]), (&json!(COURSE), &json!(7)));
    assert_eq!(shown["is_archived"], true);
    assert_eq!(shown["archive_date"], shown["created_at"]);
    assert_eq!(ada.get(&server, &row(&shown["id"])).json(200), shown);
    let line = server.logs(1, &["a plugin wrote to the course archive"]);
    for part in ["plugin=\"putter-away\"", "what=\"archive\"", COURSE, "user=7"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    let labels = [("plugin", "putter-away"), ("what", "archive")];
    assert_eq!(server.metric("hookbox_archive_plugin_writes_total", &labels), 1.0);
    // The same row, however often, and under whatever spelling.
    server.post_catalog_info("course-v1:EDX+demox+Demo_Course+branch@draft");
    server.logs(2, &["a plugin wrote to the course archive"]);
    let again = only_row(&ada, &server);
    assert!(again["updated_at"].as_str() > shown["updated_at"].as_str(), "{again}");
    assert_eq!(again["archive_date"], shown["archive_date"], "it was archived before");
    assert_eq!(again["course_id"], shown["course_id"], "the first spelling stays");
}

#[test]
fn a_step_sees_what_the_api_wrote_and_answers_by_it() {
    let site = site();
    let server = site.serve();
    let ada = Person::known(&server, &site, "ada", 7, &[]);
    assert_eq!(learned(&enroll(&server, 7, COURSE, "read")), "none");
    let row = ada.post(&server, &json!({"course_id": COURSE})).json(201);
    assert_eq!(learned(&enroll(&server, 7, COURSE, "read")), "open");
    assert_eq!(learned(&enroll(&server, 7, COURSE, "date")), "none");
    let row = ada.patch(&server, &row["id"], &json!({"is_archived": true})).json(200);
    assert_eq!(learned(&enroll(&server, 7, COURSE, "read")), "archived");
    assert_eq!(learned(&enroll(&server, 7, &format!(" {} ", COURSE.to_lowercase()), "read")), "archived");
    let date = row["archive_date"].as_str().unwrap().replace('Z', "+00:00");
    assert_eq!(learned(&enroll(&server, 7, COURSE, "date")), date);
    assert_eq!(learned(&enroll(&server, 8, COURSE, "read")), "none", "somebody the host does not know");
    ada.delete(&server, &row["id"]);
    assert_eq!(learned(&enroll(&server, 7, COURSE, "read")), "none");
}

#[test]
fn unarchiving_clears_the_date_and_keeps_the_row() {
    let site = site();
    let server = site.serve();
    let ada = Person::known(&server, &site, "ada", 7, &[]);
    assert_eq!(learned(&enroll(&server, 7, COURSE, "archive")), "archived");
    let archived = only_row(&ada, &server);
    assert_eq!(learned(&enroll(&server, 7, COURSE, "unarchive")), "open");
    let open = only_row(&ada, &server);
    assert_eq!((&open["id"], &open["created_at"]), (&archived["id"], &archived["created_at"]));
    assert_eq!((&open["is_archived"], &open["archive_date"]), (&json!(false), &Value::Null));
    assert!(open["updated_at"].as_str() > archived["updated_at"].as_str());
    let what = |what| server.metric("hookbox_archive_plugin_writes_total", &[("what", what)]);
    assert_eq!((what("archive"), what("unarchive")), (1.0, 1.0));
}

#[test]
fn what_cannot_be_is_told_to_the_plugin_and_changes_nothing() {
    let site = site();
    let server = site.serve();
    let staff = Person::known(&server, &site, "staff", 1, &["--staff"]);
    let told = refused(&enroll(&server, 99, COURSE, "archive"));
    assert!(told.contains("user 99: no such user"), "{told}");
    for mode in ["archive", "unarchive", "read", "list", "s2026-01-02T03:04:05+00:00"] {
        let told = refused(&enroll(&server, 1, "nonsense", mode));
        assert!(told.contains("course-id \"nonsense\": Invalid course ID format."), "{mode}: {told}");
    }
    for time in ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-02-30T03:04:05Z"] {
        let told = refused(&enroll(&server, 1, COURSE, &format!("s{time}")));
        assert!(told.contains(&format!("time \"{time}\": write an ISO 8601 time with an offset")), "{told}");
    }
    assert_eq!(staff.all(&server), Vec::<Value>::new());
    assert_eq!(server.metric("hookbox_archive_plugin_writes_total", &[]), 0.0);
    assert!(!server.log().contains("a plugin wrote"), "{}", server.log());
}

#[test]
fn a_sync_is_the_plugins_own_and_the_api_never_shows_it() {
    let site = site();
    let server = site.serve();
    let staff = Person::known(&server, &site, "staff", 1, &["--staff"]);
    let people: Vec<Person> =
        (2..=4).map(|id| Person::known(&server, &site, &format!("user-{id}"), id, &[])).collect();
    for person in &people {
        person.post(&server, &json!({"course_id": COURSE, "is_archived": true})).json(201);
    }
    people[0].post(&server, &json!({"course_id": "course-v1:edX+Other+1"})).json(201);
    let before = staff.all(&server);
    assert_eq!(learned(&enroll(&server, 2, COURSE, "s2026-01-02T05:04:05.5+02:00")), "3");
    assert_eq!(staff.all(&server), before, "neither a new key nor a later updated_at");
    let time = "2026-01-02T03:04:05.500000+00:00";
    for id in 2..=4 {
        assert_eq!(learned(&enroll(&server, id, COURSE, "y")), time);
    }
    assert_eq!(learned(&enroll(&server, 2, "course-v1:edX+Other+1", "y")), "none");
    assert_eq!(learned(&enroll(&server, 2, COURSE, "list")), "3");
    assert_eq!(learned(&enroll(&server, 2, "course-v1:edX+Nobody+1", "s2026-01-02T03:04:05Z")), "0");
    // A request that writes the row leaves it as it is.
    people[0].patch(&server, &before[0]["id"], &json!({"is_archived": false})).json(200);
    assert_eq!(learned(&enroll(&server, 2, COURSE, "y")), time);
    let labels = [("plugin", "keeper"), ("what", "set-last-synced")];
    assert_eq!(server.metric("hookbox_archive_plugin_writes_total", &labels), 2.0);
    let line = server.logs(1, &["a plugin wrote to the course archive", "rows=3"]);
    assert!(line.contains("what=\"set-last-synced\"") && line.contains("complete=true"), "{line}");
}

#[test]
fn what_a_plugin_wrote_is_there_after_a_kill() {
    let site = site();
    let server = site.serve();
    let ada = Person::known(&server, &site, "ada", 7, &[]);
    for number in 0..20 {
        let course = format!("course-v1:edX+Kept+{number}");
        assert_eq!(learned(&enroll(&server, 7, &course, "archive")), "archived");
    }
    server.kill();
    let server = site.serve();
    let rows = ada.all(&server);
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| row["is_archived"] == true), "{rows:?}");
    assert_eq!(learned(&enroll(&server, 7, "course-v1:edX+Kept+19", "read")), "archived");
}

#[test]
fn plugins_and_requests_that_race_for_a_row_end_in_one() {
    let site = site();
    let server = site.serve();
    let ada = Person::known(&server, &site, "ada", 7, &[]);
    for round in 0..8 {
        let course = format!("course-v1:edX+Raced+{round}");
        let start = Barrier::new(4);
        let created = thread::scope(|scope| {
            let steps = ["archive", "unarchive"].map(|mode| {
                let (server, course, start) = (&server, &course, &start);
                scope.spawn(move || {
                    start.wait();
                    learned(&enroll(server, 7, course, mode));
                })
            });
            let event = scope.spawn(|| {
                start.wait();
                server.post_catalog_info(&course);
            });
            start.wait();
            let created = ada.post(&server, &json!({"course_id": course}));
            steps.into_iter().for_each(|step| step.join().unwrap());
            event.join().unwrap();
            created
        });
        // The request may come second: then it is told so, as by another request.
        assert!([201, 400].contains(&created.status), "{created:?}");
        if created.status == 400 {
            let told = json!({"non_field_errors": ["The fields course_id, user must make a unique set."]});
            assert_eq!(created.json(400), told);
        }
        server.logs(3 * (round + 1), &["a plugin wrote to the course archive"]);
        let rows = ada.all(&server);
        assert_eq!(rows.len(), round + 1, "{rows:?}");
        let last = rows.last().unwrap();
        assert_eq!(last["is_archived"], !last["archive_date"].is_null(), "{last}");
    }
}

#[test]
fn without_the_grant_the_server_does_not_start_and_names_it() {
    for (component, grants, needed, interface) in [
        ("archives-by-mode", "", "archive:write", "hookbox:plugin/course-archive-updates"),
        ("archives-by-mode", "", "archive:read", "hookbox:plugin/course-archive"),
        ("archives-by-mode", "\"archive:read\"", "archive:write", "hookbox:plugin/course-archive-updates"),
        (
            "archives-changed-courses",
            "\"keyvalue\"",
            "archive:write",
            "hookbox:plugin/course-archive-updates",
        ),
    ] {
        let configuration = format!("[plugins.nosy]\ncomponent = \"nosy.wasm\"\ngrants = [{grants}]");
        let ran = Site::new(&configuration)
            .with("nosy.wasm", written(component))
            .run(&["serve", "--listen", "127.0.0.1:0"])
            .exits(1);
        ran.explains(&["nosy", interface, &format!("the grant {needed}"), "`grants` in the plugin's table"]);
    }
}
