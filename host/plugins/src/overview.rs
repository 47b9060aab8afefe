//! What is live, as data for operators: the catalogue, effective pipelines and receivers with the reason for each.

use hookbox_hooks::{Catalogue, names};
use hookbox_sandbox::Grants;
use serde::Serialize;

use crate::breaker::Quarantine;
use crate::effective::on_failure_name;
use crate::generation::{Generation, LivePlugin};

/// One hook and who takes it.
#[derive(Debug, Clone, Serialize)]
pub struct HookView {
    /// The hook's type.
    #[serde(rename = "type")]
    pub hook_type: String,
    /// `filter` or `event`.
    pub kind: &'static str,
    /// Upstream's class or signal; `None` for a type that is in no catalogue.
    pub upstream: Option<String>,
    /// The interface that a plugin exports for it; `None` where only generic plugins can.
    pub interface: Option<String>,
    /// The catalogued filter that this type behaves like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Whether any plugin takes it.
    pub live: bool,
    /// Filters: whether a failed step is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_silently: Option<bool>,
    /// Its arguments, or its data key, each with its type in WIT.
    pub arguments: Vec<Argument>,
    /// Filters: the steps in order. Events: the receivers.
    pub plugins: Vec<TakerView>,
    /// Filters: listed plugins that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingView>,
}

/// A hook's argument.
#[derive(Debug, Clone, Serialize)]
pub struct Argument {
    /// The name in JSON.
    pub name: String,
    /// The type in WIT.
    #[serde(rename = "type")]
    pub ty: String,
}

/// A plugin that takes a hook.
#[derive(Debug, Clone, Serialize)]
pub struct TakerView {
    /// The plugin's name.
    pub plugin: String,
    /// The version its component names.
    pub version: Option<String>,
    /// The component's digest.
    pub digest: String,
    /// The number of its release; 0 where none was recorded.
    pub release: u32,
    /// What a failed step of it does.
    pub on_failure: &'static str,
    /// Why it takes the hook.
    pub reason: String,
    /// Whether its calls run.
    #[serde(flatten)]
    pub state: PluginState,
}

/// Whether a live plugin's calls run.
#[derive(Debug, Clone, Serialize)]
pub struct PluginState {
    /// `live`, or `quarantined` while its calls fail at once.
    pub state: &'static str,
    /// Since when it is put aside, until when, and why; `None` while it is live.
    pub quarantine: Option<Quarantine>,
}

/// A listed plugin that is not there.
#[derive(Debug, Clone, Serialize)]
pub struct MissingView {
    /// Its name in the pipeline.
    pub plugin: String,
    /// Why it does not run.
    pub reason: String,
}

/// A live plugin.
#[derive(Debug, Clone, Serialize)]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// The version its component names.
    pub version: Option<String>,
    /// What its component says of itself.
    pub description: Option<String>,
    /// The component's digest.
    pub digest: String,
    /// Where its component came from.
    pub origin: String,
    /// The interfaces it exports for the host.
    pub exports: Vec<String>,
    /// What it is granted.
    pub grants: Grants,
    /// What its calls may use.
    pub limits: hookbox_sandbox::Limits,
    /// Whether its calls run.
    #[serde(flatten)]
    pub state: PluginState,
}

impl LivePlugin {
    /// Whether its calls run, as operators see it.
    pub fn state(&self) -> PluginState {
        let quarantine = self.quarantine().map(|quarantine| (*quarantine).clone());
        PluginState { state: if quarantine.is_some() { "quarantined" } else { "live" }, quarantine }
    }

    /// The interfaces it exports for the host.
    pub(crate) fn exports(&self) -> Vec<String> {
        let exports = self.plugin.report().exports.iter();
        let hooks = exports.filter(|export| export.role == hookbox_sandbox::Role::Hook);
        hooks.map(|export| export.interface.clone()).collect()
    }
}

fn taker(live: &LivePlugin, reason: &str) -> TakerView {
    TakerView {
        plugin: live.name().to_owned(),
        version: live.version().map(str::to_owned),
        digest: live.digest.clone(),
        release: live.release,
        on_failure: on_failure_name(live.on_failure),
        reason: reason.to_owned(),
        state: live.state(),
    }
}

impl Generation {
    /// Every hook: the catalogue's, and the operator's own.
    pub fn hooks(&self) -> Vec<HookView> {
        let filters = self.pipelines.keys().filter_map(|name| self.filter_view(name));
        filters.chain(self.receivers.keys().filter_map(|name| self.event_view(name))).collect()
    }

    /// One hook by type.
    pub fn hook(&self, hook_type: &str) -> Option<HookView> {
        self.filter_view(hook_type).or_else(|| self.event_view(hook_type))
    }

    /// The known hook type nearest to one that is not.
    pub fn nearest_hook(&self, hook_type: &str) -> Option<&str> {
        let known = self.pipelines.keys().chain(self.receivers.keys()).map(String::as_str);
        names::nearest(hook_type, known)
    }

    /// Every live plugin.
    pub fn plugin_views(&self) -> Vec<PluginView> {
        let view = |live: &LivePlugin| PluginView {
            name: live.name().to_owned(),
            version: live.version().map(str::to_owned),
            description: live.plugin.report().metadata.description.clone(),
            digest: live.digest.clone(),
            origin: live.origin.clone(),
            exports: live.exports(),
            grants: live.plugin.grants().clone(),
            limits: live.plugin.limits().clone(),
            state: live.state(),
        };
        self.parts.plugins.values().map(|live| view(live)).collect()
    }

    fn filter_view(&self, filter_type: &str) -> Option<HookView> {
        let pipeline = self.pipelines.get(filter_type)?;
        let filter = pipeline.filter.as_deref();
        let params = filter.map(|filter| filter.params.as_slice()).unwrap_or_default();
        Some(HookView {
            hook_type: filter_type.to_owned(),
            kind: "filter",
            upstream: filter.map(|filter| format!("{}.{}", filter.module, filter.class)),
            interface: filter.map(|filter| filter.signature.interface.clone()),
            like: pipeline.like.clone(),
            live: !pipeline.steps.is_empty(),
            fail_silently: Some(pipeline.fail_silently),
            arguments: params.iter().map(argument).collect(),
            plugins: pipeline.steps.iter().map(|step| taker(&step.plugin, &step.reason)).collect(),
            missing: pipeline
                .missing
                .iter()
                .map(|(plugin, reason)| MissingView { plugin: plugin.clone(), reason: reason.clone() })
                .collect(),
        })
    }

    fn event_view(&self, event_type: &str) -> Option<HookView> {
        let receivers = self.receivers.get(event_type)?;
        let event = Catalogue::embedded().event(event_type);
        Some(HookView {
            hook_type: event_type.to_owned(),
            kind: "event",
            upstream: event.map(|event| format!("{}.{}", event.module, event.signal)),
            interface: event.map(|event| event.signature.interface.clone()),
            like: None,
            live: !receivers.is_empty(),
            fail_silently: None,
            arguments: event.iter().map(|event| argument(&event.data)).collect(),
            plugins: receivers.iter().map(|receiver| taker(&receiver.plugin, &receiver.reason)).collect(),
            missing: Vec::new(),
        })
    }
}

fn argument(field: &hookbox_hooks::types::Field) -> Argument {
    Argument { name: field.name.clone(), ty: field.ty.wit() }
}
