//! A trial ends when its rule says so, when an operator does, and with the release that it is beside. It ends once, and the
//! audit trail tells who ended it and what it counted.

use serde_json::{Value, json};

use crate::support::guest::{answering, written};
use crate::support::releases::{counted, counts, live_with, one_is_live, over};
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

/// Operations of the component `key-value`: without rows it answers the first with `none`.
const SAME: &str = "get||key";
const ANOTHER: &str = "list||";

/// Shadows what answers `none` to everything with what does so to [`SAME`] alone, until four calls with one difference.
fn shadowed_by_rule() -> (Site, Server) {
    let (site, server) = live_with(answering("none"), "\"keyvalue\"");
    server.install("?then=shadow&calls=4&differences=1", written("key-value")).json(202);
    (site, server)
}

#[test]
fn a_rule_promotes_after_enough_calls_with_few_differences() {
    let (_site, server) = shadowed_by_rule();
    for url in [SAME, ANOTHER, SAME] {
        assert_eq!(server.moved(url), "none");
    }
    assert_eq!(counted(&server, 3).0, counts(3, 2, 1, 0));
    assert_eq!(server.mine()["release"], 1);
    assert_eq!(server.moved(SAME), "none");
    let entry = over(&server);
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("rule"), &json!("promote")), "{entry}");
    assert_eq!((&entry["outcome"], &entry["release"]), (&json!("live"), &json!(2)), "{entry}");
    assert_eq!(entry["detail"]["counts"], counts(4, 3, 1, 0), "{entry}");
    assert_eq!(server.moved(ANOTHER), "end");
}

#[test]
fn a_rule_rolls_back_at_one_difference_too_many() {
    let (_site, server) = shadowed_by_rule();
    assert_eq!(server.moved(ANOTHER), "none");
    counted(&server, 1);
    assert_eq!(server.moved(ANOTHER), "none");
    let entry = over(&server);
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("rule"), &json!("end-trial")), "{entry}");
    assert_eq!((&entry["outcome"], &entry["release"]), (&json!("ended"), &json!(2)), "{entry}");
    assert_eq!(entry["detail"]["counts"], counts(2, 0, 2, 0), "{entry}");
    let mine = server.mine();
    assert_eq!((&mine["release"], &mine["releases"][0]["state"]), (&json!(1), &json!("checked")), "{mine}");
    assert_eq!(server.moved(ANOTHER), "none");
}

#[test]
fn a_canary_that_fails_is_rolled_back_by_its_rule() {
    let (_site, server) = one_is_live();
    server.install("?then=canary&percent=100&calls=100&differences=2", written("trap")).json(202);
    for _ in 0..3 {
        let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
        assert_eq!(answer["steps"][0]["failure"]["code"], "trap", "{answer}");
    }
    let entry = over(&server);
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("rule"), &json!("end-trial")), "{entry}");
    assert_eq!(entry["detail"]["counts"], counts(3, 0, 0, 3), "{entry}");
    assert_eq!(server.answered(), "one");
    assert_eq!(server.mine()["state"], "live", "its failures are not those of the live release");
}

#[test]
fn a_rule_decides_once_however_many_calls_run() {
    let (_site, server) = one_is_live();
    server.install("?then=canary&percent=100&calls=40", answering("two")).json(202);
    let calls: Vec<_> = (0..80).map(|_| server.filter_later(ABOUT_URL, &about(OLD_URL))).collect();
    for call in calls {
        assert_eq!(call.join().unwrap().unwrap().json(200)["kwargs"]["url"], "two");
    }
    over(&server);
    let trail = server.audit();
    let by_rule: Vec<&Value> = trail.iter().filter(|entry| entry["actor"] == "rule").collect();
    assert_eq!(by_rule.len(), 1, "{by_rule:?}");
    assert_eq!(by_rule[0]["detail"]["counts"], counts(40, 0, 0, 0));
    assert_eq!(server.mine()["release"], 2);
}

#[test]
fn a_release_that_was_tried_is_promoted_by_hand() {
    let (_site, server) = one_is_live();
    server.install("?then=keep", answering("two")).json(200);
    server.change("promote", &json!({})).problem(409, "plugin-state");
    let all = json!({"release": 2, "kind": "canary", "percent": 100});
    server.change("trial", &all).json(200);
    assert_eq!(server.answered(), "two");
    server.change("trial", &all).problem(409, "plugin-state");
    let promoted = server.change("promote", &json!({})).json(200);
    assert_eq!((&promoted["outcome"], &promoted["release"]), (&json!("live"), &json!(2)), "{promoted}");
    assert_eq!(server.answered(), "two");
    let entry = over(&server);
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("operator"), &json!("promote")), "{entry}");
    assert_eq!(entry["detail"]["counts"], counts(1, 0, 0, 0), "{entry}");
    server.change("rollback", &json!({})).json(200);
    assert_eq!(server.answered(), "one");
}

#[test]
fn another_release_that_goes_live_ends_the_trial() {
    let (_site, server) = one_is_live();
    server.install("?then=canary&percent=100", answering("two")).json(202);
    assert_eq!(server.answered(), "two");
    server.install("", written("traps-at-the-start")).problem(422, "release-rejected");
    assert_eq!(server.answered(), "two", "what is rejected ends nothing");
    server.install("", answering("three")).json(200);
    assert_eq!(server.answered(), "three");
    let mine = server.mine();
    assert_eq!((&mine["trial"], &mine["release"]), (&Value::Null, &json!(4)), "{mine}");
    let states: Vec<&Value> = mine["releases"].as_array().unwrap().iter().map(|of| &of["state"]).collect();
    assert_eq!(states, ["live", "rejected", "checked", "replaced"], "{mine}");
}

#[test]
fn the_component_that_is_tried_goes_live_when_it_is_sent_to() {
    let (_site, server) = one_is_live();
    server.install("?then=shadow", answering("two")).json(202);
    for query in ["?then=keep", "?then=shadow"] {
        let again = server.install(query, answering("two")).json(200);
        assert_eq!(
            (&again["outcome"], &again["plugin"]["release"]),
            (&json!("unchanged"), &json!(1)),
            "{again}"
        );
    }
    assert_eq!(server.mine()["trial"]["release"], 2);
    let live = server.install("", answering("two")).json(200);
    assert_eq!((&live["outcome"], &live["release"]), (&json!("live"), &json!(2)), "{live}");
    assert_eq!((server.answered(), &server.mine()["trial"]), ("two".to_owned(), &Value::Null));
    assert_eq!(server.mine()["releases"].as_array().unwrap().len(), 2);
}

#[test]
fn whatever_ends_the_live_release_ends_the_trial() {
    let (_site, server) = one_is_live();
    server.install("", answering("two")).json(200);
    let again = || {
        server.change("trial", &json!({"release": 1, "kind": "canary", "percent": 100})).json(200);
        assert_eq!(server.answered(), "one");
    };
    again();
    server.change("disable", &json!({})).json(200);
    assert_eq!((server.answered(), &server.mine()["trial"]), (OLD_URL.to_owned(), &Value::Null));
    server.change("enable", &json!({})).json(200);
    assert_eq!((server.answered(), &server.mine()["trial"]), ("two".to_owned(), &Value::Null));
    again();
    server.change("rollback", &json!({"release": 1})).json(200);
    assert_eq!((server.answered(), &server.mine()["trial"]), ("one".to_owned(), &Value::Null));
    server.change("trial", &json!({"release": 2, "kind": "shadow", "percent": 1})).json(200);
    server.remove();
    assert_eq!((server.answered(), &server.mine()["trial"]), (OLD_URL.to_owned(), &Value::Null));
}
