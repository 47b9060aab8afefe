//! Past events again.

use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{DeliveryState, ReplayRow, Selection};

use super::support::{Fakes, Journal, Manual, TYPE, events, open};
use crate::{Delivery, DeliveryOptions, ReplayError, ReplayRequest, Standing};

fn request(plugin: &str, rate: f64) -> ReplayRequest {
    ReplayRequest { plugin: plugin.into(), selection: Selection::default(), rate, by: "operator".into() }
}

#[tokio::test]
async fn a_plugin_that_was_just_installed_gets_past_events() {
    let fakes = Fakes::new();
    fakes.good("old");
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=300).await;
    journal.until("old", |counts| counts.delivered == 300).await;
    journal.fakes.good("new");
    let counted = journal.delivery.count_replay(request("new", 1e5), 0).await.unwrap();
    assert_eq!((counted.made, counted.next_seq), (300, None));
    let row = journal.delivery.replay(request("new", 1e5)).await.unwrap();
    assert_eq!((row.end_seq, &*row.started_by, &*row.state), (300, "operator", "running"));
    journal.until("new", |counts| counts.delivered == 300).await;
    assert_eq!(journal.fakes.events("new"), (1..=300).collect::<Vec<_>>());
    assert_eq!(journal.fakes.events("old").len(), 300);
    let rows = loop {
        let rows = journal.delivery.replays().await.unwrap();
        if rows[0].state == "done" {
            break rows;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    assert_eq!((rows.len(), rows[0].made), (1, 300));
    assert!(rows[0].ended_at.is_some());
    // The same again, of a part: those that were delivered are delivered once more.
    let some = Selection { seq: Some(7), ..Selection::default() };
    journal.delivery.replay(ReplayRequest { selection: some, ..request("new", 10.0) }).await.unwrap();
    journal.fakes.called("new", 301).await;
    assert_eq!(journal.fakes.events("new").last(), Some(&7));
}

#[tokio::test]
async fn a_replay_keeps_its_rate_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = Fakes::new();
    let store = open(folder.path());
    let time = Arc::new(Manual::default());
    let begin = async || {
        let time = Arc::<Manual>::clone(&time);
        let delivery = Delivery::with_time(store.clone(), fakes.clone(), DeliveryOptions::default(), time);
        delivery.start().await.unwrap();
        delivery
    };
    let delivery = begin().await;
    delivery.accept(events(1..=10)).await.unwrap();
    fakes.good("a");
    delivery.replay(request("a", 1.0)).await.unwrap();
    fakes.called("a", 1).await;
    // As long as no time goes by, there is no more.
    let made = async |delivery: &Delivery<Fakes>| delivery.replays().await.unwrap()[0].made;
    assert_eq!(made(&delivery).await, 1);
    let until = async |delivery: &Delivery<Fakes>, many: u64| {
        while made(delivery).await < many {
            time.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    until(&delivery, 4).await;
    assert!(delivery.stop(Duration::from_secs(60)).await);
    let before = made(&delivery).await;
    assert!(before < 10);
    let delivery = begin().await;
    until(&delivery, 10).await;
    fakes.called("a", 10).await;
    let mut got = fakes.events("a");
    got.dedup();
    assert_eq!(got, (1..=10).collect::<Vec<_>>());
    assert!(delivery.stop(Duration::from_secs(60)).await);
}

#[tokio::test]
async fn a_replay_can_be_stopped_and_ends_with_its_plugin() {
    let fakes = Fakes::new();
    let time = Arc::new(Manual::default());
    let journal = Journal::with(fakes, DeliveryOptions::default(), Some(time)).await;
    journal.accept(1..=10).await;
    journal.fakes.good("a");
    journal.fakes.good("b");
    let first = journal.delivery.replay(request("a", 0.001)).await.unwrap();
    let second = journal.delivery.replay(request("b", 0.001)).await.unwrap();
    journal.fakes.called("a", 1).await;
    journal.fakes.called("b", 1).await;
    let stopped = journal.delivery.stop_replay(first.id).await.unwrap().unwrap();
    assert_eq!((&*stopped.state, stopped.made), ("stopped", 1));
    assert_eq!(journal.delivery.stop_replay(first.id).await.unwrap(), Some(stopped));
    assert_eq!(journal.delivery.stop_replay(999).await.unwrap(), None);
    journal.fakes.stand("b", Standing::Gone);
    journal.delivery.plugins_changed();
    loop {
        let rows = journal.delivery.replays().await.unwrap();
        if rows.iter().find(|row| row.id == second.id).unwrap().state == "stopped" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said() {
    let fakes = Fakes::new();
    fakes.good("a");
    let journal = Journal::begin(fakes).await;
    let refused = async |request| journal.delivery.replay(request).await.unwrap_err();
    assert!(matches!(refused(request("nobody", 1.0)).await, ReplayError::NotLive { .. }));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        assert_eq!(refused(request("a", rate)).await.code(), "replay-rate");
    }
    let other = Selection { types: vec!["org.example.other.v1".into()], ..Selection::default() };
    let nothing = refused(ReplayRequest { selection: other, ..request("a", 1.0) }).await;
    assert!(nothing.to_string().ends_with(&format!("it receives: {TYPE}")), "{nothing}");
    assert!(journal.delivery.replays().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_discarded_is_replayed_when_it_is_meant() {
    let fakes = Fakes::new();
    fakes.plugin("a", super::support::quick(), |_, attempt| {
        let outcome = if attempt == 1 {
            crate::Outcome::Rejected { reason: "no".into() }
        } else {
            crate::Outcome::Delivered
        };
        super::support::at_once(outcome)
    });
    let journal = Journal::begin(fakes).await;
    journal.accept(1..=3).await;
    journal.until("a", |counts| counts.dead == 3).await;
    journal.delivery.discard(Selection { seq: Some(2), ..Selection::default() }, None).await.unwrap();
    let selection = Selection {
        states: vec![DeliveryState::Discarded],
        plugin: Some("a".into()),
        ..Selection::default()
    };
    journal.delivery.replay(ReplayRequest { selection, ..request("a", 100.0) }).await.unwrap();
    journal.until("a", |counts| counts.delivered == 1).await;
    assert_eq!(journal.fakes.events("a"), [1, 2, 3, 2]);
}

#[tokio::test]
async fn a_replay_that_cannot_be_read_stops_no_other() {
    let fakes = Fakes::new();
    fakes.good("a");
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let delivery = Delivery::new(store.clone(), fakes.clone(), DeliveryOptions::default());
    delivery.start().await.unwrap();
    delivery.accept(events(1..=3)).await.unwrap();
    fakes.called("a", 3).await;
    let row = delivery.replay(request("a", 1e5)).await.unwrap();
    assert!(delivery.stop(Duration::from_secs(60)).await);
    // As if another version had written it.
    let broken = ReplayRow { selection: "{\"kind\": 1}".into(), ..row };
    let broken = store.write(move |writes| writes.add_replay(&broken)).await.unwrap();
    let delivery = Delivery::new(store, fakes.clone(), DeliveryOptions::default());
    delivery.start().await.unwrap();
    let good = delivery.replay(request("a", 1e5)).await.unwrap().id;
    let rows = loop {
        let rows = delivery.replays().await.unwrap();
        if rows.iter().any(|row| row.id == good && row.state == "done") {
            break rows;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let broken = rows.iter().find(|row| row.id == broken).unwrap();
    assert_eq!((&*broken.state, broken.made), ("stopped", 0));
    assert!(delivery.stop(Duration::from_secs(60)).await);
}
