//! How long to wait after a failed attempt.

use std::time::Duration;

use rand::Rng;

/// The longest pause that a receiver may ask for.
pub(crate) const LONGEST_WISH: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause after an attempt that the host had no room for, and the longest one after several.
const NO_ROOM: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// The pause after so many failed attempts: it doubles with each up to `longest`, and half of it is drawn, so that what
/// failed together does not come back together. At least what the receiver asked for, as far as a day.
pub(crate) fn pause(
    first: Duration,
    longest: Duration,
    failures: u32,
    wish: Option<Duration>,
    rng: &mut impl Rng,
) -> Duration {
    let whole = doubled(first, failures.saturating_sub(1)).min(longest);
    drawn(whole, rng).max(wish.unwrap_or_default().min(LONGEST_WISH))
}

/// The pause after the host had no room, when it had none so many times for this delivery already.
pub(crate) fn no_room(times: u32, rng: &mut impl Rng) -> Duration {
    let (first, longest) = NO_ROOM;
    drawn(doubled(first, times).min(longest), rng)
}

fn doubled(first: Duration, times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.min(31));
    first.saturating_mul(factor)
}

/// 50 to 100 % of it.
fn drawn(whole: Duration, rng: &mut impl Rng) -> Duration {
    let part = whole.mul_f64(rng.random_range(0.5..=1.0));
    part.min(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn millis(most: u64) -> impl Strategy<Value = Duration> {
        (0..=most).prop_map(Duration::from_millis)
    }

    proptest! {
        #[test]
        fn a_pause_doubles_up_to_the_longest_and_half_of_it_is_drawn(
            first in millis(100_000),
            longest in millis(100_000_000),
            failures in 1..10_000_u32,
            wish in proptest::option::of(millis(200_000_000)),
            seed: u64,
        ) {
            let pause = pause(first, longest, failures, wish, &mut StdRng::seed_from_u64(seed));
            let mut whole = first.min(longest);
            for _ in 1..failures.min(64) {
                whole = (whole * 2).min(longest);
            }
            let wish = wish.unwrap_or_default().min(LONGEST_WISH);
            prop_assert!(pause >= wish);
            prop_assert!(pause <= whole.max(wish));
            prop_assert!(pause + Duration::from_micros(1) >= whole / 2);
        }

        #[test]
        fn no_pause_overflows(first: u64, longest: u64, failures: u32, seed: u64) {
            let rng = &mut StdRng::seed_from_u64(seed);
            let longest = Duration::from_secs(longest >> 12);
            prop_assert!(pause(Duration::from_secs(first >> 12), longest, failures, None, rng) <= longest);
            prop_assert!(no_room(failures, rng) <= NO_ROOM.1);
        }
    }

    #[test]
    fn what_failed_together_comes_back_apart() {
        let rng = &mut StdRng::seed_from_u64(1);
        let minute = Duration::from_secs(60);
        let pauses: std::collections::BTreeSet<_> =
            (0..100).map(|_| pause(minute, minute, 1, None, rng)).collect();
        assert!(pauses.len() > 90);
    }
}
