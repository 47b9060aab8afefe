//! What changes between two generations, in words an operator can act on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::requests::{HookChange, PluginChange, ReloadReport};
use crate::candidate::Terms;
use crate::generation::{Generation, LivePlugin};
use crate::settings::PluginTable;

/// Compares what is live before and after.
pub(super) fn compare(before: Option<&Generation>, after: Option<&Generation>) -> ReloadReport {
    let (old, new) = (plugins(before), plugins(after));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let plugins = names.into_iter().filter_map(|name| match (old.get(name), new.get(name)) {
        (None, Some(live)) => Some(change(name, "added", vec![live.digest.clone()])),
        (Some(live), None) => Some(change(name, "removed", vec![live.digest.clone()])),
        (Some(old), Some(new)) if old.digest != new.digest => {
            let mut what = vec![format!("{} becomes {}", old.digest, new.digest)];
            what.extend(keys(&old.terms, &new.terms));
            Some(change(name, "upgraded", what))
        }
        (Some(old), Some(new)) => {
            let keys = keys(&old.terms, &new.terms);
            (!keys.is_empty()).then(|| change(name, "changed", keys))
        }
        (None, None) => None,
    });
    let warnings = after.map(|after| after.warnings().to_vec()).unwrap_or_default();
    ReloadReport { plugins: plugins.collect(), hooks: hooks(before, after), warnings, generation: None }
}

fn plugins(generation: Option<&Generation>) -> BTreeMap<&str, &LivePlugin> {
    generation.into_iter().flat_map(Generation::plugins).map(|live| (live.name(), &**live)).collect()
}

fn change(plugin: &str, change: &'static str, what: Vec<String>) -> PluginChange {
    PluginChange { plugin: plugin.to_owned(), change, what }
}

/// The keys of a plugin's table whose values differ. Values stay out of it: a setting may be a secret.
fn keys(old: &Terms, new: &Terms) -> Vec<String> {
    let (a, b): (&PluginTable, &PluginTable) = (&old.table, &new.table);
    let mut keys: Vec<String> = Vec::new();
    let names: BTreeSet<&String> = a.settings.keys().chain(b.settings.keys()).collect();
    let differ = names.into_iter().filter(|name| a.settings.get(*name) != b.settings.get(*name));
    keys.extend(differ.map(|name| format!("settings.{name}")));
    for (key, same) in [
        ("component", a.component == b.component),
        ("grants", a.grants == b.grants),
        ("on_failure", a.on_failure == b.on_failure),
        ("isolation", a.isolation == b.isolation),
        ("max_calls", a.max_calls == b.max_calls),
        ("limits", a.limits == b.limits),
        ("quarantine", a.quarantine == b.quarantine),
        ("delivery", a.delivery == b.delivery),
        ("hooks", a.hooks == b.hooks),
    ] {
        if !same {
            keys.push(key.to_owned());
        }
    }
    keys
}

/// What a filter or an event reaches, as far as an operator chose it.
#[derive(Default, PartialEq)]
struct Reached {
    plugins: Vec<String>,
    settings: BTreeMap<&'static str, Value>,
}

fn hooks(before: Option<&Generation>, after: Option<&Generation>) -> Vec<HookChange> {
    let (mut old, mut new) = (reached(before), reached(after));
    let hooks: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    let changes = hooks.into_iter().filter_map(|hook| {
        let (old, new) = (old.remove(&hook).unwrap_or_default(), new.remove(&hook).unwrap_or_default());
        if old == new {
            return None;
        }
        let differ = ["fail_silently", "like", "extra configuration"]
            .into_iter()
            .filter(|key| old.settings.get(key) != new.settings.get(key));
        let settings = differ.map(str::to_owned).collect();
        Some(HookChange { hook, before: old.plugins, after: new.plugins, settings })
    });
    changes.collect()
}

fn reached(generation: Option<&Generation>) -> BTreeMap<String, Reached> {
    let filters = generation.into_iter().flat_map(Generation::pipelines).map(|(hook, pipeline)| {
        let steps = pipeline.steps.iter().map(|step| step.plugin.name().to_owned());
        let missing = pipeline.missing.iter().map(|(name, _)| format!("{name} (not live)"));
        let extra = pipeline.steps.first().and_then(|step| step.context.filter.clone());
        let settings = BTreeMap::from([
            ("fail_silently", Value::from(pipeline.fail_silently)),
            ("like", Value::from(pipeline.like.clone())),
            ("extra configuration", extra.map(|extra| serde_json::json!(extra)).unwrap_or_default()),
        ]);
        (hook.to_owned(), Reached { plugins: steps.chain(missing).collect(), settings })
    });
    let events = generation.into_iter().flat_map(Generation::events).map(|(hook, receivers)| {
        let plugins = receivers.iter().map(|receiver| receiver.plugin.name().to_owned()).collect();
        (hook.to_owned(), Reached { plugins, settings: BTreeMap::new() })
    });
    filters.chain(events).collect()
}
