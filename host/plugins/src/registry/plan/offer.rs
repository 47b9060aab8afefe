//! What the configuration offers for a plugin: taken, let live once it is granted, or withdrawn.

use std::sync::Arc;

use serde_json::json;

use super::{HOST, Job, Mode, Planned, after_all, cases};
use crate::candidate::{Bytes, Candidate};
use crate::change::Change;
use crate::generation::LivePlugin;
use crate::keep;
use crate::load::LoadError;
use crate::record::{Release, ReleaseState, Source, Standing};
use crate::registry::desk::{entry, reason};

impl Job<'_> {
    /// Installs what the configuration offers, where that is something new.
    pub(super) async fn take_offer(
        &self,
        planned: &mut Planned,
    ) -> Result<Option<Arc<LivePlugin>>, LoadError> {
        let Some(offer) = &self.offer else { return Ok(None) };
        let record = &mut planned.record;
        if record.was_offered(offer.source, &offer.digest) {
            return Ok(None);
        }
        let known = |release: &Release| {
            release.digest == offer.digest
                && matches!(release.state, ReleaseState::Live | ReleaseState::Disabled)
        };
        let here = record.releases.iter().any(known);
        let cases = record.by_digest(&offer.digest).and_then(|release| release.cases.clone());
        *record = record
            .after(Change::Install {
                digest: offer.digest.clone(),
                bytes: offer.content.len() as u64,
                source: offer.source,
                origin: offer.origin.clone(),
                by: HOST.to_owned(),
                at: keep::now(),
                cases,
            })
            .map_err(|refusal| self.refused(&refusal))?;
        if here {
            return Ok(None);
        }
        let installed = record.by_digest(&offer.digest);
        let number = installed.map_or(0, |release| release.number);
        // A release that is tried has passed admission, and stays what it is until it is live.
        let undecided = installed.is_some_and(|release| release.state == ReleaseState::Installed);
        let bytes = Bytes { content: Arc::clone(&offer.content), origin: offer.origin.clone(), cases: None };
        match self.prepare(bytes).await {
            Ok(candidate) => {
                let version = candidate.version();
                let Candidate { plugin, report } = candidate;
                let mut changes = Vec::new();
                if undecided {
                    changes.push(Change::Accept { number, version, report });
                }
                let disabled = record.standing == Standing::Disabled;
                if !disabled {
                    changes.push(Change::Activate { number });
                }
                changes.push(Change::Prune { keep: self.keep });
                *record = after_all(record, changes).map_err(|refusal| self.refused(&refusal))?;
                planned.component = Some((offer.digest.clone(), Arc::clone(&offer.content)));
                let outcome = if disabled { "checked" } else { "live" };
                let detail = json!({"source": offer.source, "origin": offer.origin});
                let entry = entry(HOST, "install", outcome, &record.name, record.release(number), &detail);
                planned.entries.push(entry);
                Ok((!disabled).then(|| Arc::new(LivePlugin { release: number, ..plugin })))
            }
            Err(unfit) if self.mode == Mode::Start && self.record.live().is_some() => {
                let why = unfit.error.reason();
                planned.warnings.push(format!(
                    "plugins.{}: the component of {} is not taken, the release that was live goes on: {why}",
                    record.name, offer.origin
                ));
                if !undecided {
                    return Ok(None);
                }
                let (change, outcome) = unfit.into_change(number);
                *record = after_all(record, vec![change, Change::Prune { keep: self.keep }])
                    .map_err(|refusal| self.refused(&refusal))?;
                planned.entries.push(entry(
                    HOST,
                    "install",
                    outcome,
                    &record.name,
                    record.release(number),
                    &reason(&why),
                ));
                Ok(None)
            }
            Err(unfit) => Err(unfit.error),
        }
    }

    /// Lets the newest release live that waited for a grant, where the configuration has it now.
    pub(super) async fn take_granted(
        &self,
        planned: &mut Planned,
    ) -> Result<Option<Arc<LivePlugin>>, LoadError> {
        let record = &mut planned.record;
        let waits = |release: &&Release| {
            let wants = release.report["wants"].as_array().is_some_and(|wants| !wants.is_empty());
            release.state == ReleaseState::NeedsApproval && wants
        };
        let Some(release) = record.releases.last().filter(waits).cloned() else { return Ok(None) };
        if record.standing != Standing::Enabled {
            return Ok(None);
        }
        let Ok(bytes) = self.bytes_of(&release).await else { return Ok(None) };
        let bytes = Bytes { cases: cases(release.cases.as_deref()), ..bytes };
        let Candidate { plugin, report } = match self.prepare(bytes).await {
            Ok(candidate) => candidate,
            Err(unfit) if unfit.wants.is_empty() => {
                let why = unfit.error.reason();
                planned.warnings.push(format!("plugins.{}: release {}: {why}", record.name, release.number));
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        let number = release.number;
        let version = plugin.version().map(str::to_owned);
        let changes = vec![Change::Accept { number, version, report }, Change::Activate { number }];
        *record = after_all(record, changes).map_err(|refusal| self.refused(&refusal))?;
        let detail = json!({"grants": self.terms.table.grants});
        planned.entries.push(entry(HOST, "approve", "live", &record.name, Some(&release), &detail));
        Ok(Some(Arc::new(LivePlugin { release: number, ..plugin })))
    }

    /// What came from the configuration goes with it.
    pub(super) fn withdraw(&self, planned: &mut Planned) -> Result<(), LoadError> {
        let record = &mut planned.record;
        let mut changes = Vec::new();
        let from_here = |source: Source| matches!(source, Source::Configuration | Source::Sample);
        let gone = self.offer.is_none() && !self.unreadable;
        let current = record.current();
        if gone && current.is_some_and(|release| from_here(release.source)) {
            let release = current.cloned();
            changes.push(Change::Remove);
            let entry = entry(HOST, "remove", "removed", &record.name, release.as_ref(), &json!({}));
            planned.entries.push(entry);
        }
        let offering = self.offer.as_ref().map(|offer| offer.source);
        for source in record.offers.keys().copied().filter(|source| from_here(*source)) {
            if Some(source) != offering && !self.unreadable {
                changes.push(Change::Withdraw { source });
            }
        }
        *record = after_all(record, changes).map_err(|refusal| self.refused(&refusal))?;
        Ok(())
    }
}
