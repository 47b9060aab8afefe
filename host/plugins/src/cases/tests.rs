//! Recorded cases: what the file may hold, and what comes of them on real components.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

use std::path::Path;

use hookbox_sandbox::{Granting, Isolation, Limits, PluginOptions, Sandbox, SandboxOptions, Settings};
use serde_json::json;

use super::*;
use crate::load::contract;

const ABOUT_URL: &str = "org.openedx.learning.course_about.page.url.requested.v1";
const ENROLLMENT: &str = "org.openedx.learning.course.enrollment.started.v1";
const CATALOG_INFO: &str = "org.openedx.content_authoring.course.catalog_info.changed.v1";
const OLD_URL: &str = "https://lms.example.com/courses/course-v1:edX+DemoX+Demo_Course/about";
const NEW_URL: &str = "https://example.com/new_about_page/course-v1:edX+DemoX+Demo_Course";

fn plugin(name: &str) -> Plugin {
    plugin_with(name, &json!({}))
}

fn plugin_with(name: &str, settings: &Value) -> Plugin {
    let prebuilt = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-plugins/prebuilt");
    let folder = std::env::var("HOOKBOX_GUESTS").unwrap_or_else(|_| prebuilt.to_owned());
    let path = Path::new(&folder).join(format!("{name}.wasm"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
    let admitted = sandbox.admit(&bytes, &contract(), &Granting::WhatItImports).unwrap();
    let options = PluginOptions {
        name: name.to_owned(),
        settings: Settings::new(settings.as_object().cloned().unwrap()),
        limits: Limits { filter_time_ms: 10_000, ..Limits::default() },
        isolation: Isolation::Call,
    };
    sandbox.plugin(&admitted, options)
}

fn file(case: &Value) -> String {
    json!({"cases": [case]}).to_string()
}

fn about(url: &str, expect: &Value) -> Value {
    json!({"filter": ABOUT_URL, "kwargs": {"url": url, "org": "edX"}, "expect": expect})
}

fn enrollment(mode: &str, expect: &Value) -> Value {
    let user = json!({"id": 7, "username": "ada", "email": "ada@example.com", "is_active": true,
        "is_staff": false, "is_superuser": false});
    let kwargs = json!({"user": user, "course_key": "course-v1:edX+DemoX+Demo_Course", "mode": mode});
    json!({"name": mode, "filter": ENROLLMENT, "kwargs": kwargs, "expect": expect})
}

fn catalog_info(course_key: &str, expect: &Value) -> Value {
    let info = json!({"course_key": course_key, "name": "Demo", "hidden": false, "invitation_only": false,
        "schedule_data": {"start": "2026-01-15T09:30:00+00:00", "pacing": "instructor"}});
    json!({"event": CATALOG_INFO, "data": {"catalog_info": info}, "expect": expect})
}

async fn differences(plugin: &Plugin, case: &Value) -> Vec<String> {
    let cases = Cases::parse(&file(case)).unwrap();
    let [report] = &cases.run_on(plugin, &BTreeSet::new()).await[..] else { panic!("one case, one report") };
    assert_eq!(report.passed, report.differences.is_empty());
    report.differences.clone()
}

#[tokio::test]
async fn a_case_passes_when_what_it_names_is_what_came() {
    let plugin = plugin("course-about-url");
    for expect in [
        json!({"outcome": "completed"}),
        json!({"outcome": "completed", "kwargs": {}}),
        json!({"outcome": "completed", "kwargs": {"url": NEW_URL}}),
        json!({"outcome": "completed", "kwargs": {"org": "edX", "url": NEW_URL}}),
    ] {
        assert_eq!(differences(&plugin, &about(OLD_URL, &expect)).await, [""; 0], "{expect}");
    }
}

#[tokio::test]
async fn each_difference_names_the_place_what_was_expected_and_what_came() {
    let plugin = plugin("course-about-url");
    let kwargs = json!({"url": OLD_URL, "org": ["edX"], "more": 1});
    let expect = json!({"outcome": "completed", "kwargs": kwargs});
    let expected = [
        format!("kwargs.url: expected \"{OLD_URL}\", found \"{NEW_URL}\""),
        "kwargs.org: expected [\"edX\"], found \"edX\"".to_owned(),
        "kwargs.more: expected 1, found nothing".to_owned(),
    ];
    assert_eq!(differences(&plugin, &about(OLD_URL, &expect)).await, expected);
    for (expect, says) in [
        (json!({"outcome": "halted"}), "outcome: expected halted, found completed"),
        (json!({"outcome": "raised"}), "outcome: expected raised, found completed"),
        (json!({"failure": "trap"}), "failure: expected trap, found completed"),
    ] {
        assert_eq!(differences(&plugin, &about(OLD_URL, &expect)).await, [says]);
    }
}

#[tokio::test]
async fn exceptions_and_failures_can_be_recorded() {
    let guard = plugin_with("enrollment-guard", &json!({"modes": "audit"}));
    let raised =
        json!({"outcome": "raised", "exception": {"class": "PreventEnrollment", "status_code": 403}});
    assert_eq!(differences(&guard, &enrollment("no-id-professional", &raised)).await, [""; 0]);
    let other = json!({"outcome": "raised", "exception": {"class": "Other"}});
    assert_eq!(
        differences(&guard, &enrollment("no-id-professional", &other)).await,
        ["exception.class: expected \"Other\", found \"PreventEnrollment\""]
    );
    let told =
        &differences(&guard, &enrollment("no-id-professional", &json!({"outcome": "completed"}))).await[0];
    assert!(told.starts_with("outcome: expected completed, found raised PreventEnrollment"), "{told}");

    let panicking = plugin("test-panic");
    assert_eq!(differences(&panicking, &about("/panic", &json!({"failure": "trap"}))).await, [""; 0]);
    let told = &differences(&panicking, &about("/panic", &json!({"outcome": "completed"}))).await[0];
    assert!(told.starts_with("outcome: expected completed, found the failure trap: "), "{told}");
    let told = &differences(&panicking, &about("/panic", &json!({"failure": "time"}))).await[0];
    assert!(told.starts_with("failure: expected time, found the failure trap: "), "{told}");
}

#[tokio::test]
async fn a_receipt_can_be_recorded() {
    let logger = plugin("catalog-logger");
    let course = "course-v1:edX+DemoX+Demo_Course";
    assert_eq!(differences(&logger, &catalog_info(course, &json!("delivered"))).await, [""; 0]);
    assert_eq!(
        differences(&logger, &catalog_info(course, &json!("rejected"))).await,
        ["receipt: expected rejected, found delivered"]
    );
    assert_eq!(
        differences(&logger, &catalog_info(course, &json!({"failure": "trap"}))).await,
        ["failure: expected trap, found delivered"]
    );
}

#[tokio::test]
async fn a_hook_that_the_plugin_does_not_take_is_a_difference() {
    let told = &differences(&plugin("catalog-logger"), &about(OLD_URL, &json!({"failure": "trap"}))).await[0];
    assert!(told.contains("does not take") && told.contains("does not export openedx:filters/"), "{told}");
}

#[test]
fn values_are_compared_to_the_last_leaf() {
    let object = |value: Value| value.as_object().cloned().unwrap();
    let expected = object(json!({"a": {"b": [1, {"c": 2}], "d": null}, "e": [1, 2]}));
    let same = object(json!({"a": {"d": null, "b": [1, {"c": 2}]}, "e": [1, 2], "unnamed": 1}));
    assert_eq!(compare::named(&expected, &same, "kwargs"), [""; 0]);
    let other = object(json!({"a": {"b": [1, {"c": 3}, 4], "x": 1}, "e": [1]}));
    let told = [
        "kwargs.a.b[1].c: expected 2, found 3",
        "kwargs.a.b[2]: expected nothing, found 4",
        "kwargs.a.d: expected null, found nothing",
        "kwargs.a.x: expected nothing, found 1",
        "kwargs.e[1]: expected 2, found nothing",
    ];
    assert_eq!(compare::named(&expected, &other, "kwargs"), told);
}

#[test]
fn what_a_plugin_says_is_escaped_and_cut() {
    let object = |value: Value| value.as_object().cloned().unwrap();
    let found = object(json!({"url": format!("\u{202e}\u{1b}[2J{}", "x".repeat(10_000))}));
    let told = compare::named(&object(json!({"url": ""})), &found, "kwargs");
    assert!(told[0].contains("\\u{202e}") && told[0].len() < 300, "{told:?}");
    let many: Map<String, Value> = (0..1_000).map(|at| (at.to_string(), json!(1))).collect();
    let told = compare::named(&many, &Map::new(), "kwargs");
    assert_eq!((told.len(), told[20].as_str()), (21, "and 980 more"));
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_place() {
    let completed = json!({"outcome": "completed"});
    let with = |key: &str, value: Value| {
        let mut case = about(OLD_URL, &completed);
        case[key] = value;
        file(&case)
    };
    for (text, says) in [
        ("{".to_owned(), "it is not JSON"),
        ("[]".to_owned(), "expected an object with the key `cases`"),
        (json!({"case": []}).to_string(), "`cases`, a list, is missing"),
        (json!({"cases": [], "more": 1}).to_string(), "unknown key \"more\""),
        (json!({"cases": []}).to_string(), "cases: expected 1 to 200 cases, found 0"),
        (json!({"cases": vec![completed.clone(); 201]}).to_string(), "found 201"),
        (
            json!({"cases": [about(OLD_URL, &completed), 1]}).to_string(),
            "cases[1]: expected an object, found 1",
        ),
        (
            with("expct", json!(1)),
            "cases[0]: unknown key \"expct\": the keys are name, filter, kwargs, expect; did you mean `expect`?",
        ),
        (with("name", json!("")), "cases[0].name: expected a text"),
        (with("event", json!(CATALOG_INFO)), "exclude each other"),
        (file(&json!({"name": "x"})), "name a type"),
        (
            with("filter", json!(ABOUT_URL.replace("v1", "v2"))),
            "did you mean org.openedx.learning.course_about",
        ),
        (
            with("kwargs", json!({"url": 1, "org": "edX"})),
            "cases[0].kwargs.url: expected a string, found the number 1",
        ),
        (with("kwargs", json!([])), "cases[0].kwargs: expected an object"),
        (with("expect", json!({})), "cases[0].expect: name an `outcome` or a `failure`"),
        (
            with("expect", json!({"outcome": "done"})),
            "cases[0].expect.outcome: expected completed, halted or raised",
        ),
        (
            with("expect", json!({"outcome": "completed", "exception": {}})),
            "cases[0].expect: unknown key \"exception\"",
        ),
        (
            with("expect", json!({"outcome": "raised", "kwargs": {}})),
            "cases[0].expect: unknown key \"kwargs\"",
        ),
        (with("expect", json!({"failure": "trap", "outcome": "completed"})), "unknown key \"outcome\""),
        (with("expect", json!({"failure": 1})), "expected a failure's code"),
        (file(&catalog_info("c", &json!("done"))), "cases[0].expect: expected delivered, retry or rejected"),
        (
            file(&json!({"event": CATALOG_INFO, "data": {}, "expect": "delivered"})),
            "cases[0].data.catalog_info",
        ),
        (format!("{}{}", "[".repeat(100), "]".repeat(100)), "nested deeper"),
        (" ".repeat(CASES_BYTES + 1), "at most 1048576"),
    ] {
        let error = Cases::parse(&text).unwrap_err();
        assert!(error.contains(says), "{says:?} is not in {error:?}");
    }
}
