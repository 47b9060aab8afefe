//! The threads that read.

use crossbeam_channel::Receiver;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::job::{ReadJob, Reads, unpanicked};

/// Takes jobs until no more can come.
pub(crate) fn run(connection: &Connection, jobs: &Receiver<ReadJob>) {
    for job in jobs {
        // A job reports its own panics; this is for what it drops.
        drop(unpanicked(|| job(connection)));
    }
}

/// Runs a job's closure in a transaction of its own.
pub(crate) fn in_snapshot<T>(
    connection: &Connection,
    job: impl FnOnce(&Reads<'_>) -> T,
) -> Result<T, StoreError> {
    let execute = |sql| connection.prepare_cached(sql)?.execute([]);
    execute("BEGIN DEFERRED")?;
    let outcome = unpanicked(|| job(&Reads::new(connection)));
    // Nothing was written: both end the snapshot.
    if execute("COMMIT").is_err() && !connection.is_autocommit() {
        execute("ROLLBACK")?;
    }
    outcome
}
