//! Fair shares of the database: whoever else waits for it does so behind a little of each plugin, not behind all that one
//! of them can ask for at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Line, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Something for each plugin that ever asked: as many as the configuration names.
struct EachPlugin<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> Default for EachPlugin<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> EachPlugin<T> {
    fn get(&self, plugin: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = plugins.get(plugin) {
            return Arc::clone(own);
        }
        let own = Arc::new(make());
        plugins.insert(plugin.to_owned(), Arc::clone(&own));
        own
    }
}

/// Turns at work that is long for a database, one at a time: one line for each plugin, whose heads stand in one line for
/// all. A plugin that asks a hundred times at once makes another wait for one of them.
#[derive(Default)]
pub(super) struct Turns {
    plugins: EachPlugin<Line<()>>,
    all: Arc<Line<()>>,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    _all: OwnedMutexGuard<()>,
    _own: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for a turn of the plugin's.
    pub(super) async fn of(&self, plugin: &str) -> Turn {
        let own = self.plugins.get(plugin, Line::default).lock_owned().await;
        let all = Arc::clone(&self.all).lock_owned().await;
        Turn { _all: all, _own: own }
    }
}

/// How much of something each plugin may have at once.
pub(super) struct Shares {
    plugins: EachPlugin<Semaphore>,
    most: u32,
}

/// What a plugin has of its shares, until it is dropped.
pub(super) struct Share {
    // The semaphores are never closed, so there always is a permit.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// As many shares for each plugin.
    pub(super) fn new(most: u32) -> Self {
        Self { plugins: EachPlugin::default(), most }
    }

    /// Waits until so many of the plugin's shares are free; all of them, when it asks for more than there are. What was
    /// asked for first is given first.
    pub(super) async fn of(&self, plugin: &str, shares: u32) -> Share {
        let own = self.plugins.get(plugin, || Semaphore::new(self.most as usize));
        Share { _permit: own.acquire_many_owned(shares.min(self.most)).await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::polled;
    use super::*;

    #[tokio::test]
    async fn a_plugin_that_asks_often_makes_another_wait_for_one_turn() {
        let turns = Arc::new(Turns::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        let held = turns.of("first").await;
        let mut waiting = Vec::new();
        for plugin in ["greedy", "greedy", "greedy", "modest"] {
            let (line, order) = (Arc::clone(&turns), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _turn = line.of(plugin).await;
                order.lock().unwrap_or_else(PoisonError::into_inner).push(plugin);
            }));
            // The runtime has one thread, so the task has come to where it waits.
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in waiting {
            assert!(task.await.is_ok());
        }
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*order, ["greedy", "modest", "greedy", "greedy"]);
    }

    #[tokio::test]
    async fn shares_are_a_plugin_s_own_and_more_than_there_are_is_all_of_them() {
        let shares = Shares::new(3);
        let all = shares.of("greedy", u32::MAX).await;
        let _other = shares.of("modest", 3).await;
        let mut one = std::pin::pin!(shares.of("greedy", 1));
        assert!(polled(&mut one).await.is_pending());
        drop(all);
        assert!(polled(&mut one).await.is_ready());
    }
}
