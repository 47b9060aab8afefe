//! Reading what operators ask.

use hookbox_store::Timestamp;
use serde_json::{Value, json};

use super::*;

fn bulk(body: Value) -> BulkAsked {
    serde_json::from_value(body).unwrap()
}

#[test]
fn names_come_as_a_list_or_with_commas() {
    for body in [json!({"state": "dead, ready"}), json!({"state": ["dead", "ready"]})] {
        assert_eq!(bulk(body).state, Names(vec!["dead".into(), "ready".into()]));
    }
    let asked: EventsAsked = serde_json::from_value(json!({"state": "open"})).unwrap();
    let open = [DeliveryState::Ready, DeliveryState::Held, DeliveryState::Running];
    assert_eq!((asked.selection().unwrap().states, asked.limit), (open.to_vec(), LIMIT));
}

#[test]
fn a_pattern_is_no_type() {
    let types =
        |name: &str| bulk(json!({"type": ["a.b", name]})).selection(Bulk::Retry).map(|asked| asked.types);
    assert!(types("org.openedx.*").unwrap_err().contains("\"org.openedx.*\" is no whole type"));
    assert_eq!(types("c.d"), Ok(vec!["a.b".into(), "c.d".into()]));
}

#[test]
fn an_event_is_a_number_or_a_uuid() {
    let id = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";
    for (given, expected) in [(json!(7), "7"), (json!("7"), "7"), (json!(id), id)] {
        let event = bulk(json!({"event": given})).event.unwrap();
        assert_eq!(event.to_string(), expected);
    }
    for wrong in [json!(0), json!(-1), json!("x"), json!(""), json!(null), json!([])] {
        let read = serde_json::from_value::<BulkAsked>(json!({"event": wrong}));
        assert!(read.is_err() || read.unwrap().event.is_none(), "{wrong}");
    }
}

#[test]
fn nothing_is_changed_for_everybody_unless_somebody_says_so() {
    let asked = |body: Value| bulk(body).selection(Bulk::Retry);
    assert!(asked(json!({})).unwrap_err().contains("say which events"));
    assert!(asked(json!({"dry_run": true})).is_err());
    assert!(asked(json!({"all": true})).is_ok());
    assert!(asked(json!({"event": 7})).is_ok());
    assert!(asked(json!({"state": "dead"})).is_ok());
    let replay = |body: Value| serde_json::from_value::<ReplayAsked>(body).unwrap().selection();
    assert!(replay(json!({"plugin": "a"})).is_err());
    assert!(replay(json!({"plugin": "a", "from": "2026-11-22T00:00:00Z"})).is_ok());
}

#[test]
fn what_runs_or_is_done_is_not_changed() {
    use DeliveryState::{Dead, Discarded, Held, Ready};

    let of = |bulk_: Bulk, state: &str| {
        bulk(json!({"state": state})).selection(bulk_).map(|selection| selection.states)
    };
    let all = |bulk_: Bulk| bulk(json!({"all": true})).selection(bulk_).unwrap().states;
    assert_eq!((all(Bulk::Retry), all(Bulk::Discard)), (vec![Dead], vec![Dead, Ready, Held]));
    assert_eq!(of(Bulk::Retry, "discarded"), Ok(vec![Discarded]));
    assert_eq!(of(Bulk::Discard, "open"), Ok(vec![Ready, Held]));
    assert!(of(Bulk::Retry, "delivered").unwrap_err().contains("replay"));
    assert!(of(Bulk::Discard, "running").unwrap_err().contains("dead, ready, held"));
    assert!(of(Bulk::Discard, "lost").unwrap_err().contains("none of ready, held"));
}

#[test]
fn times_are_kept_to_the_microsecond() {
    let from = |text: &str| EventsAsked { from: Some(text.into()), ..EventsAsked::default() }.selection();
    let expected = Some(Timestamp::from_micros(1_700_000_000_123_456));
    assert_eq!(from("2023-11-14T22:13:20.123456789Z").unwrap().from, expected);
    assert_eq!(from("2023-11-14T23:13:20.123456+01:00").unwrap().from, expected);
    assert!(from("yesterday").unwrap_err().contains("from: \"yesterday\" is no time"));
}

#[test]
fn a_body_holds_what_was_asked_and_nothing_else() {
    let asked = json!({"event": 7, "type": ["a"], "plugin": "b", "dry_run": true});
    assert_eq!(json!(bulk(asked.clone())), asked);
    assert!(serde_json::from_value::<BulkAsked>(json!({"plugins": "b"})).is_err());
    assert!(serde_json::from_value::<ReplayAsked>(json!({"all": true})).is_err(), "to whom?");
}
