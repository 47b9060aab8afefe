//! What was answered with 202 is delivered, also by the next process, and attempts are told truly.
#![cfg(unix)]

use serde_json::json;

use crate::support::guest::{harmed_by_zeros, slow_receiver, trapping_receiver};
use crate::support::{CATALOG_INFO, COURSE, Server, Site, numbered};

/// Far more time and host calls than the second of work that these plugins do.
const SLOW: &str = "[plugins.slow]
component = \"slow.wasm\"
limits = { time = \"10m\", event_time = \"10m\", host_calls = 4000000000 }";

fn slow() -> Site {
    Site::new(SLOW).with("slow.wasm", slow_receiver())
}

#[track_caller]
fn all_delivered(server: &Server, count: usize) {
    server.until("all are delivered", |server| server.events("?state=delivered").len() == count);
    assert_eq!(server.events("?state=open"), [json!(null); 0]);
}

#[test]
fn a_killed_server_forgets_nothing_that_it_accepted() {
    let site = slow();
    let server = site.serve();
    for _ in 0..3 {
        server.post_catalog_info(COURSE);
    }
    server.logs(1, &["work has begun"]);
    server.kill();

    let server = site.serve();
    all_delivered(&server, 3);
    // Whichever ran when the process ended has an attempt that says so, and was tried again.
    let events = server.events("");
    let attempts = |event: &serde_json::Value| event["deliveries"][0]["attempts"].as_u64().unwrap();
    assert!(attempts(&events[2]) >= 2, "{events:?}");
    let first = server.get(&format!("/admin/api/events/{}", events[2]["event"])).json(200);
    let history = first["deliveries"][0]["history"].as_array().unwrap();
    assert_eq!(history[0]["outcome"], "interrupted", "{first}");
    assert_eq!(first["deliveries"][0]["failures"], 0, "that is no failure of the receiver's: {first}");
}

#[test]
fn a_server_that_stops_ends_what_runs_and_leaves_the_rest_to_the_next() {
    let site = slow();
    let server = site.serve();
    for _ in 0..3 {
        server.post_catalog_info(COURSE);
    }
    server.logs(1, &["work has begun"]);
    let log = server.stop();
    let done = log.matches("work is done").count();
    assert!((1..3).contains(&done), "{log}");

    let server = site.serve();
    all_delivered(&server, 3);
    assert_eq!(server.log().matches("work is done").count(), 3 - done, "nothing is done twice");
    for event in server.events("") {
        assert_eq!(event["deliveries"][0]["attempts"], 1, "{event}");
    }
}

#[test]
fn an_attempt_that_outlasts_the_grace_is_told_and_made_again() {
    let configuration = format!(
        "[server]
         shutdown_grace = \"200ms\"
         [plugins.stuck]
         component = \"stuck.wasm\"
         hooks = [\"{CATALOG_INFO}\"]
         limits = {{ event_time = \"10m\" }}"
    );
    // Stuck at the first attempt alone.
    let first = "(if (i32.eq (i32.load offset=72 (local.get $event)) (i32.const 1))
        (then (call $begun) (loop $again (br $again))))";
    let site = Site::new(&configuration).with("stuck.wasm", harmed_by_zeros(first));
    let server = site.serve();
    for number in 0..3 {
        server.post_event(&numbered(number, COURSE)).json(202);
    }
    server.logs(1, &["work has begun"]);
    server.stop();

    let server = site.serve();
    all_delivered(&server, 3);
    for (number, attempts) in [(0, 2), (1, 1), (2, 1)] {
        let delivery = server.delivery(&format!("00000000-0000-4000-8000-{number:012x}"), "stuck");
        assert_eq!(
            (&delivery["attempts"], &delivery["failures"]),
            (&json!(attempts), &json!(0)),
            "{delivery}"
        );
        let history = delivery["history"].as_array().unwrap();
        let interrupted = history.iter().filter(|attempt| attempt["outcome"] == "interrupted").count();
        assert_eq!(interrupted, attempts - 1, "{delivery}");
    }
}

#[test]
fn an_event_that_failed_is_tried_again_by_the_next_process() {
    let configuration = |pause: &str| {
        format!(
            "[plugins.a-trap]
             component = \"trap.wasm\"
             quarantine = false
             delivery = {{ attempts = 3, pause = \"{pause}\", longest_pause = \"{pause}\" }}"
        )
    };
    let site = Site::new(&configuration("2s")).with("trap.wasm", trapping_receiver());
    let server = site.serve();
    server.post_catalog_info(COURSE);
    server.until_failed_once(1);
    server.stop();
    // The second attempt is due when it was, and the third soon.
    let site = site.with("hookbox.toml", configuration("1ms"));
    let server = site.serve();
    server.until("it is a dead letter", |server| server.events("?state=dead").len() == 1);
    let event = &server.events("")[0];
    assert_eq!(
        (&event["deliveries"][0]["attempts"], &event["deliveries"][0]["failures"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(event["deliveries"][0]["reason"], "attempts", "{event}");
}
