//! A database that is full, locked, read-only, newer, or none at all: whoever asks is told what is wrong, nothing is
//! damaged, and reads go on where they can.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::site::run;
use crate::support::{Ran, Site};

const DATABASE: &str = "hookbox.db";
const COURSE: &str = "course-v1:edX+DemoX+2026";

/// A command on the database of the site's server.
fn db(site: &Site, arguments: &[&str]) -> Ran {
    let mut command = site.command(arguments);
    command.env("HOOKBOX_SERVER__DATA", site.data());
    run(command)
}

fn path(site: &Site) -> PathBuf {
    site.data().join(DATABASE)
}

/// A site whose server has run and has stopped, with one row.
fn stopped() -> Site {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    alice.post(&server, &json!({"course_id": COURSE})).json(201);
    server.stop();
    assert!(!site.data().join("hookbox.db-wal").exists(), "everything is in the one file");
    site
}

/// The server does not start on this site, and says why.
#[track_caller]
fn refused(site: &Site, texts: &[&str]) {
    let data = site.data();
    let ran = site.run(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]).exits(1);
    assert_eq!(ran.stdout, "", "it never was ready");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    ran.explains(texts);
}

/// Changes four bytes of the database's header.
fn patch(site: &Site, at: usize, number: u32) -> Vec<u8> {
    let mut bytes = fs::read(path(site)).unwrap();
    bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    fs::write(path(site), &bytes).unwrap();
    bytes
}

#[test]
fn a_full_database_refuses_writes_and_goes_on_reading() {
    let site = Site::new(&unthrottled("[database]\nmax_size = \"256KiB\"\n"));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    let padding = "x".repeat(150);
    let course = |number: usize| json!({"course_id": format!("course-v1:edX+{padding}+{number}")});
    let (mut rows, mut refusal) = (Vec::new(), None);
    for number in 0..2_000 {
        let answer = alice.post(&server, &course(number));
        if answer.status != 201 {
            refusal = Some(answer);
            break;
        }
        rows.push(answer.json(201));
    }
    let refusal = refusal.expect("256 KiB do not hold 2,000 rows");
    let detail = refusal.json(507)["detail"].as_str().unwrap().to_owned();
    crate::support::site::contains_all(&detail, &["the database is full", "raise the limit"], &refusal);
    assert!(rows.len() > 100, "{}", rows.len());

    assert_eq!(alice.all(&server), rows, "what was answered is there, and nothing else");
    let (first, last) = (&rows[0], rows.last().unwrap());
    assert_eq!(alice.get(&server, &row(&last["id"])).json(200), *last);
    let newcomer = server.send("GET", "/hooks/", &[], "");
    assert!([200, 507].contains(&newcomer.status), "a new user may find no room: {newcomer:?}");

    for row in &rows[1..] {
        assert_eq!(alice.delete(&server, &row["id"]).status, 204);
    }
    let new = alice.post(&server, &course(3_000)).json(201);
    assert_eq!(alice.all(&server), [first.clone(), new]);
    db(&site, &["db", "check"]).exits(0).prints(&["sound", "2 rows in archive_status"]);
    assert!(fs::metadata(path(&site)).unwrap().len() <= 256 * 1024);
}

/// A server of the same database with a data folder of its own, where the database is a link.
#[cfg(unix)]
fn serve_same_database(site: &Site) -> std::process::Command {
    let data = site.path().join("other");
    fs::create_dir(&data).unwrap();
    for name in ["hookbox.db", "jwt-secret"] {
        std::os::unix::fs::symlink(site.data().join(name), data.join(name)).unwrap();
    }
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(data);
    command
}

/// Another server of the same database is frozen in the middle of a transaction, as often as it takes to hit one.
#[cfg(unix)]
#[test]
fn a_locked_database_refuses_writes_in_time_and_goes_on_reading() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    let site = Site::new(&unthrottled("[database]\nbusy_timeout = \"200ms\"\n"));
    let server = site.serve();
    let other = site.start(serve_same_database(&site));
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    let bob = Person::known(&server, &site, "bob", 2, &[]);
    let id = alice.post(&server, &json!({"course_id": COURSE})).json(201)["id"].clone();
    let theirs = bob.post(&other, &json!({"course_id": COURSE})).json(201)["id"].clone();

    let enough = AtomicBool::new(false);
    let refusal = thread::scope(|scope| {
        let busy = scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                let answer = bob.patch(&other, &theirs, &json!({}));
                assert!([200, 503].contains(&answer.status), "{answer:?}");
            }
        });
        let mut refusal = None;
        for _ in 0..1_000 {
            other.signal("STOP");
            let answer = alice.patch(&server, &id, &json!({"is_archived": true}));
            if answer.status != 200 {
                let reads = (alice.all(&server), alice.get(&server, &row(&id)).status);
                let again = alice.patch(&server, &id, &json!({"is_archived": false}));
                let checked = db(&site, &["db", "check"]);
                refusal = Some((answer, reads, again, checked));
            }
            other.signal("CONT");
            if refusal.is_some() || busy.is_finished() {
                break;
            }
        }
        enough.store(true, Ordering::Relaxed);
        refusal
    });
    let (answer, (rows, status), again, checked) =
        refusal.expect("a frozen transaction locks the others out");
    for refused in [&answer, &again] {
        let body = refused.json(503);
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains("locked by another process"), "{detail}");
        assert_eq!(refused.header("retry-after"), "1");
    }
    assert_eq!((rows.len(), status), (1, 200), "reads go on");
    checked.exits(0).prints(&["sound"]);
    // The lock went with the transaction.
    assert_eq!(alice.patch(&server, &id, &json!({"is_archived": false})).json(200)["is_archived"], false);
    assert_eq!(bob.patch(&other, &theirs, &json!({"is_archived": true})).json(200)["is_archived"], true);
}

#[test]
fn a_newer_database_is_left_alone() {
    let site = stopped();
    let known = db(&site, &["--json", "db", "check"]).exits(0).json()["known_version"].as_u64().unwrap();
    let newer = patch(&site, 60, 77);
    let versions = ["schema is version 77", &format!("up to {known}"), "hookbox.db"];
    refused(&site, &versions);
    db(&site, &["db", "migrate"]).exits(1).explains(&versions);
    db(&site, &["db", "check"]).exits(1).prints(&["schema is version 77, newer", "run a newer hookbox"]);
    let report = db(&site, &["--json", "check-install"]).exits(1).json();
    assert_eq!(report["ready"], false, "{report}");
    assert!(report["findings"][0]["detail"].as_str().unwrap().contains("77"), "{report}");
    assert_eq!(fs::read(path(&site)).unwrap(), newer, "not a byte of it has changed");
}

#[test]
fn another_applications_database_is_left_alone() {
    let site = stopped();
    let theirs = patch(&site, 68, 0x1234_5678);
    refused(&site, &["hookbox.db", "belongs to another application", "choose another path"]);
    for command in ["migrate", "check"] {
        db(&site, &["db", command]).exits(1).explains(&["belongs to another application"]);
    }
    let copy = site.path().join("copy.db");
    let ran = db(&site, &["db", "backup", copy.to_str().unwrap()]).exits(1);
    ran.explains(&["belongs to another application"]);
    assert!(!copy.exists());
    assert_eq!(fs::read(path(&site)).unwrap(), theirs);
}

#[test]
fn what_is_no_database_is_left_alone() {
    let site = Site::new(&unthrottled(""));
    fs::create_dir(site.data()).unwrap();
    let notes = "These are notes and not a database. ".repeat(200);
    fs::write(path(&site), &notes).unwrap();
    let texts = ["hookbox.db", "not an SQLite database", "restore a backup"];
    refused(&site, &texts);
    for command in ["migrate", "check"] {
        db(&site, &["db", command]).exits(1).explains(&texts);
    }
    db(&site, &["check-install"]).exits(1).prints(&["FAILED database", "not an SQLite database"]);
    assert_eq!(fs::read_to_string(path(&site)).unwrap(), notes);
}

#[test]
fn a_damaged_database_is_found_and_copied_nowhere() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    for number in 0..400 {
        let body = json!({"course_id": format!("course-v1:edX+{}+{number}", "y".repeat(100))});
        assert_eq!(alice.post(&server, &body).status, 201);
    }
    server.stop();
    let mut bytes = fs::read(path(&site)).unwrap();
    // The last pages: the first hold the schema and the users.
    let from = bytes.len() / 4096 * 3 / 4 * 4096;
    bytes[from..].fill(0xa5);
    fs::write(path(&site), &bytes).unwrap();

    let report = db(&site, &["--json", "db", "check"]).exits(1).json();
    assert_eq!(report["sound"], false, "{report}");
    assert!(!report["problems"].as_array().unwrap().is_empty(), "{report}");
    db(&site, &["check-install"]).exits(1).prints(&["FAILED database"]);
    let copy = site.path().join("copy.db");
    let ran = db(&site, &["db", "backup", copy.to_str().unwrap()]).exits(1);
    assert!(!copy.exists(), "{ran:?}");
    let left = fs::read_dir(site.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("copy")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_place_where_no_database_can_be_is_named() {
    let site = Site::new(&unthrottled("")).with("data", "a file");
    refused(&site, &["data"]);
    db(&site, &["db", "migrate"]).exits(1).explains(&["data", "File exists"]);

    let site = Site::new(&unthrottled(""));
    fs::create_dir_all(path(&site)).unwrap();
    refused(&site, &["hookbox.db", "is a directory"]);
    db(&site, &["db", "check"]).exits(1).explains(&["hookbox.db", "is a directory"]);

    let site = Site::new(&unthrottled(""));
    for arguments in [&["db", "check"][..], &["db", "backup", "copy.db"]] {
        db(&site, arguments).exits(1).explains(&["hookbox.db", "no such file"]);
    }
    assert!(!site.data().exists(), "a question makes no folder");
}

/// A user whom permissions bind: oneself, or for root somebody else.
#[cfg(unix)]
mod read_only {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::support::jwt;
    use crate::support::site::HOOKBOX;

    const NOBODY: u32 = 65_534;

    fn is_root() -> bool {
        tempfile::tempdir().unwrap().path().metadata().unwrap().uid() == 0
    }

    /// The command, or a copy of it in the site where others may not enter the folder that it was built in.
    fn command(site: &Site, arguments: &[&str]) -> Command {
        let built = Path::new(HOOKBOX);
        let open = |folder: &Path| folder.metadata().unwrap().mode() & 0o001 != 0;
        if !is_root() || built.ancestors().skip(1).all(open) {
            return site.command(arguments);
        }
        let copy = site.path().join("hookbox");
        if !copy.exists() {
            fs::copy(built, &copy).unwrap();
        }
        site.command_of(&copy, arguments)
    }

    fn bound(site: &Site, mut command: Command) -> Command {
        if is_root() {
            give(site.path());
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn give(path: &Path) {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn serve(site: &Site) -> Command {
        let mut command = command(site, &["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(site.data());
        bound(site, command)
    }

    fn alice() -> Person {
        Person { id: 1, authorization: format!("JWT {}", jwt::token("alice", &json!({"user_id": 1}))) }
    }

    /// A site with a database that its user made.
    fn made() -> (Site, Value) {
        let site = Site::new(&unthrottled(jwt::AUTH));
        let server = site.start(serve(&site));
        let row = alice().post(&server, &json!({"course_id": COURSE})).json(201);
        server.stop();
        (site, row)
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let site = Site::new(&unthrottled(jwt::AUTH));
        fs::create_dir(site.data()).unwrap();
        let mut command = command(&site, &["db", "migrate"]);
        command.env("HOOKBOX_SERVER__DATA", site.data());
        let commands = [serve(&site), bound(&site, command)];
        mode(&site.data(), 0o555);
        for command in commands {
            let ran = run(command).exits(1);
            ran.explains(&["data", "Permission denied"]);
        }
        assert_eq!(fs::read_dir(site.data()).unwrap().count(), 0);
        mode(&site.data(), 0o755);
    }

    #[test]
    fn a_database_that_cannot_be_written_is_still_read() {
        let (site, row) = made();
        mode(&path(&site), 0o444);
        let before = fs::read(path(&site)).unwrap();
        let server = site.start(serve(&site));
        assert_eq!(alice().all(&server), std::slice::from_ref(&row), "reads go on");
        for answer in [
            alice().patch(&server, &row["id"], &json!({"is_archived": true})),
            alice().delete(&server, &row["id"]),
            alice().post(&server, &json!({"course_id": "course-v1:edX+DemoX+2027"})),
        ] {
            let body = answer.json(503);
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("read-only") && detail.contains("permissions"), "{detail}");
        }
        assert_eq!(alice().all(&server), std::slice::from_ref(&row));
        server.stop();
        assert_eq!(fs::read(path(&site)).unwrap(), before);
        // SQLite has made the files beside it with its permissions.
        for file in ["hookbox.db", "hookbox.db-wal", "hookbox.db-shm"].map(|name| site.data().join(name)) {
            if file.exists() {
                mode(&file, 0o600);
            }
        }
        let server = site.start(serve(&site));
        let answer = alice().patch(&server, &row["id"], &json!({"is_archived": true}));
        assert_eq!(answer.json(200)["is_archived"], true, "and nothing was lost");
    }

    #[test]
    fn a_database_in_a_folder_that_cannot_be_written_is_not_damaged() {
        let (site, row) = made();
        let before = fs::read(path(&site)).unwrap();
        let command = serve(&site);
        mode(&site.data(), 0o555);
        let ran = run(command).exits(1);
        mode(&site.data(), 0o755);
        ran.explains(&["hookbox.db", "check"]);
        assert!(!ran.stderr.contains("defect"), "{ran:?}");
        assert_eq!(fs::read(path(&site)).unwrap(), before);
        let server = site.start(serve(&site));
        assert_eq!(alice().get(&server, ROWS).json(200)["results"], json!([row]));
    }
}
