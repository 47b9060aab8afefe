//! A disk without room, a database that another process has locked: events are refused with what the sender may do, what was
//! accepted is there and is delivered once there is room again, and what was refused is not.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::guest::{sample, trapping_receiver};
use crate::support::http::Answer;
use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_info, event, numbered};

/// Sets how large the files of a running server may grow.
fn file_size(server: &Server, limit: &str) {
    let mut command = Command::new("prlimit");
    command.args(["--pid", &server.id().to_string(), &format!("--fsize={limit}:")]);
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// A server on which a write beyond a file's greatest size is an error.
fn start(site: &Site) -> Server {
    let hookbox = site.command(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(hookbox.get_program());
    shell.args(hookbox.get_args()).arg(site.data()).current_dir(site.path());
    site.start(shell)
}

/// An event of 64 KiB.
fn large(number: u64) -> Value {
    let mut data = catalog_info(COURSE);
    data["catalog_info"]["name"] = json!("x".repeat(64 << 10));
    event(&format!("00000000-0000-4000-8000-{number:012x}"), CATALOG_INFO, &data)
}

fn id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

/// The ids of all events that are kept.
fn kept(server: &Server) -> BTreeSet<String> {
    let events = server.events("?limit=500");
    let ids: BTreeSet<String> = events.iter().map(id).collect();
    assert_eq!(ids.len(), events.len(), "one is there twice");
    ids
}

/// Holds a refusal to its status, its code and when to come again.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1, "{answer:?}");
    answer.problem(status, code);
}

/// Posts large events until one is refused; those that were accepted, and the refusal.
#[track_caller]
fn fill(server: &Server, accepted: &mut BTreeSet<String>) -> Answer {
    for number in 0..400 {
        let event = large(number);
        let answer = server.post_event(&event);
        match answer.status {
            202 => drop(accepted.insert(id(&event))),
            // Lost with another's write.
            503 => drop(answer.problem(503, "aborted")),
            _ => return answer,
        }
    }
    panic!("there is room for everything");
}

#[test]
fn a_disk_without_room_refuses_events_until_there_is_some() {
    let configuration = "[plugins]
         samples = false
         [plugins.mine]
         quarantine = false
         delivery = { attempts = 1000, pause = \"20ms\", longest_pause = \"20ms\" }";
    let site = Site::new(configuration);
    let server = start(&site);
    server.install("", trapping_receiver()).json(201);
    let mut accepted = BTreeSet::new();
    file_size(&server, &(2 << 20).to_string());
    let refusal = fill(&server, &mut accepted);
    refused(&refusal, 500, "io");
    assert!(accepted.len() > 10, "{accepted:?}");
    assert_eq!(kept(&server), accepted, "what was accepted is there, and nothing else");
    server.logs(1, &["ERROR", "deliveries cannot be written down", "plugin=\"mine\""]);

    file_size(&server, "unlimited");
    let refused_before = large(accepted.len() as u64);
    server.until("it is accepted now", |server| server.post_event(&refused_before).status == 202);
    accepted.insert(id(&refused_before));
    server.install("", sample("catalog-logger")).json(200);
    server.until_counts("mine", [0, accepted.len() as u64, 0]);
    server.logs(1, &["INFO", "deliveries can be written down again"]);
    assert_eq!(kept(&server), accepted);
    let taken = server.log().matches("has been updated!").count();
    assert_eq!(taken, accepted.len(), "each is delivered once");
}

#[test]
fn a_database_of_its_greatest_size_refuses_events_until_some_are_forgotten() {
    let configuration = "[database]
         max_size = \"2MiB\"
         [events]
         keep = { delivered_size = \"256KiB\" }
         [plugins]
         samples = false
         [plugins.mine]
         quarantine = false
         limits = { log_rate = \"64MiB\" }
         delivery = { attempts = 1000, pause = \"20ms\", longest_pause = \"20ms\" }";
    let server = Site::new(configuration).serve();
    server.install("", trapping_receiver()).json(201);
    let mut accepted = BTreeSet::new();
    refused(&fill(&server, &mut accepted), 507, "full");
    assert_eq!(kept(&server), accepted, "an event that waits is never forgotten for a new one");
    // There is room for mending the plugin. Delivered, the oldest go, and others come in.
    server.install("", sample("catalog-logger")).json(200);
    let new = large(1000);
    server.until("it is accepted now", |server| server.post_event(&new).status == 202);
    accepted.insert(id(&new));
    server.logs(accepted.len(), &["has been updated!"]);
    server.until("all are delivered", |server| server.counts("mine")[0] == 0);
    assert_eq!(server.counts("mine")[2], 0, "{}", server.log());
}

#[test]
fn what_a_full_disk_left_is_delivered_by_the_next_process() {
    let site = Site::new("[plugins]\nsamples = false\n[plugins.mine]\nquarantine = false");
    let server = start(&site);
    server.install("", sample("catalog-logger")).json(201);
    let mut accepted = BTreeSet::new();
    file_size(&server, &(2 << 20).to_string());
    refused(&fill(&server, &mut accepted), 500, "io");
    server.kill();

    let server = site.serve();
    let count = accepted.len() as u64;
    server.until_counts("mine", [0, count, 0]);
    assert_eq!(kept(&server), accepted);
    let mut check = site.command(&["--json", "db", "check"]);
    check.env("HOOKBOX_SERVER__DATA", site.data());
    let report = crate::support::site::run(check).exits(0).json();
    assert_eq!(report["sound"], json!(true), "{report}");
}

/// A server of the same database with a data folder of its own, where the database is a link.
fn other(site: &Site) -> Server {
    let data = site.path().join("other");
    std::fs::create_dir(&data).unwrap();
    for name in ["hookbox.db", "jwt-secret"] {
        std::os::unix::fs::symlink(site.data().join(name), data.join(name)).unwrap();
    }
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(data);
    site.start(command)
}

/// Another process of the same database is frozen in the middle of a transaction, as often as it takes to hit one.
#[test]
fn a_locked_database_refuses_events_and_delivers_once_it_is_free() {
    let site = Site::new("[database]\nbusy_timeout = \"200ms\"");
    let server = site.serve();
    let other = other(&site);
    let (enough, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let post = |to: &Server| {
        let event = numbered(next.fetch_add(1, Ordering::Relaxed), COURSE);
        (to.post_event(&event), id(&event))
    };
    let (accepted, answer) = thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut accepted = BTreeSet::new();
            while !enough.load(Ordering::Relaxed) {
                let (answer, id) = post(&other);
                assert!([202, 503].contains(&answer.status), "{answer:?}");
                if answer.status == 202 {
                    accepted.insert(id);
                }
            }
            accepted
        });
        let (mut accepted, mut refusal) = (BTreeSet::new(), None);
        for _ in 0..1_000 {
            other.signal("STOP");
            let (answer, id) = post(&server);
            other.signal("CONT");
            if answer.status == 202 {
                accepted.insert(id);
            } else {
                refusal = Some(answer);
            }
            if refusal.is_some() || busy.is_finished() {
                break;
            }
        }
        enough.store(true, Ordering::Relaxed);
        accepted.extend(busy.join().unwrap());
        (accepted, refusal)
    });
    refused(&answer.expect("a frozen transaction locks the others out"), 503, "busy");
    other.stop();
    server.stop();
    // Whatever the two did beside one another, nothing accepted is missing and nothing refused is there.
    let server = site.serve();
    server.until_counts("catalog-logger", [0, accepted.len() as u64, 0]);
    let all: BTreeSet<_> = all(&server);
    assert_eq!(all, accepted);
    server.post_catalog_info(COURSE);
    server.until_counts("catalog-logger", [0, accepted.len() as u64 + 1, 0]);
}

/// The ids of all events, over all pages.
fn all(server: &Server) -> BTreeSet<String> {
    let (mut ids, mut query) = (BTreeSet::new(), "?limit=100".to_owned());
    loop {
        let page = server.get(&format!("/admin/api/events{query}")).json(200);
        ids.extend(page["events"].as_array().unwrap().iter().map(id));
        let Some(next) = page["next"].as_i64() else { return ids };
        query = format!("?limit=100&before={next}");
    }
}
