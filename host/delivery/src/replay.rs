//! Past events on their way to a plugin again.

use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{Reads, ReplayPart, ReplayRow, Selection, Store, StoreError, StoredEvent, Writes};
use tokio::sync::{Mutex, Notify};

use crate::desk::{ReplayError, ReplayRequest};
use crate::engine::Inner;
use crate::policy::OrderPath;
use crate::receivers::{Receivers, Standing};
use crate::selection::{selection_from_json, selection_to_json};

/// Replays are worked on so often, when their rate is not slower.
const TICK: Duration = Duration::from_millis(50);
/// A replay that may go on is looked at again after so long: others get to write in between.
const SOON: Duration = Duration::from_millis(1);
/// A replay that cannot go on is looked at again after so long.
const WAIT: Duration = Duration::from_secs(1);
/// Deliveries that one transaction makes.
const PART: u32 = 128;
/// Replays that a list shows, and that a start finds.
pub(crate) const LISTED: u32 = 1000;

/// The replays that are not at their end.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    /// One holder at a time changes a replay.
    running: Mutex<Vec<Running>>,
    changed: Notify,
}

#[derive(Debug)]
struct Running {
    row: ReplayRow,
    /// Deliveries that may be made by now.
    credit: f64,
    /// When the credit was counted last, by the steady clock.
    counted: Option<Duration>,
}

/// How a replay goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// After so long.
    After(Duration),
    /// Not at all.
    Ended,
}

impl Running {
    fn new(row: ReplayRow) -> Self {
        Self { row, credit: 0.0, counted: None }
    }

    /// How many deliveries may be made now. What was not used stays good for a second.
    fn allowance(&mut self, steady: Duration) -> u32 {
        // The first is made at once.
        let earned = match self.counted {
            None => 1.0,
            Some(counted) => steady.saturating_sub(counted).as_secs_f64() * self.row.rate,
        };
        self.counted = Some(steady);
        self.credit = (self.credit + earned).min(self.row.rate.max(1.0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small number from 0 on"
        )]
        let whole = self.credit.min(f64::from(PART)) as u32;
        whole
    }

    /// How long until there is something to do.
    fn nap(&self) -> Duration {
        let lacking = (1.0 - self.credit).max(0.0) / self.row.rate;
        Duration::try_from_secs_f64(lacking).unwrap_or(WAIT).clamp(TICK, 60 * WAIT)
    }
}

impl Replays {
    /// Finds what an earlier process left.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let mut running = self.running.lock().await;
        let rows = store.read(|reads| reads.replays(LISTED)).await?;
        *running = rows.into_iter().filter(|row| row.state == "running").map(Running::new).collect();
        Ok(())
    }

    /// Something changed: the replays are looked at.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }
}

/// Works on replays until the journal stops.
pub(crate) async fn run<R: Receivers>(inner: Arc<Inner<R>>) {
    let mut failed = false;
    loop {
        let nap = match inner.replay_parts().await {
            Ok(nap) => {
                failed = false;
                nap
            }
            Err(error) => {
                if !failed {
                    tracing::error!("a replay cannot go on: {error}; it is tried again");
                }
                failed = true;
                Some(WAIT)
            }
        };
        tokio::select! {
            () = inner.clock.sleep(nap.unwrap_or_default()), if nap.is_some() => {}
            () = inner.replays.changed.notified() => {}
            () = inner.stopping.cancelled() => return,
        }
    }
}

impl<R: Receivers> Inner<R> {
    /// Begins a replay.
    pub(crate) async fn begin_replay(&self, request: ReplayRequest) -> Result<ReplayRow, ReplayError> {
        self.replayable(&request)?;
        let row = ReplayRow {
            id: 0,
            plugin: request.plugin,
            selection: selection_to_json(&request.selection),
            rate: request.rate,
            next_seq: 1,
            end_seq: 0,
            made: 0,
            state: "running".to_owned(),
            started_at: self.clock.now(),
            started_by: request.by,
            ended_at: None,
        };
        let mut running = self.replays.running.lock().await;
        let job = self.store.write::<_, StoreError, _>(move |writes| {
            let row = ReplayRow { end_seq: writes.last_event()?, ..row };
            Ok(ReplayRow { id: writes.add_replay(&row)?, ..row })
        });
        let row = job.await?;
        running.push(Running::new(row.clone()));
        self.replays.wake();
        Ok(row)
    }

    /// Which events a plugin may be given again of those that are asked for.
    pub(crate) fn replayable(&self, request: &ReplayRequest) -> Result<Selection, ReplayError> {
        let rate = request.rate;
        if !(rate > 0.0 && rate <= ReplayRequest::MOST) {
            return Err(ReplayError::Rate { rate });
        }
        let plugin = request.plugin.clone();
        if self.receivers.standing(&plugin) != Standing::Live {
            return Err(ReplayError::NotLive { plugin });
        }
        let receives = self.receivers.types(&plugin);
        received(&request.selection, &receives).ok_or(ReplayError::NothingReceived { plugin, receives })
    }

    /// Ends a replay before its end.
    pub(crate) async fn stop_replay(&self, id: i64) -> Result<Option<ReplayRow>, StoreError> {
        let mut running = self.replays.running.lock().await;
        if let Some(at) = running.iter().position(|replay| replay.row.id == id) {
            let Some(row) = running.get(at).map(|replay| replay.row.clone()) else { return Ok(None) };
            let row = self.end_replay(row, "stopped").await?;
            running.remove(at);
            return Ok(Some(row));
        }
        let rows = self.store.read(|reads| reads.replays(LISTED)).await?;
        Ok(rows.into_iter().find(|row| row.id == id))
    }

    async fn end_replay(&self, row: ReplayRow, state: &str) -> Result<ReplayRow, StoreError> {
        let row = ReplayRow { state: state.to_owned(), ended_at: Some(self.clock.now()), ..row };
        let written = row.clone();
        self.store.write(move |writes| writes.update_replay(&written)).await?;
        Ok(row)
    }

    /// Does a part of each replay; after how long there is more to do.
    async fn replay_parts(self: &Arc<Self>) -> Result<Option<Duration>, StoreError> {
        let mut running = self.replays.running.lock().await;
        let mut nap: Option<Duration> = None;
        let mut at = 0;
        while let Some(replay) = running.get_mut(at)
            && !self.stopping.is_cancelled()
        {
            match self.replay_part(replay).await? {
                Step::Ended => drop(running.remove(at)),
                Step::After(pause) => {
                    nap = Some(nap.map_or(pause, |nap| nap.min(pause)));
                    at += 1;
                }
            }
        }
        metrics::gauge!("hookbox_replays_running").set(running.len() as f64);
        Ok(nap)
    }

    async fn replay_part(self: &Arc<Self>, replay: &mut Running) -> Result<Step, StoreError> {
        let plugin = replay.row.plugin.clone();
        match self.receivers.standing(&plugin) {
            Standing::Live if self.pressure.waiting() < self.options.backlog => {}
            Standing::Live | Standing::Away => return Ok(Step::After(WAIT)),
            Standing::Gone => {
                tracing::warn!(plugin, replay = replay.row.id, "a replay ended: its plugin is gone");
                self.end_replay(replay.row.clone(), "stopped").await?;
                return Ok(Step::Ended);
            }
        }
        let selection = match selection_from_json(&replay.row.selection) {
            Ok(selection) => selection,
            Err(error) => {
                let id = replay.row.id;
                tracing::error!(plugin, replay = id, "a replay ended: its selection cannot be read: {error}");
                self.end_replay(replay.row.clone(), "stopped").await?;
                return Ok(Step::Ended);
            }
        };
        // Of types that the plugin does not receive now, nothing: as if the end were reached.
        let selection = received(&selection, &self.receivers.types(&plugin));
        let limit = replay.allowance(self.clock.steady());
        if limit == 0 {
            return Ok(Step::After(replay.nap()));
        }
        if let Some(selection) = &selection
            && !self.find_next(&mut replay.row, selection.clone()).await?
        {
            return Ok(Step::After(SOON));
        }
        let (row, now) = (replay.row.clone(), self.clock.now());
        let path = self.receivers.policy(&plugin).ordered_by;
        let job = move |writes: &Writes<'_>| {
            let part = match &selection {
                Some(selection) => make(writes, &row, selection, limit, path.as_ref())?,
                None => ReplayPart { made: 0, next_seq: None },
            };
            let mut row = ReplayRow { made: row.made.saturating_add(part.made), ..row };
            match part.next_seq {
                Some(next) => row.next_seq = next,
                None => {
                    row.next_seq = row.end_seq.saturating_add(1);
                    (row.state, row.ended_at) = ("done".to_owned(), Some(now));
                }
            }
            writes.update_replay(&row)?;
            Ok::<_, StoreError>((row, part))
        };
        let (row, part) = self.store.write(job).await?;
        replay.row = row;
        replay.credit -= part.made as f64;
        if part.made > 0 {
            self.pressure.add(i64::try_from(part.made).unwrap_or(0), 0);
            self.wake(&plugin);
        }
        if part.next_seq.is_none() {
            let (id, made) = (replay.row.id, replay.row.made);
            tracing::info!(plugin, replay = id, made, "a replay is done");
            return Ok(Step::Ended);
        }
        let more = part.made < u64::from(limit) || replay.credit >= 1.0;
        Ok(Step::After(if more { SOON } else { replay.nap() }))
    }
}

impl<R: Receivers> Inner<R> {
    /// Goes on to the next event that is to be replayed, or to the end. Nobody who writes waits for that, however far it is.
    /// Whether it was reached.
    async fn find_next(&self, row: &mut ReplayRow, selection: Selection) -> Result<bool, StoreError> {
        let (plugin, next, end) = (row.plugin.clone(), row.next_seq, row.end_seq);
        let job = move |reads: &Reads<'_>| reads.next_to_replay(&plugin, &selection, next, end);
        let ReplayPart { made, next_seq } = self.store.read(job).await?;
        row.next_seq = next_seq.unwrap_or_else(|| end.saturating_add(1));
        Ok(made > 0 || next_seq.is_none())
    }
}

fn make(
    writes: &Writes<'_>,
    row: &ReplayRow,
    selection: &Selection,
    limit: u32,
    path: Option<&OrderPath>,
) -> Result<ReplayPart, StoreError> {
    let key = |event: &StoredEvent| {
        let data = path.map(|path| (path, serde_json::from_str(&event.event.data)));
        data.and_then(|(path, data)| path.key(&data.ok()?))
    };
    writes.replay_events(&row.plugin, selection, row.next_seq, row.end_seq, limit, &key)
}

/// The selection without types that are not received; `None` where nothing is left.
fn received(selection: &Selection, receives: &[String]) -> Option<Selection> {
    let asked = |name: &String| selection.types.is_empty() || selection.types.contains(name);
    let types: Vec<String> = receives.iter().filter(|name| asked(name)).cloned().collect();
    (!types.is_empty()).then(|| Selection { types, ..selection.clone() })
}

#[cfg(test)]
mod tests {
    use hookbox_store::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn running(rate: f64) -> Running {
        Running::new(ReplayRow {
            id: 1,
            plugin: "p".into(),
            selection: "{}".into(),
            rate,
            next_seq: 1,
            end_seq: 100,
            made: 0,
            state: "running".into(),
            started_at: Timestamp::from_micros(0),
            started_by: "u".into(),
            ended_at: None,
        })
    }

    proptest! {
        #[test]
        fn a_replay_keeps_its_rate(
            rate in 0.1..5000.0_f64,
            pauses in prop::collection::vec(1..3000_u64, 1..100),
        ) {
            let mut replay = running(rate);
            let (mut steady, mut made) = (Duration::ZERO, 0_u64);
            for pause in pauses {
                let allowed = replay.allowance(steady);
                replay.credit -= f64::from(allowed);
                made += u64::from(allowed);
                // A second's worth may be saved up, and the first comes at once.
                prop_assert!(made as f64 <= steady.as_secs_f64() * rate + 2.0);
                steady += Duration::from_millis(pause);
            }
        }
    }

    #[test]
    fn a_slow_replay_sleeps_until_its_next_event() {
        let mut replay = running(0.5);
        assert_eq!(replay.allowance(Duration::ZERO), 1);
        replay.credit -= 1.0;
        assert_eq!(replay.nap(), Duration::from_secs(2));
        assert_eq!(replay.allowance(Duration::from_secs(1)), 0);
        assert_eq!(replay.allowance(Duration::from_secs(2)), 1);
    }

    #[test]
    fn only_what_is_received_is_replayed() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = Selection::default();
        assert_eq!(received(&all, &names(&["a", "b"])).unwrap().types, ["a", "b"]);
        let some = Selection { types: names(&["b", "c"]), ..Selection::default() };
        assert_eq!(received(&some, &names(&["a", "b"])).unwrap().types, ["b"]);
        assert_eq!(received(&some, &names(&["a"])), None);
        assert_eq!(received(&all, &[]), None);
    }
}
