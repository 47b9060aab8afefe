//! A plugin's breaker as its calls share it: cheap while all is well, told to operators when it is not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_sandbox::CallFailure;
use metrics::Counter;

use crate::breaker::{Breaker, Change, Moment, Quarantine, QuarantineRule, Ticket};

/// Times that plugins were put aside.
const QUARANTINES: &str = "hookbox_quarantines_total";

/// How a breaker stands, beside its epoch in one word: no failures in a row, some, or calls are refused.
const HEALTHY: u64 = 0;
const FAILING: u64 = 1;
const ASIDE: u64 = 2;

/// The breaker of one live plugin. Without a rule, calls always run.
///
/// While the plugin answers, a call reads one atomic word when it begins and the same word when it ends. The lock is
/// taken when something failed, and while the plugin is put aside.
pub(crate) struct Circuit {
    plugin: String,
    rule: Option<QuarantineRule>,
    /// The epoch, and in the two lowest bits how the breaker stands. Written with the lock held.
    word: AtomicU64,
    breaker: Mutex<Breaker>,
    quarantines: Counter,
}

impl Circuit {
    pub(crate) fn new(plugin: &str, rule: Option<QuarantineRule>) -> Self {
        Self {
            plugin: plugin.to_owned(),
            rule,
            word: AtomicU64::new(HEALTHY),
            breaker: Mutex::new(Breaker::new(rule.unwrap_or_default())),
            quarantines: metrics::counter!(QUARANTINES, "plugin" => plugin.to_owned()),
        }
    }

    /// When the plugin is put aside; `None` for never.
    pub(crate) fn rule(&self) -> Option<QuarantineRule> {
        self.rule
    }

    /// Why calls are refused; `None` while they run.
    pub(crate) fn quarantine(&self) -> Option<Arc<Quarantine>> {
        if self.word.load(Ordering::Acquire) & ASIDE == 0 {
            return None;
        }
        self.lock().quarantine().map(Arc::clone)
    }

    /// Lets a call run, or says why not.
    pub(crate) fn admit(&self) -> Result<Admission<'_>, Arc<Quarantine>> {
        let word = self.word.load(Ordering::Acquire);
        if word & ASIDE == 0 {
            return Ok(self.admission(Ticket(word >> 2)));
        }
        let ticket = self.change(|breaker| breaker.admit(Moment::now().at))?;
        Ok(self.admission(ticket))
    }

    /// Ends a quarantine by hand. Says whether there was one.
    pub(crate) fn lift(&self) -> bool {
        self.change(Breaker::lift)
    }

    fn admission(&self, ticket: Ticket) -> Admission<'_> {
        Admission { circuit: self, ticket, told: false }
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the breaker and shows how it stands afterwards.
    fn change<T>(&self, work: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.lock();
        let done = work(&mut breaker);
        let stands = match (breaker.quarantine(), breaker.failures()) {
            (Some(_), _) => ASIDE,
            (None, 0) => HEALTHY,
            (None, _) => FAILING,
        };
        self.word.store(breaker.epoch() << 2 | stands, Ordering::Release);
        done
    }

    fn succeeded(&self, ticket: Ticket) {
        let word = self.word.load(Ordering::Acquire);
        if word == ticket.0 << 2 | HEALTHY || word >> 2 != ticket.0 {
            return;
        }
        let change = self.change(|breaker| breaker.succeeded(ticket));
        self.tell(change);
    }

    fn failed(&self, ticket: Ticket, failure: &CallFailure) {
        if self.rule.is_none() {
            return;
        }
        let change = self.change(|breaker| breaker.failed(ticket, Moment::now(), failure));
        self.tell(change);
    }

    fn abandoned(&self, ticket: Ticket) {
        // Only a trial has a place to give back.
        if self.word.load(Ordering::Acquire) == ticket.0 << 2 | ASIDE {
            self.change(|breaker| breaker.abandoned(ticket));
        }
    }

    fn tell(&self, change: Option<Change>) {
        let plugin = &*self.plugin;
        match change {
            None => {}
            Some(Change::PutAside(quarantine)) => {
                self.quarantines.increment(1);
                let Quarantine { until, failures, last_failure, .. } = &*quarantine;
                tracing::warn!(
                    plugin,
                    failures,
                    code = last_failure.code,
                    %until,
                    "the plugin is put aside: its calls fail at once until a trial succeeds; last failure: {}",
                    last_failure.message
                );
            }
            Some(Change::Prolonged(quarantine)) => {
                let Quarantine { until, failures, last_failure, .. } = &*quarantine;
                tracing::warn!(
                    plugin,
                    failures,
                    code = last_failure.code,
                    %until,
                    "the plugin failed its trial and stays aside: {}",
                    last_failure.message
                );
            }
            Some(Change::Recovered) => {
                tracing::info!(plugin, "the plugin passed its trial: calls run again");
            }
        }
    }
}

impl std::fmt::Debug for Circuit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Circuit").field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// A call that may run. Dropped without a word, as by a caller that hangs up, it says nothing of the plugin and gives a
/// trial's place back.
pub(crate) struct Admission<'a> {
    circuit: &'a Circuit,
    ticket: Ticket,
    told: bool,
}

impl Admission<'_> {
    /// The call ended: with an answer of any kind, or with this failure.
    pub(crate) fn ended(mut self, failure: Option<&CallFailure>) {
        self.told = true;
        match failure {
            None => self.circuit.succeeded(self.ticket),
            Some(failure) if is_the_plugins_fault(failure) => self.circuit.failed(self.ticket, failure),
            Some(_) => self.circuit.abandoned(self.ticket),
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.circuit.abandoned(self.ticket);
        }
    }
}

/// Whether a failure counts against the plugin. A limit does, whatever made the guest reach it; what the caller sent, or
/// what the host lacks, does not.
fn is_the_plugins_fault(failure: &CallFailure) -> bool {
    match failure {
        CallFailure::Trap { .. }
        | CallFailure::Limit(_)
        | CallFailure::Exit { .. }
        | CallFailure::Answer(_) => true,
        CallFailure::Argument(_) | CallFailure::Overloaded { .. } | CallFailure::Internal { .. } => false,
    }
}

#[cfg(test)]
mod tests;
