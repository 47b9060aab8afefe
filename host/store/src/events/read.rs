//! Events, deliveries and attempts as they are kept.

use rusqlite::params;

use super::rows::{EVENT, event};
use super::walk::{Found, LOOKS, Step};
use super::{AttemptRecord, AttemptRow, EventPage, EventRow, Selection};
use crate::error::StoreError;
use crate::job::Reads;

const ATTEMPTS: &str = "SELECT number, began_at, took, release, outcome, code, attempt.reason, digest, report
     FROM delivery_attempt AS attempt WHERE receiver = ?1 AND event = ?2 ORDER BY number";

impl Reads<'_> {
    /// An event with its data and its deliveries.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn event(&self, seq: i64) -> Result<Option<EventRow>, StoreError> {
        let Some((event, bytes)) = self.first(EVENT, [seq], event)? else { return Ok(None) };
        let deliveries = self.deliveries(seq)?.into_iter().map(|(_, delivery)| delivery).collect();
        Ok(Some(EventRow { event, bytes, deliveries }))
    }

    /// The numbers of the events with this UUID, one a source.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn events_with_id(&self, id: [u8; 16]) -> Result<Vec<i64>, StoreError> {
        self.seqs("SELECT seq FROM event WHERE id = ?1 ORDER BY seq", [id])
    }

    /// The attempts of a delivery that did not deliver it, in order: the latest hundred of them.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn attempts(&self, seq: i64, plugin: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(Vec::new()) };
        self.all(ATTEMPTS, params![receiver, seq], |row| {
            Ok(AttemptRow {
                number: row.get(0)?,
                began_at: row.get(1)?,
                took: row.get(2)?,
                release: row.get(3)?,
                record: AttemptRecord {
                    outcome: row.get(4)?,
                    code: row.get(5)?,
                    reason: row.get(6)?,
                    digest: row.get(7)?,
                    report: row.get(8)?,
                },
            })
        })
    }

    /// A page of the events that match, with numbers below `before`, the latest first. Costs no more with a long journal than
    /// with a short one.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn events(
        &self,
        selection: &Selection,
        before: Option<i64>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let limit = limit.max(1) as usize;
        let mut events = Vec::new();
        let next = self.walk(selection, before, LOOKS, |Found { event, bytes, deliveries }| {
            let deliveries = deliveries.into_iter().map(|(_, delivery)| delivery).collect();
            events.push(EventRow { event, bytes, deliveries });
            Ok(if events.len() < limit { Step::On } else { Step::Enough })
        })?;
        Ok(EventPage { events, next })
    }
}
