//! What waits for a plugin that is replaced, rolled back, disabled or removed goes where the documentation says, and every
//! page that tells of it can still be read.

use serde_json::{Value, json};

use crate::support::guest::{answering, sample, trapping_receiver};
use crate::support::site::Ran;
use crate::support::{COURSE, Server, Site, numbered};

/// A plugin `mine` that is tried again and again, and never put aside.
const CONFIGURATION: &str = "[plugins]
samples = false
[plugins.mine]
quarantine = false
delivery = { attempts = 1000, pause = \"20ms\", longest_pause = \"20ms\" }";
const ID: &str = "00000000-0000-4000-8000-000000000001";

fn on(site: &Site, server: &Server, arguments: &[&str]) -> Ran {
    site.run_on_data(&[&["events"], arguments, &["--url", server.url()]].concat())
}

/// A server whose plugin fails with the one event there is.
fn failing() -> (Site, Server) {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", trapping_receiver()).json(201);
    post_one(&server);
    (site, server)
}

#[track_caller]
fn post_one(server: &Server) {
    server.post_event(&numbered(1, COURSE)).json(202);
    server.until("it has failed twice", |server| attempts(&mine(server)) >= 2);
}

#[track_caller]
fn mine(server: &Server) -> Value {
    server.delivery(ID, "mine")
}

fn attempts(delivery: &Value) -> u64 {
    delivery["attempts"].as_u64().unwrap()
}

/// The delivery, once it is in this state.
#[track_caller]
fn until(server: &Server, state: &str) -> Value {
    server.until(&format!("it is {state}"), |server| mine(server)["state"] == state);
    mine(server)
}

/// Holds a delivery to one taken by this release, after attempts of another that failed.
#[track_caller]
fn taken_by(delivery: &Value, release: u32, others: u32) {
    assert_eq!(
        (&delivery["state"], &delivery["release"]),
        (&json!("delivered"), &json!(release)),
        "{delivery}"
    );
    let attempts = attempts(delivery);
    assert_eq!(delivery["failures"], attempts - 1, "{delivery}");
    let failed =
        delivery["history"].as_array().unwrap().iter().filter(|attempt| attempt["outcome"] == "failed");
    for attempt in failed {
        assert_eq!((&attempt["release"], &attempt["code"]), (&json!(others), &json!("trap")), "{delivery}");
    }
}

#[test]
fn it_goes_to_the_release_that_takes_the_place() {
    let (_site, server) = failing();
    server.install("", sample("catalog-logger")).json(200);
    taken_by(&until(&server, "delivered"), 2, 1);
}

#[test]
fn it_goes_to_the_release_that_is_rolled_back_to() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", sample("catalog-logger")).json(201);
    server.install("", trapping_receiver()).json(200);
    post_one(&server);
    assert_eq!(server.change("rollback", &json!({})).json(200)["release"], 1);
    taken_by(&until(&server, "delivered"), 1, 2);
}

#[test]
fn it_waits_for_a_plugin_that_is_disabled_also_over_a_restart() {
    let (site, server) = failing();
    server.change("disable", &json!({})).json(200);
    let waiting = until(&server, "ready");
    let late = server.post_event(&numbered(2, COURSE)).json(202);
    assert_eq!(late["accepted"][0]["receivers"], 0, "what comes now is not for it: {late}");
    server.stop();

    let server = site.serve();
    assert_eq!(server.counts("mine"), [1, 0, 0]);
    on(&site, &server, &["list", "--state", "open"]).exits(0).prints(&["mine"]);
    on(&site, &server, &["summary"]).exits(0).prints(&["mine", "disabled"]);
    assert_eq!(attempts(&mine(&server)), attempts(&waiting), "nobody called it");
    server.change("enable", &json!({})).json(200);
    server.until("it is called again", |server| attempts(&mine(server)) > attempts(&waiting));
    server.install("", sample("catalog-logger")).json(200);
    taken_by(&until(&server, "delivered"), 2, 1);
    // What came meanwhile is given to it when an operator asks.
    on(&site, &server, &["replay", "--plugin", "mine", "--all"]).exits(0);
    server.until_counts("mine", [0, 2, 0]);
}

#[test]
fn it_is_a_dead_letter_when_the_plugin_is_removed_and_delivered_when_it_comes_back() {
    let (site, server) = failing();
    server.remove();
    let dead = until(&server, "dead");
    assert_eq!(dead["reason"], "plugin-removed", "{dead}");
    everything_can_be_read(&site, &server, "plugin-removed");
    on(&site, &server, &["retry", "--plugin", "mine"]).exits(1).explains(&[
        "409",
        "was removed",
        "install it first",
    ]);
    // There is nobody to try: what is asked for all the same is a dead letter again.
    on(&site, &server, &["retry", "--all"]).exits(0);
    server.until_counts("mine", [0, 0, 1]);
    assert_eq!(attempts(&mine(&server)), attempts(&dead), "nobody was called");
    server.stop();

    let server = site.serve();
    everything_can_be_read(&site, &server, "plugin-removed");
    server.install("", sample("catalog-logger"));
    assert_eq!(server.counts("mine"), [0, 0, 1], "nobody asked for it yet");
    on(&site, &server, &["retry", "--plugin", "mine"]).exits(0).prints(&["1 delivery waits"]);
    let delivery = until(&server, "delivered");
    assert_eq!(attempts(&delivery), attempts(&dead) + 1, "{delivery}");
}

#[test]
fn it_is_a_dead_letter_when_the_next_release_does_not_receive_it() {
    let (site, server) = failing();
    server.install("", answering("a filter, and no receiver")).json(200);
    let dead = until(&server, "dead");
    assert_eq!(dead["reason"], "not-received", "{dead}");
    everything_can_be_read(&site, &server, "not-received");
    let late = server.post_event(&numbered(2, COURSE)).json(202);
    assert_eq!(late["accepted"][0]["receivers"], 0, "{late}");
    server.install("", sample("catalog-logger")).json(200);
    on(&site, &server, &["retry", "--plugin", "mine"]).exits(0).prints(&["1 delivery waits"]);
    let delivery = until(&server, "delivered");
    assert_eq!(delivery["release"], 3, "{delivery}");
}

/// Every page and command that tells of events, and what it says of a dead letter of `mine`.
#[track_caller]
fn everything_can_be_read(site: &Site, server: &Server, reason: &str) {
    on(site, server, &["list"]).exits(0).prints(&["mine", "dead", reason]);
    on(site, server, &["list", "--plugin", "mine", "--state", "dead"]).exits(0).prints(&[reason]);
    on(site, server, &["show", ID]).exits(0).prints(&[&format!("mine: dead ({reason})"), "failed (trap)"]);
    on(site, server, &["summary"]).exits(0).prints(&["mine", "1 dead"]);
    on(site, server, &["replays"]).exits(0);
    assert_eq!(server.events("?plugin=mine&state=dead").len(), 1);
    assert_eq!(server.get("/metrics").status, 200);
}
