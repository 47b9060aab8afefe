//! A lane's writes: one at a time, tried again when they fail.

use std::sync::Arc;
use std::time::Duration;

use hookbox_store::StoreError;

use crate::clock::after;
use crate::lane::turn::{self, Turn, Wrote};
use crate::lane::{Lane, Mode};
use crate::receivers::{Receivers, Standing};

/// The pause after a write that failed, and the longest one after several.
const FAILED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Deliveries that one transaction buries: everybody else who writes waits for it.
const BURIED: u32 = 100;

/// The database could not be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failing {
    times: u32,
    /// Tried again at this time of the steady clock.
    pub(super) until: Duration,
}

impl<R: Receivers> Lane<R> {
    /// Whether the database may be written: not so soon after a failure.
    pub(super) fn may_write(&self) -> bool {
        self.failing.is_none_or(|failing| failing.until <= self.inner.clock.steady())
    }

    /// Writes down what ended and takes more, where there is anything of these.
    pub(super) fn begin_write(&mut self, mode: Mode) {
        let room = if mode == Mode::Work { self.room() } else { 0 };
        // A database that has no room for more may have some for what ended.
        let alone = self.failing.is_some() && !self.ended.is_empty();
        let claim = if alone { 0 } else { room };
        if self.ended.is_empty() && !(self.more && claim > 0) {
            return;
        }
        let now = self.inner.clock.now();
        let ends = std::mem::take(&mut self.ended);
        let far = self.far(now);
        self.heard = false;
        let store = self.inner.store.clone();
        self.write = Some(Box::pin(turn::write(store, Arc::clone(&self.plugin), ends, now, far, claim)));
    }

    /// A write came back.
    pub(super) fn written(&mut self, turn: Turn) {
        self.stale = true;
        let wrote = match turn.wrote {
            Ok(wrote) => wrote,
            Err(error) => {
                let meanwhile = std::mem::replace(&mut self.ended, turn.ends);
                self.ended.extend(meanwhile);
                return self.failed(&error);
            }
        };
        if self.failing.take().is_some() {
            tracing::info!(plugin = &*self.plugin, "deliveries can be written down again");
            self.more = true;
        }
        self.inner.pressure.add(-turn::closed(&turn.ends), 0);
        if let Some(Wrote { claimed, full, due }) = wrote {
            if full {
                self.pace.filled();
            }
            self.more = full || self.heard;
            // What is due and was not taken is looked at again, but not at once.
            let soon = after(self.inner.clock.now(), Duration::from_millis(20));
            self.due = due.map(|due| due.max(soon));
            self.queue.extend(claimed);
        }
    }

    pub(super) fn failed(&mut self, error: &StoreError) {
        if *error == StoreError::Full {
            self.inner.prune.notify_one();
        }
        let times = self.failing.map_or(0, |failing| failing.times);
        if times == 0 {
            let (plugin, kept) = (&*self.plugin, self.ended.len());
            tracing::error!(
                plugin,
                kept,
                "deliveries cannot be written down: {error}; they are kept and tried again"
            );
        }
        let (first, longest) = FAILED;
        let pause = first.saturating_mul(2_u32.saturating_pow(times.min(16))).min(longest);
        let until = self.inner.clock.steady().saturating_add(pause);
        self.failing = Some(Failing { times: times.saturating_add(1), until });
    }

    /// Makes dead letters of a part of what waits for a plugin that is gone. Whether that was all.
    pub(super) async fn bury(&mut self) -> Result<bool, StoreError> {
        self.stale = true;
        if self.inner.receivers.standing(&self.plugin) != Standing::Gone {
            return Ok(false);
        }
        let (plugin, now) = (Arc::clone(&self.plugin), self.inner.clock.now());
        let job = self.inner.store.write::<_, StoreError, _>(move |writes| {
            writes.bury_deliveries(&plugin, &[], "plugin-removed", now, BURIED)
        });
        let part = job.await?;
        self.failing = None;
        self.buried = self.buried.saturating_add(part);
        self.inner.pressure.add(-i64::try_from(part).unwrap_or(0), 0);
        if part == 0 && self.buried > 0 {
            let (plugin, buried) = (&*self.plugin, std::mem::take(&mut self.buried));
            tracing::warn!(plugin, buried, "the plugin is gone: what waited for it became dead letters");
        }
        Ok(part == 0)
    }
}
