//! The scenarios of the Django sample plugin's own tests (`backend/tests/test_api.py`, `test_models.py`), each under
//! its name there, over real HTTP.

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::{COURSE, Server, Site};

const COURSE_2: &str = "course-v1:edX+DemoX+Demo_Course2";

/// The fixtures of those tests.
struct Archive {
    server: Server,
    user: Person,
    another_user: Person,
    staff_user: Person,
}

impl Archive {
    fn new() -> Self {
        let site = Site::new(&unthrottled(""));
        let server = site.serve();
        let user = Person::known(&server, &site, "testuser", 2, &["--email", "testuser@example.com"]);
        let another_user = Person::known(&server, &site, "anotheruser", 3, &[]);
        let staff_user = Person::known(&server, &site, "staffuser", 4, &["--staff"]);
        Self { server, user, another_user, staff_user }
    }

    /// `course_archive_status`: a row of the user's that is not archived.
    fn course_archive_status(&self) -> Value {
        self.created(&self.user, &json!({"course_id": COURSE, "is_archived": false}))
    }

    #[track_caller]
    fn created(&self, by: &Person, body: &Value) -> Value {
        by.post(&self.server, body).json(201)
    }

    /// The row as it is kept.
    #[track_caller]
    fn kept(&self, row: &Value) -> Value {
        self.staff_user.get(&self.server, &self::row(&row["id"])).json(200)
    }
}

#[test]
fn list_course_archive_status_authenticated() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    archive.created(&archive.another_user, &json!({"course_id": COURSE}));
    let list = archive.user.get(&archive.server, ROWS).json(200);
    assert_eq!(list["count"], 1);
    assert_eq!(list["results"], json!([row]));
    assert_eq!(row["course_id"], COURSE);
    assert_eq!((&row["user"], &row["is_archived"]), (&json!(archive.user.id), &json!(false)));
}

/// There it is 403, since its test settings log in by sessions; with the platform's settings it is 401.
#[test]
fn list_course_archive_status_unauthenticated() {
    let archive = Archive::new();
    let answer = archive.server.get(ROWS);
    assert_eq!(answer.json(401), json!({"detail": "Authentication credentials were not provided."}));
    assert_eq!(answer.header("www-authenticate"), "JWT realm=\"api\"");
}

#[test]
fn list_course_archive_status_staff_can_see_all() {
    let archive = Archive::new();
    archive.course_archive_status();
    archive.created(&archive.another_user, &json!({"course_id": COURSE_2, "is_archived": true}));
    assert_eq!(archive.staff_user.get(&archive.server, ROWS).json(200)["count"], 2);
}

#[test]
fn create_course_archive_status() {
    let archive = Archive::new();
    let body = json!({"course_id": COURSE, "user": archive.user.id, "is_archived": true});
    let row = archive.created(&archive.user, &body);
    assert_eq!(row["course_id"], COURSE);
    assert_eq!((&row["user"], &row["is_archived"]), (&json!(archive.user.id), &json!(true)));
    assert!(row["archive_date"].is_string(), "{row}");
    assert_eq!(archive.kept(&row), row);
}

#[test]
fn create_course_archive_status_for_another_user() {
    let archive = Archive::new();
    let body = json!({"course_id": COURSE, "user": archive.another_user.id, "is_archived": true});
    let refusal = archive.user.post(&archive.server, &body).json(403);
    let detail = "You do not have permission to create records for other users.";
    assert_eq!(refusal, json!({"detail": detail}));
    assert_eq!(archive.staff_user.all(&archive.server), Vec::<Value>::new());
}

#[test]
fn staff_create_course_archive_status_for_another_user() {
    let archive = Archive::new();
    let body = json!({"course_id": COURSE, "user": archive.user.id, "is_archived": true});
    let row = archive.created(&archive.staff_user, &body);
    assert_eq!((&row["user"], &row["is_archived"]), (&json!(archive.user.id), &json!(true)));
    assert!(row["archive_date"].is_string(), "{row}");
    assert_eq!(archive.user.all(&archive.server), [row]);
}

#[test]
fn update_course_archive_status() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    let updated = archive.user.patch(&archive.server, &row["id"], &json!({"is_archived": true})).json(200);
    assert_eq!(updated["is_archived"], true);
    assert!(updated["archive_date"].is_string(), "{updated}");
    assert_eq!(archive.kept(&row), updated);
}

#[test]
fn delete_course_archive_status() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    let answer = archive.user.delete(&archive.server, &row["id"]);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(archive.staff_user.all(&archive.server), Vec::<Value>::new());
}

#[test]
fn cannot_update_other_user_course_archive_status() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    let answer = archive.another_user.patch(&archive.server, &row["id"], &json!({"is_archived": true}));
    assert_eq!(answer.json(404), json!({"detail": "No CourseArchiveStatus matches the given query."}));
    assert_eq!(archive.kept(&row), row);
}

#[test]
fn staff_can_update_other_user_course_archive_status() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    let answer = archive.staff_user.patch(&archive.server, &row["id"], &json!({"is_archived": true}));
    let updated = answer.json(200);
    assert_eq!(updated["is_archived"], true);
    assert_eq!(updated["user"], archive.user.id, "it stays the user's");
}

#[test]
fn create_course_archive_status_without_user_field() {
    let archive = Archive::new();
    let row = archive.created(&archive.user, &json!({"course_id": COURSE, "is_archived": true}));
    assert_eq!((&row["user"], &row["is_archived"]), (&json!(archive.user.id), &json!(true)));
    assert!(row["archive_date"].is_string(), "{row}");
    assert_eq!(archive.kept(&row), row);
}

#[test]
fn update_course_archive_status_without_user_field() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    let updated = archive.user.patch(&archive.server, &row["id"], &json!({"is_archived": true})).json(200);
    assert_eq!(updated["user"], archive.user.id);
    assert_eq!(archive.kept(&row), updated);
}

#[test]
fn staff_create_with_explicit_user_override() {
    let archive = Archive::new();
    let body = json!({"course_id": COURSE, "user": archive.user.id, "is_archived": true});
    let row = archive.created(&archive.staff_user, &body);
    assert_eq!(archive.kept(&row)["user"], archive.user.id);
}

#[test]
fn staff_update_with_explicit_user_override() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    let body = json!({"user": archive.another_user.id, "is_archived": true});
    let updated = archive.staff_user.patch(&archive.server, &row["id"], &body).json(200);
    assert_eq!(updated["user"], archive.another_user.id);
    assert_eq!(updated["is_archived"], true);
    assert_eq!(archive.kept(&row), updated);
    assert_eq!(archive.user.get(&archive.server, &self::row(&row["id"])).status, 404);
}

#[test]
fn regular_user_cannot_override_user_field_create() {
    let archive = Archive::new();
    let body = json!({"course_id": COURSE, "user": archive.another_user.id, "is_archived": true});
    assert_eq!(archive.user.post(&archive.server, &body).status, 403);
}

#[test]
fn staff_create_without_user_field_defaults_to_current_user() {
    let archive = Archive::new();
    let row = archive.created(&archive.staff_user, &json!({"course_id": COURSE, "is_archived": true}));
    assert_eq!(row["user"], archive.staff_user.id);
    assert_eq!(archive.kept(&row), row);
}

/// `test_models.py`: what a new row has, and that there is one a course and user.
#[test]
fn course_archive_status_creation_and_uniqueness() {
    let archive = Archive::new();
    let row = archive.course_archive_status();
    assert!(row["id"].is_i64() && row["created_at"].is_string() && row["updated_at"].is_string(), "{row}");
    assert_eq!((&row["is_archived"], &row["archive_date"]), (&json!(false), &Value::Null));
    let again = archive.user.post(&archive.server, &json!({"course_id": COURSE, "is_archived": true}));
    let told = json!({"non_field_errors": ["The fields course_id, user must make a unique set."]});
    assert_eq!(again.json(400), told);
    archive.created(&archive.another_user, &json!({"course_id": COURSE}));
}
