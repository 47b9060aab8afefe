//! The shapes of plugins.

use utoipa::ToSchema;

use super::releases::{Attention, Release, Trial};
use super::{HookKind, Quarantine};

/// A plugin and its releases. What stands below `releases` is there while it is live.
#[derive(ToSchema)]
pub(crate) struct PluginOverview {
    /// Its name.
    name: String,
    /// `live`; `quarantined`: its calls fail at once, or its release could not be brought back; `disabled`; `removed`;
    /// `waiting`: no release of it has been live yet.
    state: PluginStanding,
    /// Since when its calls fail at once, until when, and why; `null` while they run.
    #[schema(required = true)]
    quarantine: Option<Quarantine>,
    /// Grows with every change. Also the plugin's ETag.
    revision: u64,
    /// The release that takes calls, or would if the plugin were enabled.
    #[schema(required = true)]
    release: Option<u32>,
    /// The newest release, where somebody should look at it.
    #[schema(required = true)]
    attention: Option<Attention>,
    /// The trial that runs.
    #[schema(required = true)]
    trial: Option<Trial>,
    /// Grants that operators approved beyond the configuration's.
    approved: Vec<String>,
    /// Its releases, the newest first.
    releases: Vec<Release>,
    /// The version that its component names.
    version: Option<String>,
    /// What its component says of itself.
    description: Option<String>,
    /// The component's digest.
    #[schema(value_type = String, required = false)]
    digest: Option<String>,
    /// Where its component came from.
    #[schema(value_type = String, required = false)]
    origin: Option<String>,
    /// When it is put aside; `null` for never.
    quarantine_rule: Option<QuarantineRule>,
    /// On which terms it gets its events.
    #[schema(value_type = PluginDelivery, required = false)]
    delivery: Option<PluginDelivery>,
    /// What a failed step of it does: `default`, `raise` or `skip`.
    #[schema(value_type = String, required = false)]
    on_failure: Option<String>,
    /// How long its instances live.
    #[schema(value_type = PluginIsolation, required = false)]
    isolation: Option<PluginIsolation>,
    /// What it is granted, as the configuration spells it.
    #[schema(value_type = Vec<String>, required = false)]
    grants: Option<Vec<String>>,
    /// What its calls may use.
    #[schema(value_type = Vec<PluginLimit>, required = false)]
    limits: Option<Vec<PluginLimit>>,
    /// The interfaces that it exports for the host.
    #[schema(value_type = Vec<String>, required = false)]
    exports: Option<Vec<String>>,
    /// The hooks that it takes.
    #[schema(value_type = Vec<HookTaken>, required = false)]
    hooks: Option<Vec<HookTaken>>,
}

/// How a plugin stands.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum PluginStanding {
    Live,
    Quarantined,
    Disabled,
    Removed,
    Waiting,
}

/// When a plugin is put aside.
#[derive(ToSchema)]
pub(crate) struct QuarantineRule {
    /// Failures in a row that put it aside.
    failures: u32,
    /// Milliseconds until the first trial. Each trial that fails doubles the next pause.
    pause_ms: u64,
    /// The most milliseconds between two trials.
    longest_pause_ms: u64,
}

/// On which terms a plugin gets its events.
#[derive(ToSchema)]
pub(crate) struct PluginDelivery {
    /// Failed attempts that make a dead letter of an event.
    attempts: u32,
    /// Milliseconds from the first attempt, after which one that fails is the last, too.
    horizon_ms: u64,
    /// Milliseconds after the first failed attempt. Each doubles the next pause.
    pause_ms: u64,
    /// The most milliseconds between two attempts.
    longest_pause_ms: u64,
    /// The path into an event's data: deliveries with the same value there follow one another.
    #[schema(required = true)]
    ordered_by: Option<String>,
    /// Deliveries that run at once.
    concurrency: u32,
}

/// How long a plugin's instances live.
#[derive(ToSchema)]
pub(crate) struct PluginIsolation {
    /// `call`: a fresh instance for every call. `reuse`: an instance serves several.
    kind: String,
    /// With `reuse`: the most calls of one instance.
    #[schema(required = true)]
    max_calls: Option<u32>,
}

/// One limit of a plugin.
#[derive(ToSchema)]
pub(crate) struct PluginLimit {
    /// Its key below `limits` in the plugin's table.
    setting: String,
    /// What it allows.
    value: u64,
    /// In what unit.
    unit: String,
}

/// A hook that a plugin takes.
#[derive(ToSchema)]
pub(crate) struct HookTaken {
    /// The hook's type.
    #[schema(rename = "type")]
    hook_type: String,
    /// `filter` or `event`.
    kind: HookKind,
    /// Why it takes the hook.
    reason: String,
}
