//! A receiver that always fails, one that takes all the time it may, an event that kills every receiver: what they harm is
//! their own, every attempt is counted, and everything else is delivered.

use serde_json::{Value, json};

use crate::support::guest::{any_event, harmed_by_zeros, sample, trapping_receiver};
use crate::support::{CATALOG_INFO, COURSE, Server, Site, numbered};

/// A plugin of a component that receives any event, on these terms.
fn generic(name: &str, terms: &str) -> String {
    format!("[plugins.{name}]\ncomponent = \"{name}.wasm\"\nhooks = [\"{CATALOG_INFO}\"]\n{terms}\n")
}

fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

#[track_caller]
fn post(server: &Server, numbers: impl IntoIterator<Item = u64>, course: &str) {
    for number in numbers {
        server.post_event(&numbered(number, course)).json(202);
    }
}

/// Holds a dead letter to its reason, and to the outcome and code of every one of its attempts.
#[track_caller]
fn died(delivery: &Value, attempts: usize, outcome: &str, code: &Value) {
    assert_eq!((&delivery["state"], &delivery["reason"]), (&json!("dead"), &json!("attempts")), "{delivery}");
    assert_eq!((&delivery["attempts"], &delivery["failures"]), (&json!(attempts), &json!(attempts)));
    let history = delivery["history"].as_array().unwrap();
    assert_eq!(history.len(), attempts, "{delivery}");
    for (at, attempt) in history.iter().enumerate() {
        assert_eq!(
            (&attempt["number"], &attempt["outcome"]),
            (&json!(at + 1), &json!(outcome)),
            "{delivery}"
        );
        assert_eq!(&attempt["code"], code, "{delivery}");
    }
}

#[test]
fn what_always_fails_is_dead_after_its_attempts_and_others_are_delivered_meanwhile() {
    let never = any_event("(call $retry (i32.const 96) (i32.const 8))");
    let failing = |terms: &str| generic("failing", &format!("quarantine = false\ndelivery = {{ {terms} }}"));
    let good = "[plugins.good]\ncomponent = \"good.wasm\"";
    let long = "attempts = 3, pause = \"1h\", longest_pause = \"1h\"";
    let site = Site::new(&format!("{}{good}", failing(long))).with("failing.wasm", never);
    let site = site.with("good.wasm", sample("catalog-logger"));
    let server = site.serve();
    post(&server, 1..=5, COURSE);
    server.until_counts("good", [0, 5, 0]);
    server.until("each was tried once", |server| {
        (1..=5).all(|number| server.delivery(&id(number), "failing")["failures"] == 1)
    });
    assert_eq!(server.counts("failing"), [5, 0, 0], "they wait for their second attempt");

    // What waits keeps the time that it was given, also on other terms and in another process.
    let short = "attempts = 3, pause = \"1ms\", longest_pause = \"1ms\"";
    let site = site.with("hookbox.toml", format!("{}{good}", failing(short)));
    server.stop();
    let server = site.serve();
    post(&server, 6..=7, COURSE);
    server.until_counts("good", [0, 7, 0]);
    server.until_counts("failing", [5, 0, 2]);
    for number in 6..=7 {
        let delivery = server.delivery(&id(number), "failing");
        died(&delivery, 3, "retry", &Value::Null);
        assert_eq!(delivery["history"][2]["reason"], "finished", "in the receiver's words: {delivery}");
    }
}

#[test]
fn attempts_that_were_not_made_of_a_plugin_that_was_put_aside_are_not_counted() {
    let configuration = "[plugins.a-trap]
         component = \"trap.wasm\"
         quarantine = { failures = 2, pause = \"20ms\", longest_pause = \"20ms\" }
         delivery = { attempts = 5, pause = \"1ms\", longest_pause = \"1ms\" }";
    let server = Site::new(configuration).with("trap.wasm", trapping_receiver()).serve();
    post(&server, 1..=4, COURSE);
    server.until_counts("a-trap", [0, 0, 4]);
    for number in 1..=4 {
        died(&server.delivery(&id(number), "a-trap"), 5, "failed", &json!("trap"));
    }
    let called = server.log().lines().filter(|line| line.contains("receiver failed")).count();
    assert_eq!(called, 20, "{}", server.log());
}

#[test]
fn what_waits_for_a_plugin_that_is_put_aside_is_delivered_once_it_is_mended() {
    let configuration = "[plugins]
         samples = false
         [plugins.mine]
         quarantine = { failures = 2, pause = \"10m\" }
         delivery = { attempts = 3, pause = \"1ms\", longest_pause = \"1ms\" }";
    let server = Site::new(configuration).serve();
    server.install("", trapping_receiver()).json(201);
    post(&server, 1..=6, COURSE);
    server.until("it is put aside", |server| server.mine()["state"] == "quarantined");
    let attempts = |server: &Server| -> u64 {
        (1..=6).map(|number| server.delivery(&id(number), "mine")["attempts"].as_u64().unwrap()).sum()
    };
    server.until("what was taken is given back", |server| attempts(server) == 2);
    assert_eq!(server.counts("mine"), [6, 0, 0], "neither lost nor dead");
    server.install("", sample("catalog-logger")).json(200);
    server.until_counts("mine", [0, 6, 0]);
    assert_eq!(attempts(&server), 8, "two that failed, and one each");
}

#[test]
fn one_that_takes_all_its_time_delays_nobody_and_ends_by_its_limit() {
    let endless = any_event("(call $begun) (loop $again (br $again)) unreachable");
    // The first outlasts the test.
    let configuration = generic("endless", "limits = { event_time = \"10m\" }")
        + &generic(
            "looping",
            "limits = { event_time = \"50ms\" }\nquarantine = false
             delivery = { attempts = 2, pause = \"1ms\", longest_pause = \"1ms\" }",
        )
        + "[plugins.good]\ncomponent = \"good.wasm\"";
    let site = Site::new(&configuration).with("endless.wasm", &endless).with("looping.wasm", &endless);
    let server = site.with("good.wasm", sample("catalog-logger")).serve();
    post(&server, 1..=1, COURSE);
    server.logs(1, &["work has begun", "plugin=\"endless\""]);
    post(&server, 2..=20, COURSE);
    server.until_counts("good", [0, 20, 0]);
    server.until_counts("looping", [0, 0, 20]);
    let delivery = server.delivery(&id(1), "looping");
    died(&delivery, 2, "failed", &json!("time"));
    let told = delivery["history"][1]["reason"].as_str().unwrap();
    assert!(told.contains("50 ms"), "{told}");
    let delivery = server.delivery(&id(1), "endless");
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("running"), &json!(1)), "{delivery}");
    assert_eq!(server.counts("endless"), [20, 0, 0]);
}

#[test]
fn an_event_that_kills_every_receiver_is_the_only_one_that_dies() {
    let terms = "delivery = { attempts = 6, pause = \"1ms\", longest_pause = \"5ms\" }\nquarantine";
    let names = ["first", "second", "third"];
    let configuration = generic("first", &format!("{terms} = false"))
        + &generic(
            "second",
            &format!("{terms} = {{ failures = 2, pause = \"5ms\", longest_pause = \"20ms\" }}"),
        )
        + &generic("third", &format!("{terms} = false").replace('}', ", ordered_by = \"course_key\" }"));
    let site = names.iter().fold(Site::new(&configuration), |site, name| {
        site.with(&format!("{name}.wasm"), harmed_by_zeros("unreachable"))
    });
    let server = site.serve();
    post(&server, 0..=15, COURSE);
    for name in names {
        server.until_counts(name, [0, 15, 1]);
        died(&server.delivery(&id(0), name), 6, "failed", &json!("trap"));
        for number in 1..=15 {
            let delivery = server.delivery(&id(number), name);
            assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("delivered"), &json!(1)));
        }
    }
    let letters = server.events("?state=dead");
    assert_eq!((letters.len(), &letters[0]["id"]), (1, &json!(id(0))), "{letters:?}");
}

#[test]
fn a_failing_event_holds_back_its_key_and_nothing_else() {
    let terms = "quarantine = false
         delivery = { ordered_by = \"course_key\", pause = \"1h\", longest_pause = \"1h\" }";
    let site = Site::new(&generic("keyed", terms));
    let server = site.with("keyed.wasm", harmed_by_zeros("unreachable")).serve();
    let other = "course-v1:edX+Other+1";
    post(&server, 0..=3, COURSE);
    post(&server, 4..=7, other);
    server.until_counts("keyed", [4, 4, 0]);
    server.until("the first has failed", |server| server.delivery(&id(0), "keyed")["failures"] == 1);
    for number in 1..=3 {
        let delivery = server.delivery(&id(number), "keyed");
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("held"), &json!(0)), "{delivery}");
    }
    // Discarded, it holds back nothing any more, and the others follow in order.
    server.ask_of_events("discard", &json!({"event": id(0)})).json(200);
    server.until_counts("keyed", [0, 7, 0]);
    let log = server.log();
    let said: Vec<_> = [1, 2, 3].map(|number| log.find(&id(number)).unwrap()).into();
    assert!(said.is_sorted(), "{log}");
}
