//! Too much of it: back-pressure, a full database, retention.

use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{DeliveryState, Options, Selection, Store};
use tokio::sync::Semaphore;

use super::support::{Fakes, Journal, Manual, at_once, counts, event, events, quick};
use crate::{AcceptError, Delivery, DeliveryOptions, Outcome, Policy, Retention};

/// A receiver that takes nothing before it is let.
fn gated(fakes: &Fakes) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    fakes.plugin("a", Policy { concurrency: 2, ..quick() }, move |_, _| {
        let gate = Arc::clone(&held);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Outcome::Delivered
        })
    });
    gate
}

#[tokio::test]
async fn more_than_may_wait_is_refused_until_some_is_delivered() {
    let fakes = Fakes::new();
    let gate = gated(&fakes);
    let options = DeliveryOptions { backlog: 10, ..DeliveryOptions::default() };
    let journal = Journal::with(fakes, options, None).await;
    journal.accept(1..=10).await;
    let refused = journal.delivery.accept(events([11])).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Backlog { waiting: 10, most: 10 }), "{refused}");
    assert_eq!(refused.code(), "events-backlog");
    assert_eq!(journal.rows().await.len(), 10);
    gate.add_permits(4);
    journal.until("a", |counts| counts.delivered == 4).await;
    journal.accept(11..=14).await;
    assert!(journal.delivery.accept(events([15])).await.is_err());
    // An operator makes room.
    let all = Selection { seq: Some(14), ..Selection::default() };
    assert_eq!(journal.delivery.discard(all, None).await.unwrap().changed, 1);
    journal.accept([15]).await;
}

#[tokio::test]
async fn a_batch_larger_than_all_the_room_comes_in_when_nothing_waits() {
    let fakes = Fakes::new();
    fakes.good("a");
    let options = DeliveryOptions { backlog: 10, ..DeliveryOptions::default() };
    let journal = Journal::with(fakes, options, None).await;
    journal.accept(1..=50).await;
    journal.until("a", |counts| counts.delivered == 50).await;
}

#[tokio::test]
async fn more_bytes_than_may_wait_are_refused() {
    let fakes = Fakes::new();
    let gate = gated(&fakes);
    let options = DeliveryOptions { backlog_bytes: 1000, ..DeliveryOptions::default() };
    let journal = Journal::with(fakes, options, None).await;
    let long = |number| vec![event(number, &"x".repeat(2000))];
    journal.delivery.accept(long(1)).await.unwrap();
    let refused = journal.delivery.accept(long(2)).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Full { most: 1000, .. }), "{refused}");
    gate.add_permits(1);
    journal.until("a", |counts| counts.delivered == 1).await;
    journal.delivery.accept(long(2)).await.unwrap();
}

#[tokio::test]
async fn a_stopped_journal_takes_nothing() {
    let journal = Journal::begin(Fakes::new()).await;
    assert!(journal.delivery.stop(Duration::from_secs(60)).await);
    assert!(matches!(journal.delivery.accept(events([1])).await, Err(AcceptError::Stopping)));
}

#[tokio::test]
async fn a_full_database_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::at(folder.path().join("journal.sqlite3"));
    options.max_size_bytes = Some(1 << 20);
    let store = Store::open(&options).unwrap();
    let fakes = Fakes::new();
    let gate = gated(&fakes);
    // Nothing is kept that was delivered.
    let retention = Retention { delivered_bytes: 0, ..Retention::default() };
    let options = DeliveryOptions { retention, ..DeliveryOptions::default() };
    let delivery = Delivery::new(store.clone(), fakes.clone(), options);
    delivery.start().await.unwrap();
    let long = |number| vec![event(number, &"x".repeat(20_000))];
    let mut accepted = 0;
    let refused = loop {
        match delivery.accept(long(accepted + 1)).await {
            Ok(_) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), "full");
    assert!(accepted > 10);
    gate.add_permits(usize::try_from(accepted).unwrap());
    while counts(&store, "a").await.delivered < accepted {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut got = fakes.events("a");
    got.sort_unstable();
    assert_eq!(got, (1..=accepted).collect::<Vec<_>>(), "once each, since the process lived");
    // What was delivered goes, and there is room again.
    gate.add_permits(1);
    while delivery.accept(long(1000)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    fakes.called("a", usize::try_from(accepted + 1).unwrap()).await;
    assert!(delivery.stop(Duration::from_secs(60)).await);
}

#[tokio::test]
async fn events_go_by_age_and_dead_letters_later() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |event, _| {
        at_once(if event <= 3 { Outcome::Rejected { reason: "no".into() } } else { Outcome::Delivered })
    });
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(Arc::new(Manual::default()))).await;
    journal.accept(1..=500).await;
    journal.until("a", |counts| counts.delivered == 497 && counts.dead == 3).await;
    let kept = async || journal.delivery.summary().await.unwrap().totals;
    assert_eq!((kept().await.done.events, kept().await.dead.events), (497, 3));
    journal.time.advance(8 * Duration::from_secs(24 * 60 * 60));
    journal.until_advancing("a", Duration::from_secs(60), |counts| counts.delivered == 0).await;
    assert_eq!((kept().await.done.events, kept().await.dead.events), (0, 3));
    journal.time.advance(30 * Duration::from_secs(24 * 60 * 60));
    journal.until_advancing("a", Duration::from_secs(60), |counts| counts.dead == 0).await;
    assert!(journal.rows().await.is_empty());
}

#[tokio::test]
async fn a_receiver_that_becomes_slow_holds_few_deliveries() {
    let fakes = Fakes::new();
    let time = Arc::new(Manual::default());
    let gate = Arc::new(Semaphore::new(0));
    let (moved, held) = (Arc::clone(&time), Arc::clone(&gate));
    fakes.plugin("a", quick(), move |event, _| {
        let (time, gate) = (Arc::clone(&moved), Arc::clone(&held));
        Box::pin(async move {
            if event >= 300 {
                gate.acquire().await.unwrap().forget();
                time.advance(Duration::from_secs(10));
            }
            Outcome::Delivered
        })
    });
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(time)).await;
    journal.accept(1..=1000).await;
    let running = async |so: fn(usize) -> bool| {
        let running = Selection { states: vec![DeliveryState::Running], ..Selection::default() };
        let began = std::time::Instant::now();
        loop {
            let now = journal.delivery.events(running.clone(), None, 1000).await.unwrap().events.len();
            if so(now) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "{now} run");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    // Quick calls are taken by the hundred.
    journal.fakes.called("a", 300).await;
    running(|many| many > 50).await;
    gate.add_permits(1);
    journal.fakes.called("a", 301).await;
    running(|many| many <= 2).await;
    gate.add_permits(1000);
    journal.until("a", |counts| counts.delivered == 1000).await;
    assert_eq!(journal.fakes.events("a"), (1..=1000).collect::<Vec<_>>());
    for row in journal.rows().await {
        assert_eq!(row.deliveries[0].attempts, 1, "{row:?}");
    }
}
