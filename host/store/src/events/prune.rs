//! Deleting what nobody waits for.

use rusqlite::params;

use super::{Keep, Total};
use crate::error::StoreError;
use crate::job::Writes;
use crate::time::Timestamp;

/// A part that has deleted so many bytes of data takes no further event: they are overwritten, which takes time.
const BYTES_A_PART: u64 = 4 << 20;

pub(super) const OLDEST_DONE: &str = "SELECT seq, bytes, received_at FROM event INDEXED BY event_done
     WHERE open = 0 AND dead = 0 ORDER BY received_at LIMIT ?1";

pub(super) const OLDEST_DEAD: &str = "SELECT seq, bytes, received_at FROM event INDEXED BY event_dead
     WHERE open = 0 AND dead > 0 ORDER BY received_at LIMIT ?1";

impl Writes<'_> {
    /// Deletes at most `limit` events that nobody waits for, those that were received first before others: those that are done
    /// by one rule, those with dead letters by the other. What went. It may be fewer than `limit` when more are to go: a part
    /// deletes no more than some MiB of data, so go on until nothing went.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn prune_events(&self, done: Keep, dead: Keep, limit: u32) -> Result<Total, StoreError> {
        let mut went = Total::default();
        let totals = self.event_totals()?;
        // Neither kind waits until the other has none that is to go.
        let half = limit.div_ceil(2);
        self.prune(OLDEST_DEAD, dead, totals.dead, (half, BYTES_A_PART / 2), &mut went)?;
        self.prune(OLDEST_DONE, done, totals.done, (limit, BYTES_A_PART), &mut went)?;
        let totals = self.event_totals()?;
        self.prune(OLDEST_DEAD, dead, totals.dead, (limit, BYTES_A_PART), &mut went)?;
        Ok(went)
    }

    /// Deletes the oldest events of a kind, of which there are so many, until so much went in all.
    fn prune(
        &self,
        oldest: &str,
        keep: Keep,
        kept: Total,
        (events, bytes): (u32, u64),
        went: &mut Total,
    ) -> Result<(), StoreError> {
        let room = u64::from(events).saturating_sub(went.events);
        let oldest = self.all(oldest, [room], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?, row.get::<_, Timestamp>(2)?))
        })?;
        let mut kept = kept.bytes;
        for (seq, size, received_at) in oldest {
            if went.bytes >= bytes || received_at >= keep.since && kept <= keep.bytes {
                break;
            }
            self.execute("DELETE FROM event WHERE seq = ?1", params![seq])?;
            kept = kept.saturating_sub(size);
            went.events += 1;
            went.bytes += size;
        }
        Ok(())
    }
}
