//! What the host knows of one plugin, live or not: its releases and how each stands. Pure; [`crate::change`] is the only
//! way from one state to the next.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::trial::TrialPlan;

/// One plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// Whether it is meant to run.
    pub standing: Standing,
    /// Grows with every change. What an operator saw of the plugin is still true while this is the same.
    pub revision: u64,
    /// Its releases, in the order of their numbers.
    pub releases: Vec<Release>,
    /// The number that the next new release gets; numbers are never used again.
    pub next_number: u32,
    /// Grants that operators approved beyond those of the configuration, as they are spelled there.
    pub approved: Vec<String>,
    /// The digest that each source offered last. A source that offers the same again changes nothing, so that a restart
    /// undoes no rollback.
    pub offers: BTreeMap<Source, String>,
    /// A release that is being tried beside the live one.
    pub trial: Option<TrialPlan>,
}

/// Whether a plugin is meant to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It runs, when a release of it can.
    Enabled,
    /// An operator disabled it.
    Disabled,
    /// It is removed; the record stays for those who ask, and for its numbers.
    Removed,
}

/// One release of a plugin. A plugin has each component once: the same bytes again are the same release.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// 1 for the plugin's first.
    pub number: u32,
    /// The component's digest, `sha256:…`.
    pub digest: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The version that the component names.
    pub version: Option<String>,
    /// By which way it came last.
    pub source: Source,
    /// From where: a file, a sample, the name of who sent it.
    pub origin: String,
    /// When it came first.
    pub installed_at: OffsetDateTime,
    /// Who brought it.
    pub installed_by: String,
    /// How it stands.
    pub state: ReleaseState,
    /// Why it is rejected, quarantined or waits; a sentence for people.
    pub reason: Option<String>,
    /// What its admission found, as JSON.
    pub report: Value,
    /// Its recorded cases, the text of the file that came with it.
    pub cases: Option<String>,
}

/// By which way a release came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Somebody sent it to the server, or gave it to the command.
    Upload,
    /// The watched folder.
    Folder,
    /// `component` in the configuration.
    Configuration,
    /// The host's binary.
    Sample,
}

/// How a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Its bytes are here; nobody has looked at them yet.
    Installed,
    /// It passed admission and could go live.
    Checked,
    /// It wants more than it is granted, or is the first of its plugin where first ones wait.
    NeedsApproval,
    /// It takes calls.
    Live,
    /// It took calls until its plugin was disabled.
    Disabled,
    /// It took calls, and could not be brought back when the host started.
    Quarantined,
    /// It took calls until another release did; it can again.
    Replaced,
    /// It failed admission.
    Rejected,
    /// Its plugin was removed; its bytes are gone or will be.
    Removed,
}

impl PluginRecord {
    /// A plugin that was never heard of.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            standing: Standing::Enabled,
            revision: 0,
            releases: Vec::new(),
            next_number: 1,
            approved: Vec::new(),
            offers: BTreeMap::new(),
            trial: None,
        }
    }

    /// A release by number.
    pub fn release(&self, number: u32) -> Option<&Release> {
        self.releases.iter().find(|release| release.number == number)
    }

    /// A release by its component's digest.
    pub fn by_digest(&self, digest: &str) -> Option<&Release> {
        self.releases.iter().find(|release| release.digest == digest)
    }

    /// Whether a source that offers this component offers nothing new. One that was rejected may be good now, unless
    /// somebody has put a newer one in its place since.
    pub fn was_offered(&self, source: Source, digest: &str) -> bool {
        let newer = |release: &Release| self.current().is_some_and(|current| current.number > release.number);
        let settled = |release: &Release| release.state != ReleaseState::Rejected || newer(release);
        self.offers.get(&source).is_some_and(|offered| offered == digest)
            && self.by_digest(digest).is_none_or(settled)
    }

    /// The release that takes calls, or did until the plugin was disabled or could not bring it back.
    pub fn current(&self) -> Option<&Release> {
        let newest = |state| self.releases.iter().rfind(|release| release.state == state);
        let idle = || newest(ReleaseState::Disabled).or_else(|| newest(ReleaseState::Quarantined));
        self.live().or_else(idle)
    }

    /// The release that takes calls.
    pub fn live(&self) -> Option<&Release> {
        self.releases.iter().find(|release| release.state == ReleaseState::Live)
    }
}

impl ReleaseState {
    /// Whether the component's bytes are kept: whoever can go live, now or after a yes.
    pub fn has_bytes(self) -> bool {
        !matches!(self, Self::Rejected | Self::Removed)
    }

    /// Its name in JSON, in the database and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Checked => "checked",
            Self::NeedsApproval => "needs-approval",
            Self::Live => "live",
            Self::Disabled => "disabled",
            Self::Quarantined => "quarantined",
            Self::Replaced => "replaced",
            Self::Rejected => "rejected",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Standing {
    /// Its name in JSON, in the database and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

impl Source {
    /// Its name in JSON, in the database and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Folder => "folder",
            Self::Configuration => "configuration",
            Self::Sample => "sample",
        }
    }
}
