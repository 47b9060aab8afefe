//! Jobs: closures on their way to a thread, and what they may do there.

use std::any::Any;
use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rusqlite::{Connection, Params, Row};
use tokio::sync::oneshot;

use crate::error::StoreError;

/// What a job may ask. All answers of one job come from one snapshot.
pub struct Reads<'c> {
    pub(crate) connection: &'c Connection,
}

/// What a job may change, and ask: it sees its own changes.
pub struct Writes<'c> {
    reads: Reads<'c>,
    /// The users whose rows changed, to be forgotten by the cache when the changes are committed.
    pub(crate) changed_users: RefCell<Vec<i64>>,
    /// How large the database may grow, where that has a limit.
    bound: Option<Bound>,
}

/// The greatest size of a database, in pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    page_bytes: u64,
    pages: u64,
}

impl Bound {
    /// Of the pages that there may be, this part is kept for those whose writes make room or lose work when they fail: ends of
    /// attempts, what operators do, pruning.
    const RESERVE: u64 = 16;

    /// The one that a connection has.
    pub(crate) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |pragma| connection.query_row(pragma, [], |row| row.get(0));
        Ok(Self { page_bytes: number("PRAGMA page_size")?, pages: number("PRAGMA max_page_count")? })
    }
}

impl<'c> Reads<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// The first row of a statement that is prepared once a connection.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        Ok(rows.next()?.map(map).transpose()?)
    }
}

impl<'c> Writes<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { reads: Reads::new(connection), changed_users: RefCell::default(), bound: None }
    }

    pub(crate) fn within(connection: &'c Connection, bound: Option<Bound>) -> Self {
        Self { bound, ..Self::new(connection) }
    }

    /// Sees to it that so many bytes leave the reserve alone. A write that meets the limit itself takes down the transaction
    /// that it shares with others.
    ///
    /// # Errors
    /// [`StoreError::Full`]: they do not.
    pub(crate) fn spare(&self, bytes: u64) -> Result<(), StoreError> {
        let Some(bound) = self.bound else { return Ok(()) };
        let count = |pragma| Ok::<u64, StoreError>(self.first(pragma, [], |row| row.get(0))?.unwrap_or(0));
        let used = count("PRAGMA page_count")?.saturating_sub(count("PRAGMA freelist_count")?);
        let wanted = bytes.div_ceil(bound.page_bytes.max(1)).saturating_add(bound.pages / Bound::RESERVE);
        if used.saturating_add(wanted) > bound.pages { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Runs a statement that is prepared once a connection; how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Does a part of a job that may fail alone: what it wrote is undone then, and what the job wrote before it stays.
    ///
    /// # Errors
    /// The part's own. After [`StoreError::Aborted`] nothing of the job is left.
    pub(crate) fn part<T>(&self, part: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.execute("SAVEPOINT part", [])?;
        let done = part();
        // A full disk or a failing one can make SQLite give up the transaction by itself.
        if self.connection.is_autocommit() {
            return Err(StoreError::Aborted);
        }
        if done.is_err() {
            self.execute("ROLLBACK TO part", [])?;
        }
        self.execute("RELEASE part", [])?;
        done
    }
}

impl<'c> Deref for Writes<'c> {
    type Target = Reads<'c>;

    fn deref(&self) -> &Reads<'c> {
        &self.reads
    }
}

/// A job's own answer, or the store's reason why there is none.
pub(crate) type Answer<T, E> = Result<Result<T, E>, StoreError>;

/// A job for a reader's thread.
pub(crate) type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// A job for the writer's thread.
pub(crate) trait WriteJob: Send {
    /// When it was handed in.
    fn queued(&self) -> Instant;
    /// Whether nobody waits for its answer any more.
    fn abandoned(&self) -> bool;
    /// Does the job; whether its changes are to stay.
    fn run(&mut self, writes: &Writes<'_>) -> bool;
    /// Answers with the job's own result, or with the error that befell its transaction.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A [`WriteJob`] made of a closure.
pub(crate) struct Pending<T, E, F> {
    job: Option<F>,
    outcome: Answer<T, E>,
    queued: Instant,
    answer: oneshot::Sender<Answer<T, E>>,
}

impl<T, E, F> Pending<T, E, F> {
    pub(crate) fn new(job: F, answer: oneshot::Sender<Answer<T, E>>) -> Self {
        let outcome = Err(StoreError::Internal { detail: "the job was not run".to_owned() });
        Self { job: Some(job), outcome, queued: Instant::now(), answer }
    }
}

impl<T, E, F> WriteJob for Pending<T, E, F>
where
    T: Send,
    E: Send,
    F: FnOnce(&Writes<'_>) -> Result<T, E> + Send,
{
    fn queued(&self) -> Instant {
        self.queued
    }

    fn abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn run(&mut self, writes: &Writes<'_>) -> bool {
        let Some(job) = self.job.take() else { return false };
        self.outcome = unpanicked(|| job(writes));
        matches!(self.outcome, Ok(Ok(_)))
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { answer, outcome, .. } = *self;
        // Nobody may be waiting any more.
        drop(answer.send(committed.and(outcome)));
    }
}

/// Runs a closure; a panic becomes an error, after the panic hook has reported it.
pub(crate) fn unpanicked<T>(run: impl FnOnce() -> T) -> Result<T, StoreError> {
    // Nothing of the closure is used after a panic, and the connection is rolled back.
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| StoreError::Internal { detail: format!("a job panicked: {}", message(&*panic)) })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
