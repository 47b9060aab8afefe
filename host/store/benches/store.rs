//! Lists of a million statuses, how many inserts a second are durable, and what the journal of events costs.
//!
//! Filling the database takes a minute or two. `cargo bench -p hookbox-store -- inserts` and `-- journal` leave that out.

#![allow(missing_docs, reason = "criterion generates items without docs")]
#![allow(
    clippy::expect_used,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "a bench runs alone and stops at the first surprise"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hookbox_store::{
    After, AttemptEnd, Column, Filter, NewDelivery, NewEvent, NewStatus, NewUser, Options, Order, Store,
    StoreError, Timestamp, Writes,
};
use tokio::runtime::Runtime;

const ROWS: u64 = 1_000_000;
const ROWS_A_USER: u64 = 5;
const COURSES: u64 = 5_000;
const PAGE: u32 = 20;

fn user(number: u64) -> NewUser {
    NewUser {
        id: None,
        username: format!("user-{number}"),
        email: format!("user-{number}@example.com"),
        is_active: true,
        is_staff: false,
        is_superuser: false,
    }
}

fn status(number: u64, user: i64) -> NewStatus {
    let time = Timestamp::from_micros(1_700_000_000_000_000 + number as i64 * 1_000);
    let is_archived = number.is_multiple_of(3);
    NewStatus {
        course_id: format!(
            "course-v1:Org+C{}+2026",
            (number / ROWS_A_USER * 7 + number % ROWS_A_USER) % COURSES
        ),
        user,
        is_archived,
        archive_date: is_archived.then_some(time),
        created_at: time,
        updated_at: time,
    }
}

fn insert(writes: &Writes<'_>, from: u64, to: u64) -> Result<(), StoreError> {
    let mut owner = 0;
    for number in from..to {
        if number.is_multiple_of(ROWS_A_USER) {
            owner = writes.insert_user(&user(number / ROWS_A_USER))?.id;
        }
        writes.insert_status(&status(number, owner))?;
    }
    Ok(())
}

/// Every tenth row is written again, at a later time.
fn touch(writes: &Writes<'_>, from: u64, to: u64) -> Result<(), StoreError> {
    for id in (from..to).step_by(10) {
        if let Some(mut status) = writes.status(id as i64, &Filter::default())? {
            status.updated_at =
                Timestamp::from_micros(1_800_000_000_000_000 + (id * 7_919 % ROWS) as i64 * 1_000);
            writes.update_status(&status)?;
        }
    }
    Ok(())
}

fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name| status.lines().find(|line| line.starts_with(name)).unwrap_or(name).to_owned();
    format!("{}, {}", line("VmRSS:"), line("VmHWM:"))
}

fn filled(runtime: &Runtime, path: &Path) -> Store {
    let store = Store::open(&Options::at(path)).expect("the database opens");
    let started = Instant::now();
    for from in (0..ROWS).step_by(10_000) {
        let filling = store.write(move |writes| insert(writes, from, from + 10_000));
        runtime.block_on(filling).expect("rows are inserted");
    }
    println!("{ROWS} rows in {:.1?}; {}", started.elapsed(), resident());
    let started = Instant::now();
    for from in (1..ROWS).step_by(10_000) {
        let touching = store.write(move |writes| touch(writes, from, from + 10_000));
        runtime.block_on(touching).expect("rows are updated");
    }
    println!("a tenth updated in {:.1?}; {}", started.elapsed(), resident());
    runtime
        .block_on(store.read(|reads| reads.statuses(&Filter::default(), &[], ROWS / 2, PAGE)))
        .expect("the rows are read");
    store
}

fn lists(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("million.db");
    let runtime = Runtime::new().expect("a runtime");
    let mut store = None;
    let mut group = criterion.benchmark_group("lists");
    let anyone = Filter::default();
    let archived = Filter { is_archived: Some(true), ..Filter::default() };
    let owner = Filter { owner: Some(77_777), ..Filter::default() };
    let course = Filter { course_id: Some("course-v1:Org+C77+2026".to_owned()), ..Filter::default() };
    let by = |column, descending| Order { column, descending };
    let default = by(Column::UpdatedAt, true);
    let cases = [
        ("default, first page", &anyone, default, 0),
        ("default, page 50", &anyone, default, 50),
        ("default, page 12,500", &anyone, default, 12_500),
        ("default, page 25,000", &anyone, default, 25_000),
        ("default, last page", &anyone, default, 49_999),
        ("oldest first, first page", &anyone, by(Column::UpdatedAt, false), 0),
        ("oldest first, page 25,000", &anyone, by(Column::UpdatedAt, false), 25_000),
        ("archived, first page", &archived, default, 0),
        ("archived, page 8,000", &archived, default, 8_000),
        ("one owner", &owner, default, 0),
        ("one course", &course, default, 0),
        ("created_at, first page", &anyone, by(Column::CreatedAt, false), 0),
        ("created_at, page 25,000", &anyone, by(Column::CreatedAt, false), 25_000),
        ("-created_at, page 25,000", &anyone, by(Column::CreatedAt, true), 25_000),
        ("course_id, first page", &anyone, by(Column::CourseId, false), 0),
        ("course_id, page 25,000", &anyone, by(Column::CourseId, false), 25_000),
        ("-course_id, page 25,000", &anyone, by(Column::CourseId, true), 25_000),
        ("user, page 25,000", &anyone, by(Column::User, false), 25_000),
        ("is_archived, first page", &anyone, by(Column::IsArchived, false), 0),
        ("-is_archived, page 25,000", &anyone, by(Column::IsArchived, true), 25_000),
        ("-archive_date, first page", &anyone, by(Column::ArchiveDate, true), 0),
        ("archive_date, page 25,000", &anyone, by(Column::ArchiveDate, false), 25_000),
        ("-archive_date, page 25,000", &anyone, by(Column::ArchiveDate, true), 25_000),
        ("archived by archive_date, first page", &archived, by(Column::ArchiveDate, false), 0),
        ("archived by course_id, first page", &archived, by(Column::CourseId, false), 0),
    ];
    for (name, filter, order, page) in cases {
        group.bench_function(name, |bencher| {
            let store = store.get_or_insert_with(|| filled(&runtime, &path));
            bencher.to_async(&runtime).iter(|| {
                let filter = filter.clone();
                store.read(move |reads| reads.statuses(&filter, &[order], page * u64::from(PAGE), PAGE))
            });
        });
    }
    for (name, filter) in
        [("all", &anyone), ("archived", &archived), ("one owner", &owner), ("one course", &course)]
    {
        group.bench_function(BenchmarkId::new("count", name), |bencher| {
            let store = store.get_or_insert_with(|| filled(&runtime, &path));
            bencher.to_async(&runtime).iter(|| {
                let filter = filter.clone();
                store.read(move |reads| reads.count_statuses(&filter))
            });
        });
    }
    group.finish();
    if store.is_some() {
        println!("after the lists: {}", resident());
    }
}

fn inserts(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("inserts");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for callers in [1_u64, 8, 64] {
        let path = folder.path().join(format!("inserts-{callers}.db"));
        let store = Store::open(&Options::at(path)).expect("the database opens");
        let mut next = 0;
        group.throughput(criterion::Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("callers", callers), |bencher| {
            bencher.iter_custom(|rows| {
                let first = next;
                next += rows.next_multiple_of(callers);
                let started = Instant::now();
                runtime.block_on(async {
                    let callers = (0..callers).map(|caller| {
                        let store = store.clone();
                        let mine = (first + caller..first + rows).step_by(callers as usize);
                        tokio::spawn(async move {
                            for number in mine {
                                let job = move |writes: &Writes<'_>| writes.insert_user(&user(number));
                                store.write(job).await.expect("a user is inserted");
                            }
                        })
                    });
                    for caller in callers.collect::<Vec<_>>() {
                        caller.await.expect("a caller ends");
                    }
                });
                started.elapsed()
            });
        });
    }
    group.bench_function("a commit each, on one thread without the store", |bencher| {
        let file = tempfile::NamedTempFile::new_in(&folder).expect("a file");
        let connection = rusqlite::Connection::open(file.path()).expect("the database opens");
        connection
            .execute_batch(
                "PRAGMA journal_mode = wal; PRAGMA synchronous = FULL;
                 CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL)",
            )
            .expect("the table is made");
        let mut number = 0_u64;
        bencher.iter(|| {
            number += 1;
            let user = user(number);
            connection
                .prepare_cached("INSERT INTO users (username, email) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute([user.username, user.email]))
                .expect("a row is inserted");
        });
    });
    group.finish();
}

fn event(number: u64) -> NewEvent {
    let mut id = [0; 16];
    // As scattered as UUIDs are.
    id[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    let time = Timestamp::from_micros(1_700_000_000_000_000 + number as i64);
    NewEvent {
        id,
        source: "openedx/lms/web".to_owned(),
        event_type: "org.openedx.content_authoring.course.catalog_info.changed.v1".to_owned(),
        time,
        received_at: time,
        minorversion: 0,
        sourcehost: "lms.example.com".to_owned(),
        sourcelib: "[10,1,0]".to_owned(),
        course: Some(format!("course-v1:Org+C{}+2026", number % COURSES)),
        data: format!("{{\"catalog_info\":{{\"name\":\"{}\"}}}}", "x".repeat(500)),
        extensions: "{}".to_owned(),
    }
}

/// Writes down so many events for one receiver, from this number on.
fn accept(writes: &Writes<'_>, from: u64, events: u64, key: bool) -> Result<(), StoreError> {
    for number in from..from + events {
        let event = event(number);
        let order_key = event.course.clone().filter(|_| key);
        writes.add_event(&event, &[NewDelivery { plugin: "p".to_owned(), order_key }])?;
    }
    Ok(())
}

/// Takes at most so many deliveries and writes down that they were delivered; how many.
fn deliver(writes: &Writes<'_>, most: u32) -> Result<u64, StoreError> {
    let now = Timestamp::now();
    let claimed = writes.claim_deliveries("p", now, now, most)?;
    let ends: Vec<_> = claimed
        .iter()
        .map(|claimed| AttemptEnd {
            seq: claimed.event.seq,
            then: After::Delivered,
            began_at: now,
            took: Some(100),
            release: Some(1),
            record: None,
        })
        .collect();
    writes.end_attempts("p", now, &ends)?;
    Ok(ends.len() as u64)
}

/// Every sample is one durable commit of so many events.
fn journal(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("journal");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let mut commits = 0;
    let path = folder.path().join("commits.db");
    let store = Store::open(&Options::at(path)).expect("the database opens");
    group.bench_function("a bare commit", |bencher| {
        bencher.iter(|| {
            commits += 1;
            let job = move |writes: &Writes<'_>| writes.set_generation_number(commits);
            runtime.block_on(store.write(job)).expect("a number is written");
        });
    });
    for (name, key) in [("accept", false), ("accept with a key", true)] {
        for batch in [1_u64, 16, 256] {
            let path = folder.path().join(format!("{name}-{batch}.db"));
            let store = Store::open(&Options::at(path)).expect("the database opens");
            let mut next = 0;
            group.throughput(criterion::Throughput::Elements(batch));
            group.bench_function(BenchmarkId::new(name, batch), |bencher| {
                bencher.iter(|| {
                    let from = next;
                    next += batch;
                    let job = move |writes: &Writes<'_>| accept(writes, from, batch, key);
                    runtime.block_on(store.write(job)).expect("events are written down");
                });
            });
        }
    }
    for batch in [1_u32, 16, 256] {
        let path = folder.path().join(format!("deliver-{batch}.db"));
        let store = Store::open(&Options::at(path)).expect("the database opens");
        let mut next = 0;
        group.throughput(criterion::Throughput::Elements(u64::from(batch)));
        group.bench_function(BenchmarkId::new("claim and end", batch), |bencher| {
            bencher.iter_custom(|rounds| {
                let (from, events) = (next, rounds * u64::from(batch));
                next += events;
                for from in (from..from + events).step_by(1_000) {
                    let most = 1_000.min(next - from);
                    let job = move |writes: &Writes<'_>| accept(writes, from, most, false);
                    runtime.block_on(store.write(job)).expect("events are written down");
                }
                let started = Instant::now();
                let mut delivered = 0;
                while delivered < events {
                    let job = move |writes: &Writes<'_>| deliver(writes, batch);
                    delivered += runtime.block_on(store.write(job)).expect("deliveries are ended");
                }
                started.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lists, inserts, journal);
criterion_main!(benches);
