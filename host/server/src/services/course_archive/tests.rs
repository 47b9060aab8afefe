//! What plugins are told, and what goes on when they do not wait.

use hookbox_archive::plugin::MOST_SYNCED;
use hookbox_store::{Filter, NewStatus, NewUser, Options, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::super::testing::hold_the_writer;
use super::*;

const COURSE: &str = "course-v1:edX+DemoX+2026";
const TIME: &str = "2026-01-02T03:04:05.000006+00:00";

struct Place {
    store: Store,
    archive: Arc<HostArchive>,
    _folder: TempDir,
}

impl Place {
    /// An archive whose one course so many users have.
    async fn with(rows: i64, change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::at(folder.path().join("data.db"));
        change(&mut options);
        let store = Store::open(&options).unwrap();
        let fill = store.write(move |writes| {
            for id in 1..=rows {
                writes.insert_user(&user(id))?;
                let time = Timestamp::from_micros(id);
                writes.insert_status(&NewStatus {
                    course_id: COURSE.to_owned(),
                    user: id,
                    is_archived: false,
                    archive_date: None,
                    created_at: time,
                    updated_at: time,
                })?;
            }
            Ok::<_, StoreError>(())
        });
        fill.await.unwrap();
        Self { archive: Arc::new(HostArchive::new(Archive::new(store.clone()))), store, _folder: folder }
    }

    /// How many statuses were synced at [`TIME`].
    async fn synced(&self) -> usize {
        let all = self.store.read(|reads| reads.statuses_after(&Filter::default(), 0, usize::MAX)).await;
        let synced = |status: &Status| status.last_synced.map(text).as_deref() == Some(TIME);
        all.unwrap().iter().filter(|status| synced(status)).count()
    }

    /// A guest that syncs the course.
    async fn syncing(&self) -> JoinHandle<Result<u64, ArchiveFault>> {
        let archive = Arc::clone(&self.archive);
        let guest = tokio::spawn(async move { archive.set_last_synced("tried", COURSE, TIME).await });
        settled().await;
        guest
    }
}

fn user(id: i64) -> NewUser {
    NewUser {
        id: Some(id),
        username: format!("user-{id}"),
        email: String::new(),
        is_active: true,
        is_staff: false,
        is_superuser: false,
    }
}

/// Lets every task come to where it waits: the runtime has one thread, and nothing here takes many steps.
async fn settled() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_long_sync_marks_every_row_in_parts() {
    let rows = 2 * i64::from(MOST_SYNCED) + 7;
    let place = Place::with(rows, |_| {}).await;
    let synced = place.archive.set_last_synced("tried", COURSE, TIME).await;
    assert_eq!(synced, Ok(rows.unsigned_abs()));
    assert_eq!(place.synced().await, usize::try_from(rows).unwrap());
}

#[tokio::test]
async fn a_sync_stops_between_two_parts_when_the_guest_is_gone() {
    let place = Place::with(2 * i64::from(MOST_SYNCED), |_| {}).await;
    let let_go = hold_the_writer(&place.store).await;
    let guest = place.syncing().await;
    let archive = Arc::clone(&place.archive);
    let other = tokio::spawn(async move { archive.syncs.of("other").await });
    settled().await;
    drop(let_go);
    // The other one's turn comes between the two parts.
    let turn = other.await.unwrap();
    guest.abort();
    assert!(guest.await.unwrap_err().is_cancelled());
    drop(turn);
    drop(place.archive.syncs.of("tried").await);
    assert_eq!(place.synced().await, MOST_SYNCED as usize);
}

#[tokio::test]
async fn a_sync_whose_guest_is_gone_before_its_turn_writes_nothing() {
    let place = Place::with(3, |_| {}).await;
    let turn = place.archive.syncs.of("other").await;
    let guest = place.syncing().await;
    guest.abort();
    assert!(guest.await.unwrap_err().is_cancelled());
    drop(turn);
    drop(place.archive.syncs.of("tried").await);
    assert_eq!(place.synced().await, 0);
}

#[tokio::test]
async fn a_list_waits_behind_those_of_other_plugins_and_a_status_does_not() {
    let place = Place::with(3, |_| {}).await;
    let turn = place.archive.lists.of("other").await;
    let archive = Arc::clone(&place.archive);
    let list = tokio::spawn(async move {
        archive.statuses("tried", ArchiveQuery { limit: 2, ..ArchiveQuery::default() }).await
    });
    settled().await;
    let status = place.archive.status("tried", COURSE, 3).await.unwrap().unwrap();
    assert_eq!((status.user, status.created_at.as_str()), (3, "1970-01-01T00:00:00.000003+00:00"));
    assert!(!list.is_finished());
    drop(turn);
    let ids: Vec<i64> = list.await.unwrap().unwrap().iter().map(|status| status.id).collect();
    assert_eq!(ids, [1, 2]);
}

#[tokio::test]
async fn guests_that_are_gone_leave_no_more_writes_than_a_share_and_each_is_done() {
    let place = Place::with(0, |options| options.queue = 2 * WRITES as usize).await;
    place.store.write(|writes| writes.insert_user(&user(1))).await.unwrap();
    let let_go = hold_the_writer(&place.store).await;
    let mut guests = Vec::new();
    for number in 0..4 * WRITES {
        let (archive, course) = (Arc::clone(&place.archive), format!("course-v1:a+b+{number}"));
        guests.push(tokio::spawn(async move { archive.set_archived("tried", &course, 1, true).await }));
        settled().await;
    }
    for guest in guests {
        guest.abort();
        assert!(guest.await.unwrap_err().is_cancelled());
    }
    // There is room for others.
    let archive = Arc::clone(&place.archive);
    let other = tokio::spawn(async move { archive.set_archived("other", COURSE, 1, true).await });
    settled().await;
    drop(let_go);
    assert!(other.await.unwrap().unwrap().is_archived);
    let rows = place.store.read(|reads| reads.count_statuses(&Filter::default())).await;
    assert_eq!(rows, Ok(u64::from(WRITES) + 1));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_unavailable_and_no_more_is_told() {
    let place = Place::with(1, |options| options.queue = 1).await;
    let let_go = hold_the_writer(&place.store).await;
    let store = place.store.clone();
    let queued = tokio::spawn(async move { store.write(|_| Ok::<_, StoreError>(())).await });
    settled().await;
    let told = ArchiveFault::Unavailable("the archive's database does not answer: overloaded".to_owned());
    assert_eq!(place.archive.set_archived("tried", COURSE, 1, true).await, Err(told.clone()));
    assert_eq!(place.archive.set_last_synced("tried", COURSE, TIME).await, Err(told));
    drop(let_go);
    queued.await.unwrap().unwrap();
    assert!(place.archive.set_archived("tried", COURSE, 1, true).await.unwrap().is_archived);
}

#[test]
fn times_are_read_and_written_to_the_microsecond() {
    for (given, same) in [
        ("2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:05.678901+00:00"),
        ("2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05+00:00"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ] {
        assert_eq!(read_time(given).map(text), Ok(same.to_owned()));
    }
    let long = "9".repeat(1_000_000);
    for wrong in ["", "now", "2026-01-02T03:04:05", "0001-01-01T00:00:00+01:00", &long] {
        let Err(ArchiveFault::Invalid(told)) = read_time(wrong) else { panic!("{wrong}") };
        assert!(told.starts_with("time \"") && told.len() < 300, "{told}");
    }
}
