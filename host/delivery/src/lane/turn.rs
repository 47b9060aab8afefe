//! One write of a lane: what ended goes in, what is due comes out.

use std::sync::Arc;

use hookbox_store::{After, AttemptEnd, Claimed, Store, StoreError, Timestamp, Writes};

/// Deliveries are taken in parts of so many, until what they carry is enough.
const PART: u32 = 16;
/// Bytes of events that are enough for one turn. One part may go beyond.
const ENOUGH: usize = 16 << 20;

/// A write that came back.
pub(super) struct Turn {
    /// What was to be written down; not written where the write failed.
    pub(super) ends: Vec<AttemptEnd>,
    /// What was taken; `None` when nothing was asked for.
    pub(super) wrote: Result<Option<Wrote>, StoreError>,
}

/// What was taken.
pub(super) struct Wrote {
    pub(super) claimed: Vec<Claimed>,
    /// As much as was asked for, or as much as may be held: there may be more.
    pub(super) full: bool,
    /// When the next retry is due, where not all was taken.
    pub(super) due: Option<Timestamp>,
}

/// Writes down the ends of attempts, and takes at most `claim` deliveries that are due.
pub(super) async fn write(
    store: Store,
    plugin: Arc<str>,
    ends: Vec<AttemptEnd>,
    now: Timestamp,
    far: Timestamp,
    claim: u32,
) -> Turn {
    let ends = Arc::new(ends);
    let written = Arc::clone(&ends);
    let job = move |writes: &Writes<'_>| {
        if !written.is_empty() {
            writes.end_attempts(&plugin, now, &written)?;
        }
        if claim == 0 {
            return Ok(None);
        }
        let (claimed, full) = take(writes, &plugin, now, far, claim)?;
        let due = if full { None } else { writes.next_due(&plugin)? };
        Ok(Some(Wrote { claimed, full, due }))
    };
    let wrote = store.write(job).await;
    Turn { ends: Arc::unwrap_or_clone(ends), wrote }
}

fn take(
    writes: &Writes<'_>,
    plugin: &str,
    now: Timestamp,
    far: Timestamp,
    most: u32,
) -> Result<(Vec<Claimed>, bool), StoreError> {
    let mut claimed = Vec::new();
    let (mut left, mut bytes) = (most, 0);
    while left > 0 && bytes < ENOUGH {
        let asked = left.min(PART);
        let part = writes.claim_deliveries(plugin, now, far, asked)?;
        let got = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes += part.iter().map(|claimed| claimed.event.event.data.len()).sum::<usize>();
        claimed.extend(part);
        if got < asked {
            return Ok((claimed, false));
        }
        left = left.saturating_sub(got);
    }
    Ok((claimed, true))
}

/// How many deliveries are not open any more.
pub(super) fn closed(ends: &[AttemptEnd]) -> i64 {
    let closed = ends.iter().filter(|end| matches!(end.then, After::Delivered | After::Dead { .. }));
    i64::try_from(closed.count()).unwrap_or(i64::MAX >> 1)
}
