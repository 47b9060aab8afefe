//! Trying a release on real calls before it is trusted: `shadow` runs it beside the live one and compares, `canary` lets it
//! answer some calls.
//!
//! A shadow is a rehearsal: it changes nothing, and what it answers goes nowhere but into the comparison ([`compare`]). A
//! canary is real. What came of either is counted, and the plan's rule looks at the counts ([`tally`]).

mod compare;
mod run;
mod tally;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

pub(crate) use compare::Said;
pub use run::Trial;
pub(crate) use run::{Draws, Tried};
pub(crate) use tally::Ended;

/// How a release is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialPlan {
    /// The release that is tried.
    pub release: u32,
    /// Beside the live one, or in its place.
    pub kind: TrialKind,
    /// Of a hundred calls, how many it gets: above 0, at most 100.
    pub percent: f64,
    /// When it ends by itself; `None`: by hand.
    pub rule: Option<TrialRule>,
    /// Whether examples of differences hold the values, or only where they differ. What the host itself says (`outcome`,
    /// `receipt`, `failure.code`) is always there.
    pub values: bool,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub began_at: OffsetDateTime,
    /// Who began it.
    pub began_by: String,
}

/// What a tried release's answers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrialKind {
    /// Its answers are compared and thrown away.
    Shadow,
    /// It answers its share of the calls.
    Canary,
}

/// When a trial ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRule {
    /// After so many calls it is promoted.
    pub calls: u64,
    /// With more differences (shadow) or failures (canary) than this it is rolled back at once. A shadow's failures count
    /// as differences.
    pub differences: u64,
}

/// What a trial found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrialCounts {
    /// Calls of the tried release that ended; those left out are none.
    pub calls: u64,
    /// Shadow: with the same answer as the live release's.
    pub equal: u64,
    /// Shadow: with another.
    pub different: u64,
    /// That failed where the live release's did not (canary: that failed).
    pub failed: u64,
    /// Chosen, and left out: too many shadows ran already or kept failing, or the host had no room for the call.
    pub left_out: u64,
}

/// One difference that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialExample {
    /// The hook.
    pub hook: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Places where the answers differ, at most twenty.
    pub differences: Vec<Difference>,
}

/// One place where two answers differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where: `outcome`, `changes.url`, `changes.list[2]`, `exception.message`, `error`, `failure.code`, `receipt`,
    /// `reason`. Names of the plugin's own are escaped and cut.
    pub path: String,
    /// The live release's value; absent where it has none, or where values are left out. A long one is the beginning of
    /// its JSON, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// The tried release's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Value>,
}

/// A trial as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialView {
    /// How it is done.
    #[serde(flatten)]
    pub plan: TrialPlan,
    /// What it found since the host last started.
    pub counts: TrialCounts,
    /// The latest calls that differed or failed, the latest first, at most twenty.
    pub examples: Vec<TrialExample>,
}

/// How a trial ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialEnd {
    /// The tried release goes live.
    Promote,
    /// The live one stays.
    RollBack,
}

/// A trial's rule has decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrialVerdict {
    pub(crate) plugin: String,
    pub(crate) release: u32,
    /// When the trial began, which tells it from another of the same release.
    pub(crate) began_at: OffsetDateTime,
    pub(crate) end: TrialEnd,
    pub(crate) counts: TrialCounts,
}

#[cfg(test)]
mod tests;
