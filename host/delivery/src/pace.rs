//! How many deliveries a lane takes at once.

use std::time::Duration;

/// What a lane has taken is worth at most so much time of calls, so that few attempts are begun in vain when the process
/// dies, and so that a change of the plugin is soon felt.
const WORTH: Duration = Duration::from_millis(50);
/// The most that a lane takes.
const MOST: u32 = 256;

/// Begins with as many deliveries as may run at once, and doubles while calls are quick.
#[derive(Debug)]
pub(crate) struct Pace {
    size: u32,
    /// How long a call takes, lately.
    call: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { size: 1, call: None }
    }
}

impl Pace {
    /// A call ended.
    pub(crate) fn ended(&mut self, took: Duration) {
        let took = took.max(Duration::from_nanos(1));
        self.call = Some(self.call.map_or(took, |lately| (lately * 7 + took) / 8));
    }

    /// There was as much as was asked for: more can be asked for the next time.
    pub(crate) fn filled(&mut self) {
        self.size = self.size.saturating_mul(2).min(MOST);
    }

    /// From the beginning again: one at a time.
    pub(crate) fn slow(&mut self) {
        *self = Self::default();
    }

    /// How many a lane may have, running ones counted, when so many run at once.
    pub(crate) fn size(&self, concurrency: u32) -> u32 {
        let Some(call) = self.call else { return concurrency.min(MOST) };
        let worth = WORTH.as_nanos().saturating_mul(u128::from(concurrency)) / call.as_nanos().max(1);
        let worth = u32::try_from(worth).unwrap_or(MOST);
        self.size.min(worth).max(concurrency).clamp(1, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_calls_are_taken_by_the_hundred_and_slow_ones_singly() {
        let mut pace = Pace::default();
        assert_eq!((pace.size(1), pace.size(8)), (1, 8));
        pace.ended(Duration::from_micros(20));
        let sizes: Vec<u32> = (0..10)
            .map(|_| {
                pace.filled();
                pace.size(1)
            })
            .collect();
        assert_eq!(sizes, [2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
        for _ in 0..100 {
            pace.ended(Duration::from_secs(1));
        }
        assert_eq!((pace.size(1), pace.size(4)), (1, 4));
        pace.ended(Duration::ZERO);
        pace.slow();
        assert_eq!(pace.size(1), 1);
    }
}
