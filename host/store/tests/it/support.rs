//! What the tests share.

use std::path::Path;
use std::sync::mpsc;

use hookbox_store::{
    Column, Filter, NewStatus, NewUser, Options, Order, Reads, Store, StoreError, Timestamp, User, Writes,
    check,
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A store in a folder of its own.
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::at(folder.path().join("data.db"));
        options.readers = 2;
        change(&mut options);
        Self { store: Store::open(&options).unwrap(), folder }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("data.db")
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reads<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.store.read(job).await.unwrap()
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Writes<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.store.write(job).await.unwrap()
    }

    /// A user with this name, and the next id.
    pub(crate) async fn user(&self, username: &str) -> User {
        let new = new_user(username);
        self.write(move |writes| writes.insert_user(&new)).await
    }
}

pub(crate) fn new_user(username: &str) -> NewUser {
    NewUser {
        id: None,
        username: username.to_owned(),
        email: format!("{username}@example.com"),
        is_active: true,
        is_staff: false,
        is_superuser: false,
    }
}

/// A status of this time, not archived.
pub(crate) fn new_status(course: &str, user: i64, micros: i64) -> NewStatus {
    let time = Timestamp::from_micros(micros);
    NewStatus {
        course_id: course.to_owned(),
        user,
        is_archived: false,
        archive_date: None,
        created_at: time,
        updated_at: time,
    }
}

pub(crate) fn anyone() -> Filter {
    Filter::default()
}

pub(crate) fn by(column: Column, descending: bool) -> Order {
    Order { column, descending }
}

/// Keeps the writer busy until the returned sender is dropped, so that what is handed in meanwhile waits together.
pub(crate) async fn hold_the_writer(store: &Store) -> (mpsc::Sender<()>, JoinHandle<Result<(), StoreError>>) {
    let (let_go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let store = store.clone();
    let held = tokio::spawn(async move {
        let job = move |_: &Writes<'_>| {
            begun.send(()).unwrap();
            // Ends when the sender is dropped.
            wait.recv().unwrap_err();
            Ok(())
        };
        store.write(job).await
    });
    has_begun.await.unwrap();
    (let_go, held)
}

/// Hands in a job, which waits behind those before it.
pub(crate) async fn hand_in<T: Send + 'static>(
    store: &Store,
    job: impl FnOnce(&Writes<'_>) -> Result<T, StoreError> + Send + 'static,
) -> JoinHandle<Result<T, StoreError>> {
    let store = store.clone();
    let mut write = Box::pin(async move { store.write(job).await });
    // The first poll puts it into the queue.
    assert!(polled(&mut write).await.is_none());
    tokio::spawn(write)
}

/// Polls once.
pub(crate) async fn polled<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// The file is sound, its counters agree with its rows, and nothing else is wrong.
#[track_caller]
pub(crate) fn assert_sound(path: impl AsRef<Path>) {
    assert_eq!(check(path).unwrap().problems, Vec::<String>::new());
}
