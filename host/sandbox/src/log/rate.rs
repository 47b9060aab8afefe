//! How many bytes of log all calls of a plugin may write in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seconds of silence that a plugin may save up for later.
const SAVED_SECONDS: u64 = 10;

/// A bucket that runs empty at a steady pace. Each line moves a point in time forward by what it costs; a line that would
/// move it further ahead of now than the bucket is deep is dropped. One number, so that calls need no lock.
#[derive(Debug)]
pub(crate) struct LogRate {
    start: Instant,
    bytes_per_second: u64,
    /// When the bucket would be empty, in microseconds since `start`.
    empty_at: AtomicU64,
    /// Lines dropped since the last one that passed.
    dropped: AtomicU64,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It is written; so many before it were dropped.
    Passes { dropped: u64 },
    /// It is dropped, the first after one that passed.
    FirstDropped,
    /// It is dropped, as the one before it.
    Dropped,
}

impl LogRate {
    pub(crate) fn new(bytes_per_second: usize) -> Self {
        Self {
            start: Instant::now(),
            bytes_per_second: (bytes_per_second as u64).max(1),
            empty_at: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether a line of so many bytes may be written now.
    pub(crate) fn take(&self, bytes: usize) -> Passage {
        self.take_at(bytes, u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn take_at(&self, bytes: usize, now: u64) -> Passage {
        let cost = (bytes as u64).saturating_mul(1_000_000) / self.bytes_per_second;
        let deepest = now.saturating_add(SAVED_SECONDS * 1_000_000);
        let taken = self.empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
            let next = empty_at.max(now).saturating_add(cost);
            (next <= deepest).then_some(next)
        });
        match taken {
            Ok(_) => Passage::Passes { dropped: self.dropped.swap(0, Ordering::Relaxed) },
            Err(_) if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 => Passage::FirstDropped,
            Err(_) => Passage::Dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn ten_seconds_worth_passes_at_once_and_then_what_time_gives_back() {
        let rate = LogRate::new(100);
        for _ in 0..10 {
            assert_eq!(rate.take_at(100, 0), Passage::Passes { dropped: 0 });
        }
        assert_eq!(rate.take_at(100, 0), Passage::FirstDropped);
        assert_eq!(rate.take_at(100, SECOND / 2), Passage::Dropped);
        assert_eq!(rate.take_at(100, SECOND), Passage::Passes { dropped: 2 });
        assert_eq!(rate.take_at(1, SECOND), Passage::FirstDropped);
        // A long silence gives no more than the bucket holds.
        for _ in 0..10 {
            assert!(matches!(rate.take_at(100, 3_600 * SECOND), Passage::Passes { .. }));
        }
        assert_eq!(rate.take_at(100, 3_600 * SECOND), Passage::FirstDropped);
    }

    #[test]
    fn numbers_without_measure_do_no_harm() {
        let rate = LogRate::new(usize::MAX);
        assert_eq!(rate.take_at(usize::MAX, u64::MAX), Passage::Passes { dropped: 0 });
        let slow = LogRate::new(0);
        assert_eq!(slow.take_at(usize::MAX, 0), Passage::FirstDropped);
    }
}
