//! The file, its overlay for an environment, variables and arguments: each over the one before.

use crate::support::guest::sample;
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

#[track_caller]
fn moved_to(server: &Server) -> String {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    answer["kwargs"]["url"].as_str().unwrap().to_owned()
}

fn site() -> Site {
    let file =
        "[plugins.course-about-url]\nsettings = { redirect_domain = \"file.example\", path = \"about\" }\n";
    let overlay = "[plugins.course-about-url.settings]\nredirect_domain = \"production.example\"\n";
    Site::new(file).with("hookbox.production.toml", overlay)
}

const KEY: &str = "course-v1:edX+DemoX+Demo_Course";

#[test]
fn settings_of_the_file_reach_the_plugin() {
    assert_eq!(moved_to(&site().serve()), format!("https://file.example/about/{KEY}"));
}

#[test]
fn the_environments_overlay_replaces_single_values() {
    let server = site().serve_with(&["--environment", "production"], &[]);
    assert_eq!(moved_to(&server), format!("https://production.example/about/{KEY}"));
    let server = site().serve_with(&[], &[("HOOKBOX_ENVIRONMENT", "production")]);
    assert_eq!(moved_to(&server), format!("https://production.example/about/{KEY}"));
}

#[test]
fn another_file_can_be_named_and_its_folder_holds_the_components() {
    let site = Site::empty();
    std::fs::create_dir(site.path().join("etc")).unwrap();
    let site = site
        .with(
            "etc/site.toml",
            "[plugins.mine]\ncomponent = \"mine.wasm\"\nsettings = { path = \"elsewhere\" }\n",
        )
        .with("etc/mine.wasm", sample("course-about-url"));
    let server = site.serve_with(&["--config", "etc/site.toml"], &[]);
    assert_eq!(moved_to(&server), format!("https://example.com/elsewhere/{KEY}"));
}

#[test]
fn a_variable_is_over_the_file() {
    // No machine here has this address: the server could not listen there.
    let site = Site::new("[server]\nlisten = \"192.0.2.1:1\"\ndata = \"of-the-file\"\n");
    let mut command = site.command(&["serve"]);
    command.env("HOOKBOX_SERVER__LISTEN", "127.0.0.1:0");
    command.env("HOOKBOX_SERVER__DATA", site.data());
    let server = site.start(command);
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
    assert_eq!(server.get("/healthz").status, 200);
    assert!(site.data().join("cache").is_dir());
    assert!(!site.path().join("of-the-file").exists());
}

#[test]
fn an_argument_is_over_the_variable() {
    let server = Site::empty().serve_with(&[], &[("HOOKBOX_SERVER__LISTEN", "192.0.2.1:1")]);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn the_command_alone_serves() {
    let site = Site::empty();
    let mut command = site.command(&[]);
    command.env("HOOKBOX_SERVER__LISTEN", "127.0.0.1:0");
    let server = site.start(command);
    assert_eq!(server.get("/readyz").body, "ready\n");
    assert!(site.path().join("hookbox-data").is_dir());
}
