//! How much there is.

use rusqlite::params;

use super::{EventTotals, ReceiverCounts, Total};
use crate::error::StoreError;
use crate::job::Reads;
use crate::time::Timestamp;

const COUNTS: &str = "SELECT plugin, open, delivered, dead, discarded FROM receiver ORDER BY plugin";

pub(super) const OLDEST_OPEN: &str =
    "SELECT received_at FROM delivery INDEXED BY delivery_open CROSS JOIN event ON seq = event
     WHERE receiver = ?1 AND ended_at IS NULL ORDER BY delivery.event LIMIT 1";

pub(super) const OPEN_TYPES: &str = "SELECT DISTINCT type
     FROM (SELECT event FROM delivery INDEXED BY delivery_open
           WHERE receiver = ?1 AND ended_at IS NULL ORDER BY event LIMIT ?2) AS open
     CROSS JOIN event ON seq = open.event ORDER BY type";

impl Reads<'_> {
    /// What each receiver's deliveries do, by plugin. Those that have none any more are among them. Counts no rows.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn receiver_counts(&self) -> Result<Vec<ReceiverCounts>, StoreError> {
        self.all(COUNTS, [], |row| {
            Ok(ReceiverCounts {
                plugin: row.get(0)?,
                open: row.get(1)?,
                delivered: row.get(2)?,
                dead: row.get(3)?,
                discarded: row.get(4)?,
            })
        })
    }

    /// How many events are kept. Counts no rows.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn event_totals(&self) -> Result<EventTotals, StoreError> {
        let total = |class: &str| {
            let total =
                self.first("SELECT events, bytes FROM event_total WHERE class = ?1", params![class], |row| {
                    Ok(Total { events: row.get(0)?, bytes: row.get(1)? })
                });
            total.map(Option::unwrap_or_default)
        };
        Ok(EventTotals { open: total("open")?, dead: total("dead")?, done: total("done")? })
    }

    /// When the oldest event arrived that has a delivery to a plugin which waits or runs.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn oldest_open(&self, plugin: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(None) };
        self.first(OLDEST_OPEN, [receiver], |row| row.get(0))
    }

    /// The event types of a plugin's open deliveries: of the oldest ones, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn open_types(&self, plugin: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(Vec::new()) };
        self.all(OPEN_TYPES, params![receiver, limit], |row| row.get(0))
    }

    /// The number of the last event, whether or not it is kept; 0 when there never was one.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        let last =
            self.first("SELECT seq FROM sqlite_sequence WHERE name = 'event'", [], |row| row.get(0))?;
        Ok(last.unwrap_or_default())
    }
}
