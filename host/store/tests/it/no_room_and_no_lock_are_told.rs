//! A database that is full, and one that another process holds.

use std::time::{Duration, Instant};

use hookbox_store::{NewUser, Options, Store, StoreError, Writes};
use rusqlite::Connection;

use crate::support::{Place, anyone, assert_sound, hand_in, hold_the_writer, new_status, new_user};

#[tokio::test]
async fn a_full_database_is_read_and_has_room_again_after_a_deletion() {
    let place = Place::with(|options| options.max_size_bytes = Some(512 * 1024));
    let ada = place.user("ada").await.id;
    let bob = place.user("bob").await.id;
    let insert = |number: i64| {
        let user = if number % 2 == 0 { ada } else { bob };
        let job = move |writes: &Writes<'_>| {
            writes.insert_status(&new_status(&format!("course-{number}"), user, number))
        };
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

#[tokio::test]
async fn whoever_shares_a_batch_with_one_that_has_no_room_is_told_the_truth() {
    let place = Place::with(|options| options.max_size_bytes = Some(256 * 1024));
    let (let_go, held) = hold_the_writer(&place.store).await;
    let mut waiting = Vec::new();
    for (name, email) in [("first", 10), ("huge", 1_000_000), ("last", 10), ("huger", 2_000_000), ("end", 10)]
    {
        let new = NewUser { email: "e".repeat(email), ..new_user(name) };
        waiting.push((name, hand_in(&place.store, move |writes| writes.insert_user(&new)).await));
    }
    drop(let_go);
    held.await.unwrap().ok();
    for (name, write) in waiting {
        let answer = write.await.unwrap();
        let present = place.read(move |reads| reads.user_by_name(name)).await;
        match name {
            "huge" | "huger" => assert_eq!(answer, Err(StoreError::Full)),
            // SQLite gives up the whole transaction at times; then they are told to try again.
            _ => assert!(answer.is_ok() || answer == Err(StoreError::Aborted), "{answer:?}"),
        }
        assert_eq!(answer.ok(), present, "{name}");
    }
    assert_eq!(place.user("after").await.username, "after");
}

const DATABASE: &str = "HOOKBOX_STORE_TEST_SMALL_DATABASE";

/// The process whose files cannot grow: this test binary, running this test alone. In any other run there is nothing to do.
#[tokio::test]
async fn the_process_whose_files_cannot_grow() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let store = Store::open(&Options { readers: 1, ..Options::at(path) }).unwrap();
    let insert = |number: i64| {
        let new = NewUser { email: "e".repeat(20_000), ..new_user(&format!("user-{number}")) };
        store.write(move |writes| writes.insert_user(&new))
    };
    let mut number = 0;
    let error = loop {
        match insert(number).await {
            Ok(user) => eprintln!("acknowledged {}", user.id),
            Err(error) => break error,
        }
        number += 1;
    };
    assert!(["io", "full"].contains(&error.code()), "{error}");
    let absent = store.read(move |reads| reads.user_by_name(&format!("user-{number}"))).await;
    assert_eq!(absent, Ok::<_, StoreError>(None));
    // The log has been emptied into the database, so there is room for what the last one wanted, and more.
    for number in number..number + 10 {
        let user = insert(number).await;
        eprintln!("acknowledged {}", user.unwrap().id);
    }
}

#[cfg(unix)]
#[test]
fn a_commit_that_the_disk_refuses_is_told_and_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    hookbox_store::migrate(&path).unwrap();
    // 2 MiB a file. Without the trap the process would be ended instead of being told.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "no_room_and_no_lock_are_told::the_process_whose_files_cannot_grow", "--nocapture"])
        .env(DATABASE, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let acknowledged = said.lines().filter(|line| line.starts_with("acknowledged ")).count();
    assert!(acknowledged > 10, "{said}");
    assert_sound(&path);
    assert_eq!(hookbox_store::check(&path).unwrap().tables["users"], acknowledged as u64);
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
