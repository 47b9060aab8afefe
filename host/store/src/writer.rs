//! The thread that writes: one transaction for all jobs that wait.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rusqlite::Connection;

use crate::cache::UserCache;
use crate::error::StoreError;
use crate::job::{Bound, WriteJob, Writes, unpanicked};

/// A batch takes no more jobs after so many, so that the first one's answer is not held up for ever.
const BATCH_JOBS: usize = 256;
/// A batch takes no more jobs after so long, for the same reason.
const BATCH_TIME: Duration = Duration::from_millis(10);

type Job = Box<dyn WriteJob>;

/// The writer's own things.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) users: std::sync::Arc<UserCache>,
    pub(crate) busy_timeout: Duration,
    pub(crate) bound: Option<Bound>,
}

impl Writer {
    /// Takes jobs until no more can come.
    pub(crate) fn run(self) {
        while let Ok(first) = self.jobs.recv() {
            if !first.abandoned() {
                self.batch(first);
            }
        }
        // Statistics for the planner; a failure costs nothing but them.
        drop(self.connection.execute_batch("PRAGMA optimize"));
    }

    /// Does this job and those that wait behind it, commits once, then answers all.
    fn batch(&self, first: Job) {
        if let Err(error) = self.begin(first.queued()) {
            return finish(first, Err(error));
        }
        let writes = Writes::within(&self.connection, self.bound);
        let started = Instant::now();
        let mut ran = Vec::new();
        let mut next = Some(first);
        while let Some(mut job) = next {
            match self.attempt(&writes, job.as_mut()) {
                Ok(()) => ran.push(job),
                Err(lost) => {
                    self.roll_back();
                    ran.into_iter().for_each(|job| finish(job, Err(StoreError::Aborted)));
                    return finish(job, lost.map_or(Ok(()), Err));
                }
            }
            let more = ran.len() < BATCH_JOBS && started.elapsed() < BATCH_TIME;
            next = more.then(|| self.jobs.try_iter().find(|job| !job.abandoned())).flatten();
        }
        let committed = self.execute("COMMIT");
        if committed.is_err() {
            self.roll_back();
        }
        // Before the answers, so that whoever has one reads what was written.
        self.users.forget(&writes.changed_users.into_inner());
        ran.into_iter().for_each(|job| finish(job, committed.clone()));
    }

    /// Begins a transaction. Each job may wait for a lock from the time that it was handed in: those behind it in the queue
    /// have waited with it, and none waits for the time of all.
    fn begin(&self, queued: Instant) -> Result<(), StoreError> {
        self.connection.busy_timeout(self.busy_timeout.saturating_sub(queued.elapsed()))?;
        self.execute("BEGIN IMMEDIATE")
    }

    /// Does one job, and undoes it alone when it fails.
    ///
    /// # Errors
    /// The transaction is lost, with the error for this job where it has none of its own.
    fn attempt(&self, writes: &Writes<'_>, job: &mut dyn WriteJob) -> Result<(), Option<StoreError>> {
        self.execute("SAVEPOINT job").map_err(Some)?;
        let keep = job.run(writes);
        // A full disk or a failing one can make SQLite give up the transaction by itself.
        if self.connection.is_autocommit() {
            return Err(keep.then_some(StoreError::Aborted));
        }
        if !keep {
            self.execute("ROLLBACK TO job").map_err(Some)?;
        }
        self.execute("RELEASE job").map_err(Some)
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // It can only fail when there is nothing to roll back.
            drop(self.execute("ROLLBACK"));
        }
        // Where the log has no room to grow, emptying it into the database may make some.
        drop(self.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)"));
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

/// Answers a job. What the answer drops may panic; the thread goes on.
fn finish(job: Job, committed: Result<(), StoreError>) {
    drop(unpanicked(|| job.finish(committed)));
}
