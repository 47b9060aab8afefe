//! Changing many deliveries, a part at a time.

use rusqlite::{Row, params};

use super::order::Keys;
use super::walk::{Found, Step};
use super::{BulkPart, DeliveryRow, DeliveryState, Selection};
use crate::error::StoreError;
use crate::job::{Reads, Writes};
use crate::time::Timestamp;

const BACK: &str =
    "UPDATE delivery SET state = CASE WHEN ?3 IS NULL THEN 'ready' ELSE 'held' END, order_key = ?3, due_at = 0, failures = 0,
       began_at = NULL, ended_at = NULL, reason = NULL
     WHERE receiver = ?1 AND event = ?2";

const CLOSE: &str = "UPDATE delivery SET state = ?3, due_at = 0, ended_at = ?4, reason = ?5 WHERE receiver = ?1 AND event = ?2";

pub(super) const WAITING: &str = "SELECT event, order_key FROM delivery INDEXED BY delivery_open
     WHERE receiver = ?1 AND ended_at IS NULL AND state <> 'running' ORDER BY event LIMIT ?2";

pub(super) const WAITING_OF_TYPE: &str =
    "SELECT delivery.event, order_key FROM delivery INDEXED BY delivery_open CROSS JOIN event ON seq = delivery.event
     WHERE receiver = ?1 AND ended_at IS NULL AND state <> 'running' AND type = ?3
     ORDER BY delivery.event LIMIT ?2";

impl Writes<'_> {
    /// Makes dead letters of at most `limit` of a plugin's open deliveries that do not run, with this reason; how many, the
    /// oldest first. `types`: only of these event types; empty for all. With types it steps over all of the plugin's deliveries
    /// that wait.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn bury_deliveries(
        &self,
        plugin: &str,
        types: &[String],
        reason: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(0) };
        let waiting = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?));
        let mut buried = Vec::new();
        if types.is_empty() {
            buried = self.all(WAITING, params![receiver, limit], waiting)?;
        }
        for event_type in types {
            let room = (limit as usize).saturating_sub(buried.len());
            buried.extend(self.all(WAITING_OF_TYPE, params![receiver, room, event_type], waiting)?);
        }
        let count = buried.len() as u64;
        let mut keys = Keys::default();
        for (seq, key) in buried {
            self.execute(CLOSE, params![receiver, seq, DeliveryState::Dead, now, reason])?;
            keys.note(receiver, key);
        }
        self.settle(&keys)?;
        Ok(count)
    }

    /// Makes dead deliveries that match ready again, or held where their key's turn is another's, and their failures forgotten;
    /// discarded ones too where the selection names that state. Looks at some `limit` deliveries, of the events before `after`
    /// (downwards, the latest first), and always at all of an event.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn retry_deliveries(
        &self,
        selection: &Selection,
        after: Option<i64>,
        limit: u32,
    ) -> Result<BulkPart, StoreError> {
        let named = selection.states.contains(&DeliveryState::Discarded);
        let states = [DeliveryState::Dead, DeliveryState::Discarded];
        let Some(selection) = selection.within(if named { &states } else { &states[..1] }) else {
            return Ok(BulkPart::default());
        };
        let mut keys = Keys::default();
        let part = self.each_delivery(&selection, after, limit, |receiver, seq, delivery| {
            self.bring_back(receiver, seq, delivery.order_key, &mut keys)
        })?;
        self.settle(&keys)?;
        Ok(part)
    }

    /// Makes a delivery that ended ready again: with a key, it is held until the keys are settled.
    pub(super) fn bring_back(
        &self,
        receiver: i64,
        seq: i64,
        key: Option<String>,
        keys: &mut Keys,
    ) -> Result<(), StoreError> {
        self.execute(BACK, params![receiver, seq, key])?;
        keys.note(receiver, key);
        Ok(())
    }

    /// Discards dead, ready and held deliveries that match; one that runs stays. Looks at some `limit` deliveries, of the
    /// events before `after` (downwards, the latest first), and always at all of an event.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn discard_deliveries(
        &self,
        selection: &Selection,
        after: Option<i64>,
        now: Timestamp,
        limit: u32,
    ) -> Result<BulkPart, StoreError> {
        let states = [DeliveryState::Dead, DeliveryState::Ready, DeliveryState::Held];
        let Some(selection) = selection.within(&states) else { return Ok(BulkPart::default()) };
        let mut keys = Keys::default();
        let part = self.each_delivery(&selection, after, limit, |receiver, seq, delivery| {
            // Why it died stays to be read.
            let DeliveryRow { reason, order_key, .. } = delivery;
            self.execute(CLOSE, params![receiver, seq, DeliveryState::Discarded, now, reason])?;
            keys.note(receiver, order_key);
            Ok(())
        })?;
        self.settle(&keys)?;
        Ok(part)
    }
}

impl Reads<'_> {
    /// How many deliveries match, in the states that the selection names or in any: a part of the count, like a change.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn count_deliveries(
        &self,
        selection: &Selection,
        after: Option<i64>,
        limit: u32,
    ) -> Result<BulkPart, StoreError> {
        self.each_delivery(selection, after, limit, |_, _, _| Ok(()))
    }

    /// Does something with each delivery that matches, and counts them.
    fn each_delivery(
        &self,
        selection: &Selection,
        after: Option<i64>,
        limit: u32,
        mut act: impl FnMut(i64, i64, DeliveryRow) -> Result<(), StoreError>,
    ) -> Result<BulkPart, StoreError> {
        let mut changed = 0;
        let next = self.walk(selection, after, limit, |Found { event, deliveries, .. }| {
            for (receiver, delivery) in deliveries {
                if selection.admits_delivery(&delivery) {
                    act(receiver, event.seq, delivery)?;
                    changed += 1;
                }
            }
            Ok(if changed < u64::from(limit) { Step::On } else { Step::Enough })
        })?;
        Ok(BulkPart { changed, next })
    }
}
