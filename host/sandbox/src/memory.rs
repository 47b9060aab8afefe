//! The memory of all plugins together: no plugin's own limit keeps many calls at once from filling the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

/// Bytes of linear memory that all instances have, and may have.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    used: AtomicUsize,
    most: usize,
}

/// One plugin's part of it. Three quarters of the whole at most: whatever one plugin takes, there is room for others.
#[derive(Debug)]
pub(crate) struct Share {
    all: Arc<GuestMemory>,
    own: GuestMemory,
}

impl Share {
    pub(crate) fn of(all: &Arc<GuestMemory>) -> Self {
        Self { all: Arc::clone(all), own: GuestMemory::new(Some(all.most / 4 * 3)) }
    }

    /// Counts so many bytes more, unless that is too much.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        if !self.own.take(bytes) {
            return false;
        }
        let taken = self.all.take(bytes);
        if !taken {
            self.own.give_back(bytes);
        }
        taken
    }

    /// Counts so many bytes less.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.own.give_back(bytes);
        self.all.give_back(bytes);
    }

    /// What all plugins together may have.
    pub(crate) fn most_bytes(&self) -> usize {
        self.all.most
    }
}

/// How much memory all plugins together have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GuestMemoryUse {
    /// Bytes of all instances that are alive.
    pub used_bytes: usize,
    /// What they may have.
    pub most_bytes: usize,
}

impl GuestMemory {
    pub(crate) fn new(most: Option<usize>) -> Self {
        Self { used: AtomicUsize::new(0), most: most.unwrap_or(usize::MAX) }
    }

    /// Counts so many bytes more, unless that is too much.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|total| *total <= self.most)
        });
        taken.is_ok()
    }

    /// Counts so many bytes less.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> GuestMemoryUse {
        GuestMemoryUse { used_bytes: self.used.load(Ordering::Relaxed), most_bytes: self.most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let memory = GuestMemory::new(Some(100));
        assert!(memory.take(60) && memory.take(40));
        assert!(!memory.take(1) && !memory.take(usize::MAX));
        memory.give_back(40);
        assert_eq!(memory.usage(), GuestMemoryUse { used_bytes: 60, most_bytes: 100 });
        assert!(memory.take(40));
    }

    #[test]
    fn one_plugin_leaves_room_for_another() {
        let all = Arc::new(GuestMemory::new(Some(100)));
        let (greedy, other) = (Share::of(&all), Share::of(&all));
        assert!(greedy.take(75) && !greedy.take(1));
        assert!(other.take(25) && !other.take(1));
        greedy.give_back(75);
        assert!(other.take(50));
        other.give_back(75);
        assert_eq!(all.usage().used_bytes, 0);
    }
}
