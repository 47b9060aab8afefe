//! Giving a plugin past events, and how far that is.

use rusqlite::{Row, params};

use super::accept::{ADD_DELIVERY, COUNT_DELIVERY};
use super::order::Keys;
use super::rows::{EVENT, event, head, head_columns};
use super::walk::{Found, LOOKS};
use super::{ReplayPart, ReplayRow, Selection, StoredEvent};
use crate::error::StoreError;
use crate::job::{Reads, Writes};

pub(super) const UPWARDS: &str =
    concat!("SELECT ", head_columns!(), " FROM event WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3");

/// How many events a part looks at that writes: others wait for it.
const LOOKS_TO_WRITE: u32 = 500;
/// A part that has made deliveries of so many bytes makes no further one: each is read, for its key.
const BYTES_A_PART: u64 = 4 << 20;
/// How many events are in memory at once.
const CHUNK: u32 = 256;

/// How much one part does at most.
#[derive(Clone, Copy)]
struct Bounds {
    /// Events that it looks at.
    looks: u32,
    /// Deliveries that it makes.
    made: u64,
    /// The bytes of their events; the last one may go beyond.
    bytes: u64,
}

impl Bounds {
    /// For a part that only looks.
    const LOOKS: Self = Self { looks: LOOKS, made: u64::MAX, bytes: u64::MAX };
}

impl Writes<'_> {
    /// Gives a plugin the events that match, from number `next_seq` to `end_seq`, again or for the first time: a delivery of
    /// it that ended is ready again, one that is open stays as it is, one that was never made is made. `order_key` says the key
    /// of an event's delivery. Makes at most `limit` deliveries, and looks at a bounded number of events.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn replay_events(
        &self,
        plugin: &str,
        selection: &Selection,
        next_seq: i64,
        end_seq: i64,
        limit: u32,
        order_key: &dyn Fn(&StoredEvent) -> Option<String>,
    ) -> Result<ReplayPart, StoreError> {
        let receiver = self.receiver_or_new(plugin)?;
        let mut keys = Keys::default();
        let bounds = Bounds { looks: LOOKS_TO_WRITE, made: u64::from(limit), bytes: BYTES_A_PART };
        let part = self.each_to_replay(plugin, selection, (next_seq, end_seq), bounds, |seq, ended| {
            let Some((event, _)) = self.first(EVENT, [seq], event)? else { return Ok(()) };
            let key = order_key(&event);
            if !ended {
                self.execute(COUNT_DELIVERY, [seq])?;
                self.execute(ADD_DELIVERY, params![receiver, seq, None::<String>])?;
            }
            self.bring_back(receiver, seq, key, &mut keys)
        })?;
        self.settle(&keys)?;
        Ok(part)
    }

    /// Writes down a new replay; its number. `id` and `ended_at` of what is given mean nothing.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn add_replay(&self, replay: &ReplayRow) -> Result<i64, StoreError> {
        self.execute(
            "INSERT INTO replay (plugin, selection, rate, next_seq, end_seq, made, state, started_at, started_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                replay.plugin,
                replay.selection,
                replay.rate,
                replay.next_seq,
                replay.end_seq,
                replay.made,
                replay.state,
                replay.started_at,
                replay.started_by,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Writes down how far a replay is: `next_seq`, `made`, `state` and `ended_at`. Whether there is one.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn update_replay(&self, replay: &ReplayRow) -> Result<bool, StoreError> {
        let changed = self.execute(
            "UPDATE replay SET next_seq = ?2, made = ?3, state = ?4, ended_at = ?5 WHERE id = ?1",
            params![replay.id, replay.next_seq, replay.made, replay.state, replay.ended_at],
        )?;
        Ok(changed > 0)
    }
}

impl Reads<'_> {
    /// How many deliveries a replay would make: a part of the count, like the replay.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn count_replay(
        &self,
        plugin: &str,
        selection: &Selection,
        next_seq: i64,
        end_seq: i64,
    ) -> Result<ReplayPart, StoreError> {
        self.each_to_replay(plugin, selection, (next_seq, end_seq), Bounds::LOOKS, |_, _| Ok(()))
    }

    /// Where a replay goes on: `next_seq` is the first event that it would make a delivery of, and `made` is 1. When none is
    /// among a bounded number of events, `made` is 0, and `next_seq` where to look on; `None` when the end is reached.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn next_to_replay(
        &self,
        plugin: &str,
        selection: &Selection,
        next_seq: i64,
        end_seq: i64,
    ) -> Result<ReplayPart, StoreError> {
        let mut first = None;
        let bounds = Bounds { made: 1, ..Bounds::LOOKS };
        let part = self.each_to_replay(plugin, selection, (next_seq, end_seq), bounds, |seq, _| {
            first = Some(seq);
            Ok(())
        })?;
        Ok(ReplayPart { next_seq: first.or(part.next_seq), ..part })
    }

    /// All replays, the latest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn replays(&self, limit: u32) -> Result<Vec<ReplayRow>, StoreError> {
        self.all(
            "SELECT id, plugin, selection, rate, next_seq, end_seq, made, state, started_at, started_by, ended_at
             FROM replay ORDER BY id DESC LIMIT ?1",
            [limit],
            replay,
        )
    }

    /// Does something with each event that matches and waits for the plugin in no delivery: by number, with whether it has a
    /// delivery that ended.
    fn each_to_replay(
        &self,
        plugin: &str,
        selection: &Selection,
        (first, last): (i64, i64),
        bounds: Bounds,
        mut act: impl FnMut(i64, bool) -> Result<(), StoreError>,
    ) -> Result<ReplayPart, StoreError> {
        let (mut made, mut made_bytes) = (0, 0);
        let mut next = first;
        let mut looks = bounds.looks;
        while looks > 0 {
            let wanted = looks.min(CHUNK);
            let chunk = self.all(UPWARDS, params![next, last, wanted], head)?;
            let full = chunk.len() == wanted as usize;
            looks -= wanted;
            for (event, bytes) in chunk {
                let seq = event.seq;
                if made >= bounds.made || made_bytes >= bounds.bytes {
                    return Ok(ReplayPart { made, next_seq: Some(seq) });
                }
                next = seq.saturating_add(1);
                let Some(Found { deliveries, .. }) = self.found(selection, event, bytes)? else { continue };
                let own = deliveries.iter().find(|(_, delivery)| delivery.plugin == plugin);
                if own.is_none_or(|(_, delivery)| !delivery.state.is_open()) {
                    act(seq, own.is_some())?;
                    made += 1;
                    made_bytes += bytes;
                }
            }
            if !full || next > last {
                return Ok(ReplayPart { made, next_seq: None });
            }
        }
        Ok(ReplayPart { made, next_seq: Some(next) })
    }
}

fn replay(row: &Row<'_>) -> rusqlite::Result<ReplayRow> {
    Ok(ReplayRow {
        id: row.get(0)?,
        plugin: row.get(1)?,
        selection: row.get(2)?,
        rate: row.get(3)?,
        next_seq: row.get(4)?,
        end_seq: row.get(5)?,
        made: row.get(6)?,
        state: row.get(7)?,
        started_at: row.get(8)?,
        started_by: row.get(9)?,
        ended_at: row.get(10)?,
    })
}
