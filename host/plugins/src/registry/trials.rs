//! Trials, from their beginning to their end.

use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::changes::{ATTEMPTS, Ready};
use super::desk::{Draft, entry};
use super::install::{check_trial, trial_plan};
use super::requests::{By, Changed, ReleaseRef, TrialRequest};
use super::{ChangeError, Inner, find};
use crate::candidate::Terms;
use crate::change::{Change, Refusal};
use crate::generation::Parts;
use crate::record::PluginRecord;
use crate::trial::{Trial, TrialEnd};

/// Examples of differences that the audit trail has of a trial that ended: the latest.
const EXAMPLES: usize = 5;

impl Inner {
    pub(super) async fn begin_trial(
        &self,
        name: &str,
        wanted: ReleaseRef,
        request: TrialRequest,
        by: By,
    ) -> Result<Changed, ChangeError> {
        check_trial(&request)?;
        for _ in 0..ATTEMPTS {
            let (record, terms) = self.look(name, &by).await?;
            let release = find(&record, &wanted)?.clone();
            let plan = trial_plan(release.number, &request, &by.actor);
            let after = record.after(Change::BeginTrial { plan: plan.clone() })?;
            let live = self.ready(name, &terms, &release).await?;
            let mut desk = self.desk().await;
            let ready = Ready { record, release, live };
            if !desk.is_still(&ready, &terms) {
                continue;
            }
            let number = ready.release.number;
            let mut parts = desk.parts.clone();
            parts.trials.insert(name.to_owned(), Trial::new(plan, ready.live, self.verdicts.clone()));
            let detail = serde_json::to_value(&request).unwrap_or_default();
            let entries = vec![entry(&by.actor, "begin-trial", "trial", name, Some(&ready.release), &detail)];
            let draft = Draft { records: vec![after], parts: Some(parts), entries, ..Draft::default() };
            self.commit(&mut desk, draft).await?;
            tracing::info!(plugin = name, release = number, by = by.actor, "a trial begins");
            return self.changed(&desk, name, "trial", Some(number));
        }
        Err(ChangeError::Busy)
    }

    /// Ends a trial; only the one that began then, where that is said.
    pub(super) async fn end_trial(
        &self,
        name: &str,
        end: TrialEnd,
        by: By,
        detail: Value,
        began: Option<OffsetDateTime>,
    ) -> Result<Changed, ChangeError> {
        let mut desk = self.desk().await;
        let record = desk.known(name, &by)?;
        let trial = desk.parts.trials.get(name).cloned();
        let none = || Refusal::Plugin { plugin: name.to_owned(), what: "has no trial" };
        let trial = match trial {
            Some(trial) if began.is_none_or(|began| began == trial.plan().began_at) => trial,
            _ if began.is_some() => return self.changed(&desk, name, "unchanged", None),
            _ => return Err(none().into()),
        };
        let number = trial.plan().release;
        let release = record.release(number).cloned().ok_or_else(none)?;
        let mut detail = detail;
        let view = trial.view();
        if detail["counts"].is_null() {
            detail["counts"] = serde_json::to_value(view.counts).unwrap_or_default();
        }
        let examples: Vec<_> = view.examples.into_iter().rev().take(EXAMPLES).collect();
        detail["examples"] = serde_json::to_value(examples).unwrap_or_default();
        match end {
            TrialEnd::Promote => {
                let live = Arc::clone(&trial.candidate);
                let ready = Ready { record, release, live };
                self.go_live_with(&mut desk, ready, "promote", &by, detail).await
            }
            TrialEnd::RollBack => {
                let after = record.after(Change::EndTrial)?;
                let entries = vec![entry(&by.actor, "end-trial", "ended", name, Some(&release), &detail)];
                let mut parts: Parts = desk.parts.clone();
                parts.trials.remove(name);
                let draft = Draft { records: vec![after], parts: Some(parts), entries, ..Draft::default() };
                self.commit(&mut desk, draft).await?;
                tracing::info!(
                    plugin = name,
                    release = number,
                    by = by.actor,
                    "a trial ended; the live release stays"
                );
                self.changed(&desk, name, "trial-ended", Some(number))
            }
        }
    }

    /// The plugin's trial with other terms, counting from zero. `None`: there is none, or it cannot be with these.
    pub(super) async fn trial_with(&self, record: &PluginRecord, terms: &Terms) -> Option<Arc<Trial>> {
        let plan = record.trial.clone()?;
        let release = record.release(plan.release)?;
        let candidate = self.ready(&record.name, terms, release).await.inspect_err(|error| {
            tracing::warn!(plugin = record.name, release = plan.release, "the trial ends: {error}");
        });
        Some(Trial::new(plan, candidate.ok()?, self.verdicts.clone()))
    }
}
