//! What an operator may ask of a live plugin, beyond what there is to tell of every plugin.

use std::time::Duration;

use hookbox_sandbox::{Grants, Isolation};
use serde::Serialize;

use crate::breaker::QuarantineRule;
use crate::effective::on_failure_name;
use crate::generation::{Generation, LivePlugin};
use crate::settings::DeliveryRule;

/// A live plugin in full. Its name, and whether its calls run, stand in [`crate::PluginOverview`].
#[derive(Debug, Clone, Serialize)]
pub struct PluginDetail {
    /// The version its component names.
    pub version: Option<String>,
    /// What its component says of itself.
    pub description: Option<String>,
    /// The component's digest.
    pub digest: String,
    /// Where its component came from.
    pub origin: String,
    /// When it is put aside; `None` for never.
    pub quarantine_rule: Option<RuleView>,
    /// On which terms it gets its events.
    pub delivery: DeliveryView,
    /// What a failed step of it does.
    pub on_failure: &'static str,
    /// How long its instances live.
    pub isolation: IsolationView,
    /// What it is granted.
    pub grants: Grants,
    /// What its calls may use.
    pub limits: Vec<LimitView>,
    /// The interfaces it exports for the host.
    pub exports: Vec<String>,
    /// The hooks it takes, by type.
    pub hooks: Vec<HookTaken>,
}

/// When a plugin is put aside.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RuleView {
    /// Failures in a row that put it aside.
    pub failures: u32,
    /// Milliseconds until the first trial.
    pub pause_ms: u64,
    /// The most milliseconds between two trials.
    pub longest_pause_ms: u64,
}

/// On which terms a plugin gets its events.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView {
    /// Failed attempts that make a dead letter.
    pub attempts: u32,
    /// Milliseconds from the first attempt, after which one that fails is the last.
    pub horizon_ms: u64,
    /// Milliseconds after the first failed attempt.
    pub pause_ms: u64,
    /// The most milliseconds between two attempts.
    pub longest_pause_ms: u64,
    /// The path into an event's data: deliveries with the same value there follow one another.
    pub ordered_by: Option<String>,
    /// Deliveries that run at once.
    pub concurrency: u32,
}

/// How long instances live.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct IsolationView {
    /// `call` or `reuse`.
    pub kind: &'static str,
    /// With `reuse`: the most calls of one instance.
    pub max_calls: Option<u32>,
}

/// One limit of a plugin.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LimitView {
    /// Its key below `limits` in the plugin's table.
    pub setting: &'static str,
    /// What it allows.
    pub value: u64,
    /// In what unit.
    pub unit: &'static str,
}

/// A hook that a plugin takes.
#[derive(Debug, Clone, Serialize)]
pub struct HookTaken {
    /// The hook's type.
    #[serde(rename = "type")]
    pub hook_type: String,
    /// `filter` or `event`.
    pub kind: &'static str,
    /// Why it takes the hook.
    pub reason: String,
}

impl Generation {
    /// One live plugin in full.
    pub fn plugin_detail(&self, name: &str) -> Option<PluginDetail> {
        self.parts.plugins.get(name).map(|live| self.detail(live))
    }

    fn detail(&self, live: &LivePlugin) -> PluginDetail {
        let limits = live.plugin.limits().listed();
        PluginDetail {
            version: live.version().map(str::to_owned),
            description: live.plugin.report().metadata.description.clone(),
            digest: live.digest.clone(),
            origin: live.origin.clone(),
            quarantine_rule: live.quarantine_rule().map(RuleView::from),
            delivery: DeliveryView::from(&live.delivery),
            on_failure: on_failure_name(live.on_failure),
            isolation: live.plugin.isolation().into(),
            grants: live.plugin.grants().clone(),
            limits: limits.map(|(setting, value, unit)| LimitView { setting, value, unit }).into(),
            exports: live.exports(),
            hooks: self.taken_by(live.name()),
        }
    }

    /// The hooks of a plugin. One that is in a pipeline twice has it here twice.
    fn taken_by(&self, name: &str) -> Vec<HookTaken> {
        let steps = self.pipelines().flat_map(|(hook_type, pipeline)| {
            let steps = pipeline.steps.iter().filter(|step| step.plugin.name() == name);
            steps.map(move |step| (hook_type, "filter", &step.reason))
        });
        let receivers = self.events().flat_map(|(hook_type, receivers)| {
            let receivers = receivers.iter().filter(|receiver| receiver.plugin.name() == name);
            receivers.map(move |receiver| (hook_type, "event", &receiver.reason))
        });
        let taken = |(hook_type, kind, reason): (&str, _, &String)| HookTaken {
            hook_type: hook_type.to_owned(),
            kind,
            reason: reason.clone(),
        };
        steps.chain(receivers).map(taken).collect()
    }
}

impl From<QuarantineRule> for RuleView {
    fn from(rule: QuarantineRule) -> Self {
        Self {
            failures: rule.failures,
            pause_ms: milliseconds(rule.pause),
            longest_pause_ms: milliseconds(rule.longest_pause),
        }
    }
}

impl From<&DeliveryRule> for DeliveryView {
    fn from(rule: &DeliveryRule) -> Self {
        Self {
            attempts: rule.attempts,
            horizon_ms: milliseconds(rule.horizon),
            pause_ms: milliseconds(rule.pause),
            longest_pause_ms: milliseconds(rule.longest_pause),
            ordered_by: rule.ordered_by.clone(),
            concurrency: rule.concurrency,
        }
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl From<Isolation> for IsolationView {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Call => Self { kind: "call", max_calls: None },
            Isolation::Reuse { max_calls } => Self { kind: "reuse", max_calls: Some(max_calls) },
        }
    }
}
