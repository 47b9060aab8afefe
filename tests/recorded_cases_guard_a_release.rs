//! Recorded cases: a release that answers otherwise than its author wrote down does not go live.

use serde_json::{Value, json};

use crate::support::guest::{answering, sample};
use crate::support::{ABOUT_URL, OLD_URL, Site, about};

/// One case of the filter that answers with this url.
fn case(url: &str) -> Value {
    json!({"cases": [{
        "name": "the url moves",
        "filter": ABOUT_URL,
        "kwargs": about(OLD_URL),
        "expect": {"outcome": "completed", "kwargs": {"url": url}},
    }]})
}

#[test]
fn check_runs_them_without_a_server() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/course-about-url.cases.json");
    let site = Site::empty()
        .with("about.wasm", sample("course-about-url"))
        .with("cases.json", std::fs::read(example).unwrap())
        .with("wrong.json", case("elsewhere").to_string())
        .with("bad.json", case("x").to_string().replace("kwargs", "kwarg"));
    let ran = site.run(&["check", "about.wasm", "--cases", "cases.json"]).exits(0);
    ran.prints(&["[passed] a course's about page moves", "[passed] an address without", "fits"]);

    let ran = site.run(&["check", "about.wasm", "--cases", "wrong.json"]).exits(1);
    ran.prints(&[
        "[case] the url moves",
        "kwargs.url: expected \"elsewhere\", found \"https://example.com/new_about_page/",
        "does not fit",
        "1 of 1 recorded cases failed",
    ]);
    let json = site.run(&["check", "about.wasm", "--cases", "wrong.json", "--json"]).exits(1).json();
    assert_eq!((&json["fits"], &json["cases"][0]["passed"]), (&false.into(), &false.into()), "{json}");

    let ran = site.run(&["check", "about.wasm", "--cases", "bad.json"]).exits(1);
    ran.explains(&["--cases bad.json: cases[0].kwargs: it is missing"]);
    site.run(&["check", "about.wasm", "--cases", "gone.json"]).exits(1).explains(&["gone.json"]);
}

#[test]
fn check_runs_them_with_a_plugin_s_settings() {
    let case = json!({"cases": [{
        "filter": ABOUT_URL,
        "kwargs": about(OLD_URL),
        "expect": {"outcome": "completed",
            "kwargs": {"url": "https://example.com/about/course-v1:edX+DemoX+Demo_Course"}},
    }]});
    let site = Site::new("[plugins.mine]\ncomponent = \"about.wasm\"\nsettings = { path = \"about\" }")
        .with("about.wasm", sample("course-about-url"))
        .with("cases.json", case.to_string());
    site.run(&["check", "about.wasm", "--cases", "cases.json"]).exits(1).prints(&["[case] cases[0]"]);
    let ran = site.run(&["check", "about.wasm", "--cases", "cases.json", "--plugin", "mine"]).exits(0);
    ran.prints(&["[passed] cases[0]"]);
}

#[test]
fn a_release_that_answers_otherwise_is_rejected_and_the_old_one_serves() {
    let site = Site::new("[plugins]\nsamples = false")
        .with("one.wasm", answering("one"))
        .with("two.wasm", answering("two"))
        .with("cases.json", case("one").to_string())
        .with("bad.json", "{\"cases\": [{}]}");
    let server = site.serve();
    let install = |arguments: &[&str]| {
        site.run_on_data(
            &[&["plugin", "install", "--name", "mine", "--url", server.url()], arguments].concat(),
        )
    };
    let url = || server.filter(ABOUT_URL, &about(OLD_URL)).json(200)["kwargs"]["url"].clone();
    install(&["one.wasm", "--cases", "cases.json"]).exits(0).prints(&["release 1 is live"]);
    assert_eq!(url(), "one");

    let rejected = install(&["two.wasm", "--cases", "cases.json"]).exits(1);
    rejected.explains(&[
        "release 2 of mine is rejected",
        "the url moves",
        "kwargs.url: expected \"one\", found \"two\"",
    ]);
    assert_eq!(url(), "one");
    let shown = site.run_on_data(&["plugin", "releases", "mine", "2", "--url", server.url()]).exits(0);
    shown.prints(&["is rejected", "0 of 1 passed", "[case] the url moves"]);

    install(&["two.wasm", "--cases", "bad.json"]).exits(1).explains(&["cases[0]"]);
    assert_eq!(url(), "one");
    install(&["two.wasm"]).exits(0).prints(&["release 2 is live"]);
    assert_eq!(url(), "two");
}
