//! Opening: new files, old ones, other people's, broken ones, and places where there can be none.

use std::fs;
use std::path::Path;

use hookbox_store::{
    Migrated, OpenError, Options, Quota, SCHEMA_VERSION, Store, StoreError, Usage, check, migrate,
};
use rusqlite::Connection;

use crate::support::{Place, assert_sound, new_status};

fn refusal(path: &Path) -> OpenError {
    Store::open(&Options::at(path)).expect_err("the file is refused")
}

/// A file made by someone's SQLite with these statements.
fn database(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_new_file_and_its_folder_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/data.db");
    let store = Store::open(&Options::at(&path)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        for end in ["", "-wal", "-shm"] {
            assert_eq!(mode(&path.with_file_name(format!("data.db{end}"))), 0o600, "{end}");
        }
    }
    drop(store);
    assert_sound(&path);
}

#[test]
fn migrating_twice_changes_nothing_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    assert_eq!(migrate(&path).unwrap(), Migrated { from: 0, to: SCHEMA_VERSION });
    let before = fs::read(&path).unwrap();
    assert_eq!(migrate(&path).unwrap(), Migrated { from: SCHEMA_VERSION, to: SCHEMA_VERSION });
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_sound(&path);
}

/// A file as the program made it when its schema had one version, with three rows.
fn first_version(path: &Path) {
    database(path, "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x484b4258; PRAGMA user_version = 1");
    database(path, include_str!("../../migrations/0001_users_and_archive.sql"));
    database(
        path,
        "INSERT INTO users VALUES (7, 'ada', 'ada@example.com', 1, 0, 0);
         INSERT INTO archive_status VALUES (3, 'c_1', 7, 1, 5, 4, 6, NULL), (4, 'c_2', 7, 0, NULL, 8, 9, 10)",
    );
}

#[tokio::test]
async fn a_file_of_the_first_version_keeps_its_rows_and_takes_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    first_version(&path);
    let report = check(&path).unwrap();
    assert_eq!((report.schema_version, report.known_version), (1, SCHEMA_VERSION));
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.tables.get("key_value"), None);

    let store = Store::open(&Options::at(&path)).unwrap();
    let seen = store.read(|reads| {
        let statuses = reads.statuses(&crate::support::anyone(), &[], 0, 9)?;
        let ids: Vec<_> = statuses.iter().map(|status| (status.id, status.user)).collect();
        Ok::<_, StoreError>((reads.user_by_name("ada")?.map(|user| user.id), ids))
    });
    assert_eq!(seen.await.unwrap(), (Some(7), vec![(3, 7), (4, 7)]));
    let quota = Quota { keys: 1, bytes: 9 };
    let kept = store.write(move |writes| writes.key_value_set("p", "b", "k", b"value", &quota)).await;
    assert_eq!(kept, Ok(Usage { keys: 1, bytes: 7 }));
    drop(store);
    let report = check(&path).unwrap();
    assert_eq!((report.schema_version, report.problems), (SCHEMA_VERSION, Vec::new()));
    assert_eq!(["users", "archive_status", "key_value"].map(|table| report.tables[table]), [1, 2, 1]);
    assert_eq!(migrate(&path).unwrap(), Migrated { from: SCHEMA_VERSION, to: SCHEMA_VERSION });
}

#[test]
fn the_check_sees_wrong_counters_of_an_older_version_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    first_version(&path);
    database(&path, "UPDATE archive_count SET rows = 2");
    let problems = check(&path).unwrap().problems;
    assert!(!problems.is_empty() && problems[0].contains("archive_count"), "{problems:?}");
}

#[test]
fn two_processes_may_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let migrated: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&path).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(migrated.iter().all(|migrated| migrated.to == SCHEMA_VERSION));
    assert_sound(&path);
}

#[test]
fn a_newer_schema_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    migrate(&path).unwrap();
    database(&path, &format!("PRAGMA user_version = {}", SCHEMA_VERSION + 3));
    let before = fs::read(&path).unwrap();
    for error in [refusal(&path), migrate(&path).unwrap_err()] {
        assert!(
            matches!(error, OpenError::Newer { found, known, .. } if (found, known) == (SCHEMA_VERSION + 3, SCHEMA_VERSION)),
            "{error}"
        );
        assert_eq!(error.code(), "newer-schema");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(check(&path).unwrap().schema_version, SCHEMA_VERSION + 3);
}

#[test]
fn what_belongs_to_another_application_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    for (name, sql) in [
        ("marked", "PRAGMA application_id = 77; CREATE TABLE theirs (a)"),
        ("unmarked", "CREATE TABLE theirs (a)"),
        ("empty", "PRAGMA application_id = 77"),
        ("versioned", "PRAGMA user_version = 1"),
    ] {
        let path = folder.path().join(name);
        database(&path, sql);
        let before = fs::read(&path).unwrap();
        for error in [refusal(&path), migrate(&path).unwrap_err(), check(&path).unwrap_err()] {
            assert_eq!(error.code(), "foreign-database", "{name}: {error}");
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "These are notes, not a database, however long they go on. ".repeat(100)).unwrap();
    let before = fs::read(&path).unwrap();
    for error in [refusal(&path), migrate(&path).unwrap_err(), check(&path).unwrap_err()] {
        assert_eq!(error.code(), "not-a-database");
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_path_where_no_file_can_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    // Not permissions: they do not bind root.
    for path in [file.join("data.db"), file.join("deeper/data.db"), folder.path().to_owned()] {
        let error = refusal(&path);
        assert_eq!(error.code(), "database-file", "{error}");
        assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    }
}

#[test]
fn checking_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    assert_eq!(check(&path).unwrap_err().code(), "database-missing");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_name_that_means_something_to_sqlite_is_a_file_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file:data.db?mode=memory");
    drop(Store::open(&Options::at(&path)).unwrap());
    assert!(path.is_file());
    assert_sound(&path);
}

#[tokio::test]
async fn a_damaged_file_is_told_by_reads_and_by_the_check() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    place
        .write(move |writes| {
            (0..2_000).try_for_each(|number| {
                writes.insert_status(&new_status(&format!("course-{number}"), ada, number)).map(drop)
            })
        })
        .await;
    let path = place.path();
    let Place { store, folder } = place;
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    // All but the first pages, which hold the schema.
    let from = bytes.len() / 2;
    bytes[from..].fill(0xa5);
    fs::write(&path, bytes).unwrap();

    let report = check(&path).unwrap();
    assert!(!report.problems.is_empty());
    let store = Store::open(&Options::at(&path)).unwrap();
    let read = store
        .read(|reads| (1..=2_000).try_for_each(|id| reads.status(id, &crate::support::anyone()).map(drop)));
    let error: StoreError = read.await.unwrap_err();
    assert_eq!(error.code(), "corrupt", "{error}");
    drop(folder);
}

#[tokio::test]
async fn the_check_sees_counters_that_disagree_and_users_who_are_missing() {
    let place = Place::new();
    let ada = place.user("ada").await.id;
    place.write(move |writes| writes.insert_status(&new_status("c_1", ada, 1))).await;
    let quota = Quota { keys: 1, bytes: 9 };
    place.store.write(move |writes| writes.key_value_set("p", "b", "k", b"v", &quota)).await.unwrap();
    assert_sound(place.path());
    for (damage, repair, table) in [
        ("UPDATE archive_count SET rows = 2", "UPDATE archive_count SET rows = 1", "archive_count"),
        (
            "UPDATE archive_total SET rows = rows + 1",
            "UPDATE archive_total SET rows = rows - 1",
            "archive_total",
        ),
        (
            "UPDATE archive_total SET undated = 1 - undated",
            "UPDATE archive_total SET undated = 1 - undated",
            "archive_total",
        ),
        (
            "UPDATE archive_block SET archived = 1, open = 0",
            "UPDATE archive_block SET archived = 0, open = 1",
            "archive_block",
        ),
        ("UPDATE archive_shelf SET open = 9", "UPDATE archive_shelf SET open = 1", "archive_shelf"),
        (
            "UPDATE key_value_usage SET keys = 2",
            "UPDATE key_value_usage SET keys = 1",
            "key_value_usage: plugin p",
        ),
        (
            "UPDATE key_value_usage SET bytes = bytes - 1",
            "UPDATE key_value_usage SET bytes = bytes + 1",
            "key_value_usage: plugin p",
        ),
        (
            "PRAGMA foreign_keys = OFF; UPDATE users SET id = 9",
            "PRAGMA foreign_keys = OFF; UPDATE users SET id = 1",
            "users",
        ),
    ] {
        database(&place.path(), damage);
        let problems = check(place.path()).unwrap().problems;
        assert!(!problems.is_empty() && problems[0].contains(table), "{damage}: {problems:?}");
        database(&place.path(), repair);
        assert_sound(place.path());
    }
}
