//! What plugins may do, on a store of their own.

use hookbox_store::{NewUser, Options, Store, check};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::body::read_json;
use crate::draft::Write;
use crate::query::Params;
use crate::service::Caller;

const COURSE: &str = "course-v1:edX+DemoX+2026";

struct Place {
    store: Store,
    archive: Archive,
    folder: TempDir,
}

/// An archive with the users 1, 2 and 3.
async fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Options::at(folder.path().join("data.db"))).unwrap();
    for id in 1..=3 {
        let new = NewUser {
            id: Some(id),
            username: format!("user-{id}"),
            email: String::new(),
            is_active: true,
            is_staff: id == 1,
            is_superuser: false,
        };
        store.write(move |writes| writes.insert_user(&new)).await.unwrap();
    }
    Place { archive: Archive::new(store.clone()), store, folder }
}

/// What the REST API does with the same wish, as staff.
async fn by_request(archive: &Archive, course: &str, user: i64, archived: bool) -> i64 {
    let staff = Caller { id: 1, sees_all: true };
    let body = |value: Value| read_json(&value.to_string()).unwrap();
    let params = Params(vec![("course_id".into(), course.into()), ("user".into(), user.to_string())]);
    let page = archive.list(staff, &params).await.unwrap();
    match page.rows.first() {
        Some(row) => {
            let patch = body(json!({"is_archived": archived}));
            let id = row.id.to_string();
            archive.update(staff, &id, &Params::default(), &patch, Write::Patch).await.unwrap().id
        }
        None => {
            let post = body(json!({"course_id": course, "user": user, "is_archived": archived}));
            archive.create(staff, &post).await.unwrap().id
        }
    }
}

#[tokio::test]
async fn a_plugin_s_write_does_what_a_request_does() {
    let Place { store, archive, .. } = place().await;
    let status = async |id: i64| {
        let found = store.read(move |reads| reads.status(id, &Filter::default())).await;
        found.unwrap().unwrap()
    };
    // Users 2 and 3 have the same done to them: one by a plugin, the other by a request.
    let wishes = [false, true, true, false, false, true];
    let mut last: Option<(Status, Status)> = None;
    for archived in wishes {
        let ours = archive.set_archived(COURSE, 2, archived).await.unwrap();
        assert_eq!(status(ours.id).await, ours, "what is told is what is kept");
        let theirs = status(by_request(&archive, COURSE, 3, archived).await).await;
        assert_eq!((ours.is_archived, &ours.course_id), (theirs.is_archived, &theirs.course_id));
        assert_eq!(ours.archive_date.is_some(), theirs.archive_date.is_some());
        let Some((before, before_theirs)) = last.replace((ours.clone(), theirs.clone())) else {
            assert_eq!(ours.created_at, ours.updated_at);
            continue;
        };
        for (before, after) in [(&before, &ours), (&before_theirs, &theirs)] {
            assert_eq!((before.id, before.created_at), (after.id, after.created_at), "one row");
            assert!(after.updated_at > before.updated_at, "each write moves it");
            match (before.is_archived, archived) {
                (true, true) => assert_eq!(after.archive_date, before.archive_date),
                (false, true) => assert_eq!(after.archive_date, Some(after.updated_at)),
                (_, false) => assert_eq!(after.archive_date, None),
            }
        }
    }
}

#[tokio::test]
async fn course_keys_are_read_as_requests_read_them() {
    let Place { archive, .. } = place().await;
    let first = archive.set_archived(" course-v1:edX+DemoX+2026+branch@draft \n", 2, true).await.unwrap();
    assert_eq!(first.course_id, COURSE);
    let again = archive.set_archived("course-v1:EDX+demox+2026", 2, true).await.unwrap();
    assert_eq!((again.id, again.course_id.as_str()), (first.id, COURSE), "the first spelling stays");
    assert_eq!(
        archive.status_of("COURSE-v1:edX+DemoX+2026", 2).await.unwrap_err().code(),
        "invalid-course-id"
    );
    assert_eq!(archive.status_of("course-v1:eDx+DemoX+2026", 2).await, Ok(Some(again)));
    let old_style = archive.set_archived("edX/DemoX/2013", 2, true).await.unwrap();
    assert_eq!(old_style.course_id, "edX/DemoX/2013");
    let long = format!("course-v1:edX+{}+1", "x".repeat(300));
    for (text, message) in [
        ("nonsense", "Invalid course ID format."),
        ("", "This field may not be blank."),
        (" \t", "This field may not be blank."),
        ("a\0b", "Null characters are not allowed."),
        (long.as_str(), "no more than 255 characters"),
    ] {
        let query = PluginQuery { course_id: Some(text.to_owned()), limit: 1, ..PluginQuery::default() };
        let refusals = [
            archive.status_of(text, 2).await.unwrap_err(),
            archive.statuses_after(&query).await.unwrap_err(),
            archive.set_archived(text, 2, true).await.unwrap_err(),
            course(text).unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.code(), "invalid-course-id");
            let told = refusal.to_string();
            assert!(told.contains(message) && told.starts_with("course-id \""), "{told}");
            assert!(told.len() < 300, "{told}");
        }
    }
}

#[tokio::test]
async fn nothing_is_written_for_a_user_who_is_not_there() {
    let Place { store, archive, folder } = place().await;
    for user in [4, 0, -1, i64::MIN, i64::MAX] {
        let refusal = archive.set_archived(COURSE, user, true).await.unwrap_err();
        assert_eq!(refusal, PluginRefusal::NoSuchUser { user });
        assert!(refusal.to_string().contains(&format!("user {user}: no such user")), "{refusal}");
        assert_eq!(archive.status_of(COURSE, user).await, Ok(None), "nobody has no status");
        let query = PluginQuery { user: Some(user), limit: 9, ..PluginQuery::default() };
        assert_eq!(archive.statuses_after(&query).await, Ok(vec![]));
    }
    let count = store.read(|reads| reads.count_statuses(&Filter::default())).await;
    assert_eq!(count, Ok(0));
    assert!(check(folder.path().join("data.db")).unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_list_goes_on_after_an_id_a_hundred_at_a_time() {
    let Place { archive, .. } = place().await;
    let mut ids = Vec::new();
    for number in 0..205 {
        let course = format!("course-v1:edX+C{number}+1");
        ids.push(archive.set_archived(&course, 2 + number % 2, number % 5 == 0).await.unwrap().id);
    }
    let all = PluginQuery { limit: u32::MAX, ..PluginQuery::default() };
    let mut seen = Vec::new();
    let mut pages = Vec::new();
    loop {
        let query = PluginQuery { after: seen.last().copied(), ..all.clone() };
        let page = archive.statuses_after(&query).await.unwrap();
        pages.push(page.len());
        seen.extend(page.iter().map(|status| status.id));
        if page.len() < 100 {
            break;
        }
    }
    assert_eq!((pages, seen), (vec![100, 100, 5], ids));
    let none = PluginQuery { limit: 0, ..PluginQuery::default() };
    assert_eq!(archive.statuses_after(&none).await, Ok(vec![]));
    let some = PluginQuery { user: Some(2), is_archived: Some(true), ..all };
    let some = archive.statuses_after(&some).await.unwrap();
    assert!(some.iter().all(|status| status.user == 2 && status.is_archived));
    assert_eq!(some.len(), 21);
}

#[tokio::test]
async fn a_sync_marks_the_course_and_leaves_the_rest_as_it_is() {
    let Place { archive, .. } = place().await;
    let mut before = Vec::new();
    for user in 1..=3 {
        before.push(archive.set_archived(COURSE, user, user != 2).await.unwrap());
    }
    let other = archive.set_archived("course-v1:edX+Other+1", 1, true).await.unwrap();
    let time = Timestamp::from_micros(1_767_323_045_678_901);
    let course = course("course-v1:EDX+DemoX+2026").unwrap();
    let synced = archive.sync_some(&course, time, None).await;
    assert_eq!(synced, Ok(Synced { rows: 3, next: None }));
    for status in before {
        let after = archive.status_of(COURSE, status.user).await.unwrap().unwrap();
        assert_eq!(after, Status { last_synced: Some(time), ..status });
        // A later write keeps it.
        let later = archive.set_archived(COURSE, after.user, true).await.unwrap();
        assert_eq!(later.last_synced, Some(time));
    }
    assert_eq!(archive.status_of(&other.course_id, 1).await, Ok(Some(other)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_creates_of_a_plugin_and_a_request_end_in_one_row() {
    let Place { store, archive, folder } = place().await;
    for round in 0..20 {
        let course = format!("course-v1:edX+C{round}+1");
        let plugin = |course: String| {
            let archive = archive.clone();
            tokio::spawn(async move { archive.set_archived(&course, 2, true).await })
        };
        let post = {
            let (archive, course) = (archive.clone(), course.clone());
            tokio::spawn(async move {
                let body = json!({"course_id": course, "user": 2, "is_archived": false}).to_string();
                let staff = Caller { id: 1, sees_all: true };
                archive.create(staff, &read_json(&body).unwrap()).await
            })
        };
        let (one, other) =
            (plugin(course.clone()), plugin(course.to_uppercase().replace("COURSE-V1", "course-v1")));
        let (one, other) = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
        assert_eq!(one.id, other.id);
        match post.await.unwrap() {
            Ok(row) => assert_eq!(row.id, one.id),
            Err(refusal) => assert_eq!(refusal.code(), "invalid", "{refusal}"),
        }
        let status = archive.status_of(&course, 2).await.unwrap().unwrap();
        assert!(status.is_archived, "the plugins' writes are as late as the request's, or later");
    }
    let count = store.read(|reads| reads.count_statuses(&Filter::default())).await;
    assert_eq!(count, Ok(20));
    assert!(check(folder.path().join("data.db")).unwrap().problems.is_empty());
}
