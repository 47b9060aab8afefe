//! Each call gets an instance of its own; where the operator lets instances be reused, they serve a bounded number of
//! calls and none after a failure.

use serde_json::Value;

use crate::support::guest::{counting_filter, sample};
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about, steps};

fn counting(isolation: &str) -> Server {
    let configuration =
        format!("[plugins.counter]\ncomponent = \"counter.wasm\"\nhooks = [\"{ABOUT_URL}\"]\n{isolation}");
    Site::new(&configuration).with("counter.wasm", counting_filter()).serve()
}

/// How many calls the instance of each of these calls had had.
fn counts(server: &Server, calls: usize) -> Vec<u64> {
    let count = |answer: Value| answer["kwargs"]["count"].as_u64().unwrap_or_else(|| panic!("{answer}"));
    (0..calls).map(|_| count(server.filter(ABOUT_URL, &about(OLD_URL)).json(200))).collect()
}

#[test]
fn by_default_nothing_of_one_call_is_there_in_the_next() {
    assert_eq!(counts(&counting(""), 5), [1; 5]);
    assert_eq!(counts(&counting("isolation = \"call\""), 5), [1; 5]);
}

#[test]
fn a_reused_instance_serves_no_more_than_its_calls() {
    let counts = counts(&counting("isolation = \"reuse\"\nmax_calls = 4"), 30);
    let most = counts.iter().max().unwrap();
    assert!((2..=4).contains(most), "{counts:?}");
    for pair in counts.windows(2) {
        assert!(pair[1] == pair[0] + 1 || pair[1] == 1, "{counts:?}");
    }
}

#[test]
fn a_reused_instance_keeps_answering_correctly() {
    let configuration =
        "[plugins.course-about-url]\nisolation = \"reuse\"\nmax_calls = 7\nsettings = { path = \"p\" }";
    let server = Site::new(configuration).serve();
    for number in 0..50 {
        let url = format!("https://lms.example.com/courses/course-v1:edX+{number}+x/about");
        let answer = server.filter(ABOUT_URL, &about(&url)).json(200);
        let expected = format!("https://example.com/p/course-v1:edX+{number}+x");
        assert_eq!(answer["kwargs"]["url"], expected, "{answer}");
    }
}

#[test]
fn an_instance_that_trapped_is_not_used_again() {
    let configuration = "[plugins.fragile]\ncomponent = \"fragile.wasm\"\nisolation = \"reuse\"";
    let server = Site::new(configuration).with("fragile.wasm", sample("test-panic")).serve();
    for _ in 0..5 {
        let answer = server.filter(ABOUT_URL, &about("/panic")).json(200);
        assert_eq!(steps(&answer), [("fragile", "skipped")], "{answer}");
        assert_eq!(answer["steps"][0]["failure"]["code"], "trap");
        let answer = server.filter(ABOUT_URL, &about("/fine")).json(200);
        assert_eq!(steps(&answer), [("fragile", "proceeded")], "{answer}");
    }
}
