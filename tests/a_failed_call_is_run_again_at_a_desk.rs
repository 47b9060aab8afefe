//! A call that failed on the server is kept as a file, without what is personal, and runs again with the command: it fails
//! as it did, and with another build one sees whether that takes it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::guest::{mended_witness, noted, sample, trapping_receiver, written};
use crate::support::{ABOUT_URL, CATALOG_INFO, COURSE, ENROLLMENT, Server, Site, about, catalog_info, event};

const ID: &str = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";

/// A plugin that looks at clocks, random bytes and its rows, and dies.
fn witness(failed_calls: &str) -> Site {
    let configuration = format!(
        "[failed_calls]\n{failed_calls}\n
         [plugins.witness]\ncomponent = \"witness.wasm\"\ngrants = [\"keyvalue\"]
         settings = {{ api_key = \"sw0rdfish\", colour = \"red\" }}\nlimits = {{ time = \"60s\" }}
         quarantine = false\n[filters.\"{ABOUT_URL}\"]\nfail_silently = false"
    );
    Site::new(&configuration).with("witness.wasm", written("witness"))
}

/// The kept calls, when there are so many.
fn kept(server: &Server, count: usize) -> Vec<Value> {
    let calls = || server.get("/admin/api/failed-calls").json(200)["calls"].as_array().unwrap().clone();
    server.until("the calls are kept", |_| calls().len() >= count);
    calls()
}

fn file(site: &Site, name: &Value) -> PathBuf {
    site.data().join("failed-calls").join(name.as_str().unwrap())
}

#[test]
fn it_fails_as_it_did_and_another_build_takes_it() {
    let site = witness("keep = 5").with("mended.wasm", mended_witness());
    let server = site.serve();
    let url = "https://lms.example.com/about?email=ada@example.com";
    server.filter(ABOUT_URL, &about(url)).problem(502, "step-failed");
    let problem = server.filter(ABOUT_URL, &about(url)).problem(502, "step-failed");
    let calls = kept(&server, 2);
    let name = &calls[0]["name"];
    assert_eq!(problem["steps"][0]["replay"], *name, "{problem}");
    server.logs(1, &["step failed", "replay=", name.as_str().unwrap()]);
    let call = &calls[0];
    assert_eq!((&call["plugin"], &call["code"]), (&json!("witness"), &json!("trap")));
    assert_eq!((&call["hook"]["type"], &call["hook"]["kind"]), (&json!(ABOUT_URL), &json!("filter")));

    let path = file(&site, name);
    let text = std::fs::read_to_string(&path).unwrap();
    let fetched = server.get(&format!("/admin/api/failed-calls/{}", name.as_str().unwrap()));
    assert_eq!(fetched.json(200), serde_json::from_str::<Value>(&text).unwrap());
    assert!(!text.contains("sw0rdfish") && !text.contains("ada@example.com"), "{text}");
    assert!(text.contains("\"colour\": \"red\"") && text.contains("about?email=redacted"), "{text}");
    server.stop();

    // The desk has neither the server nor its rows: the second call still counts two.
    let path = path.to_str().unwrap();
    let again = site.run_on_data(&["replay", path, "--json"]).exits(0).json();
    assert_eq!((&again["reproduced"], &again["succeeded"]), (&json!(true), &json!(false)));
    assert_eq!(again["outcome"]["report"], again["then"]["report"], "{again}");
    let said = again["outcome"]["report"]["message"].as_str().unwrap();
    assert!(said.ends_with("0200000000000000"), "{said}");
    assert_eq!(again["divergences"], json!([]));
    let told = site.run_on_data(&["replay", path]).exits(0);
    told.prints(&["trap: the plugin trapped", "in         testify", "in         run-filter", "reproduced"]);

    let mended = site.run_on_data(&["replay", path, "--component", "mended.wasm"]).exits(0);
    mended.prints(&["(another one)", "now          proceeded", "succeeds now"]);
    let other = noted(written("witness"), b'x');
    let site = site.with("other.wasm", other).with("logger.wasm", sample("catalog-logger"));
    let still = site.run_on_data(&["replay", path, "--component", "other.wasm"]).exits(1);
    still.prints(&["(another one)", "reproduced"]);
    let without = site.run_on_data(&["replay", path, "--component", "logger.wasm"]).exits(1);
    without.explains(&["does not export openedx:filters/learning-course-about-page-url-requested-v1"]);
}

#[test]
fn a_delivery_is_kept_with_its_event() {
    let configuration = "[failed_calls]\nkeep = 3
         [plugins.receiver]\ncomponent = \"receiver.wasm\"";
    let site = Site::new(configuration).with("receiver.wasm", trapping_receiver());
    let server = site.serve();
    server.post_event(&event(ID, CATALOG_INFO, &catalog_info(COURSE))).json(202);
    let first = || {
        let event = server.get(&format!("/admin/api/events/{ID}")).json(200);
        let deliveries = event["deliveries"].as_array().unwrap().clone();
        deliveries.iter().find(|delivery| delivery["plugin"] == "receiver").unwrap()["history"][0].clone()
    };
    server.until("the attempt is written down", |_| !first().is_null());
    let call = kept(&server, 1).pop().unwrap();
    assert_eq!(first()["report"]["replay"], call["name"]);
    let shown = site.run_on_data(&["events", "show", ID, "--url", server.url()]).exits(0);
    shown.prints(&["failed (trap)", &format!("kept as {}", call["name"].as_str().unwrap())]);
    assert_eq!((&call["hook"]["event"], &call["hook"]["attempt"]), (&json!(ID), &json!(1)));
    server.logs(1, &["kept", call["name"].as_str().unwrap(), ID]);
    let path = file(&site, &call["name"]);
    let told = site.run_on_data(&["replay", path.to_str().unwrap()]).exits(0);
    told.prints(&[CATALOG_INFO, ID, "trap", "reproduced"]);
    // At another desk there is no such component.
    let elsewhere = site.run(&["replay", path.to_str().unwrap()]).exits(1);
    elsewhere.explains(&["neither in", "--component"]);
}

#[test]
fn a_person_s_data_is_not_in_the_file_and_the_call_still_runs() {
    let configuration = format!(
        "[failed_calls]\nkeep = 3\nredact = [\"mode\"]
         [plugins.archiver]\ncomponent = \"archiver.wasm\"\ngrants = [\"archive:write\"]
         limits = {{ time = \"60s\", host_calls = 0 }}\n[filters.\"{ENROLLMENT}\"]\nfail_silently = true"
    );
    let site = Site::new(&configuration).with("archiver.wasm", written("archives-by-mode"));
    let server = site.serve();
    let answer = server.filter(ENROLLMENT, &crate::support::enrollment("a")).json(200);
    assert_eq!(answer["steps"][0]["outcome"], "skipped", "{answer}");
    let call = kept(&server, 1).pop().unwrap();
    assert_eq!((&call["code"], &answer["steps"][0]["replay"]), (&json!("host-calls"), &call["name"]));
    let path = file(&site, &call["name"]);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(kept["arguments"]["user"]["id"], 7);
    for field in ["username", "email"] {
        assert_eq!(kept["arguments"]["user"][field], "redacted", "{kept}");
    }
    assert_eq!((&kept["arguments"]["mode"], &kept["redacted"]), (&json!("redacted"), &json!(3)));
    let ran = site.run_on_data(&["replay", path.to_str().unwrap(), "--json"]);
    assert_eq!(ran.json()["outcome"]["code"], "host-calls", "{ran:?}");
}

#[test]
fn only_the_newest_are_kept_and_only_of_the_plugins_that_are_named() {
    let site = witness("keep = 2\nplugins = [\"witness\"]");
    let server = site.serve();
    let names: Vec<Value> = (0..4)
        .map(|_| {
            let problem = server.filter(ABOUT_URL, &about("x")).problem(502, "step-failed");
            problem["steps"][0]["replay"].clone()
        })
        .collect();
    let listed = || {
        let calls = server.get("/admin/api/failed-calls").json(200)["calls"].as_array().unwrap().clone();
        calls.iter().map(|call| call["name"].clone()).collect::<Vec<_>>()
    };
    let newest: Vec<Value> = names.iter().rev().take(2).cloned().collect();
    server.until("the newest two are listed", |_| listed() == newest);
    assert!(!file(&site, &names[0]).exists());
    let gone = format!("/admin/api/failed-calls/{}", names[0].as_str().unwrap());
    server.get(&gone).problem(404, "unknown-failed-call");

    let others = witness("keep = 2\nplugins = [\"another\"]");
    let server = others.serve();
    let problem = server.filter(ABOUT_URL, &about("x")).problem(502, "step-failed");
    assert_eq!(problem["steps"][0]["replay"], Value::Null);
}

#[test]
fn none_are_kept_unless_an_operator_asks_for_it() {
    let site = witness("");
    let server = site.serve();
    let problem = server.filter(ABOUT_URL, &about("x")).problem(502, "step-failed");
    assert_eq!(problem["steps"][0]["replay"], Value::Null);
    assert_eq!(server.get("/admin/api/failed-calls").json(200), json!({"keep": 0, "calls": []}));
    let problem = server.get("/admin/api/failed-calls/x.json").problem(404, "unknown-failed-call");
    assert!(problem["detail"].as_str().unwrap().contains("failed_calls.keep"), "{problem}");
    assert!(!site.data().join("failed-calls").exists());
    let told = site.run_on_data(&["failed-calls", "--url", server.url()]).exits(0);
    told.prints(&["the server keeps no failed calls"]);
}

#[test]
fn the_command_lists_and_fetches_them() {
    let site = witness("keep = 5");
    let server = site.serve();
    server.filter(ABOUT_URL, &about("x")).problem(502, "step-failed");
    let name = kept(&server, 1)[0]["name"].as_str().unwrap().to_owned();
    let list = site.run_on_data(&["failed-calls", "--url", server.url()]).exits(0);
    list.prints(&[&format!("{name} witness: trap")]);
    let printed = site.run_on_data(&["failed-calls", &name, "--url", server.url()]).exits(0);
    let site = site.with("call.json", &printed.stdout);
    site.run_on_data(&["replay", "call.json"]).exits(0);
    let unknown = site.run_on_data(&["failed-calls", "../x", "--url", server.url()]).exits(1);
    unknown.explains(&["404"]);
    server
        .send("GET", "/admin/api/failed-calls", &[("authorization", "")], "")
        .problem(401, "unauthenticated");
}

#[test]
fn a_file_that_is_none_is_explained() {
    let site = Site::empty().with("text.json", "hello").with("other.json", "{\"format\": \"other/2\"}");
    site.run(&["replay", "text.json"]).exits(1).explains(&["text.json", "no kept call"]);
    site.run(&["replay", "other.json"]).exits(1).explains(&["other/2", "hookbox-call/1"]);
    site.run(&["replay", "nowhere.json"]).exits(1).explains(&["nowhere.json"]);
    let wrong = Site::new("[failed_calls]\nkeep = 5\nredact = [\"*\"]\nsize = \"0B\"");
    let ran = wrong.run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    ran.explains(&["failed_calls.redact", "failed_calls.size"]);
}
