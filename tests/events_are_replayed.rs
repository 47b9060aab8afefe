//! Past events are given to a plugin again, also to one that was not there when they came.

use serde_json::json;

use crate::support::guest::sample;
use crate::support::releases::CONFIGURATION;
use crate::support::site::Ran;
use crate::support::{COURSE, Server, Site, catalog_change};

fn on(site: &Site, server: &Server, arguments: &[&str]) -> Ran {
    site.run_on_data(&[&["events"], arguments, &["--url", server.url()]].concat())
}

#[test]
fn a_new_plugin_gets_what_came_before_it() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    for number in 0..3 {
        let answer = server.post_event(&catalog_change(&format!("course-v1:edX+Past+{number}"))).json(202);
        assert_eq!(answer["accepted"][0]["receivers"], 0, "{answer}");
    }
    server.install("", sample("catalog-logger")).json(201);

    let replay = ["replay", "--plugin", "mine", "--from", "1h"];
    let counted = on(&site, &server, &[&replay[..], &["--dry-run"]].concat()).exits(0);
    counted.prints(&["mine would get 3 events"]);
    assert_eq!(server.events("?plugin=mine"), [json!(null); 0], "a dry run changes nothing");
    let begun = on(&site, &server, &[&replay[..], &["--rate", "1000", "--json"]].concat()).exits(0).json();
    assert_eq!((&begun["plugin"], &begun["rate"]), (&json!("mine"), &json!(1000.0)), "{begun}");
    server.logs(3, &["has been updated!"]);
    server.until("the replay has ended", |server| {
        server.get("/admin/api/events/replays").json(200)["replays"][0]["state"] == "done"
    });
    on(&site, &server, &["replays"]).exits(0).prints(&["mine", "done", "hookbox:cli"]);
    server.until("all are delivered", |server| server.events("?plugin=mine&state=delivered").len() == 3);
    let entry = &server.get("/admin/api/audit?plugin=mine&limit=1").json(200)["entries"][0];
    assert_eq!(entry["action"], "replay-events", "{entry}");
}

#[test]
fn one_event_is_given_again() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", sample("catalog-logger")).json(201);
    for course in [COURSE, "course-v1:edX+Other+1"] {
        server.post_event(&catalog_change(course)).json(202);
    }
    server.until("both are delivered", |server| server.events("?state=delivered").len() == 2);
    let first = &server.events("")[1];
    let asked = json!({"plugin": "mine", "event": first["id"]});
    let replay = server.ask_of_events("replay", &asked).json(202);
    assert_eq!(replay["plugin"], "mine", "{replay}");
    server.logs(2, &[&format!("{COURSE} has been updated!")]);
    assert_eq!(server.log().matches("course-v1:edX+Other+1 has been updated!").count(), 1);
}

#[test]
fn a_replay_that_cannot_be_is_refused() {
    let server = Site::new(CONFIGURATION).serve();
    server.install("", sample("catalog-logger")).json(201);
    let refused = |asked: serde_json::Value, status: u16, code: &str| {
        server.ask_of_events("replay", &asked).problem(status, code)
    };
    refused(json!({"plugin": "mine"}), 422, "bad-body");
    refused(json!({"all": true}), 422, "bad-body");
    let problem = refused(json!({"plugin": "mien", "all": true}), 404, "unknown-plugin");
    assert_eq!(problem["nearest"], "mine", "{problem}");
    refused(json!({"plugin": "mine", "all": true, "rate": 0}), 422, "replay-rate");
    refused(json!({"plugin": "mine", "type": "com.example.nothing.v1"}), 422, "nothing-received");
    server.change("disable", &json!({})).json(200);
    refused(json!({"plugin": "mine", "all": true}), 409, "plugin-not-live");
    server.send("DELETE", "/admin/api/events/replays/9", &[], "").problem(404, "no-such-replay");
    server.send("DELETE", "/admin/api/events/replays/x", &[], "").problem(400, "bad-path");
    assert_eq!(server.get("/admin/api/events/replays").json(200), json!({"replays": []}));
}
