//! Receivers that fail.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hookbox_store::{DeliveryState, ReceiverCounts, Selection};
use serde_json::json;

use super::support::{Fakes, Journal, Manual, at_once, quick, retry};
use crate::{DeliveryOptions, Outcome, Policy};

const HOUR: Duration = Duration::from_secs(3600);

async fn manual(fakes: Fakes) -> Journal {
    Journal::with(fakes, DeliveryOptions::default(), Some(Arc::new(Manual::default()))).await
}

#[tokio::test]
async fn what_always_fails_is_a_dead_letter_after_its_attempts() {
    let fakes = Fakes::new();
    let terms = Policy { attempts: 5, pause: 60 * Duration::from_secs(1), ..Policy::default() };
    fakes.plugin("a", terms, |_, _| {
        let report = json!({"code": "trap", "backtrace": ["f"]});
        at_once(Outcome::Failed { code: "trap", reason: "unreachable".into(), report })
    });
    let journal = manual(fakes).await;
    journal.accept([1]).await;
    journal.until_advancing("a", Duration::from_secs(5), |counts| counts.dead == 1).await;
    let row = journal.row(1, "a").await;
    assert_eq!((row.state, row.attempts, row.failures), (DeliveryState::Dead, 5, 5));
    assert_eq!(row.reason.as_deref(), Some("attempts"));
    let attempts = &journal.delivery.event(1).await.unwrap().unwrap().attempts["a"];
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for (pair, pause) in attempts.windows(2).zip([60, 120, 240, 480]) {
        let waited = crate::clock::since(pair[0].began_at, pair[1].began_at).unwrap();
        assert!(waited >= Duration::from_secs(pause / 2), "{waited:?} of {pause} s");
    }
    let last = &attempts[4].record;
    assert_eq!((&*last.outcome, last.code.as_deref()), ("failed", Some("trap")));
    assert_eq!((last.reason.as_deref(), last.digest.as_deref()), (Some("unreachable"), Some("sha256:1")));
    assert!(last.report.as_ref().unwrap().contains("backtrace"));
}

#[tokio::test]
async fn a_rejected_event_is_a_dead_letter_at_once() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, _| at_once(Outcome::Rejected { reason: "never".into() }));
    let journal = Journal::begin(fakes).await;
    journal.accept([1]).await;
    journal.until("a", |counts| counts.dead == 1).await;
    let row = journal.row(1, "a").await;
    assert_eq!((row.attempts, row.reason.as_deref()), (1, Some("rejected")));
}

#[tokio::test]
async fn a_failure_behind_the_horizon_is_the_last() {
    let fakes = Fakes::new();
    let terms =
        Policy { attempts: 1000, horizon: HOUR, pause: 10 * Duration::from_secs(60), ..Policy::default() };
    fakes.plugin("a", terms, |_, _| at_once(retry()));
    let journal = manual(fakes).await;
    journal.accept([1]).await;
    journal.until_advancing("a", Duration::from_secs(60), |counts| counts.dead == 1).await;
    let row = journal.row(1, "a").await;
    assert_eq!(row.reason.as_deref(), Some("horizon"));
    assert!(row.attempts > 2 && row.attempts < 20, "{row:?}");
}

#[tokio::test]
async fn a_poison_event_harms_no_other() {
    let fakes = Fakes::new();
    for plugin in ["a", "b"] {
        let terms = Policy { attempts: 3, ..quick() };
        fakes.plugin(plugin, terms, |event, _| {
            Box::pin(async move {
                assert!(event != 7, "poison");
                Outcome::Delivered
            })
        });
    }
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=20).await;
    for plugin in ["a", "b"] {
        let counts = journal.until(plugin, |counts| counts.dead == 1 && counts.delivered == 19).await;
        assert_eq!(counts.open, 0);
        let row = journal.row(7, plugin).await;
        assert_eq!((row.attempts, row.reason.as_deref()), (3, Some("attempts")));
    }
    let attempts = journal.delivery.event(7).await.unwrap().unwrap().attempts;
    assert_eq!(attempts["a"][0].record.code.as_deref(), Some("internal"));
}

#[tokio::test]
async fn a_receiver_may_say_when_it_wants_to_be_asked_again() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, attempt| at_once(if attempt == 1 { retry() } else { Outcome::Delivered }));
    fakes.wish("a", HOUR);
    let journal = manual(fakes).await;
    journal.accept([1]).await;
    journal.until_advancing("a", Duration::from_secs(60), |counts| counts.delivered == 1).await;
    let detail = journal.delivery.event(1).await.unwrap().unwrap();
    let ended = detail.row.deliveries[0].ended_at.unwrap();
    assert!(crate::clock::since(detail.attempts["a"][0].began_at, ended).unwrap() >= HOUR);
}

#[tokio::test]
async fn no_room_in_the_host_counts_against_no_event() {
    let fakes = Fakes::new();
    let terms = Policy { attempts: 2, ..quick() };
    fakes.plugin("a", terms, |_, attempt| {
        at_once(if attempt <= 6 {
            Outcome::Overloaded { reason: "slots".into() }
        } else {
            Outcome::Delivered
        })
    });
    let journal = manual(fakes).await;
    journal.accept([1]).await;
    journal.until_advancing("a", Duration::from_secs(1), |counts| counts.delivered == 1).await;
    let row = journal.row(1, "a").await;
    assert_eq!((row.attempts, row.failures), (7, 0));
}

#[tokio::test]
async fn a_host_without_room_makes_nobody_late() {
    let fakes = Fakes::new();
    let time = Arc::new(Manual::default());
    let moved = Arc::clone(&time);
    fakes.plugin("a", Policy { horizon: HOUR, ..quick() }, move |_, attempt| {
        at_once(match attempt {
            1..=3 => {
                moved.advance(2 * HOUR);
                Outcome::Overloaded { reason: "slots".into() }
            }
            4 => retry(),
            _ => Outcome::Delivered,
        })
    });
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(time)).await;
    journal.accept([1]).await;
    let ended = |counts: &ReceiverCounts| counts.delivered + counts.dead == 1;
    let counts = journal.until_advancing("a", Duration::from_secs(1), ended).await;
    assert_eq!((counts.delivered, counts.dead), (1, 0));
    assert_eq!(journal.row(1, "a").await.failures, 1);
}

#[tokio::test]
async fn dead_letters_are_retried_and_discarded_by_an_operator() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, _| at_once(Outcome::Rejected { reason: "old".into() }));
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=10).await;
    journal.until("a", |counts| counts.dead == 10).await;
    let one = Selection { seq: Some(3), ..Selection::default() };
    assert_eq!(journal.delivery.count_discard(one.clone(), None).await.unwrap().changed, 1);
    assert_eq!(journal.delivery.discard(one, None).await.unwrap().changed, 1);
    journal.fakes.replace("a", 2, |_, _| at_once(Outcome::Delivered));
    journal.delivery.plugins_changed();
    let own = Selection { plugin: Some("a".into()), ..Selection::default() };
    assert_eq!(journal.delivery.count_retry(own.clone(), None).await.unwrap().changed, 9);
    let retried = journal.delivery.retry(own, None).await.unwrap();
    assert_eq!((retried.changed, retried.next), (9, None));
    let counts = journal.until("a", |counts| counts.delivered == 9).await;
    assert_eq!((counts.discarded, counts.dead), (1, 0));
    let row = journal.row(4, "a").await;
    assert_eq!((row.attempts, row.failures, row.release), (2, 0, Some(2)));
    let delivered = Selection { states: vec![DeliveryState::Delivered], ..Selection::default() };
    assert_eq!(journal.delivery.retry(delivered.clone(), None).await.unwrap().changed, 0);
    assert_eq!(journal.delivery.discard(delivered, None).await.unwrap().changed, 0);
}

#[tokio::test]
async fn what_is_retried_is_delivered_also_when_nobody_waits_for_the_answer() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, _| at_once(Outcome::Rejected { reason: "never".into() }));
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=50).await;
    journal.until("a", |counts| counts.dead == 50).await;
    journal.fakes.replace("a", 2, |_, _| at_once(Outcome::Delivered));
    for seq in 1..=50 {
        let one = Selection { seq: Some(seq), ..Selection::default() };
        // Whoever asked is gone at once.
        assert!(journal.delivery.retry(one, None).now_or_never().is_none());
    }
    journal.until("a", |counts| counts.delivered == 50).await;
}
