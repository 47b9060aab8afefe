//! A configuration that cannot hold keeps the server from starting: exit code 1, and a message that says where the
//! mistake is and how to mend it.

use std::net::TcpListener;

use crate::support::guest::{echo_filter, sample};
use crate::support::{ABOUT_URL, Ran, Site};

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

#[track_caller]
fn refused(configuration: &str) -> Ran {
    let site = Site::new(configuration).with("url.wasm", sample("course-about-url"));
    let site = site.with("text.wasm", "no component").with("echo.wasm", echo_filter());
    let ran = site.run(SERVE).exits(1);
    assert_eq!(ran.stdout, "", "it never was ready");
    assert!(ran.stderr.contains("error: "), "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    ran
}

#[test]
fn a_mistyped_key_is_named_with_the_nearest() {
    for (configuration, place, near) in [
        ("[server]\nlisten_on = \"127.0.0.1:1\"", "server.listen_on", "listen"),
        ("[plugin.x]\ncomponent = \"url.wasm\"", "plugin", "plugins"),
        ("[plugins.course-about-url]\nsetings = {}", "plugins.course-about-url.setings", "settings"),
        (
            "[plugins.course-about-url]\nlimits = { tme = \"1s\" }",
            "plugins.course-about-url.limits.tme",
            "time",
        ),
        (
            "[plugins.course-about-url]\nquarantine = { failure = 3 }",
            "plugins.course-about-url.quarantine.failure",
            "failures",
        ),
    ] {
        let expected = format!("hookbox.toml: {place}: unknown key; did you mean {near}?");
        refused(configuration).explains(&[expected]);
    }
}

#[test]
fn a_bad_value_is_named_with_what_it_must_be() {
    for (configuration, texts) in [
        ("[server]\nlisten = \"localhost\"", ["server.listen", "127.0.0.1:8000"]),
        ("[server]\nevents_in_flight = 8", ["server.events_in_flight: is no more", "events.backlog says"]),
        ("[events]\nbacklog = 0", ["events.backlog:", "at least 1"]),
        ("[events]\nbacklog_bytes = \"1KiB\"", ["events.backlog_bytes:", "at least 1MiB"]),
        ("[events]\nkeep = { dead = \"11y\" }", ["events.keep.dead:", "at most 3650d"]),
        (
            "[plugins.catalog-logger]\ndelivery = { attempts = 0 }",
            ["plugins.catalog-logger: delivery.attempts", "from 1 to 1000"],
        ),
        (
            "[plugins.catalog-logger]\ndelivery = { ordered_by = \"a..b\" }",
            ["plugins.catalog-logger: delivery.ordered_by", "names separated by dots"],
        ),
        ("[server.compile]\ncpu = \"1500ms\"", ["server.compile.cpu", "whole seconds, from 1s to 1h"]),
        ("[server.compile]\nmemory = \"64MiB\"", ["server.compile.memory", "from 256MiB"]),
        ("[server.compile]\ntime = \"2h\"", ["server.compile.time", "from 1s to 1h"]),
        ("[plugins]\nsamples = \"no\"", ["plugins.samples", "expected a boolean"]),
        ("[plugins.course-about-url]\nlimits = { time = \"soon\" }", ["limits.time", "expected a duration"]),
        ("[plugins.course-about-url]\nlimits = { time = \"0s\" }", ["limits.time", "from 1ms to 10m"]),
        ("[plugins.course-about-url]\nlimits = { memory = \"lots\" }", ["limits.memory", "32MiB"]),
        (
            "[plugins.course-about-url]\non_failure = \"ignore\"",
            ["on_failure", "none of default, raise, skip"],
        ),
        (
            "[plugins.course-about-url]\nquarantine = 3",
            ["plugins.course-about-url.quarantine", "a table with failures"],
        ),
        (
            "[plugins.course-about-url]\nquarantine = { pause = \"soon\" }",
            ["plugins.course-about-url.quarantine", "expected a duration"],
        ),
        (
            "[plugins.course-about-url]\nquarantine = { pause = \"0s\" }",
            ["plugins.course-about-url: quarantine.pause", "from 1ms to 24h"],
        ),
        (
            "[plugins.course-about-url]\nquarantine = { longest_pause = \"2d\" }",
            ["plugins.course-about-url: quarantine.longest_pause", "from 1ms to 24h"],
        ),
        (
            "[plugins.course-about-url]\nquarantine = { pause = \"2s\", longest_pause = \"1s\" }",
            ["plugins.course-about-url: quarantine.longest_pause", "not be shorter than quarantine.pause"],
        ),
        ("[plugins.course-about-url]\nisolation = \"shared\"", ["isolation", "none of call, reuse"]),
        (
            "[plugins.course-about-url]\nmax_calls = 5",
            ["plugins.course-about-url: max_calls", "isolation = \"reuse\""],
        ),
        (
            "[plugins.course-about-url]\nhooks = [\"x\"]",
            ["plugins.course-about-url: hooks", "no generic interface"],
        ),
        ("[plugins.course-about-url]\ngrants = [\"moon\"]", ["plugins.course-about-url", "grant \"moon\""]),
        (
            "[plugins.course-about-url]\nsettings = { redirect_domain = \"https://x/\" }",
            [
                "plugins.course-about-url: the plugin refuses its settings",
                "\"https://x/\" is not a host name",
            ],
        ),
        ("[server", ["hookbox.toml", "line 1"]),
    ] {
        refused(configuration).explains(&texts);
    }
}

#[test]
fn a_plugin_that_is_named_twice_is_refused() {
    let twice = "[plugins.course-about-url]\nsettings = {}\n[plugins.course-about-url]\nlimits = {}\n";
    refused(twice).explains(&["hookbox.toml", "line 3", "duplicate key", "course-about-url"]);
}

#[test]
fn a_name_that_is_none_is_refused() {
    let long = "x".repeat(64);
    for name in ["Course_About", "\"\"", "-dash", "\"a b\"", "\"../up\"", &long] {
        let configuration = format!("[plugins.{name}]\ncomponent = \"url.wasm\"");
        refused(&configuration).explains(&[
            "plugin name",
            name.trim_matches('"'),
            "lower-case letters, digits and dashes",
        ]);
    }
    // The third letter is Cyrillic; the other is ten kilobytes, of which the message shows the beginning.
    for name in ["ur\u{430}l".to_owned(), "x".repeat(10_000)] {
        let ran = refused(&format!("[plugins.\"{name}\"]\ncomponent = \"url.wasm\""));
        ran.explains(&["plugin name", "lower-case letters, digits and dashes"]);
        assert!(ran.stderr.len() < 1_000, "{} bytes", ran.stderr.len());
    }
}

#[test]
fn a_component_that_cannot_be_had_is_named() {
    refused("[plugins.mine]\ncomponent = \"none.wasm\"").explains(&[
        "plugins.mine",
        "none.wasm",
        "No such file",
    ]);
    refused("[plugins.mine]\ncomponent = \".\"").explains(&["plugins.mine", "component"]);
    refused("[plugins.mine]\ncomponent = \"text.wasm\"")
        .explains(&["plugins.mine: the component is refused", "no WebAssembly"]);
}

#[test]
fn a_table_without_a_component_waits_for_one_and_says_so() {
    for (name, text) in
        [("mine", "hookbox plugin install"), ("course-about-ur", "did you mean the sample course-about-url?")]
    {
        let site = Site::new(&format!("[plugins.{name}]\nsettings = {{}}\n"));
        let ran = site.run(&["hooks", "list"]).exits(0);
        ran.explains(&[&format!("plugins.{name}: no release of it can take calls"), text]);
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let ran = refused("[plugins.one]\ncomponent = \"none.wasm\"\n[plugins.Two]\ncomponent = \"url.wasm\"\n");
    ran.explains(&["plugins.one", "plugin name \"Two\""]);
}

#[test]
fn a_filter_that_cannot_be_is_explained() {
    let near = "org.openedx.learning.course_about.page.url.request.v1";
    for (configuration, texts) in [
        (
            format!("[filters.\"{near}\"]\nfail_silently = false"),
            vec![near, "no filter has that type", "did you mean", ABOUT_URL, "`like`"],
        ),
        (
            format!("[filters.\"org.example.v1\"]\nlike = \"{near}\""),
            vec!["org.example.v1", "like", "did you mean", ABOUT_URL],
        ),
        ("[filters.\"org.example.v1\"]\nlike = 5".into(), vec!["org.example.v1", "like must be"]),
        ("[filters.org.openedx.x]\nfail_silently = false".into(), vec!["filters.\"org\"", "in quotes"]),
        (
            format!("[filters.\"{ABOUT_URL}\"]\nfail_silently = \"false\""),
            vec![ABOUT_URL, "fail_silently must be true or false"],
        ),
        (
            format!("[filters.\"{ABOUT_URL}\"]\npipeline = \"course-about-url\""),
            vec![ABOUT_URL, "pipeline: expected a list"],
        ),
        (
            format!("[filters.\"{ABOUT_URL}\"]\npipeline = [\"catalog-logger\"]\nfail_silently = false"),
            vec![
                "catalog-logger",
                "does not export openedx:filters/learning-course-about-page-url-requested-v1",
            ],
        ),
        (
            format!(
                "[plugins.echo]\ncomponent = \"echo.wasm\"\n[filters.\"{ABOUT_URL}\"]\npipeline = [\"echo\"]\nfail_silently = false"
            ),
            vec!["\"echo\"", "`hooks`"],
        ),
    ] {
        refused(&configuration).explains(&texts);
    }
}

#[test]
fn a_file_or_environment_that_is_not_there_is_named() {
    let site = Site::new("");
    let serve = |more: &[&str]| site.run(&[SERVE, more].concat()).exits(1);
    serve(&["--environment", "production"]).explains(&[
        "--environment production",
        "no file",
        "hookbox.production.toml",
    ]);
    serve(&["--environment", "../x"]).explains(&["--environment", "letters, digits, dashes and underscores"]);
    serve(&["--config", "none.toml"]).explains(&["none.toml", "no such file"]);
}

#[test]
fn a_mistyped_variable_is_named() {
    let site = Site::empty();
    for (name, value, texts) in [
        (
            "HOOKBOX_SERVER__LISTE",
            "127.0.0.1:0",
            ["HOOKBOX_", "server.liste: unknown key; did you mean listen?"],
        ),
        ("HOOKBOX_SERVER__LISTEN", "here", ["HOOKBOX_", "server.listen"]),
        ("HOOKBOX_LOG", "=,=", ["--log", "=,="]),
    ] {
        let mut command = site.command(SERVE);
        command.env(name, value);
        crate::support::site::run(command).exits(1).explains(&texts);
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = Site::empty().run(&["serve", "--listen", &address]).exits(1);
    ran.explains(&[&format!("cannot listen on {address}"), "choose another with --listen or server.listen"]);
}
