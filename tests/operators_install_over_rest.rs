//! `/admin/api/` installs, upgrades, rolls back and removes plugins while the server runs; what fails changes nothing.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::guest::{answering, written};
use crate::support::http::Answer;
use crate::support::raw;
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

const WASM: (&str, &str) = ("content-type", "application/wasm");
const JSON: (&str, &str) = ("content-type", "application/json");
const MINE: &str = "/admin/api/plugins/mine";

/// A server without the samples.
fn server() -> Server {
    Site::new("[plugins]\nsamples = false").serve()
}

#[track_caller]
fn put(server: &Server, path: &str, component: &[u8]) -> Answer {
    server.send("PUT", path, &[WASM], component)
}

#[track_caller]
fn post(server: &Server, action: &str, body: &Value) -> Answer {
    server.send("POST", &format!("{MINE}/{action}"), &[JSON], body.to_string())
}

/// What the filter's url becomes; as it was where no plugin takes it.
#[track_caller]
fn url(server: &Server) -> String {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    answer["kwargs"]["url"].as_str().unwrap().to_owned()
}

#[track_caller]
fn generation(answer: &Answer) -> u64 {
    answer.header("hookbox-generation").parse().unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn a_plugin_is_installed_upgraded_rolled_back_and_removed_while_the_server_runs() {
    let server = server();
    assert_eq!(url(&server), OLD_URL);

    let new = put(&server, MINE, &answering("one"));
    let changed = new.json(201);
    assert_eq!((&changed["outcome"], &changed["release"]), (&json!("live"), &json!(1)), "{changed}");
    assert_eq!(new.header("location"), MINE);
    assert_eq!(new.header("etag"), format!("\"{}\"", changed["plugin"]["revision"]));
    assert_eq!(changed["generation"], generation(&new));
    assert_eq!(url(&server), "one");

    let again = put(&server, MINE, &answering("one"));
    assert_eq!(again.json(200)["outcome"], "unchanged");
    assert_eq!(generation(&again), generation(&new), "nothing new, no new generation");

    let upgraded = put(&server, MINE, &answering("two"));
    assert_eq!(upgraded.json(200)["release"], 2);
    assert!(generation(&upgraded) > generation(&new));
    let answered = server.filter(ABOUT_URL, &about(OLD_URL));
    assert_eq!(answered.json(200)["kwargs"]["url"], "two");
    assert_eq!(generation(&answered), generation(&upgraded));

    assert_eq!(post(&server, "rollback", &json!({})).json(200)["release"], 1);
    assert_eq!(url(&server), "one");
    assert_eq!(post(&server, "activate", &json!({"release": 2})).json(200)["release"], 2);
    assert_eq!(url(&server), "two");
    let shown = server.get(MINE).json(200);
    let digest = shown["releases"][1]["digest"].as_str().unwrap()[..20].to_owned();
    assert_eq!(post(&server, "activate", &json!({"release": digest})).json(200)["release"], 1);
    assert_eq!(server.get(&format!("{MINE}/releases/{digest}")).json(200)["state"], "live");

    assert_eq!(post(&server, "disable", &json!({})).json(200)["outcome"], "disabled");
    assert_eq!(url(&server), OLD_URL);
    let while_disabled = put(&server, MINE, &answering("three")).json(202);
    assert_eq!(while_disabled["outcome"], "checked", "{while_disabled}");
    assert_eq!(url(&server), OLD_URL);
    assert_eq!(post(&server, "enable", &json!({})).json(200)["outcome"], "live");
    assert_eq!(url(&server), "one");

    assert_eq!(server.send("DELETE", MINE, &[], "").json(200)["outcome"], "removed");
    assert_eq!(url(&server), OLD_URL);
    assert_eq!(put(&server, MINE, &answering("one")).json(201)["outcome"], "live", "its name is free again");
}

#[test]
fn a_release_that_fails_admission_leaves_the_old_one_serving_and_says_why() {
    let server = server();
    put(&server, MINE, &answering("one")).json(201);
    let mut damaged = answering("two");
    let half = damaged.len() / 2;
    for bad in [&b"no component"[..], &damaged[..half], b""] {
        let refused = put(&server, MINE, bad).problem(422, "release-rejected");
        assert!(refused["report"].is_object() && refused["release"].is_u64(), "{refused}");
        assert_eq!(url(&server), "one");
        let shown = server.get(MINE).json(200);
        assert_eq!((&shown["state"], &shown["attention"]["state"]), (&json!("live"), &json!("rejected")));
        let path = format!("{MINE}/releases/{}", refused["release"]);
        let release = server.get(&path).json(200);
        assert_eq!((&release["state"], &release["report"]), (&json!("rejected"), &refused["report"]));
    }
    damaged[half] ^= 0xff;
    put(&server, MINE, &damaged);
    put(&server, MINE, &answering("two")).json(200);
    assert_eq!(url(&server), "two");
    assert_eq!(server.get(MINE).json(200)["attention"], Value::Null, "a good one came");
    assert!(server.metric("hookbox_uploads_total", &[("result", "release-rejected")]) >= 3.0);
    assert!(server.metric("hookbox_uploads_total", &[("result", "live")]) >= 2.0);
}

#[test]
fn a_name_that_leads_elsewhere_is_none() {
    let server = server();
    for name in ["..%2Fx", "..", "%2E%2E", "A", "a_b", "-a", "a%00", &"a".repeat(64)] {
        let headers = [("content-type", "application/wasm"), ("authorization", server.operator())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let path = format!("/admin/api/plugins/{name}");
        let answer = raw::exchange(server.address(), "PUT", &path, &headers, Some(b"x"));
        assert_eq!(answer.json(400)["code"], "plugin-name", "{name}");
    }
    assert_eq!(server.get("/admin/api/plugins").json(200)["plugins"], json!([]));
    put(&server, "/admin/api/plugins/nobody/lift", b"").problem(405, "method-not-allowed");
}

#[test]
fn what_is_sent_must_be_what_was_meant() {
    let server = server();
    let component = answering("one");
    let wrong = format!("{MINE}?sha256={}", "0".repeat(64));
    put(&server, &wrong, &component).problem(422, "digest-mismatch");
    assert_eq!(url(&server), OLD_URL);
    let kept = put(&server, &format!("{MINE}?then=keep"), &component).json(200);
    assert_eq!(kept["outcome"], "checked", "{kept}");
    let digest = kept["plugin"]["releases"][0]["digest"].as_str().unwrap().to_owned();
    put(&server, &format!("{MINE}?sha256={digest}"), &component);
    assert_eq!(url(&server), "one");

    for (path, code) in [
        (format!("{MINE}?then=sometime"), "bad-query"),
        (format!("{MINE}?percent=5"), "bad-query"),
        (format!("{MINE}?then=canary&percent=0"), "bad-query"),
        (format!("{MINE}?sha265=ab"), "bad-query"),
    ] {
        put(&server, &path, &component).problem(400, code);
    }
    let json = server.send("PUT", MINE, &[JSON], "{}");
    json.problem(415, "unsupported-media-type");
    let large = [WASM, ("content-length", "67108865"), ("authorization", server.operator())];
    let large = large.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let refused = raw::exchange(server.address(), "PUT", MINE, &large, None);
    assert_eq!(refused.status, 413, "{refused:?}");
}

#[test]
fn a_form_brings_recorded_cases_along() {
    let server = server();
    let form = |parts: &[(&str, &[u8])]| {
        let mut body = Vec::new();
        for (name, content) in parts {
            let head =
                format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b--\r\n");
        server.send("PUT", MINE, &[("content-type", "multipart/form-data; boundary=b")], body)
    };
    let component = answering("one");
    form(&[("cases", b"{}")]).problem(400, "bad-form");
    form(&[("component", &component), ("more", b"1")]).problem(400, "bad-form");
    let alone = form(&[("component", &component)]).json(201);
    assert_eq!(alone["plugin"]["releases"][0]["cases"], false);
    let refused = form(&[("component", &answering("two")), ("cases", b"no JSON")]);
    assert!([400, 422].contains(&refused.status), "{refused:?}");
    assert_eq!(url(&server), "one");
}

#[test]
fn two_operators_do_not_overwrite_each_other() {
    let server = server();
    let first = put(&server, MINE, &answering("one"));
    let seen = first.header("etag").to_owned();
    assert_eq!(server.get(MINE).header("etag"), seen);
    let with =
        |tag: &str, method: &str, path: &str| server.send(method, path, &[JSON, ("if-match", tag)], "{}");
    with(&seen, "POST", &format!("{MINE}/disable")).json(200);
    let late = with(&seen, "POST", &format!("{MINE}/enable")).problem(412, "precondition-failed");
    assert!(late["revision"].is_u64(), "{late}");
    assert_eq!(url(&server), OLD_URL, "the second did nothing");
    let upload = server.send("PUT", MINE, &[WASM, ("if-match", &seen)], answering("two"));
    upload.problem(412, "precondition-failed");
    with("7", "POST", &format!("{MINE}/enable")).problem(400, "bad-precondition");
    with("*", "POST", &format!("{MINE}/enable")).json(200);
    with("*", "PUT", "/admin/api/plugins/other").problem(412, "precondition-failed");

    let list = server.get("/admin/api/plugins");
    let known = server.send("GET", "/admin/api/plugins", &[("if-none-match", list.header("etag"))], "");
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    post(&server, "disable", &json!({})).json(200);
    let changed = server.send("GET", "/admin/api/plugins", &[("if-none-match", list.header("etag"))], "");
    assert_eq!(changed.json(200)["plugins"][0]["state"], "disabled");
}

#[test]
fn what_cannot_be_is_told_with_its_code() {
    let server = server();
    post(&server, "activate", &json!({"release": 1})).problem(404, "unknown-plugin");
    put(&server, MINE, &answering("one")).json(201);
    post(&server, "activate", &json!({"release": 9})).problem(404, "unknown-release");
    post(&server, "activate", &json!({})).problem(422, "bad-body");
    post(&server, "activate", &json!({"release": 0})).problem(422, "bad-body");
    server.send("POST", &format!("{MINE}/activate"), &[JSON], "{").problem(400, "invalid-json");
    let plain = [("content-type", "text/plain")];
    server.send("POST", &format!("{MINE}/activate"), &plain, "{}").problem(415, "unsupported-media-type");
    server.send("POST", &format!("{MINE}/promote"), &[], "").problem(409, "plugin-state");
    server.get(&format!("{MINE}/releases/9")).problem(404, "unknown-release");
    server.get(&format!("{MINE}/releases/0")).problem(400, "bad-path");
    let mistyped = server.get("/admin/api/plugins/mien").problem(404, "unknown-plugin");
    assert_eq!(mistyped["nearest"], "mine");
    server.send("DELETE", &format!("{MINE}?rows=all"), &[], "").problem(400, "bad-query");
    assert_eq!(url(&server), "one");
}

#[test]
fn a_release_that_wants_more_than_it_is_granted_waits_for_a_yes() {
    let server = server();
    let waits = put(&server, MINE, &written("key-value")).json(202);
    assert_eq!(waits["outcome"], "needs-approval", "{waits}");
    let attention = &waits["plugin"]["attention"];
    assert_eq!(attention["state"], "needs-approval");
    assert!(attention["reason"].as_str().unwrap().contains("keyvalue"), "{attention}");
    let approved = post(&server, "approve", &json!({"grants": ["keyvalue"]})).json(200);
    assert_eq!(approved["outcome"], "live", "{approved}");
    assert_eq!(approved["plugin"]["approved"], json!(["keyvalue"]));
    post(&server, "approve", &json!({"grants": ["keyvalue"]}));
    post(&server, "approve", &json!({"grants": ["everything"]})).problem(400, "bad-request");
}

#[test]
fn a_trial_begins_is_promoted_or_ends() {
    let server = server();
    put(&server, MINE, &answering("one")).json(201);
    let tried = put(&server, &format!("{MINE}?then=shadow&values=true"), &answering("two")).json(202);
    assert_eq!((&tried["outcome"], &tried["plugin"]["trial"]["release"]), (&json!("trial"), &json!(2)));
    assert_eq!(url(&server), "one");
    server.until("the shadow is compared", |server| {
        server.get(MINE).json(200)["trial"]["counts"]["different"].as_u64() > Some(0)
    });
    server.send("DELETE", &format!("{MINE}/trial"), &[], "").json(200);
    assert_eq!(server.get(MINE).json(200)["trial"], Value::Null);
    let again = json!({"release": 2, "kind": "canary", "percent": 100});
    assert_eq!(post(&server, "trial", &again).json(200)["outcome"], "trial");
    assert_eq!(url(&server), "two");
    assert_eq!(post(&server, "promote", &json!({})).json(200)["release"], 2);
    assert_eq!(server.get(MINE).json(200)["release"], 2);
}

#[test]
fn every_change_is_in_the_audit_trail_with_who_made_it() {
    let server = server();
    put(&server, MINE, &answering("one")).json(201);
    put(&server, MINE, b"no component").problem(422, "release-rejected");
    post(&server, "disable", &json!({})).json(200);
    put(&server, "/admin/api/plugins/other", &answering("two")).json(201);
    let trail = server.get("/admin/api/audit?plugin=mine").json(200);
    let entries = trail["entries"].as_array().unwrap();
    assert!(entries.len() >= 3, "{trail}");
    assert!(entries.iter().all(|entry| entry["actor"] == "operator" && entry["plugin"] == "mine"), "{trail}");
    assert_eq!(entries[0]["action"], "disable", "the latest first");
    assert!(entries[0]["at"].as_str().unwrap().ends_with('Z'));
    assert!(entries.iter().any(|entry| entry["outcome"] == "rejected"), "{trail}");
    assert_eq!(trail["next"], Value::Null);

    let page = server.get("/admin/api/audit?limit=1").json(200);
    assert_eq!(page["entries"][0]["plugin"], "other");
    let next = server.get(&format!("/admin/api/audit?limit=1&before={}", page["next"])).json(200);
    assert_eq!(next["entries"][0], entries[0]);
    for query in ["limit=0", "limit=501", "before=x", "plguin=mine"] {
        server.get(&format!("/admin/api/audit?{query}")).problem(400, "bad-query");
    }
}

#[test]
fn the_configuration_is_read_again_whole_or_not_at_all() {
    let site = Site::new("[plugins]\nsamples = false\n[plugins.mine]\ncomponent = \"one.wasm\"")
        .with("one.wasm", answering("one"))
        .with("two.wasm", answering("two"));
    let server = site.serve();
    assert_eq!(url(&server), "one");
    let before = server.get("/hooks/").json(200)["generation"].as_u64();

    let two =
        "[server]\nbody = \"2MiB\"\n[plugins]\nsamples = false\n[plugins.mine]\ncomponent = \"two.wasm\"";
    let site = site.with("hookbox.toml", two);
    let reload = |query: &str| server.send("POST", &format!("/admin/api/reload{query}"), &[], "");
    let dry = reload("?dry_run=true").json(200);
    assert_eq!(dry["plugins"][0]["plugin"], "mine", "{dry}");
    assert_eq!((dry.get("generation"), &dry["needs_restart"]), (None, &json!(["server.body"])));
    assert_eq!(url(&server), "one", "a dry run changes nothing");

    let site = site
        .with("hookbox.toml", "[plugins.mine]\ncomponent = \"gone.wasm\"\n[plugins.x]\nlimits.time = \"0s\"");
    let refused = reload("").problem(422, "configuration");
    assert!(!refused["mistakes"].as_array().unwrap().is_empty(), "{refused}");
    assert_eq!(url(&server), "one");
    server.signal("HUP");
    server.logs(1, &["ERROR", "the configuration is not taken"]);
    assert_eq!(server.get("/hooks/").json(200)["generation"].as_u64(), before);

    let site = site.with("hookbox.toml", two);
    let done = reload("");
    assert_eq!(done.json(200)["generation"], generation(&done));
    assert_eq!(url(&server), "two");

    drop(site.with("hookbox.toml", "[plugins]\nsamples = false"));
    server.signal("HUP");
    server.until("the plugin goes with its table", |server| url(server) == OLD_URL);
    server.logs(2, &["INFO", "the configuration is read again"]);
    reload("?dry_run=perhaps").problem(400, "bad-query");
}

#[test]
fn an_upload_that_is_cut_off_changes_nothing() {
    let server = server();
    put(&server, MINE, &answering("one")).json(201);
    let component = answering("two");
    let mut request = format!(
        "PUT {MINE} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-type: application/wasm\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        server.address(),
        server.operator(),
        component.len()
    )
    .into_bytes();
    request.extend_from_slice(&component[..component.len() / 2]);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.write_all(&request).unwrap();
    drop(connection);
    assert_eq!(server.get(MINE).json(200)["releases"].as_array().unwrap().len(), 1);
    assert_eq!(put(&server, MINE, &component).json(200)["release"], 2);
    assert_eq!(url(&server), "two");
}
