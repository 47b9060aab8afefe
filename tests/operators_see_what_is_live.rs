//! `GET /hooks/`, `/healthz` and `/readyz` tell an operator what the server knows, runs, and why.

use serde_json::{Value, json};

use crate::support::guest::{sample, written};
use crate::support::{ABOUT_RENDER, ABOUT_URL, CATALOG_INFO, ENROLLMENT, NO_STEPS, Site};

fn hook<'a>(overview: &'a Value, hook_type: &str) -> &'a Value {
    let hooks = overview["hooks"].as_array().unwrap();
    hooks.iter().find(|hook| hook["type"] == hook_type).unwrap()
}

#[test]
fn the_overview_holds_the_catalogue_and_the_live_plugins() {
    let server = Site::empty().serve();
    let overview = server.get("/hooks/").json(200);
    assert_eq!(server.get("/hooks").json(200), overview);
    for package in ["openedx-filters", "openedx-events"] {
        let version = overview["catalogue"][package].as_str().unwrap();
        assert!(
            version.split('.').count() == 3 && version.starts_with(|first: char| first.is_ascii_digit()),
            "{version}"
        );
    }
    let hooks = overview["hooks"].as_array().unwrap();
    let catalogued = hooks.iter().filter(|hook| hook.get("like").is_none());
    assert_eq!(catalogued.clone().filter(|hook| hook["kind"] == "filter").count(), 43);
    assert_eq!(catalogued.filter(|hook| hook["kind"] == "event").count(), 75);
    let live: Vec<&str> =
        hooks.iter().filter(|hook| hook["live"] == true).map(|hook| hook["type"].as_str().unwrap()).collect();
    assert_eq!(live, [ABOUT_RENDER, ENROLLMENT, ABOUT_URL, CATALOG_INFO]);
    assert_eq!(overview["warnings"], json!([]));

    let plugins = overview["plugins"].as_array().unwrap();
    let names: Vec<&str> = plugins.iter().map(|plugin| plugin["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["catalog-logger", "course-about-url", "enrollment-guard"]);
    assert_eq!(plugins[1]["origin"], "embedded sample");
    assert_eq!(plugins[1]["limits"]["filter_time_ms"], 100);
}

#[test]
fn a_grant_that_a_component_has_no_use_for_is_a_warning() {
    let configuration = "[plugins.mine]\ncomponent = \"mine.wasm\"
         grants = [\"keyvalue\", \"archive:write\", \"http:https://api.example.com\"]
         [plugins.plain]\ncomponent = \"plain.wasm\"\ngrants = [\"clock:fine\"]";
    let site = Site::new(configuration)
        .with("mine.wasm", written("key-value"))
        .with("plain.wasm", sample("course-about-url"));
    let server = site.serve();
    let warnings: Vec<String> =
        serde_json::from_value(server.get("/hooks/").json(200)["warnings"].clone()).unwrap();
    let nothing_for = "its component imports nothing for the grant";
    let expected = [
        format!("plugins.mine: {nothing_for} archive:write; all it needs is keyvalue"),
        format!("plugins.mine: {nothing_for} http:https://api.example.com; all it needs is keyvalue"),
        format!("plugins.plain: {nothing_for} clock:fine; it needs no grant"),
    ];
    assert_eq!(warnings, expected);
    for warning in &expected {
        server.logs(1, &["WARN", warning]);
    }
}

#[test]
fn each_hook_says_what_it_takes_and_who_takes_it() {
    let server = Site::new(&format!("[filters.\"{ENROLLMENT}\"]\nfail_silently = false")).serve();
    let overview = server.get("/hooks/").json(200);

    let about = server.get(&format!("/hooks/{ABOUT_URL}")).json(200);
    assert_eq!(&about, hook(&overview, ABOUT_URL));
    assert_eq!(about["upstream"], "openedx_filters.learning.filters.CourseAboutPageURLRequested");
    let interface = "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0";
    assert_eq!(about["interface"], interface);
    assert_eq!(
        about["arguments"],
        json!([{"name": "url", "type": "string"}, {"name": "org", "type": "string"}])
    );
    assert_eq!(about["fail_silently"], true);
    assert_eq!(about["plugins"][0]["plugin"], "course-about-url");
    assert_eq!(about["plugins"][0]["reason"], format!("it exports {interface}"));

    let render = server.get(&format!("/hooks/{ABOUT_RENDER}")).json(200);
    assert_eq!(render["like"], ABOUT_URL);
    assert_eq!(
        render["plugins"][0]["reason"],
        format!("it exports {interface}; this type behaves like {ABOUT_URL}")
    );

    assert_eq!(hook(&overview, ENROLLMENT)["fail_silently"], false);
    assert_eq!(
        (&hook(&overview, NO_STEPS)["live"], &hook(&overview, NO_STEPS)["plugins"]),
        (&json!(false), &json!([]))
    );

    let event = server.get(&format!("/hooks/{CATALOG_INFO}")).json(200);
    assert_eq!((&event["kind"], event.get("fail_silently")), (&json!("event"), None));
    assert_eq!(event["upstream"], "openedx_events.content_authoring.signals.COURSE_CATALOG_INFO_CHANGED");
    assert_eq!(event["arguments"][0]["name"], "catalog_info");
    assert_eq!(event["plugins"][0]["plugin"], "catalog-logger");
}

#[test]
fn health_and_readiness_are_told() {
    let server = Site::empty().serve();
    let (health, ready) = (server.get("/healthz"), server.get("/readyz"));
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
}
