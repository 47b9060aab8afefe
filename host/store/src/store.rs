//! The store: its threads, and the way to them.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::{oneshot, watch};

use crate::cache::UserCache;
use crate::connection;
use crate::error::{OpenError, StoreError};
use crate::job::{Answer, Bound, Pending, ReadJob, Reads, WriteJob, Writes};
use crate::options::Options;
use crate::readers;
use crate::schema;
use crate::users::User;
use crate::writer::Writer;

/// A database that is open. Clones share it; when the last one is dropped, what waits is finished and the threads end.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    users: Arc<UserCache>,
    // Taken when the store is dropped, which ends the threads.
    queues: Option<Queues>,
    // The writer comes last: whoever closes the file last moves the log into it.
    threads: Vec<JoinHandle<()>>,
    // Dropped after the threads have ended, which is what somebody may wait for.
    open: watch::Sender<()>,
}

/// Tells when a store is closed.
#[derive(Debug)]
pub struct Closing(watch::Receiver<()>);

impl Closing {
    /// Waits until the last clone is gone and everything is in the file.
    pub async fn wait(mut self) {
        // An error means that the other end is gone.
        while self.0.changed().await.is_ok() {}
    }
}

struct Queues {
    reads: Sender<ReadJob>,
    writes: Sender<Box<dyn WriteJob>>,
}

impl Store {
    /// Opens the database, makes it where there is none, brings its schema up to date and starts the threads. Blocks
    /// meanwhile.
    ///
    /// # Errors
    /// The file is none of this program's, has a newer schema, or cannot be made, read or written.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let path = connection::absolute(&options.path)?;
        connection::create(&path)?;
        let failed = |error| connection::failed(&path, error);
        let mut writing = connection::open(&path, options.busy_timeout)?;
        schema::migrate_file(&mut writing, &path)?;
        connection::for_writing(&writing, options.max_size_bytes).map_err(failed)?;

        let (reads, read_jobs) = bounded(options.queue.max(1));
        let (writes, write_jobs) = bounded(options.queue.max(1));
        let users = Arc::new(UserCache::new());
        let mut inner = Inner {
            users: Arc::clone(&users),
            queues: Some(Queues { reads, writes }),
            threads: Vec::new(),
            open: watch::Sender::new(()),
        };
        for number in 0..options.readers.max(1) {
            let reading = connection::open(&path, options.busy_timeout)?;
            connection::for_reading(&reading).map_err(failed)?;
            let jobs = read_jobs.clone();
            inner.start(format!("store-reader-{number}"), move || readers::run(&reading, &jobs))?;
        }
        let busy_timeout = options.busy_timeout;
        let bound = options.max_size_bytes.map(|_| Bound::of(&writing)).transpose().map_err(failed)?;
        let writer = Writer { connection: writing, jobs: write_jobs, users, busy_timeout, bound };
        inner.start("store-writer".to_owned(), move || writer.run())?;
        Ok(Self(Arc::new(inner)))
    }

    /// What tells when the store is closed. Keeps it open for nobody.
    pub fn closing(&self) -> Closing {
        Closing(self.0.open.subscribe())
    }

    /// Runs a job that reads, on a thread for it. All it asks is answered from one snapshot, which holds every write that
    /// was answered before. A job whose future is dropped before it began is not run.
    ///
    /// # Errors
    /// The job's own; [`StoreError::Overloaded`] when too many wait; [`StoreError::Internal`] when it panics.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Reads<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel::<Answer<T, E>>();
        let job: ReadJob = Box::new(move |connection| {
            if !answer.is_closed() {
                drop(answer.send(readers::in_snapshot(connection, job)));
            }
        });
        hand_in(self.0.queues.as_ref().map(|queues| &queues.reads), job)?;
        answered(wait).await
    }

    /// Runs a job that writes, on the thread for it. When it is answered with `Ok`, what it wrote is on the disk; with `Err`,
    /// nothing of it stays. A job whose future is dropped before it began is not run; one that has begun is finished.
    ///
    /// # Errors
    /// The job's own; [`StoreError::Overloaded`] when too many wait; [`StoreError::Busy`] when another process has the
    /// database locked; [`StoreError::Internal`] when it panics; why the transaction could not be committed.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Writes<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel::<Answer<T, E>>();
        let job: Box<dyn WriteJob> = Box::new(Pending::new(job, answer));
        hand_in(self.0.queues.as_ref().map(|queues| &queues.writes), job)?;
        answered(wait).await
    }

    /// The user with this name, from memory when it was asked for within the last 30 seconds. What this store writes is seen
    /// at once, what another process writes within that time.
    ///
    /// # Errors
    /// The user could not be read.
    pub async fn user(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        let now = Instant::now();
        let version = match self.0.users.get(username, now) {
            Ok(user) => return Ok(Some(user)),
            Err(version) => version,
        };
        let name = username.to_owned();
        let user = self.read(move |reads| reads.user_by_name(&name)).await?.map(Arc::new);
        if let Some(user) = &user {
            self.0.users.keep(user, version, now);
        }
        Ok(user)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("threads", &self.0.threads.len()).finish_non_exhaustive()
    }
}

impl Inner {
    fn start(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name).spawn(run).map_err(OpenError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queues = None;
        for thread in self.threads.drain(..) {
            // A job can hold the last clone; its thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                drop(thread.join());
            }
        }
    }
}

fn hand_in<J>(queue: Option<&Sender<J>>, job: J) -> Result<(), StoreError> {
    match queue.map(|queue| queue.try_send(job)) {
        Some(Ok(())) => Ok(()),
        Some(Err(TrySendError::Full(_))) => Err(StoreError::Overloaded),
        Some(Err(TrySendError::Disconnected(_))) | None => Err(StoreError::Closed),
    }
}

async fn answered<T, E: From<StoreError>>(wait: oneshot::Receiver<Answer<T, E>>) -> Result<T, E> {
    match wait.await {
        Ok(answer) => answer?,
        Err(_) => Err(StoreError::Closed.into()),
    }
}
