//! What durable delivery costs beside the bare commit of a row: events accepted a second by 1, 8 and 64 clients, deliveries
//! a second to one and to ten receivers, the time from an acceptance to the receiver's call, and a backlog of a million
//! events. Receivers here answer at once: what they do is theirs. `cargo bench -p hookbox-delivery`; with `-- accept`,
//! `-- deliver`, `-- wait` or `-- backlog` only that, with `-- 100000` a backlog of so many events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop at once"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookbox_delivery::{Delivery, DeliveryOptions, Outcome, Policy, Receipt, Receivers, Standing};
use hookbox_hooks::{EventMetadata, ReceivedEvent};
use hookbox_store::{Options, Reads, Store};
use serde_json::{Map, json};
use time::OffsetDateTime;

/// How long each rate is measured, in turns of the same length.
const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 3;
const EVENT: &str = "org.openedx.content_authoring.course.catalog_info.changed.v1";

#[tokio::main]
async fn main() {
    let backlog = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let parts = ["accept", "deliver", "wait", "backlog"];
    let only = std::env::args().skip(1).find(|argument| parts.contains(&&**argument));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| part == only);
    if wanted("accept") {
        accepting().await;
    }
    if wanted("deliver") {
        delivering(1).await;
        delivering(10).await;
    }
    if wanted("wait") {
        waiting().await;
    }
    if wanted("backlog") {
        million(backlog).await;
    }
}

/// Receivers that answer at once.
#[derive(Debug, Default)]
struct Quick {
    plugins: Vec<String>,
    away: AtomicBool,
    calls: AtomicU64,
    /// When each event was called for, where somebody asks.
    called: Option<Mutex<HashMap<String, Instant>>>,
}

impl Quick {
    fn new(count: usize) -> Self {
        Self { plugins: (0..count).map(|number| format!("receiver-{number}")).collect(), ..Self::default() }
    }
}

#[derive(Debug, Clone)]
struct Shared(Arc<Quick>);

impl Receivers for Shared {
    fn of(&self, _: &str) -> Vec<String> {
        self.0.plugins.clone()
    }

    fn types(&self, _: &str) -> Vec<String> {
        vec![EVENT.to_owned()]
    }

    fn standing(&self, _: &str) -> Standing {
        if self.0.away.load(Ordering::Relaxed) { Standing::Away } else { Standing::Live }
    }

    fn policy(&self, _: &str) -> Policy {
        Policy::default()
    }

    async fn deliver(&self, _: &str, event: &ReceivedEvent, _: u32) -> Receipt {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(called) = &self.0.called {
            called.lock().unwrap().insert(event.metadata.id.clone(), Instant::now());
        }
        Receipt {
            outcome: Outcome::Delivered,
            release: Some(1),
            digest: None,
            not_before: None,
            replay: None,
        }
    }
}

/// A journal in a folder of its own.
struct Site {
    delivery: Delivery<Shared>,
    receivers: Arc<Quick>,
    store: Store,
    folder: tempfile::TempDir,
}

impl Site {
    async fn new(receivers: Quick) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::at(folder.path().join("bench.db"))).unwrap();
        let receivers = Arc::new(receivers);
        let options = DeliveryOptions { backlog: 100_000_000, ..DeliveryOptions::default() };
        let delivery = Delivery::new(store.clone(), Shared(Arc::clone(&receivers)), options);
        delivery.start().await.unwrap();
        Self { delivery, receivers, store, folder }
    }

    /// Has clients accept events for a while, each `batch` at once; how many were.
    async fn accept(&self, clients: usize, batch: usize, time: Duration) -> (u64, Duration) {
        let (accepted, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                let (delivery, accepted) = (self.delivery.clone(), Arc::clone(&accepted));
                tokio::spawn(async move {
                    while started.elapsed() < time {
                        let events = (0..batch).map(|_| event()).collect();
                        delivery.accept(events).await.unwrap();
                        accepted.fetch_add(batch as u64, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        (accepted.load(Ordering::Relaxed), started.elapsed())
    }

    async fn called(&self, calls: u64) {
        while self.receivers.calls.load(Ordering::Relaxed) < calls {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn end(self) {
        assert!(self.delivery.stop(Duration::from_secs(30)).await);
    }
}

fn event() -> ReceivedEvent {
    ReceivedEvent {
        metadata: EventMetadata {
            id: uuid::Uuid::new_v4().to_string(),
            event_type: EVENT.to_owned(),
            minorversion: 0,
            source: "openedx/cms/web".to_owned(),
            sourcehost: "cms-1".to_owned(),
            time: OffsetDateTime::now_utc(),
            sourcelib: vec![11, 2, 0],
        },
        data: json!({"catalog_info": {
            "course_key": "course-v1:edX+DemoX+Demo_Course",
            "name": "Demo",
            "schedule_data": {"start": "2026-01-15T09:30:00+00:00", "pacing": "instructor"},
            "hidden": false,
            "invitation_only": false,
        }}),
        extensions: Map::new(),
    }
}

/// The floor: one row written and committed after the other.
async fn commits(store: &Store, time: Duration) -> (u64, Duration) {
    let (mut done, started) = (0, Instant::now());
    while started.elapsed() < time {
        store.write(move |writes| writes.set_generation_number(done)).await.unwrap();
        done += 1;
    }
    (done, started.elapsed())
}

fn rate((count, time): (u64, Duration)) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn accepting() {
    let site = Site::new(Quick::new(1)).await;
    site.receivers.away.store(true, Ordering::Relaxed);
    site.delivery.plugins_changed();
    let cases = [
        ("1 client", 1, 1),
        ("8 clients", 8, 1),
        ("64 clients", 64, 1),
        ("1 client, batches of 100", 1, 100),
    ];
    let (mut floor, mut rates) = (Vec::new(), vec![Vec::new(); cases.len()]);
    for _ in 0..TURNS {
        floor.push(rate(commits(&site.store, TURN).await));
        for (case, rates) in cases.iter().zip(&mut rates) {
            rates.push(rate(site.accept(case.1, case.2, TURN).await));
        }
    }
    let floor = median(floor);
    println!("bare commits of one row             {floor:9.0} /s");
    for ((name, ..), rates) in cases.iter().zip(rates) {
        let rate = median(rates);
        println!("accepted, {name:25} {rate:9.0} /s   {:6.1} of bare commits", rate / floor);
    }
    site.end().await;
}

async fn delivering(receivers: usize) {
    const EVENTS: u64 = 20_000;
    let site = Site::new(Quick::new(receivers)).await;
    site.receivers.away.store(true, Ordering::Relaxed);
    site.delivery.plugins_changed();
    for _ in 0..EVENTS / 100 {
        site.delivery.accept((0..100).map(|_| event()).collect()).await.unwrap();
    }
    let deliveries = EVENTS * receivers as u64;
    let started = Instant::now();
    site.receivers.away.store(false, Ordering::Relaxed);
    site.delivery.plugins_changed();
    site.called(deliveries).await;
    let rate = deliveries as f64 / started.elapsed().as_secs_f64();
    println!(
        "delivered, {receivers:2} receiver(s)           {rate:9.0} /s   {:.0} events a second",
        rate / receivers as f64
    );
    site.end().await;
}

/// From an acceptance to the call, with one client that waits for nothing but its own answers, now and then.
async fn waiting() {
    const EVENTS: usize = 1_000;
    let site = Site::new(Quick { called: Some(Mutex::default()), ..Quick::new(1) }).await;
    let mut accepted = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        let event = event();
        let id = event.metadata.id.clone();
        site.delivery.accept(vec![event]).await.unwrap();
        accepted.push((id, Instant::now()));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    site.called(EVENTS as u64).await;
    let called = site.receivers.called.as_ref().unwrap().lock().unwrap().clone();
    let mut took: Vec<Duration> =
        accepted.iter().map(|(id, at)| called[id].saturating_duration_since(*at)).collect();
    took.sort();
    println!(
        "from accepted to called               p50 {:.2?}, p99 {:.2?}",
        took[EVENTS / 2],
        took[EVENTS * 99 / 100]
    );
    site.end().await;
}

async fn million(events: u64) {
    let site = Site::new(Quick::new(1)).await;
    site.receivers.away.store(true, Ordering::Relaxed);
    site.delivery.plugins_changed();
    println!("\na backlog of {events} events; resident before: {} MiB", resident());
    let started = Instant::now();
    let left = Arc::new(AtomicU64::new(events / 100));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (delivery, left) = (site.delivery.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    delivery.accept((0..100).map(|_| event()).collect()).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    println!(
        "accepted in {:.1?}; database {} MiB; resident {} MiB",
        started.elapsed(),
        size(site.folder.path()),
        resident()
    );
    let started = Instant::now();
    site.receivers.away.store(false, Ordering::Relaxed);
    site.delivery.plugins_changed();
    let (mut most, mut last) = (0, Instant::now());
    for tenth in 1..=10 {
        site.called(events / 100 * 100 * tenth / 10).await;
        most = most.max(resident());
        println!(
            "  {:3} % after {:6.1?}, {:6.1?} of it for the last tenth",
            tenth * 10,
            started.elapsed(),
            last.elapsed()
        );
        last = Instant::now();
    }
    println!(
        "delivered in {:.1?}; resident at most {most} MiB; database {} MiB",
        started.elapsed(),
        size(site.folder.path())
    );
    let counted = site.store.read(|reads: &Reads<'_>| reads.receiver_counts()).await.unwrap();
    println!("counts: {counted:?}");
    site.end().await;
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024
}

fn size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>() >> 20
}
