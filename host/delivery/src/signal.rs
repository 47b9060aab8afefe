//! What is said to a lane from outside.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Says to a lane that there is something to see. Nothing that is said gets lost, also while the lane does other things.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    notify: Notify,
    woken: AtomicBool,
    changed: AtomicBool,
}

impl Signal {
    /// Something may be due.
    pub(crate) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// How the plugin stands may have changed.
    pub(crate) fn change(&self) {
        self.changed.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether something was said since the last time; it is heard with that.
    pub(crate) fn was_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    /// Whether the plugin changed since the last time.
    pub(crate) fn was_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// Waits until something is said.
    pub(crate) async fn said(&self) {
        self.notify.notified().await;
    }
}
