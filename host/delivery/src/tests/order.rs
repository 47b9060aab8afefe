//! Who gets what when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::support::{Fakes, Journal, at_once, event, events, quick, retry};
use crate::{OrderPath, Outcome, Policy};

#[tokio::test]
async fn every_receiver_gets_every_event_in_order_of_arrival() {
    let fakes = Fakes::new();
    fakes.good("a");
    fakes.good("b");
    let journal = Journal::begin(fakes).await;
    for first in [1, 101, 201] {
        let accepted = journal.delivery.accept(events(first..first + 100)).await.unwrap();
        assert!(accepted.iter().all(|accepted| accepted.receivers == 2 && !accepted.duplicate));
    }
    for plugin in ["a", "b"] {
        journal.until(plugin, |counts| counts.delivered == 300).await;
        assert_eq!(journal.fakes.events(plugin), (1..=300).collect::<Vec<_>>());
    }
    assert!(journal.fakes.calls().iter().all(|call| call.attempt == 1));
    let row = journal.row(7, "a").await;
    assert_eq!((row.attempts, row.failures, row.release), (1, 0, Some(1)));
    assert!(journal.delivery.stop(std::time::Duration::from_secs(60)).await);
}

#[tokio::test]
async fn a_receiver_gets_the_event_as_it_was_sent() {
    let fakes = Fakes::new();
    fakes.good("a");
    let journal = Journal::begin(fakes).await;
    journal.delivery.accept(vec![event(5, "course-v1:x+y+z")]).await.unwrap();
    journal.until("a", |counts| counts.delivered == 1).await;
    let detail = journal.delivery.event(1).await.unwrap().unwrap();
    assert_eq!(detail.row.event.event.course.as_deref(), Some("course-v1:x+y+z"));
    assert_eq!(crate::row::to_event(&detail.row.event.event).unwrap(), event(5, "course-v1:x+y+z"));
}

#[tokio::test]
async fn the_same_source_and_id_is_delivered_once() {
    let fakes = Fakes::new();
    fakes.good("a");
    let journal = Journal::begin(fakes).await;
    let accepted = journal.delivery.accept(events([1, 2, 1])).await.unwrap();
    assert_eq!(accepted.iter().map(|event| event.duplicate).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(accepted[2].seq, accepted[0].seq);
    let again = journal.delivery.accept(events([2])).await.unwrap();
    assert_eq!((again[0].duplicate, again[0].receivers), (true, 0));
    journal.until("a", |counts| counts.delivered == 2).await;
    assert_eq!(journal.fakes.events("a"), [1, 2]);
}

#[tokio::test]
async fn a_slow_receiver_delays_nobody() {
    let gate = Arc::new(Semaphore::new(0));
    let fakes = Fakes::new();
    let held = Arc::clone(&gate);
    fakes.plugin("slow", quick(), move |_, _| {
        let gate = Arc::clone(&held);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Outcome::Delivered
        })
    });
    fakes.good("quick");
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=50).await;
    journal.until("quick", |counts| counts.delivered == 50).await;
    assert_eq!(journal.counts("slow").await.delivered, 0);
    assert_eq!(journal.fakes.events("slow").len(), 1, "one at a time");
    gate.add_permits(50);
    journal.until("slow", |counts| counts.delivered == 50).await;
}

#[tokio::test]
async fn a_retry_that_waits_holds_back_nobody_without_a_key() {
    let fakes = Fakes::new();
    let patient = Policy { pause: std::time::Duration::from_secs(3600), ..Policy::default() };
    fakes.plugin("a", patient, |event, _| at_once(if event == 1 { retry() } else { Outcome::Delivered }));
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=20).await;
    let counts = journal.until("a", |counts| counts.delivered == 19).await;
    assert_eq!(counts.open, 1);
    assert_eq!(journal.fakes.events("a"), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn as_many_calls_run_at_once_as_the_terms_say() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let fakes = Fakes::new();
    let script = {
        let (running, most, gate) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
        move |_, _| -> super::support::Said {
            let (running, most, gate) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
            Box::pin(async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Outcome::Delivered
            })
        }
    };
    fakes.plugin("a", Policy { concurrency: 4, ..quick() }, script);
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=40).await;
    journal.fakes.called("a", 4).await;
    gate.add_permits(40);
    journal.until("a", |counts| counts.delivered == 40).await;
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn deliveries_with_the_same_key_follow_one_another() {
    let fakes = Fakes::new();
    let terms = Policy {
        ordered_by: Some(OrderPath::parse("course_key").unwrap()),
        concurrency: 8,
        attempts: 100,
        ..quick()
    };
    // Every third event fails twice.
    let script = |event: u64, attempt| {
        at_once(if event.is_multiple_of(3) && attempt <= 2 { retry() } else { Outcome::Delivered })
    };
    fakes.plugin("a", terms, script);
    let journal = Journal::begin(fakes).await;
    let all: Vec<_> = (1..=120).map(|number| event(number, &format!("course-{}", number % 5))).collect();
    journal.delivery.accept(all).await.unwrap();
    journal.until("a", |counts| counts.delivered == 120).await;
    let mut courses: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for event in journal.fakes.events("a") {
        courses.entry(event % 5).or_default().push(event);
    }
    for (course, mut events) in courses {
        // Attempts of one event come one after the other; nothing of the course in between.
        events.dedup();
        let expected: Vec<u64> = (1..=120).filter(|number| number % 5 == course).collect();
        assert_eq!(events, expected);
    }
}

#[tokio::test]
async fn a_failing_delivery_holds_back_only_its_key() {
    let fakes = Fakes::new();
    let terms = Policy {
        ordered_by: Some(OrderPath::parse("thing.course_key").unwrap()),
        concurrency: 4,
        pause: std::time::Duration::from_secs(3600),
        ..Policy::default()
    };
    fakes.plugin("a", terms, |event, _| at_once(if event == 1 { retry() } else { Outcome::Delivered }));
    let journal = Journal::begin(fakes).await;
    let course = |number: u64| if number % 2 == 1 { "odd" } else { "even" };
    journal.delivery.accept((1..=20).map(|number| event(number, course(number))).collect()).await.unwrap();
    let counts = journal.until("a", |counts| counts.delivered == 10).await;
    assert_eq!(counts.open, 10);
    let mut called = journal.fakes.events("a");
    called.retain(|number| number % 2 == 1);
    assert_eq!(called, [1]);
}
