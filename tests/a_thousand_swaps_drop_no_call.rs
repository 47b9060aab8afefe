//! Releases are swapped without a pause while clients call: every call has one answer, of one generation, and never of one
//! older than what had been confirmed before it was sent. `tests/swaps` runs it longer, on a release build, and prints
//! what swapping costs.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::guest::answering;
use crate::support::{ABOUT_URL, OLD_URL, Server, Site, about};

/// Swaps when nobody asks for another number.
const SWAPS: usize = 1_000;
/// Clients that call without a pause.
const CLIENTS: usize = 3;
/// Releases of the plugin that is swapped.
const RELEASES: usize = 6;
/// Calls of each client before anything is swapped, to compare with.
const QUIET_CALLS: usize = 300;

/// The plugin that is swapped stands at both ends of the pipeline, so that a mixture would show.
const CONFIGURATION: &str = r#"
[plugins]
samples = false
keep_releases = 20
[plugins.swapped]
limits = { time = "20s" }
[plugins.other]
limits = { time = "20s" }
[filters."org.openedx.learning.course_about.page.url.requested.v1"]
pipeline = ["swapped", "other", "swapped"]
"#;

/// A release: its bytes, and the digest under which it is known.
struct Release {
    bytes: Vec<u8>,
    digest: String,
}

impl Release {
    fn answering(text: &str) -> Self {
        let bytes = answering(text);
        let digest = hookbox_sandbox::Digest::of(&bytes).to_string();
        Self { bytes, digest }
    }
}

fn releases() -> &'static [Release] {
    static MADE: OnceLock<Vec<Release>> = OnceLock::new();
    MADE.get_or_init(|| {
        (0..RELEASES).map(|number| Release::answering(&format!("/release/{number}"))).collect()
    })
}

fn others() -> &'static [Release] {
    static MADE: OnceLock<Vec<Release>> = OnceLock::new();
    MADE.get_or_init(|| (0..2).map(|number| Release::answering(&format!("/other/{number}"))).collect())
}

/// One answer to a client.
#[derive(Debug)]
struct Answered {
    generation: u64,
    /// The newest generation that had been confirmed when the call was sent.
    confirmed: u64,
    /// The digests of the steps, in their order.
    steps: Vec<String>,
    took: Duration,
}

/// One connection that is kept.
struct Client {
    agent: ureq::Agent,
    url: String,
    operator: String,
}

impl Client {
    fn of(server: &Server) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: agent.into(), url: server.url().to_owned(), operator: server.operator().to_owned() }
    }

    /// Calls the filter; `None` when there is no answer.
    fn call(&self, confirmed: &AtomicU64) -> Option<Answered> {
        let confirmed = confirmed.load(Ordering::SeqCst);
        let sent = Instant::now();
        let mut answer = self
            .agent
            .post(format!("{}/hooks/filters/{ABOUT_URL}", self.url))
            .header("authorization", &self.operator)
            .header("content-type", "application/json")
            .send(about(OLD_URL).to_string())
            .ok()?;
        let body = answer.body_mut().read_to_string().ok()?;
        let took = sent.elapsed();
        assert_eq!(answer.status(), 200, "{body}");
        let generation = answer.headers()["hookbox-generation"].to_str().unwrap().parse().unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["outcome"], "completed", "{body}");
        let steps = body["steps"].as_array().unwrap().iter().map(|step| {
            assert_eq!(step["outcome"], "proceeded", "{body}");
            step["digest"].as_str().unwrap().to_owned()
        });
        let steps: Vec<String> = steps.collect();
        let last = releases().iter().position(|release| Some(&release.digest) == steps.last());
        if let Some(last) = last {
            assert_eq!(body["kwargs"]["url"], format!("/release/{last}"), "{body}");
        }
        Some(Answered { generation, confirmed, steps, took })
    }

    /// Sends a component; the answer's status and body, or `None` when there is none.
    fn install(&self, plugin: &str, bytes: &[u8]) -> Option<(u16, Value)> {
        let mut answer = self
            .agent
            .put(format!("{}/admin/api/plugins/{plugin}", self.url))
            .header("authorization", &self.operator)
            .header("content-type", "application/wasm")
            .send(bytes)
            .ok()?;
        let body = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&body).unwrap()))
    }
}

/// What became live with which generation: plugin and digest.
#[derive(Default)]
struct History {
    swaps: Mutex<BTreeMap<u64, (String, String)>>,
    confirmed: AtomicU64,
}

impl History {
    fn note(&self, plugin: &str, body: &Value) {
        let generation = body["generation"].as_u64().unwrap();
        let digest = body["plugin"]["digest"].as_str().unwrap().to_owned();
        self.swaps.lock().unwrap().insert(generation, (plugin.to_owned(), digest));
        self.confirmed.fetch_max(generation, Ordering::SeqCst);
    }

    /// The digest of a plugin in a generation.
    fn at(&self, generation: u64, plugin: &str) -> Option<String> {
        let swaps = self.swaps.lock().unwrap();
        swaps
            .range(..=generation)
            .rev()
            .find(|(_, (name, _))| name == plugin)
            .map(|(_, (_, digest))| digest.clone())
    }
}

/// A component that begins like one and ends in the middle.
fn broken(round: usize) -> Vec<u8> {
    let mut bytes = answering(&format!("/broken/{round}"));
    bytes.truncate(bytes.len() / 2 + round % 7);
    bytes
}

/// Sends the first half of a component and hangs up.
fn half_written(server: &Server) {
    let bytes = answering("/half-written");
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "PUT /admin/api/plugins/swapped HTTP/1.1\r\nhost: hooks\r\nauthorization: {}\r\ncontent-type: application/wasm\r\n\
         content-length: {}\r\n\r\n",
        server.operator(),
        bytes.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&bytes[..bytes.len() / 2]).unwrap();
}

/// Swaps so many times, with other things going wrong in between.
fn swap(server: &Server, history: &History, swaps: usize) {
    let client = Client::of(server);
    let live = |plugin: &str, release: &Release| {
        let (status, body) = client.install(plugin, &release.bytes).unwrap();
        assert!(status == 200 || status == 201, "{status}: {body}");
        assert_eq!(body["plugin"]["digest"], release.digest, "{body}");
        // After two at once, the next one may be live already.
        if body["outcome"] == "live" {
            history.note(plugin, &body);
        }
    };
    for round in 0..swaps {
        let next = &releases()[round % RELEASES];
        match round % 50 {
            10 => {
                let (status, body) = client.install("swapped", &broken(round)).unwrap();
                assert_eq!((status, &body["code"]), (422, &Value::from("release-rejected")), "{body}");
            }
            20 => {
                let pair = [next, &releases()[(round + 1) % RELEASES]];
                thread::scope(|scope| {
                    for release in pair {
                        scope.spawn(move || {
                            let (status, body) =
                                Client::of(server).install("swapped", &release.bytes).unwrap();
                            assert_eq!(status, 200, "{body}");
                            // Which of both was later is theirs to say; each has a generation of its own.
                            let generation = body["generation"].as_u64().unwrap();
                            let live = (("swapped").to_owned(), release.digest.clone());
                            if body["outcome"] == "live" {
                                history.swaps.lock().unwrap().insert(generation, live);
                                history.confirmed.fetch_max(generation, Ordering::SeqCst);
                            }
                        });
                    }
                });
            }
            30 => half_written(server),
            40 => live("other", &others()[round / 50 % 2]),
            _ => live("swapped", next),
        }
    }
}

/// The value that so many hundredths of all are below.
fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * hundredths / 100).min(times.len() - 1)).copied().unwrap_or_default()
}

fn told(what: &str, answers: &[Answered]) {
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    let (median, high) = (percentile(&mut times, 50), percentile(&mut times, 99));
    eprintln!("{what}: {} calls, p50 {median:?}, p99 {high:?}", answers.len());
}

#[test]
fn a_thousand_swaps_under_load_drop_and_mix_no_call() {
    let swaps = std::env::var("HOOKBOX_SWAPS").map_or(SWAPS, |text| text.parse().unwrap());
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    let history = History::default();
    swap_in_first(&server, &history);

    let quiet: Vec<Answered> = clients(&server, &history, |client, history| {
        (0..QUIET_CALLS).map(|_| client.call(&history.confirmed).unwrap()).collect()
    });

    let before = server.resident_bytes() >> 20;
    let done = AtomicBool::new(false);
    let began = Instant::now();
    let answers: Vec<Answered> = thread::scope(|scope| {
        let calling = scope.spawn(|| {
            clients(&server, &history, |client, history| {
                let mut answers: Vec<Answered> = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let answer = client.call(&history.confirmed).unwrap();
                    // What a client saw is never undone for it.
                    assert!(answers.last().is_none_or(|before| before.generation <= answer.generation));
                    answers.push(answer);
                }
                answers
            })
        });
        swap(&server, &history, swaps);
        done.store(true, Ordering::SeqCst);
        calling.join().unwrap()
    });
    let took = began.elapsed();

    eprintln!("resident: {before} MiB before the swaps, {} after", server.resident_bytes() >> 20);
    told("without swaps", &quiet);
    told("with swaps", &answers);
    eprintln!("{swaps} rounds of swaps in {took:?}, {:?} each", took / u32::try_from(swaps).unwrap());
    hold_to_history(&history, &quiet);
    hold_to_history(&history, &answers);
    let generations: BTreeSet<u64> = answers.iter().map(|answer| answer.generation).collect();
    assert!(generations.len() > swaps / 20, "the calls met {} generations", generations.len());

    hold_to_audit(&server, &history);
    // A generation that nobody uses is gone, and the code of its plugins with it: two plugins are live.
    server.until("the code of dropped generations is unmapped", |server| mapped_components(server) <= 2);
    let counted = server.metric("hookbox_admissions_total", &[("outcome", "rejected")]);
    assert_eq!(counted, rejected(swaps));
}

fn rejected(swaps: usize) -> f64 {
    f64::from(u32::try_from((0..swaps).filter(|round| round % 50 == 10).count()).unwrap())
}

/// Installs the first release of each plugin.
fn swap_in_first(server: &Server, history: &History) {
    for (plugin, release) in [("other", &others()[1]), ("swapped", &releases()[RELEASES - 1])] {
        let (status, body) = Client::of(server).install(plugin, &release.bytes).unwrap();
        assert_eq!(status, 201, "{body}");
        history.note(plugin, &body);
    }
}

/// Runs the clients to their ends; all that they were answered.
fn clients(
    server: &Server,
    history: &History,
    work: impl Fn(&Client, &History) -> Vec<Answered> + Sync,
) -> Vec<Answered> {
    thread::scope(|scope| {
        let working: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| work(&Client::of(server), history))).collect();
        working.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Holds answers to what was live in their generation, from the first step to the last.
fn hold_to_history(history: &History, answers: &[Answered]) {
    assert!(!answers.is_empty());
    for answer in answers {
        assert!(answer.generation >= answer.confirmed, "older than what was confirmed: {answer:?}");
        let (swapped, other) =
            (history.at(answer.generation, "swapped"), history.at(answer.generation, "other"));
        let (swapped, other) = (swapped.unwrap(), other.unwrap());
        assert_eq!(answer.steps, [swapped.clone(), other, swapped], "{answer:?}");
    }
}

/// The trail that operators read tells the same story.
fn hold_to_audit(server: &Server, history: &History) {
    let mut told = BTreeMap::new();
    let mut path = "/admin/api/audit?limit=500".to_owned();
    loop {
        let page = server.get(&path).json(200);
        for entry in page["entries"].as_array().unwrap() {
            if entry["outcome"] == "live" {
                let text = |key: &str| entry[key].as_str().unwrap().to_owned();
                told.insert(entry["generation"].as_u64().unwrap(), (text("plugin"), text("digest")));
            }
        }
        match page["next"].as_i64() {
            Some(next) => path = format!("/admin/api/audit?limit=500&before={next}"),
            None => break,
        }
    }
    assert_eq!(told, *history.swaps.lock().unwrap());
}

/// Compiled components that the server has mapped.
fn mapped_components(server: &Server) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.id())).unwrap();
    let files: BTreeSet<&str> = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.ends_with(".cwasm"))
        .collect();
    files.len()
}

/// After so many confirmed swaps the server is killed, round by round.
const KILLED_AFTER: [u64; 10] = [1, 7, 3, 40, 2, 13, 1, 25, 5, 60];

#[test]
fn a_kill_in_the_middle_of_a_swap_leaves_one_release_or_the_other() {
    let site = Site::new(CONFIGURATION);
    let history = History::default();
    {
        let server = site.serve();
        swap_in_first(&server, &history);
        server.kill();
    }
    let mut round = 0;
    for after in KILLED_AFTER {
        let server = site.serve();
        let live = server.get("/admin/api/plugins/swapped").json(200);
        let confirmed = history.confirmed.load(Ordering::SeqCst);
        let restarted = server.get("/admin/api/plugins").json(200)["generation"].as_u64().unwrap();
        assert!(restarted > confirmed, "{restarted} {confirmed}");
        // What was confirmed last is live, or the one that was on its way when the server was killed.
        let last = history.at(u64::MAX, "swapped").unwrap();
        let doubt = releases()[round % RELEASES].digest.clone();
        assert!([last, doubt].contains(&live["digest"].as_str().unwrap().to_owned()), "{live}");
        for plugin in ["swapped", "other"] {
            let digest = server.get(&format!("/admin/api/plugins/{plugin}")).json(200)["digest"]
                .as_str()
                .unwrap()
                .to_owned();
            history.swaps.lock().unwrap().insert(restarted, (plugin.to_owned(), digest.clone()));
            // Both came back in one generation; the other one is noted just before it.
            if plugin == "swapped" {
                history.swaps.lock().unwrap().insert(restarted - 1, (plugin.to_owned(), digest));
            }
        }
        history.confirmed.fetch_max(restarted, Ordering::SeqCst);
        let (next, answers) = killed_while_swapping(server, &history, after, round);
        round = next;
        let answered = answers.iter().filter(|answer| history.at(answer.generation, "swapped").is_some());
        for answer in answered {
            assert!(answer.generation >= answer.confirmed, "{answer:?}");
            assert_eq!(answer.steps[0], answer.steps[2], "{answer:?}");
        }
    }
    let server = site.serve();
    let answer = Client::of(&server).call(&history.confirmed).unwrap();
    assert_eq!(answer.steps[0], answer.steps[2]);
    server.stop();
    site.run_on_data(&["db", "check"]).exits(0);
}

/// Swaps until `after` were confirmed, and kills the server in the middle of a later one. The round that was not answered,
/// and what the calls were.
fn killed_while_swapping(
    server: Server,
    history: &History,
    after: u64,
    round: usize,
) -> (usize, Vec<Answered>) {
    let (swapping, calling) = (Client::of(&server), Client::of(&server));
    let confirmed = AtomicU64::new(0);
    let killed = AtomicBool::new(false);
    thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let mut answers = Vec::new();
            // A call without an answer is one that the kill met.
            while let Some(answer) = calling.call(&history.confirmed) {
                answers.push(answer);
            }
            assert!(killed.load(Ordering::SeqCst), "a call went without an answer before the kill");
            answers
        });
        let swaps = scope.spawn(|| {
            let mut at = round;
            while let Some((status, body)) = swapping.install("swapped", &releases()[at % RELEASES].bytes) {
                assert_eq!(status, 200, "{body}");
                if body["outcome"] == "live" {
                    history.note("swapped", &body);
                }
                confirmed.fetch_add(1, Ordering::SeqCst);
                at += 1;
            }
            at
        });
        while confirmed.load(Ordering::SeqCst) < after {
            thread::yield_now();
        }
        killed.store(true, Ordering::SeqCst);
        server.kill();
        (swaps.join().unwrap(), calls.join().unwrap())
    })
}
