//! What each change does to a record.

use serde_json::Value;

use super::{Change, Refusal};
use crate::record::{PluginRecord, Release, ReleaseState, Source, Standing};
use crate::trial::TrialPlan;

/// Where a release stands that admission may look at: it never passed, so nothing that takes calls depends on the answer.
const UNDECIDED: &[ReleaseState] =
    &[ReleaseState::Installed, ReleaseState::NeedsApproval, ReleaseState::Rejected];

const REMOVED: &str = "is removed: install a component for it first";

impl PluginRecord {
    /// Makes the change here. After a refusal the record is half changed and to be thrown away.
    pub(super) fn apply(&mut self, change: Change) -> Result<(), Refusal> {
        match change {
            Change::Install { digest, bytes, source, origin, by, at, cases } => self.install(Release {
                number: self.next_number,
                digest,
                bytes,
                version: None,
                source,
                origin,
                installed_at: at,
                installed_by: by,
                state: ReleaseState::Installed,
                reason: None,
                report: Value::Null,
                cases,
            }),
            Change::Accept { number, version, report } => {
                let from = [UNDECIDED, &[ReleaseState::Quarantined]].concat();
                let release = self.standing_as(number, &from, undecided)?;
                release.become_checked(version, report);
                Ok(())
            }
            Change::Hold { number, version, report, reason } => {
                let release = self.standing_as(number, UNDECIDED, undecided)?;
                release.version = version;
                release.fail(ReleaseState::NeedsApproval, report, reason);
                Ok(())
            }
            Change::Reject { number, version, report, reason } => {
                let release = self.standing_as(number, UNDECIDED, undecided)?;
                release.version = version.or(release.version.take());
                release.fail(ReleaseState::Rejected, report, reason);
                Ok(())
            }
            Change::Activate { number } => self.activate(number),
            Change::Approve { grants } => self.approve(grants),
            Change::Disable => self.disable(),
            Change::Quarantine { number, reason } => {
                let live = self.standing_as(number, &[ReleaseState::Live], only_live)?;
                live.state = ReleaseState::Quarantined;
                live.reason = Some(reason);
                self.trial = None;
                Ok(())
            }
            Change::Remove => {
                self.remove();
                Ok(())
            }
            Change::Withdraw { source } => {
                self.offers.remove(&source);
                Ok(())
            }
            Change::BeginTrial { plan } => self.begin_trial(plan),
            Change::EndTrial => match self.trial.take() {
                Some(_) => Ok(()),
                None => Err(self.refused("has no trial that could end")),
            },
            Change::Prune { keep } => {
                self.prune(keep);
                Ok(())
            }
        }
    }

    fn install(&mut self, arrived: Release) -> Result<(), Refusal> {
        if arrived.source != Source::Upload {
            self.offers.insert(arrived.source, arrived.digest.clone());
        }
        let at_work: Vec<u32> = self.at_work().collect();
        match self.releases.iter_mut().find(|release| release.digest == arrived.digest) {
            Some(release) => {
                release.source = arrived.source;
                release.origin = arrived.origin;
                if !at_work.contains(&release.number) {
                    release.state = ReleaseState::Installed;
                    release.reason = None;
                    release.report = Value::Null;
                    release.cases = arrived.cases;
                }
            }
            None => match self.next_number.checked_add(1) {
                Some(next) => {
                    self.next_number = next;
                    self.releases.push(arrived);
                }
                None => {
                    return Err(
                        self.refused("has used up its numbers: install the component under another name")
                    );
                }
            },
        }
        if self.standing == Standing::Removed {
            self.standing = Standing::Enabled;
        }
        Ok(())
    }

    fn activate(&mut self, number: u32) -> Result<(), Refusal> {
        let from = [
            ReleaseState::Checked,
            ReleaseState::Replaced,
            ReleaseState::Disabled,
            ReleaseState::Quarantined,
        ];
        self.standing_as(number, &from, cannot_run)?;
        for release in &mut self.releases {
            match release.state {
                _ if release.number == number => {
                    release.state = ReleaseState::Live;
                    release.reason = None;
                }
                ReleaseState::Live | ReleaseState::Disabled => release.state = ReleaseState::Replaced,
                _ => {}
            }
        }
        self.standing = Standing::Enabled;
        self.trial = None;
        Ok(())
    }

    fn approve(&mut self, grants: Vec<String>) -> Result<(), Refusal> {
        if self.standing == Standing::Removed {
            return Err(self.refused(REMOVED));
        }
        for grant in grants {
            if !self.approved.contains(&grant) {
                self.approved.push(grant);
            }
        }
        Ok(())
    }

    fn disable(&mut self) -> Result<(), Refusal> {
        if self.standing == Standing::Removed {
            return Err(self.refused(REMOVED));
        }
        self.standing = Standing::Disabled;
        self.trial = None;
        for release in &mut self.releases {
            if release.state == ReleaseState::Live {
                release.state = ReleaseState::Disabled;
            }
        }
        Ok(())
    }

    fn remove(&mut self) {
        self.standing = Standing::Removed;
        self.trial = None;
        self.approved.clear();
        for release in &mut self.releases {
            release.state = ReleaseState::Removed;
            release.reason = None;
        }
    }

    fn begin_trial(&mut self, plan: TrialPlan) -> Result<(), Refusal> {
        // A comparison that is false for what is no number.
        if !(plan.percent > 0.0 && plan.percent <= 100.0) {
            return Err(
                self.refused("is tried on a share of its calls: give a percentage above 0, at most 100")
            );
        }
        self.standing_as(plan.release, &[ReleaseState::Checked, ReleaseState::Replaced], cannot_run)?;
        if self.live().is_none() {
            return Err(self.refused("has no live release to try another beside: activate the release"));
        }
        if self.trial.is_some() {
            return Err(self.refused("has a trial that runs: end it first"));
        }
        self.trial = Some(plan);
        Ok(())
    }

    fn prune(&mut self, keep: usize) {
        let mut stay: Vec<u32> = self.at_work().collect();
        stay.extend(self.releases.last().map(|newest| newest.number));
        for passed in [true, false] {
            let alike = |release: &&Release| {
                release.state.passed_admission() == passed && !stay.contains(&release.number)
            };
            let newest: Vec<u32> =
                self.releases.iter().rev().filter(alike).take(keep).map(|release| release.number).collect();
            stay.extend(newest);
        }
        self.releases.retain(|release| stay.contains(&release.number));
    }

    /// The numbers of the releases that take calls, took them until the plugin was disabled, or are tried.
    fn at_work(&self) -> impl Iterator<Item = u32> {
        let tried = self.trial.as_ref().map(|plan| plan.release);
        self.releases
            .iter()
            .filter(|release| matches!(release.state, ReleaseState::Live | ReleaseState::Disabled))
            .map(|release| release.number)
            .chain(tried)
    }

    /// The release with this number, if it stands in one of these ways. `help` says what to do where it does not.
    fn standing_as(
        &mut self,
        number: u32,
        from: &[ReleaseState],
        help: fn(ReleaseState) -> &'static str,
    ) -> Result<&mut Release, Refusal> {
        let plugin = self.name.clone();
        match self.releases.iter_mut().find(|release| release.number == number) {
            None => Err(Refusal::NoRelease { plugin, number }),
            Some(release) if from.contains(&release.state) => Ok(release),
            Some(Release { state, .. }) => {
                Err(Refusal::State { plugin, number, state: *state, help: help(*state) })
            }
        }
    }

    fn refused(&self, what: &'static str) -> Refusal {
        Refusal::Plugin { plugin: self.name.clone(), what }
    }
}

impl Release {
    fn become_checked(&mut self, version: Option<String>, report: Value) {
        self.state = ReleaseState::Checked;
        self.version = version;
        self.report = report;
        self.reason = None;
    }

    fn fail(&mut self, state: ReleaseState, report: Value, reason: String) {
        self.state = state;
        self.report = report;
        self.reason = Some(reason);
    }
}

impl ReleaseState {
    /// Whether it passed admission and its bytes are still here.
    fn passed_admission(self) -> bool {
        match self {
            Self::Checked | Self::Live | Self::Disabled | Self::Quarantined | Self::Replaced => true,
            Self::Installed | Self::NeedsApproval | Self::Rejected | Self::Removed => false,
        }
    }
}

fn undecided(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Removed => "install its component again",
        _ => "it has passed admission already",
    }
}

fn cannot_run(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Live => "it takes calls already",
        ReleaseState::Installed => "it has to pass admission first",
        ReleaseState::NeedsApproval => "approve what it wants first",
        ReleaseState::Rejected => "mend what it was rejected for, then install it again",
        ReleaseState::Removed => "install its component again",
        ReleaseState::Disabled => "enable the plugin first",
        ReleaseState::Quarantined => "activate it, or install its component again",
        ReleaseState::Checked | ReleaseState::Replaced => "it can be activated or tried",
    }
}

fn only_live(_: ReleaseState) -> &'static str {
    "only the live release can be quarantined"
}
