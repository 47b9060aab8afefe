//! Writing down how attempts ended.

use rusqlite::params;

use super::order::Keys;
use super::{After, AttemptEnd, AttemptRecord};
use crate::error::StoreError;
use crate::job::Writes;
use crate::time::Timestamp;

/// How many attempts of a delivery are kept: the latest. A host without room could make one every moment.
pub(super) const ATTEMPTS_KEPT: u32 = 100;

const END: &str =
    "UPDATE delivery SET state = ?3, due_at = ?4, failures = failures + ?5, ended_at = ?6, took = ?7,
       release = coalesce(?8, release), reason = ?9,
       began_at = CASE WHEN ?6 IS NULL AND failures + ?5 = 0 THEN NULL ELSE began_at END
     WHERE receiver = ?1 AND event = ?2 AND state = 'running'
     RETURNING attempts, order_key";

const UNTOUCH: &str = "UPDATE delivery SET state = 'ready', attempts = attempts - 1, claimed_at = NULL,
       began_at = CASE WHEN began_at = claimed_at THEN NULL ELSE began_at END
     WHERE receiver = ?1 AND event = ?2 AND state = 'running'
     RETURNING attempts, order_key";

const RELEASE: &str = "UPDATE delivery SET state = 'ready', due_at = 0, took = NULL,
       began_at = CASE WHEN failures = 0 THEN NULL ELSE began_at END
     WHERE receiver = ?1 AND event = ?2
     RETURNING attempts, order_key, claimed_at";

/// How many of the last attempts in a row were cut short.
const CUT_SHORT: &str = "SELECT count(*) FROM delivery_attempt
     WHERE receiver = ?1 AND event = ?2 AND outcome = 'interrupted'
       AND number > coalesce((SELECT max(number) FROM delivery_attempt
                              WHERE receiver = ?1 AND event = ?2 AND outcome <> 'interrupted'), 0)";

const PUT_OFF: &str = "UPDATE delivery SET due_at = ?3 WHERE receiver = ?1 AND event = ?2";

/// So many attempts in a row may be cut short before the next one has to wait.
const PATIENCE: u32 = 3;
/// The first such pause; it doubles with each.
const PAUSE_MICROS: i64 = 1_000_000;
/// The longest.
const LONGEST_MICROS: i64 = 300_000_000;

pub(super) const RUNNING: &str =
    "SELECT event, receiver FROM delivery INDEXED BY delivery_running WHERE state = 'running' LIMIT ?1";

const ADD_ATTEMPT: &str =
    "INSERT INTO delivery_attempt (receiver, event, number, began_at, took, outcome, code, reason, digest, release, report)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (receiver, event, number) DO NOTHING";

impl Writes<'_> {
    /// Writes down how attempts of a plugin's deliveries ended. The next delivery with the key of one that is done, dead or
    /// discarded is ready. A dead one's last attempt counts as failed when it has a record. Of one that does not run any more,
    /// only the record of its attempt is written down.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn end_attempts(&self, plugin: &str, now: Timestamp, ends: &[AttemptEnd]) -> Result<(), StoreError> {
        let Some(receiver) = self.receiver(plugin)? else { return Ok(()) };
        let mut keys = Keys::default();
        for end in ends {
            self.end_attempt(receiver, now, end, &mut keys)?;
        }
        self.settle(&keys)
    }

    fn end_attempt(
        &self,
        receiver: i64,
        now: Timestamp,
        end: &AttemptEnd,
        keys: &mut Keys,
    ) -> Result<(), StoreError> {
        let set = |state: &str,
                   due_at: i64,
                   counts: bool,
                   ended_at: Option<Timestamp>,
                   reason: Option<&str>| {
            self.first(
                END,
                params![receiver, end.seq, state, due_at, counts, ended_at, end.took, end.release, reason],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        };
        let ended = match &end.then {
            After::Delivered => set("delivered", 0, false, Some(now), None)?,
            // 0 would be a first attempt.
            After::Again { due_at, counts } => set("ready", due_at.as_micros().max(1), *counts, None, None)?,
            After::Dead { reason } => set("dead", 0, end.record.is_some(), Some(now), Some(*reason))?,
            After::Untouched => {
                self.first(UNTOUCH, params![receiver, end.seq], |row| Ok((row.get(0)?, row.get(1)?)))?
            }
        };
        let number = match ended {
            Some((number, key)) => {
                keys.note(receiver, key);
                Some(number)
            }
            None => self.first(
                "SELECT attempts FROM delivery WHERE receiver = ?1 AND event = ?2",
                params![receiver, end.seq],
                |row| row.get(0),
            )?,
        };
        match (number, &end.record, &end.then) {
            (_, _, After::Untouched) | (None, _, _) | (_, None, _) => Ok(()),
            (Some(number), Some(record), _) => {
                let times = (end.began_at, end.took);
                self.add_attempt((receiver, end.seq, number), times, end.release, record)
            }
        }
    }

    /// Writes down an attempt by receiver, event and number.
    fn add_attempt(
        &self,
        (receiver, seq, number): (i64, i64, u32),
        (began_at, took): (Timestamp, Option<u64>),
        release: Option<u32>,
        record: &AttemptRecord,
    ) -> Result<(), StoreError> {
        self.execute(
            ADD_ATTEMPT,
            params![
                receiver,
                seq,
                number,
                began_at,
                took,
                record.outcome,
                record.code,
                record.reason,
                record.digest,
                release,
                record.report,
            ],
        )?;
        if let Some(last) = number.checked_sub(ATTEMPTS_KEPT) {
            self.execute(
                "DELETE FROM delivery_attempt WHERE receiver = ?1 AND event = ?2 AND number <= ?3",
                params![receiver, seq, last],
            )?;
        }
        Ok(())
    }

    /// After a crash: at most `limit` deliveries that were running are ready again, and their attempts are written down as
    /// `interrupted`, which do not count against the limit; how many. They are due at once, but after three in a row that were
    /// cut short a second later, then two, up to five minutes: an event whose receiver takes the host with it each time keeps
    /// no other from being delivered meanwhile. For when no worker runs.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn release_running(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let running = self.all(RUNNING, [limit], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let record = AttemptRecord {
            outcome: "interrupted".to_owned(),
            reason: Some("the server ended before the attempt did".to_owned()),
            ..AttemptRecord::default()
        };
        let mut keys = Keys::default();
        for (seq, receiver) in &running {
            let released = self.first(RELEASE, params![receiver, seq], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<Timestamp>>(2)?))
            })?;
            let Some((number, key, claimed_at)) = released else { continue };
            keys.note(*receiver, key);
            let began_at = claimed_at.unwrap_or(now);
            self.add_attempt((*receiver, *seq, number), (began_at, None), None, &record)?;
            let cut_short: u32 =
                self.first(CUT_SHORT, params![receiver, seq], |row| row.get(0))?.unwrap_or(0);
            if let Some(more) = cut_short.checked_sub(PATIENCE) {
                let pause =
                    PAUSE_MICROS.checked_shl(more.min(20)).unwrap_or(LONGEST_MICROS).min(LONGEST_MICROS);
                let due_at = Timestamp::from_micros(now.as_micros().saturating_add(pause));
                self.execute(PUT_OFF, params![receiver, seq, due_at])?;
            }
        }
        self.settle(&keys)?;
        Ok(running.len() as u64)
    }
}
