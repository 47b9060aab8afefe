//! `hookbox plugin …` installs, upgrades, rolls back and removes on a running server, and on a data folder that none uses.

use serde_json::Value;

use crate::support::guest::answering;
use crate::support::site::{Ran, run};
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

/// A site without the samples, with two components that answer differently and one that is none.
fn site() -> Site {
    Site::new("[plugins]\nsamples = false")
        .with("one.wasm", answering("one"))
        .with("two.wasm", answering("two"))
        .with("broken.wasm", "no component")
}

fn on(site: &Site, server: &Server, arguments: &[&str]) -> Ran {
    site.run_on_data(&[arguments, &["--url", server.url()]].concat())
}

/// What the filter's url becomes; as it was where no plugin takes it.
#[track_caller]
fn url(server: &Server) -> String {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    answer["kwargs"]["url"].as_str().unwrap().to_owned()
}

fn state(site: &Site, server: &Server) -> Value {
    on(site, server, &["plugin", "show", "mine", "--json"]).exits(0).json()
}

#[test]
fn a_running_server_takes_releases_and_gives_them_back() {
    let site = site();
    let server = site.serve();
    on(&site, &server, &["plugin", "list"]).exits(0).prints(&["no plugin is installed"]);

    let installed = on(&site, &server, &["plugin", "install", "one.wasm", "--name", "mine"]).exits(0);
    installed.prints(&["mine: release 1 is live, generation"]);
    assert_eq!(url(&server), "one");

    let again = on(&site, &server, &["plugin", "install", "one.wasm", "--name", "mine"]).exits(0);
    again.prints(&["nothing changed, release 1 is live"]);

    let upgraded =
        on(&site, &server, &["plugin", "install", "two.wasm", "--name", "mine", "--json"]).exits(0);
    let changed = upgraded.json();
    assert_eq!((&changed["outcome"], &changed["release"]), (&"live".into(), &2.into()), "{changed}");
    assert_eq!(url(&server), "two");

    on(&site, &server, &["plugin", "rollback", "mine"]).exits(0).prints(&["release 1 is live"]);
    assert_eq!(url(&server), "one");
    on(&site, &server, &["plugin", "activate", "mine", "2"]).exits(0).prints(&["release 2 is live"]);
    assert_eq!(url(&server), "two");
    let digest = state(&site, &server)["releases"][1]["digest"].as_str().unwrap()[..20].to_owned();
    on(&site, &server, &["plugin", "activate", "mine", &digest]).exits(0).prints(&["release 1 is live"]);

    on(&site, &server, &["plugin", "disable", "mine"]).exits(0).prints(&["is disabled"]);
    assert_eq!(url(&server), OLD_URL);
    on(&site, &server, &["plugin", "enable", "mine"]).exits(0).prints(&["release 1 is live"]);
    assert_eq!(url(&server), "one");

    on(&site, &server, &["plugin", "releases", "mine"]).exits(0).prints(&["live", "replaced", "upload"]);
    on(&site, &server, &["plugin", "remove", "mine"]).exits(0).prints(&["mine: is removed"]);
    assert_eq!(url(&server), OLD_URL);
    on(&site, &server, &["plugin", "list"]).exits(0).prints(&["no plugin is installed"]);
    on(&site, &server, &["plugin", "list", "--all"]).exits(0).prints(&["mine", "removed"]);

    let trail = on(&site, &server, &["audit", "--plugin", "mine"]).exits(0);
    trail.prints(&["hookbox:cli install mine release 1", "hookbox:cli remove mine"]);
    let entries = on(&site, &server, &["audit", "--limit", "2", "--json"]).exits(0).json();
    assert_eq!(entries["entries"].as_array().unwrap().len(), 2, "{entries}");
    assert!(entries["next"].is_i64(), "{entries}");
}

#[test]
fn what_is_refused_is_told_line_by_line_and_the_old_release_serves() {
    let site = site();
    let server = site.serve();
    on(&site, &server, &["plugin", "install", "one.wasm", "--name", "mine"]).exits(0);

    let rejected = on(&site, &server, &["plugin", "install", "broken.wasm", "--name", "mine"]).exits(1);
    rejected.explains(&["422", "release 2 of mine is rejected", "[not-wasm]"]);
    assert_eq!(url(&server), "one");
    on(&site, &server, &["plugin", "list"]).exits(0).prints(&["mine", "live", "rejected: release 2"]);
    on(&site, &server, &["plugin", "releases", "mine", "2"]).exits(0).prints(&["is rejected", "[not-wasm]"]);

    let digest = "0".repeat(64);
    let other = ["plugin", "install", "two.wasm", "--name", "mine", "--sha256", &digest];
    on(&site, &server, &other).exits(1).explains(&["the bytes have the digest"]);
    let late = ["plugin", "install", "two.wasm", "--name", "mine", "--if-match", "999"];
    on(&site, &server, &late).exits(1).explains(&["412", "has changed since you looked"]);
    let json = on(&site, &server, &[&late[..], &["--json"]].concat()).exits(1).json();
    assert_eq!(json["code"], "precondition-failed", "{json}");
    let named = ["plugin", "install", "two.wasm", "--name", "../mine"];
    on(&site, &server, &named).exits(1).explains(&["400", "plugin name"]);
    on(&site, &server, &["plugin", "activate", "mine", "7"]).exits(1).explains(&["no release 7"]);
    on(&site, &server, &["plugin", "rollback", "yours"]).exits(1).explains(&["404", "yours"]);
    assert_eq!(url(&server), "one");
}

#[test]
fn a_release_can_be_kept_tried_and_promoted() {
    let site = site();
    let server = site.serve();
    on(&site, &server, &["plugin", "install", "one.wasm", "--name", "mine"]).exits(0);
    let kept = on(&site, &server, &["plugin", "install", "two.wasm", "--name", "mine", "--keep"]).exits(0);
    kept.prints(&["release 2 passed admission", "hookbox plugin activate mine 2"]);
    assert_eq!(url(&server), "one");
    on(&site, &server, &["plugin", "trial", "mine"]).exits(0).prints(&["no release is tried"]);

    let shadow = on(&site, &server, &["plugin", "shadow", "mine", "2", "--percent", "100"]).exits(0);
    shadow.prints(&["release 2", "is tried", "shadow"]);
    assert_eq!(url(&server), "one");
    server.until("the difference is counted", |server| {
        let trial = on(&site, server, &["plugin", "trial", "mine", "--json"]).exits(0).json();
        trial["counts"]["different"] == 1
    });
    on(&site, &server, &["plugin", "trial", "mine"]).exits(0).prints(&[
        "1 different",
        ABOUT_URL,
        "changes.url",
    ]);
    on(&site, &server, &["plugin", "promote", "mine"]).exits(0).prints(&["release 2 is live"]);
    assert_eq!(url(&server), "two");

    on(&site, &server, &["plugin", "canary", "mine", "1", "--percent", "100"]).exits(0).prints(&["canary"]);
    assert_eq!(url(&server), "one");
    on(&site, &server, &["plugin", "end-trial", "mine"]).exits(0);
    assert_eq!(url(&server), "two");
}

#[test]
fn a_data_folder_that_no_server_uses_is_worked_on_directly() {
    let site = site();
    site.run_on_data(&["db", "migrate"]).exits(0);
    let installed = site.run_on_data(&["plugin", "install", "one.wasm", "--name", "mine"]).exits(0);
    installed.prints(&["mine: release 1 is live", "no server uses"]);
    site.run_on_data(&["plugin", "install", "two.wasm", "--name", "mine"]).exits(0);
    let rejected = site.run_on_data(&["plugin", "install", "broken.wasm", "--name", "mine"]).exits(1);
    rejected.explains(&["release 3 of mine is rejected", "[not-wasm]"]);
    site.run_on_data(&["plugin", "list"]).exits(0).prints(&["mine", "live", "2", "rejected: release 3"]);
    site.run_on_data(&["plugin", "rollback", "mine"]).exits(0).prints(&["release 1 is live"]);
    let trail = || site.run_on_data(&["audit"]).exits(0).stdout;
    let before = trail();
    assert!(before.contains("hookbox:cli install mine release 1"), "{before}");
    site.run_on_data(&["plugin", "show", "mine"]).exits(0).prints(&["live", "revision"]);
    site.run_on_data(&["plugin", "releases", "mine", "3"]).exits(0).prints(&["[not-wasm]"]);
    assert_eq!(trail(), before, "looking changes nothing");
    site.run_on_data(&["plugin", "lift", "mine"]).exits(1).explains(&["no server uses"]);
    site.run_on_data(&["config", "reload"]).exits(1).explains(&["no server uses"]);

    let server = site.serve();
    assert_eq!(url(&server), "one");

    // The folder is in use now: the same command finds the server where the configuration says that it listens.
    let mut command = site.command(&["plugin", "rollback", "mine", "2"]);
    command.env("HOOKBOX_SERVER__DATA", site.data()).env("HOOKBOX_SERVER__LISTEN", server.address());
    let rolled = run(command).exits(0);
    rolled.prints(&["release 2 is live"]);
    assert!(!rolled.stdout.contains("no server uses"), "{rolled:?}");
    assert_eq!(url(&server), "two");
}

#[test]
fn a_data_folder_takes_every_change() {
    let site = site();
    site.run_on_data(&["db", "migrate"]).exits(0);
    for (arguments, says) in [
        (&["plugin", "install", "one.wasm", "--name", "mine"][..], "release 1 is live"),
        (&["plugin", "install", "two.wasm", "--name", "mine", "--keep"], "release 2 passed admission"),
        (&["plugin", "shadow", "mine", "2", "--percent", "10"], "shadow on 10 % of the calls"),
        (&["plugin", "promote", "mine"], "release 2 is live"),
        (&["plugin", "canary", "mine", "1", "--percent", "10"], "canary on 10 % of the calls"),
        (&["plugin", "end-trial", "mine"], "has ended"),
        (&["plugin", "disable", "mine"], "is disabled"),
        (&["plugin", "enable", "mine"], "release 2 is live"),
        (&["plugin", "remove", "mine", "--delete-rows"], "is removed"),
    ] {
        site.run_on_data(arguments).exits(0).prints(&[says]);
    }
    site.run_on_data(&["plugin", "list"]).exits(0).prints(&["no plugin is installed"]);
    site.run_on_data(&["hooks", "list", "--live"]).exits(0).prints(&["0 live"]);
}

#[test]
fn what_a_release_wants_is_approved_in_a_data_folder_too() {
    let site = site().with("counter.wasm", crate::support::guest::written("key-value"));
    site.run_on_data(&["db", "migrate"]).exits(0);
    let waits = site.run_on_data(&["plugin", "install", "counter.wasm", "--name", "counter"]).exits(0);
    waits.prints(&["release 1 waits for approval", "keyvalue", "hookbox plugin approve counter"]);
    site.run_on_data(&["plugin", "list"]).exits(0).prints(&["needs approval: release 1", "keyvalue"]);
    site.run_on_data(&["plugin", "approve", "counter"]).exits(0).prints(&["release 1 is live"]);
    site.run_on_data(&["plugin", "show", "counter"]).exits(0).prints(&["approved", "keyvalue"]);
}

#[test]
fn a_component_s_own_name_or_its_file_s_is_the_plugin_s() {
    let site = site().with("about.wasm", crate::support::guest::sample("course-about-url"));
    let server = site.serve();
    let named = on(&site, &server, &["plugin", "install", "about.wasm"]).exits(0);
    named.prints(&["course-about-url: release 1 (1.0.0) is live"]);
    on(&site, &server, &["plugin", "install", "two.wasm"]).exits(0).prints(&["two: release 1 is live"]);
}

#[test]
fn a_reload_says_what_it_changed_and_a_diff_what_it_would() {
    let site = site();
    let server = site.serve();
    on(&site, &server, &["config", "diff"]).exits(0).prints(&["a reload would change nothing"]);
    let site =
        site.with("hookbox.toml", "[plugins]\nsamples = false\n[plugins.mine]\ncomponent = \"one.wasm\"");
    let diff = on(&site, &server, &["config", "diff"]).exits(0);
    diff.prints(&["plugin mine is added", &format!("hook {ABOUT_URL}"), "before   nobody", "after    mine"]);
    assert_eq!(url(&server), OLD_URL);
    on(&site, &server, &["config", "reload"])
        .exits(0)
        .prints(&["plugin mine is added", "reloaded, generation"]);
    assert_eq!(url(&server), "one");

    let site = site.with("hookbox.toml", "[plugins.mine]\ncomponent = \"none.wasm\"\nsettins = {}");
    on(&site, &server, &["config", "reload"]).exits(1).explains(&["settins"]);
    assert_eq!(url(&server), "one");
}
