//! The log's line about a database that does not answer plugins.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookbox_store::StoreError;

/// There is one line in this time at most: a guest can ask a thousand times a call.
const QUIET: Duration = Duration::from_secs(1);

/// What the log was told.
#[derive(Default)]
pub(super) struct Complaints(Mutex<Told>);

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    /// Faults since then.
    untold: u64,
}

impl Complaints {
    /// Tells the log what the plugin is not told, unless it has just been told something.
    pub(super) fn tell(&self, plugin: &str, error: &StoreError, what: &'static str) {
        let untold = self.0.lock().unwrap_or_else(PoisonError::into_inner).now();
        if let Some(untold) = untold {
            tracing::error!(plugin, code = error.code(), %error, untold, "{what}");
        }
    }
}

impl Told {
    /// How many faults went untold before this one, when this one is to be told.
    fn now(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < QUIET) {
            self.untold += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_does_not_answer_is_told_about_once_in_a_while() {
        let mut told = Told::default();
        assert_eq!(told.now(), Some(0));
        assert_eq!((told.now(), told.now()), (None, None));
        told.last = told.last.and_then(|last| last.checked_sub(QUIET));
        assert_eq!(told.now(), Some(2));
        assert_eq!(told.now(), None);
    }
}
