//! What an operator does with a database's file, whether or not a server has it open.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::audit::audit;
use crate::connection;
use crate::error::{OpenError, StoreError};
use crate::job::Reads;
use crate::plugins::{PluginRow, ReleaseRow};
use crate::schema::{self, Migrated, SCHEMA_VERSION};

/// How long these wait for another process that has the database locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The first version of the schema that has plugins.
const PLUGINS_SINCE: u32 = 3;
/// How many pages are copied between two reports of progress.
const STEP_PAGES: i32 = 256;

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The version of the file's schema; 0 for an empty file.
    pub schema_version: u32,
    /// The version that this program writes. Where the file's is lower, [`migrate`] or the next start raises it.
    pub known_version: u32,
    /// What is wrong, a sentence each. None: the file is sound.
    pub problems: Vec<String>,
    /// How many rows each table has.
    pub tables: BTreeMap<String, u64>,
    /// The size of the database's file, without its write-ahead log.
    pub size_bytes: u64,
}

/// What [`backup`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// The version of the copy's schema.
    pub schema_version: u32,
    /// How many pages the copy has.
    pub pages: u64,
    /// The size of the copy's file.
    pub size_bytes: u64,
}

/// Brings a database's schema up to date, and makes the database where there is none.
///
/// # Errors
/// Those of [`Store::open`](crate::Store::open).
pub fn migrate(path: impl AsRef<Path>) -> Result<Migrated, OpenError> {
    let path = connection::absolute(path.as_ref())?;
    connection::create(&path)?;
    schema::migrate_file(&mut connection::open(&path, BUSY_TIMEOUT)?, &path)
}

/// Checks a database: SQLite's own structures, that every row's user or plugin exists, that the counters agree with the rows,
/// that a plugin has one live release at most, and that of deliveries which follow one another one has its turn. Reads the
/// whole file, changes nothing, and sees one snapshot if a server writes meanwhile.
///
/// # Errors
/// The file is missing, none of this program's, or cannot be read at all. What is wrong inside is in the report.
pub fn check(path: impl AsRef<Path>) -> Result<CheckReport, OpenError> {
    let path = connection::absolute(path.as_ref())?;
    let database = connection::open(&path, BUSY_TIMEOUT)?;
    connection::for_reading(&database).map_err(|error| connection::failed(&path, error))?;
    let snapshot = database.unchecked_transaction().map_err(|error| connection::failed(&path, error))?;
    let schema_version = schema::version(&snapshot, &path)?;

    let mut problems = Vec::new();
    let mut asked = |question: rusqlite::Result<Vec<String>>| match question {
        Ok(answers) => problems.extend(answers),
        Err(error) => problems.push(StoreError::from(error).to_string()),
    };
    asked(integrity(&snapshot));
    asked(orphans(&snapshot));
    // What the counters of a newer schema mean is not known.
    if schema_version <= SCHEMA_VERSION {
        asked(audit(&snapshot, schema_version));
    }
    let tables = match tables(&snapshot) {
        Ok(tables) => tables,
        Err(error) => {
            asked(Err(error));
            BTreeMap::new()
        }
    };
    problems.dedup();
    Ok(CheckReport {
        schema_version,
        known_version: SCHEMA_VERSION,
        problems,
        tables,
        size_bytes: size(&path)?,
    })
}

/// The plugins that a database keeps, with their releases; none where its schema is older than they are. Changes nothing,
/// whether or not a server has it open.
///
/// # Errors
/// The file is missing, none of this program's, or cannot be read.
pub fn plugins_of(path: impl AsRef<Path>) -> Result<Vec<(PluginRow, Vec<ReleaseRow>)>, OpenError> {
    let path = connection::absolute(path.as_ref())?;
    let database = connection::open(&path, BUSY_TIMEOUT)?;
    let failed = |error| connection::failed(&path, error);
    connection::for_reading(&database).map_err(failed)?;
    let snapshot = database.unchecked_transaction().map_err(failed)?;
    if schema::version(&snapshot, &path)? < PLUGINS_SINCE {
        return Ok(Vec::new());
    }
    Reads::new(&snapshot).plugins().map_err(|reason| OpenError::Database { path: path.clone(), reason })
}

/// Copies a database to a file that does not exist yet, while a server may be writing. The copy holds every write that was
/// answered before it began and none that came later. It is written under another name beside, checked, and renamed, so a file of
/// that name is whole. `progress` is told how many of the pages are copied.
///
/// # Errors
/// The database is missing, none of this program's or cannot be read; the target exists or cannot be written; the copy is not
/// sound, because the database is not.
pub fn backup(
    path: impl AsRef<Path>,
    to: impl AsRef<Path>,
    mut progress: impl FnMut(u64, u64),
) -> Result<BackupReport, OpenError> {
    let path = connection::absolute(path.as_ref())?;
    let to = connection::absolute(to.as_ref())?;
    let unwritable = |reason| OpenError::File { path: to.clone(), reason };
    if fs::symlink_metadata(&to).is_ok() {
        return Err(OpenError::Exists { path: to });
    }
    let database = connection::open(&path, BUSY_TIMEOUT)?;
    connection::for_reading(&database).map_err(|error| connection::failed(&path, error))?;
    // With a snapshot held, what others write does not make the copy start again.
    let snapshot = database.unchecked_transaction().map_err(|error| connection::failed(&path, error))?;
    let schema_version = schema::version(&snapshot, &path)?;

    let partial = Partial::create(&to).map_err(unwritable)?;
    let pages = partial.fill(&snapshot, &mut progress).map_err(|error| match error {
        CopyError::Source(error) => connection::failed(&path, error),
        CopyError::Copy(error) => connection::failed(&to, error),
        CopyError::Unsound(problems) => OpenError::BadCopy { path: to.clone(), problems },
    })?;
    let size_bytes = size(&partial.path)?;
    partial.rename(&to).map_err(|reason| match reason.kind() {
        io::ErrorKind::AlreadyExists => OpenError::Exists { path: to.clone() },
        _ => unwritable(reason),
    })?;
    Ok(BackupReport { schema_version, pages, size_bytes })
}

fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

fn orphans(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 100")?;
    let orphan = |row: &rusqlite::Row<'_>| {
        let (table, id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{table}: row {} refers to a row of {parent} that is missing", id.unwrap_or_default()))
    };
    statement.query_map([], orphan)?.collect()
}

fn tables(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut names = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let mut tables = BTreeMap::new();
    for name in names.query_map([], |row| row.get::<_, String>(0))? {
        let name = name?;
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows = connection.query_row(&count, [], |row| row.get(0))?;
        tables.insert(name, rows);
    }
    Ok(tables)
}

fn size(path: &Path) -> Result<u64, OpenError> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(reason) => Err(OpenError::File { path: path.to_owned(), reason }),
    }
}

/// A copy that is not finished. Dropped before it is renamed, it is removed.
struct Partial {
    path: PathBuf,
}

enum CopyError {
    Source(rusqlite::Error),
    Copy(rusqlite::Error),
    Unsound(Vec<String>),
}

impl Partial {
    fn create(to: &Path) -> io::Result<Self> {
        let mut name = to.file_name().map_or_else(OsString::new, OsString::from);
        name.push(format!(".partial-{}", std::process::id()));
        let path = to.with_file_name(name);
        connection::create_file(&path)?;
        Ok(Self { path })
    }

    /// Copies all pages, leaves a file that stands alone, and checks it.
    fn fill(&self, from: &Connection, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, CopyError> {
        let mut copy = Connection::open(&self.path).map_err(CopyError::Copy)?;
        let backup = Backup::new(from, &mut copy).map_err(CopyError::Copy)?;
        loop {
            let step = backup.step(STEP_PAGES).map_err(CopyError::Source)?;
            let reached = backup.progress();
            let total = u64::try_from(reached.pagecount).unwrap_or(0);
            let left = u64::try_from(reached.remaining).unwrap_or(0);
            progress(total.saturating_sub(left), total);
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Only the lock of another process on the snapshot's file: it is short.
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        drop(backup);
        copy.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).map_err(CopyError::Copy)?;
        let problems = integrity(&copy).map_err(CopyError::Copy)?;
        if !problems.is_empty() {
            return Err(CopyError::Unsound(problems));
        }
        copy.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(CopyError::Copy)
    }

    fn rename(self, to: &Path) -> io::Result<()> {
        // Takes the name, or fails if someone else has taken it by now; then replaces that empty file.
        connection::create_file(to)?;
        fs::rename(&self.path, to).inspect_err(|_| drop(fs::remove_file(to)))?;
        sync(to)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(end);
            // Most of these do not exist, and after the renaming none does.
            drop(fs::remove_file(path));
        }
    }
}

/// Makes the new name durable.
fn sync(to: &Path) -> io::Result<()> {
    fs::File::open(to)?.sync_all()?;
    #[cfg(unix)]
    if let Some(folder) = to.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
