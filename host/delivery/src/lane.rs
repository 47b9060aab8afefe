//! One plugin's deliveries: taking what is due, calling the receiver, writing down what came of it.
//!
//! A lane never waits for the database and for calls in turn. While calls run, at most one write is on its way: it records
//! what ended meanwhile and takes more. What a lane holds is bounded, whatever waits in the journal.

mod call;
mod ends;
mod turn;
mod writes;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{AttemptEnd, Claimed, Timestamp};
use tokio::task::JoinSet;

use crate::backoff;
use crate::clock::{after, since};
use crate::engine::Inner;
use crate::lane::call::Ended;
use crate::lane::turn::Turn;
use crate::lane::writes::Failing;
use crate::measure::LaneMeters;
use crate::pace::Pace;
use crate::policy::Policy;
use crate::receivers::{Receivers, Standing};
use crate::signal::Signal;

/// The clock is looked at so often while a retry waits for its time: somebody may have set it.
const LOOK: Duration = Duration::from_secs(10);

/// A write on its way.
type Write = Pin<Box<dyn Future<Output = Turn> + Send>>;

/// A plugin's deliveries at work.
pub(crate) struct Lane<R: Receivers> {
    inner: Arc<Inner<R>>,
    plugin: Arc<str>,
    signal: Arc<Signal>,
    meters: LaneMeters,
    policy: Policy,
    pace: Pace,
    /// Taken and not called yet.
    queue: VecDeque<Claimed>,
    calls: JoinSet<Ended>,
    /// Not written down yet.
    ended: Vec<AttemptEnd>,
    write: Option<Write>,
    /// The journal may have more that is due.
    more: bool,
    /// Something was said while a write was on its way.
    heard: bool,
    /// When the next retry is due.
    due: Option<Timestamp>,
    /// The plugin is left alone until this, by the steady clock.
    aside: Option<Duration>,
    /// The plugin was put aside, or the host had no room for it: one call shows whether it goes on.
    trying: bool,
    /// Calls that the host had no room for, in a row.
    crowded: u32,
    failing: Option<Failing>,
    /// How the plugin stands, as it was last seen.
    standing: Standing,
    /// That may have changed.
    stale: bool,
    /// Deliveries that became dead letters because the plugin is gone.
    buried: u64,
}

/// What a lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It delivers.
    Work,
    /// It waits until the plugin is back.
    Wait,
    /// It makes dead letters of all that waits.
    Bury,
    /// It ends.
    Stop,
}

impl<R: Receivers> Lane<R> {
    pub(crate) fn new(inner: Arc<Inner<R>>, plugin: Arc<str>, signal: Arc<Signal>) -> Self {
        Self {
            meters: LaneMeters::new(&plugin),
            policy: inner.receivers.policy(&plugin),
            inner,
            plugin,
            signal,
            pace: Pace::default(),
            queue: VecDeque::new(),
            calls: JoinSet::new(),
            ended: Vec::new(),
            write: None,
            more: true,
            heard: false,
            due: None,
            aside: None,
            trying: false,
            crowded: 0,
            failing: None,
            standing: Standing::Away,
            stale: true,
            buried: 0,
        }
    }

    /// Works until the journal stops, or the plugin is gone and nothing of it waits.
    pub(crate) async fn run(&mut self) {
        loop {
            let mode = self.look();
            match mode {
                Mode::Work => {
                    self.give_back_surplus();
                    self.call();
                }
                Mode::Wait | Mode::Bury | Mode::Stop => self.give_back(),
            }
            if self.write.is_none() && self.may_write() {
                self.begin_write(mode);
            }
            if self.write.is_none() && self.calls.is_empty() && self.ended.is_empty() {
                match mode {
                    Mode::Stop => return,
                    Mode::Bury if self.may_write() => match self.bury().await {
                        Ok(true) => return,
                        Ok(false) => continue,
                        Err(error) => self.failed(&error),
                    },
                    Mode::Bury | Mode::Work | Mode::Wait => {}
                }
            }
            self.wait(mode).await;
        }
    }

    /// Hears what was said, and sees how the plugin stands.
    fn look(&mut self) -> Mode {
        if self.signal.was_woken() {
            (self.more, self.heard) = (true, true);
        }
        let steady = self.inner.clock.steady();
        let changed = self.signal.was_changed();
        if changed || self.aside.is_some_and(|until| until <= steady) {
            self.aside = None;
            (self.more, self.heard) = (true, true);
        }
        if changed || self.stale {
            let before = std::mem::replace(&mut self.standing, self.inner.receivers.standing(&self.plugin));
            // What was given back meanwhile is there to be taken.
            if before != self.standing {
                (self.more, self.heard) = (true, true);
            }
            self.policy = self.inner.receivers.policy(&self.plugin);
            self.stale = false;
        }
        if self.failing.is_some_and(|failing| failing.until <= steady) && self.ended.is_empty() {
            self.more = true;
        }
        if self.inner.stopping.is_cancelled() {
            return Mode::Stop;
        }
        match self.standing {
            Standing::Gone => Mode::Bury,
            Standing::Away => Mode::Wait,
            Standing::Live if self.aside.is_some() => Mode::Wait,
            Standing::Live => {
                self.see_time();
                Mode::Work
            }
        }
    }

    /// Whether the next retry is due, also when the clock was set back.
    fn see_time(&mut self) {
        let Some(due) = self.due else { return };
        let now = self.inner.clock.now();
        if due <= now || due > self.far(now) {
            (self.due, self.more) = (None, true);
        }
    }

    /// No retry is due after this, unless the clock was set back.
    fn far(&self, now: Timestamp) -> Timestamp {
        after(now, self.policy.longest_pause.max(backoff::LONGEST_WISH) + Duration::from_secs(60))
    }

    /// How many calls may run at once.
    fn concurrency(&self) -> u32 {
        if self.trying { 1 } else { self.policy.concurrency.max(1) }
    }

    /// How many deliveries the lane may have, running ones counted.
    fn size(&self) -> u32 {
        if self.trying { 1 } else { self.pace.size(self.concurrency()) }
    }

    /// How many it has.
    fn held(&self) -> u32 {
        u32::try_from(self.queue.len() + self.calls.len()).unwrap_or(u32::MAX)
    }

    /// How many deliveries may be taken.
    fn room(&self) -> u32 {
        self.size().saturating_sub(self.held())
    }

    /// Begins as many calls as may run.
    fn call(&mut self) {
        while self.calls.len() < usize::try_from(self.concurrency()).unwrap_or(usize::MAX)
            && let Some(claimed) = self.queue.pop_front()
        {
            let (inner, plugin) = (Arc::clone(&self.inner), Arc::clone(&self.plugin));
            if claimed.attempt == 1 {
                let lag = since(claimed.event.event.received_at, inner.clock.now()).unwrap_or_default();
                self.meters.lag(lag);
            }
            self.calls.spawn(call::call(inner, plugin, claimed));
        }
    }

    /// Waits until something happens.
    async fn wait(&mut self, mode: Mode) {
        let nap = self.nap(mode);
        let clock = &self.inner.clock;
        tokio::select! {
            Some(ended) = self.calls.join_next(), if !self.calls.is_empty() => {
                self.joined(ended);
                while let Some(ended) = self.calls.try_join_next() {
                    self.joined(ended);
                }
            }
            turn = back(&mut self.write), if self.write.is_some() => {
                self.write = None;
                self.written(turn);
            }
            () = self.signal.said() => {}
            () = self.inner.stopping.cancelled(), if mode != Mode::Stop => {}
            () = clock.sleep(nap.unwrap_or_default()), if nap.is_some() => self.stale = true,
        }
    }

    /// How long to wait at most; `None` where only something that happens makes a difference.
    fn nap(&self, mode: Mode) -> Option<Duration> {
        let steady = self.inner.clock.steady();
        let failing = self.failing.and_then(|failing| failing.until.checked_sub(steady));
        let away = (mode == Mode::Wait).then_some(LOOK);
        let aside = self.aside.map(|until| until.saturating_sub(steady));
        let due = self.due.filter(|_| mode == Mode::Work && !self.more).map(|due| {
            let now = self.inner.clock.now();
            since(now, due).unwrap_or_default().min(LOOK)
        });
        [failing, away, aside, due].into_iter().flatten().min()
    }
}

async fn back(write: &mut Option<Write>) -> Turn {
    match write {
        Some(write) => write.await,
        None => std::future::pending().await,
    }
}
