//! The memory of all plugins together: no plugin's own limit keeps many calls at once from filling the machine.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

/// Bytes of linear memory that all instances have, and may have.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    used: AtomicUsize,
    most: usize,
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
}
