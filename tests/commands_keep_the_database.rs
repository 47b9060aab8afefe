//! `hookbox db`, `hookbox check-install` and `hookbox token`: what an operator does beside a server or without one.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, unthrottled};
use crate::support::jwt;
use crate::support::{Server, Site};

fn create(server: &Server, person: &Person, number: usize) -> Value {
    person.post(server, &json!({"course_id": format!("course-v1:edX+Course+{number}")})).json(201)
}

#[test]
fn migrate_makes_the_database_once() {
    let site = Site::new("");
    let made = site.run_on_data(&["--json", "db", "migrate"]).exits(0).json();
    assert_eq!(made["from"], 0, "{made}");
    let version = made["to"].as_u64().unwrap();
    assert!(version > 0, "{made}");
    assert!(made["database"].as_str().unwrap().ends_with("data/hookbox.db"), "{made}");
    let ran = site.run_on_data(&["db", "migrate"]).exits(0);
    ran.prints(&["hookbox.db", &format!("the schema is current, version {version}")]);
    let again = site.run_on_data(&["--json", "db", "migrate"]).exits(0).json();
    assert_eq!((&again["from"], &again["to"]), (&json!(version), &json!(version)));
    let report = site.run_on_data(&["--json", "db", "check"]).exits(0).json();
    assert_eq!(report["sound"], true, "{report}");
    assert_eq!(report["problems"], json!([]));
    assert_eq!(report["schema_version"], version);
    assert_eq!((&report["tables"]["users"], &report["tables"]["archive_status"]), (&json!(0), &json!(0)));
    assert!(report["size_bytes"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn check_looks_at_a_database_in_use() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    create(&server, &alice, 1);
    let ran = site.run_on_data(&["db", "check"]).exits(0);
    ran.prints(&["hookbox.db: sound, schema version", "1 rows in users, 1 rows in archive_status"]);
    create(&server, &alice, 2);
    site.run_on_data(&["db", "migrate"]).exits(0).prints(&["the schema is current"]);
}

#[test]
fn a_backup_beside_writes_holds_what_was_answered_before_and_serves() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    let bob = Person::known(&server, &site, "bob", 2, &[]);
    let before: Vec<Value> = (0..150).map(|number| create(&server, &alice, number)).collect();

    // Bob writes all the time.
    let (started, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let (ran, written) = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                create(&server, &bob, written);
                written += 1;
                started.store(true, Ordering::Relaxed);
            }
            written
        });
        while !started.load(Ordering::Relaxed) && !writing.is_finished() {
            thread::yield_now();
        }
        let ran = site.run_on_data(&["--json", "db", "backup", "copy.db"]);
        stop.store(true, Ordering::Relaxed);
        (ran, writing.join().unwrap())
    });
    let report = ran.exits(0).json();
    let copy = site.path().join("copy.db");
    assert_eq!(report["size_bytes"], fs::metadata(&copy).unwrap().len(), "{report}");
    assert_eq!(report["backup"], "copy.db");
    server.stop();

    // As the help of the command says it is restored.
    let restored = Site::new(&unthrottled(""));
    fs::create_dir(restored.data()).unwrap();
    fs::copy(&copy, restored.data().join("hookbox.db")).unwrap();
    fs::copy(site.data().join("jwt-secret"), restored.data().join("jwt-secret")).unwrap();
    restored.run_on_data(&["db", "check"]).exits(0).prints(&["sound"]);
    let server = restored.serve();
    assert_eq!(alice.all(&server), before, "all that was answered before");
    let theirs = bob.all(&server);
    assert!((1..=written).contains(&theirs.len()), "{} of {written}", theirs.len());
    for (number, row) in theirs.iter().enumerate() {
        assert_eq!(row["course_id"], format!("course-v1:edX+Course+{number}"), "one moment, without gaps");
    }
    create(&server, &alice, 1_000);
}

#[test]
fn a_backup_overwrites_nothing_and_needs_a_place() {
    let site = Site::new("").with("precious.txt", "precious");
    site.run_on_data(&["db", "migrate"]).exits(0);
    site.run_on_data(&["db", "backup", "precious.txt"])
        .exits(1)
        .explains(&["precious.txt", "not overwritten"]);
    assert_eq!(fs::read_to_string(site.path().join("precious.txt")).unwrap(), "precious");
    site.run_on_data(&["db", "backup", "none/copy.db"]).exits(1).explains(&["none/copy.db", "No such file"]);
    site.run_on_data(&["db", "backup"]).exits(2).explains(&["<FILE>"]);
    let ran = site.run_on_data(&["db", "backup", "copy.db"]).exits(0);
    ran.prints(&["copy.db", "bytes, whole and checked"]);
    site.run_on_data(&["db", "backup", "copy.db"]).exits(1).explains(&["copy.db", "exists"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(site.path().join("copy.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "users' data is for their keeper alone");
    }
}

#[test]
fn check_install_says_what_is_missing_and_changes_nothing() {
    let site = Site::new("");
    let report = site.run_on_data(&["--json", "check-install"]).exits(1).json();
    assert_eq!(report["ready"], false, "{report}");
    let ready: Vec<(&str, bool)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["what"].as_str().unwrap(), finding["ready"].as_bool().unwrap()))
        .collect();
    assert_eq!(ready, [("database", false), ("keys", false), ("plugins", true)]);
    let ran = site.run_on_data(&["check-install"]).exits(1);
    ran.prints(&[
        "FAILED database: ",
        "hookbox db migrate",
        "FAILED keys: ",
        "hookbox token",
        "ok     plugins: ",
    ]);
    assert!(!site.data().exists(), "a question makes nothing");

    site.run_on_data(&["db", "migrate"]).exits(0);
    site.run_on_data(&["token", "--user", "alice"]).exits(0).explains(&["made a secret in", "jwt-secret"]);
    let ran = site.run_on_data(&["check-install"]).exits(0);
    ran.prints(&[
        "ok     database: sound",
        "ok     keys: ",
        "jwt-secret loads",
        "ok     plugins: catalog-logger",
    ]);
}

#[test]
fn check_install_finds_what_keeps_the_server_from_starting() {
    for (configuration, what, texts) in [
        ("[auth]\nsecret_file = \"none\"", "keys", ["auth.secret_file", "No such file"]),
        ("[auth]\njwks = '{\"keys\": []}'", "keys", ["auth.jwks", "no RSA key"]),
        ("[plugins.course-about-url]\nlimits = { time = \"0s\" }", "", ["limits.time", "from 1ms to 10m"]),
        ("[plugins.mine]\ncomponent = \"none.wasm\"", "plugins", ["plugins.mine", "none.wasm"]),
        ("[auth]\nsecret = \"s\"\n[cors]\norigins = [\"*\"]", "", ["\"*\"", "cors.origins"]),
        ("[archive]\nrate_limit = \"often\"", "", ["archive.rate_limit", "60/minute"]),
    ] {
        let site = Site::new(configuration);
        site.run_on_data(&["check-install"]).exits(1);
        let ran = site.run_on_data(&["check-install"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        crate::support::site::contains_all(&said, &texts, configuration);
        if !what.is_empty() {
            assert!(said.contains(&format!("FAILED {what}: ")), "{said}");
        }
    }
}

#[test]
fn check_install_is_ready_with_a_platforms_keys() {
    let site = Site::new(jwt::AUTH);
    site.run_on_data(&["db", "migrate"]).exits(0);
    let report = site.run_on_data(&["--json", "check-install"]).exits(0).json();
    assert_eq!(report["ready"], true, "{report}");
    assert!(!report.to_string().contains(jwt::SECRET), "{report}");
    assert!(!site.data().join("jwt-secret").exists());
}

#[test]
fn a_token_of_the_command_is_good_until_it_ends() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let answer = site.run_on_data(&["--json", "token", "--user", "alice", "--ttl", "15m"]).exits(0).json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("JWT"), &json!(900)));
    let authorization = format!("JWT {}", answer["token"].as_str().unwrap());
    let get = || server.send("GET", ROWS, &[("authorization", &authorization)], "");
    assert_eq!(get().status, 200);

    let short = site.run_on_data(&["token", "--user", "bob", "--ttl", "1s"]).exits(0);
    let authorization = format!("JWT {}", short.stdout.trim());
    server.until("the token has ended", |server| {
        server.send("GET", ROWS, &[("authorization", &authorization)], "").status == 401
    });
}

#[test]
fn a_token_that_cannot_be_is_refused() {
    let site = Site::new("");
    let long = "x".repeat(151);
    for (arguments, code, texts) in [
        (&["--user", ""][..], 1, ["username", "1 to 150"]),
        (&["--user", &long], 1, ["username", "1 to 150"]),
        (&["--user", "a", "--ttl", "0s"], 1, ["lifetime", "a second or more"]),
        (&["--user", "a", "--ttl", "soon"], 2, ["--ttl", "soon"]),
        (&["--user", "a", "--user-id", "0"], 2, ["--user-id", "0"]),
        (&[], 2, ["--user", "required"]),
    ] {
        site.run_on_data(&[&["token"], arguments].concat()).exits(code).explains(&texts);
    }
    let site = Site::new("[auth]\nheader_prefix = \"a b\"");
    site.run_on_data(&["token", "--user", "a"]).exits(1).explains(&["auth.header_prefix", "plain name"]);
    let unmapped = Site::new(&format!("{}[auth.claims]\nemail = \"email\"", jwt::AUTH));
    let ran = unmapped.run_on_data(&["token", "--user", "a", "--staff"]).exits(1);
    ran.explains(&["no claim is mapped to is_staff", "auth.claims"]);
}
