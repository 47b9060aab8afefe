//! The shapes of `/admin/api/`.

use utoipa::ToSchema;

use super::{HookKind, PluginStateName, Quarantine};

/// A live plugin in full.
#[derive(ToSchema)]
pub(crate) struct PluginDetail {
    /// Its name.
    name: String,
    /// The version that its component names.
    #[schema(required = true)]
    version: Option<String>,
    /// What its component says of itself.
    #[schema(required = true)]
    description: Option<String>,
    /// The component's digest.
    digest: String,
    /// Where its component came from.
    origin: String,
    /// Whether its calls run.
    state: PluginStateName,
    /// Since when it is put aside, until when, and why; `null` while it is live.
    #[schema(required = true)]
    quarantine: Option<Quarantine>,
    /// When it is put aside; `null` for never.
    #[schema(required = true)]
    quarantine_rule: Option<QuarantineRule>,
    /// What a failed step of it does: `default`, `raise` or `skip`.
    on_failure: String,
    /// How long its instances live.
    isolation: PluginIsolation,
    /// What it is granted, as the configuration spells it.
    grants: Vec<String>,
    /// What its calls may use.
    limits: Vec<PluginLimit>,
    /// The interfaces that it exports for the host.
    exports: Vec<String>,
    /// The hooks that it takes.
    hooks: Vec<HookTaken>,
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
