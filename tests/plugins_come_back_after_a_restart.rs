//! Whatever stops the server, every plugin is after the next start as it was before, and nothing is compiled again.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::guest::{answering, noted, written};
use crate::support::http;
use crate::support::releases::CONFIGURATION;
use crate::support::site::Ran;
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about, steps};

const FROM_A_FILE: &str = "[plugins]\nsamples = false\n[plugins.mine]\ncomponent = \"mine.wasm\"\n";

/// Posts a change of a plugin.
#[track_caller]
fn change(server: &Server, name: &str, action: &str, body: &Value) {
    let path = format!("/admin/api/plugins/{name}/{action}");
    server.send("POST", &path, &[("content-type", "application/json")], body.to_string()).json(200);
}

/// A server with a plugin in each state that one can be in.
fn all_states(site: &Site) -> Server {
    let server = site.serve();
    for name in ["broken", "canaried", "disabled", "kept", "live", "removed", "shadowed", "wants"] {
        server.install_as(name, "", answering(&format!("{name} at first"))).json(201);
    }
    server.install_as("broken", "", "no component").problem(422, "release-rejected");
    server.install_as("canaried", "?then=canary&percent=0.001", answering("canary")).json(202);
    change(&server, "disabled", "disable", &json!({}));
    server.install_as("kept", "?then=keep", answering("kept")).json(200);
    server.send("DELETE", "/admin/api/plugins/removed", &[], "").json(200);
    let shadow = "?then=shadow&percent=100&calls=9&differences=1&values=true";
    server.install_as("shadowed", shadow, answering("shadow")).json(202);
    server.install_as("wants", "", written("key-value")).json(202);
    // The last to answer: its url tells what is live.
    server.install_as("zoned", "", answering("before")).json(201);
    server.install_as("zoned", "", answering("after")).json(200);
    change(&server, "zoned", "rollback", &json!({}));
    server
}

#[test]
fn every_plugin_is_as_it_was_before_a_kill_and_nothing_is_compiled_again() {
    let site = Site::new(CONFIGURATION);
    let server = all_states(&site);
    let before = server.plugins();
    let generation = server.get("/admin/api/plugins").json(200)["generation"].as_u64().unwrap();
    let state = |name: &str| {
        let plugins = before.as_array().unwrap();
        plugins.iter().find(|plugin| plugin["name"] == name).unwrap()["state"].clone()
    };
    let states = ["broken", "disabled", "removed", "wants"].map(state);
    assert_eq!(states, ["live", "disabled", "removed", "live"]);
    assert!(server.metric("hookbox_compilations_total", &[]) >= 9.0);
    server.kill();

    let server = site.serve();
    assert_eq!(server.plugins(), before);
    assert!(server.get("/admin/api/plugins").json(200)["generation"].as_u64().unwrap() >= generation);
    assert_eq!(server.metric("hookbox_compilations_total", &[]), 0.0);
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(answer["kwargs"]["url"], "before", "a rollback stays: {answer}");
    let names: Vec<&str> = steps(&answer).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["broken", "canaried", "kept", "live", "shadowed", "wants", "zoned"]);

    // What they could do before, they can do still.
    change(&server, "disabled", "enable", &json!({}));
    change(&server, "kept", "activate", &json!({"release": 2}));
    change(&server, "wants", "approve", &json!({}));
    change(&server, "zoned", "activate", &json!({"release": 2}));
    assert_eq!(server.metric("hookbox_compilations_total", &[]), 0.0);
    assert_eq!(server.answered(), "after");
}

#[test]
fn a_start_that_changes_nothing_is_no_change() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", answering("one")).json(201);
    let (audit, tag) = (server.audit(), server.get("/admin/api/plugins/mine").header("etag").to_owned());
    server.kill();
    for _ in 0..2 {
        let server = site.serve();
        assert_eq!(server.audit(), audit);
        assert_eq!(server.get("/admin/api/plugins/mine").header("etag"), tag);
        server.stop();
    }
}

/// A server that is starting. It ends with the test.
struct Starting(Child);

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_server_is_not_ready_before_its_plugins_are() {
    let configuration = format!("{FROM_A_FILE}limits = {{ time = \"10m\" }}");
    let site = Site::new(&configuration).with("mine.wasm", written("loops-while-configured"));
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = address.to_string();
    let mut command = site.command(&["serve", "--listen", &listen, "--data"]);
    command.arg(site.data()).stdout(Stdio::null()).stderr(Stdio::null());
    let starting = Starting(command.spawn().unwrap());
    let get = |path: &str| http::send("GET", &format!("http://{address}{path}"), &[], b"");
    let deadline = Instant::now() + Duration::from_secs(60);
    let healthy = loop {
        match get("/healthz") {
            Ok(answer) => break answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(healthy.status, 200);
    get("/readyz").unwrap().problem(503, "not-ready");
    let operator = format!("JWT {}", site.token(&["--user", "operator", "--staff"]));
    let call = |method: &str, path: &str, body: String| {
        let headers = [("authorization", operator.as_str()), ("content-type", "application/json")];
        http::send(method, &format!("http://{address}{path}"), &headers, body.as_bytes()).unwrap()
    };
    call("POST", &format!("/hooks/filters/{ABOUT_URL}"), about(OLD_URL).to_string()).problem(503, "starting");
    call("GET", "/admin/api/plugins", String::new()).problem(503, "starting");
    drop(starting);

    let server = site.with("mine.wasm", answering("one")).serve();
    assert_eq!((server.get("/readyz").status, server.answered()), (200, "one".to_owned()));
}

#[test]
fn a_file_that_changed_while_no_server_ran_is_taken() {
    let site = Site::new(&format!(
        "[plugins]\nsamples = false\nfolder = \"plugins\"\nsettle = \"1ms\"\n\
         [plugins.mine]\ncomponent = \"mine.wasm\"\n\
         [filters.\"{ABOUT_URL}\"]\npipeline = [\"mine\"]\n\
         [filters.second]\nlike = \"{ABOUT_URL}\"\npipeline = [\"dropped\"]\n"
    ));
    fs::create_dir(site.path().join("plugins")).unwrap();
    let site = site.with("mine.wasm", answering("one")).with("plugins/dropped.wasm", answering("first"));
    let both = |server: &Server| {
        let second = server.filter("second", &about(OLD_URL)).json(200);
        (server.answered(), second["kwargs"]["url"].as_str().unwrap().to_owned())
    };
    let server = site.serve();
    assert_eq!(both(&server), ("one".to_owned(), "first".to_owned()));
    server.kill();

    let site = site.with("mine.wasm", answering("two")).with("plugins/dropped.wasm", answering("later"));
    let server = site.serve();
    assert_eq!(both(&server), ("two".to_owned(), "later".to_owned()));
    let mine = server.mine();
    let source = &mine["releases"][0]["source"];
    assert_eq!((&mine["release"], source), (&json!(2), &json!("configuration")), "{mine}");
    // A rollback by hand is not undone by files that stayed as they were.
    for plugin in ["mine", "dropped"] {
        change(&server, plugin, "rollback", &json!({}));
    }
    server.kill();
    assert_eq!(both(&site.serve()), ("one".to_owned(), "first".to_owned()));
}

#[test]
fn a_broken_file_leaves_what_was_live_and_says_why() {
    let site = Site::new(FROM_A_FILE).with("mine.wasm", answering("one"));
    site.serve().kill();
    let site = site.with("mine.wasm", "no component");
    // Each start looks at it again.
    for _ in 0..2 {
        let server = site.serve();
        assert_eq!((server.get("/readyz").status, server.answered()), (200, "one".to_owned()));
        server.logs(1, &["WARN", "mine.wasm is not taken, the release that was live goes on"]);
        let mine = server.mine();
        assert_eq!((&mine["state"], &mine["release"]), (&json!("live"), &json!(1)), "{mine}");
        let attention = &mine["attention"];
        assert_eq!((&attention["release"], &attention["state"]), (&json!(2), &json!("rejected")), "{mine}");
        assert!(attention["reason"].as_str().unwrap().contains("no WebAssembly"), "{mine}");
        server.kill();
    }

    let server = site.clone().with("mine.wasm", written("key-value")).serve();
    assert_eq!(server.answered(), "one");
    assert_eq!(server.mine()["attention"]["state"], "needs-approval", "{}", server.mine());
    server.kill();

    fs::remove_file(site.path().join("mine.wasm")).unwrap();
    let server = site.serve();
    assert_eq!(server.answered(), "one");
    server.logs(1, &["WARN", "mine.wasm", "the release that was live goes on"]);
    server.kill();

    let server = site.with("mine.wasm", answering("mended")).serve();
    assert_eq!((server.answered(), &server.mine()["attention"]), ("mended".to_owned(), &Value::Null));
}

#[test]
fn a_release_that_is_lost_is_put_aside_and_the_rest_serves() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", answering("one")).json(201);
    server.install_as("other", "", answering("other")).json(201);
    let digest = server.mine()["releases"][0]["digest"].as_str().unwrap()["sha256:".len()..].to_owned();
    server.kill();
    lose(&site, &digest);

    let server = site.serve();
    assert_eq!((server.get("/readyz").status, server.answered()), (200, "other".to_owned()));
    let mine = server.mine();
    assert_eq!(
        (&mine["state"], &mine["releases"][0]["state"]),
        (&json!("quarantined"), &json!("quarantined")),
        "{mine}"
    );
    assert!(!mine["attention"]["reason"].as_str().unwrap().is_empty(), "{mine}");
    let list: Ran = site.run_on_data(&["plugin", "list", "--url", server.url()]).exits(0);
    list.prints(&["mine", "quarantined", "other"]);
    server.install("", answering("one")).json(200);
    assert_eq!(server.mine()["state"], "live");
    server.install("", noted(answering("one"), 1)).json(200);
}

#[test]
fn a_trial_whose_release_is_lost_ends_and_the_live_one_serves() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", answering("one")).json(201);
    server.install("?then=canary&percent=100", answering("two")).json(202);
    let digest = server.mine()["releases"][0]["digest"].as_str().unwrap()["sha256:".len()..].to_owned();
    server.kill();
    lose(&site, &digest);

    let server = site.serve();
    assert_eq!((server.answered(), &server.mine()["trial"]), ("one".to_owned(), &Value::Null));
    server.logs(1, &["WARN", "plugins.mine: its trial ends"]);
    let entry = &server.audit()[0];
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("hookbox"), &json!("end-trial")), "{entry}");
}

#[test]
fn a_release_that_is_tried_may_be_deployed_in_a_file() {
    let site = Site::new(FROM_A_FILE).with("mine.wasm", answering("one"));
    let server = site.serve();
    server.install("?then=shadow", answering("two")).json(202);
    server.kill();
    let site = site.with("mine.wasm", answering("two"));
    let server = site.serve();
    assert_eq!((server.answered(), &server.mine()["trial"]), ("two".to_owned(), &Value::Null));

    // The same while the server runs, with a release that was live before.
    server.change("trial", &json!({"release": 1, "kind": "shadow", "percent": 100})).json(200);
    let _site = site.with("mine.wasm", answering("one"));
    server.send("POST", "/admin/api/reload", &[], "").json(200);
    let mine = server.mine();
    assert_eq!((server.answered(), &mine["trial"]), ("one".to_owned(), &Value::Null));
    assert_eq!((&mine["release"], mine["releases"].as_array().unwrap().len()), (&json!(1), 2), "{mine}");
}

#[test]
fn what_is_granted_while_no_server_runs_counts_at_the_next_start() {
    let grants = "grants = [\"keyvalue\"]\n";
    let limits = "limits = { time = \"30s\" }\n";
    let without = format!("{FROM_A_FILE}{limits}");
    let site = Site::new(&without).with("mine.wasm", answering("one"));
    site.serve().kill();
    let site = site.with("mine.wasm", written("key-value"));
    let server = site.serve();
    assert_eq!(server.answered(), "one");
    assert_eq!(server.mine()["attention"]["state"], "needs-approval");
    server.kill();

    let site = site.with("hookbox.toml", format!("{without}{grants}"));
    let server = site.serve();
    assert_eq!((server.moved("get||key"), &server.mine()["release"]), ("none".to_owned(), &json!(2)));
    server.kill();

    // Without its grant it cannot come back.
    let site = site.with("hookbox.toml", &without);
    let server = site.serve();
    assert_eq!((server.get("/readyz").status, server.answered()), (200, OLD_URL.to_owned()));
    let attention = server.mine()["attention"].take();
    assert_eq!(attention["state"], "quarantined", "{attention}");
    assert!(attention["reason"].as_str().unwrap().contains("keyvalue"), "{attention}");
    server.kill();

    let server = site.with("hookbox.toml", format!("{without}{grants}")).serve();
    assert_eq!((server.moved("get||key"), &server.mine()["attention"]), ("none".to_owned(), &Value::Null));
}

/// Takes every file away that has this digest in its name.
fn lose(site: &Site, digest: &str) {
    let mut folders = vec![site.data()];
    let mut lost = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(digest) {
                fs::remove_file(path).unwrap();
                lost += 1;
            }
        }
    }
    assert!(lost > 0, "no file of {digest}");
}
