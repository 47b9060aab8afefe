//! `hookbox db`: what an operator does with the database.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hookbox_server::Config;
use hookbox_store::{CheckReport, Store};
use serde_json::json;

use crate::Done;
use crate::output;

/// The database below the data folder.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Bring the schema up to date, and make the database where there is none
    Migrate,
    /// Copy the database to a new file, also while a server writes
    Backup(Backup),
    /// Say whether the database is sound and its schema current
    Check,
    /// Delete all rows that a plugin keeps (`wasi:keyvalue`), also while a server runs
    ClearPlugin(ClearPlugin),
}

/// Copy the database to a new file, also while a server writes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox db backup /backups/hookbox-2026-11-22.db

To restore: stop the server, put the copy in the place of hookbox.db in the data folder, remove hookbox.db-wal and
hookbox.db-shm, start the server.")]
pub(crate) struct Backup {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Delete all rows that a plugin keeps (`wasi:keyvalue`), also while a server runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox db clear-plugin visit-counter

The plugin may be out of the configuration already. A plugin that is live may write new rows at its next call.")]
pub(crate) struct ClearPlugin {
    /// The plugin's name in the configuration
    #[arg(value_name = "NAME")]
    name: String,
}

impl Db {
    pub(crate) async fn execute(self, config: &Config, as_json: bool) -> anyhow::Result<Done> {
        let path = config.database_path();
        let shown = path.display();
        match self {
            Self::Migrate => {
                let done = hookbox_store::migrate(&path)?;
                if as_json {
                    output::json(&json!({"database": path, "from": done.from, "to": done.to}))?;
                } else if done.from == done.to {
                    output::text(&format!("{shown}: the schema is current, version {}", done.to))?;
                } else {
                    let (from, to) = (done.from, done.to);
                    output::text(&format!("{shown}: the schema went from version {from} to {to}"))?;
                }
                Ok(Done::Well)
            }
            Self::Backup(backup) => {
                let told = std::io::stderr().is_terminal();
                let progress = |done: u64, total: u64| {
                    if told {
                        eprint!("\r{done} of {total} pages");
                    }
                };
                let report = hookbox_store::backup(&path, &backup.file, progress);
                if told {
                    eprintln!();
                }
                let report = report?;
                if as_json {
                    output::json(&json!({
                        "backup": backup.file,
                        "schema_version": report.schema_version,
                        "pages": report.pages,
                        "size_bytes": report.size_bytes,
                    }))?;
                } else {
                    let bytes = report.size_bytes;
                    output::text(&format!("{}: {bytes} bytes, whole and checked", backup.file.display()))?;
                }
                Ok(Done::Well)
            }
            Self::Check => {
                let report = hookbox_store::check(&path)?;
                let problems = problems(&report);
                if as_json {
                    output::json(&json!({
                        "database": path,
                        "sound": problems.is_empty(),
                        "schema_version": report.schema_version,
                        "known_version": report.known_version,
                        "problems": problems,
                        "tables": report.tables,
                        "size_bytes": report.size_bytes,
                    }))?;
                } else if problems.is_empty() {
                    output::text(&format!("{shown}: {}", sound(&report)))?;
                } else {
                    output::text(&format!("{shown}:\n  {}", problems.join("\n  ")))?;
                }
                Ok(if problems.is_empty() { Done::Well } else { Done::Failed })
            }
            Self::ClearPlugin(ClearPlugin { name }) => {
                if !path.is_file() {
                    anyhow::bail!("{shown} is not there: no plugin keeps anything");
                }
                let store = Store::open(&config.database_options())?;
                let plugin = name.clone();
                let rows = store.write(move |writes| writes.key_value_clear(&plugin)).await?;
                if as_json {
                    output::json(&json!({"database": path, "plugin": name, "rows": rows}))?;
                } else {
                    output::text(&format!("{shown}: {rows} rows of the plugin {name:?} deleted"))?;
                }
                Ok(Done::Well)
            }
        }
    }
}

/// What keeps a server from using the database as it is.
pub(super) fn problems(report: &CheckReport) -> Vec<String> {
    let mut problems = report.problems.clone();
    let (is, known) = (report.schema_version, report.known_version);
    if is < known {
        problems
            .push(format!("the schema is version {is}, this program's is {known}: run `hookbox db migrate`"));
    }
    if is > known {
        problems.push(format!(
            "the schema is version {is}, newer than this program's {known}: run a newer hookbox"
        ));
    }
    problems
}

/// A sound database in one line.
pub(super) fn sound(report: &CheckReport) -> String {
    let rows: Vec<String> = ["users", "archive_status", "key_value"]
        .iter()
        .filter_map(|table| Some(format!("{} rows in {table}", report.tables.get(*table)?)))
        .collect();
    format!(
        "sound, schema version {}, {} bytes, {}",
        report.schema_version,
        report.size_bytes,
        rows.join(", ")
    )
}
