//! The schema's numbered steps.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::connection::{failed, use_write_ahead_log};
use crate::error::OpenError;

/// Marks a file as this program's: "HKBX".
pub(crate) const APPLICATION_ID: i32 = 0x484b_4258;

/// The version of the schema that this program writes: how many steps it knows.
pub const SCHEMA_VERSION: u32 = 5;

/// What brings a schema from one version to the next. Released steps never change; a new one goes to the end.
pub(crate) const STEPS: &[&str] = &[
    include_str!("../migrations/0001_users_and_archive.sql"),
    include_str!("../migrations/0002_key_value.sql"),
    include_str!("../migrations/0003_plugins.sql"),
    include_str!("../migrations/0004_events.sql"),
    include_str!("../migrations/0005_user_sync.sql"),
];

const _: () = assert!(STEPS.len() == SCHEMA_VERSION as usize);

/// What a migration did. Both are equal when there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version before; 0 for a new file.
    pub from: u32,
    /// The schema's version now.
    pub to: u32,
}

/// Whose file a connection has open, and its schema's version: 0 for an empty file.
///
/// # Errors
/// The file is not this program's, or it cannot be read. A newer schema is no error here.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    // In one statement, which sees one moment: another process may be migrating a new file.
    let (application_id, version, tables): (i32, i32, i32) = connection
        .query_row(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id, pragma_user_version",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(|error| failed(path, error))?;
    let empty = application_id == 0 && version == 0 && tables == 0;
    if application_id != APPLICATION_ID && !empty {
        return Err(OpenError::Foreign { path: path.to_owned(), application_id });
    }
    // A negative version is none of this program's either.
    u32::try_from(version).map_err(|_| OpenError::Foreign { path: path.to_owned(), application_id })
}

/// Brings the file that a connection has open up to date, with a write-ahead log.
pub(crate) fn migrate_file(connection: &mut Connection, path: &Path) -> Result<Migrated, OpenError> {
    // The journal is switched between looking and migrating: a file of someone else's stays as it is.
    let found = version(connection, path)?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    use_write_ahead_log(connection, path)?;
    migrate(connection, path, STEPS)
}

/// Applies the steps that a file lacks, all or none.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
) -> Result<Migrated, OpenError> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let refuse_newer = |found: u32| match found > known {
        true => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        false => Ok(found),
    };
    let failed = |error| failed(path, error);
    if refuse_newer(version(connection, path)?)? == known {
        return Ok(Migrated { from: known, to: known });
    }
    // A step that rebuilds a table would otherwise delete what refers to it.
    connection.pragma_update(None, "foreign_keys", false).map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have migrated while this one waited.
    let from = refuse_newer(version(&transaction, path)?)?;
    for step in steps.iter().skip(from as usize) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", known).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Migrated { from, to: known })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE first (a)";
    const SECOND: &str = "CREATE TABLE second (a); INSERT INTO first VALUES (1)";
    const BROKEN: &str = "CREATE TABLE third (a); INSERT INTO missing VALUES (1)";

    fn tables(connection: &Connection) -> u32 {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn only_the_steps_that_a_file_lacks_are_applied() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("data.db");
        assert_eq!(migrate(&mut connection, path, &[FIRST]).unwrap(), Migrated { from: 0, to: 1 });
        assert_eq!(migrate(&mut connection, path, &[FIRST, SECOND]).unwrap(), Migrated { from: 1, to: 2 });
        assert_eq!(migrate(&mut connection, path, &[FIRST, SECOND]).unwrap(), Migrated { from: 2, to: 2 });
        assert_eq!(tables(&connection), 2);
        assert_eq!(migrate(&mut connection, path, &[FIRST]).unwrap_err().code(), "newer-schema");
    }

    #[test]
    fn a_step_that_fails_undoes_those_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("data.db");
        migrate(&mut connection, path, &[FIRST]).unwrap();
        migrate(&mut connection, path, &[FIRST, SECOND, BROKEN]).unwrap_err();
        assert_eq!(version(&connection, path).unwrap(), 1);
        assert_eq!(tables(&connection), 1);
    }
}
