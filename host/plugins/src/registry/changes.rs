//! What operators do to plugins that are here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::{Desk, Draft, entry};
use super::plan::{after_all, take};
use super::requests::{By, Changed, ReleaseRef, Rows};
use super::{ChangeError, Inner, check_revision, find, known};
use crate::candidate::{Bytes, Candidate, Terms, Unfit, prepare};
use crate::change::{Change, Refusal};
use crate::generation::LivePlugin;
use crate::record::{PluginRecord, Release, ReleaseState, Source};

/// How often a release is prepared again because its plugin changed meanwhile.
pub(super) const ATTEMPTS: u32 = 5;

/// A release that was made ready outside the lock, and what it was made ready for.
pub(super) struct Ready {
    pub(super) record: Arc<PluginRecord>,
    pub(super) release: Release,
    pub(super) live: Arc<LivePlugin>,
}

impl Inner {
    pub(super) async fn activate(
        &self,
        name: &str,
        wanted: ReleaseRef,
        action: &str,
        by: By,
    ) -> Result<Changed, ChangeError> {
        for _ in 0..ATTEMPTS {
            let (record, terms) = self.look(name, &by).await?;
            let release = find(&record, &wanted)?.clone();
            let number = release.number;
            if release.state == ReleaseState::Live {
                let desk = self.desk().await;
                return self.changed(&desk, name, "unchanged", Some(number));
            }
            // What cannot be is refused before anything is prepared for it.
            record.after(Change::Activate { number })?;
            let live = self.ready(name, &terms, &release).await?;
            let mut desk = self.desk().await;
            let ready = Ready { record, release, live };
            if desk.is_still(&ready, &terms) {
                return self.go_live_with(&mut desk, ready, action, &by, json!({})).await;
            }
        }
        Err(ChangeError::Busy)
    }

    pub(super) async fn roll_back(
        &self,
        name: &str,
        to: Option<ReleaseRef>,
        by: By,
    ) -> Result<Changed, ChangeError> {
        let (record, _) = self.look(name, &by).await?;
        let number = match &to {
            Some(wanted) => {
                let release = find(&record, wanted)?;
                let was_live = matches!(
                    release.state,
                    ReleaseState::Live
                        | ReleaseState::Replaced
                        | ReleaseState::Disabled
                        | ReleaseState::Quarantined
                );
                if !was_live {
                    return Err(ChangeError::Refused(Refusal::State {
                        plugin: name.to_owned(),
                        number: release.number,
                        state: release.state,
                        help: "it was never live; activate it instead",
                    }));
                }
                release.number
            }
            None => {
                let at = record.current().map_or(u32::MAX, |current| current.number);
                let earlier =
                    |release: &&Release| release.state == ReleaseState::Replaced && release.number < at;
                let earlier = record.releases.iter().rfind(earlier);
                let none = || Refusal::Plugin {
                    plugin: name.to_owned(),
                    what: "has no earlier release that was live; `hookbox plugin releases` lists what is kept",
                };
                earlier.ok_or_else(none)?.number
            }
        };
        self.activate(name, ReleaseRef::Number(number), "rollback", by).await
    }

    pub(super) async fn disable(&self, name: &str, by: By) -> Result<Changed, ChangeError> {
        let mut desk = self.desk().await;
        let record = desk.known(name, &by)?;
        let release = record.live().cloned();
        let after = record.after(Change::Disable)?;
        if after == *record {
            return self.changed(&desk, name, "unchanged", None);
        }
        let number = release.as_ref().map(|release| release.number);
        let entries = vec![entry(&by.actor, "disable", "disabled", name, release.as_ref(), &json!({}))];
        let parts = Some(desk.parts_without(name));
        self.commit(&mut desk, Draft { records: vec![after], parts, entries, ..Draft::default() }).await?;
        tracing::info!(plugin = name, by = by.actor, "the plugin is disabled");
        self.changed(&desk, name, "disabled", number)
    }

    pub(super) async fn enable(&self, name: &str, by: By) -> Result<Changed, ChangeError> {
        let (record, _) = self.look(name, &by).await?;
        if let Some(live) = record.live() {
            let desk = self.desk().await;
            return self.changed(&desk, name, "unchanged", Some(live.number));
        }
        let disabled = record.releases.iter().find(|release| release.state == ReleaseState::Disabled);
        let none = || Refusal::Plugin {
            plugin: name.to_owned(),
            what: "has no disabled release; activate one of those that `hookbox plugin releases` lists",
        };
        let number = disabled.ok_or_else(none)?.number;
        self.activate(name, ReleaseRef::Number(number), "enable", by).await
    }

    pub(super) async fn remove(&self, name: &str, rows: Rows, by: By) -> Result<Changed, ChangeError> {
        let mut desk = self.desk().await;
        let record = desk.known(name, &by)?;
        self.remove_now(&mut desk, &record, rows, None, &by).await
    }

    pub(super) async fn withdraw(
        &self,
        name: &str,
        source: Source,
        by: By,
    ) -> Result<Option<Changed>, ChangeError> {
        let mut desk = self.desk().await;
        let record = desk.known(name, &by)?;
        if record.current().is_some_and(|release| release.source == source) {
            return self.remove_now(&mut desk, &record, Rows::Keep, Some(source), &by).await.map(Some);
        }
        let after = record.after(Change::Withdraw { source })?;
        if after != *record {
            self.commit(&mut desk, Draft { records: vec![after], ..Draft::default() }).await?;
        }
        Ok(None)
    }

    async fn remove_now(
        &self,
        desk: &mut Desk,
        record: &PluginRecord,
        rows: Rows,
        gone_from: Option<Source>,
        by: &By,
    ) -> Result<Changed, ChangeError> {
        let name = &record.name;
        let release = record.live().cloned();
        let withdraw = gone_from.map(|source| Change::Withdraw { source });
        let after = after_all(record, [Change::Remove].into_iter().chain(withdraw).collect())?;
        let forget_rows = (rows == Rows::Delete).then(|| name.clone());
        if after == *record && forget_rows.is_none() {
            return self.changed(desk, name, "unchanged", None);
        }
        let detail = json!({"rows": if rows == Rows::Delete { "deleted" } else { "kept" }});
        let entries = vec![entry(&by.actor, "remove", "removed", name, release.as_ref(), &detail)];
        let parts = Some(desk.parts_without(name));
        let draft = Draft { records: vec![after], parts, entries, forget_rows, ..Draft::default() };
        self.commit(desk, draft).await?;
        self.clean(desk).await;
        tracing::info!(plugin = name, by = by.actor, "the plugin is removed");
        self.changed(desk, name, "removed", None)
    }

    pub(super) async fn lift(&self, name: &str, by: By) -> Result<bool, ChangeError> {
        let mut desk = self.desk().await;
        let record = desk.known(name, &by)?;
        let lifted = desk.parts.plugins.get(name).is_some_and(|live| live.lift());
        if lifted {
            tracing::info!(
                plugin = name,
                by = by.actor,
                "the plugin's quarantine is lifted by hand: calls run again"
            );
            let entries = vec![entry(&by.actor, "lift", "lifted", name, record.live(), &json!({}))];
            self.commit(&mut desk, Draft { entries, ..Draft::default() }).await?;
        }
        Ok(lifted)
    }

    /// What is known of a plugin, and what its components are held to.
    pub(super) async fn look(&self, name: &str, by: &By) -> Result<(Arc<PluginRecord>, Terms), ChangeError> {
        let desk = self.desk().await;
        let record = desk.known(name, by)?;
        Ok((record, desk.terms(name)))
    }

    /// A kept release, made ready for calls.
    pub(super) async fn ready(
        &self,
        name: &str,
        terms: &Terms,
        release: &Release,
    ) -> Result<Arc<LivePlugin>, ChangeError> {
        let number = release.number;
        match self.prepared(name, terms, release).await? {
            Ok(candidate) => Ok(Arc::new(LivePlugin { release: number, ..candidate.plugin })),
            Err(unfit) => Err(ChangeError::Rejected {
                plugin: name.to_owned(),
                release: number,
                reason: unfit.error.reason(),
                report: unfit.report,
            }),
        }
    }

    pub(super) async fn prepared(
        &self,
        name: &str,
        terms: &Terms,
        release: &Release,
    ) -> Result<Result<Candidate, Unfit>, ChangeError> {
        let content = take(Some(&self.files), &release.digest).await;
        let content = content.map_err(|reason| ChangeError::Kept {
            plugin: name.to_owned(),
            release: release.number,
            reason,
        })?;
        // A release that waits has not shown its cases yet.
        let cases = match release.state {
            ReleaseState::NeedsApproval => super::plan::cases(release.cases.as_deref()),
            _ => None,
        };
        let bytes = Bytes { content: Arc::new(content), origin: release.origin.clone(), cases };
        Ok(prepare(&self.options.sandbox, &self.contract, name, terms, bytes).await)
    }

    pub(super) async fn go_live_with(
        &self,
        desk: &mut Desk,
        ready: Ready,
        action: &str,
        by: &By,
        detail: Value,
    ) -> Result<Changed, ChangeError> {
        let Ready { record, release, live } = ready;
        let (name, number) = (&record.name, release.number);
        let after = record.after(Change::Activate { number })?;
        let entries = vec![entry(&by.actor, action, "live", name, Some(&release), &detail)];
        let parts = Some(desk.parts_with(name, live));
        self.commit(desk, Draft { records: vec![after], parts, entries, ..Draft::default() }).await?;
        tracing::info!(
            plugin = name,
            version = release.version,
            digest = release.digest,
            release = number,
            by = by.actor,
            action,
            "a release is live"
        );
        self.changed(desk, name, "live", Some(number))
    }
}

impl Desk {
    pub(super) fn known(&self, name: &str, by: &By) -> Result<Arc<PluginRecord>, ChangeError> {
        let record = known(&self.records, name)?;
        check_revision(Some(record), name, by)?;
        Ok(Arc::clone(record))
    }

    /// Whether what a release was made ready for is still so.
    pub(super) fn is_still(&self, ready: &Ready, terms: &Terms) -> bool {
        self.records.get(&ready.record.name) == Some(&ready.record)
            && self.terms(&ready.record.name) == *terms
    }
}
