//! What a write's answer promises, alone and among others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookbox_store::{Options, Reads, Store, StoreError, Writes, check};
use tokio::sync::Barrier;

use crate::support::{Place, anyone, assert_sound, hand_in, hold_the_writer, new_status, new_user, polled};

async fn names(store: &Store, names: [&'static str; 4]) -> [bool; 4] {
    let job = move |reads: &Reads<'_>| {
        let mut found = [false; 4];
        for (found, name) in found.iter_mut().zip(names) {
            *found = reads.user_by_name(name)?.is_some();
        }
        Ok::<_, StoreError>(found)
    };
    store.read(job).await.unwrap()
}

#[tokio::test]
async fn a_job_that_fails_or_panics_harms_no_other_of_its_batch() {
    let place = Place::new();
    let (let_go, held) = hold_the_writer(&place.store).await;
    let first = hand_in(&place.store, |writes| writes.insert_user(&new_user("first"))).await;
    let refused = hand_in(&place.store, |writes| {
        writes.insert_user(&new_user("refused"))?;
        Err::<(), _>(StoreError::NoSuchUser)
    })
    .await;
    let panicked = hand_in(&place.store, |writes| -> Result<(), StoreError> {
        writes.insert_user(&new_user("panicked"))?;
        panic!("as this test wants it")
    })
    .await;
    let last = hand_in(&place.store, |writes| writes.insert_user(&new_user("last"))).await;
    drop(let_go);
    held.await.unwrap().unwrap();
    assert_eq!(first.await.unwrap().unwrap().username, "first");
    assert_eq!(refused.await.unwrap(), Err(StoreError::NoSuchUser));
    let error = panicked.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "internal");
    assert!(error.to_string().contains("as this test wants it"), "{error}");
    assert_eq!(last.await.unwrap().unwrap().username, "last");
    assert_eq!(
        names(&place.store, ["first", "refused", "panicked", "last"]).await,
        [true, false, false, true]
    );
}

#[tokio::test]
async fn jobs_that_wait_together_are_committed_together() {
    let place = Place::new();
    let frames = || {
        // Each commit of a handful of pages makes the log longer by at least a page.
        std::fs::metadata(place.folder.path().join("data.db-wal")).unwrap().len() / 4096
    };
    place.user("before").await;
    let before = frames();
    let (let_go, held) = hold_the_writer(&place.store).await;
    let mut waiting = Vec::new();
    for number in 0..200 {
        waiting.push(
            hand_in(&place.store, move |writes| writes.insert_user(&new_user(&format!("user-{number}"))))
                .await,
        );
    }
    assert!(!waiting[0].is_finished());
    drop(let_go);
    held.await.unwrap().unwrap();
    for write in waiting {
        write.await.unwrap().unwrap();
    }
    // 201 commits would each write the users' page, its index and the counter of ids.
    assert!(frames() - before < 100, "{} pages were written", frames() - before);
}

#[tokio::test]
async fn an_answered_write_is_in_the_file_and_in_every_later_read() {
    let place = Place::new();
    for number in 0..50 {
        let user = place.user(&format!("user-{number}")).await;
        assert_eq!(place.read(move |reads| reads.user_by_id(user.id)).await.as_ref(), Some(&user));
        // Another connection sees it as well: it is committed.
        assert_eq!(check(place.path()).unwrap().tables["users"], number + 1);
    }
}

#[tokio::test]
async fn a_read_sees_one_moment_however_long_it_takes() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    let (seen, has_seen) = tokio::sync::oneshot::channel();
    let (written, wait) = std::sync::mpsc::channel();
    let store = place.store.clone();
    let reading = tokio::spawn(async move {
        let job = move |reads: &Reads<'_>| {
            let before = reads.count_statuses(&anyone())?;
            seen.send(()).unwrap();
            wait.recv().unwrap();
            Ok::<_, StoreError>((before, reads.count_statuses(&anyone())?))
        };
        store.read(job).await
    });
    has_seen.await.unwrap();
    place.write(move |writes| writes.insert_status(&new_status("c_1", ada, 1))).await;
    written.send(()).unwrap();
    assert_eq!(reading.await.unwrap(), Ok((0, 0)));
    assert_eq!(place.read(|reads| reads.count_statuses(&anyone())).await, 1);
}

#[tokio::test]
async fn a_panic_in_a_read_leaves_its_thread_at_work() {
    let place = Place::with(|options| options.readers = 1);
    place.user("ada").await;
    for _ in 0..5 {
        let job = |reads: &Reads<'_>| -> Result<(), StoreError> {
            reads.user_by_name("ada")?;
            panic!("as this test wants it")
        };
        assert_eq!(place.store.read(job).await.unwrap_err().code(), "internal");
    }
    assert!(place.read(|reads| reads.user_exists(1)).await);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_before_it_began_is_not_done() {
    let place = Place::new();
    let (let_go, held) = hold_the_writer(&place.store).await;
    let given_up = hand_in(&place.store, |writes| writes.insert_user(&new_user("given up"))).await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    let kept = hand_in(&place.store, |writes| writes.insert_user(&new_user("kept"))).await;
    drop(let_go);
    held.await.unwrap().unwrap();
    kept.await.unwrap().unwrap();
    assert_eq!(names(&place.store, ["given up", "kept", "", ""]).await, [false, true, false, false]);
}

#[tokio::test]
async fn more_jobs_than_may_wait_are_turned_away() {
    let place = Place::with(|options| options.queue = 2);
    let (let_go, held) = hold_the_writer(&place.store).await;
    let first = hand_in(&place.store, |writes| writes.insert_user(&new_user("first"))).await;
    let second = hand_in(&place.store, |writes| writes.insert_user(&new_user("second"))).await;
    let third = place.store.write(|writes| writes.insert_user(&new_user("third"))).await;
    assert_eq!(third, Err(StoreError::Overloaded));
    // Readers have a queue of their own.
    assert!(!place.read(|reads| reads.user_exists(1)).await);
    drop(let_go);
    held.await.unwrap().unwrap();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_is_finished_when_the_store_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let done = Arc::new(AtomicU64::new(0));
    let all = Arc::new(Barrier::new(65));
    let store = Store::open(&Options::at(&path)).unwrap();
    for number in 0..64 {
        let (store, done, all) = (store.clone(), Arc::clone(&done), Arc::clone(&all));
        tokio::spawn(async move {
            let job = move |writes: &Writes<'_>| writes.insert_user(&new_user(&format!("user-{number}")));
            let writing = store.write(job);
            tokio::pin!(writing);
            let early = polled(&mut writing).await;
            all.wait().await;
            match early {
                Some(answer) => answer.unwrap(),
                None => writing.await.unwrap(),
            };
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    all.wait().await;
    drop(store);
    // The last task drops the last clone, which waits for the threads and closes the file.
    while done.load(Ordering::Relaxed) < 64 || folder.path().join("data.db-wal").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(check(&path).unwrap().tables["users"], 64);
    assert_sound(&path);
}

#[tokio::test]
async fn a_job_may_hold_the_last_clone_of_its_store() {
    let place = Place::new();
    let Place { store, folder } = place;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (dropped, wait) = std::sync::mpsc::channel();
    let clone = store.clone();
    let job = move |writes: &Writes<'_>| {
        let _last = clone;
        begun.send(()).unwrap();
        wait.recv().unwrap();
        writes.insert_user(&new_user("ada"))
    };
    let mut writing = Box::pin({
        let store = store.clone();
        async move { store.write(job).await }
    });
    assert!(polled(&mut writing).await.is_none());
    has_begun.await.unwrap();
    drop(writing);
    drop(store);
    dropped.send(()).unwrap();
    let path = folder.path().join("data.db");
    while check(&path).unwrap().tables["users"] == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
