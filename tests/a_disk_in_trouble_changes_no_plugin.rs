//! A disk that is full, a folder that cannot be written, a component that was lost or damaged: what was live stays live,
//! and whoever asked is told.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::guest::answering;
use crate::support::http::Answer;
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

const PLUGIN: &str = "/admin/api/plugins/about";
const CONFIGURATION: &str = "[plugins]\nsamples = false\n";

fn install(server: &Server, bytes: &[u8]) -> Answer {
    server.send("PUT", PLUGIN, &[("content-type", "application/wasm")], bytes)
}

/// The component with so many bytes more than it needs.
fn padded(component: &[u8], more: usize) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.push(0);
    let size = more + 4;
    // The size as five bytes of LEB128, whatever it is.
    bytes.extend((0..5).map(|at| {
        let low = u8::try_from((size >> (7 * at)) & 0x7f).unwrap();
        if at < 4 { low | 0x80 } else { low }
    }));
    bytes.extend([3, b'p', b'a', b'd']);
    bytes.resize(bytes.len() + more, 0);
    bytes
}

#[track_caller]
fn answers(server: &Server, url: &str) {
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(answer["kwargs"]["url"], url, "{answer}");
}

/// The files of kept components.
fn kept(site: &Site) -> Vec<PathBuf> {
    let entries = fs::read_dir(site.data().join("releases")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_full_disk_refuses_a_component_and_the_old_release_serves_on() {
    let site = Site::new(CONFIGURATION);
    // No file may grow beyond two MiB; the shell counts in blocks of 512 bytes, and a write beyond is an error.
    let server = {
        let hookbox = site.command(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""]).arg(hookbox.get_program());
        shell.args(hookbox.get_args()).arg(site.data()).current_dir(site.path()).env_clear();
        site.start(shell)
    };
    install(&server, &answering("/first")).json(201);
    let before = kept(&site);
    let answer = install(&server, &padded(&answering("/second"), 3 << 20)).problem(507, "component-file");
    assert!(answer["detail"].as_str().unwrap().contains("releases"), "{answer}");
    answers(&server, "/first");
    assert_eq!(kept(&site), before, "nothing half written is left");
    // What fits is taken.
    install(&server, &answering("/third")).json(200);
    answers(&server, "/third");
}

#[test]
fn a_folder_that_cannot_be_written_refuses_a_component_and_the_old_release_serves_on() {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    install(&server, &answering("/first")).json(201);
    // Permissions do not stop every user; a file in the folder's place does.
    let (releases, aside) = (site.data().join("releases"), site.data().join("aside"));
    fs::rename(&releases, &aside).unwrap();
    fs::write(&releases, "").unwrap();
    let answer = install(&server, &answering("/second"));
    assert!(answer.status >= 500, "{answer:?}");
    answer.problem(answer.status, "component-file");
    answers(&server, "/first");
    fs::remove_file(&releases).unwrap();
    fs::rename(&aside, &releases).unwrap();
    install(&server, &answering("/second")).json(200);
    answers(&server, "/second");
}

#[test]
fn a_watched_folder_may_be_read_only() {
    let site = Site::new("[plugins]\nsamples = false\nfolder = \"plugins\"\n");
    let folder = site.path().join("plugins");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("about.wasm"), answering("/first")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let server = site.serve();
    server.until("the plugin is live", |server| server.get(PLUGIN).status == 200);
    answers(&server, "/first");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_damaged_release_is_put_aside_at_the_start_and_the_rest_serves() {
    let site = Site::new(&format!("{CONFIGURATION}[filters.\"{ABOUT_URL}\"]\npipeline = [\"about\"]\n"));
    let server = site.serve();
    let body = install(&server, &answering("/first")).json(201);
    let digest = body["plugin"]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let path = "/admin/api/plugins/other";
    server.send("PUT", path, &[("content-type", "application/wasm")], answering("/other")).json(201);
    server.stop();
    let file = site.data().join("releases").join(format!("{digest}.wasm"));
    fs::write(&file, b"not what it was").unwrap();

    let server = site.serve();
    let page = server.get(PLUGIN).json(200);
    assert_eq!(
        (&page["state"], &page["attention"]["state"]),
        (&"quarantined".into(), &"quarantined".into()),
        "{page}"
    );
    assert!(page["attention"]["reason"].as_str().unwrap().contains("damaged"), "{page}");
    assert_eq!(server.get(path).json(200)["state"], "live");
    // The same bytes mend it.
    install(&server, &answering("/first")).json(200);
    answers(&server, "/first");
    assert_eq!(server.get(PLUGIN).json(200)["attention"], Value::Null);
}

#[test]
fn a_strict_pipeline_fails_each_call_while_its_plugin_cannot_be_brought_back() {
    let strict =
        format!("{CONFIGURATION}[filters.\"{ABOUT_URL}\"]\npipeline = [\"about\"]\nfail_silently = false\n");
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    install(&server, &answering("/first")).json(201);
    let site = site.with("hookbox.toml", strict);
    server.send("POST", "/admin/api/reload", &[], "").json(200);
    // Neither disabling nor removing it is allowed: every call would fail.
    server.send("POST", &format!("{PLUGIN}/disable"), &[], "").problem(409, "pipeline-needs-plugin");
    server.send("DELETE", PLUGIN, &[], "").problem(409, "pipeline-needs-plugin");
    server.stop();
    for file in kept(&site) {
        fs::write(&file, b"not what it was").unwrap();
    }

    let server = site.serve();
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).problem(502, "step-not-live");
    assert_eq!(answer["step"], "about", "{answer}");
    install(&server, &answering("/second")).json(200);
    answers(&server, "/second");
}
