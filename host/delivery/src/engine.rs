//! What all tasks of the journal share, and how they begin and end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookbox_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Time};
use crate::lane::Lane;
use crate::measure::{self, Meters};
use crate::policy::DeliveryOptions;
use crate::pressure::Pressure;
use crate::receivers::Receivers;
use crate::replay::{self, Replays};
use crate::retention;
use crate::signal::Signal;

/// Deliveries that one transaction takes back after a crash.
const RELEASED: u32 = 500;
/// How long a task may take to be dropped after it was told to.
const DROPPED: Duration = Duration::from_secs(1);

/// What all tasks share.
#[derive(Debug)]
pub(crate) struct Inner<R> {
    pub(crate) store: Store,
    pub(crate) receivers: R,
    pub(crate) options: DeliveryOptions,
    pub(crate) clock: Clock,
    pub(crate) pressure: Pressure,
    pub(crate) meters: Meters,
    pub(crate) replays: Replays,
    /// Told when events may be pruned that could not be before.
    pub(crate) prune: Notify,
    pub(crate) tasks: TaskTracker,
    /// Nothing new is begun.
    pub(crate) stopping: CancellationToken,
    /// What runs is given up.
    given_up: CancellationToken,
    started: AtomicBool,
    lanes: Mutex<HashMap<Arc<str>, Arc<Signal>>>,
}

impl<R: Receivers> Inner<R> {
    pub(crate) fn new(store: Store, receivers: R, options: DeliveryOptions, time: Arc<dyn Time>) -> Self {
        Self {
            store,
            receivers,
            options,
            clock: Clock::new(time),
            pressure: Pressure::default(),
            meters: Meters::default(),
            replays: Replays::default(),
            prune: Notify::new(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            given_up: CancellationToken::new(),
            started: AtomicBool::new(false),
            lanes: Mutex::default(),
        }
    }

    /// Takes back what an earlier process had begun, then starts the tasks. A second start does nothing.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.started.load(Ordering::Acquire) {
            return Ok(());
        }
        let now = self.clock.now();
        let mut interrupted = 0;
        loop {
            let part = self.store.write(move |writes| writes.release_running(now, RELEASED)).await?;
            interrupted += part;
            if part < u64::from(RELEASED) {
                break;
            }
        }
        if interrupted > 0 {
            tracing::warn!(
                interrupted,
                "the last process ended in the middle of deliveries: they begin anew"
            );
        }
        self.replays.load(&self.store).await?;
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.spawn(retention::run(Arc::clone(self)));
        self.spawn(replay::run(Arc::clone(self)));
        self.spawn(measure::run(Arc::clone(self)));
        for plugin in self.measure().await? {
            self.wake(&plugin);
        }
        Ok(())
    }

    /// A task that ends with the journal.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let given_up = self.given_up.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = given_up.cancelled() => {}
            }
        });
    }

    /// A plugin has something to do: its lane looks, and is begun where there is none.
    pub(crate) fn wake(self: &Arc<Self>, plugin: &str) {
        self.with_lane(plugin, Signal::wake);
    }

    /// Sees to it that a plugin with open deliveries has a lane; one that is there is left alone.
    pub(crate) fn ensure(self: &Arc<Self>, plugin: &str) {
        self.with_lane(plugin, |_| ());
    }

    /// Says something to a plugin's lane, which is begun where there is none. No lane leaves its place meanwhile.
    fn with_lane(self: &Arc<Self>, plugin: &str, say: impl FnOnce(&Signal)) {
        if !self.started.load(Ordering::Acquire) || self.stopping.is_cancelled() {
            return;
        }
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signal) = lanes.get(plugin) {
            return say(signal);
        }
        // A lane that begins looks first.
        let (plugin, signal): (Arc<str>, _) = (plugin.into(), Arc::new(Signal::default()));
        lanes.insert(Arc::clone(&plugin), Arc::clone(&signal));
        // A runtime that shuts down drops the task at once, and with it the place, which takes the lock.
        drop(lanes);
        let place =
            Place { inner: Arc::clone(self), plugin: Arc::clone(&plugin), signal: Arc::clone(&signal) };
        let lane = Lane::new(Arc::clone(self), plugin, signal);
        self.spawn(async move {
            let mut lane = lane;
            loop {
                lane.run().await;
                if place.leave() {
                    break;
                }
            }
        });
    }

    /// Which plugins are live, or how they are held, may have changed.
    pub(crate) fn plugins_changed(&self) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values().for_each(|signal| signal.change());
        self.replays.wake();
    }

    /// Begins nothing more, and waits for what runs. Says whether all of it ended.
    pub(crate) async fn stop(&self, grace: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        if !ended {
            self.given_up.cancel();
            // A call that does not let itself be dropped is left to its own limits.
            drop(tokio::time::timeout(DROPPED, self.tasks.wait()).await);
        }
        ended
    }
}

/// A lane's place among the others, free again when the lane has ended, however it did.
struct Place<R: Receivers> {
    inner: Arc<Inner<R>>,
    plugin: Arc<str>,
    signal: Arc<Signal>,
}

impl<R: Receivers> Place<R> {
    /// Leaves the place, unless somebody woke the lane meanwhile.
    fn leave(&self) -> bool {
        let mut lanes = self.inner.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let stays = self.signal.was_woken() && !self.inner.stopping.is_cancelled();
        if !stays {
            Self::remove(&mut lanes, &self.plugin, &self.signal);
        }
        !stays
    }

    fn remove(lanes: &mut HashMap<Arc<str>, Arc<Signal>>, plugin: &str, signal: &Arc<Signal>) {
        if lanes.get(plugin).is_some_and(|own| Arc::ptr_eq(own, signal)) {
            lanes.remove(plugin);
        }
    }
}

impl<R: Receivers> Drop for Place<R> {
    fn drop(&mut self) {
        let mut lanes = self.inner.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Self::remove(&mut lanes, &self.plugin, &self.signal);
    }
}
