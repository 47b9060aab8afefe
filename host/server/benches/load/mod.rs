//! What the benchmarks share: a server on a socket, clients that send a request as soon as they have the last one's
//! answer, and figures.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const CONNECTIONS: usize = 16;
pub(crate) const ROUNDS: usize = 5;
pub(crate) const ROUND: Duration = Duration::from_secs(2);

/// Makes the nth request of a run: its method and path, further header lines, and its body.
pub(crate) type Ask = Arc<dyn Fn(u64) -> (String, String) + Send + Sync>;

/// One thing that is measured.
pub(crate) struct Case {
    pub(crate) name: String,
    address: SocketAddr,
    headers: String,
    ask: Ask,
    status: u16,
    sent: Arc<AtomicU64>,
    rounds: Vec<(Duration, Vec<Duration>)>,
    cpu: Duration,
}

impl Case {
    /// `ask` makes the request line's first part (`GET /path`) and the body; `headers` are whole lines.
    pub(crate) fn new(
        name: impl Into<String>,
        address: SocketAddr,
        headers: &str,
        status: u16,
        ask: impl Fn(u64) -> (String, String) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            address,
            headers: headers.to_owned(),
            ask: Arc::new(ask),
            status,
            sent: Arc::default(),
            rounds: Vec::new(),
            cpu: Duration::ZERO,
        }
    }

    /// One round of load.
    async fn load(&self) -> (Duration, Vec<Duration>) {
        let started = Instant::now();
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(self.client(started + ROUND))).collect();
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.await.unwrap());
        }
        (started.elapsed(), latencies)
    }

    fn client(&self, until: Instant) -> impl Future<Output = Vec<Duration>> + Send + 'static {
        let (address, ask, sent) = (self.address, Arc::clone(&self.ask), Arc::clone(&self.sent));
        let (headers, status) = (self.headers.clone(), format!("HTTP/1.1 {}", self.status));
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut latencies = Vec::new();
            let mut answer = Vec::with_capacity(16_384);
            while Instant::now() < until {
                let (line, body) = ask(sent.fetch_add(1, Ordering::Relaxed));
                let request = format!(
                    "{line} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let started = Instant::now();
                stream.write_all(request.as_bytes()).await.unwrap();
                answer.clear();
                while !whole(&answer) {
                    assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the server hung up");
                }
                assert!(answer.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&answer));
                latencies.push(started.elapsed());
            }
            latencies
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures::of(&self.rounds, self.cpu)
    }
}

/// What this process has used of the processors so far, where the system says it: server and clients together. Unlike
/// throughput it hardly depends on what else the machine does.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: user and system time are the 12th and 13th, in hundredths of a second.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    Duration::from_millis(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// Serves a router on a free port.
pub(crate) async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// All cases in turns, round after round, after a first round that nobody counts: pools fill, pages fault in.
pub(crate) async fn measure(cases: &mut [Case]) {
    for case in cases.iter() {
        case.load().await;
    }
    for _ in 0..ROUNDS {
        for case in cases.iter_mut() {
            let before = cpu();
            let round = case.load().await;
            case.rounds.push(round);
            case.cpu += cpu().saturating_sub(before);
        }
    }
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

/// Throughput and percentiles of a case.
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Processor time a request, of server and client.
    pub(crate) cpu: Duration,
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    fn of(rounds: &[(Duration, Vec<Duration>)], cpu: Duration) -> Self {
        let time: Duration = rounds.iter().map(|(time, _)| *time).sum();
        let mut all: Vec<Duration> = rounds.iter().flat_map(|(_, latencies)| latencies).copied().collect();
        all.sort_unstable();
        let at = |part: usize| all[(all.len() * part / 100).min(all.len() - 1)];
        let cpu = cpu.div_f64(all.len() as f64);
        Self { per_second: all.len() as f64 / time.as_secs_f64(), p50: at(50), p99: at(99), cpu }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, p50, p99, cpu } = self;
        write!(f, "{per_second:>8.0} requests/s   p50 {p50:>9.1?}   p99 {p99:>9.1?}   cpu {cpu:>8.1?}")
    }
}
