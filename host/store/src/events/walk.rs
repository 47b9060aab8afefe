//! Stepping through events that may match a selection, the latest first.

use rusqlite::{Params, Row, params};

use super::rows::{DELIVERIES, delivery, head, head_columns};
use super::{DeliveryRow, DeliveryState, Selection, StoredEvent};
use crate::error::StoreError;
use crate::job::Reads;

/// How many events one call looks at.
pub(super) const LOOKS: u32 = 10_000;
/// How many of them are in memory at once.
const CHUNK: u32 = 256;

/// An event that was found: without its data, with all its deliveries.
pub(super) struct Found {
    pub(super) event: StoredEvent,
    pub(super) bytes: u64,
    /// With the numbers of their receivers.
    pub(super) deliveries: Vec<(i64, DeliveryRow)>,
}

/// Whether to go on after an event.
#[derive(PartialEq, Eq)]
pub(super) enum Step {
    On,
    Enough,
}

macro_rules! events {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            " FROM event ",
            $condition,
            " AND seq < ?1 ORDER BY seq DESC LIMIT ?2"
        )
    };
}

macro_rules! deliveries {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            " FROM delivery ",
            $index,
            " CROSS JOIN event ON seq = delivery.event WHERE ",
            $condition,
            " delivery.event < ?1 ORDER BY delivery.event DESC LIMIT ?2"
        )
    };
}

pub(super) const ALL: &str = events!("WHERE TRUE");
pub(super) const OPEN: &str = events!("INDEXED BY event_open WHERE open > 0");
pub(super) const WITH_LETTERS: &str = events!("INDEXED BY event_letter WHERE dead > 0");
pub(super) const RUNNING: &str = deliveries!("INDEXED BY delivery_running", "state = 'running' AND");
pub(super) const OF_PLUGIN: &str = deliveries!("", "receiver = ?3 AND");
pub(super) const OPEN_OF_PLUGIN: &str =
    deliveries!("INDEXED BY delivery_open", "receiver = ?3 AND ended_at IS NULL AND");
pub(super) const DEAD_OF_PLUGIN: &str =
    deliveries!("INDEXED BY delivery_dead", "receiver = ?3 AND state = 'dead' AND");

const BY_SEQ: &str = concat!("SELECT ", head_columns!(), " FROM event WHERE seq = ?3 AND seq < ?1 LIMIT ?2");
const BY_ID: &str =
    concat!("SELECT ", head_columns!(), " FROM event WHERE id = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2");

impl Selection {
    /// Whether an event is one of those that are meant, whatever its deliveries do.
    fn admits_event(&self, stored: &StoredEvent) -> bool {
        let event = &stored.event;
        self.seq.is_none_or(|seq| seq == stored.seq)
            && self.id.is_none_or(|id| id == event.id)
            && self.source.as_ref().is_none_or(|source| *source == event.source)
            && (self.types.is_empty() || self.types.contains(&event.event_type))
            && self.course.as_ref().is_none_or(|course| event.course.as_ref() == Some(course))
            && self.from.is_none_or(|from| from <= event.received_at)
            && self.to.is_none_or(|to| event.received_at < to)
    }

    /// Whether a delivery is one of those that are meant, where its event is.
    pub(super) fn admits_delivery(&self, delivery: &DeliveryRow) -> bool {
        (self.states.is_empty() || self.states.contains(&delivery.state))
            && self.plugin.as_ref().is_none_or(|plugin| *plugin == delivery.plugin)
    }

    /// Whether it is all the same what an event's deliveries do.
    fn asks_no_delivery(&self) -> bool {
        self.states.is_empty() && self.plugin.is_none()
    }

    /// The same selection of deliveries in one of these states: of those that it names, or of all when it names none. `None`
    /// when no delivery can be meant.
    pub(super) fn within(&self, states: &[DeliveryState]) -> Option<Self> {
        let named = |state: &DeliveryState| self.states.is_empty() || self.states.contains(state);
        let states: Vec<_> = states.iter().copied().filter(named).collect();
        (!states.is_empty()).then(|| Self { states, ..self.clone() })
    }

    fn only(&self, condition: impl Fn(DeliveryState) -> bool) -> bool {
        !self.states.is_empty() && self.states.iter().copied().all(condition)
    }
}

impl Reads<'_> {
    /// Steps through the events that match, with numbers below `before`, and looks at no more than `looks` events: where to go
    /// on, `None` when there are no more.
    pub(super) fn walk(
        &self,
        selection: &Selection,
        before: Option<i64>,
        looks: u32,
        mut visit: impl FnMut(Found) -> Result<Step, StoreError>,
    ) -> Result<Option<i64>, StoreError> {
        let mut before = before.unwrap_or(i64::MAX);
        let mut looks = looks.clamp(1, LOOKS);
        loop {
            let wanted = looks.min(CHUNK);
            let chunk = self.candidates(selection, before, wanted)?;
            let full = chunk.len() == wanted as usize;
            looks -= wanted;
            let mut chunk = chunk.into_iter().peekable();
            while let Some((event, bytes)) = chunk.next() {
                let seq = event.seq;
                // An event that runs for two plugins comes twice.
                if seq < before
                    && let Some(found) = self.found(selection, event, bytes)?
                    && visit(found)? == Step::Enough
                {
                    return Ok((full || chunk.peek().is_some()).then_some(seq));
                }
                before = seq;
            }
            if !full || looks == 0 {
                return Ok(full.then_some(before));
            }
        }
    }

    /// The event with its deliveries, if it matches.
    pub(super) fn found(
        &self,
        selection: &Selection,
        event: StoredEvent,
        bytes: u64,
    ) -> Result<Option<Found>, StoreError> {
        if !selection.admits_event(&event) {
            return Ok(None);
        }
        let deliveries = self.deliveries(event.seq)?;
        let admits = selection.asks_no_delivery()
            || deliveries.iter().any(|(_, delivery)| selection.admits_delivery(delivery));
        Ok(admits.then_some(Found { event, bytes, deliveries }))
    }

    /// The deliveries of an event by plugin, with the numbers of their receivers.
    pub(super) fn deliveries(&self, seq: i64) -> Result<Vec<(i64, DeliveryRow)>, StoreError> {
        self.all(DELIVERIES, [seq], delivery)
    }

    /// The next events among which those are that match, from the most selective index.
    fn candidates(
        &self,
        selection: &Selection,
        before: i64,
        most: u32,
    ) -> Result<Vec<(StoredEvent, u64)>, StoreError> {
        let running = |state| state == DeliveryState::Running;
        let dead = |state| state == DeliveryState::Dead;
        if let Some(seq) = selection.seq {
            return self.all(BY_SEQ, params![before, most, seq], head);
        }
        if let Some(id) = selection.id {
            return self.all(BY_ID, params![before, most, id], head);
        }
        if selection.only(running) {
            return self.all(RUNNING, params![before, most], head);
        }
        let Some(plugin) = &selection.plugin else {
            let sql = match () {
                () if selection.only(dead) => WITH_LETTERS,
                () if selection.only(DeliveryState::is_open) => OPEN,
                () => ALL,
            };
            return self.all(sql, params![before, most], head);
        };
        let Some(receiver) = self.receiver(plugin)? else { return Ok(Vec::new()) };
        let sql = match () {
            () if selection.only(dead) => DEAD_OF_PLUGIN,
            () if selection.only(DeliveryState::is_open) => OPEN_OF_PLUGIN,
            () => OF_PLUGIN,
        };
        self.all(sql, params![before, most, receiver], head)
    }

    /// All rows of a statement that is prepared once a connection.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows: rusqlite::Result<_> = statement.query_map(params, map)?.collect();
        Ok(rows?)
    }
}
