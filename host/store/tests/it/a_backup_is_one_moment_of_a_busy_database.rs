//! Backups, also while a server writes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use hookbox_store::{Options, Store, backup, check};
use rusqlite::Connection;

use crate::support::{Place, anyone, assert_sound, new_status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_what_was_answered_before_it_and_nothing_half() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    place
        .write(move |writes| {
            (0..20_000).try_for_each(|number| {
                writes.insert_status(&new_status(&format!("before-{number}"), ada, number)).map(drop)
            })
        })
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicI64::new(0));
    let writing = {
        let (store, stop, answered) = (place.store.clone(), Arc::clone(&stop), Arc::clone(&answered));
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                // Always two rows together: a copy with one of them is no moment that ever was.
                let pair = store.write(move |writes| {
                    writes.insert_status(&new_status(&format!("left-{number}"), ada, number))?;
                    writes.insert_status(&new_status(&format!("right-{number}"), ada, number))
                });
                pair.await.unwrap();
                number += 1;
                answered.store(number, Ordering::Relaxed);
            }
        })
    };
    let (path, folder) = (place.path(), place.folder.path().to_owned());
    let backups = tokio::task::spawn_blocking(move || {
        for round in 0..3 {
            while answered.load(Ordering::Relaxed) < (round + 1) * 10 {
                std::thread::yield_now();
            }
            let to = folder.join(format!("copy-{round}.db"));
            let before = answered.load(Ordering::Relaxed);
            let mut reached = Vec::new();
            let report = backup(&path, &to, |done, total| {
                reached.push((done, total));
                // Something is written between any two steps.
                let seen = answered.load(Ordering::Relaxed);
                while answered.load(Ordering::Relaxed) == seen {
                    std::thread::yield_now();
                }
            });
            let report = report.unwrap();
            let after = answered.load(Ordering::Relaxed);

            assert_eq!(report.size_bytes, fs::metadata(&to).unwrap().len());
            assert_eq!(reached.last(), Some(&(report.pages, report.pages)));
            assert!(reached.len() > 1 && reached.is_sorted(), "{reached:?}");
            assert_sound(&to);
            let copy = Connection::open(&to).unwrap();
            let count = |name: &str| {
                let sql = format!("SELECT count(*) FROM archive_status WHERE course_id LIKE '{name}-%'");
                copy.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
            };
            assert_eq!(count("before"), 20_000);
            assert_eq!(count("left"), count("right"));
            // One more may have been committed but not yet answered.
            assert!((before..=after + 1).contains(&count("left")), "{before} {} {after}", count("left"));
        }
    });
    backups.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    let left: Vec<_> =
        fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");

    let restored = Store::open(&Options::at(place.folder.path().join("copy-2.db"))).unwrap();
    let rows = restored.read(|reads| reads.count_statuses(&anyone())).await;
    let rows: Result<u64, hookbox_store::StoreError> = rows;
    assert!(rows.unwrap() >= 20_000);
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let place = Place::new();
    let to = place.folder.path().join("precious");
    fs::write(&to, "precious").unwrap();
    let error = backup(place.path(), &to, |_, _| {}).unwrap_err();
    assert_eq!(error.code(), "backup-exists");
    assert_eq!(fs::read_to_string(&to).unwrap(), "precious");
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_nothing_behind() {
    let place = Place::new();
    let missing = place.folder.path().join("no/such/folder/copy.db");
    assert_eq!(backup(place.path(), &missing, |_, _| {}).unwrap_err().code(), "database-file");
    let to = place.folder.path().join("copy.db");
    assert_eq!(
        backup(place.folder.path().join("missing.db"), &to, |_, _| {}).unwrap_err().code(),
        "database-missing"
    );
    assert!(!to.exists() && !place.folder.path().join("missing.db").exists());

    // The name is taken while the copy is under way.
    let taken = to.clone();
    let error = backup(place.path(), &to, |_, _| fs::write(&taken, "mine").unwrap()).unwrap_err();
    assert_eq!(error.code(), "backup-exists");
    assert_eq!(fs::read_to_string(&to).unwrap(), "mine");
    let copies = fs::read_dir(place.folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("copy"));
    assert_eq!(copies.count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_for_its_owner_alone_and_stands_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.user("ada").await;
    let to = place.folder.path().join("copies-are-here.db");
    backup(place.path(), &to, |_, _| {}).unwrap();
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!place.folder.path().join("copies-are-here.db-wal").exists());
    assert_eq!(check(&to).unwrap().tables["users"], 1);
}
