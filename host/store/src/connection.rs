//! Files and the connections to them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{OpenError, StoreError};

/// More than there are distinct statements in common use: each is prepared once a connection.
const STATEMENTS: usize = 128;

/// The error of a connection to this file.
pub(crate) fn failed(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path: path.to_owned() },
        _ => OpenError::Database { path: path.to_owned(), reason: error.into() },
    }
}

/// The file's full path. A relative one could mean something else to SQLite, as `:memory:` does.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    std::path::absolute(path).map_err(|reason| OpenError::File { path: path.to_owned(), reason })
}

/// Makes the file and its folder where they are missing, for this user alone. SQLite gives the files beside it the same
/// permissions.
pub(crate) fn create(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent()
        && !folder.is_dir()
    {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|reason| OpenError::File { path: folder.to_owned(), reason })?;
    }
    match create_file(path) {
        Err(reason) if reason.kind() != io::ErrorKind::AlreadyExists => {
            Err(OpenError::File { path: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// Makes a file that does not exist, for this user alone.
pub(crate) fn create_file(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// A connection to a file that exists, with nothing set that could change the file.
pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Connection, OpenError> {
    match fs::metadata(path) {
        Ok(file) if file.is_dir() => {
            return Err(OpenError::File {
                path: path.to_owned(),
                reason: io::ErrorKind::IsADirectory.into(),
            });
        }
        Ok(_) => {}
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        Err(reason) => return Err(OpenError::File { path: path.to_owned(), reason }),
    }
    let connect = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy_timeout)?;
        configure(&connection)?;
        Ok(connection)
    };
    connect().map_err(|error| failed(path, error))
}

/// What every connection has in common.
pub(crate) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise SQLite plans a statement anew for every value of its parameters, limits and offsets among them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A file that someone else prepared must not make this program run functions or damage itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Switches the file to a write-ahead log, so that readers and the writer do not wait for each other.
pub(crate) fn use_write_ahead_log(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| failed(path, error);
    let wait = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0)).map_err(failed)?;
    let deadline = Instant::now() + Duration::from_millis(wait);
    let mode = loop {
        let switched = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .map_err(failed);
        match switched {
            // Of two that switch at once, SQLite tells one so without waiting, lest both wait for each other.
            Err(OpenError::Database { reason: StoreError::Busy, .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            switched => break switched?,
        }
    };
    if mode == "wal" {
        return Ok(());
    }
    let detail =
        format!("journal_mode stays {mode:?}: its file system has no shared memory; use a local disk");
    Err(OpenError::Database { path: path.to_owned(), reason: StoreError::Io { detail } })
}

/// Makes a connection the writer's.
pub(crate) fn for_writing(connection: &Connection, max_size_bytes: Option<u64>) -> rusqlite::Result<()> {
    // A commit is on the disk when it returns; NORMAL would lose the last ones with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten: it may be personal data.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    // After a burst or a long reader the log is cut down to this many bytes.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if let Some(bytes) = max_size_bytes {
        let page: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        // SQLite reads 0 as a question, and its greatest number of pages fits 32 bits.
        let pages = (bytes / page.max(1)).clamp(1, u64::from(u32::MAX) - 1);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

/// Makes a connection a reader's.
pub(crate) fn for_reading(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_waits_for_the_disk_and_keeps_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.db");
        create(&path).unwrap();
        let connection = open(&path, Duration::ZERO).unwrap();
        use_write_ahead_log(&connection, &path).unwrap();
        for_writing(&connection, Some(1_000_000)).unwrap();
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        // 2 is FULL: every commit is synced.
        let settings = ["synchronous", "foreign_keys", "secure_delete", "max_page_count"].map(pragma);
        assert_eq!(settings, [2, 1, 1, 244]);
    }
}
