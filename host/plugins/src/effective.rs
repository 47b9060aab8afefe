//! Which plugins a hook's call reaches, in which order, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_hooks::catalogue::{any_event, any_filter};
use hookbox_hooks::{Catalogue, Filter, FilterConfig, OnFailure, names};
use hookbox_sandbox::{CallContext, FunctionId};
use serde_json::Value;

use crate::generation::{LivePlugin, Parts};
use crate::load::LoadError;
use crate::metering::{ReceiverMeter, StepMeter};
use crate::pipeline::{Pipeline, Step};
use crate::receiver::Receiver;
use crate::settings::FiltersTable;
use crate::trial::{Trial, Tried};

/// Types of Open edX's documentation that the platform calls by another name. Both work without configuration.
const ALIASES: &[(&str, &str)] = &[(
    "org.openedx.learning.course.about.render.started.v1",
    "org.openedx.learning.course_about.page.url.requested.v1",
)];

/// Among a plugin's `hooks`: every event of the catalogue. Neither filters nor types that no catalogue has.
pub(crate) const EVERY_EVENT: &str = "*";

type Plugins = BTreeMap<String, Arc<LivePlugin>>;
type Trials = BTreeMap<String, Arc<Trial>>;

/// The function by which a release takes a hook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) function: FunctionId,
    /// Whether it is one for any hook.
    pub(crate) generic: bool,
}

/// A release that takes a hook, and why.
type Taking = (Arc<LivePlugin>, Entry, String);

/// All filters' pipelines, and what there is to say about them.
#[derive(Default)]
pub(crate) struct Filters {
    pub(crate) pipelines: BTreeMap<String, Pipeline>,
    pub(crate) warnings: Vec<String>,
    pub(crate) errors: Vec<LoadError>,
}

/// What one filter's table says.
#[derive(Default)]
struct FilterTable {
    like: Option<String>,
    config: FilterConfig,
}

pub(crate) fn pipelines(parts: &Parts, tables: &FiltersTable) -> Filters {
    let plugins = &parts.plugins;
    let catalogue = Catalogue::embedded();
    let mut filters = Filters::default();
    let mut known: BTreeMap<String, FilterTable> = catalogue
        .filters()
        .iter()
        .map(|filter| (filter.filter_type.clone(), FilterTable::default()))
        .collect();
    for (alias, like) in ALIASES {
        known.insert(
            (*alias).to_owned(),
            FilterTable { like: Some((*like).to_owned()), ..FilterTable::default() },
        );
    }
    // A generic plugin may be given hooks that are in no catalogue; those that end in an event's place are events.
    for hook in plugins
        .values()
        .filter(|live| live.plugin.function(any_filter()).is_some())
        .flat_map(|live| &live.hooks)
    {
        if hook != EVERY_EVENT && catalogue.event(hook).is_none() {
            known.entry(hook.clone()).or_default();
        }
    }
    for (filter_type, value) in tables {
        match table(filter_type, value, known.get(filter_type)) {
            Ok(table) => {
                known.insert(filter_type.clone(), table);
            }
            Err(reason) => {
                filters.errors.push(LoadError::Filter { filter_type: filter_type.clone(), reason });
            }
        }
    }
    for (filter_type, table) in known {
        let pipeline = pipeline(parts, &filter_type, &table, &mut filters);
        filters.pipelines.insert(filter_type, pipeline);
    }
    filters
}

fn table(filter_type: &str, value: &Value, known: Option<&FilterTable>) -> Result<FilterTable, String> {
    let catalogue = Catalogue::embedded();
    let mut value = value.clone();
    let like = value.as_object_mut().and_then(|table| table.remove("like"));
    let like = match like {
        None => known.and_then(|table| table.like.clone()),
        Some(Value::String(like)) => Some(like),
        Some(_) => return Err("like must be the type of a catalogued filter, in quotes".into()),
    };
    if let Some(like) = &like
        && catalogue.filter(like).is_none()
    {
        let types = catalogue.filters().iter().map(|filter| filter.filter_type.as_str());
        let near =
            names::nearest(like, types).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!("like = {like:?}: no filter of the catalogue has that type{near}"));
    }
    if known.is_none() && like.is_none() {
        if value.as_object().is_some_and(|table| table.values().any(Value::is_object))
            && !filter_type.contains('.')
        {
            return Err("put the filter's whole type in quotes: [filters.\"org.openedx.…\"]".into());
        }
        let types = catalogue.filters().iter().map(|filter| filter.filter_type.as_str());
        let near = names::nearest(filter_type, types)
            .map(|near| format!("did you mean {near}? "))
            .unwrap_or_default();
        return Err(format!(
            "no filter has that type; {near}For a type of your own, name the filter it behaves like with `like`, or \
             give it to a generic plugin through its `hooks`"
        ));
    }
    match value.get("fail_silently") {
        None | Some(Value::Bool(_)) => {}
        // Upstream tests for truth, so that the text "false" is true there: a trap, not a feature.
        Some(other) => return Err(format!("fail_silently must be true or false, not {other}")),
    }
    if !matches!(value, Value::Object(_) | Value::Array(_) | Value::String(_)) {
        return Err("expected a table, a list of plugin names, or one plugin name".into());
    }
    let config = FilterConfig::from_value(&value).map_err(|error| error.to_string())?;
    Ok(FilterTable { like, config })
}

fn pipeline(parts: &Parts, filter_type: &str, table: &FilterTable, filters: &mut Filters) -> Pipeline {
    let plugins = &parts.plugins;
    let catalogued = table.like.as_deref().unwrap_or(filter_type);
    let filter = Catalogue::embedded().filter(catalogued).cloned();
    let fail_silently = table.config.fail_silently;
    let mut missing = Vec::new();
    let types = [filter_type, catalogued];
    let mut chosen: Vec<Taking> = Vec::new();
    match &table.config.pipeline {
        Some(listed) => {
            for (at, name) in listed.iter().enumerate() {
                match listed_step(plugins, name, filter.as_deref(), &types) {
                    Ok((live, entry)) => {
                        if listed[..at].contains(name) {
                            let text = format!(
                                "filters.{filter_type:?}: {name} is listed more than once and runs each time"
                            );
                            filters.warnings.push(text);
                        }
                        let reason = format!("number {} of the configured pipeline", at + 1);
                        chosen.push((live, entry, reason));
                    }
                    Err(_) if parts.lost.contains_key(name) && !fail_silently => {
                        filters.warnings.push(format!(
                            "filters.{filter_type:?}: each call fails, because {name} could not be brought back"
                        ));
                        missing.push((name.clone(), "its release could not be brought back".to_owned()));
                    }
                    Err(reason) if fail_silently => {
                        filters
                            .warnings
                            .push(format!("filters.{filter_type:?}: {name} is skipped: {reason}"));
                        missing.push((name.clone(), reason));
                    }
                    Err(reason) => filters.errors.push(LoadError::Filter {
                        filter_type: filter_type.to_owned(),
                        reason: format!("pipeline lists {name:?}, but {reason} (and fail_silently is false)"),
                    }),
                }
            }
        }
        None => {
            for live in plugins.values() {
                if let Some((entry, why)) = takes(live, filter.as_deref(), &types) {
                    let reason = match &table.like {
                        Some(like) => format!("{why}; this type behaves like {like}"),
                        None => why,
                    };
                    chosen.push((Arc::clone(live), entry, reason));
                }
            }
        }
    }
    let running: Vec<String> = match &table.config.pipeline {
        Some(listed) => listed.clone(),
        None => chosen.iter().map(|(live, ..)| live.name().to_owned()).collect(),
    };
    let metadata = table.config.metadata(filter_type, &running);
    let context = Arc::new(CallContext { filter: Some(metadata), delivery: None });
    let steps = chosen.into_iter().map(|(plugin, entry, reason)| {
        let meter = StepMeter::new(filter_type, plugin.name());
        let by_candidate = |live: &LivePlugin| Some(takes(live, filter.as_deref(), &types)?.0);
        let (tried, reason) = tried(&parts.trials, plugin.name(), by_candidate, reason);
        Step { plugin, reason, entry, tried, context: Arc::clone(&context), meter }
    });
    let steps = steps.collect();
    Pipeline {
        filter_type: filter_type.to_owned(),
        filter,
        like: table.like.clone(),
        fail_silently,
        steps,
        missing,
    }
}

fn listed_step(
    plugins: &Plugins,
    name: &str,
    filter: Option<&Filter>,
    types: &[&str],
) -> Result<(Arc<LivePlugin>, Entry), String> {
    let Some(live) = plugins.get(name) else {
        let near = names::nearest(name, plugins.keys().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!("no live plugin has that name{hint}"));
    };
    match takes(live, filter, types) {
        Some((entry, _)) => Ok((Arc::clone(live), entry)),
        None => Err(match filter {
            Some(filter) => format!("it does not export {}", filter.signature.interface),
            None => "its `hooks` does not name this type".to_owned(),
        }),
    }
}

/// How a plugin takes a filter: by the filter's own interface, or by the generic one where its `hooks` says so.
fn takes(live: &LivePlugin, filter: Option<&Filter>, types: &[&str]) -> Option<(Entry, String)> {
    if let Some(filter) = filter
        && let Some(function) = live.plugin.function(&filter.signature)
    {
        let why = format!("it exports {}", filter.signature.interface);
        return Some((Entry { function, generic: false }, why));
    }
    let function = live.plugin.function(any_filter())?;
    let named = types.iter().find(|hook| live.hooks.contains(**hook))?;
    Some((Entry { function, generic: true }, format!("its `hooks` names {named}")))
}

/// The release of a plugin that is tried, when it takes the hook too, and the reason for the step or receiver with what
/// there is to say about that.
fn tried(
    trials: &Trials,
    plugin: &str,
    takes: impl FnOnce(&LivePlugin) -> Option<Entry>,
    reason: String,
) -> (Option<Tried>, String) {
    let Some(trial) = trials.get(plugin) else {
        return (None, reason);
    };
    match takes(&trial.candidate) {
        Some(entry) => {
            let reason = format!("{reason}; {}", trial.described());
            (Some(Tried { trial: Arc::clone(trial), entry }), reason)
        }
        None => (None, format!("{reason}; the release that is tried does not take it")),
    }
}

pub(crate) fn receivers(parts: &Parts) -> BTreeMap<String, Vec<Receiver>> {
    let catalogue = Catalogue::embedded();
    let generic = parts.plugins.values().filter(|live| live.plugin.function(any_event()).is_some());
    let asked = generic.flat_map(|live| live.hooks.iter().cloned());
    let asked = asked.filter(|hook| hook != EVERY_EVENT && catalogue.filter(hook).is_none());
    let types = catalogue.events().iter().map(|event| event.event_type.clone()).chain(asked);
    types.map(|event_type| (event_type.clone(), receivers_of(parts, &event_type))).collect()
}

fn receivers_of(parts: &Parts, event_type: &str) -> Vec<Receiver> {
    let receiver = |live: &Arc<LivePlugin>| {
        let (entry, reason) = receives(live, event_type)?;
        let meter = ReceiverMeter::new(event_type, live.name());
        let by_candidate = |live: &LivePlugin| Some(receives(live, event_type)?.0);
        let (tried, reason) = tried(&parts.trials, live.name(), by_candidate, reason);
        Some(Receiver { plugin: Arc::clone(live), reason, entry, tried, meter })
    };
    parts.plugins.values().filter_map(receiver).collect()
}

/// How a plugin receives an event: by the event's own interface, or by the generic one where its `hooks` says so.
fn receives(live: &LivePlugin, event_type: &str) -> Option<(Entry, String)> {
    if let Some(event) = Catalogue::embedded().event(event_type)
        && let Some(function) = live.plugin.function(&event.signature)
    {
        let why = format!("it exports {}", event.signature.interface);
        return Some((Entry { function, generic: false }, why));
    }
    let function = live.plugin.function(any_event())?;
    let why = if live.hooks.contains(event_type) {
        format!("its `hooks` names {event_type}")
    } else if live.hooks.contains(EVERY_EVENT) && Catalogue::embedded().event(event_type).is_some() {
        format!("its `hooks` has {EVERY_EVENT:?}, which is every event of the catalogue")
    } else {
        return None;
    };
    Some((Entry { function, generic: true }, why))
}

/// What a plugin's failed step does to a pipeline, in words.
pub(crate) fn on_failure_name(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Default => "default",
        OnFailure::Raise => "raise",
        OnFailure::Skip => "skip",
    }
}

#[cfg(test)]
mod tests;
