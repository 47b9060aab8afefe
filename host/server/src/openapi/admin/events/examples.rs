//! What the examples show.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::super::events::{EVENT, data};
use super::super::super::hooks::DIGEST;
use crate::admin::events::{
    AttemptView, BulkDone, DeliveryView, EventCount, EventInFull, EventList, EventView, EventsSummary,
    ReceiverView, ReplayCount, ReplayList, ReplayView, Totals,
};

pub(super) const ID: &str = "3f6c1c9e-8b1d-11f0-9a6e-0242ac120002";
pub(super) const SOURCE: &str = "openedx/cms/web";
pub(super) const COURSE: &str = "course-v1:edX+DemoX+2024";
pub(super) const PLUGIN: &str = "webhook-forwarder";
const REASON: &str = "the server answered 500";

fn moment() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}

fn attempt() -> AttemptView {
    AttemptView {
        number: 1,
        began_at: moment(),
        microseconds: Some(41_230),
        release: Some(1),
        digest: Some(DIGEST.into()),
        outcome: "failed".into(),
        code: Some("trap".into()),
        reason: Some(REASON.into()),
        report: Some(json!({"code": "trap", "message": REASON})),
    }
}

fn delivery(history: Option<Vec<AttemptView>>) -> DeliveryView {
    DeliveryView {
        plugin: PLUGIN.into(),
        state: "dead",
        attempts: 16,
        failures: 16,
        due_at: None,
        order_key: Some(COURSE.into()),
        ended_at: Some(moment()),
        microseconds: Some(41_230),
        release: Some(1),
        reason: Some("attempts".into()),
        history,
    }
}

/// A page with one event.
pub(crate) fn list() -> EventList {
    let event = EventView {
        event: 4_711,
        id: ID.into(),
        event_type: EVENT.into(),
        source: SOURCE.into(),
        time: moment(),
        received_at: moment(),
        course: Some(COURSE.into()),
        bytes: 61,
        deliveries: vec![delivery(None)],
    };
    EventList { events: vec![event], next: Some(4_711) }
}

/// The same event in full.
pub(crate) fn in_full() -> EventInFull {
    EventInFull {
        event: 4_711,
        id: ID.into(),
        event_type: EVENT.into(),
        source: SOURCE.into(),
        time: moment(),
        received_at: moment(),
        minorversion: 0,
        sourcehost: "cms-1".into(),
        sourcelib: json!([11, 2, 0]),
        course: Some(COURSE.into()),
        bytes: 61,
        data: data(),
        extensions: json!({}),
        deliveries: vec![delivery(Some(vec![attempt()]))],
    }
}

/// A bulk change.
pub(crate) fn bulk(dry_run: bool) -> BulkDone {
    BulkDone { changed: 12, next: None, dry_run }
}

/// How a journal stands.
pub(crate) fn summary() -> EventsSummary {
    let receiver = ReceiverView {
        plugin: PLUGIN.into(),
        standing: "enabled",
        open: 3,
        delivered: 10_422,
        dead: 12,
        discarded: 0,
        oldest_waiting: Some(moment()),
    };
    let count = |events: u64| EventCount { events, bytes: events * 61 };
    let events = Totals { open: count(3), dead: count(12), done: count(10_410) };
    EventsSummary { receivers: vec![receiver], events }
}

/// A replay that runs.
pub(crate) fn replay(state: &str) -> ReplayView {
    ReplayView {
        replay: 3,
        plugin: PLUGIN.into(),
        state: state.into(),
        selection: json!({"types": [EVENT]}),
        rate: 100.0,
        made: 250,
        next_event: 912,
        last_event: 4_711,
        started_at: moment(),
        started_by: "ada".into(),
        ended_at: (state != "running").then(moment),
    }
}

/// All replays.
pub(crate) fn replays() -> ReplayList {
    ReplayList { replays: vec![replay("running")] }
}

/// A replay that was only counted.
pub(crate) fn count() -> ReplayCount {
    ReplayCount { made: 3_811, next: None, dry_run: true }
}

/// What is asked of a bulk change.
pub(super) fn asked() -> Value {
    json!({"plugin": PLUGIN, "state": ["dead"]})
}

/// What is asked of a replay.
pub(super) fn asked_again() -> Value {
    json!({"plugin": PLUGIN, "from": "2026-11-21T00:00:00Z", "to": "2026-11-22T00:00:00Z", "rate": 100.0})
}
