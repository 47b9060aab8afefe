//! From the first byte of a component to the answer that it is live. `tests/swap-times` runs this on a release build, with a
//! large component of a Python plugin too, and prints the times; here only what each swap must come to is held.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::guest::sample;
use crate::support::{Server, Site};

const PLUGINS: &str = "/admin/api/plugins";

/// The same component under another digest: with a custom section that nobody reads.
fn another(component: &[u8], number: u8) -> Vec<u8> {
    let mut bytes = component.to_vec();
    // Section 0, six bytes: a name of four, and one of content.
    bytes.extend([0, 6, 4]);
    bytes.extend(*b"note");
    bytes.push(number);
    bytes
}

/// Installs a component; how long the answer took.
fn install(server: &Server, plugin: &str, bytes: &[u8]) -> (Duration, Value) {
    let path = format!("{PLUGINS}/{plugin}");
    let began = Instant::now();
    let answer = server.send("PUT", &path, &[("content-type", "application/wasm")], bytes);
    let took = began.elapsed();
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["outcome"], "live", "{body}");
    (took, body)
}

fn activate(server: &Server, plugin: &str, release: u64) -> Duration {
    let body = json!({"release": release}).to_string();
    let began = Instant::now();
    let path = format!("{PLUGINS}/{plugin}/activate");
    let answer = server.send("POST", &path, &[("content-type", "application/json")], body);
    assert_eq!(answer.json(200)["outcome"], "live");
    began.elapsed()
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let most = times.last().copied().unwrap_or_default();
    eprintln!("{what}: median {:?}, most {most:?} of {}", times[times.len() / 2], times.len());
}

/// Swaps variants of a component: first new ones, then the same bytes again, then by number.
fn swaps(server: &Server, plugin: &str, component: &[u8], variants: u8) {
    let variants: Vec<Vec<u8>> = (0..variants).map(|number| another(component, number)).collect();
    let new: Vec<(Duration, Value)> = variants.iter().map(|bytes| install(server, plugin, bytes)).collect();
    let numbers: Vec<u64> = new.iter().map(|(_, body)| body["release"].as_u64().unwrap()).collect();
    told(
        &format!("{plugin}: {} bytes, compiled", component.len()),
        new.into_iter().map(|(took, _)| took).collect(),
    );
    let again = variants.iter().map(|bytes| install(server, plugin, bytes).0);
    told(&format!("{plugin}: sent again, from the cache"), again.collect());
    let by_number = numbers.iter().map(|number| activate(server, plugin, *number));
    told(&format!("{plugin}: a kept release, from the cache"), by_number.collect());
}

#[test]
fn a_swap_takes_as_long_as_compiling_and_nothing_when_that_was_done() {
    let site = Site::new(
        "[plugins]\nsamples = false\nkeep_releases = 20\n[plugins.python]\nlimits = { time = '10s', event_time = '10s' }\n",
    );
    let server = site.serve();
    swaps(&server, "rust", &sample("course-about-url"), 8);
    // What was compiled once is not compiled again, however it comes back.
    assert_eq!(server.metric("hookbox_compilations_total", &[]), 8.0);
    if let Some(path) = std::env::var_os("HOOKBOX_LARGE_COMPONENT") {
        swaps(&server, "python", &std::fs::read(path).unwrap(), 3);
    }
    let page = server.get(&format!("{PLUGINS}/rust")).json(200);
    assert_eq!(page["release"], 8, "{page}");
    assert_eq!(page["releases"].as_array().unwrap().len(), 8, "{page}");
}
