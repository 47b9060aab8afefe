//! A step that fails is skipped when the filter fails silently, and named when it does not; `on_failure` of the plugin
//! has the last word.

use serde_json::Value;

use crate::support::guest::sample;
use crate::support::{ABOUT_URL, Site, about, steps};

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

/// A url that ends `test-panic` as asked and that `course-about-url` moves.
fn url(end: &str) -> Value {
    about(&format!("https://lms.example.com/{end}/course-v1:edX+DemoX+Demo_Course"))
}

#[track_caller]
fn is_a_panic(failure: &Value) {
    assert_eq!(failure["code"], "trap", "{failure}");
    assert_eq!(failure["report"]["kind"], "trap", "{failure}");
    let said = "the url was https://lms.example.com/panic/course-v1:edX+DemoX+Demo_Course";
    let message = failure["report"]["message"].as_str().unwrap();
    assert!(message.contains(said), "{failure}");
    assert!(failure["message"].as_str().unwrap().contains(said), "{failure}");
}

#[test]
fn by_default_the_step_is_skipped_and_its_failure_reported() {
    let server = site("", "").serve();
    let answer = server.filter(ABOUT_URL, &url("panic")).json(200);
    assert_eq!(answer["outcome"], "completed");
    assert_eq!(answer["kwargs"]["url"], "https://example.com/new_about_page/course-v1:edX+DemoX+Demo_Course");
    assert_eq!(steps(&answer), [("a-panic", "skipped"), ("b-url", "proceeded")]);
    is_a_panic(&answer["steps"][0]["failure"]);
    server.logs(1, &["ERROR", "plugin=\"a-panic\"", "code=\"trap\"", "skipped=true", "the url was"]);
    server.logs(1, &["hookbox::plugin", "the url was"]);
}

#[test]
fn without_failing_silently_the_answer_names_the_step_and_the_failure() {
    let server = site("", "fail_silently = false").serve();
    let problem = server.filter(ABOUT_URL, &url("panic")).problem(502, "step-failed");
    assert_eq!(problem["step"], "a-panic");
    is_a_panic(&problem["failure"]);
    assert_eq!(steps(&problem), [("a-panic", "failed")]);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("a-panic") && detail.contains("the plugin trapped"), "{detail}");
    assert!(problem.get("kwargs").is_none());
    server.logs(1, &["ERROR", "plugin=\"a-panic\"", "code=\"trap\"", "skipped=false"]);

    let answer = server.filter(ABOUT_URL, &url("fine")).json(200);
    assert_eq!(steps(&answer), [("a-panic", "proceeded"), ("b-url", "proceeded")]);
}

#[test]
fn an_index_out_of_bounds_and_an_error_are_told_apart() {
    let server = site("", "fail_silently = false").serve();
    let problem = server.filter(ABOUT_URL, &url("index")).problem(502, "step-failed");
    assert_eq!(problem["failure"]["code"], "trap");
    let message = problem["failure"]["report"]["message"].as_str().unwrap();
    assert!(message.contains("index out of bounds"), "{problem}");

    let problem = server.filter(ABOUT_URL, &url("error")).problem(502, "step-failed");
    assert_eq!(problem["failure"]["code"], "error");
    assert_eq!(problem["failure"]["message"], "the plugin answered with an error: asked to fail");
    assert!(problem["failure"].get("report").is_none(), "{problem}");
}

#[test]
fn on_failure_of_the_plugin_has_the_last_word() {
    for (plugin, filter, fails) in [
        ("on_failure = \"raise\"", "fail_silently = true", true),
        ("on_failure = \"skip\"", "fail_silently = false", false),
        ("on_failure = \"default\"", "fail_silently = true", false),
        ("on_failure = \"default\"", "fail_silently = false", true),
    ] {
        let server = site(plugin, filter).serve();
        for end in ["panic", "error"] {
            let answer = server.filter(ABOUT_URL, &url(end));
            if fails {
                let problem = answer.problem(502, "step-failed");
                assert_eq!(problem["step"], "a-panic", "{plugin}, {filter}, {end}");
            } else {
                let answer = answer.json(200);
                let expected = [("a-panic", "skipped"), ("b-url", "proceeded")];
                assert_eq!(steps(&answer), expected, "{plugin}, {filter}, {end}");
            }
        }
        let hook = server.get(&format!("/hooks/{ABOUT_URL}")).json(200);
        let said = hook["plugins"][0]["on_failure"].as_str().unwrap();
        assert_eq!(format!("on_failure = \"{said}\""), plugin);
    }
}
