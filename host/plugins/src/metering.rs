//! Counters and clocks of hooks, made once a generation so that a call only adds to them.

use std::time::Duration;

use metrics::{Counter, Histogram};

use crate::generation::Generation;
use crate::pipeline::StepOutcome;
use crate::receiver::Receipt;
use crate::trial::Ended;

/// Calls by hook, plugin and outcome.
const CALLS: &str = "hookbox_calls_total";
/// Wall-clock seconds of calls by hook and plugin.
const SECONDS: &str = "hookbox_call_seconds";
/// Calls that trials chose, by plugin and result.
const TRIAL_CALLS: &str = "hookbox_trial_calls_total";

/// Whether a live plugin is put aside: 1 or 0.
const QUARANTINED: &str = "hookbox_plugin_quarantined";

impl Generation {
    /// Sets the gauge of each plugin that tells whether it is put aside.
    pub fn measure(&self) {
        for live in self.parts.plugins.values() {
            show_quarantined(live.name(), live.quarantine().is_some());
        }
    }

    /// Sets those to 0 that are live no more.
    pub(crate) fn retire(&self, next: &Self) {
        for name in self.parts.plugins.keys().filter(|name| !next.parts.plugins.contains_key(*name)) {
            show_quarantined(name, false);
        }
    }
}

fn show_quarantined(plugin: &str, quarantined: bool) {
    metrics::gauge!(QUARANTINED, "plugin" => plugin.to_owned()).set(f64::from(u8::from(quarantined)));
}

fn calls(hook: &str, plugin: &str, outcome: &'static str) -> Counter {
    metrics::counter!(CALLS, "hook" => hook.to_owned(), "plugin" => plugin.to_owned(), "outcome" => outcome)
}

fn seconds(hook: &str, plugin: &str) -> Histogram {
    metrics::histogram!(SECONDS, "hook" => hook.to_owned(), "plugin" => plugin.to_owned())
}

/// The meter of one step.
pub(crate) struct StepMeter {
    proceeded: Counter,
    halted: Counter,
    raised: Counter,
    skipped: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl StepMeter {
    pub(crate) fn new(filter_type: &str, plugin: &str) -> Self {
        Self {
            proceeded: calls(filter_type, plugin, "proceeded"),
            halted: calls(filter_type, plugin, "halted"),
            raised: calls(filter_type, plugin, "raised"),
            skipped: calls(filter_type, plugin, "skipped"),
            failed: calls(filter_type, plugin, "failed"),
            seconds: seconds(filter_type, plugin),
        }
    }

    pub(crate) fn record(&self, outcome: StepOutcome, took: Duration) {
        let counter = match outcome {
            StepOutcome::Proceeded => &self.proceeded,
            StepOutcome::Halted => &self.halted,
            StepOutcome::Raised => &self.raised,
            StepOutcome::Skipped => &self.skipped,
            StepOutcome::Failed => &self.failed,
        };
        counter.increment(1);
        self.seconds.record(took);
    }
}

/// The meter of one receiver.
pub(crate) struct ReceiverMeter {
    delivered: Counter,
    retry: Counter,
    rejected: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl ReceiverMeter {
    pub(crate) fn new(event_type: &str, plugin: &str) -> Self {
        Self {
            delivered: calls(event_type, plugin, "delivered"),
            retry: calls(event_type, plugin, "retry"),
            rejected: calls(event_type, plugin, "rejected"),
            failed: calls(event_type, plugin, "failed"),
            seconds: seconds(event_type, plugin),
        }
    }

    pub(crate) fn record(&self, receipt: &Receipt, took: Duration) {
        let counter = match receipt {
            Receipt::Delivered => &self.delivered,
            Receipt::Retry(_) => &self.retry,
            Receipt::Rejected(_) => &self.rejected,
            Receipt::Failed(_) | Receipt::Quarantined(_) => &self.failed,
        };
        counter.increment(1);
        self.seconds.record(took);
    }
}

/// The meter of one trial.
pub(crate) struct TrialMeter {
    answered: Counter,
    equal: Counter,
    different: Counter,
    failed: Counter,
    left_out: Counter,
}

impl TrialMeter {
    pub(crate) fn new(plugin: &str) -> Self {
        let calls = |result: &'static str| metrics::counter!(TRIAL_CALLS, "plugin" => plugin.to_owned(), "result" => result);
        Self {
            answered: calls("answered"),
            equal: calls("equal"),
            different: calls("different"),
            failed: calls("failed"),
            left_out: calls("left-out"),
        }
    }

    pub(crate) fn record(&self, ended: Ended) {
        let counter = match ended {
            Ended::Answered => &self.answered,
            Ended::Equal => &self.equal,
            Ended::Different => &self.different,
            Ended::Failed => &self.failed,
            Ended::LeftOut => &self.left_out,
        };
        counter.increment(1);
    }
}

impl std::fmt::Debug for TrialMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrialMeter")
    }
}

impl std::fmt::Debug for StepMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StepMeter")
    }
}

impl std::fmt::Debug for ReceiverMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiverMeter")
    }
}
