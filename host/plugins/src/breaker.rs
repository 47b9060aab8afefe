//! When a plugin that keeps failing is put aside, and when it is tried again. Pure: the time is passed in.
//!
//! Closed: calls run, and failures in a row are counted. Open: no call runs until the pause is over. Half-open: one call
//! runs as a trial; when it succeeds the breaker closes, when it fails the next pause is twice as long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_sandbox::CallFailure;
use serde::Serialize;
use time::OffsetDateTime;

/// When a plugin is put aside, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineRule {
    /// Failures in a row that put it aside; at least 1.
    pub failures: u32,
    /// How long until the first trial. Each trial that fails doubles it.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for QuarantineRule {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(1), longest_pause: Duration::from_secs(300) }
    }
}

/// That a plugin is put aside, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quarantine {
    /// When it was put aside. Trials that fail do not move it.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// When the next trial may be made: the first call after this.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Failures in a row so far, trials among them.
    pub failures: u32,
    /// The last of them.
    pub last_failure: LastFailure,
}

/// The failure that put a plugin aside, or kept it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastFailure {
    /// Its stable name: `trap`, `time`, `memory`, …
    pub code: &'static str,
    /// What was wrong and where, in one sentence. It may repeat what the plugin said as it died.
    pub message: String,
}

/// A moment, on the clock that decides and on the one that people read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) utc: OffsetDateTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        // Milliseconds are what anyone reads.
        Self { at: Instant::now(), utc: OffsetDateTime::now_utc().truncate_to_millisecond() }
    }

    /// Pauses are bounded by the settings, so that neither clock's range is ever left.
    fn after(self, pause: Duration) -> Self {
        let at = self.at.checked_add(pause).unwrap_or(self.at);
        let pause = time::Duration::try_from(pause).unwrap_or(time::Duration::ZERO);
        Self { at, utc: self.utc.saturating_add(pause) }
    }
}

/// The right to make a call, given by a breaker. What comes of a call is told with it; a breaker that has moved on since
/// then does not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);

/// What a call's end changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// The plugin is put aside now.
    PutAside(Arc<Quarantine>),
    /// A trial failed.
    Prolonged(Arc<Quarantine>),
    /// A trial succeeded.
    Recovered,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open(Pause),
    HalfOpen(Pause),
}

/// Being open, or on trial.
#[derive(Debug, Clone)]
struct Pause {
    length: Duration,
    until: Instant,
    told: Arc<Quarantine>,
}

/// One plugin's breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    rule: QuarantineRule,
    state: State,
    /// Moves with every change of state but the counting of failures, so that old tickets are known.
    epoch: u64,
}

impl Breaker {
    pub(crate) fn new(rule: QuarantineRule) -> Self {
        Self { rule, state: State::Closed { failures: 0 }, epoch: 0 }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Failures in a row, while no quarantine follows from them.
    pub(crate) fn failures(&self) -> u32 {
        match &self.state {
            State::Closed { failures } => *failures,
            State::Open(pause) | State::HalfOpen(pause) => pause.told.failures,
        }
    }

    /// Why calls are refused; `None` while they run.
    pub(crate) fn quarantine(&self) -> Option<&Arc<Quarantine>> {
        match &self.state {
            State::Closed { .. } => None,
            State::Open(pause) | State::HalfOpen(pause) => Some(&pause.told),
        }
    }

    /// Lets a call run, or says why not.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<Ticket, Arc<Quarantine>> {
        match &self.state {
            State::Closed { .. } => {}
            State::Open(pause) if now >= pause.until => self.move_on(State::HalfOpen(pause.clone())),
            State::Open(pause) | State::HalfOpen(pause) => return Err(Arc::clone(&pause.told)),
        }
        Ok(Ticket(self.epoch))
    }

    /// A call ended with an answer.
    pub(crate) fn succeeded(&mut self, ticket: Ticket) -> Option<Change> {
        if ticket.0 != self.epoch {
            return None;
        }
        match &mut self.state {
            State::Closed { failures } => {
                *failures = 0;
                None
            }
            State::Open(_) => None,
            State::HalfOpen(_) => {
                self.move_on(State::Closed { failures: 0 });
                Some(Change::Recovered)
            }
        }
    }

    /// A call ended without an answer, through the plugin's fault.
    pub(crate) fn failed(&mut self, ticket: Ticket, now: Moment, failure: &CallFailure) -> Option<Change> {
        if ticket.0 != self.epoch {
            return None;
        }
        match &mut self.state {
            State::Closed { failures } => {
                *failures = failures.saturating_add(1);
                if *failures < self.rule.failures {
                    return None;
                }
                let failures = *failures;
                let told = self.open(now, now.utc, self.rule.pause, failures, failure);
                Some(Change::PutAside(told))
            }
            State::Open(_) => None,
            State::HalfOpen(pause) => {
                let length = pause.length.saturating_mul(2).min(self.rule.longest_pause);
                let (since, failures) = (pause.told.since, pause.told.failures.saturating_add(1));
                Some(Change::Prolonged(self.open(now, since, length, failures, failure)))
            }
        }
    }

    /// A call ended in a way that says nothing of the plugin, or its caller left. A trial's place is free again.
    pub(crate) fn abandoned(&mut self, ticket: Ticket) {
        if ticket.0 == self.epoch
            && let State::HalfOpen(pause) = &self.state
        {
            self.move_on(State::Open(pause.clone()));
        }
    }

    /// Closes, whatever was. Says whether the plugin was put aside.
    pub(crate) fn lift(&mut self) -> bool {
        let aside = self.quarantine().is_some();
        self.move_on(State::Closed { failures: 0 });
        aside
    }

    fn open(
        &mut self,
        now: Moment,
        since: OffsetDateTime,
        length: Duration,
        failures: u32,
        failure: &CallFailure,
    ) -> Arc<Quarantine> {
        let until = now.after(length);
        let last_failure = LastFailure { code: failure.code(), message: failure.to_string() };
        let told = Arc::new(Quarantine { since, until: until.utc, failures, last_failure });
        self.move_on(State::Open(Pause { length, until: until.at, told: Arc::clone(&told) }));
        told
    }

    fn move_on(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests;
