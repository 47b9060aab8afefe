//! Writing down what arrives.

use rusqlite::params;

use super::{Added, NewDelivery, NewEvent};
use crate::error::StoreError;
use crate::job::Writes;

const ADD_EVENT: &str =
    "INSERT INTO event (id, source, type, time, received_at, minorversion, sourcehost, sourcelib, course, bytes, open)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id, source) DO NOTHING";

/// The event counts the delivery already, see [`COUNT_DELIVERY`].
pub(super) const ADD_DELIVERY: &str = "INSERT INTO delivery (receiver, event, state, order_key)
     VALUES (?1, ?2,
             CASE WHEN EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_order
                               WHERE receiver = ?1 AND order_key = ?3 AND ended_at IS NULL)
                  THEN 'held' ELSE 'ready' END,
             ?3)";

/// Counts a new delivery of an event that was written before it.
pub(super) const COUNT_DELIVERY: &str = "UPDATE event SET open = open + 1 WHERE seq = ?1";

impl Writes<'_> {
    /// Writes down an event with its deliveries, each to another plugin, unless the same `source` and `id` is there. A
    /// delivery whose key an open one of the plugin has is held; all others are ready.
    ///
    /// # Errors
    /// The database could not be written. [`StoreError::Full`] already when little more than a sixteenth of its greatest size
    /// is left: what was accepted can be worked off then.
    pub fn add_event(&self, event: &NewEvent, deliveries: &[NewDelivery]) -> Result<Added, StoreError> {
        let bytes = (event.data.len() + event.extensions.len()) as u64;
        self.spare(bytes)?;
        let added = self.execute(
            ADD_EVENT,
            params![
                event.id,
                event.source,
                event.event_type,
                event.time,
                event.received_at,
                event.minorversion,
                event.sourcehost,
                event.sourcelib,
                event.course,
                bytes,
                deliveries.len() as u64,
            ],
        )?;
        if added == 0 {
            let known = self.first(
                "SELECT seq FROM event WHERE id = ?1 AND source = ?2",
                params![event.id, event.source],
                |row| row.get(0),
            )?;
            let seq = known.ok_or_else(|| StoreError::Internal {
                detail: "an event is neither new nor known".to_owned(),
            })?;
            return Ok(Added { seq, new: false });
        }
        let seq = self.connection.last_insert_rowid();
        self.execute(
            "INSERT INTO event_data (seq, data, extensions) VALUES (?1, ?2, ?3)",
            params![seq, event.data, event.extensions],
        )?;
        for delivery in deliveries {
            let receiver = self.receiver_or_new(&delivery.plugin)?;
            self.execute(ADD_DELIVERY, params![receiver, seq, delivery.order_key])?;
        }
        Ok(Added { seq, new: true })
    }

    /// The number that stands for a plugin in the rows.
    pub(super) fn receiver_or_new(&self, plugin: &str) -> Result<i64, StoreError> {
        if let Some(receiver) = self.receiver(plugin)? {
            return Ok(receiver);
        }
        self.execute("INSERT INTO receiver (plugin) VALUES (?1)", [plugin])?;
        Ok(self.connection.last_insert_rowid())
    }
}
