//! A release that wants more than its plugin is granted waits, and what was live goes on, until an operator says yes.

use serde_json::{Value, json};

use crate::support::guest::{answering, noted, written};
use crate::support::{OLD_URL, Server, Site};

const CONFIGURATION: &str = "[plugins]\nsamples = false\n[plugins.mine]\nlimits = { time = \"30s\" }\n";

/// A component that wants rows and traps when it is told its settings.
fn traps_once_it_may() -> Vec<u8> {
    let text = r#"
;; import wasi:keyvalue/store@0.2.0-draft;
;; export hookbox:plugin/lifecycle@1.0.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "hookbox:plugin/lifecycle@1.0.0#configure") (param i32 i32) (result i32) (unreachable))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param i32 i32 i32 i32) (result i32) (i32.const 0)))"#;
    hookbox_hostile::component(text.trim_start()).unwrap()
}

/// A server where `mine` answers with `one`, and this waits to follow it.
fn waiting(wants: Vec<u8>) -> (Site, Server) {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", answering("one")).json(201);
    let waits = server.install("", wants).json(202);
    assert_eq!((&waits["outcome"], &waits["release"]), (&json!("needs-approval"), &json!(2)), "{waits}");
    assert_eq!(server.answered(), "one");
    (site, server)
}

/// The states of the plugin's releases, the newest first.
fn states(plugin: &Value) -> Vec<&str> {
    plugin["releases"].as_array().unwrap().iter().map(|release| release["state"].as_str().unwrap()).collect()
}

#[test]
fn a_release_that_wants_more_waits_and_says_what_it_wants() {
    let (site, server) = waiting(written("key-value"));
    let mine = server.mine();
    assert_eq!((&mine["state"], &mine["release"]), (&json!("live"), &json!(1)), "{mine}");
    assert_eq!(states(&mine), ["needs-approval", "live"]);
    let attention = &mine["attention"];
    assert_eq!((&attention["release"], &attention["state"]), (&json!(2), &json!("needs-approval")), "{mine}");
    let reason = attention["reason"].as_str().unwrap();
    assert_eq!(reason, "it wants what it is not granted: keyvalue");
    assert_eq!(server.plugins()[0]["attention"], *attention);
    let release = server.get("/admin/api/plugins/mine/releases/2").json(200);
    assert_eq!((&release["reason"], &release["report"]["wants"]), (&json!(reason), &json!(["keyvalue"])));
    let entry = &server.audit()[0];
    assert_eq!(
        (&entry["action"], &entry["outcome"]),
        (&json!("install"), &json!("needs-approval")),
        "{entry}"
    );
    assert_eq!(server.metric("hookbox_admissions_total", &[("outcome", "needs-approval")]), 1.0);
    let list = site.run_on_data(&["plugin", "list", "--url", server.url()]).exits(0);
    list.prints(&["mine", "live", "needs approval: release 2", "keyvalue"]);

    // Nobody gets around the yes.
    server.change("activate", &json!({"release": 2})).problem(409, "release-state");
    server
        .change("trial", &json!({"release": 2, "kind": "canary", "percent": 1}))
        .problem(409, "release-state");
    server.install("?then=shadow", noted(written("key-value"), 1)).json(202);
    assert_eq!(server.mine()["trial"], Value::Null);
    assert_eq!(server.answered(), "one");
}

#[test]
fn a_yes_lets_it_live_and_is_remembered_until_the_plugin_goes() {
    let (_site, server) = waiting(written("key-value"));
    let approved = server.change("approve", &json!({})).json(200);
    assert_eq!((&approved["outcome"], &approved["release"]), (&json!("live"), &json!(2)), "{approved}");
    assert_eq!(approved["plugin"]["approved"], json!(["keyvalue"]), "{approved}");
    assert_eq!(server.moved("get||key"), "none");
    let entry = &server.audit()[0];
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("operator"), &json!("approve")), "{entry}");
    assert_eq!(entry["detail"]["grants"], json!(["keyvalue"]), "{entry}");
    server.change("approve", &json!({"release": 1})).problem(409, "release-state");

    let next = server.install("", noted(written("key-value"), 1)).json(200);
    assert_eq!((&next["outcome"], &next["release"]), (&json!("live"), &json!(3)), "{next}");

    assert_eq!(server.remove()["plugin"]["approved"], json!([]));
    let again = server.install("", written("key-value")).json(202);
    assert_eq!(again["outcome"], "needs-approval", "{again}");
    assert_eq!(server.moved(OLD_URL), OLD_URL);
    server.change("approve", &json!({})).json(200);
    assert_eq!(server.moved("get||key"), "none");
}

#[test]
fn the_grant_in_the_configuration_lets_it_live_too() {
    let (site, server) = waiting(written("key-value"));
    let reload = |server: &Server| server.send("POST", "/admin/api/reload", &[], "").json(200);
    reload(&server);
    assert_eq!(states(&server.mine()), ["needs-approval", "live"]);
    assert_eq!(server.answered(), "one");

    let _site = site.with("hookbox.toml", format!("{CONFIGURATION}grants = [\"keyvalue\"]"));
    reload(&server);
    let mine = server.mine();
    assert_eq!((&mine["release"], &mine["attention"]), (&json!(2), &Value::Null), "{mine}");
    assert_eq!(states(&mine), ["live", "replaced"]);
    assert_eq!(mine["approved"], json!([]), "nobody approved it by hand: {mine}");
    assert_eq!(server.moved("get||key"), "none");
    let entry = &server.audit()[0];
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("operator"), &json!("approve")), "{entry}");
}

#[test]
fn a_yes_to_requests_says_where_to() {
    let (_site, server) = waiting(written("sends-as-told"));
    let approve = |grants: Value| server.change("approve", &json!({"grants": grants}));
    let problem = server.change("approve", &json!({})).problem(400, "bad-request");
    assert!(problem["detail"].as_str().unwrap().contains("http:https://HOST"), "{problem}");
    for (grants, part) in [
        (json!(["http:https://HOST/path"]), "no path"),
        (json!(["everything"]), "archive:read, archive:write, keyvalue"),
        (json!(["keyvalue"]), "it wants more than that: http:"),
    ] {
        let problem = approve(grants.clone()).problem(400, "bad-request");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{grants}: {problem}");
    }
    assert_eq!(states(&server.mine()), ["needs-approval", "live"]);
    assert_eq!((server.answered(), &server.mine()["approved"]), ("one".to_owned(), &json!([])));

    let approved = approve(json!(["http:https://api.example.com"])).json(200);
    assert_eq!(approved["plugin"]["approved"], json!(["http:https://api.example.com"]), "{approved}");
    assert_eq!(server.mine()["release"], 2);
}

#[test]
fn a_yes_to_the_archive_is_as_wide_as_what_is_wanted() {
    let (_site, server) = waiting(written("archives-changed-courses"));
    let reason = server.mine()["attention"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("archive:write"), "{reason}");
    let approve = |grant: &str| server.change("approve", &json!({"grants": [grant]}));
    let problem = approve("archive:read").problem(400, "bad-request");
    assert!(
        problem["detail"].as_str().unwrap().contains("it wants more than that: archive:write"),
        "{problem}"
    );
    let approved = approve("archive:write").json(200);
    assert_eq!(approved["plugin"]["approved"], json!(["archive:write"]), "{approved}");
}

#[test]
fn the_first_release_waits_where_the_configuration_says_so() {
    let site = Site::new("[plugins]\nsamples = false\napprove_first = true");
    let server = site.serve();
    let waits = server.install("", answering("one")).json(202);
    assert_eq!(waits["plugin"]["state"], "needs-approval", "{waits}");
    let reason = waits["plugin"]["attention"]["reason"].as_str().unwrap();
    assert!(reason.contains("approve_first"), "{waits}");
    assert_eq!(server.answered(), OLD_URL);
    server.send("POST", "/admin/api/reload", &[], "").json(200);
    assert_eq!(server.answered(), OLD_URL, "a reload is no yes");
    server.kill();

    let server = site.serve();
    assert_eq!(server.answered(), OLD_URL, "a restart is no yes");
    server.change("approve", &json!({})).json(200);
    assert_eq!(server.answered(), "one");
    server.install("", answering("two")).json(200);
    assert_eq!(server.answered(), "two", "only the first waits");
}

#[test]
fn what_is_approved_and_does_not_start_is_rejected() {
    let (_site, server) = waiting(traps_once_it_may());
    let problem = server.change("approve", &json!({})).problem(422, "release-rejected");
    assert_eq!((&problem["plugin"], &problem["release"]), (&json!("mine"), &json!(2)), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("unreachable"), "{problem}");
    let mine = server.mine();
    assert_eq!(states(&mine), ["rejected", "live"]);
    assert_eq!((&mine["release"], &mine["approved"]), (&json!(1), &json!([])), "{mine}");
    assert_eq!(mine["attention"]["state"], "rejected", "{mine}");
    assert_eq!(server.answered(), "one");
    server.change("approve", &json!({"release": 2})).problem(409, "release-state");
}

#[test]
fn the_command_tells_what_is_wanted_and_says_yes() {
    let site = Site::new(CONFIGURATION)
        .with("one.wasm", answering("one"))
        .with("key-value.wasm", written("key-value"))
        .with("sends.wasm", written("sends-as-told"));
    let server = site.serve();
    let plugin =
        |arguments: &[&str]| site.run_on_data(&[&["plugin"], arguments, &["--url", server.url()]].concat());
    plugin(&["install", "one.wasm", "--name", "mine"]).exits(0);
    let waits = plugin(&["install", "key-value.wasm", "--name", "mine"]).exits(0);
    waits.prints(&["release 2 waits for approval", "keyvalue", "hookbox plugin approve mine"]);
    plugin(&["approve", "mine"]).exits(0).prints(&["release 2 is live"]);
    plugin(&["install", "sends.wasm", "--name", "mine"]).exits(0).prints(&["waits for approval", "http:"]);
    plugin(&["approve", "mine"]).exits(1).explains(&["http:https://HOST"]);
    let origin = "http:https://api.example.com";
    plugin(&["approve", "mine", "--grant", origin]).exits(0).prints(&["release 3 is live"]);
    assert_eq!(server.mine()["approved"], json!(["keyvalue", origin]));
}
