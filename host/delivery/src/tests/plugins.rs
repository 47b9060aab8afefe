//! Plugins that are put aside, go away, come back and are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookbox_store::DeliveryState;
use tokio::sync::Semaphore;

use super::support::{Fakes, Journal, Manual, TYPE, at_once, events, quick, retry};
use crate::{DeliveryOptions, Outcome, Policy, Receivers, Standing};

/// A receiver that answers as often as somebody lets it.
fn gated(fakes: &Fakes, name: &str, policy: Policy) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    fakes.plugin(name, policy, move |_, _| {
        let gate = Arc::clone(&held);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Outcome::Delivered
        })
    });
    gate
}

#[tokio::test]
async fn a_plugin_that_is_put_aside_loses_no_attempt() {
    let fakes = Fakes::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    fakes.plugin("a", Policy { concurrency: 4, ..quick() }, move |_, _| {
        let aside = counted.fetch_add(1, Ordering::SeqCst) < 10;
        at_once(if aside { Outcome::PutAside { pause: Duration::from_secs(30) } } else { Outcome::Delivered })
    });
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(Arc::new(Manual::default()))).await;
    journal.accept(1..=30).await;
    journal.fakes.called("a", 1).await;
    journal.until_advancing("a", Duration::from_secs(1), |counts| counts.delivered == 30).await;
    for seq in 1..=30 {
        let row = journal.row(seq, "a").await;
        assert_eq!((row.attempts, row.failures), (1, 0));
    }
}

#[tokio::test]
async fn a_plugin_that_is_put_aside_is_tried_at_once_when_another_release_takes_its_place() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, _| at_once(Outcome::PutAside { pause: Duration::from_secs(3000) }));
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(Arc::new(Manual::default()))).await;
    journal.accept([1]).await;
    journal.fakes.called("a", 1).await;
    journal.fakes.replace("a", 2, |_, _| at_once(Outcome::Delivered));
    journal.delivery.plugins_changed();
    journal.until("a", |counts| counts.delivered == 1).await;
}

#[tokio::test]
async fn deliveries_wait_while_their_plugin_is_away() {
    let fakes = Fakes::new();
    let gate = gated(&fakes, "a", quick());
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=20).await;
    journal.fakes.called("a", 1).await;
    journal.fakes.stand("a", Standing::Away);
    journal.delivery.plugins_changed();
    gate.add_permits(1000);
    let counts = journal.until("a", |counts| counts.delivered >= 1 && counts.delivered < 20).await;
    assert_eq!(counts.dead, 0);
    // What arrives now is not for it.
    assert_eq!(journal.delivery.accept(events([21])).await.unwrap()[0].receivers, 0);
    journal.fakes.stand("a", Standing::Live);
    journal.delivery.plugins_changed();
    journal.until("a", |counts| counts.delivered == 20).await;
    assert_eq!(journal.fakes.events("a"), (1..=20).collect::<Vec<_>>());
    assert_eq!(journal.row(20, "a").await.attempts, 1);
}

#[tokio::test]
async fn deliveries_of_a_plugin_that_is_removed_are_dead_letters() {
    let fakes = Fakes::new();
    let gate = gated(&fakes, "a", quick());
    fakes.good("b");
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=1200).await;
    journal.fakes.called("a", 1).await;
    journal.fakes.stand("a", Standing::Gone);
    journal.delivery.plugins_changed();
    gate.add_permits(1);
    let counts = journal.until("a", |counts| counts.open == 0).await;
    assert_eq!((counts.delivered, counts.dead), (1, 1199));
    assert_eq!(journal.row(1200, "a").await.reason.as_deref(), Some("plugin-removed"));
    assert_eq!(journal.row(1200, "a").await.attempts, 0);
    journal.until("b", |counts| counts.delivered == 1200).await;
    // It is installed again, and its dead letters are retried.
    journal.fakes.good("a");
    journal.delivery.plugins_changed();
    journal.delivery.retry(hookbox_store::Selection::default(), None).await.unwrap();
    journal.until("a", |counts| counts.delivered == 1200).await;
}

#[tokio::test]
async fn what_waits_goes_to_the_release_that_is_live() {
    let fakes = Fakes::new();
    let patient = Policy { pause: Duration::from_secs(60), ..Policy::default() };
    fakes.plugin("a", patient, |_, _| at_once(retry()));
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(Arc::new(Manual::default()))).await;
    journal.accept(1..=3).await;
    journal.fakes.called("a", 3).await;
    journal.fakes.replace("a", 2, |_, _| at_once(Outcome::Delivered));
    journal.delivery.plugins_changed();
    journal.until_advancing("a", Duration::from_secs(10), |counts| counts.delivered == 3).await;
    let row = journal.row(2, "a").await;
    assert_eq!((row.attempts, row.release), (2, Some(2)));
}

#[tokio::test]
async fn what_the_live_release_does_not_receive_is_a_dead_letter() {
    let fakes = Fakes::new();
    let gate = gated(&fakes, "a", quick());
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=5).await;
    journal.fakes.called("a", 1).await;
    journal.fakes.receive("a", &["org.example.other.v1"]);
    journal.delivery.plugins_changed();
    gate.add_permits(1);
    let counts = journal.until("a", |counts| counts.open == 0).await;
    assert_eq!((counts.delivered, counts.dead), (1, 4));
    assert_eq!(journal.row(5, "a").await.reason.as_deref(), Some("not-received"));
    journal.fakes.receive("a", &[TYPE]);
    journal.fakes.replace("a", 2, |_, _| at_once(Outcome::Delivered));
    journal.delivery.plugins_changed();
    journal.delivery.retry(hookbox_store::Selection::default(), None).await.unwrap();
    journal.until("a", |counts| counts.delivered == 5).await;
}

#[tokio::test]
async fn a_plugin_that_goes_away_between_two_looks_costs_no_event() {
    let fakes = Fakes::new();
    fakes.good("a");
    fakes.vanish("a");
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=3).await;
    while journal.fakes.standing("a") == Standing::Live {
        tokio::task::yield_now().await;
    }
    assert_eq!(journal.counts("a").await.dead, 0);
    journal.fakes.stand("a", Standing::Live);
    journal.delivery.plugins_changed();
    journal.until("a", |counts| counts.delivered == 3).await;
    let row = journal.row(1, "a").await;
    assert_eq!((row.state, row.attempts), (DeliveryState::Delivered, 1));
}
