//! Whoever may write to the plugin folder installs a plugin by putting `NAME.wasm` there, upgrades it by putting another
//! in its place, and withdraws it by taking it away. Nothing half written goes live, and a folder that vanishes takes
//! nothing with it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::guest::answering;
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

const CONFIGURATION: &str =
    "[plugins]\nsamples = false\nfolder = \"plugins\"\nsettle = \"100ms\"\npoll = \"200ms\"";

/// A site with an empty folder.
fn site() -> Site {
    let site = Site::new(CONFIGURATION);
    fs::create_dir(folder(&site)).unwrap();
    site
}

fn folder(site: &Site) -> PathBuf {
    site.path().join("plugins")
}

/// Puts a file into the folder whole, as a careful program does.
fn put(site: &Site, name: &str, content: impl AsRef<[u8]>) {
    let unfinished = folder(site).join(format!(".{name}.tmp"));
    fs::write(&unfinished, content).unwrap();
    fs::rename(unfinished, folder(site).join(name)).unwrap();
}

fn take_away(site: &Site, name: &str) {
    fs::remove_file(folder(site).join(name)).unwrap();
}

/// The url that a call is answered with; it stays what it was when no plugin is there.
#[track_caller]
fn url(server: &Server) -> String {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    answer["kwargs"]["url"].as_str().unwrap().to_owned()
}

#[track_caller]
fn until_answers(server: &Server, wanted: &str) {
    server.until(wanted, |server| url(server) == wanted);
}

#[track_caller]
fn plugin(server: &Server, name: &str) -> Value {
    server.get(&format!("/admin/api/plugins/{name}")).json(200)
}

fn lines(server: &Server, text: &str) -> usize {
    server.log().lines().filter(|line| line.contains(text)).count()
}

#[test]
fn a_plugin_comes_changes_and_goes_with_its_file() {
    let site = site();
    let server = site.serve();
    assert_eq!(url(&server), OLD_URL);
    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");
    let first = plugin(&server, "about");
    assert_eq!((&first["state"], &first["release"]), (&"live".into(), &1.into()), "{first}");
    assert_eq!(first["releases"][0]["source"], "folder");
    assert!(first["releases"][0]["origin"].as_str().unwrap().ends_with("about.wasm"), "{first}");

    put(&site, "about.wasm", answering("two"));
    until_answers(&server, "two");
    let second = plugin(&server, "about");
    assert_eq!(second["release"], 2, "{second}");
    assert_eq!(second["releases"][1]["state"], "replaced", "{second}");

    take_away(&site, "about.wasm");
    until_answers(&server, OLD_URL);
    assert_eq!(plugin(&server, "about")["state"], "removed");

    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");
}

#[test]
fn what_lies_there_at_the_start_is_live_when_the_server_is_ready() {
    let site = Site::new(&CONFIGURATION.replace("100ms", "1ms"));
    fs::create_dir(folder(&site)).unwrap();
    put(&site, "about.wasm", answering("one"));
    let server = site.serve();
    assert_eq!(url(&server), "one");
    server.stop();

    // What changes while no server runs is seen by the next.
    put(&site, "about.wasm", answering("two"));
    let server = site.serve();
    assert_eq!(url(&server), "two");
    assert_eq!(plugin(&server, "about")["release"], 2);
    server.stop();
    let server = site.serve();
    assert_eq!((url(&server), &plugin(&server, "about")["release"]), ("two".to_owned(), &2.into()));
    server.stop();
    take_away(&site, "about.wasm");
    let server = site.serve();
    until_answers(&server, OLD_URL);
    assert_eq!(plugin(&server, "about")["state"], "removed");
}

#[test]
fn a_half_written_file_is_never_live() {
    let site = site();
    let server = site.serve();
    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");

    // Whoever writes stops in the middle, for as long as it takes to be noticed.
    let whole = answering("two");
    let (half, rest) = whole.split_at(whole.len() / 2);
    let mut file = fs::File::create(folder(&site).join("about.wasm")).unwrap();
    file.write_all(half).unwrap();
    server.until("the half is refused", |server| {
        assert_eq!(url(server), "one");
        plugin(server, "about")["attention"]["state"] == "rejected"
    });
    assert_eq!(url(&server), "one");
    assert_eq!(plugin(&server, "about")["release"], 1);

    file.write_all(rest).unwrap();
    until_answers(&server, "two");
    assert_eq!(plugin(&server, "about")["attention"], Value::Null);
}

#[test]
fn a_rejected_file_is_looked_at_once() {
    let site = site();
    let server = site.serve();
    let rejected =
        |server: &Server| plugin(server, "about")["attention"]["reason"].as_str().unwrap().to_owned();
    put(&site, "about.wasm", "no component");
    server.until("it is known", |server| server.get("/admin/api/plugins/about").status == 200);
    assert!(!rejected(&server).is_empty());
    // Another plugin that comes later was looked for more often than that.
    put(&site, "other.wasm", answering("one"));
    until_answers(&server, "one");
    assert_eq!(lines(&server, "offers it again when its file changes"), 1, "{}", server.log());
    assert_eq!(plugin(&server, "about")["releases"].as_array().unwrap().len(), 1);
}

#[test]
fn a_folder_that_vanishes_takes_nothing_with_it() {
    let site = site();
    let server = site.serve();
    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");
    let away = site.path().join("away");
    fs::rename(folder(&site), &away).unwrap();
    server.logs(1, &["WARN", "the plugin folder cannot be read"]);
    assert_eq!(server.metric("hookbox_folder_readable", &[]), 0.0);
    let looks = |server: &Server| server.metric("hookbox_folder_looks_total", &[]);
    let before = looks(&server);
    server.until("it is looked for some more", |server| looks(server) >= before + 5.0);
    assert_eq!(url(&server), "one");
    assert_eq!(lines(&server, "the plugin folder cannot be read"), 1);

    // A start without the folder brings the plugin back all the same.
    server.stop();
    let server = site.serve();
    assert_eq!(url(&server), "one");
    server.logs(1, &["WARN", "the plugin folder cannot be read"]);

    fs::rename(&away, folder(&site)).unwrap();
    server.logs(1, &["INFO", "the plugin folder is watched"]);
    assert_eq!(server.metric("hookbox_folder_readable", &[]), 1.0);
    assert_eq!(url(&server), "one");
    put(&site, "about.wasm", answering("two"));
    until_answers(&server, "two");
}

#[test]
fn an_empty_folder_in_its_place_takes_nothing_with_it() {
    let site = site();
    let server = site.serve();
    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");
    // As when a volume is mounted there no more.
    let (away, empty) = (site.path().join("away"), site.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    fs::rename(folder(&site), &away).unwrap();
    fs::rename(&empty, folder(&site)).unwrap();
    server.logs(1, &["WARN", "the plugin folder cannot be read"]);
    let looks = |server: &Server| server.metric("hookbox_folder_looks_total", &[]);
    let before = looks(&server);
    server.until("it is looked for some more", |server| looks(server) >= before + 5.0);
    assert_eq!(url(&server), "one");
}

#[cfg(unix)]
#[test]
fn names_that_are_no_plugins_are_told_once() {
    let site = site();
    let server = site.serve();
    put(&site, "About.wasm", answering("upper"));
    put(&site, "a_b.wasm", answering("under"));
    put(&site, "about.wasm~", answering("backup"));
    put(&site, "README.md", "notes");
    fs::create_dir(folder(&site).join("folder.wasm")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at-all", folder(&site).join("link.wasm")).unwrap();
    for name in ["About.wasm", "a_b.wasm", "folder.wasm", "link.wasm"] {
        server.logs(1, &["WARN", "not taken as a plugin", name]);
    }
    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");
    assert_eq!(lines(&server, "not taken as a plugin"), 4, "{}", server.log());
    let plugins = server.get("/admin/api/plugins").json(200);
    let names: Vec<&Value> =
        plugins["plugins"].as_array().unwrap().iter().map(|plugin| &plugin["name"]).collect();
    assert_eq!(names, ["about"], "{plugins}");
}

#[test]
fn a_plugin_that_somebody_sent_stays_when_the_file_goes() {
    let site = site();
    let server = site.serve();
    put(&site, "about.wasm", answering("one"));
    until_answers(&server, "one");
    let headers = [("content-type", "application/wasm")];
    let sent = server.send("PUT", "/admin/api/plugins/about", &headers, answering("sent"));
    assert!([200, 201].contains(&sent.status), "{sent:?}");
    assert_eq!(url(&server), "sent");
    take_away(&site, "about.wasm");
    server.logs(1, &["the component is gone from the folder"]);
    assert_eq!(url(&server), "sent");
}
