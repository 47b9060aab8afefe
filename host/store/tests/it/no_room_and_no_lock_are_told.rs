//! A database that is full, and one that another process holds.

use std::time::{Duration, Instant};

use hookbox_store::{Options, Store, StoreError, Writes};
use rusqlite::Connection;

use crate::support::{Place, anyone, assert_sound, new_status, new_user};

#[tokio::test]
async fn a_full_database_is_read_and_has_room_again_after_a_deletion() {
    let place = Place::with(|options| options.max_size_bytes = Some(512 * 1024));
    let ada = place.user("ada").await.id;
    let bob = place.user("bob").await.id;
    let insert = |number: i64| {
        let user = if number % 2 == 0 { ada } else { bob };
        let job = move |writes: &Writes<'_>| writes.insert_status(&new_status(&format!("course-{number}"), user, number));
        place.store.write(job)
    };
    let mut rows = 0;
    let error = loop {
        match insert(rows).await {
            Ok(_) => rows += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::Full);
    assert!(rows > 500, "{rows}");
    assert_eq!(place.read(|reads| reads.count_statuses(&anyone())).await, rows as u64);
    assert!(std::fs::metadata(place.path()).unwrap().len() <= 512 * 1024);

    // One that is refused for want of room harms none that needs no more of it.
    assert!(place.write(move |writes| writes.delete_user(ada)).await);
    for number in rows..rows + 100 {
        insert(number * 2 + 1).await.unwrap();
    }
    assert_sound(place.path());
}

/// A lock such as another process would hold.
fn locked(place: &Place) -> Connection {
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_waited_for_no_longer_than_was_said_while_reads_go_on() {
    let timeout = Duration::from_millis(300);
    let place = Place::with(|options| options.busy_timeout = timeout);
    let ada = place.user("ada").await;
    let other = locked(&place);

    let started = Instant::now();
    // None of them waits for the time of those before it as well.
    let writing: Vec<_> = (0..20)
        .map(|number| {
            let store = place.store.clone();
            tokio::spawn(async move {
                store.write(move |writes| writes.insert_user(&new_user(&format!("user-{number}")))).await
            })
        })
        .collect();
    let mut reads = 0;
    while !writing.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(place.read(|reads| reads.user_by_id(1)).await.as_ref(), Some(&ada));
        reads += 1;
    }
    assert!(started.elapsed() >= timeout);
    assert!(started.elapsed() < timeout * 10, "{:?}", started.elapsed());
    assert!(reads > 10, "{reads}");
    for write in writing {
        assert_eq!(write.await.unwrap(), Err(StoreError::Busy));
    }

    other.execute_batch("COMMIT").unwrap();
    assert_eq!(place.user("bob").await.id, 2);
}

#[tokio::test]
async fn a_lock_that_ends_in_time_only_delays() {
    let place = Place::new();
    let other = locked(&place);
    let writing = place.store.write(|writes| writes.insert_user(&new_user("ada")));
    let (answer, ()) = tokio::join!(writing, async {
        // The write has been handed in by now, since it was polled first.
        other.execute_batch("COMMIT").unwrap();
    });
    assert_eq!(answer.unwrap().id, 1);
}

#[test]
fn a_locked_file_is_told_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE theirs (a)").unwrap();
    let options = Options { busy_timeout: Duration::from_millis(50), ..Options::at(&path) };
    assert_eq!(Store::open(&options).err().unwrap().code(), "busy");
}
