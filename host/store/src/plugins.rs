//! Plugins, their releases, and who did what to them when. All SQL about that is here; what the words mean is the
//! caller's.

mod statements;

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use crate::error::StoreError;
use crate::job::{Reads, Writes};
use crate::time::Timestamp;

pub(crate) use statements::QUESTIONS;
use statements::{AUDIT, AUDIT_OF_PLUGIN, PLUGINS, RECORD, RELEASES, SAVE_PLUGIN, SAVE_RELEASE};

/// How many entries of the audit trail a host keeps: what to give [`Writes::prune_audit`]. It is what the documentation
/// promises about personal data.
pub const AUDIT_ENTRIES: u64 = 10_000;

/// One plugin as it is kept. Lists and tables are JSON, whose meaning is the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRow {
    /// Its name.
    pub name: String,
    /// `enabled`, `disabled` or `removed`.
    pub standing: String,
    /// Grows with every change.
    pub revision: u64,
    /// The number of the next release.
    pub next_number: u32,
    /// Approved grants, a JSON list of texts.
    pub approved: String,
    /// What each source offered last, a JSON object.
    pub offers: String,
    /// The trial that runs, a JSON object.
    pub trial: Option<String>,
}

/// One release as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its number within the plugin.
    pub number: u32,
    /// The component's digest, `sha256:…`.
    pub digest: String,
    /// How many bytes the component has.
    pub bytes: u64,
    /// The version that the component names.
    pub version: Option<String>,
    /// By which way it came.
    pub source: String,
    /// From where.
    pub origin: String,
    /// When it came first.
    pub installed_at: Timestamp,
    /// Who brought it.
    pub installed_by: String,
    /// How it stands.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// What its admission found, a JSON object.
    pub report: String,
    /// Its recorded cases.
    pub cases: Option<String>,
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a user's name, or which part of the host.
    pub actor: String,
    /// What was done: `install`, `activate`, `disable`, …
    pub action: String,
    /// What came of it: `done`, `rejected`, `refused`, …
    pub outcome: String,
    /// To which plugin.
    pub plugin: Option<String>,
    /// To which release of it.
    pub release: Option<u32>,
    /// The component's digest.
    pub digest: Option<String>,
    /// The generation that went live with it, if one did.
    pub generation: Option<u64>,
    /// Further facts, a JSON object.
    pub detail: String,
}

/// The same with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Grows from entry to entry.
    pub id: i64,
    /// What was done.
    pub entry: NewAuditEntry,
}

/// Which entries to read: the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those about this plugin.
    pub plugin: Option<String>,
    /// Only those before this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Reads<'_> {
    /// Every plugin with its releases, by name and number.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn plugins(&self) -> Result<Vec<(PluginRow, Vec<ReleaseRow>)>, StoreError> {
        let mut releases: BTreeMap<String, Vec<ReleaseRow>> = BTreeMap::new();
        let mut statement = self.connection.prepare_cached(RELEASES)?;
        for row in statement.query_map([], |row| Ok((row.get(0)?, release(row)?)))? {
            let (plugin, release) = row?;
            releases.entry(plugin).or_default().push(release);
        }
        let mut statement = self.connection.prepare_cached(PLUGINS)?;
        let rows = statement.query_map([], plugin)?;
        rows.map(|row| {
            let plugin = row?;
            let releases = releases.remove(&plugin.name).unwrap_or_default();
            Ok((plugin, releases))
        })
        .collect()
    }

    /// The number of the generation that went live last; 0 when none ever did.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn generation_number(&self) -> Result<u64, StoreError> {
        Ok(self.first("SELECT number FROM generation", [], |row| row.get(0))?.unwrap_or_default())
    }

    /// What was done, the latest first. Costs no more with a long trail than with a short one.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let before = query.before.unwrap_or(i64::MAX);
        let entries: rusqlite::Result<_> = match &query.plugin {
            Some(plugin) => self
                .connection
                .prepare_cached(AUDIT_OF_PLUGIN)?
                .query_map(params![before, query.limit, plugin], entry)?
                .collect(),
            None => self
                .connection
                .prepare_cached(AUDIT)?
                .query_map(params![before, query.limit], entry)?
                .collect(),
        };
        Ok(entries?)
    }
}

impl Writes<'_> {
    /// Writes a plugin and its releases as they are now; releases that are not among these go. Rows that are so already are
    /// not written again.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when two of the releases have one number or one digest; the database could not be written.
    pub fn save_plugin(&self, plugin: &PluginRow, releases: &[ReleaseRow]) -> Result<(), StoreError> {
        self.execute(
            SAVE_PLUGIN,
            params![
                plugin.name,
                plugin.standing,
                plugin.revision,
                plugin.next_number,
                plugin.approved,
                plugin.offers,
                plugin.trial,
            ],
        )?;
        // Before the others, so that a digest may come back under another number.
        let numbers: Vec<String> = releases.iter().map(|release| release.number.to_string()).collect();
        self.execute(
            "DELETE FROM plugin_release
             WHERE plugin = ?1 AND number NOT IN (SELECT value FROM json_each(?2))",
            params![plugin.name, format!("[{}]", numbers.join(","))],
        )?;
        for release in releases {
            self.execute(
                SAVE_RELEASE,
                params![
                    plugin.name,
                    release.number,
                    release.digest,
                    release.bytes,
                    release.version,
                    release.source,
                    release.origin,
                    release.installed_at,
                    release.installed_by,
                    release.state,
                    release.reason,
                    release.report,
                    release.cases,
                ],
            )?;
        }
        Ok(())
    }

    /// Writes down that a generation went live.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn set_generation_number(&self, number: u64) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO generation (id, number) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET number = excluded.number",
            [number],
        )?;
        Ok(())
    }

    /// Writes down what was done; the entry's id, one above that of the last.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn record(&self, entry: &NewAuditEntry) -> Result<i64, StoreError> {
        self.execute(
            RECORD,
            params![
                entry.at,
                entry.actor,
                entry.action,
                entry.outcome,
                entry.plugin,
                entry.release,
                entry.digest,
                entry.generation,
                entry.detail,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Keeps the latest `keep` audit entries; how many went. Costs nothing when none do, so it can follow every entry.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn prune_audit(&self, keep: u64) -> Result<usize, StoreError> {
        // The ids have no gaps: only this deletes entries, from the oldest on.
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        self.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1", [keep])
    }
}

fn plugin(row: &Row<'_>) -> rusqlite::Result<PluginRow> {
    Ok(PluginRow {
        name: row.get(0)?,
        standing: row.get(1)?,
        revision: row.get(2)?,
        next_number: row.get(3)?,
        approved: row.get(4)?,
        offers: row.get(5)?,
        trial: row.get(6)?,
    })
}

/// From the second column on; the first is the plugin's name.
fn release(row: &Row<'_>) -> rusqlite::Result<ReleaseRow> {
    Ok(ReleaseRow {
        number: row.get(1)?,
        digest: row.get(2)?,
        bytes: row.get(3)?,
        version: row.get(4)?,
        source: row.get(5)?,
        origin: row.get(6)?,
        installed_at: row.get(7)?,
        installed_by: row.get(8)?,
        state: row.get(9)?,
        reason: row.get(10)?,
        report: row.get(11)?,
        cases: row.get(12)?,
    })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get(0)?,
        entry: NewAuditEntry {
            at: row.get(1)?,
            actor: row.get(2)?,
            action: row.get(3)?,
            outcome: row.get(4)?,
            plugin: row.get(5)?,
            release: row.get(6)?,
            digest: row.get(7)?,
            generation: row.get(8)?,
            detail: row.get(9)?,
        },
    })
}
