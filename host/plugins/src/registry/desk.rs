//! What changes work on, one after the other, and how one becomes true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use hookbox_store::{AUDIT_ENTRIES, NewAuditEntry, StoreError, Timestamp};
use metrics::{Counter, Gauge, Histogram};
use serde_json::{Value, json};

use super::{ChangeError, Configured, Inner};
use crate::generation::{Generation, Parts};
use crate::keep;
use crate::record::{PluginRecord, Release};
use crate::trial::Trial;

/// Every plugin's record, by name.
pub(crate) type Records = BTreeMap<String, Arc<PluginRecord>>;

/// What is true now. Whoever holds its lock changes it.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) records: Records,
    pub(super) parts: Parts,
    pub(super) configured: Configured,
    pub(super) number: u64,
}

/// A change that is ready to become true.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The records that change.
    pub(super) records: Vec<PluginRecord>,
    /// What is live afterwards; `None` where that stays.
    pub(super) parts: Option<Parts>,
    /// The configuration afterwards; `None` where that stays.
    pub(super) configured: Option<Configured>,
    /// The plugin whose key-value rows go.
    pub(super) forget_rows: Option<String>,
    /// What was done, for the audit trail.
    pub(super) entries: Vec<NewAuditEntry>,
    /// Whether it may be true without being written down, because nothing in it is new: then a database that cannot be
    /// written keeps nobody from serving.
    pub(super) known: bool,
}

/// What the registry counts.
pub(super) struct Meters {
    generation: Gauge,
    swaps: Counter,
    commit: Histogram,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            generation: metrics::gauge!("hookbox_generation"),
            swaps: metrics::counter!("hookbox_swaps_total"),
            commit: metrics::histogram!("hookbox_swap_seconds"),
        }
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

/// An entry for the audit trail. The generation is filled in when the change becomes true.
pub(crate) fn entry(
    actor: &str,
    action: &str,
    outcome: &str,
    plugin: &str,
    release: Option<&Release>,
    detail: &Value,
) -> NewAuditEntry {
    NewAuditEntry {
        at: Timestamp::now(),
        actor: actor.to_owned(),
        action: action.to_owned(),
        outcome: outcome.to_owned(),
        plugin: Some(plugin.to_owned()),
        release: release.map(|release| release.number),
        digest: release.map(|release| release.digest.clone()),
        generation: None,
        detail: detail.to_string(),
    }
}

impl Inner {
    /// Makes a change true: builds the generation, writes everything down in one transaction, swaps. The generation that
    /// calls get afterwards.
    ///
    /// # Errors
    /// A pipeline cannot do without what goes, or the database cannot be written: then nothing has changed.
    pub(super) async fn commit(&self, desk: &mut Desk, draft: Draft) -> Result<u64, ChangeError> {
        let began = Instant::now();
        let Draft { records, parts, configured, forget_rows, mut entries, known } = draft;
        let filters = &configured.as_ref().unwrap_or(&desk.configured).filters;
        let next = match &parts {
            Some(parts) => {
                let next = Generation::build(desk.number + 1, parts.clone(), filters);
                Some(next.map_err(ChangeError::Pipelines)?)
            }
            None => None,
        };
        let number = next.as_ref().map(Generation::number);
        for entry in &mut entries {
            entry.generation = number;
        }
        let rows: Vec<_> = records.iter().map(keep::to_rows).collect();
        let written = self.options.store.write(move |writes| {
            for (plugin, releases) in &rows {
                writes.save_plugin(plugin, releases)?;
            }
            if let Some(number) = number {
                writes.set_generation_number(number)?;
            }
            for entry in &entries {
                writes.record(entry)?;
            }
            if !entries.is_empty() {
                writes.prune_audit(AUDIT_ENTRIES)?;
            }
            if let Some(plugin) = &forget_rows {
                writes.key_value_clear(plugin)?;
            }
            Ok::<(), StoreError>(())
        });
        match written.await {
            Ok(()) => {}
            Err(error) if known => {
                tracing::warn!(%error, "the generation's number could not be written down");
            }
            Err(error) => return Err(error.into()),
        }
        // From here on nothing fails.
        for record in records {
            desk.records.insert(record.name.clone(), Arc::new(record));
        }
        if let Some(configured) = configured {
            desk.configured = configured;
        }
        self.records.store(Arc::new(desk.records.clone()));
        if let (Some(next), Some(parts)) = (next, parts) {
            desk.number = next.number();
            let runs = |name: &String, trial: &Arc<Trial>| {
                parts.trials.get(name).is_some_and(|other| Arc::ptr_eq(other, trial))
            };
            desk.parts
                .trials
                .iter()
                .filter(|(name, trial)| !runs(name, trial))
                .for_each(|(_, trial)| trial.close());
            desk.parts = parts;
            self.go_live(next);
            self.meters.commit.record(began.elapsed());
        }
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        Ok(desk.number)
    }

    fn go_live(&self, next: Generation) {
        for warning in next.warnings() {
            tracing::debug!("{warning}");
        }
        self.meters.swaps.increment(1);
        #[expect(clippy::cast_precision_loss, reason = "a gauge; exact to 2^53 generations")]
        self.meters.generation.set(next.number() as f64);
        let next = Arc::new(next);
        if let Some(before) = self.generation.swap(Some(Arc::clone(&next))) {
            before.retire(&next);
        }
    }

    /// Removes components that no record names any more. Nothing depends on its success.
    pub(super) async fn clean(&self, desk: &Desk) {
        let digests = kept_digests(&desk.records);
        let (files, sandbox) = (self.files.clone(), self.options.sandbox.clone());
        let on_the_way = Arc::clone(&self.on_the_way);
        let cleaning = tokio::task::spawn_blocking(move || {
            // Asked file by file: a component that comes now is on the way before it has a file.
            let needed = |digest: &str| digests.contains(digest) || on_the_way.has(digest);
            sandbox.forget(|digest| needed(&digest.to_string()));
            files.retain(needed)
        });
        match cleaning.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "components that are not needed could not be removed"),
            Err(error) => tracing::error!(%error, "cleaning ended in a panic: please report this"),
        }
    }
}

/// The digests whose bytes are needed.
fn kept_digests(records: &Records) -> BTreeSet<String> {
    let releases = records.values().flat_map(|record| &record.releases);
    releases.filter(|release| release.state.has_bytes()).map(|release| release.digest.clone()).collect()
}

/// What an audit entry says of a failed admission.
pub(crate) fn reason(text: &str) -> Value {
    json!({"reason": text})
}
