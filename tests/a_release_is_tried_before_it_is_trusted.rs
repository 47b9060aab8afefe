//! A new release runs beside the live one, or answers a share of its calls, before it goes live; what comes of that is
//! counted, and decides.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::guest::{answering, noted, sample, trapping_receiver, written};
use crate::support::releases::{CONFIGURATION, counted, counts, live_with, one_is_live, over};
use crate::support::site::Ran;
use crate::support::{ABOUT_URL, COURSE, OLD_URL, Server, Site, about, catalog_change};

/// An operation of the component `key-value`, which answers it with `none` when it has no rows.
const SAME: &str = "get||key";

/// The digests of the components that answered a call, step by step.
#[track_caller]
fn digests(server: &Server) -> Vec<String> {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    let steps = answer["steps"].as_array().unwrap().iter();
    steps.map(|step| step["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_shadow_is_compared_and_never_answers() {
    let (_site, server) = one_is_live();
    for (component, expected) in [
        (noted(answering("one"), 1), counts(3, 3, 0, 0)),
        (answering("two"), counts(3, 0, 3, 0)),
        (written("trap"), counts(3, 0, 0, 3)),
    ] {
        let begun = server.install("?then=shadow", component).json(202);
        assert_eq!(
            (&begun["outcome"], &begun["plugin"]["state"]),
            (&json!("trial"), &json!("live")),
            "{begun}"
        );
        assert_eq!(begun["plugin"]["trial"]["percent"], 100.0, "{begun}");
        for _ in 0..3 {
            assert_eq!(server.answered(), "one");
        }
        assert_eq!(counted(&server, 3).0, expected);
        let ended = server.end_trial().json(200);
        assert_eq!(
            (&ended["outcome"], &ended["plugin"]["release"]),
            (&json!("trial-ended"), &json!(1)),
            "{ended}"
        );
        assert_eq!(server.answered(), "one");
    }
    let entry = &server.audit()[0];
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("operator"), &json!("end-trial")), "{entry}");
    assert_eq!(entry["detail"]["counts"], counts(3, 0, 0, 3), "{entry}");
    let results =
        |result| server.metric("hookbox_trial_calls_total", &[("plugin", "mine"), ("result", result)]);
    assert_eq!((results("equal"), results("different"), results("failed")), (3.0, 3.0, 3.0));
    server.end_trial().problem(409, "plugin-state");
}

#[test]
fn examples_show_where_answers_differ_and_the_values_only_when_asked_to() {
    let (_site, server) = one_is_live();
    server.install("?then=shadow", answering("two")).json(202);
    server.answered();
    let (_, examples) = counted(&server, 1);
    assert_eq!(examples[0]["hook"], ABOUT_URL);
    assert_eq!(examples[0]["differences"], json!([{"path": "changes.url"}]));
    server.end_trial().json(200);

    let with_values = json!({"release": 2, "kind": "shadow", "percent": 100, "values": true});
    server.change("trial", &with_values).json(200);
    server.answered();
    let (_, examples) = counted(&server, 1);
    assert_eq!(examples[0]["differences"], json!([{"path": "changes.url", "live": "one", "trial": "two"}]));
    server.end_trial().json(200);

    // What the host itself says of a failure is nobody's data.
    server.install("?then=shadow", written("trap")).json(202);
    server.answered();
    let (_, examples) = counted(&server, 1);
    let differences = examples[0]["differences"].as_array().unwrap();
    let failure = json!({"path": "failure.code", "trial": "trap"});
    assert!(differences.contains(&failure), "{differences:?}");
    assert!(differences.contains(&json!({"path": "changes.url"})), "{differences:?}");
}

#[test]
fn a_shadow_leaves_no_row_behind() {
    let (_site, server) = live_with(answering("done"), "\"keyvalue\"");
    server.install("?then=shadow", written("key-value")).json(202);
    assert_eq!(server.moved("set||key|value"), "done");
    assert_eq!(counted(&server, 1).0, counts(1, 1, 0, 0));
    server.change("promote", &json!({})).json(200);
    assert_eq!(server.moved("get||key"), "none");
    assert_eq!(server.moved("set||key|value"), "done");
    assert_eq!(server.moved("get||key"), "value", "what is live keeps its rows");
}

/// A server that greets everybody, and how many it greeted.
fn greeter() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let greeted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&greeted);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    (address, greeted)
}

#[test]
fn a_shadow_sends_no_request() {
    let (address, greeted) = greeter();
    let (_site, server) = live_with(answering("one"), &format!("\"http:http://{address}\""));
    server.install("?then=shadow&values=true", written("sends-as-told")).json(202);
    let told = format!("0\n0\n{address}\n/\na\nb\n\n0\n1\nr\n0");
    assert_eq!(server.moved(&told), "one");
    let (_, examples) = counted(&server, 1);
    let difference = &examples[0]["differences"][0];
    assert!(difference["trial"].as_str().unwrap().starts_with("error"), "{difference}");
    assert_eq!(greeted.load(Ordering::SeqCst), 0);

    server.change("promote", &json!({})).json(200);
    assert!(server.moved(&told).contains("hello"));
    assert_eq!(greeted.load(Ordering::SeqCst), 1, "what is live sends its requests");
}

#[test]
fn a_canary_answers_and_its_rule_promotes_it() {
    let (_site, server) = one_is_live();
    server.install("?then=canary&percent=100&calls=3", answering("two")).json(202);
    let mine = server.mine();
    assert_eq!((&mine["release"], &mine["trial"]["release"]), (&json!(1), &json!(2)), "{mine}");
    assert_eq!(server.answered(), "two");
    assert_eq!(digests(&server), [mine["releases"][0]["digest"].as_str().unwrap()]);
    assert_eq!(counted(&server, 2).0, counts(2, 0, 0, 0));
    assert_eq!(server.answered(), "two");
    let entry = over(&server);
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("rule"), &json!("promote")), "{entry}");
    assert_eq!(server.mine()["release"], 2);
}

#[test]
fn a_plugin_that_stands_twice_answers_a_call_with_one_release() {
    let configuration =
        format!("{CONFIGURATION}\n[filters.\"{ABOUT_URL}\"]\npipeline = [\"mine\", \"other\", \"mine\"]");
    let server = Site::new(&configuration).serve();
    server.install_as("other", "", answering("other")).json(201);
    server.install("", answering("one")).json(201);
    server.install("?then=canary&percent=50", answering("two")).json(202);
    let mut met = BTreeSet::new();
    // Neither answers 100 calls alone but once in 2^99.
    for _ in 0..100 {
        let steps = digests(&server);
        assert_eq!(steps[0], steps[2]);
        met.insert(steps[0].clone());
    }
    assert_eq!(met.len(), 2);
    let calls = server.mine()["trial"]["counts"]["calls"].as_u64().unwrap();
    assert!((1..200).contains(&calls), "{calls}");
}

#[test]
fn a_trial_goes_on_after_a_restart_and_counts_from_zero() {
    let (site, server) = one_is_live();
    server.install("?then=shadow&calls=2&differences=0", noted(answering("one"), 1)).json(202);
    server.answered();
    counted(&server, 1);
    let began = server.mine()["trial"]["began_at"].clone();
    server.kill();

    let server = site.serve();
    let trial = server.mine()["trial"].take();
    assert_eq!(
        (&trial["release"], &trial["kind"], &trial["began_at"]),
        (&json!(2), &json!("shadow"), &began)
    );
    assert_eq!(trial["counts"], counts(0, 0, 0, 0), "{trial}");
    server.answered();
    assert_eq!(counted(&server, 1).0, counts(1, 1, 0, 0));
    server.answered();
    assert_eq!(over(&server)["actor"], "rule");
    assert_eq!(server.mine()["release"], 2);
}

#[test]
fn other_terms_of_the_plugin_are_those_of_its_trial_too() {
    let (site, server) = one_is_live();
    server.install("?then=shadow", written("key-value")).json(202);
    assert_eq!(server.mine()["trial"], Value::Null, "it waits for approval");
    server.change("approve", &json!({})).json(200);
    server.change("rollback", &json!({})).json(200);

    server.change("trial", &json!({"release": 2, "kind": "shadow", "percent": 100})).json(200);
    server.moved(SAME);
    counted(&server, 1);
    // More is granted to the live release while another is tried.
    let origin = "http:https://api.example.com";
    let granted = server.change("approve", &json!({"release": 1, "grants": [origin]})).json(200);
    assert_eq!(granted["plugin"]["approved"], json!(["keyvalue", origin]), "{granted}");
    server.moved(SAME);
    counted(&server, 1);
    let configuration = format!("{CONFIGURATION}\n[plugins.mine]\nsettings = {{ a = 1 }}");
    let _site = site.with("hookbox.toml", configuration);
    server.send("POST", "/admin/api/reload", &[], "").json(200);
    server.moved(SAME);
    counted(&server, 1);
    server.change("promote", &json!({})).json(200);
    assert_eq!(server.moved(SAME), "none");
    assert_eq!(server.mine()["grants"], json!(["keyvalue", origin]));
}

#[test]
fn an_event_goes_to_the_tried_receiver_too_and_to_the_live_one_as_ever() {
    let server = Site::new(CONFIGURATION).serve();
    server.install("", sample("catalog-logger")).json(201);
    server.install("?then=shadow", trapping_receiver()).json(202);
    let send = || {
        let answer = server.post_event(&catalog_change(COURSE)).json(202);
        assert_eq!(answer["accepted"][0]["receivers"], 1, "{answer}");
    };
    send();
    let (found, examples) = counted(&server, 1);
    assert_eq!(found, counts(1, 0, 0, 1));
    let differences = examples[0]["differences"].as_array().unwrap();
    let receipt = json!({"path": "receipt", "live": "delivered", "trial": "failed"});
    assert!(differences.contains(&receipt), "{differences:?}");
    server.logs(1, &[&format!("{COURSE} has been updated!")]);
    server.end_trial().json(200);

    server.install("?then=shadow", noted(sample("catalog-logger"), 1)).json(202);
    send();
    assert_eq!(counted(&server, 1).0, counts(1, 1, 0, 0));
    server.logs(2, &[&format!("{COURSE} has been updated!")]);
    assert_eq!(server.log().matches("has been updated!").count(), 2, "{}", server.log());
}

#[test]
fn the_command_tries_shows_and_promotes() {
    let site = Site::new(CONFIGURATION)
        .with("one.wasm", answering("one"))
        .with("same.wasm", noted(answering("one"), 1))
        .with("two.wasm", answering("two"));
    let server = site.serve();
    let plugin = |arguments: &[&str]| -> Ran {
        site.run_on_data(&[&["plugin"], arguments, &["--url", server.url()]].concat())
    };
    plugin(&["install", "one.wasm", "--name", "mine"]).exits(0);
    let rule = ["--shadow", "100", "--calls", "5", "--differences", "0"];
    let begun = plugin(&[&["install", "same.wasm", "--name", "mine"], &rule[..]].concat()).exits(0);
    begun.prints(&["release 2 is tried", "promoted after 5 calls with at most 0 differences"]);
    for _ in 0..4 {
        server.answered();
    }
    counted(&server, 4);
    plugin(&["trial", "mine"]).exits(0).prints(&["release 2", "4 so far, 4 equal, 0 different, 0 failed"]);
    server.answered();
    over(&server);
    plugin(&["trial", "mine"]).exits(0).prints(&["no release is tried"]);
    plugin(&["show", "mine"]).exits(0).prints(&["live"]);
    assert_eq!(server.mine()["release"], 2);

    plugin(&[&["install", "two.wasm", "--name", "mine"], &rule[..]].concat()).exits(0);
    server.answered();
    over(&server);
    assert_eq!(server.answered(), "one");
    plugin(&["promote", "mine"]).exits(1).explains(&["has no trial"]);
    plugin(&["shadow", "mine", "3", "--percent", "100"]).exits(0);
    plugin(&["promote", "mine"]).exits(0).prints(&["release 3 is live"]);
    assert_eq!(server.answered(), "two");
    let trail = site.run_on_data(&["audit", "--plugin", "mine", "--url", server.url()]).exits(0);
    trail.prints(&["rule promote mine release 2", "rule end-trial mine release 3"]);
}
