//! Without any configuration, the sample plugins answer.

use serde_json::json;

use crate::support::{
    ABOUT_RENDER, ABOUT_URL, COURSE, ENROLLMENT, NEW_URL, NO_STEPS, OLD_URL, Site, about, enrollment, steps,
};

#[test]
fn both_names_of_the_about_page_filter_move_the_page() {
    let server = Site::empty().serve();
    for filter_type in [ABOUT_URL, ABOUT_RENDER] {
        let answer = server.filter(filter_type, &about(OLD_URL)).json(200);
        assert_eq!(answer["outcome"], "completed", "{filter_type}: {answer}");
        assert_eq!(answer["kwargs"], json!({"url": NEW_URL, "org": "edX"}), "{filter_type}");
        assert!(answer.get("exception").is_none(), "{answer}");

        assert_eq!(steps(&answer), [("course-about-url", "proceeded")], "{filter_type}");
        let step = &answer["steps"][0];
        assert_eq!(step["changed"], json!(["url"]), "{step}");
        assert_eq!(step["version"], "1.0.0", "{step}");
        let digest = step["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        assert_eq!(digest.len(), 64, "{step}");
        assert!(step["microseconds"].is_u64(), "{step}");
        assert!(step.get("failure").is_none(), "{step}");
    }
}

#[test]
fn a_url_without_a_course_key_stays_as_it_is() {
    let server = Site::empty().serve();
    let arguments = about("https://lms.example.com/courses/about");
    let answer = server.filter(ABOUT_URL, &arguments).json(200);
    assert_eq!(answer["kwargs"], arguments);
    assert_eq!(steps(&answer), [("course-about-url", "proceeded")]);
    assert_eq!(answer["steps"][0]["changed"], json!([]));
}

#[test]
fn a_filter_without_steps_returns_its_arguments() {
    let server = Site::empty().serve();
    let answer = server.filter(NO_STEPS, &json!({"url": OLD_URL})).json(200);
    assert_eq!(answer, json!({"outcome": "completed", "kwargs": {"url": OLD_URL}, "steps": []}));
}

#[test]
fn arguments_that_the_filter_does_not_know_pass_through() {
    let server = Site::empty().serve();
    let more = json!({"url": OLD_URL, "org": "edX", "request": {"path": ["/", null, 1.5]}, "ütf": "8 ✓"});
    let answer = server.filter(ABOUT_URL, &more).json(200);
    let mut expected = more.clone();
    expected["url"] = json!(NEW_URL);
    assert_eq!(answer["kwargs"], expected);
    assert_eq!(answer["steps"][0]["changed"], json!(["url"]));
}

#[test]
fn the_guard_without_settings_lets_everyone_enroll() {
    let server = Site::empty().serve();
    let answer = server.filter(ENROLLMENT, &enrollment("audit")).json(200);
    assert_eq!(answer["outcome"], "completed", "{answer}");
    assert_eq!(answer["kwargs"]["course_key"], COURSE);
    assert_eq!(answer["kwargs"], enrollment("audit"));
    assert_eq!(steps(&answer), [("enrollment-guard", "proceeded")]);
}

#[test]
fn samples_are_left_out_when_the_configuration_says_so_or_names_other_plugins() {
    let without = Site::new("[plugins]\nsamples = false\n").serve();
    let answer = without.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!((steps(&answer), &answer["kwargs"]["url"]), (vec![], &json!(OLD_URL)));

    // One that waits for its table leaves the others as they are.
    let more = Site::new("[plugins.audit-log]\ngrants = [\"keyvalue\"]\n").serve();
    let overview = more.get("/hooks/").json(200);
    let plugins = overview["plugins"].as_array().unwrap();
    let names: Vec<&str> = plugins.iter().map(|plugin| plugin["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["audit-log", "catalog-logger", "course-about-url", "enrollment-guard"]);

    let own = Site::new("[plugins.mine]\ncomponent = \"mine.wasm\"\n");
    let own = own.with("mine.wasm", crate::support::guest::sample("course-about-url")).serve();
    let answer = own.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!((steps(&answer), &answer["kwargs"]["url"]), (vec![("mine", "proceeded")], &json!(NEW_URL)));
}
