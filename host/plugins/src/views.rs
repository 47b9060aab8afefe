//! A plugin and its releases as operators see them, live or not.

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::breaker::Quarantine;
use crate::detail::PluginDetail;
use crate::generation::Generation;
use crate::record::{PluginRecord, Release, ReleaseState, Standing};
use crate::trial::TrialView;

/// A plugin, live or not.
#[derive(Debug, Clone, Serialize)]
pub struct PluginOverview {
    /// Its name.
    pub name: String,
    /// `live`; `quarantined`: its calls fail at once, or its release could not be brought back; `disabled`; `removed`;
    /// `waiting`: no release of it has been live yet.
    pub state: &'static str,
    /// Since when its calls fail at once, until when, and why; `null` while they run.
    pub quarantine: Option<Quarantine>,
    /// Grows with every change; also the entity tag.
    pub revision: u64,
    /// The release that takes calls, or would if the plugin were enabled.
    pub release: Option<u32>,
    /// The newest release, where it is not the live one and somebody should look at it: it is rejected, waits for approval,
    /// or could not be brought back. Else the release that was live and could not be brought back.
    pub attention: Option<Attention>,
    /// The trial that runs.
    pub trial: Option<TrialView>,
    /// Grants that operators approved beyond the configuration's.
    pub approved: Vec<String>,
    /// Its releases, the newest first.
    pub releases: Vec<ReleaseView>,
    /// What is live, in full: present while the plugin is live.
    #[serde(flatten)]
    pub live: Option<PluginDetail>,
}

/// What somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// The release.
    pub release: u32,
    /// `rejected`, `needs-approval` or `quarantined`.
    pub state: &'static str,
    /// Why.
    pub reason: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseView {
    /// Its number.
    pub release: u32,
    /// How it stands.
    pub state: &'static str,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// The version that its component names.
    pub version: Option<String>,
    /// Its component's digest.
    pub digest: String,
    /// How many bytes the component has.
    pub bytes: u64,
    /// By which way it came: `upload`, `folder`, `configuration` or `sample`.
    pub source: &'static str,
    /// From where.
    pub origin: String,
    /// When it came, as RFC 3339.
    pub installed_at: String,
    /// Who brought it.
    pub installed_by: String,
    /// Whether it has recorded cases.
    pub cases: bool,
}

impl PluginOverview {
    /// A plugin as its record and what is live tell.
    pub(crate) fn of(record: &PluginRecord, generation: Option<&Generation>) -> Self {
        let live = generation.and_then(|generation| generation.plugin(&record.name));
        let current = live.map(|live| live.release).or_else(|| {
            let disabled = record.releases.iter().find(|release| release.state == ReleaseState::Disabled);
            disabled.map(|release| release.number)
        });
        let lost = record.current().filter(|current| current.state == ReleaseState::Quarantined);
        let attention = attention(record);
        let standing = live.map(|live| live.state());
        let state = match (record.standing, &standing, &attention) {
            (Standing::Removed, ..) => "removed",
            (Standing::Disabled, ..) => "disabled",
            (Standing::Enabled, Some(state), _) => state.state,
            (Standing::Enabled, None, _) if lost.is_some() => ReleaseState::Quarantined.name(),
            (Standing::Enabled, None, Some(attention)) => attention.state,
            (Standing::Enabled, None, None) => "waiting",
        };
        let trial = generation.and_then(|generation| generation.trials().get(&record.name));
        Self {
            name: record.name.clone(),
            state,
            quarantine: standing.and_then(|state| state.quarantine),
            revision: record.revision,
            release: current,
            attention,
            trial: trial.map(|trial| trial.view()),
            approved: record.approved.clone(),
            releases: record.releases.iter().rev().map(ReleaseView::of).collect(),
            live: generation.and_then(|generation| generation.plugin_detail(&record.name)),
        }
    }
}

/// The newest release, where it is not the live one and somebody should look at it; else the one that could not be
/// brought back.
fn attention(record: &PluginRecord) -> Option<Attention> {
    let wrong = |release: &&Release| {
        matches!(
            release.state,
            ReleaseState::Rejected | ReleaseState::NeedsApproval | ReleaseState::Quarantined
        )
    };
    let lost = || record.current().filter(|current| current.state == ReleaseState::Quarantined);
    let release = record.releases.last().filter(wrong).or_else(lost)?;
    let reason = release.reason.clone().unwrap_or_default();
    Some(Attention { release: release.number, state: release.state.name(), reason })
}

impl ReleaseView {
    fn of(release: &Release) -> Self {
        Self {
            release: release.number,
            state: release.state.name(),
            reason: release.reason.clone(),
            version: release.version.clone(),
            digest: release.digest.clone(),
            bytes: release.bytes,
            source: release.source.name(),
            origin: release.origin.clone(),
            installed_at: release.installed_at.format(&Rfc3339).unwrap_or_default(),
            installed_by: release.installed_by.clone(),
            cases: release.cases.is_some(),
        }
    }
}
