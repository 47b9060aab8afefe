//! What the command answers on its own, and how it says that it was called wrongly.

use std::path::Path;

use hookbox_hostile::WIT_FOLDERS;
use serde_json::{Value, json};

use crate::support::guest::{counting_filter, sample, written};
use crate::support::site::run;
use crate::support::{
    ABOUT_URL, CATALOG_INFO, COURSE, ENROLLMENT, NEW_URL, OLD_URL, Site, about, catalog_info, enrollment,
    steps,
};

#[test]
fn hooks_list_shows_the_catalogue_and_who_takes_it() {
    let site = Site::empty();
    let ran = site.run(&["hooks", "list"]).exits(0);
    ran.prints(&["118 hooks: 43 filters (openedx-filters ", "75 events (openedx-events "]);
    let line = |hook: &str| {
        ran.stdout.lines().find(|line| line.split_whitespace().nth(1) == Some(hook)).unwrap_or_default()
    };
    assert!(
        line(ABOUT_URL).starts_with("filter") && line(ABOUT_URL).ends_with("course-about-url"),
        "{ran:?}"
    );
    assert!(
        line(CATALOG_INFO).starts_with("event") && line(CATALOG_INFO).ends_with("catalog-logger"),
        "{ran:?}"
    );

    let types = |arguments: &[&str]| -> Vec<String> {
        let list = site.run(&[&["hooks", "list", "--json"], arguments].concat()).exits(0).json();
        let hooks = list.as_array().unwrap().iter();
        hooks
            .filter(|hook| hook.get("like").is_none())
            .map(|hook| hook["type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(types(&[]).len(), 118);
    assert_eq!(types(&["--kind", "filter"]).len(), 43);
    assert_eq!(types(&["--kind", "event"]).len(), 75);
    assert_eq!(types(&["--live"]), [ENROLLMENT, ABOUT_URL, CATALOG_INFO]);
    assert!(!site.path().join("hookbox-data").exists(), "a question leaves nothing behind");
}

#[test]
fn hooks_show_says_why_each_step_is_there() {
    let configuration = format!(
        "[plugins.mine]\ncomponent = \"url.wasm\"\non_failure = \"raise\"\n[filters.\"{ABOUT_URL}\"]\npipeline = [\"gone\", \"mine\"]"
    );
    let site = Site::new(&configuration).with("url.wasm", sample("course-about-url"));
    let ran = site.run(&["hooks", "show", ABOUT_URL]).exits(0);
    ran.prints(&[
        "CourseAboutPageURLRequested",
        "url: string",
        "mine 1.0.0: number 2 of the configured pipeline",
        "on failure: raise",
        "gone does not run: no live plugin has that name",
    ]);
    let render = site.run(&["hooks", "show", crate::support::ABOUT_RENDER]).exits(0);
    render.prints(&[&format!("behaves like   {ABOUT_URL}"), "1. mine 1.0.0: it exports openedx:filters/"]);
    let json = site.run(&["hooks", "show", ABOUT_URL, "--json"]).exits(0).json();
    assert_eq!(json["plugins"][0]["reason"], "number 2 of the configured pipeline", "{json}");
    assert_eq!(json["missing"][0]["plugin"], "gone", "{json}");
}

#[test]
fn an_unknown_type_is_answered_with_the_nearest() {
    let site = Site::empty();
    let near = "org.openedx.learning.course_about.page.url.request.v1";
    let hint = format!("did you mean {ABOUT_URL}?");
    site.run(&["hooks", "show", near]).exits(1).explains(&[near, &hint]);
    site.run(&["filter", "run", near, "--args", "{}"]).exits(1).explains(&[near, &hint]);
}

#[test]
fn filter_run_runs_the_configured_pipeline() {
    let site = Site::new("[plugins.enrollment-guard]\nsettings = { modes = \"honor\" }")
        .with("about.json", about(OLD_URL).to_string());
    let ran = site.run(&["filter", "run", ABOUT_URL, "--args", "@about.json"]).exits(0);
    ran.prints(&["course-about-url 1.0.0: proceeded", "changed url", "completed", NEW_URL]);
    let json = site.run(&["filter", "run", ABOUT_URL, "--json", "--args", "@about.json"]).exits(0).json();
    assert_eq!(json["kwargs"], json!({"url": NEW_URL, "org": "edX"}));
    assert_eq!(steps(&json), [("course-about-url", "proceeded")]);

    let json = site
        .run(&["filter", "run", ENROLLMENT, "--json", "--args", &enrollment("audit").to_string()])
        .exits(0)
        .json();
    assert_eq!(
        (&json["outcome"], &json["exception"]["class"]),
        (&"raised".into(), &"PreventEnrollment".into()),
        "{json}"
    );
}

#[test]
fn filter_run_tries_components_with_settings() {
    let site = Site::new("[plugins.other]\ncomponent = \"not-there.wasm\"")
        .with("My_Plugin.wasm", sample("course-about-url"));
    let arguments = about(OLD_URL).to_string();
    let run = |more: &[&str]| {
        site.run(&[&["filter", "run", ABOUT_URL, "--json", "--args", &arguments], more].concat())
    };
    let json = run(&["--component", "My_Plugin.wasm", "--setting", "path=tried"]).exits(0).json();
    assert_eq!(steps(&json), [("my-plugin", "proceeded")], "{json}");
    assert_eq!(json["kwargs"]["url"], "https://example.com/tried/course-v1:edX+DemoX+Demo_Course");

    let site = site.with("generic.wasm", counting_filter());
    let run = |more: &[&str]| {
        site.run(&[&["filter", "run", ABOUT_URL, "--json", "--args", &arguments], more].concat())
    };
    let json = run(&["--component", "My_Plugin.wasm", "--component", "generic.wasm"]).exits(0).json();
    assert_eq!(steps(&json), [("generic", "proceeded"), ("my-plugin", "proceeded")], "{json}");
    assert_eq!(json["kwargs"]["count"], 1, "{json}");

    run(&["--component", "My_Plugin.wasm", "--setting", "path"])
        .exits(1)
        .explains(&["--setting \"path\"", "KEY=VALUE"]);
}

#[test]
fn filter_run_tries_components_with_grants() {
    let site = Site::empty().with("keeps.wasm", written("key-value"));
    let arguments = about("get||color").to_string();
    let run = |grants: &[&str]| {
        let tried = ["filter", "run", ABOUT_URL, "--json", "--args", &arguments, "--component", "keeps.wasm"];
        let grants: Vec<&str> = grants.iter().flat_map(|grant| ["--grant", grant]).collect();
        site.run(&[&tried[..], &grants].concat())
    };
    run(&[]).exits(1).explains(&["plugins.keeps", "wasi:keyvalue/store", "the grant keyvalue"]);
    run(&["keyvalues"]).exits(1).explains(&["grant \"keyvalues\"", "a grant is one of"]);
    let ran = run(&["keyvalue", "archive:read"]).exits(0);
    ran.explains(&["imports nothing for the grant archive:read"]);
    let json = ran.json();
    assert_eq!(steps(&json), [("keeps", "proceeded")], "{json}");
    let came = json["kwargs"]["url"].as_str().unwrap();
    assert!(came.contains("there is no key-value store here"), "{json}");
    assert!(!site.path().join("hookbox-data").exists(), "a trial leaves nothing behind");
}

#[test]
fn filter_run_says_what_failed() {
    let site = Site::new(&format!(
        "[filters.\"{ABOUT_URL}\"]\nfail_silently = false\n[plugins.fragile]\ncomponent = \"fragile.wasm\""
    ));
    let site = site.with("fragile.wasm", sample("test-panic"));
    let run = |arguments: &Value, more: &[&str]| {
        site.run(&[&["filter", "run", ABOUT_URL, "--args", &arguments.to_string()], more].concat()).exits(1)
    };
    run(&about("/panic"), &[]).explains(&["step fragile failed: the plugin trapped", "the url was /panic"]);
    let json = run(&about("/panic"), &["--json"]).json();
    assert_eq!(
        (&json["outcome"], &json["step"], &json["failure"]["code"]),
        (&"failed".into(), &"fragile".into(), &"trap".into())
    );
    let missing = run(&json!({"url": "/"}), &[]);
    assert_eq!(missing.stderr.matches("org: expected a string, found nothing").count(), 1, "{missing:?}");
    run(&json!([]), &[]).explains(&["--args must be a JSON object"]);
    site.run(&["filter", "run", ABOUT_URL, "--args", "{"]).exits(1).explains(&["--args is not JSON"]);
    site.run(&["filter", "run", ABOUT_URL, "--args", "@none.json"]).exits(1).explains(&["none.json"]);
}

#[test]
fn event_send_reaches_a_running_server() {
    let site = Site::empty();
    let server = site.serve();
    let data = catalog_info(COURSE).to_string();
    let token = site.token(&["--user", "lms", "--scope", "hooks:run"]);
    let sent = |event_type: &str, more: &[&str]| {
        let mut command = site.command(&["event", "send", event_type, "--url", server.url()]);
        command.args(more).env("HOOKBOX_TOKEN", &token);
        run(command)
    };
    let send = |more: &[&str]| sent(CATALOG_INFO, more);
    send(&["--data", &data]).exits(0).prints(&["accepted", "1 receiver"]);
    server.logs(1, &[&format!("{COURSE} has been updated!"), "plugin=\"catalog-logger\""]);

    let id = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";
    let json = send(&["--data", &data, "--json", "--id", id]).exits(0).json();
    assert_eq!(json["accepted"][0]["id"], id, "{json}");
    server.logs(2, &[&format!("{COURSE} has been updated!")]);

    send(&["--data", "{\"catalog_info\": {}}"])
        .exits(1)
        .explains(&["--data does not fit the event", "catalog_info.course_key"]);
    sent("org.openedx.nothing.v1", &["--data", "{}"]).exits(1).explains(&["404", "org.openedx.nothing.v1"]);

    // Where the data folder is at hand, the command makes a token of its own; elsewhere it says what is missing.
    let mut beside = site.command(&["event", "send", CATALOG_INFO, "--url", server.url(), "--data", &data]);
    beside.env("HOOKBOX_SERVER__DATA", site.data());
    run(beside).exits(0).prints(&["accepted"]);
    let elsewhere = Site::empty();
    let without =
        elsewhere.run(&["event", "send", CATALOG_INFO, "--url", server.url(), "--data", &data]).exits(1);
    without.explains(&["401", "hookbox token"]);
}

#[test]
fn event_send_without_a_server_says_how_to_start_one() {
    // A port that no server of a test can get.
    let url = "http://127.0.0.1:1";
    let ran = Site::empty().run(&[
        "event",
        "send",
        CATALOG_INFO,
        "--data",
        &catalog_info(COURSE).to_string(),
        "--url",
        url,
    ]);
    ran.exits(1).explains(&[url, "is the server running?", "hookbox serve"]);
}

#[test]
fn wit_writes_packages_that_can_be_parsed() {
    let site = Site::empty();
    site.run(&["wit", "out/wit"]).exits(0).prints(&["files written to out/wit"]);
    let mut resolve = wit_parser::Resolve::default();
    for folder in WIT_FOLDERS {
        resolve.push_dir(site.path().join("out/wit").join(folder)).unwrap();
    }
    let package =
        |name: &str| resolve.packages.iter().find(|(_, package)| package.name.to_string() == name).unwrap().1;
    let hooks = |package: &wit_parser::Package| {
        let names = package.interfaces.keys();
        names.filter(|name| !name.ends_with("-types")).count()
    };
    assert_eq!(hooks(package("openedx:filters@1.0.0")), 43);
    assert_eq!(hooks(package("openedx:events@1.0.0")), 75);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/hookbox/types.wit");
    let written = std::fs::read(site.path().join("out/wit/hookbox/types.wit")).unwrap();
    assert_eq!(written, std::fs::read(committed).unwrap());
}

#[test]
fn usage_errors_exit_with_2() {
    let site = Site::empty();
    for (arguments, says) in [
        (&["nope"][..], "nope"),
        (&["serve", "--lisen", "127.0.0.1:0"], "--listen"),
        (&["serve", "--listen", "here"], "--listen"),
        (&["check"], "FILE.wasm"),
        (&["hooks"], "list"),
        (&["filter", "run", ABOUT_URL], "--args"),
        (&["filter", "run", ABOUT_URL, "--args", "{}", "--setting", "a=b"], "--component"),
        (&["filter", "run", ABOUT_URL, "--args", "{}", "--grant", "keyvalue"], "--component"),
        (&["event", "send", CATALOG_INFO], "--data"),
        (&["plugin", "lift"], "NAME"),
        (&["plugin", "install"], "FILE.wasm"),
        (&["plugin", "install", "a.wasm", "--keep", "--shadow", "5"], "--keep"),
        (&["plugin", "install", "a.wasm", "--shadow", "5", "--calls", "5"], "--differences"),
        (&["plugin", "shadow", "a", "2", "--percent", "101"], "at most 100"),
        (&["plugin", "activate", "a", "0"], "numbered from 1"),
        (&["audit", "--limit", "501"], "--limit"),
    ] {
        let ran = site.run(arguments).exits(2);
        ran.explains(&[says, "--help"]);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn help_shows_examples() {
    let site = Site::empty();
    site.run(&["--help"]).exits(0).prints(&[
        "Examples:",
        "hookbox check my-plugin.wasm",
        "Exit codes: 0 done",
    ]);
    for command in [
        &["serve"][..],
        &["filter", "run"],
        &["event", "send"],
        &["hooks", "list"],
        &["hooks", "show"],
        &["plugin", "list"],
        &["plugin", "show"],
        &["plugin", "lift"],
        &["plugin", "releases"],
        &["plugin", "install"],
        &["plugin", "activate"],
        &["plugin", "rollback"],
        &["plugin", "disable"],
        &["plugin", "enable"],
        &["plugin", "remove"],
        &["plugin", "approve"],
        &["plugin", "trial"],
        &["plugin", "shadow"],
        &["plugin", "canary"],
        &["plugin", "promote"],
        &["plugin", "end-trial"],
        &["config", "reload"],
        &["config", "diff"],
        &["audit"],
        &["check"],
        &["wit"],
    ] {
        let ran = site.run(&[command, &["--help"]].concat()).exits(0);
        ran.prints(&["Example", &format!("hookbox {}", command.join(" "))]);
    }
    site.run(&["--version"]).exits(0).prints(&["hookbox 0."]);
}
