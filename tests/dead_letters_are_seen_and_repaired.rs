//! An event that a plugin cannot take is a dead letter: listed, shown with every attempt, and delivered once the plugin is
//! upgraded.

use serde_json::{Value, json};

use crate::support::guest::{rejecting_receiver, sample, trapping_receiver};
use crate::support::site::Ran;
use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_change};

/// A plugin `mine` that is given up on soon, and never put aside.
const CONFIGURATION: &str = "[plugins]
samples = false
[plugins.mine]
quarantine = false
delivery = { attempts = 2, pause = \"1ms\" }";

fn on(site: &Site, server: &Server, arguments: &[&str]) -> Ran {
    site.run_on_data(&[&["events"], arguments, &["--url", server.url()]].concat())
}

#[track_caller]
fn dead(server: &Server, count: usize) -> Vec<Value> {
    server.until("it is a dead letter", |server| server.events("?state=dead").len() == count);
    server.events("?state=dead")
}

#[test]
fn a_dead_letter_is_delivered_by_the_upgraded_plugin() {
    let site = Site::new(CONFIGURATION).with("fixed.wasm", sample("catalog-logger"));
    let server = site.serve();
    server.install("", sample("test-course-length")).json(201);
    server.post_event(&catalog_change(COURSE)).json(202);
    let letter = dead(&server, 1).remove(0);
    assert_eq!((&letter["type"], &letter["course"]), (&json!(CATALOG_INFO), &json!(COURSE)), "{letter}");
    server.logs(1, &["WARN", "dead letter", "plugin=\"mine\""]);

    let listed = on(&site, &server, &["list", "--state", "dead"]).exits(0);
    listed.prints(&["content_authoring.course.catalog_info.changed.v1", "mine", "dead", "attempts"]);
    let number = letter["event"].to_string();
    let shown = on(&site, &server, &["show", &number]).exits(0);
    shown.prints(&["mine: dead (attempts), 2 attempts", "failed (trap)", "release 1", COURSE]);
    shown.prints(&["it said: panicked at", "a course has an end", "at test_course_length::lasts"]);
    let id = letter["id"].as_str().unwrap();
    let in_full = on(&site, &server, &["show", id, "--json"]).exits(0).json();
    let history = in_full["deliveries"][0]["history"].as_array().unwrap();
    assert_eq!(history.len(), 2, "{in_full}");
    for (at, attempt) in history.iter().enumerate() {
        assert_eq!(
            (&attempt["number"], &attempt["outcome"]),
            (&json!(at + 1), &json!("failed")),
            "{attempt}"
        );
        assert_eq!((&attempt["code"], &attempt["release"]), (&json!("trap"), &json!(1)), "{attempt}");
        assert!(attempt["report"]["message"].as_str().unwrap().contains("unreachable"), "{attempt}");
        assert!(attempt["digest"].as_str().unwrap().starts_with("sha256:"), "{attempt}");
    }
    assert_eq!(in_full["data"]["catalog_info"]["course_key"], COURSE);

    on(&site, &server, &["retry", "--plugin", "mine", "--dry-run"]).exits(0).prints(&["1 delivery would be"]);
    assert_eq!(dead(&server, 1).len(), 1, "a dry run changes nothing");
    let upgraded =
        site.run_on_data(&["plugin", "install", "fixed.wasm", "--name", "mine", "--url", server.url()]);
    upgraded.exits(0).prints(&["mine: release 2 (1.0.0) is live"]);
    on(&site, &server, &["retry", "--plugin", "mine"])
        .exits(0)
        .prints(&["1 delivery waits for delivery again"]);
    server.logs(1, &[&format!("{COURSE} has been updated!")]);
    server.until("it is delivered", |server| server.events("?state=delivered").len() == 1);
    let delivery = &server.events("")[0]["deliveries"][0];
    assert_eq!((&delivery["attempts"], &delivery["release"]), (&json!(3), &json!(2)), "{delivery}");
    on(&site, &server, &["list", "--state", "dead"]).exits(0).prints(&["no event matches"]);
    on(&site, &server, &["summary"]).exits(0).prints(&["mine", "enabled", "1 done"]);
    let entry = &server.get("/admin/api/audit?plugin=mine&limit=1").json(200)["entries"][0];
    assert_eq!((&entry["action"], &entry["outcome"]), (&json!("retry-events"), &json!("done")), "{entry}");
    assert_eq!(entry["detail"]["changed"], 1, "{entry}");
}

#[test]
fn a_rejected_event_is_a_dead_letter_at_once_and_may_be_discarded() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", rejecting_receiver()).json(201);
    server.post_event(&catalog_change(COURSE)).json(202);
    let letter = dead(&server, 1).remove(0);
    let delivery = &letter["deliveries"][0];
    assert_eq!((&delivery["attempts"], &delivery["reason"]), (&json!(1), &json!("rejected")), "{letter}");
    let number = letter["event"].to_string();
    on(&site, &server, &["show", &number]).exits(0).prints(&["rejected", "finished"]);
    on(&site, &server, &["discard", &number, "--plugin", "mine"])
        .exits(0)
        .prints(&["1 delivery is discarded"]);
    on(&site, &server, &["discard", &number]).exits(0).prints(&["no delivery matches"]);
    on(&site, &server, &["retry", &number]).exits(0).prints(&["no delivery matches"]);
    let elsewhere = site.run_on_data(&["events", "list", "--url", "localhost"]).exits(1);
    elsewhere.explains(&["--url \"localhost\"", "such as http://127.0.0.1:8000"]);
    on(&site, &server, &["list", "--type", "org.openedx.*"]).exits(1).explains(&["400", "no whole type"]);
    on(&site, &server, &["retry", "4711"]).exits(1).explains(&["404", "no event 4711 is kept"]);
    // It can be taken back.
    on(&site, &server, &["retry", &number, "--state", "discarded"]).exits(0).prints(&["1 delivery waits"]);
    assert_eq!(dead(&server, 1)[0]["deliveries"][0]["attempts"], 2);
}

#[test]
fn what_waits_for_a_plugin_that_goes_is_a_dead_letter() {
    let site = Site::new(CONFIGURATION.replace("1ms", "1h").as_str());
    let server = site.serve();
    server.install("", trapping_receiver()).json(201);
    server.post_event(&catalog_change(COURSE)).json(202);
    server.until_failed_once(1);
    server.change("disable", &json!({})).json(200);
    assert_eq!(server.events("?state=open").len(), 1, "it waits for a plugin that is disabled");
    server.remove();
    let letter = dead(&server, 1).remove(0);
    assert_eq!(letter["deliveries"][0]["reason"], "plugin-removed", "{letter}");
}

#[test]
fn an_idle_data_folder_is_looked_at_and_repaired_too() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", trapping_receiver()).json(201);
    server.post_event(&catalog_change(COURSE)).json(202);
    dead(&server, 1);
    server.stop();
    let here = |arguments: &[&str]| site.run_on_data(&[&["events"], arguments].concat());
    here(&["list"]).exits(0).prints(&["mine", "dead"]);
    here(&["show", "1"]).exits(0).prints(&["event 1:", "failed (trap)"]);
    assert_eq!(here(&["summary", "--json"]).exits(0).json()["receivers"][0]["dead"], 1);
    here(&["replay", "--plugin", "mine", "--all"])
        .exits(1)
        .explains(&["no server uses", "a replay needs one"]);
    here(&["retry", "--plugin", "mien"]).exits(1).explains(&["did you mean mine?"]);
    here(&["retry"]).exits(1).explains(&["say which", "--all"]);
    here(&["retry", "--plugin", "mine"]).exits(0).prints(&["1 delivery waits"]);
    // The next server tries it again.
    let server = site.serve();
    assert_eq!(dead(&server, 1)[0]["deliveries"][0]["attempts"], 4);
}
