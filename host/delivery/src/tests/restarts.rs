//! Processes that end, in order or not.

use std::time::Duration;

use hookbox_store::Timestamp;
use tokio::runtime::Runtime;

use super::support::{Call, Fakes, counts, events, open, quick, sound};
use crate::row::to_row;
use crate::{Delivery, DeliveryOptions, Outcome, Policy};

fn begin(folder: &std::path::Path, fakes: &Fakes) -> Delivery<Fakes> {
    Delivery::new(open(folder), fakes.clone(), DeliveryOptions::default())
}

#[test]
fn what_was_begun_when_the_process_died_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = Fakes::new();
    // Event 3 never ends in the first process.
    fakes.plugin("a", quick(), |event, attempt| {
        Box::pin(async move {
            if event == 3 && attempt == 1 {
                std::future::pending::<()>().await;
            }
            Outcome::Delivered
        })
    });
    let process = Runtime::new().unwrap();
    process.block_on(async {
        let delivery = begin(folder.path(), &fakes);
        delivery.start().await.unwrap();
        delivery.accept(events(1..=20)).await.unwrap();
        fakes.called("a", 3).await;
        while counts(delivery.store(), "a").await.delivered < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    drop(process);
    Runtime::new().unwrap().block_on(async {
        let delivery = begin(folder.path(), &fakes);
        delivery.start().await.unwrap();
        while counts(delivery.store(), "a").await.delivered < 20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(fakes.calls().contains(&Call { plugin: "a".into(), event: 3, attempt: 2 }));
        let detail = delivery.event(3).await.unwrap().unwrap();
        assert_eq!((detail.row.deliveries[0].attempts, detail.row.deliveries[0].failures), (2, 0));
        let attempts = &detail.attempts["a"];
        assert_eq!((attempts.len(), &*attempts[0].record.outcome), (1, "interrupted"));
        assert!(delivery.stop(Duration::from_secs(60)).await);
    });
    let mut got = fakes.events("a");
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (1..=20).collect::<Vec<_>>());
    sound(folder.path());
}

#[tokio::test]
async fn what_was_accepted_before_the_start_is_delivered_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = Fakes::new();
    fakes.good("a");
    let delivery = begin(folder.path(), &fakes);
    delivery.accept(events(1..=5)).await.unwrap();
    assert!(fakes.calls().is_empty());
    delivery.start().await.unwrap();
    delivery.start().await.unwrap();
    fakes.called("a", 5).await;
    assert!(delivery.stop(Duration::from_secs(60)).await);
    assert_eq!(fakes.events("a"), (1..=5).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stop_writes_down_what_ends_and_gives_back_what_was_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = Fakes::new();
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let held = std::sync::Arc::clone(&gate);
    fakes.plugin("a", Policy { concurrency: 3, ..quick() }, move |_, _| {
        let gate = std::sync::Arc::clone(&held);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Outcome::Delivered
        })
    });
    let delivery = begin(folder.path(), &fakes);
    delivery.start().await.unwrap();
    delivery.accept(events(1..=50)).await.unwrap();
    fakes.called("a", 3).await;
    let stopping = tokio::spawn({
        let delivery = delivery.clone();
        async move { delivery.stop(Duration::from_secs(60)).await }
    });
    while delivery.accept(events([99])).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1000);
    assert!(stopping.await.unwrap());
    let store = delivery.store();
    let done = counts(store, "a").await;
    assert!(done.delivered >= 3 && done.open >= 40, "{done:?}");
    let now = Timestamp::now();
    let running = store.write(move |writes| writes.release_running(now, 1000)).await.unwrap();
    assert_eq!(running, 0);
    let called = fakes.calls().len();
    assert_eq!(u64::try_from(called).unwrap(), done.delivered, "each call is written down");
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, _| Box::pin(std::future::pending()));
    let delivery = begin(folder.path(), &fakes);
    delivery.start().await.unwrap();
    delivery.accept(events([1])).await.unwrap();
    fakes.called("a", 1).await;
    assert!(!delivery.stop(Duration::from_millis(10)).await);
    let now = Timestamp::now();
    let running = delivery.store().write(move |writes| writes.release_running(now, 1000)).await.unwrap();
    assert_eq!(running, 1, "the next start takes it up");
}

#[tokio::test]
async fn an_accepted_event_is_delivered_though_its_sender_hung_up() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = Fakes::new();
    fakes.good("a");
    let delivery = begin(folder.path(), &fakes);
    delivery.start().await.unwrap();
    for number in 1..=20 {
        let accept = delivery.accept(events([number]));
        // The sender is gone after the first step.
        tokio::select! {
            biased;
            _ = accept => {}
            () = std::future::ready(()) => {}
        }
    }
    fakes.called("a", 20).await;
    assert!(delivery.stop(Duration::from_secs(60)).await);
}

#[test]
fn an_id_that_is_no_uuid_is_refused() {
    let mut event = events([1]).remove(0);
    event.metadata.id = "seven".into();
    assert!(to_row(&event, Timestamp::now()).unwrap_err().to_string().contains("seven"));
}
