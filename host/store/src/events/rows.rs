//! How rows become values.

use rusqlite::Row;

use super::{DeliveryRow, DeliveryState, NewEvent, StoredEvent};
use crate::time::Timestamp;

/// The columns of an event without what is long, and the bytes of that: what [`head`] reads.
macro_rules! head_columns {
    () => {
        "event.seq, event.id, event.source, event.type, event.time, event.received_at, event.minorversion,
         event.sourcehost, event.sourcelib, event.course, event.bytes"
    };
}
pub(super) use head_columns;

/// One event with everything.
pub(super) const EVENT: &str = concat!(
    "SELECT ",
    head_columns!(),
    ", data, extensions FROM event JOIN event_data ON event_data.seq = event.seq WHERE event.seq = ?1"
);

/// The deliveries of one event, by plugin: what [`delivery`] reads.
pub(super) const DELIVERIES: &str =
    "SELECT receiver, plugin, state, due_at, order_key, attempts, failures, ended_at, took, release, reason
     FROM delivery INDEXED BY delivery_event CROSS JOIN receiver ON id = receiver WHERE event = ?1 ORDER BY plugin";

/// An event without its data, and the bytes of that.
pub(super) fn head(row: &Row<'_>) -> rusqlite::Result<(StoredEvent, u64)> {
    let event = NewEvent {
        id: row.get(1)?,
        source: row.get(2)?,
        event_type: row.get(3)?,
        time: row.get(4)?,
        received_at: row.get(5)?,
        minorversion: row.get(6)?,
        sourcehost: row.get(7)?,
        sourcelib: row.get(8)?,
        course: row.get(9)?,
        data: String::new(),
        extensions: String::new(),
    };
    Ok((StoredEvent { seq: row.get(0)?, event }, row.get(10)?))
}

/// An event with its data, and the bytes of that.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<(StoredEvent, u64)> {
    let (mut stored, bytes) = head(row)?;
    stored.event.data = row.get(11)?;
    stored.event.extensions = row.get(12)?;
    Ok((stored, bytes))
}

/// A delivery, and the number of its receiver.
pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<(i64, DeliveryRow)> {
    let state = row.get(2)?;
    let due_at: Timestamp = row.get(3)?;
    let waits = matches!(state, DeliveryState::Ready | DeliveryState::Held);
    let delivery = DeliveryRow {
        plugin: row.get(1)?,
        state,
        due_at: (waits && due_at.as_micros() != 0).then_some(due_at),
        order_key: row.get(4)?,
        attempts: row.get(5)?,
        failures: row.get(6)?,
        ended_at: row.get(7)?,
        took: row.get(8)?,
        release: row.get(9)?,
        reason: row.get(10)?,
    };
    Ok((row.get(0)?, delivery))
}
