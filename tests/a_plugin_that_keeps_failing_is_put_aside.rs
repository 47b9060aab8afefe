//! A plugin that fails several times in a row is put aside: it is not called, its neighbours answer, everybody can see
//! it, and it comes back by a good trial or by an operator's hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::support::guest::{ABOUT_INTERFACE, component, sample, trapping_receiver};
use crate::support::http::{self, Answer};
use crate::support::jwt::{self, token};
use crate::support::site::run;
use crate::support::{ABOUT_URL, CATALOG_INFO, COURSE, Ran, Server, Site, about, catalog_change, steps};

/// Longer than any test.
const LONG: &str = "quarantine = { failures = 3, pause = \"10m\" }";
const PLUGIN: &str = "/admin/api/plugins/a-panic";

/// `test-panic` before `course-about-url`, with more of the first's table and of the filter's.
fn site(plugin: &str, filter: &str) -> Site {
    let configuration = format!(
        "[plugins.a-panic]\ncomponent = \"panic.wasm\"\n{plugin}
         [plugins.b-url]\ncomponent = \"url.wasm\"
         [filters.\"{ABOUT_URL}\"]\n{filter}"
    );
    let site = Site::new(&configuration).with("panic.wasm", sample("test-panic"));
    site.with("url.wasm", sample("course-about-url"))
}

#[track_caller]
fn filter(server: &Server, end: &str) -> Answer {
    server.filter(ABOUT_URL, &about(&format!("https://lms.example.com/{end}/{COURSE}")))
}

/// The code of the first step's failure, and that the second step did its part.
#[track_caller]
fn failure(server: &Server, end: &str) -> String {
    let answer = filter(server, end).json(200);
    assert_eq!(steps(&answer), [("a-panic", "skipped"), ("b-url", "proceeded")], "{answer}");
    answer["steps"][0]["failure"]["code"].as_str().unwrap().to_owned()
}

#[track_caller]
fn put_aside(server: &Server) {
    for _ in 0..3 {
        assert_eq!(failure(server, "panic"), "trap");
    }
}

/// How often the plugin died, by what it said as it did: at least this often.
#[track_caller]
fn deaths(server: &Server, at_least: usize) -> usize {
    server.logs(at_least, &["hookbox::plugin", "the url was"]);
    server
        .log()
        .lines()
        .filter(|line| line.contains("hookbox::plugin") && line.contains("the url was"))
        .count()
}

fn quarantined(server: &Server) -> f64 {
    server.metric("hookbox_plugin_quarantined", &[("plugin", "a-panic")])
}

fn command(site: &Site, server: &Server, arguments: &[&str]) -> Ran {
    let mut command = site.command(arguments);
    command.args(["--url", server.url()]).env("HOOKBOX_SERVER__DATA", site.data());
    run(command)
}

#[test]
fn it_is_not_called_and_its_neighbours_answer() {
    let server = site(LONG, "").serve();
    put_aside(&server);
    for end in ["panic", "fine", "panic"] {
        assert_eq!(failure(&server, end), "quarantined");
    }
    assert_eq!(deaths(&server, 3), 3, "it was called while it was aside:\n{}", server.log());
    let labels = [("hook", ABOUT_URL), ("plugin", "a-panic"), ("outcome", "skipped")];
    assert_eq!(server.metric("hookbox_calls_total", &labels), 6.0, "outcomes are counted as ever");
}

#[test]
fn where_failures_end_the_call_it_ends_at_once_and_says_when_to_ask_again() {
    let server = site(LONG, "fail_silently = false").serve();
    for _ in 0..3 {
        let answer = filter(&server, "panic");
        assert_eq!(answer.header("retry-after"), "", "{answer:?}");
        assert_eq!(answer.problem(502, "step-failed")["failure"]["code"], "trap");
    }
    let answer = filter(&server, "fine");
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((300..=600).contains(&seconds), "{answer:?}");
    let problem = answer.problem(502, "step-failed");
    assert_eq!((&problem["step"], &problem["failure"]["code"]), (&"a-panic".into(), &"quarantined".into()));
    let report = &problem["failure"]["report"];
    assert_eq!((&report["kind"], &report["failures"]), (&"quarantined".into(), &3.into()));
    assert_eq!(report["last_failure"], "trap");
    assert!(report["since"].as_str() < report["until"].as_str(), "{report}");
    assert!(!answer.body.contains("the url was"), "another caller's words are told: {answer:?}");
    assert_eq!(steps(&problem), [("a-panic", "failed")]);
}

#[test]
fn what_the_plugin_answers_is_no_failure() {
    let server = site(LONG, "").serve();
    for _ in 0..4 {
        for end in ["panic", "panic", "error", "halt"] {
            filter(&server, end).json(200);
        }
    }
    assert_eq!((quarantined(&server), deaths(&server, 8)), (0.0, 8));
}

#[test]
fn an_operator_sees_it_everywhere() {
    let site = site(LONG, "");
    let server = site.serve();
    let state = |view: &Value| (view["state"].clone(), view["quarantine"].clone());
    let live = (Value::from("live"), Value::Null);
    let views = || {
        let hooks = server.get("/hooks/").json(200);
        let hook = server.get(&format!("/hooks/{ABOUT_URL}")).json(200);
        let plugins = server.get("/admin/api/plugins").json(200);
        let plugin = server.get(PLUGIN).json(200);
        assert_eq!(plugins["plugins"][0], plugin);
        assert_eq!(state(&hooks["plugins"][1]), live, "its neighbour");
        [&hooks["plugins"][0], &hook["plugins"][0], &plugin].map(state)
    };
    assert_eq!(views(), [live.clone(), live.clone(), live.clone()]);
    assert_eq!(quarantined(&server), 0.0);
    assert!(server.get("/metrics").body.contains("hookbox_quarantines_total{plugin=\"a-panic\"} 0"));

    put_aside(&server);
    let [first, second, third] = views();
    assert!(first == second && second == third, "{first:?} {second:?} {third:?}");
    let (state, quarantine) = first;
    assert_eq!(state, "quarantined");
    assert_eq!((&quarantine["failures"], &quarantine["last_failure"]["code"]), (&3.into(), &"trap".into()));
    let message = quarantine["last_failure"]["message"].as_str().unwrap();
    assert!(message.contains("the plugin trapped") && message.contains("the url was"), "{message}");
    let (since, until) = (quarantine["since"].as_str().unwrap(), quarantine["until"].as_str().unwrap());
    assert!(since < until && since.ends_with('Z'), "{quarantine}");

    assert_eq!(quarantined(&server), 1.0);
    assert_eq!(server.metric("hookbox_plugin_quarantined", &[("plugin", "b-url")]), 0.0);
    assert_eq!(server.metric("hookbox_quarantines_total", &[("plugin", "a-panic")]), 1.0);
    let line = server.logs(1, &["WARN", "the plugin is put aside", "plugin=\"a-panic\"", "failures=3"]);
    assert!(line.contains("the url was") && line.contains("until=2"), "{line}");

    let listed = command(&site, &server, &["plugin", "list"]).exits(0);
    listed.prints(&["a-panic", &format!("quarantined since {since}"), until, "trap", "b-url", "live"]);
    let listed = command(&site, &server, &["plugin", "list", "--json"]).exits(0).json();
    assert_eq!(listed["plugins"][0]["quarantine"], quarantine);
    let shown = command(&site, &server, &["plugin", "show", "a-panic"]).exits(0);
    shown.prints(&[
        "quarantined since",
        "the url was",
        "limits",
        "time = 100 ms",
        ABOUT_URL,
        "after 3 failures",
    ]);
    command(&site, &server, &["plugin", "show", "b-ulr"]).exits(1).explains(&["did you mean b-url?", "404"]);
}

#[test]
fn the_admin_interface_tells_all_of_a_plugin() {
    let table = "quarantine = false\ngrants = [\"clock:fine\"]\nisolation = \"reuse\"\nmax_calls = 7
                 limits = { memory = \"8MiB\" }\non_failure = \"skip\"";
    let server = site(table, "").serve();
    let plugin = server.get(PLUGIN).json(200);
    let text = |name: &str| plugin[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (text("name"), text("state"), text("on_failure")),
        ("a-panic".into(), "live".into(), "skip".into())
    );
    assert!(text("digest").starts_with("sha256:") && text("origin").ends_with("panic.wasm"), "{plugin}");
    assert_eq!(plugin["grants"], serde_json::json!(["clock:fine"]));
    assert_eq!(plugin["isolation"], serde_json::json!({"kind": "reuse", "max_calls": 7}));
    assert_eq!(plugin["quarantine_rule"], Value::Null);
    let memory = serde_json::json!({"setting": "memory", "value": 8 << 20, "unit": "bytes"});
    assert!(plugin["limits"].as_array().unwrap().contains(&memory), "{plugin}");
    let hooks: Vec<_> = plugin["hooks"].as_array().unwrap().iter().map(|hook| &hook["type"]).collect();
    assert!(hooks.contains(&&ABOUT_URL.into()), "{plugin}");
    let rule = server.get("/admin/api/plugins/b-url").json(200)["quarantine_rule"].clone();
    assert_eq!(rule, serde_json::json!({"failures": 5, "pause_ms": 1_000, "longest_pause_ms": 300_000}));
    assert_eq!(server.get("/hooks/").json(200)["plugins"][0]["grants"], plugin["grants"]);

    for _ in 0..10 {
        assert_eq!(failure(&server, "panic"), "trap", "it is never put aside");
    }
}

#[test]
fn after_the_pause_one_call_is_a_trial() {
    let table = "quarantine = { failures = 3, pause = \"300ms\", longest_pause = \"10m\" }";
    let server = site(table, "").serve();
    put_aside(&server);
    server.until("a trial is made", |server| failure(server, "panic") == "trap");
    assert_eq!(deaths(&server, 4), 4, "{}", server.log());
    server.logs(1, &["WARN", "failed its trial", "plugin=\"a-panic\"", "failures=4"]);
    let told = server.get(PLUGIN).json(200);
    assert_eq!((&told["state"], &told["quarantine"]["failures"]), (&"quarantined".into(), &4.into()));

    let proceeded = |answer: &Value| answer["steps"][0]["outcome"] == "proceeded";
    server.until("a good trial", |server| proceeded(&filter(server, "fine").json(200)));
    server.logs(1, &["INFO", "passed its trial", "plugin=\"a-panic\""]);
    assert_eq!(server.get(PLUGIN).json(200)["state"], "live");
    assert_eq!(quarantined(&server), 0.0);
    assert_eq!(server.metric("hookbox_quarantines_total", &[("plugin", "a-panic")]), 1.0);
    assert_eq!(failure(&server, "panic"), "trap", "one failure is not enough again");
}

#[test]
fn a_caller_that_hangs_up_gives_the_trial_to_the_next() {
    // A long url keeps it busy for ever, a short one kills it.
    let body = "(if (i32.gt_u (local.get $size) (i32.const 100)) (then (call $begun) (loop $again (br $again)))) unreachable";
    let function = format!(
        "(func (export \"{ABOUT_INTERFACE}#run-filter\") (param i32) (param $size i32) (param i32 i32) (result i32) {body})"
    );
    let configuration = "[plugins.a-guest]\ncomponent = \"guest.wasm\"\nlimits = { time = \"10m\" }
         quarantine = { failures = 1, pause = \"1ms\", longest_pause = \"1ms\" }";
    let server = Site::new(configuration).with("guest.wasm", component(ABOUT_INTERFACE, &function)).serve();
    let code = || server.filter(ABOUT_URL, &about("/")).json(200)["steps"][0]["failure"]["code"].clone();
    assert_eq!(code(), "trap");

    let (path, body) = (format!("/hooks/filters/{ABOUT_URL}"), about(&"a".repeat(200)).to_string());
    let operator = server.operator();
    let (head, size) = ("Host: localhost\r\nContent-Type: application/json", body.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\n{head}\r\nAuthorization: {operator}\r\nContent-Length: {size}\r\n\r\n{body}"
    );
    // Whoever is answered came before the pause was over.
    let begun = || server.log().contains("work has begun");
    let hasty = loop {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        if !std::iter::repeat_with(|| stream.read(&mut [0])).take_while(|_| !begun()).any(|read| read.is_ok())
        {
            break stream;
        }
    };
    assert_eq!(code(), "quarantined", "one trial at a time");
    drop(hasty);
    server.until("the next trial is made", |_| code() == "trap");
}

#[test]
fn an_operator_lifts_it_by_hand() {
    let site = site(LONG, "");
    let server = site.serve();
    let lift = || server.send("POST", &format!("{PLUGIN}/lift"), &[], "").json(200);
    put_aside(&server);
    let answer = lift();
    assert_eq!((&answer["lifted"], &answer["plugin"]["state"]), (&true.into(), &"live".into()));
    server.logs(1, &["INFO", "lifted by hand", "plugin=\"a-panic\"", "by=\"operator\""]);
    assert_eq!(lift()["lifted"], false, "twice does no harm");
    filter(&server, "fine").json(200);

    put_aside(&server);
    assert_eq!(failure(&server, "fine"), "quarantined");
    command(&site, &server, &["plugin", "lift", "a-panic"]).exits(0).prints(&["a-panic takes calls again"]);
    assert_eq!(failure(&server, "panic"), "trap");
    let again = command(&site, &server, &["plugin", "lift", "a-panic"]).exits(0);
    again.prints(&["a-panic was not put aside"]);
    assert_eq!(
        command(&site, &server, &["plugin", "lift", "a-panic", "--json"]).exits(0).json()["lifted"],
        false
    );

    let unknown =
        server.send("POST", "/admin/api/plugins/a-panik/lift", &[], "").problem(404, "unknown-plugin");
    assert_eq!(unknown["nearest"], "a-panic");
    command(&site, &server, &["plugin", "lift", "../plugins"]).exits(1).explains(&[
        "400",
        "plugin name",
        "../plugins",
    ]);
}

#[test]
fn only_staff_and_superusers_administer() {
    let server = Site::new(&format!("{}[plugins.course-about-url]\nsettings = {{}}", jwt::AUTH)).serve();
    let claims = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (who, claims, status) in [
        ("staff", claims(r#"{"administrator": true}"#), 200),
        ("root", claims(r#"{"superuser": true}"#), 200),
        ("lms", claims(r#"{"scopes": ["hooks:run"]}"#), 403),
        ("learner", claims("{}"), 403),
        ("app", claims(r#"{"administrator": true, "scopes": ["hooks:run"], "is_restricted": true}"#), 403),
    ] {
        let authorization = format!("JWT {}", token(who, &claims));
        for (method, path) in [
            ("GET", "/admin/api/plugins"),
            ("GET", "/admin/api/plugins/course-about-url"),
            ("POST", "/admin/api/plugins/course-about-url/lift"),
        ] {
            let url = format!("{}{path}", server.url());
            let answer = http::send(method, &url, &[("authorization", &authorization)], b"").unwrap();
            assert_eq!(answer.status, status, "{who}: {method} {path}: {answer:?}");
            if status == 403 {
                let problem = answer.problem(403, "forbidden");
                assert!(problem["detail"].as_str().unwrap().contains("staff and superusers"), "{problem}");
            }
            let nobody = http::send(method, &url, &[], b"").unwrap();
            nobody.problem(401, "unauthenticated");
        }
    }
}

#[test]
fn a_receiver_is_put_aside_too() {
    let configuration =
        "[plugins.a-trap]\ncomponent = \"trap.wasm\"\nquarantine = { failures = 2, pause = \"10m\" }
         [plugins.catalog-logger]\ncomponent = \"logger.wasm\"";
    let site = Site::new(configuration).with("trap.wasm", trapping_receiver());
    let server = site.with("logger.wasm", sample("catalog-logger")).serve();
    for number in 1..=4 {
        server.post_event(&catalog_change(COURSE)).json(202);
        server.logs(number, &[&format!("{COURSE} has been updated!")]);
    }
    server.logs(1, &["WARN", "the plugin is put aside", "plugin=\"a-trap\""]);
    let waiting = server.events("?plugin=a-trap&state=open");
    assert_eq!(waiting.len(), 4, "what nobody was called with waits, and so does what failed: {waiting:?}");
    let called = server.log().lines().filter(|line| line.contains("receiver failed")).count();
    assert_eq!(called, 2, "{}", server.log());
    let view = server.get(&format!("/hooks/{CATALOG_INFO}")).json(200);
    assert_eq!(view["plugins"][0]["state"], "quarantined");
    assert_eq!(view["plugins"][1]["state"], "live");
}
