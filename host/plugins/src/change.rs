//! What may happen to a plugin: the state machine of its releases. Pure; nothing here reads a clock, a file or a database.

mod apply;
#[cfg(test)]
pub(crate) mod tests;

use time::OffsetDateTime;

use serde_json::Value;

use crate::record::{PluginRecord, ReleaseState, Source};
use crate::trial::TrialPlan;

/// Something that happens to a plugin.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Bytes came. New ones are a new release. Those of a release that is here make it `installed` again, with the cases that
    /// came this time and without what was found before; when it is live, disabled or tried, only where it came from is
    /// noted. A removed plugin is enabled again, a disabled one stays disabled.
    Install {
        /// The component's digest, `sha256:…`.
        digest: String,
        /// How many bytes it has.
        bytes: u64,
        /// By which way it came. Every source but an upload is remembered as having offered this digest.
        source: Source,
        /// From where.
        origin: String,
        /// Who brought it.
        by: String,
        /// When.
        at: OffsetDateTime,
        /// Its recorded cases.
        cases: Option<String>,
    },
    /// An `installed`, `needs-approval`, `rejected` or `quarantined` release passed admission: `checked`.
    Accept {
        /// Which.
        number: u32,
        /// The version that the component names.
        version: Option<String>,
        /// What admission found.
        report: Value,
    },
    /// An `installed` or `rejected` release waits for an operator: `needs-approval`. One that waits already may wait for
    /// something else now.
    Hold {
        /// Which.
        number: u32,
        /// The version that the component names.
        version: Option<String>,
        /// What admission found.
        report: Value,
        /// What it wants, in a sentence.
        reason: String,
    },
    /// An `installed` or `needs-approval` release failed admission: `rejected`. A `rejected` one may fail for another reason.
    /// A `quarantined` one that fails again stays as it is, without a change.
    Reject {
        /// Which.
        number: u32,
        /// The version that the component names; `None` leaves what was known.
        version: Option<String>,
        /// What admission found.
        report: Value,
        /// Why, in a sentence.
        reason: String,
    },
    /// A `checked`, `replaced`, `disabled` or `quarantined` release goes live; the one that was live is `replaced`, one that was
    /// `disabled` too. The plugin is enabled. A trial of the release ends, a trial of another too. Refused for the release
    /// that is live.
    Activate {
        /// Which.
        number: u32,
    },
    /// An operator grants the plugin more. Changes no release. Refused when the plugin is removed, lest the next one of that
    /// name finds grants that nobody meant for it.
    Approve {
        /// Grants as the configuration spells them.
        grants: Vec<String>,
    },
    /// The plugin takes no more calls: its live release, if it has one, is `disabled`, its trial ends. Refused when it is
    /// removed. Only [`Change::Activate`] enables it again.
    Disable,
    /// The live release could not be brought back: `quarantined`, its trial ends.
    Quarantine {
        /// Which.
        number: u32,
        /// Why, in a sentence.
        reason: String,
    },
    /// The plugin goes: every release is `removed`, its trial ends, what was approved is forgotten. What sources offered is
    /// not, so that a restart does not bring it back.
    Remove,
    /// A source has its component no more: what it offered is forgotten, so that the same bytes are new when they come
    /// back. Changes no release.
    Withdraw {
        /// Which source.
        source: Source,
    },
    /// A `checked` or `replaced` release is tried beside the live one. Refused without a live one, and while a trial runs.
    BeginTrial {
        /// How. A share that is none is refused.
        plan: TrialPlan,
    },
    /// The trial ends; its release stays what it is. Refused when there is none.
    EndTrial,
    /// The oldest releases go. The live, disabled and tried ones stay, and the newest; beside those, the `keep` newest of the
    /// releases that passed admission and the `keep` newest of all others, so that uploads that fail push out no release
    /// that one could roll back to. Numbers stay used.
    Prune {
        /// How many of each kind stay.
        keep: usize,
    },
}

/// Why a change cannot be. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such release.
    #[error("plugin {plugin} has no release {number}")]
    NoRelease {
        /// The plugin.
        plugin: String,
        /// The number asked for.
        number: u32,
    },
    /// A release stands where this cannot happen to it.
    #[error("release {number} of {plugin} is {state}: {help}")]
    State {
        /// The plugin.
        plugin: String,
        /// The release.
        number: u32,
        /// How it stands.
        state: ReleaseState,
        /// What to do instead.
        help: &'static str,
    },
    /// The plugin itself stands where this cannot happen.
    #[error("plugin {plugin} {what}")]
    Plugin {
        /// The plugin.
        plugin: String,
        /// How it stands and what to do.
        what: &'static str,
    },
}

impl Refusal {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRelease { .. } => "unknown-release",
            Self::State { .. } => "release-state",
            Self::Plugin { .. } => "plugin-state",
        }
    }
}

impl PluginRecord {
    /// The record after a change. An accepted change that changes anything raises the revision by one.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn after(&self, change: Change) -> Result<Self, Refusal> {
        let mut after = self.clone();
        after.apply(change)?;
        if after != *self {
            after.revision = self.revision.saturating_add(1);
        }
        Ok(after)
    }
}
