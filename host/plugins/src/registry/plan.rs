//! A whole configuration held against what is kept: what would be live, and what that changes. Nothing is written here.

mod offer;

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_sandbox::{Contract, Digest, Sandbox, TryOutError};
use hookbox_store::NewAuditEntry;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::Configured;
use super::desk::{Records, entry, reason};
use crate::candidate::{Bytes, Candidate, Terms, Unfit, prepare};
use crate::cases::Cases;
use crate::change::{Change, Refusal};
use crate::files::ReleaseFiles;
use crate::generation::{LivePlugin, Parts};
use crate::load::{LoadError, Sample, check_name, component, wanted};
use crate::record::{PluginRecord, Release, ReleaseState, Source, Standing};
use crate::trial::{Trial, TrialVerdict};

/// Whose doing it is that the configuration says so.
const HOST: &str = "configuration";
/// Whose doing it is where nobody asked for it.
const ITSELF: &str = "hookbox";

/// What planning works with.
#[derive(Clone)]
pub(crate) struct Shop<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) contract: &'a Arc<Contract>,
    /// Where components are kept; `None` where nothing is.
    pub(crate) files: Option<&'a ReleaseFiles>,
    pub(crate) samples: &'a [Sample],
    pub(crate) verdicts: UnboundedSender<TrialVerdict>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing is live: what cannot be brought back is left behind, so that the rest serves.
    Start,
    /// Something is live: it stays unless everything can be as configured.
    Reload,
}

/// What would be true.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) records: Vec<PluginRecord>,
    pub(crate) parts: Parts,
    pub(crate) entries: Vec<NewAuditEntry>,
    /// Components to keep before the records are written.
    pub(crate) components: Vec<(String, Arc<Vec<u8>>)>,
    pub(crate) warnings: Vec<String>,
}

/// A component that a source of the configuration offers.
#[derive(Debug, Clone)]
struct Offer {
    source: Source,
    origin: String,
    digest: String,
    content: Arc<Vec<u8>>,
}

/// What is planned for one plugin.
struct Planned {
    record: PluginRecord,
    live: Option<Arc<LivePlugin>>,
    trial: Option<Arc<Trial>>,
    lost: Option<String>,
    entries: Vec<NewAuditEntry>,
    component: Option<(String, Arc<Vec<u8>>)>,
    warnings: Vec<String>,
}

/// Works out what a configuration makes of what is kept.
///
/// # Errors
/// Every reason why it cannot be.
pub(crate) async fn plan(
    shop: &Shop<'_>,
    mode: Mode,
    records: &Records,
    parts: &Parts,
    configured: &Configured,
) -> Result<Plan, Vec<LoadError>> {
    let wanted = wanted(&configured.plugins, shop.samples);
    let mut errors: Vec<LoadError> = wanted.keys().filter_map(|name| check_name(name).err()).collect();
    let mut offers = BTreeMap::new();
    for (name, table) in wanted.iter().filter(|(name, _)| check_name(name).is_ok()) {
        match component(name, table, &configured.folder, shop.samples) {
            Ok(Some((bytes, source, origin))) => {
                let digest = Digest::of(&bytes).to_string();
                offers.insert(name.clone(), Offer { source, origin, digest, content: Arc::new(bytes) });
            }
            Ok(None) => {}
            // What is kept goes on without the file.
            Err(error)
                if mode == Mode::Start && records.get(name).is_some_and(|known| known.live().is_some()) =>
            {
                tracing::warn!("{error}: the release that was live goes on");
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let names: std::collections::BTreeSet<&String> = wanted.keys().chain(records.keys()).collect();
    let jobs = names.into_iter().map(|name| {
        let known = records.get(name).map(|record| PluginRecord::clone(record));
        let table = wanted.get(name).cloned().unwrap_or_default();
        let approved = known.as_ref().map(|record| record.approved.clone()).unwrap_or_default();
        Job {
            shop,
            mode,
            keep: configured.plugins.keep(),
            configured: wanted.contains_key(name),
            unreadable: wanted.get(name).is_some_and(|table| table.component.is_some())
                && !offers.contains_key(name),
            terms: Terms { table, approved },
            offer: offers.get(name).cloned(),
            before: parts.plugins.get(name).cloned(),
            trial: parts.trials.get(name).cloned(),
            record: known.unwrap_or_else(|| PluginRecord::new(name)),
        }
    });
    let mut plan = Plan::default();
    for planned in futures::future::join_all(jobs.map(Job::planned)).await {
        match planned {
            Ok(planned) => plan.take(planned, records),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(plan) } else { Err(errors) }
}

impl Plan {
    fn take(&mut self, planned: Planned, records: &Records) {
        let name = planned.record.name.clone();
        let changed =
            records.get(&name).map_or(planned.record.revision > 0, |known| **known != planned.record);
        if let Some(live) = planned.live {
            self.parts.plugins.insert(name.clone(), live);
        }
        if let Some(trial) = planned.trial {
            self.parts.trials.insert(name.clone(), trial);
        }
        if let Some(lost) = planned.lost {
            self.parts.lost.insert(name, lost);
        }
        self.entries.extend(planned.entries);
        self.components.extend(planned.component);
        self.warnings.extend(planned.warnings);
        if changed {
            self.records.push(planned.record);
        }
    }
}

/// One plugin's part of a plan.
struct Job<'a> {
    shop: &'a Shop<'a>,
    mode: Mode,
    keep: usize,
    /// Whether the configuration has a table for it, or it is a sample that runs.
    configured: bool,
    /// Whether the configuration names a component that cannot be read.
    unreadable: bool,
    terms: Terms,
    offer: Option<Offer>,
    before: Option<Arc<LivePlugin>>,
    trial: Option<Arc<Trial>>,
    record: PluginRecord,
}

impl Job<'_> {
    async fn planned(self) -> Result<Planned, LoadError> {
        let name = self.record.name.clone();
        // A table is read even where nothing is installed for it.
        let setting = |reason: String| LoadError::Setting { plugin: name.clone(), reason };
        self.terms.read().map_err(setting)?;
        let mut planned = Planned {
            record: self.record.clone(),
            live: None,
            trial: None,
            lost: None,
            entries: Vec::new(),
            component: None,
            warnings: Vec::new(),
        };
        // First, so that a source that comes back offers something new.
        self.withdraw(&mut planned)?;
        planned.live = self.take_offer(&mut planned).await?;
        if planned.live.is_none() {
            planned.live = self.take_granted(&mut planned).await?;
        }
        if planned.live.is_none() {
            self.bring_back(&mut planned).await?;
        }
        if self.configured && planned.live.is_none() && planned.lost.is_none() {
            planned.warnings.extend(self.idle(&planned.record));
        }
        self.bring_back_trial(&mut planned).await;
        Ok(planned)
    }

    /// Makes what was live a live plugin again, or keeps the one that is.
    async fn bring_back(&self, planned: &mut Planned) -> Result<(), LoadError> {
        let record = &mut planned.record;
        if record.standing != Standing::Enabled {
            return Ok(());
        }
        let quarantined =
            || record.releases.iter().rfind(|release| release.state == ReleaseState::Quarantined);
        let Some(release) = record.live().or_else(quarantined).cloned() else { return Ok(()) };
        if let Some(before) = &self.before
            && before.release == release.number
            && before.terms == self.terms
        {
            planned.live = Some(Arc::clone(before));
            return Ok(());
        }
        let prepared = match self.bytes_of(&release).await {
            Ok(bytes) => {
                // Bytes that were lost and are offered again are kept again.
                planned.component = Some((release.digest.clone(), Arc::clone(&bytes.content)))
                    .filter(|_| self.offer.as_ref().is_some_and(|offer| offer.digest == release.digest));
                self.prepare(bytes).await.map_err(|unfit| (is_configured(&unfit.error), unfit.error))
            }
            Err(why) => {
                let plugin = record.name.clone();
                Err((false, LoadError::Setting { plugin, reason: why }))
            }
        };
        let number = release.number;
        match prepared {
            Ok(candidate) => {
                if release.state == ReleaseState::Quarantined {
                    *record = record
                        .after(Change::Activate { number })
                        .map_err(|refusal| self.refused(&refusal))?;
                }
                // A start that only brings back what was live is nothing that anybody did.
                if self.mode == Mode::Reload {
                    let entry = entry(HOST, "reload", "live", &record.name, Some(&release), &json!({}));
                    planned.entries.push(entry);
                }
                planned.live = Some(Arc::new(LivePlugin { release: number, ..candidate.plugin }));
                Ok(())
            }
            Err((true, error)) => Err(error),
            Err((false, error)) if self.mode == Mode::Reload && release.state == ReleaseState::Live => {
                Err(error)
            }
            Err((false, error)) => {
                let why = error.reason();
                tracing::error!(
                    plugin = record.name,
                    release = number,
                    "the release cannot be brought back: {why}"
                );
                if release.state == ReleaseState::Live {
                    let quarantine = Change::Quarantine { number, reason: why.clone() };
                    *record = record.after(quarantine).map_err(|refusal| self.refused(&refusal))?;
                    let entry =
                        entry(ITSELF, "start", "quarantined", &record.name, Some(&release), &reason(&why));
                    planned.entries.push(entry);
                }
                planned.lost = Some(why);
                Ok(())
            }
        }
    }

    /// A trial goes on, counting from zero where its plugin was made anew. One that cannot ends.
    async fn bring_back_trial(&self, planned: &mut Planned) {
        let Some(wanted) = planned.record.trial.clone() else { return };
        if let Some(running) = &self.trial
            && *running.plan() == wanted
            && running.candidate.terms == self.terms
        {
            planned.trial = Some(Arc::clone(running));
            return;
        }
        let release = planned.record.release(wanted.release).cloned();
        let prepared = match &release {
            Some(release) => match self.bytes_of(release).await {
                Ok(bytes) => self.prepare(bytes).await.map_err(|unfit| unfit.error.reason()),
                Err(why) => Err(why),
            },
            None => Err("its release is gone".to_owned()),
        };
        match prepared {
            Ok(candidate) => {
                let candidate = Arc::new(LivePlugin { release: wanted.release, ..candidate.plugin });
                planned.trial = Some(Trial::new(wanted, candidate, self.shop.verdicts.clone()));
            }
            Err(why) => {
                planned.warnings.push(format!("plugins.{}: its trial ends: {why}", planned.record.name));
                if let Ok(record) = planned.record.after(Change::EndTrial) {
                    planned.record = record;
                }
                let name = &planned.record.name;
                planned.entries.push(entry(
                    ITSELF,
                    "end-trial",
                    "ended",
                    name,
                    release.as_ref(),
                    &reason(&why),
                ));
            }
        }
    }

    async fn bytes_of(&self, release: &Release) -> Result<Bytes, String> {
        let offered = self.offer.as_ref().filter(|offer| offer.digest == release.digest);
        let content = match offered {
            Some(offer) => Arc::clone(&offer.content),
            None => Arc::new(take(self.shop.files, &release.digest).await?),
        };
        Ok(Bytes { content, origin: release.origin.clone(), cases: None })
    }

    async fn prepare(&self, bytes: Bytes) -> Result<Candidate, Unfit> {
        prepare(self.shop.sandbox, self.shop.contract, &self.record.name, &self.terms, bytes).await
    }

    /// A step that the record does not allow: a mistake of the host's, told as one of the plugin's.
    fn refused(&self, refusal: &Refusal) -> LoadError {
        LoadError::Setting { plugin: self.record.name.clone(), reason: refusal.to_string() }
    }

    /// Why a configured plugin takes no calls.
    fn idle(&self, record: &PluginRecord) -> Option<String> {
        let name = &record.name;
        let what = match record.standing {
            Standing::Disabled => return None,
            Standing::Removed if record.revision > 0 => {
                "it was removed by hand; `hookbox plugin activate` or another component brings it back"
                    .to_owned()
            }
            Standing::Removed | Standing::Enabled => {
                let samples = self.shop.samples.iter().map(|sample| sample.name);
                let near = hookbox_hooks::names::nearest(name, samples);
                let near = near
                    .map(|near| format!("did you mean the sample {near}? Otherwise "))
                    .unwrap_or_default();
                format!(
                    "no release of it can take calls, and its table names no `component`: {near}install one with \
                     `hookbox plugin install`"
                )
            }
        };
        Some(format!("plugins.{name}: {what}"))
    }
}

/// Whether the configuration is at fault and not the component.
fn is_configured(error: &LoadError) -> bool {
    let settings = |reason: &TryOutError| matches!(reason, TryOutError::Settings(_));
    match error {
        LoadError::Setting { .. } => true,
        LoadError::TryOut { reason, .. } => settings(reason),
        _ => false,
    }
}

/// Applies changes one after the other.
pub(super) fn after_all(record: &PluginRecord, changes: Vec<Change>) -> Result<PluginRecord, Refusal> {
    changes.into_iter().try_fold(record.clone(), |record, change| record.after(change))
}

/// A kept component.
pub(super) async fn take(files: Option<&ReleaseFiles>, digest: &str) -> Result<Vec<u8>, String> {
    let Some(files) = files.cloned() else { return Err("nothing is kept here".to_owned()) };
    let digest = digest.to_owned();
    let taken = tokio::task::spawn_blocking(move || files.take(&digest)).await;
    taken.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Recorded cases of a release, which were read when it came.
pub(super) fn cases(text: Option<&str>) -> Option<Arc<Cases>> {
    text.and_then(|text| Cases::parse(text).ok()).map(Arc::new)
}
