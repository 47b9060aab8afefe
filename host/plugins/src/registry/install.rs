//! A component on its way to being a release.

use std::sync::Arc;

use hookbox_sandbox::Digest;
use hookbox_store::NewAuditEntry;
use serde_json::json;

use super::desk::{Desk, Draft, entry};
use super::requests::{By, Changed, NewRelease, Then, TrialRequest};
use super::{ChangeError, Inner, check_revision};
use crate::candidate::{Bytes, Candidate, Terms, Unfit, prepare};
use crate::cases::Cases;
use crate::change::Change;
use crate::generation::{Generation, LivePlugin, Parts};
use crate::keep;
use crate::load::check_name;
use crate::record::{PluginRecord, Release, ReleaseState, Standing};
use crate::trial::{Trial, TrialPlan};

/// How often a component is prepared again because its plugin's terms changed meanwhile.
const ATTEMPTS: u32 = 5;

/// Keys of `[plugins]` that could be a plugin's name, and are none.
const KEYS: &[&str] = &["folder", "poll", "samples", "settle"];

/// A release that passed or failed admission, and what follows.
struct Arrival {
    record: PluginRecord,
    number: u32,
    outcome: &'static str,
    parts: Option<Parts>,
    why: Option<String>,
}

impl Inner {
    pub(super) async fn install(&self, release: NewRelease, by: By) -> Result<Changed, ChangeError> {
        check_name(&release.plugin)
            .map_err(|_| ChangeError::Name(release.plugin.chars().take(80).collect()))?;
        if KEYS.contains(&&*release.plugin) {
            let name = &release.plugin;
            let text = format!(
                "plugin name {name:?}: the key plugins.{name} of the configuration means something else, so the plugin \
                 could have no settings; choose another"
            );
            return Err(ChangeError::Request(text));
        }
        if let Then::Try(request) = &release.then {
            check_trial(request)?;
        }
        let digest = Digest::of(&release.bytes);
        if let Some(wanted) = &release.sha256 {
            check_digest(wanted, &digest)?;
        }
        let digest = digest.to_string();
        let cases = match &release.cases {
            Some(text) => {
                let cases = Cases::parse(text);
                Some(Arc::new(
                    cases.map_err(|error| ChangeError::Request(format!("recorded cases: {error}")))?,
                ))
            }
            None => None,
        };
        let content = Arc::clone(&release.bytes);
        // To the end: a change of another plugin may clean up before this release is written down.
        let _travels = self.on_the_way.begin(&digest);
        for _ in 0..ATTEMPTS {
            let (terms, done) = self.terms_of(&release, &digest, &by).await?;
            if let Some(done) = done {
                if self.needs(&release.plugin, &digest) {
                    // A file that was lost or damaged is mended by the same bytes.
                    self.keep(&digest, &content).await?;
                }
                return Ok(done);
            }
            let bytes =
                Bytes { content: Arc::clone(&content), origin: release.origin.clone(), cases: cases.clone() };
            let prepared =
                prepare(&self.options.sandbox, &self.contract, &release.plugin, &terms, bytes).await;
            if !matches!(&prepared, Err(unfit) if unfit.wants.is_empty()) {
                self.keep(&digest, &content).await?;
            }
            let mut desk = self.desk().await;
            if desk.terms(&release.plugin) != terms {
                continue;
            }
            return self.arrive(&mut desk, &release, &digest, prepared, &by).await;
        }
        Err(ChangeError::Busy)
    }

    /// What a component will be held to; or the answer, where there is nothing to do.
    async fn terms_of(
        &self,
        release: &NewRelease,
        digest: &str,
        by: &By,
    ) -> Result<(Terms, Option<Changed>), ChangeError> {
        let mut desk = self.desk().await;
        let terms = desk.terms(&release.plugin);
        let Some(record) = desk.records.get(&release.plugin).cloned() else {
            check_revision(None, &release.plugin, by)?;
            return Ok((terms, None));
        };
        check_revision(Some(&record), &release.plugin, by)?;
        let unchanged =
            |desk: &Desk, number| self.changed(desk, &release.plugin, "unchanged", number).map(Some);
        let known = record.by_digest(digest);
        let same_cases = known.is_none_or(|known| known.cases == release.cases);
        if record.was_offered(release.source, digest) && same_cases {
            return Ok((terms, unchanged(&desk, known.map(|known| known.number))?));
        }
        let Some(live) = record.live().filter(|live| live.digest == digest && live.cases == release.cases)
        else {
            return Ok((terms, None));
        };
        // The same bytes as those that are live: at most it is noted where they came from.
        let number = Some(live.number);
        let noted = record.after(install_change(release, digest, by))?;
        if noted != *record {
            self.commit(&mut desk, Draft { records: vec![noted], ..Draft::default() }).await?;
        }
        Ok((terms, unchanged(&desk, number)?))
    }

    /// Writes down a release that was prepared, and does what was asked.
    async fn arrive(
        &self,
        desk: &mut Desk,
        release: &NewRelease,
        digest: &str,
        prepared: Result<Candidate, Unfit>,
        by: &By,
    ) -> Result<Changed, ChangeError> {
        let name = &release.plugin;
        let before = desk.records.get(name).map(|record| PluginRecord::clone(record));
        check_revision(before.as_ref(), name, by)?;
        let before = before.unwrap_or_else(|| PluginRecord::new(name));
        let installed = before.after(install_change(release, digest, by))?;
        let number = installed.by_digest(digest).map_or(0, |release| release.number);
        let at_work =
            installed.release(number).is_some_and(|release| release.state != ReleaseState::Installed);
        let is_tried = installed.trial.as_ref().is_some_and(|plan| plan.release == number);
        let promoted = is_tried && release.then == Then::Activate && prepared.is_ok();
        if at_work && !promoted {
            // It is live, disabled or tried already, and stays that.
            if let Err(unfit) = prepared {
                let (reason, report) = (unfit.error.reason(), unfit.report);
                return Err(ChangeError::Rejected { plugin: name.clone(), release: number, reason, report });
            }
            self.commit(desk, Draft { records: vec![installed], ..Draft::default() }).await?;
            return self.changed(desk, name, "unchanged", Some(number));
        }
        let was_live =
            |known: &&Release| matches!(known.state, ReleaseState::Replaced | ReleaseState::Quarantined);
        if let Err(unfit) = &prepared
            && unfit.wants.is_empty()
            && before.by_digest(digest).filter(was_live).is_some()
        {
            // It stays what one can roll back to.
            let (reason, report) = (unfit.error.reason(), unfit.report.clone());
            let detail = json!({"source": release.source, "origin": release.origin, "reason": reason});
            let this = before.release(number);
            let entries = vec![entry(&by.actor, "install", "rejected", name, this, &detail)];
            metrics::counter!("hookbox_admissions_total", "outcome" => "rejected").increment(1);
            self.commit(desk, Draft { entries, ..Draft::default() }).await?;
            return Err(ChangeError::Rejected { plugin: name.clone(), release: number, reason, report });
        }
        let arrival = match prepared {
            Ok(candidate) => self.accepted(desk, &installed, number, candidate, release, by)?,
            Err(unfit) => {
                let why = unfit.error.reason();
                let (change, outcome) = unfit.into_change(number);
                let record = installed.after(change)?;
                Arrival { record, number, outcome, parts: None, why: Some(why) }
            }
        };
        let Arrival { record, number, outcome, parts, why } = arrival;
        metrics::counter!("hookbox_admissions_total", "outcome" => outcome).increment(1);
        let unpruned = record.releases.len();
        let record = record.after(Change::Prune { keep: desk.configured.plugins.keep() })?;
        let pruned = record.releases.len() < unpruned;
        let this = record.release(number);
        let mut detail = json!({"source": release.source, "origin": release.origin});
        if let Some(why) = &why {
            detail["reason"] = json!(why);
        }
        let entries: Vec<NewAuditEntry> = vec![entry(&by.actor, "install", outcome, name, this, &detail)];
        let version = this.and_then(|release| release.version.clone());
        let report = this.map(|release| release.report.clone()).unwrap_or_default();
        self.commit(desk, Draft { records: vec![record], parts, entries, ..Draft::default() }).await?;
        if pruned {
            self.clean(desk).await;
        }
        match &why {
            None => tracing::info!(
                plugin = name,
                version,
                digest,
                release = number,
                origin = release.origin,
                by = by.actor,
                outcome,
                "a component is installed"
            ),
            Some(why) => tracing::warn!(
                plugin = name,
                version,
                digest,
                release = number,
                origin = release.origin,
                by = by.actor,
                outcome,
                "a component is not taken: {why}"
            ),
        }
        match why {
            Some(reason) if outcome == "rejected" => {
                Err(ChangeError::Rejected { plugin: name.clone(), release: number, reason, report })
            }
            _ => self.changed(desk, name, outcome, Some(number)),
        }
    }

    /// What becomes of a release that passed admission.
    fn accepted(
        &self,
        desk: &Desk,
        installed: &PluginRecord,
        number: u32,
        candidate: Candidate,
        release: &NewRelease,
        by: &By,
    ) -> Result<Arrival, ChangeError> {
        let name = &release.plugin;
        let version = candidate.version();
        let Candidate { plugin, report } = candidate;
        let has_live = installed.live().is_some();
        let first = !has_live
            && !installed.releases.iter().any(|release| {
                matches!(
                    release.state,
                    ReleaseState::Replaced | ReleaseState::Disabled | ReleaseState::Quarantined
                )
            });
        if first && desk.configured.plugins.approve_first && installed.standing == Standing::Enabled {
            let reason =
                "the first release of a plugin waits for approval (plugins.approve_first)".to_owned();
            let hold = Change::Hold { number, version, report, reason: reason.clone() };
            let record = installed.after(hold)?;
            return Ok(Arrival { record, number, outcome: "needs-approval", parts: None, why: Some(reason) });
        }
        let live = Arc::new(LivePlugin { release: number, ..plugin });
        let undecided =
            installed.release(number).is_some_and(|release| release.state == ReleaseState::Installed);
        let checked = match undecided {
            true => installed.after(Change::Accept {
                number,
                version: version.clone(),
                report: report.clone(),
            })?,
            false => installed.clone(),
        };
        let kept = |record| Arrival { record, number, outcome: "checked", parts: None, why: None };
        // A release that was disabled or is live already stays where it is.
        match &release.then {
            _ if checked.standing == Standing::Disabled => Ok(kept(checked)),
            Then::Keep => Ok(kept(checked)),
            Then::Try(request) if has_live => {
                let plan = trial_plan(number, request, &by.actor);
                let record = checked.after(Change::BeginTrial { plan: plan.clone() })?;
                let mut parts = desk.parts.clone();
                parts.trials.insert(name.clone(), Trial::new(plan, live, self.verdicts.clone()));
                Ok(Arrival { record, number, outcome: "trial", parts: Some(parts), why: None })
            }
            Then::Activate | Then::Try(_) => {
                let record = checked.after(Change::Activate { number })?;
                let parts = desk.parts_with(name, live);
                // Pipelines that cannot do with it are a reason to reject it like any other.
                if let Err(errors) = Generation::build(0, parts.clone(), &desk.configured.filters) {
                    if !undecided {
                        return Err(ChangeError::Pipelines(errors));
                    }
                    let reason = ChangeError::Pipelines(errors).to_string();
                    let reject = Change::Reject { number, version, report, reason: reason.clone() };
                    let record = installed.after(reject)?;
                    let why = Some(reason);
                    return Ok(Arrival { record, number, outcome: "rejected", parts: None, why });
                }
                Ok(Arrival { record, number, outcome: "live", parts: Some(parts), why: None })
            }
        }
    }

    /// Whether a release of the plugin needs these bytes.
    fn needs(&self, plugin: &str, digest: &str) -> bool {
        let records = self.records.load();
        let release = records.get(plugin).and_then(|record| record.by_digest(digest));
        release.is_some_and(|release| release.state.has_bytes())
    }

    /// Keeps a component; on the disk when this returns.
    pub(super) async fn keep(&self, digest: &str, content: &Arc<Vec<u8>>) -> Result<(), ChangeError> {
        let (files, digest, content) = (self.files.clone(), digest.to_owned(), Arc::clone(content));
        let keeping = tokio::task::spawn_blocking(move || files.keep(&digest, &content)).await;
        keeping.map_err(|error| ChangeError::Internal(error.to_string()))?.map_err(ChangeError::File)
    }
}

impl Desk {
    /// What a plugin's components are held to.
    pub(super) fn terms(&self, name: &str) -> Terms {
        let table = self.configured.plugins.plugins.get(name).cloned().unwrap_or_default();
        let approved = self.records.get(name).map(|record| record.approved.clone()).unwrap_or_default();
        Terms { table, approved }
    }

    /// What is live, with this plugin in the place of the one of its name.
    pub(super) fn parts_with(&self, name: &str, live: Arc<LivePlugin>) -> Parts {
        let mut parts = self.parts_without(name);
        parts.plugins.insert(name.to_owned(), live);
        parts
    }

    /// What is live, without the plugin of this name.
    pub(super) fn parts_without(&self, name: &str) -> Parts {
        let mut parts = self.parts.clone();
        parts.plugins.remove(name);
        parts.trials.remove(name);
        parts.lost.remove(name);
        parts
    }
}

fn install_change(release: &NewRelease, digest: &str, by: &By) -> Change {
    Change::Install {
        digest: digest.to_owned(),
        bytes: release.bytes.len() as u64,
        source: release.source,
        origin: release.origin.clone(),
        by: by.actor.clone(),
        at: keep::now(),
        cases: release.cases.clone(),
    }
}

fn check_digest(wanted: &str, found: &Digest) -> Result<(), ChangeError> {
    let digits = wanted.strip_prefix("sha256:").unwrap_or(wanted).to_ascii_lowercase();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = "sha256: give the 64 hexadecimal digits that `sha256sum FILE` prints";
        return Err(ChangeError::Request(text.to_owned()));
    }
    if digits == found.hex() {
        return Ok(());
    }
    Err(ChangeError::Digest { wanted: format!("sha256:{digits}"), found: found.to_string() })
}

/// Holds a trial to what can be.
pub(super) fn check_trial(request: &TrialRequest) -> Result<(), ChangeError> {
    if !(request.percent > 0.0 && request.percent <= 100.0) {
        return Err(ChangeError::Request("percent: must be above 0 and at most 100".to_owned()));
    }
    if request.rule.is_some_and(|rule| rule.calls == 0) {
        return Err(ChangeError::Request("calls: must be at least 1".to_owned()));
    }
    Ok(())
}

pub(super) fn trial_plan(release: u32, request: &TrialRequest, by: &str) -> TrialPlan {
    TrialPlan {
        release,
        kind: request.kind,
        percent: request.percent,
        rule: request.rule,
        values: request.values,
        began_at: keep::now(),
        began_by: by.to_owned(),
    }
}
