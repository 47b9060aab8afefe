//! `kill -9` at random while clients post and workers deliver: whatever was acknowledged reaches every receiver, nothing
//! reaches one that was not sent, and every attempt is counted, also one that a kill cut short. `tests/kills` does it
//! longer, on a release build.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde_json::{Value, json};

use crate::support::guest::witness;
use crate::support::http;
use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_info, event};

/// Kills when nobody asks for another number.
const KILLS: usize = 200;
const CLIENTS: usize = 4;
const PLUGINS: [&str; 2] = ["first", "second"];
/// After so many answers the server is killed, round by round.
const ENOUGH: [usize; 10] = [1, 40, 9, 90, 5, 70, 23, 3, 55, 14];

const CONFIGURATION: &str = r#"
[plugins]
samples = false
[plugins.first]
component = "witness.wasm"
hooks = ["org.openedx.content_authoring.course.catalog_info.changed.v1"]
limits = { log_rate = "64MiB", event_time = "60s" }
delivery = { pause = "5ms", longest_pause = "20ms", attempts = 1000 }
[plugins.second]
component = "witness.wasm"
hooks = ["org.openedx.content_authoring.course.catalog_info.changed.v1"]
limits = { log_rate = "64MiB", event_time = "60s" }
delivery = { pause = "5ms", longest_pause = "20ms", attempts = 1000, concurrency = 4 }
"#;

/// What the receivers themselves say they got: by plugin and event, the numbers of the attempts.
type Seen = BTreeMap<(String, String), Vec<u32>>;

/// Posts events until the server is gone. Tells which were sent, and which of them were acknowledged.
fn post(base: &str, operator: &str, next: &AtomicU64, answered: &Sender<()>) -> (Vec<String>, Vec<String>) {
    let headers = [("content-type", "application/cloudevents+json"), ("authorization", operator)];
    let (mut sent, mut acknowledged) = (Vec::new(), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        let body = event(&id, CATALOG_INFO, &catalog_info(COURSE)).to_string();
        sent.push(id.clone());
        let Ok(answer) = http::send("POST", &format!("{base}/hooks/events"), &headers, body.as_bytes())
        else {
            return (sent, acknowledged);
        };
        assert_eq!(answer.status, 202, "{answer:?}");
        acknowledged.push(id);
        // The other end is gone once enough were answered.
        let _ = answered.send(());
    }
}

/// Reads what the receivers said in a server's log.
fn read(log: &str, seen: &mut Seen) {
    for line in log.lines() {
        let Some(plugin) = PLUGINS.iter().find(|name| line.contains(&format!("plugin=\"{name}\""))) else {
            continue;
        };
        let words: Vec<&str> = line.split([' ', '"']).collect();
        let said = words
            .windows(2)
            .find(|pair| pair[0].starts_with("00000000-0000-4000-8000-") && pair[0].len() == 36);
        if let Some([id, attempt]) = said
            && let Ok(attempt) = attempt.parse()
        {
            seen.entry(((*plugin).to_owned(), (*id).to_owned())).or_default().push(attempt);
        }
    }
}

/// Holds what the journal counts of one delivery to what its receiver saw. How many attempts a kill cut short.
fn compare(delivery: &Value, seen: &[u32]) -> usize {
    assert_eq!(delivery["state"], "delivered", "{delivery}");
    let attempts = delivery["attempts"].as_u64().unwrap();
    let numbers: BTreeSet<u32> = seen.iter().copied().collect();
    assert_eq!(numbers.len(), seen.len(), "an attempt was made twice under one number: {seen:?} {delivery}");
    assert!(numbers.iter().all(|number| u64::from(*number) <= attempts), "{seen:?} {delivery}");
    let told: BTreeMap<u64, &str> = delivery["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (attempt["number"].as_u64().unwrap(), attempt["outcome"].as_str().unwrap()))
        .collect();
    for number in 1..=attempts {
        let reached = numbers.contains(&u32::try_from(number).unwrap());
        match told.get(&number) {
            // The one that delivered it is told by the delivery itself.
            None => assert!(reached && number == attempts, "{number}: {seen:?} {delivery}"),
            Some(&"retry") => assert!(reached, "{number}: {seen:?} {delivery}"),
            // It may have reached the receiver or not.
            Some(&"interrupted") => {}
            other => panic!("attempt {number} is {other:?}: {seen:?} {delivery}"),
        }
    }
    told.values().filter(|outcome| **outcome == "interrupted").count()
}

#[test]
fn acknowledged_events_reach_every_receiver_whenever_the_server_is_killed() {
    let kills = std::env::var("HOOKBOX_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let site = Site::new(CONFIGURATION).with("witness.wasm", witness());
    let next = AtomicU64::new(0);
    let (mut sent, mut acknowledged) = (BTreeSet::new(), BTreeSet::new());
    let mut seen = Seen::new();
    for enough in ENOUGH.iter().cycle().take(kills) {
        let server = site.serve();
        let (base, operator) = (server.url().to_owned(), server.operator().to_owned());
        let (answered, answers) = channel();
        let posted = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    let (base, operator, answered) = (&base, &operator, answered.clone());
                    let next = &next;
                    scope.spawn(move || post(base, operator, next, &answered))
                })
                .collect();
            drop(answered);
            assert_eq!(answers.iter().take(*enough).count(), *enough, "the clients ended by themselves");
            server.signal("KILL");
            clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        for (was_sent, was_acknowledged) in posted {
            sent.extend(was_sent);
            acknowledged.extend(was_acknowledged);
        }
        let (code, log) = server.ended();
        assert_eq!(code, None, "it was killed, and did not end by itself");
        read(&log, &mut seen);
    }
    let server = site.serve();
    server.until("every delivery has ended", |server| open(server) == 0);
    let shown: BTreeMap<String, Value> = acknowledged
        .iter()
        .map(|id| (id.clone(), server.get(&format!("/admin/api/events/{id}")).json(200)))
        .collect();
    read(&server.stop(), &mut seen);
    let mut interrupted = 0;
    for (id, shown) in &shown {
        let deliveries = shown["deliveries"].as_array().unwrap();
        assert_eq!(deliveries.len(), PLUGINS.len(), "{shown}");
        for delivery in deliveries {
            let key = (delivery["plugin"].as_str().unwrap().to_owned(), id.clone());
            let attempts = seen.get(&key).unwrap_or_else(|| panic!("{key:?} was never delivered: {shown}"));
            interrupted += compare(delivery, attempts);
        }
    }
    let strangers: Vec<_> = seen.keys().filter(|(_, id)| !sent.contains(id)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    let mut command = site.command(&["--json", "db", "check"]);
    command.env("HOOKBOX_SERVER__DATA", site.data());
    let report = crate::support::site::run(command).exits(0).json();
    assert_eq!(report["sound"], json!(true), "{report}");
    println!(
        "{kills} kills: {} events sent, {} acknowledged, {} deliveries, {interrupted} attempts cut short",
        sent.len(),
        acknowledged.len(),
        seen.len()
    );
}

/// Deliveries that wait or run.
fn open(server: &Server) -> u64 {
    let summary = server.get("/admin/api/events/summary").json(200);
    summary["receivers"].as_array().unwrap().iter().map(|receiver| receiver["open"].as_u64().unwrap()).sum()
}
