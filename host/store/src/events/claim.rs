//! Taking deliveries to be tried.

use rusqlite::{Params, params};

use super::Claimed;
use super::rows::{EVENT, event};
use crate::error::StoreError;
use crate::job::{Reads, Writes};
use crate::time::Timestamp;

pub(super) const AT_ONCE: &str = "SELECT event FROM delivery INDEXED BY delivery_ready
     WHERE receiver = ?1 AND state = 'ready' AND due_at = 0 ORDER BY event LIMIT ?2";

pub(super) const DUE: &str = "SELECT event FROM delivery INDEXED BY delivery_ready
     WHERE receiver = ?1 AND state = 'ready' AND due_at > 0 AND due_at <= ?3
     ORDER BY due_at, event LIMIT ?2";

pub(super) const FAR: &str = "SELECT event FROM delivery INDEXED BY delivery_ready
     WHERE receiver = ?1 AND state = 'ready' AND due_at > ?3
     ORDER BY due_at, event LIMIT ?2";

const CLAIM: &str =
    "UPDATE delivery SET state = 'running', attempts = attempts + 1, began_at = coalesce(began_at, ?3), claimed_at = ?3
     WHERE receiver = ?1 AND event = ?2
     RETURNING order_key, attempts, failures, began_at";

pub(super) const NEXT_DUE: &str = "SELECT min(due_at) FROM delivery INDEXED BY delivery_ready
     WHERE receiver = ?1 AND state = 'ready'";

impl Writes<'_> {
    /// Takes at most `limit` deliveries that a plugin is due, and writes down that an attempt of each begins `now`. Retries
    /// whose time has come go first, the longest due before others, but take at most half of the room when first attempts
    /// wait too; those follow in order of arrival, and with them what was interrupted or came back. Of a room that is odd, the
    /// last place goes to either by chance. A retry that is due only after `far` is due now: the clock went back.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn claim_deliveries(
        &self,
        plugin: &str,
        now: Timestamp,
        far: Timestamp,
        limit: u32,
    ) -> Result<Vec<Claimed>, StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(Vec::new()) };
        let mut retries = self.seqs(DUE, params![receiver, limit, now])?;
        retries.extend(self.seqs(FAR, params![receiver, limit, far.max(now)])?);
        let first = self.seqs(AT_ONCE, params![receiver, limit])?;
        let room = limit as usize;
        let half = (room + coin(now)) / 2;
        retries.truncate(half.max(room.saturating_sub(first.len())));
        retries.extend(first);
        retries.truncate(room);
        retries.into_iter().map(|seq| self.claim(receiver, seq, now)).collect()
    }

    fn claim(&self, receiver: i64, seq: i64, now: Timestamp) -> Result<Claimed, StoreError> {
        let missing = || StoreError::Internal { detail: format!("event {seq} has no delivery or no data") };
        let (event, _) = self.first(EVENT, [seq], event)?.ok_or_else(missing)?;
        let claimed = self.first(CLAIM, params![receiver, seq, now], |row| {
            Ok(Claimed {
                event,
                order_key: row.get(0)?,
                attempt: row.get(1)?,
                failures: row.get(2)?,
                began_at: row.get(3)?,
            })
        })?;
        claimed.ok_or_else(missing)
    }
}

impl Reads<'_> {
    /// When the next delivery of a plugin is due that does not run and is not held; `None` when there is none. First attempts
    /// are due at `Timestamp` 0, and so is what was interrupted or came back.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn next_due(&self, plugin: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(None) };
        Ok(self.first(NEXT_DUE, [receiver], |row| row.get(0))?.flatten())
    }

    /// The numbers of events that a statement gives.
    pub(super) fn seqs(&self, sql: &str, params: impl Params) -> Result<Vec<i64>, StoreError> {
        self.all(sql, params, |row| row.get(0))
    }
}

/// 0 or 1, by the clock: neither kind may wait for ever where there is room for one delivery at a time.
fn coin(now: Timestamp) -> usize {
    // A clock that steps by whole seconds falls on both sides, too.
    usize::from(now.as_micros().wrapping_mul(0x1E37_79B9_7F4A_7C15) < 0)
}
