//! So many requests a user in a sliding window.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// How many requests in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Rate {
    /// At most so many in a window of this length.
    Limited {
        /// Requests, at least 1.
        requests: u32,
        /// The window.
        window: Duration,
    },
    /// As many as come.
    Unlimited,
}

/// A rate that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a rate: write a number and a period, such as \"60/minute\" (second, minute, hour, day), or \"unlimited\""
)]
pub struct BadRate(String);

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let bad = || BadRate(text.chars().take(40).collect());
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let (requests, period) = text.split_once('/').ok_or_else(bad)?;
        let requests: u32 = requests.trim().parse().ok().filter(|requests| *requests > 0).ok_or_else(bad)?;
        let seconds = match period.trim() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return Err(bad()),
        };
        Ok(Self::Limited { requests, window: Duration::from_secs(seconds) })
    }
}

impl TryFrom<String> for Rate {
    type Error = BadRate;

    fn try_from(text: String) -> Result<Self, BadRate> {
        text.parse()
    }
}

/// Parts of a window that are told apart. A request counts from the start of its part, so that a window of a minute is
/// exact to ten milliseconds, and a user's history has at most so many entries whatever the rate.
const PARTS: u32 = 6_000;
/// Users whose history is looked through for ended ones at a time when the table grows.
const SWEEP_FROM: usize = 1_024;

/// What each user sent lately.
pub(crate) struct Throttle {
    rate: Rate,
    start: Instant,
    users: Mutex<Users>,
}

#[derive(Default)]
struct Users {
    histories: HashMap<i64, History>,
    sweep_at: usize,
}

#[derive(Default)]
struct History {
    /// Starts of parts, as parts since the throttle was made, with the requests in each.
    parts: VecDeque<(u64, u32)>,
    total: u64,
}

impl Throttle {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, start: Instant::now(), users: Mutex::default() }
    }

    /// Lets a user's request through, or says in how many seconds the next one will be. A request that is not let
    /// through does not count.
    pub(crate) fn admit(&self, user: i64) -> Result<(), u64> {
        self.admit_at(user, self.start.elapsed())
    }

    fn admit_at(&self, user: i64, since_start: Duration) -> Result<(), u64> {
        let Rate::Limited { requests, window } = self.rate else { return Ok(()) };
        let part = window / PARTS;
        let now = since_start.as_nanos() / part.as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let oldest = now.checked_sub(u64::from(PARTS));
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.histories.len() >= users.sweep_at.max(SWEEP_FROM) {
            users.histories.retain(|_, history| history.parts.back().map(|(at, _)| *at) > oldest);
            users.sweep_at = users.histories.len() * 2;
        }
        let history = users.histories.entry(user).or_default();
        while let Some((at, count)) = history.parts.front().copied() {
            if Some(at) > oldest {
                break;
            }
            history.parts.pop_front();
            history.total -= u64::from(count);
        }
        if history.total >= u64::from(requests) {
            let first = history.parts.front().map_or(now, |(at, _)| *at);
            let until = part * u32::try_from(first + u64::from(PARTS) - now).unwrap_or(PARTS);
            return Err(until.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1));
        }
        history.total += 1;
        match history.parts.back_mut() {
            Some((at, count)) if *at == now => *count += 1,
            _ => history.parts.push_back((now, 1)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn rates_are_read_as_the_rest_framework_reads_them() {
        let limited = |requests, seconds| Rate::Limited { requests, window: Duration::from_secs(seconds) };
        assert_eq!("60/minute".parse(), Ok(limited(60, 60)));
        assert_eq!("5/s".parse(), Ok(limited(5, 1)));
        assert_eq!("100/hour".parse(), Ok(limited(100, 3_600)));
        assert_eq!("1000/d".parse(), Ok(limited(1_000, 86_400)));
        assert_eq!("unlimited".parse(), Ok(Rate::Unlimited));
        for bad in ["", "60", "60/", "/m", "0/m", "-1/m", "x/m", "60/fortnight", "1.5/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_window_slides() {
        let throttle = Throttle::new(Rate::Limited { requests: 2, window: Duration::from_secs(60) });
        assert_eq!(throttle.admit_at(1, seconds(0.0)), Ok(()));
        assert_eq!(throttle.admit_at(1, seconds(30.0)), Ok(()));
        assert_eq!(throttle.admit_at(1, seconds(45.0)), Err(15));
        assert_eq!(throttle.admit_at(1, seconds(59.5)), Err(1));
        // What was refused did not count.
        assert_eq!(throttle.admit_at(1, seconds(60.0)), Ok(()));
        assert_eq!(throttle.admit_at(1, seconds(61.0)), Err(29));
        assert_eq!(throttle.admit_at(1, seconds(90.0)), Ok(()));
        assert_eq!(throttle.admit_at(2, seconds(61.0)), Ok(()), "each user has their own");
    }

    #[test]
    fn histories_that_ended_are_dropped() {
        let throttle = Throttle::new(Rate::Limited { requests: 1, window: Duration::from_secs(1) });
        for user in 0..10_000 {
            assert_eq!(
                throttle.admit_at(user, seconds(2.0 * f64::from(i32::try_from(user).unwrap()))),
                Ok(())
            );
        }
        assert!(throttle.users.lock().unwrap().histories.len() <= SWEEP_FROM);
    }
}
