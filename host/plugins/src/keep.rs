//! A record as the database keeps it, and back.

use std::fmt::Display;

use hookbox_store::{PluginRow, ReleaseRow, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

use crate::record::{PluginRecord, Release, ReleaseState, Standing};

/// Why a kept record cannot be read: another version of the host wrote it, or somebody else did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeepError {
    /// A column of a row holds what no host writes there.
    #[error(
        "the database's row of plugin {plugin}{}: column {column}: {problem}; run `hookbox db check`, then restore a backup",
        .release.map(|number| format!(", release {number}")).unwrap_or_default()
    )]
    Column {
        /// The plugin.
        plugin: String,
        /// The release; `None` for the plugin's own row.
        release: Option<u32>,
        /// The column.
        column: &'static str,
        /// What is wrong with it, escaped and cut.
        problem: String,
    },
    /// Each column can be read, but together they make no sense.
    #[error(
        "the database's rows of plugin {plugin}: column {column}: {problem}; run `hookbox db check`, then restore a backup"
    )]
    Together {
        /// The plugin.
        plugin: String,
        /// The column that contradicts others.
        column: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl KeepError {
    /// A stable name.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Column { .. } => "record-column",
            Self::Together { .. } => "record-contradiction",
        }
    }
}

/// The most letters of a message that repeats what a row holds.
const PROBLEM_LETTERS: usize = 200;

/// Now, as precisely as rows keep it: what is told of a release is the same after a restart.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().truncate_to_microsecond()
}

/// The rows that keep a record. Times lose what is shorter than a microsecond.
pub(crate) fn to_rows(record: &PluginRecord) -> (PluginRow, Vec<ReleaseRow>) {
    let offers =
        record.offers.iter().map(|(source, digest)| (source.name().to_owned(), digest.clone().into()));
    let plugin = PluginRow {
        name: record.name.clone(),
        standing: record.standing.name().to_owned(),
        revision: record.revision,
        next_number: record.next_number,
        approved: Value::from(record.approved.clone()).to_string(),
        offers: Value::Object(offers.collect()).to_string(),
        // Only a time before year 0 or after 9999 cannot be written; a trial of then is not kept.
        trial: record.trial.as_ref().and_then(|plan| serde_json::to_string(plan).ok()),
    };
    (plugin, record.releases.iter().map(release_row).collect())
}

fn release_row(release: &Release) -> ReleaseRow {
    let micros = release.installed_at.unix_timestamp_nanos().div_euclid(1_000);
    ReleaseRow {
        number: release.number,
        digest: release.digest.clone(),
        bytes: release.bytes,
        version: release.version.clone(),
        source: release.source.name().to_owned(),
        origin: release.origin.clone(),
        installed_at: Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
        installed_by: release.installed_by.clone(),
        state: release.state.name().to_owned(),
        reason: release.reason.clone(),
        report: release.report.to_string(),
        cases: release.cases.clone(),
    }
}

/// The record that rows keep. The releases come in the order of their numbers.
///
/// # Errors
/// [`KeepError`].
pub(crate) fn from_rows(plugin: PluginRow, releases: Vec<ReleaseRow>) -> Result<PluginRecord, KeepError> {
    let row = Place { plugin: &plugin.name, release: None };
    let record = PluginRecord {
        standing: row.word("standing", &plugin.standing)?,
        revision: plugin.revision,
        next_number: plugin.next_number,
        approved: row.json("approved", &plugin.approved)?,
        offers: row.json("offers", &plugin.offers)?,
        trial: plugin.trial.as_deref().map(|trial| row.json("trial", trial)).transpose()?,
        releases: releases
            .into_iter()
            .map(|release| from_row(&plugin.name, release))
            .collect::<Result<_, _>>()?,
        name: plugin.name,
    };
    together(record)
}

fn from_row(plugin: &str, release: ReleaseRow) -> Result<Release, KeepError> {
    let row = Place { plugin, release: Some(release.number) };
    let nanos = i128::from(release.installed_at.as_micros()) * 1_000;
    Ok(Release {
        number: release.number,
        bytes: release.bytes,
        version: release.version,
        source: row.word("source", &release.source)?,
        origin: release.origin,
        installed_at: OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .map_err(|error| row.problem("installed_at", error))?,
        installed_by: release.installed_by,
        state: row.word("state", &release.state)?,
        reason: release.reason,
        report: row.json("report", &release.report)?,
        cases: release.cases,
        digest: release.digest,
    })
}

/// The record, if its parts fit one another.
fn together(record: PluginRecord) -> Result<PluginRecord, KeepError> {
    let in_state =
        |state| record.releases.iter().filter(move |release| release.state == state).map(|it| it.number);
    let (live, disabled) = (in_state(ReleaseState::Live).count(), in_state(ReleaseState::Disabled).count());
    let problem = if live > 1 || disabled > 1 {
        Some(("state", format!("{live} releases are live and {disabled} disabled")))
    } else if live > 0 && record.standing != Standing::Enabled {
        Some(("state", format!("a release is live, the plugin is {}", record.standing.name())))
    } else if disabled > 0 && record.standing != Standing::Disabled {
        Some(("state", format!("a release is disabled, the plugin is {}", record.standing.name())))
    } else if let Some(last) = record.releases.iter().map(|release| release.number).max()
        && last >= record.next_number
    {
        Some(("next_number", format!("it is {}, there is a release {last}", record.next_number)))
    } else {
        record.trial.as_ref().and_then(|plan| {
            let tried = record.release(plan.release).map(|release| release.state);
            match tried {
                Some(ReleaseState::Checked | ReleaseState::Replaced) if live == 1 => None,
                Some(state) => {
                    Some(("trial", format!("release {} is {state}, {live} are live", plan.release)))
                }
                None => Some(("trial", format!("there is no release {}", plan.release))),
            }
        })
    };
    match problem {
        Some((column, problem)) => Err(KeepError::Together { plugin: record.name, column, problem }),
        None => Ok(record),
    }
}

/// Where a column is.
#[derive(Clone, Copy)]
struct Place<'a> {
    plugin: &'a str,
    release: Option<u32>,
}

impl Place<'_> {
    fn word<T: DeserializeOwned>(self, column: &'static str, word: &str) -> Result<T, KeepError> {
        serde_json::from_value(word.into()).map_err(|error| self.problem(column, error))
    }

    fn json<T: DeserializeOwned>(self, column: &'static str, text: &str) -> Result<T, KeepError> {
        serde_json::from_str(text).map_err(|error| self.problem(column, error))
    }

    fn problem(self, column: &'static str, error: impl Display) -> KeepError {
        let said = error.to_string();
        KeepError::Column {
            plugin: self.plugin.to_owned(),
            release: self.release,
            column,
            problem: said.escape_debug().take(PROBLEM_LETTERS).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
