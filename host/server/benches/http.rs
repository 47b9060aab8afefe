//! `POST /hooks/filters/…` beside a handler that only parses and echoes the same JSON: requests a second and
//! percentiles, taken in turns in one run. `cargo bench -p hookbox-server`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may stop at once")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use hookbox_plugins::{FiltersTable, IsolationKind, PluginTable, PluginsTable, Recipe, Sample, load};
use hookbox_sandbox::Sandbox;
use hookbox_server::{App, ServerTable, router};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FILTER: &str = "/hooks/filters/org.openedx.learning.course_about.page.url.requested.v1";
const BODY: &str =
    r#"{"url": "https://lms.example.com/courses/course-v1:edX+DemoX+Demo_Course/about", "org": "edX"}"#;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() {
    let fresh = listen(hooks(IsolationKind::Call).await).await;
    let reused = listen(hooks(IsolationKind::Reuse).await).await;
    let echo = listen(Router::new().route("/echo", post(echo))).await;
    // A first round nobody counts: pools fill, pages fault in.
    let servers = [("fresh", fresh, FILTER), ("reused", reused, FILTER), ("echo", echo, "/echo")];
    for (_, address, path) in servers {
        load_on(address, path).await;
    }
    let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((_, address, path), rounds) in servers.iter().zip(&mut rounds) {
            rounds.push(load_on(*address, path).await);
        }
    }
    let figures = rounds.map(Figures::of);
    println!(
        "{CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?} each, in turns, client and server in one process"
    );
    let floor = figures[2].per_second;
    for ((name, ..), figures) in servers.iter().zip(&figures) {
        println!("{name:7} {figures}   {:.2} of echo", figures.per_second / floor);
    }
}

async fn echo(Json(body): Json<Value>) -> Json<Value> {
    Json(body)
}

async fn hooks(isolation: IsolationKind) -> Router {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-plugins/prebuilt");
    let component = std::fs::read(folder.join("course-about-url.wasm")).unwrap();
    let samples = [Sample { name: "course-about-url", component: component.leak() }];
    let server = ServerTable::default();
    let sandbox = Sandbox::new(None).unwrap();
    println!("instances: {:?}", sandbox.allocation());
    let app = App::new(sandbox.clone(), &server);
    let table = PluginTable { isolation, ..PluginTable::default() };
    let plugins = PluginsTable { samples: None, plugins: [("course-about-url".to_owned(), table)].into() };
    let filters = FiltersTable::new();
    let recipe = Recipe { plugins: &plugins, filters: &filters, samples: &samples, folder: Path::new("") };
    app.go_live(load(&sandbox, recipe).await.unwrap());
    router(app)
}

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// One round: every connection sends a request as soon as it has the last one's answer.
async fn load_on(address: SocketAddr, path: &str) -> (Duration, Vec<Duration>) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let request: Arc<str> = request.into();
    let started = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(client(address, Arc::clone(&request), started + ROUND)))
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    (started.elapsed(), latencies)
}

async fn client(address: SocketAddr, request: Arc<str>, until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut answer = Vec::with_capacity(4_096);
    while Instant::now() < until {
        let started = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        answer.clear();
        while !whole(&answer) {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the server hung up");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        latencies.push(started.elapsed());
    }
    latencies
}

/// Whether the answer's head and all of its body are there.
fn whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let length: usize = length.and_then(|digits| digits.trim().parse().ok()).expect("a length");
    answer.len() >= head + 4 + length
}

struct Figures {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    fn of(rounds: Vec<(Duration, Vec<Duration>)>) -> Self {
        let time: Duration = rounds.iter().map(|(time, _)| *time).sum();
        let mut all: Vec<Duration> = rounds.into_iter().flat_map(|(_, latencies)| latencies).collect();
        all.sort_unstable();
        let at = |part: usize| all[(all.len() * part / 100).min(all.len() - 1)];
        Self { per_second: all.len() as f64 / time.as_secs_f64(), p50: at(50), p99: at(99) }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>8.0} requests/s   p50 {:?}   p99 {:?}", self.per_second, self.p50, self.p99)
    }
}
