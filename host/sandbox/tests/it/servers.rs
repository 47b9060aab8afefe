//! Small servers, good and bad, that a guest's requests go to, and the guest that sends what it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookbox_sandbox::{
    Admitted, Answer, CallFailure, Granting, Grants, Limits, Plugin, PluginOptions, Sandbox,
};

use crate::support::{AGES, admit_with, call_within, new_url, options, written};

/// The errors of `wasi:http` that are met here, by the number of their case.
const ERRORS: [(u32, &str); 13] = [
    (1, "DNS-error"),
    (4, "destination-IP-prohibited"),
    (6, "connection-refused"),
    (9, "connection-read-timeout"),
    (11, "connection-limit-reached"),
    (13, "TLS-certificate-error"),
    (15, "HTTP-request-denied"),
    (17, "HTTP-request-body-size"),
    (18, "HTTP-request-method-invalid"),
    (19, "HTTP-request-URI-invalid"),
    (25, "HTTP-response-incomplete"),
    (26, "HTTP-response-header-section-size"),
    (33, "HTTP-response-timeout"),
];

/// What a request's way through a server is.
type Serve = dyn Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync;

/// A server that ends with its owner. Each connection gets one request.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    ending: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    /// A server that reads each request to its end and then does this.
    pub(crate) fn new(
        serve: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (kept, serve): (_, Arc<Serve>) = (Arc::clone(&seen), Arc::new(serve));
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if kept.ending.load(Ordering::SeqCst) {
                    return;
                }
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let (kept, serve) = (Arc::clone(&kept), Arc::clone(&serve));
                std::thread::spawn(move || one(stream, &kept, &*serve));
            }
        });
        Self { address, seen, thread: Some(thread) }
    }

    /// A server that always gives this answer.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |stream, _| stream.write_all(&answer))
    }

    /// A server that never answers, and waits until the other side goes away.
    pub(crate) fn silent() -> Self {
        Self::new(|stream, _| gone(stream))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The grant for it by address.
    pub(crate) fn grant(&self) -> String {
        format!("http:http://{}", self.address)
    }

    /// The requests that arrived, each whole and as it came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Sockets of this process that lead here.
    pub(crate) fn sockets(&self) -> usize {
        let open: Vec<String> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
            .collect();
        let port = format!("0100007F:{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let leads_here = |line: &&str| line.split_whitespace().nth(2) == Some(&*port);
        let inode = |line: &str| format!("socket:[{}]", line.split_whitespace().nth(9).unwrap_or_default());
        table.lines().filter(leads_here).filter(|line| open.contains(&inode(line))).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A port of this machine where nobody listens.
pub(crate) fn deserted() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Reads until the other side goes away.
pub(crate) fn gone(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes)? > 0 {}
    Ok(())
}

/// One connection: a request, and what the server does about it. The other side may go away at any time.
fn one(mut stream: TcpStream, seen: &Seen, serve: &Serve) {
    stream.set_read_timeout(Some(AGES)).unwrap();
    if let Ok(request) = request(&mut stream) {
        seen.requests.lock().unwrap().push(request.clone());
        let _ = serve(&mut stream, &request);
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// A whole request: its head, and a body that is counted or comes in chunks.
fn request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = match length {
                Some(length) => body.len() >= length.parse().unwrap(),
                None => !head.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
            };
            if whole {
                return Ok(text.into_owned());
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// The body of a request that came in chunks.
pub(crate) fn unchunked(request: &str) -> String {
    let (_, mut rest) = request.split_once("\r\n\r\n").unwrap();
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    body
}

/// What the guest is told to send.
#[derive(Clone)]
pub(crate) struct Told {
    /// The number of the method's case: 0 is GET, 2 POST, 5 CONNECT, 9 one named `error`.
    pub(crate) method: u32,
    /// The number of the scheme's case: 0 is HTTP, 1 HTTPS, 2 one named `n`.
    pub(crate) scheme: u32,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) header: (String, String),
    pub(crate) body: String,
    /// Blocks of 4,096 `x` after it.
    pub(crate) blocks: u32,
    pub(crate) times: u32,
    /// `r` reads the answer, `h` looks at its status, `d` drops it, `k` keeps it open, `b` asks for it without end.
    pub(crate) then: char,
    /// Milliseconds that the guest itself waits for bytes; 0 for as long as it takes.
    pub(crate) patience: u32,
}

impl Told {
    /// A GET request whose answer is read.
    pub(crate) fn get(authority: &impl ToString) -> Self {
        Self {
            method: 0,
            scheme: 0,
            authority: authority.to_string(),
            path: "/".into(),
            header: Default::default(),
            body: String::new(),
            blocks: 0,
            times: 1,
            then: 'r',
            patience: 0,
        }
    }

    pub(crate) fn url(&self) -> String {
        let Self { method, scheme, authority, path, header, body, blocks, times, then, patience } = self;
        let (name, value) = header;
        format!(
            "{method}\n{scheme}\n{authority}\n{path}\n{name}\n{value}\n{body}\n{blocks}\n{times}\n{then}\n{patience}"
        )
    }

    /// What the guest says of it, with the names of errors in place of their numbers.
    pub(crate) async fn by(&self, plugin: &Plugin) -> String {
        named(new_url(self.within(plugin, AGES).await))
    }

    pub(crate) async fn within(&self, plugin: &Plugin, time: Duration) -> Result<Answer, CallFailure> {
        call_within(plugin, &self.url(), time).await
    }
}

fn named(answer: String) -> String {
    let number = answer.strip_prefix("error ").and_then(|number| number.parse().ok());
    let name = number.and_then(|number: u32| ERRORS.iter().find(|(case, _)| *case == number));
    name.map_or(answer, |(_, name)| (*name).to_owned())
}

/// A guest with these grants.
pub(crate) fn admitted<T: AsRef<str>>(sandbox: &Sandbox, guest: &str, grants: &[T]) -> Admitted {
    let grants = Grants::new(grants.iter().map(|grant| grant.as_ref().parse().unwrap()));
    admit_with(sandbox, &written(guest), &Granting::These(&grants))
}

/// A guest with these grants and limits.
pub(crate) fn granted<T: AsRef<str>>(sandbox: &Sandbox, guest: &str, grants: &[T], limits: Limits) -> Plugin {
    sandbox.plugin(&admitted(sandbox, guest, grants), PluginOptions { limits, ..options() })
}

/// The guest that sends what it is told, with all the time that a request may want.
pub(crate) fn sender<T: AsRef<str>>(sandbox: &Sandbox, grants: &[T]) -> Plugin {
    sender_with(sandbox, grants, Limits { http_time_ms: 60_000, ..Limits::default() })
}

/// The same with other limits.
pub(crate) fn sender_with<T: AsRef<str>>(sandbox: &Sandbox, grants: &[T], limits: Limits) -> Plugin {
    granted(sandbox, "sends-as-told", grants, limits)
}

/// Waits for a condition that other threads bring about.
pub(crate) async fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < AGES, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A resolver that knows one name, and counts how often it is asked.
pub(crate) struct Names {
    name: &'static str,
    addresses: Vec<IpAddr>,
    pub(crate) asked: AtomicUsize,
}

impl Names {
    pub(crate) fn new(name: &'static str, addresses: &[&str]) -> Arc<Self> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self { name, addresses, asked: AtomicUsize::new(0) })
    }
}

impl hookbox_sandbox::Resolver for Names {
    fn resolve(&self, name: &str) -> hookbox_sandbox::Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let known = name == self.name;
        let addresses = self.addresses.clone();
        Box::pin(async move { if known { Ok(addresses) } else { Err(ErrorKind::NotFound.into()) } })
    }
}
