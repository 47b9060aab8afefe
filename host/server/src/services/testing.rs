//! What the services' tests share.

use std::sync::mpsc;
use std::task::Poll;

use hookbox_store::{Store, StoreError};
use tokio::sync::oneshot;

/// What a future comes to when it is polled once.
pub(super) async fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let mut future = std::pin::Pin::new(future);
    std::future::poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await
}

/// Keeps the store's writer busy until the sender is dropped; answers once it is.
pub(super) async fn hold_the_writer(store: &Store) -> mpsc::Sender<()> {
    let (let_go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        let job = store.write(move |_| {
            let _ = begun.send(());
            // Ends when the sender is dropped.
            let _ = wait.recv();
            Ok::<_, StoreError>(())
        });
        job.await
    });
    assert!(has_begun.await.is_ok());
    let_go
}
