//! A generation: the plugins that are live together, with the pipelines and receivers they make. Immutable; a call
//! takes one and keeps it to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hookbox_hooks::{Catalogue, Event, Filter, OnFailure};
use hookbox_sandbox::Plugin;

use crate::breaker::{Quarantine, QuarantineRule};
use crate::candidate::Terms;
use crate::circuit::Circuit;
use crate::effective;
use crate::load::{LoadError, unused_grants};
use crate::pipeline::Pipeline;
use crate::receiver::Receiver;
use crate::settings::{DeliveryRule, FiltersTable};
use crate::trial::Trial;

/// A plugin that takes calls.
#[derive(Debug)]
pub struct LivePlugin {
    /// The admitted component with its settings and limits.
    pub plugin: Plugin,
    /// What a failed step of it does.
    pub on_failure: OnFailure,
    /// The hooks that its generic interfaces get.
    pub hooks: BTreeSet<String>,
    /// Its component's digest as text, `sha256:…`, made once.
    pub digest: String,
    /// Where its component came from: a file, or the sample embedded in the host.
    pub origin: String,
    /// The number of its release; 0 where none was recorded.
    pub release: u32,
    /// On which terms it gets its events.
    pub delivery: DeliveryRule,
    /// What it was held to.
    pub(crate) terms: Terms,
    pub(crate) circuit: Circuit,
}

impl LivePlugin {
    /// Its name.
    pub fn name(&self) -> &str {
        self.plugin.name()
    }

    /// The version its component names.
    pub fn version(&self) -> Option<&str> {
        self.plugin.report().metadata.version.as_deref()
    }

    /// When it is put aside; `None` for never.
    pub fn quarantine_rule(&self) -> Option<QuarantineRule> {
        self.circuit.rule()
    }

    /// Why its calls fail at once, while they do.
    pub fn quarantine(&self) -> Option<Arc<Quarantine>> {
        self.circuit.quarantine()
    }

    /// Ends its quarantine by hand: calls run again, and failures are counted from zero. Says whether there was one.
    pub fn lift(&self) -> bool {
        self.circuit.lift()
    }
}

/// What a generation is built of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    /// The plugins that take calls, by name.
    pub(crate) plugins: BTreeMap<String, Arc<LivePlugin>>,
    /// The trials that run, by plugin.
    pub(crate) trials: BTreeMap<String, Arc<Trial>>,
    /// Plugins that were live and could not be brought back, with the reason. A pipeline that lists one and may not fail
    /// silently fails each call; it keeps nothing else from living.
    pub(crate) lost: BTreeMap<String, String>,
}

/// Everything that is live at one moment.
#[derive(Debug)]
pub struct Generation {
    pub(crate) number: u64,
    pub(crate) parts: Parts,
    pub(crate) pipelines: BTreeMap<String, Pipeline>,
    pub(crate) receivers: BTreeMap<String, Vec<Receiver>>,
    pub(crate) warnings: Vec<String>,
}

impl Generation {
    /// Works out pipelines and receivers.
    ///
    /// # Errors
    /// What the filters' tables ask for and cannot have.
    pub(crate) fn build(number: u64, parts: Parts, tables: &FiltersTable) -> Result<Self, Vec<LoadError>> {
        let filters = effective::pipelines(&parts, tables);
        if !filters.errors.is_empty() {
            return Err(filters.errors);
        }
        let receivers = effective::receivers(&parts);
        let unused =
            |live: &Arc<LivePlugin>| unused_grants(live.name(), live.plugin.grants(), live.plugin.report());
        let mut warnings: Vec<String> = parts.plugins.values().flat_map(unused).collect();
        warnings.extend(filters.warnings);
        Ok(Self { number, parts, pipelines: filters.pipelines, receivers, warnings })
    }

    /// Grows from generation to generation, also over restarts; 0 for one that no server serves.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The trials that run, by plugin.
    pub fn trials(&self) -> &BTreeMap<String, Arc<Trial>> {
        &self.parts.trials
    }

    /// The live plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<LivePlugin>> {
        self.parts.plugins.values()
    }

    /// A live plugin by name.
    pub fn plugin(&self, name: &str) -> Option<&Arc<LivePlugin>> {
        self.parts.plugins.get(name)
    }

    /// The live plugin whose name is nearest to one that is none.
    pub fn nearest_plugin(&self, name: &str) -> Option<&str> {
        hookbox_hooks::names::nearest(name, self.parts.plugins.keys().map(String::as_str))
    }

    /// The effective pipeline of a filter type; `None` when no filter has that type.
    pub fn pipeline(&self, filter_type: &str) -> Option<&Pipeline> {
        self.pipelines.get(filter_type)
    }

    /// All pipelines by filter type, also the empty ones.
    pub fn pipelines(&self) -> impl Iterator<Item = (&str, &Pipeline)> {
        self.pipelines.iter().map(|(name, pipeline)| (name.as_str(), pipeline))
    }

    /// The receivers of an event type; `None` when no event has that type.
    pub fn receivers(&self, event_type: &str) -> Option<&[Receiver]> {
        self.receivers.get(event_type).map(Vec::as_slice)
    }

    /// All event types with their receivers, also those without.
    pub fn events(&self) -> impl Iterator<Item = (&str, &[Receiver])> {
        self.receivers.iter().map(|(name, receivers)| (name.as_str(), receivers.as_slice()))
    }

    /// What an operator should look at, although the generation can live.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The catalogued filter that a type is, or behaves like.
    pub fn filter(&self, filter_type: &str) -> Option<&Arc<Filter>> {
        self.pipelines.get(filter_type)?.filter.as_ref()
    }

    /// The catalogued event of that type.
    pub fn event(&self, event_type: &str) -> Option<&'static Arc<Event>> {
        Catalogue::embedded().event(event_type)
    }

    /// The known filter type nearest to one that is not.
    pub fn nearest_filter(&self, filter_type: &str) -> Option<&str> {
        hookbox_hooks::names::nearest(filter_type, self.pipelines.keys().map(String::as_str))
    }

    /// The known event type nearest to one that is not.
    pub fn nearest_event(&self, event_type: &str) -> Option<&str> {
        hookbox_hooks::names::nearest(event_type, self.receivers.keys().map(String::as_str))
    }
}

#[cfg(test)]
mod tests;
