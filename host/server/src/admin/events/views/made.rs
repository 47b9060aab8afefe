//! From the journal's rows to what operators see.

use std::collections::BTreeMap;

use hookbox_delivery::{EventDetail, ReceiverSummary, Summary};
use hookbox_plugins::Standing;
use hookbox_store::{
    AttemptRow, BulkPart, DeliveryRow, EventPage, EventRow, NewEvent, ReplayPart, ReplayRow, Timestamp, Total,
};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    AttemptView, BulkDone, DeliveryView, EventCount, EventInFull, EventList, EventView, EventsSummary,
    ReceiverView, ReplayCount, ReplayView, Totals,
};

impl From<EventPage> for EventList {
    fn from(page: EventPage) -> Self {
        Self { events: page.events.into_iter().map(EventView::from).collect(), next: page.next }
    }
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        let event = row.event.event;
        Self {
            event: row.event.seq,
            id: uuid(event.id),
            event_type: event.event_type,
            source: event.source,
            time: moment(event.time),
            received_at: moment(event.received_at),
            course: event.course,
            bytes: row.bytes,
            deliveries: row.deliveries.into_iter().map(DeliveryView::from).collect(),
        }
    }
}

impl From<EventDetail> for EventInFull {
    fn from(EventDetail { row, attempts }: EventDetail) -> Self {
        let NewEvent {
            id,
            source,
            event_type,
            time,
            received_at,
            minorversion,
            sourcehost,
            sourcelib,
            course,
            data,
            extensions,
        } = row.event.event;
        Self {
            event: row.event.seq,
            id: uuid(id),
            event_type,
            source,
            time: moment(time),
            received_at: moment(received_at),
            minorversion,
            sourcehost,
            sourcelib: serde_json::from_str(&sourcelib).unwrap_or_else(|_| Value::Array(Vec::new())),
            course,
            bytes: row.bytes,
            data: serde_json::from_str(&data).unwrap_or_default(),
            extensions: serde_json::from_str(&extensions).unwrap_or_else(|_| Value::Object(Map::new())),
            deliveries: with_history(row.deliveries, attempts),
        }
    }
}

fn with_history(
    deliveries: Vec<DeliveryRow>,
    mut attempts: BTreeMap<String, Vec<AttemptRow>>,
) -> Vec<DeliveryView> {
    let full = |row: DeliveryRow| {
        let history = attempts.remove(&row.plugin).unwrap_or_default();
        let history = history.into_iter().map(AttemptView::from).collect();
        DeliveryView { history: Some(history), ..DeliveryView::from(row) }
    };
    deliveries.into_iter().map(full).collect()
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> Self {
        Self {
            plugin: row.plugin,
            state: row.state.name(),
            attempts: row.attempts,
            failures: row.failures,
            due_at: row.due_at.map(moment),
            order_key: row.order_key,
            ended_at: row.ended_at.map(moment),
            microseconds: row.took,
            release: row.release,
            reason: row.reason,
            history: None,
        }
    }
}

impl From<AttemptRow> for AttemptView {
    fn from(row: AttemptRow) -> Self {
        let record = row.record;
        Self {
            number: row.number,
            began_at: moment(row.began_at),
            microseconds: row.took,
            release: row.release,
            digest: record.digest,
            outcome: record.outcome,
            code: record.code,
            reason: record.reason,
            report: record.report.and_then(|report| serde_json::from_str(&report).ok()),
        }
    }
}

impl BulkDone {
    pub(in crate::admin::events) fn of(part: BulkPart, dry_run: bool) -> Self {
        Self { changed: part.changed, next: part.next, dry_run }
    }
}

impl EventsSummary {
    pub(in crate::admin::events) fn of(
        summary: Summary,
        standing: impl Fn(&str) -> Option<Standing>,
    ) -> Self {
        let receiver = |ReceiverSummary { counts, oldest }: ReceiverSummary| ReceiverView {
            standing: standing(&counts.plugin).unwrap_or(Standing::Removed).name(),
            plugin: counts.plugin,
            open: counts.open,
            delivered: counts.delivered,
            dead: counts.dead,
            discarded: counts.discarded,
            oldest_waiting: oldest.map(moment),
        };
        let count = |total: Total| EventCount { events: total.events, bytes: total.bytes };
        let totals = summary.totals;
        Self {
            receivers: summary.receivers.into_iter().map(receiver).collect(),
            events: Totals { open: count(totals.open), dead: count(totals.dead), done: count(totals.done) },
        }
    }
}

impl From<ReplayRow> for ReplayView {
    fn from(row: ReplayRow) -> Self {
        Self {
            replay: row.id,
            plugin: row.plugin,
            state: row.state,
            selection: serde_json::from_str(&row.selection).unwrap_or_else(|_| Value::Object(Map::new())),
            rate: row.rate,
            made: row.made,
            next_event: row.next_seq,
            last_event: row.end_seq,
            started_at: moment(row.started_at),
            started_by: row.started_by,
            ended_at: row.ended_at.map(moment),
        }
    }
}

impl From<ReplayPart> for ReplayCount {
    fn from(part: ReplayPart) -> Self {
        Self { made: part.made, next: part.next_seq, dry_run: true }
    }
}

fn uuid(id: [u8; 16]) -> String {
    Uuid::from_bytes(id).hyphenated().to_string()
}

fn moment(at: Timestamp) -> OffsetDateTime {
    let nanoseconds = i128::from(at.as_micros()) * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
