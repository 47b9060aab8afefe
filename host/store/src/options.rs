//! How a store is opened.

use std::path::PathBuf;
use std::time::Duration;

/// Where the database is and what it may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database's file. SQLite keeps two more beside it, with `-wal` and `-shm` after the name.
    pub path: PathBuf,
    /// Threads that read, each with a connection of up to 4 MiB of cache. At least one; by default one a core, from 2 to 8.
    pub readers: usize,
    /// How long a job waits for another process that has the database locked, counted from when it was handed in. By
    /// default 5 s. Beyond: [`StoreError::Busy`](crate::StoreError::Busy).
    pub busy_timeout: Duration,
    /// How many bytes the database may grow to, its write-ahead log not counted. By default no limit but the disk's. Beyond:
    /// [`StoreError::Full`](crate::StoreError::Full).
    pub max_size_bytes: Option<u64>,
    /// How many jobs may wait, for the writer and for the readers each. By default 1024. Beyond:
    /// [`StoreError::Overloaded`](crate::StoreError::Overloaded).
    pub queue: usize,
}

impl Options {
    /// The defaults for a database at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            path: path.into(),
            readers: cores.clamp(2, 8),
            busy_timeout: Duration::from_secs(5),
            max_size_bytes: None,
            queue: 1024,
        }
    }
}
