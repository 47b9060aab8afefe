//! Instances alive: a bound on all of them together, and those that wait for their plugin's next call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::engine::POOL_INSTANCES;
use crate::state::CallState;

/// Idle instances of all plugins together. At most half the pool, so that fresh calls always find room.
const IDLE: usize = POOL_INSTANCES as usize / 2;

/// The right to have one instance alive; given back when dropped.
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

/// An instance and the store it lives in.
pub(crate) struct Held {
    pub(crate) store: Store<CallState>,
    pub(crate) instance: Instance,
    /// How many calls it may still take.
    pub(crate) calls_left: u32,
    pub(crate) _slot: Slot,
}

/// All instances of one sandbox.
pub(crate) struct Instances {
    slots: Arc<Semaphore>,
    /// Calls that wait for a slot. While there are any, no instance goes idle.
    waiting: AtomicUsize,
    idle: Mutex<VecDeque<(u64, Held)>>,
}

impl Instances {
    pub(crate) fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(POOL_INSTANCES as usize)),
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
        }
    }

    /// Says how many instances are alive, from any thread.
    pub(crate) fn count(&self) -> impl Fn() -> usize + Send + use<> {
        let slots = Arc::clone(&self.slots);
        move || (POOL_INSTANCES as usize).saturating_sub(slots.available_permits())
    }

    /// Waits for room for one more instance; idle ones give way.
    pub(crate) async fn slot(&self) -> Slot {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Slot { _permit: Some(permit) };
        }
        let _waiting = Counted::new(&self.waiting, usize::MAX);
        drop(self.with_idle(VecDeque::pop_front));
        // The semaphore is never closed, so this waits and does not fail.
        Slot { _permit: Arc::clone(&self.slots).acquire_owned().await.ok() }
    }

    /// The instance of that plugin that was used last, if one is idle.
    pub(crate) fn take(&self, plugin: u64) -> Option<Held> {
        self.with_idle(|idle| {
            let at = idle.iter().rposition(|(owner, _)| *owner == plugin)?;
            idle.remove(at).map(|(_, held)| held)
        })
    }

    /// Keeps an instance for the plugin's next call; the one that waited longest goes when there are too many, or when
    /// a call needs its slot.
    pub(crate) fn put(&self, plugin: u64, held: Held) {
        let gone = self.with_idle(|idle| {
            idle.push_back((plugin, held));
            // Read with the lock held: a call that begins to wait after this finds the instance among the idle ones.
            let full = idle.len() > IDLE || self.waiting.load(Ordering::SeqCst) > 0;
            full.then(|| idle.pop_front())
        });
        drop(gone);
    }

    /// Drops all idle instances of a plugin.
    pub(crate) fn forget(&self, plugin: u64) {
        let gone = self.with_idle(|idle| {
            let (gone, kept): (VecDeque<_>, _) =
                std::mem::take(idle).into_iter().partition(|(owner, _)| *owner == plugin);
            *idle = kept;
            gone
        });
        drop(gone);
    }

    /// Runs with the lock held; what is taken out is dropped by the caller, after it.
    fn with_idle<T>(&self, work: impl FnOnce(&mut VecDeque<(u64, Held)>) -> T) -> T {
        work(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts one call among those that wait, for as long as it lives.
pub(crate) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    /// Counts, unless there are `most` already.
    pub(crate) fn new(count: &'a AtomicUsize, most: usize) -> Option<Self> {
        let counted = Self(count);
        // When there were too many, dropping this takes it back.
        (count.fetch_add(1, Ordering::SeqCst) < most).then_some(counted)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
