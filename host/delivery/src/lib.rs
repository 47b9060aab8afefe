//! Events that are never lost: written down before they are accepted, delivered to each receiver on its own terms, kept for
//! an operator where that fails.
//!
//! [`Delivery`] is the whole: [`Delivery::accept`] commits events with one delivery a receiver; a lane a plugin takes what is
//! due, calls the receiver and writes down what came of it. Who receives what, and how a receiver is called, is said by
//! whoever implements [`Receivers`]: this crate knows no plugins, no sandbox and no HTTP. Delivery is at least once.

mod accept;
mod backoff;
mod clock;
mod desk;
mod engine;
mod lane;
mod measure;
mod pace;
mod policy;
mod pressure;
mod receivers;
mod replay;
mod retention;
mod row;
mod selection;
mod signal;
#[cfg(test)]
mod tests;
mod users;
mod verdict;

pub use accept::{AcceptError, Accepted};
pub use desk::{EventDetail, ReceiverSummary, ReplayError, ReplayRequest, Summary};
pub use policy::{DeliveryOptions, OrderPath, Policy, Retention};
pub use receivers::{Outcome, Receipt, Receivers, Standing};
pub use selection::{selection_from_json, selection_to_json};
pub use users::Following;

use std::sync::Arc;
use std::time::Duration;

use hookbox_hooks::ReceivedEvent;
use hookbox_store::{Store, StoreError};
use tokio_util::sync::DropGuard;

use crate::clock::{SystemTime, Time};
use crate::engine::Inner;

/// The journal of events and everything that works on it. Cheap to clone; all clones are one. When the last one is dropped,
/// nothing more is begun.
#[derive(Debug)]
pub struct Delivery<R: Receivers>(Arc<Owner<R>>);

#[derive(Debug)]
struct Owner<R> {
    inner: Arc<Inner<R>>,
    _stop: DropGuard,
}

impl<R: Receivers> Clone for Delivery<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Receivers> Delivery<R> {
    /// A journal in this store. Nothing is delivered before [`Delivery::start`]; events are accepted at once.
    pub fn new(store: Store, receivers: R, options: DeliveryOptions) -> Self {
        Self::with_time(store, receivers, options, Arc::new(SystemTime::default()))
    }

    fn with_time(store: Store, receivers: R, options: DeliveryOptions, time: Arc<dyn Time>) -> Self {
        let inner = Arc::new(Inner::new(store, receivers, options, time));
        let stop = inner.stopping.clone().drop_guard();
        Self(Arc::new(Owner { inner, _stop: stop }))
    }

    fn inner(&self) -> &Arc<Inner<R>> {
        &self.0.inner
    }

    /// Takes up what an earlier process left, and begins to deliver, to replay and to prune. A second time does nothing.
    ///
    /// # Errors
    /// The database could not be read or written.
    pub async fn start(&self) -> Result<(), StoreError> {
        self.inner().start().await
    }

    /// Writes down all of the events, or none, and commits them; then their receivers hear of them. An event that is known
    /// already, by `source` and `id`, is accepted and not delivered again. Goes to its end also when nobody waits for it.
    ///
    /// # Errors
    /// [`AcceptError`]. Nothing was written then.
    pub async fn accept(&self, events: Vec<ReceivedEvent>) -> Result<Vec<Accepted>, AcceptError> {
        let inner = self.inner();
        if inner.stopping.is_cancelled() {
            return Err(AcceptError::Stopping);
        }
        let count = events.len() as u64;
        let task = inner.tasks.spawn(accept::accept(Arc::clone(inner), events));
        let accepted = task.await.unwrap_or(Err(AcceptError::Stopping));
        if accepted.is_err() {
            inner.meters.refused.increment(count);
        }
        accepted
    }

    /// Which plugins are live, or how they are held, may have changed: every lane looks again.
    pub fn plugins_changed(&self) {
        self.inner().plugins_changed();
    }

    /// Deliveries became ready by another way than this journal's own: the plugin's lane looks.
    pub fn wake(&self, plugin: &str) {
        self.inner().wake(plugin);
    }

    /// Takes nothing more, waits until the calls in flight have ended, at most `grace`, and writes down how. What was not
    /// begun stays for the next start. Says whether all ended.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.inner().stop(grace).await
    }

    /// The store that the journal is in, for whoever lists and repairs.
    pub fn store(&self) -> &Store {
        &self.inner().store
    }
}
