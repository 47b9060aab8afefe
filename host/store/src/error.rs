//! What can go wrong, by what a caller can do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};

/// Why a job could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has the database locked.
    #[error(
        "the database is locked by another process for longer than the busy timeout; try again, or end that process"
    )]
    Busy,
    /// The disk is full, or the database has reached its greatest size.
    #[error(
        "the database is full: its disk has no room or it has reached its greatest size; delete rows, make room or raise the limit"
    )]
    Full,
    /// The file or its file system cannot be written.
    #[error("the database is read-only; check the permissions of its file and folder")]
    ReadOnly,
    /// The file does not hold what SQLite wrote.
    #[error("the database is damaged: {detail}; stop the server and restore a backup")]
    Corrupt {
        /// SQLite's own words.
        detail: String,
    },
    /// The file could not be read or written.
    #[error("the database's file could not be read or written: {detail}; check the disk")]
    Io {
        /// SQLite's own words.
        detail: String,
    },
    /// Too many jobs are waiting.
    #[error("too many jobs are waiting for the database; try again later")]
    Overloaded,
    /// A row with the same unique values exists.
    #[error("a row with these unique values exists already")]
    Duplicate,
    /// A row refers to a user who does not exist.
    #[error("there is no such user")]
    NoSuchUser,
    /// The write was sound, but the transaction that it shared with others was lost with one of them. Nothing of it stays.
    #[error("the transaction that this write shared with others was lost; nothing of it stays, try again")]
    Aborted,
    /// The store's threads have ended.
    #[error("the store is closed")]
    Closed,
    /// A mistake in this program or in SQLite.
    #[error("the store failed: {detail}; this is a defect, please report it")]
    Internal {
        /// What happened.
        detail: String,
    },
}

impl StoreError {
    /// A stable name for the kind of error, for reports and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Corrupt { .. } => "corrupt",
            Self::Io { .. } => "io",
            Self::Overloaded => "overloaded",
            Self::Duplicate => "duplicate",
            Self::NoSuchUser => "no-such-user",
            Self::Aborted => "aborted",
            Self::Closed => "closed",
            Self::Internal { .. } => "internal",
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let rusqlite::Error::SqliteFailure(failure, _) = error else { return Self::Internal { detail } };
        match (failure.code, failure.extended_code) {
            (
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed,
                _,
            ) => Self::Busy,
            (ErrorCode::DiskFull, _) => Self::Full,
            (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => Self::ReadOnly,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Corrupt { detail },
            (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen, _) => Self::Io { detail },
            (_, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) => Self::Duplicate,
            (_, SQLITE_CONSTRAINT_FOREIGNKEY) => Self::NoSuchUser,
            _ => Self::Internal { detail },
        }
    }
}

/// Why a database could not be opened, checked or backed up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("{path}: there is no such file; check the path", path = .path.display())]
    Missing {
        /// The database's file.
        path: PathBuf,
    },
    /// The folder or the file cannot be made or read.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The file is no SQLite database.
    #[error(
        "{path}: this file is not an SQLite database; choose another path or restore a backup",
        path = .path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is another application's database.
    #[error(
        "{path}: this SQLite database belongs to another application (application_id {application_id}); choose another path",
        path = .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The `application_id` in it; 0 when it has none.
        application_id: i32,
    },
    /// A later version of this program has written the file. It was not touched.
    #[error(
        "{path}: its schema is version {found}, this program knows up to {known}; use the program that wrote it, or a backup from before",
        path = .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The target of a backup exists.
    #[error("{path}: this file exists and is not overwritten; choose another name", path = .path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The copy that a backup made is not sound. It was removed.
    #[error("{path}: the copy is not sound: {}; run a check on the database", problems.join("; "), path = .path.display())]
    BadCopy {
        /// The target.
        path: PathBuf,
        /// What `integrity_check` found.
        problems: Vec<String>,
    },
    /// The database could not be used.
    #[error("{path}: {reason}", path = .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: StoreError,
    },
    /// The system gave no thread.
    #[error("the system gave no thread for the database: {0}")]
    Thread(
        /// The system's reason.
        std::io::Error,
    ),
}

impl OpenError {
    /// A stable name for the kind of error; that of the [`StoreError`] where one is inside.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "database-missing",
            Self::File { .. } => "database-file",
            Self::NotADatabase { .. } => "not-a-database",
            Self::Foreign { .. } => "foreign-database",
            Self::Newer { .. } => "newer-schema",
            Self::Exists { .. } => "backup-exists",
            Self::BadCopy { .. } => "bad-copy",
            Self::Database { reason, .. } => reason.code(),
            Self::Thread(_) => "thread",
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn failure(setup: &str, sql: &str) -> StoreError {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(setup).unwrap();
        connection.execute_batch(sql).unwrap_err().into()
    }

    #[test]
    fn what_sqlite_says_becomes_what_a_caller_can_act_on() {
        let read_only = failure("CREATE TABLE t (a); PRAGMA query_only = ON", "INSERT INTO t VALUES (1)");
        assert_eq!(read_only.code(), "read-only");
        let duplicate = failure("CREATE TABLE t (a UNIQUE)", "INSERT INTO t VALUES (1), (1)");
        assert_eq!(duplicate, StoreError::Duplicate);
        let mistake = failure("", "SELEKT 1");
        assert_eq!(mistake.code(), "internal");
        let check = failure("CREATE TABLE t (a CHECK (a > 1))", "INSERT INTO t VALUES (1)");
        assert_eq!(check.code(), "internal");
        let full = failure("PRAGMA max_page_count = 2", "CREATE TABLE a (a); CREATE TABLE b (b)");
        assert_eq!(full, StoreError::Full);
    }
}
