//! A plugin with the grant `keyvalue` keeps rows in the host's database: whole, durable, its own, and within its quota.

use std::thread;

use serde_json::Value;

use crate::support::guest::written;
use crate::support::http::{self, Answer};
use crate::support::{ABOUT_URL, Server, Site, about, steps};

/// A plugin's table with the grant and time enough for a slow disk.
fn table(name: &str, component: &str, limits: &str) -> String {
    format!(
        "[plugins.{name}]\ncomponent = \"{component}.wasm\"\ngrants = [\"keyvalue\"]\n\
         limits = {{ time = \"30s\"{limits} }}\n"
    )
}

/// A site with the plugin that does with its rows what the url says.
fn site(limits: &str) -> Site {
    Site::new(&table("mine", "key-value", limits)).with("key-value.wasm", written("key-value"))
}

/// What comes of an operation.
#[track_caller]
fn told(server: &Server, operation: &str) -> String {
    came(&server.filter(ABOUT_URL, &about(operation)))
}

#[track_caller]
fn came(answer: &Answer) -> String {
    let answer = answer.json(200);
    assert_eq!(answer["steps"][0]["outcome"], "proceeded", "{answer}");
    answer["kwargs"]["url"].as_str().unwrap().to_owned()
}

#[test]
fn counting_at_once_loses_nothing_and_outlives_a_kill() {
    const CLIENTS: usize = 8;
    const CALLS: usize = 50;
    let site = site("");
    let server = site.serve();
    let (url, authorization) =
        (format!("{}/hooks/filters/{ABOUT_URL}", server.url()), server.operator().to_owned());
    let body = about("increment|visits|count|1").to_string();
    let count = || {
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        let sum = |_| came(&http::send("POST", &url, &headers, body.as_bytes()).unwrap()).parse().unwrap();
        (0..CALLS).map(sum).collect::<Vec<usize>>()
    };
    let mut sums: Vec<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(count)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    sums.sort_unstable();
    assert_eq!(sums, (1..=CLIENTS * CALLS).collect::<Vec<_>>(), "each call got a number of its own");

    server.kill();
    let server = site.serve();
    assert_eq!(told(&server, "get|visits|count"), "400");
    assert_eq!(told(&server, "increment|visits|count|1"), "401");
    server.stop();
    site.run_on_data(&["db", "check"]).exits(0).prints(&["sound", "1 rows in key_value"]);
}

#[test]
fn two_plugins_with_the_same_names_do_not_meet() {
    let configuration = table("first", "key-value", "")
        + &table("second", "key-value", "")
        + &format!(
            "[filters.\"{ABOUT_URL}\"]\npipeline = [\"first\"]\n\
             [filters.second]\nlike = \"{ABOUT_URL}\"\npipeline = [\"second\"]\n"
        );
    let site = Site::new(&configuration).with("key-value.wasm", written("key-value"));
    let server = site.serve();
    let second = |operation: &str| came(&server.filter("second", &about(operation)));
    assert_eq!(told(&server, "set|bucket|key|of the first"), "done");
    assert_eq!(second("get|bucket|key"), "none");
    assert_eq!(second("list|bucket|"), "end");
    assert_eq!(second("set|bucket|key|of the second"), "done");
    assert_eq!(second("delete|bucket|key"), "done");
    assert_eq!(told(&server, "get|bucket|key"), "of the first");
}

#[test]
fn without_the_grant_the_server_does_not_start_and_names_it() {
    let site = Site::new("[plugins.mine]\ncomponent = \"key-value.wasm\"");
    let site = site.with("key-value.wasm", written("key-value"));
    let data = site.data();
    let ran = site.run(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]).exits(1);
    ran.explains(&["plugins.mine", "wasi:keyvalue/store", "keyvalue", "grants"]);
    let ran = site.run(&["check", "key-value.wasm"]).exits(0);
    ran.prints(&["needs grants keyvalue", "fits: the host would run it"]);
}

#[test]
fn a_spent_quota_is_told_and_counted() {
    let site = site(", key_value_keys = 2, key_value = \"100B\"");
    let server = site.serve();
    let hits =
        |limit: &str| server.metric("hookbox_limit_hits_total", &[("plugin", "mine"), ("limit", limit)]);
    assert_eq!(told(&server, "Set||a|1|b|2"), "done");
    assert_eq!((hits("key-value-keys"), hits("key-value-bytes")), (0.0, 0.0));
    let refusal = told(&server, "set||c|3");
    assert!(refusal.contains("2 keys allowed, 3 wanted; `limits.key_value_keys`"), "{refusal}");
    let refusal = told(&server, &format!("Set||a|1|b|{}", "x".repeat(100)));
    assert!(refusal.contains("100 bytes allowed, 103 wanted; `limits.key_value`"), "{refusal}");
    assert_eq!((hits("key-value-keys"), hits("key-value-bytes")), (1.0, 1.0));
    assert_eq!(told(&server, "Get||a|b|c"), "a=1,b=2,none,", "what was refused changed nothing");
    assert_eq!(told(&server, "Delete||a|b"), "done");
    assert_eq!(told(&server, "set||c|3"), "done");
}

#[test]
fn what_cannot_be_is_told_and_what_is_too_large_is_not_built() {
    let server = site(", answer = \"64KiB\"").serve();
    for (operation, part) in [
        (format!("get|{}|key", "b".repeat(256)), "no-such-store"),
        ("set|||value".to_owned(), "other: the key is empty"),
        (format!("get||{}", "k".repeat(1_025)), "other: the key has 1025 bytes"),
        ("increment||count|18446744073709551615".to_owned(), "18446744073709551615"),
        ("increment||count|1".to_owned(), "other: the number would be greater than"),
        (format!("set||large|{}", "x".repeat(60_000)), "done"),
        (format!("Get|{}", "|large".repeat(1_000)), "65536 bytes allowed; `limits.answer`"),
        (format!("Get|{}", "|k".repeat(1_001)), "1001 keys at once"),
    ] {
        let said = told(&server, &operation);
        assert!(said.contains(part), "{operation:.60}: {said}");
    }
}

#[test]
fn a_loop_of_calls_ends_with_the_host_calls() {
    let configuration = table("evil", "kv-in-a-loop", ", host_calls = 50")
        + &table("mine", "key-value", "")
        + &format!("[filters.\"{ABOUT_URL}\"]\npipeline = [\"evil\", \"mine\"]");
    let site = Site::new(&configuration)
        .with("kv-in-a-loop.wasm", written("kv-in-a-loop"))
        .with("key-value.wasm", written("key-value"));
    let server = site.serve();
    let answer = server.filter(ABOUT_URL, &about("set||key|value")).json(200);
    assert_eq!(steps(&answer), [("evil", "skipped"), ("mine", "proceeded")], "{answer}");
    assert_eq!(answer["steps"][0]["failure"]["code"], "host-calls", "{answer}");
    assert_eq!(answer["kwargs"]["url"], "done");
}

#[test]
fn filter_run_works_on_the_rows_of_the_server() {
    let site = site("");
    let filter = |operation: &str| {
        let arguments = about(operation).to_string();
        site.run_on_data(&["--json", "filter", "run", ABOUT_URL, "--args", &arguments]).exits(0).json()
    };
    let url = |answer: Value| answer["kwargs"]["url"].as_str().unwrap().to_owned();
    assert_eq!(url(filter("get||key")), "other: there is no key-value store here");
    assert!(!site.data().exists(), "a command without a server leaves nothing behind");

    let server = site.serve();
    assert_eq!(told(&server, "increment||count|1"), "1");
    assert_eq!(url(filter("increment||count|1")), "2", "beside a server");
    server.stop();
    assert_eq!(url(filter("increment||count|1")), "3");
    assert_eq!(told(&site.serve(), "get||count"), "3");
}

#[test]
fn questions_and_checks_leave_the_rows_alone() {
    let site = site("");
    let server = site.serve();
    assert_eq!(told(&server, "set||key|value"), "done");
    server.stop();
    site.run_on_data(&["hooks", "show", ABOUT_URL]).exits(0).prints(&["mine"]);
    site.run_on_data(&["check-install"]).exits(0).prints(&["ok     plugins: mine"]);
    assert_eq!(told(&site.serve(), "get||key"), "value");
}

#[test]
fn an_operator_deletes_what_a_plugin_keeps() {
    let configuration = table("first", "key-value", "")
        + &table("second", "key-value", "")
        + &format!("[filters.\"{ABOUT_URL}\"]\npipeline = [\"first\"]\n")
        + &format!("[filters.second]\nlike = \"{ABOUT_URL}\"\npipeline = [\"second\"]\n");
    let site = Site::new(&configuration).with("key-value.wasm", written("key-value"));
    site.run_on_data(&["db", "clear-plugin", "first"]).exits(1).explains(&["hookbox.db is not there"]);
    assert!(!site.data().exists());

    let server = site.serve();
    assert_eq!(told(&server, "Set|bucket|a|1|b|2"), "done");
    assert_eq!(came(&server.filter("second", &about("set|bucket|a|1"))), "done");
    let report = site.run_on_data(&["--json", "db", "clear-plugin", "first"]).exits(0).json();
    assert_eq!((&report["plugin"], &report["rows"]), (&"first".into(), &2.into()), "{report}");
    assert_eq!(told(&server, "list|bucket|"), "end");
    assert_eq!(came(&server.filter("second", &about("list|bucket|"))), "a,end");
    site.run_on_data(&["db", "clear-plugin", "gone"]).exits(0).prints(&["0 rows of the plugin \"gone\""]);
    site.run_on_data(&["db", "check"]).exits(0).prints(&["sound", "1 rows in key_value"]);
}

#[test]
fn a_full_database_is_unavailable_to_plugins_and_told_to_the_operator() {
    let configuration = "[database]\nmax_size = \"256KiB\"\n".to_owned() + &table("mine", "key-value", "");
    let server = Site::new(&configuration).with("key-value.wasm", written("key-value")).serve();
    assert_eq!(told(&server, "set||small|value"), "done");
    let large = "x".repeat(300_000);
    for _ in 0..3 {
        let said = told(&server, &format!("set||large|{large}"));
        assert_eq!(said, "other: the key-value store is unavailable now; try again later");
    }
    server.logs(1, &["a plugin's rows cannot be reached", "plugin=\"mine\"", "the database is full"]);
    assert_eq!(told(&server, "Get||small|large"), "small=value,none,");
}
