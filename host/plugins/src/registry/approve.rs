//! A yes to what a release wants.

use std::sync::Arc;

use hookbox_sandbox::Grant;
use serde_json::{Value, json};

use super::changes::ATTEMPTS;
use super::desk::{Desk, Draft, entry, reason};
use super::plan::after_all;
use super::requests::{Approval, By, Changed, ReleaseRef};
use super::{ChangeError, Inner, find};
use crate::candidate::{Candidate, Terms, Unfit};
use crate::change::{Change, Refusal};
use crate::generation::LivePlugin;
use crate::record::{PluginRecord, Release, ReleaseState};

impl Inner {
    pub(super) async fn approve(
        &self,
        name: &str,
        approval: Approval,
        by: By,
    ) -> Result<Changed, ChangeError> {
        for _ in 0..ATTEMPTS {
            let (record, terms) = self.look(name, &by).await?;
            let release = waiting(&record, approval.release.as_ref())?.clone();
            let grants = approved_grants(&approval, &release)?;
            let number = release.number;
            let approved = match grants.is_empty() {
                true => PluginRecord::clone(&record),
                false => record.after(Change::Approve { grants: grants.clone() })?,
            };
            let with = Terms { table: terms.table.clone(), approved: approved.approved.clone() };
            let waits = release.state == ReleaseState::NeedsApproval;
            if !waits && approved == *record {
                let desk = self.desk().await;
                return self.changed(&desk, name, "unchanged", Some(number));
            }
            let prepared = self.prepared(name, &with, &release).await?;
            let trial = if waits { None } else { self.trial_with(&record, &with).await };
            let mut desk = self.desk().await;
            if desk.records.get(name) != Some(&record) || desk.terms(name) != terms {
                continue;
            }
            let Candidate { plugin, report } = match prepared {
                Ok(candidate) => candidate,
                Err(unfit) => {
                    return self.not_approved(&mut desk, &record, &release, unfit, &by).await;
                }
            };
            let version = plugin.version().map(str::to_owned);
            let mut changes = Vec::new();
            let enabled = record.standing != crate::record::Standing::Disabled;
            if waits {
                changes.push(Change::Accept { number, version, report });
                if enabled {
                    changes.push(Change::Activate { number });
                }
            }
            // A trial goes on with what is approved now, unless it cannot.
            let ended = record.trial.as_ref().filter(|_| !waits && trial.is_none()).map(|plan| plan.release);
            if ended.is_some() {
                changes.push(Change::EndTrial);
            }
            let after = after_all(&approved, changes)?;
            let goes_live = enabled || !waits;
            let outcome = if goes_live { "live" } else { "checked" };
            let live = Arc::new(LivePlugin { release: number, ..plugin });
            let mut parts = goes_live.then(|| desk.parts_with(name, live));
            if let (Some(parts), Some(trial)) = (&mut parts, trial) {
                parts.trials.insert(name.to_owned(), trial);
            }
            let detail = json!({"grants": grants});
            let mut entries =
                vec![entry(&by.actor, "approve", outcome, name, after.release(number), &detail)];
            if let Some(tried) = ended {
                let why = reason("its release cannot be tried with what was approved");
                entries.push(entry(&by.actor, "end-trial", "ended", name, after.release(tried), &why));
            }
            self.commit(&mut desk, Draft { records: vec![after], parts, entries, ..Draft::default() })
                .await?;
            tracing::info!(plugin = name, release = number, ?grants, by = by.actor, "a release is approved");
            return self.changed(&desk, name, outcome, Some(number));
        }
        Err(ChangeError::Busy)
    }

    /// A release that would not do even with what was approved.
    async fn not_approved(
        &self,
        desk: &mut Desk,
        record: &PluginRecord,
        release: &Release,
        unfit: Unfit,
        by: &By,
    ) -> Result<Changed, ChangeError> {
        let (name, number) = (record.name.clone(), release.number);
        let (reason, report) = (unfit.error.reason(), unfit.report.clone());
        if !unfit.wants.is_empty() {
            let text = format!("it wants more than that: {}", unfit.wants.join(", "));
            return Err(ChangeError::Request(text));
        }
        if release.state == ReleaseState::NeedsApproval {
            let (change, outcome) = unfit.into_change(number);
            let after = record.after(change)?;
            let detail = json!({"reason": reason});
            let entries = vec![entry(&by.actor, "approve", outcome, &name, Some(release), &detail)];
            self.commit(desk, Draft { records: vec![after], entries, ..Draft::default() }).await?;
        }
        Err(ChangeError::Rejected { plugin: name, release: number, reason, report })
    }
}

/// The release that an approval is about: the one named, else the newest that waits, else the live one.
fn waiting<'a>(record: &'a PluginRecord, wanted: Option<&ReleaseRef>) -> Result<&'a Release, ChangeError> {
    let release = match wanted {
        Some(wanted) => find(record, wanted)?,
        None => {
            let waits = record.releases.iter().rfind(|release| release.state == ReleaseState::NeedsApproval);
            let none = || Refusal::Plugin {
                plugin: record.name.clone(),
                what: "has no release that waits for approval, and none that is live",
            };
            waits.or_else(|| record.live()).ok_or_else(none)?
        }
    };
    match release.state {
        ReleaseState::NeedsApproval | ReleaseState::Live => Ok(release),
        state => Err(ChangeError::Refused(Refusal::State {
            plugin: record.name.clone(),
            number: release.number,
            state,
            help: "it does not wait for approval",
        })),
    }
}

/// The grants that are approved: those given, else those that the release wants.
fn approved_grants(approval: &Approval, release: &Release) -> Result<Vec<String>, ChangeError> {
    let wants = release.report["wants"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let given: Vec<String> = match approval.grants.is_empty() {
        true => wants.map(str::to_owned).collect(),
        false => approval.grants.clone(),
    };
    if approval.grants.is_empty() && given.iter().any(|grant| grant.starts_with("http:")) {
        let text = "it wants to send requests: say where to, with the grant http:https://HOST for each origin, and name \
                    the other grants that it wants too";
        return Err(ChangeError::Request(text.to_owned()));
    }
    let read = given.iter().map(|grant| {
        let grant: Result<Grant, _> = grant.parse();
        grant.map(|grant| grant.to_string()).map_err(|error| ChangeError::Request(error.to_string()))
    });
    read.collect()
}
