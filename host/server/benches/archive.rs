//! The archive API beside handlers that return a constant body of the same size: requests a second and percentiles,
//! taken in turns in one run, over 10,000 rows of which 1,000 are the caller's. Then the same list over a million
//! rows, its first page beside one in the middle, and the memory that the process has. `cargo bench -p hookbox-server --bench archive`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may stop at once")]

mod load;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::any;
use hookbox_plugins::{Registry, RegistryOptions};
use hookbox_sandbox::{Sandbox, SandboxOptions};
use hookbox_server::{App, Authenticator, Config, Rate, TokenRequest, router};
use hookbox_store::{NewStatus, NewUser, Store, StoreError, Timestamp};

use load::{CONNECTIONS, Case, ROUND, ROUNDS, listen, measure};

const STATUSES: &str = "/sample-plugin/api/v1/course-archive-status/";

#[tokio::main]
async fn main() {
    // `-- retrieve` measures that alone; `-- million` the million rows.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name == only);
    let site = Site::new(10, 1_000).await;
    let first = site.mine().await;
    println!(
        "10,000 rows, 1,000 of them the caller's; {CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?} each, in turns, client and \
         server in one process"
    );
    let get = |path: String| move |_: u64| (format!("GET {path}"), String::new());
    if wanted("list") {
        site.beside_floor("list", &site.alice, 200, get(STATUSES.to_owned())).await;
    }
    if wanted("list filtered") {
        site.beside_floor("list filtered", &site.alice, 200, get(format!("{STATUSES}?is_archived=true")))
            .await;
    }
    let course = "course_id=course-v1%3Aorg%2Bcourse%2B7";
    if wanted("list of a course") {
        site.beside_floor("list of a course", &site.alice, 200, get(format!("{STATUSES}?{course}"))).await;
    }
    if wanted("staff list") {
        site.beside_floor("staff list", &site.staff, 200, get(STATUSES.to_owned())).await;
    }
    if wanted("retrieve") {
        site.beside_floor("retrieve", &site.alice, 200, get(format!("{STATUSES}{first}/"))).await;
    }
    let create = move |number: u64| {
        let body = format!("{{\"course_id\":\"course-v1:new+course+{number}\",\"is_archived\":true}}");
        (format!("POST {STATUSES}"), body)
    };
    if wanted("create") {
        site.beside_floor("create", &site.alice, 201, create).await;
    }
    let patch = move |number: u64| {
        let id = first + i64::try_from(number % 1_000).unwrap();
        (format!("PATCH {STATUSES}{id}/"), format!("{{\"is_archived\":{}}}", number.is_multiple_of(2)))
    };
    if wanted("patch") {
        site.beside_floor("patch", &site.alice, 200, patch).await;
    }
    drop(site);
    if !wanted("million") {
        return;
    }

    println!("\nresident before a million rows: {}", resident());
    let started = Instant::now();
    let site = Site::new(100, 10_000).await;
    println!("a million rows inserted in {:.1?}; resident: {}", started.elapsed(), resident());
    let pages = ["1", "2", "25000", "49999", "last"].map(|page| {
        let path = format!("{STATUSES}?page={page}");
        Case::new(format!("page {page}"), site.address, &headers(&site.staff), 200, get(path))
    });
    let mut cases = Vec::from(pages);
    for order in ["updated_at", "course_id", "created_at"] {
        for page in ["1", "25000"] {
            let path = format!("{STATUSES}?ordering={order}&page={page}");
            let name = format!("{order}, page {page}");
            cases.push(Case::new(name, site.address, &headers(&site.staff), 200, get(path)));
        }
    }
    measure(&mut cases).await;
    let floor = cases[0].figures().p50.as_secs_f64();
    for case in &cases {
        let figures = case.figures();
        println!("{:22} {figures}   p50 {:.2} of page 1", case.name, figures.p50.as_secs_f64() / floor);
    }
    println!("resident after that: {}", resident());
}

/// A server with rows in a folder of its own.
struct Site {
    address: SocketAddr,
    alice: String,
    staff: String,
    alice_id: i64,
    store: Store,
    _data: tempfile::TempDir,
}

impl Site {
    /// `users` users with `each` rows; the first is the caller.
    async fn new(users: i64, each: i64) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data = data.path().to_owned();
        config.archive.rate_limit = Rate::Unlimited;
        let store = Store::open(&config.database_options()).unwrap();
        let alice_id = 1;
        for user in 0..users {
            let inserted = store.write(move |writes| {
                let name = if user == 0 { "alice".to_owned() } else { format!("user{user}") };
                let user = writes.insert_user(&NewUser {
                    id: Some(user + 1),
                    username: name,
                    email: String::new(),
                    is_active: true,
                    is_staff: false,
                    is_superuser: false,
                })?;
                for course in 0..each {
                    let now = Timestamp::now();
                    writes.insert_status(&NewStatus {
                        course_id: format!("course-v1:org+course+{course}"),
                        user: user.id,
                        is_archived: course % 3 == 0,
                        archive_date: (course % 3 == 0).then_some(now),
                        created_at: now,
                        updated_at: now,
                    })?;
                }
                Ok::<_, StoreError>(())
            });
            inserted.await.unwrap();
        }
        let authenticator = Authenticator::new(&config.auth, Path::new(""), data.path()).unwrap();
        let token = |name: &str, staff: bool| {
            let request = TokenRequest {
                username: name.to_owned(),
                user_id: None,
                email: None,
                staff,
                superuser: false,
                scopes: Vec::new(),
                ttl: Duration::from_secs(36_000),
            };
            authenticator.sign(&request).unwrap()
        };
        let (alice, staff) = (token("alice", false), token("staff", true));
        let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
        let options = RegistryOptions {
            sandbox: sandbox.clone(),
            store: store.clone(),
            data: config.server.data.clone(),
            samples: &[],
        };
        let registry = Registry::open(options).await.unwrap();
        let app =
            App::new(sandbox, store.clone(), registry, &config, Arc::new(|| Ok(Config::default()))).unwrap();
        let address = listen(router(app)).await;
        Self { address, alice, staff, alice_id, store, _data: data }
    }

    /// The id of the caller's first row; the others follow it.
    async fn mine(&self) -> i64 {
        let alice = self.alice_id;
        let row = self.store.read(move |reads| reads.status_of("course-v1:org+course+0", alice));
        row.await.map_err(|error: StoreError| error).unwrap().unwrap().id
    }

    /// Measures a request beside a handler that returns a body of the same size.
    async fn beside_floor(
        &self,
        name: &str,
        token: &str,
        status: u16,
        ask: impl Fn(u64) -> (String, String) + Clone + Send + Sync + 'static,
    ) {
        // Far from the numbers that the run itself counts up from.
        let (line, body) = ask(1 << 40);
        let size = answer_size(self.address, &line, token, &body).await;
        let floor = listen(constant(status, size)).await;
        let mut cases = [
            Case::new(name, self.address, &headers(token), status, ask.clone()),
            Case::new("floor", floor, &headers(token), status, ask),
        ];
        measure(&mut cases).await;
        let [ours, floor] = cases.each_ref().map(Case::figures);
        println!(
            "{name:17} {ours}   {size:>5} bytes, {:.2} of its floor",
            ours.per_second / floor.per_second
        );
        println!("{:17} {floor}", "  floor");
    }
}

fn headers(token: &str) -> String {
    format!("authorization: JWT {token}\r\ncontent-type: application/json\r\n")
}

/// The size of an answer's body.
async fn answer_size(address: SocketAddr, line: &str, token: &str, body: &str) -> usize {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{body}",
        headers(token),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.len()
}

/// A handler that takes the body and returns a constant one.
fn constant(status: u16, size: usize) -> Router {
    let status = StatusCode::from_u16(status).unwrap();
    let body: &'static str = "x".repeat(size).leak();
    let handler = move |_: Bytes| async move { (status, [(header::CONTENT_TYPE, "application/json")], body) };
    Router::new().fallback(any(handler))
}

/// The process's resident memory, where the system says it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown here".to_owned(), |line| line.trim().to_owned())
}
