//! A server that is told to stop finishes what it took on, and ends with success.
#![cfg(unix)]

use crate::support::guest::{endless_filter, slow_filter, slow_receiver};
use crate::support::{ABOUT_URL, COURSE, OLD_URL, Site, about, http, steps};

/// Far more time and host calls than the second of work that these plugins do.
const AMPLE: &str = "limits = { time = \"10m\", event_time = \"10m\", host_calls = 4000000000 }";

#[test]
fn an_idle_server_stops_at_once() {
    let server = Site::empty().serve();
    assert_eq!(server.get("/readyz").status, 200);
    server.terminate();
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopping") && log.lines().last().unwrap().contains("stopped"), "{log}");
}

#[test]
fn a_call_in_flight_is_answered() {
    let configuration = format!("[plugins.slow]\ncomponent = \"slow.wasm\"\n{AMPLE}");
    let server = Site::new(&configuration).with("slow.wasm", slow_filter()).serve();
    let call = server.filter_later(ABOUT_URL, &about(OLD_URL));
    server.logs(1, &["work has begun"]);
    server.terminate();
    server.logs(1, &["stopping"]);
    let answer = call.join().unwrap().unwrap().json(200);
    assert_eq!(steps(&answer), [("slow", "proceeded")], "{answer}");
    assert_eq!(answer["kwargs"]["url"], "finished");
    let url = server.url().to_owned();
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(http::send("GET", &format!("{url}/healthz"), &[], b"").is_err());
}

#[test]
fn an_accepted_event_is_delivered() {
    let configuration = format!("[plugins.slow]\ncomponent = \"slow.wasm\"\n{AMPLE}");
    let server = Site::new(&configuration).with("slow.wasm", slow_receiver()).serve();
    server.post_catalog_info(COURSE);
    server.logs(1, &["work has begun"]);
    server.terminate();
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("work is done"), "{log}");
}

#[test]
fn a_call_that_outlasts_the_grace_does_not_keep_the_server() {
    let configuration = format!(
        "[server]\nshutdown_grace = \"200ms\"\n[plugins.endless]\ncomponent = \"endless.wasm\"\n{AMPLE}"
    );
    let server = Site::new(&configuration).with("endless.wasm", endless_filter()).serve();
    let call = server.filter_later(ABOUT_URL, &about(OLD_URL));
    server.logs(1, &["work has begun"]);
    server.terminate();
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("some requests did not end within the grace"), "{log}");
    assert!(call.join().unwrap().is_err());
}
