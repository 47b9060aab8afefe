//! Turns at work that is long for a database: one at a time, and no plugin twice before another that waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Line, OwnedMutexGuard};

/// One line for each plugin, whose heads stand in one line for all. A plugin that asks a hundred times at once makes
/// another wait for one of them.
#[derive(Default)]
pub(super) struct Turns {
    /// An entry a plugin that ever asked: as many as the configuration names.
    plugins: Mutex<HashMap<String, Arc<Line<()>>>>,
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
        let own = self.line(plugin).lock_owned().await;
        let all = Arc::clone(&self.all).lock_owned().await;
        Turn { _all: all, _own: own }
    }

    fn line(&self, plugin: &str) -> Arc<Line<()>> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = plugins.get(plugin) {
            return Arc::clone(line);
        }
        Arc::clone(plugins.entry(plugin.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
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
}
