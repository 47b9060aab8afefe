//! `delivery`: on which terms a plugin gets its events.

use std::time::Duration;

/// What is left out keeps its default. See [`DeliveryRule`] for the meaning of each.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is documented at the field of `DeliveryRule` that it sets")]
pub struct DeliveryTable {
    pub attempts: Option<u32>,
    #[serde(with = "humantime_serde")]
    pub horizon: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub pause: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub longest_pause: Option<Duration>,
    pub ordered_by: Option<String>,
    pub concurrency: Option<u32>,
}

/// On which terms a plugin gets its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRule {
    /// After so many failed attempts a delivery is a dead letter.
    pub attempts: u32,
    /// A failed attempt that ends so long after the first one began is the last, too.
    pub horizon: Duration,
    /// The pause after the first failed attempt; it doubles with each.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A path into an event's data, names separated by dots: deliveries with the same value follow one another.
    pub ordered_by: Option<String>,
    /// How many deliveries run at once.
    pub concurrency: u32,
}

impl Default for DeliveryRule {
    fn default() -> Self {
        Self {
            attempts: 16,
            horizon: DAY,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60 * 60),
            ordered_by: None,
            concurrency: 1,
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);
/// Deliveries that run at once when they are ordered by something and the configuration does not say.
const ORDERED_CONCURRENCY: u32 = 8;
/// The most failed attempts that can be asked for.
const ATTEMPTS_MOST: u32 = 1_000;
/// The most deliveries that can run at once.
const CONCURRENCY_MOST: u32 = 256;
/// The longest time that can pass between the first attempt and the last.
const HORIZON_MOST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Bytes of a path, and names in it.
const PATH_BYTES: usize = 200;
const PATH_NAMES: usize = 16;

impl DeliveryTable {
    /// The rule with these values over the defaults.
    ///
    /// # Errors
    /// All at once: values out of their range, a pause that is longer than the longest, a path that is none.
    pub fn rule(&self) -> Result<DeliveryRule, String> {
        let default = DeliveryRule::default();
        let attempts = self.attempts.unwrap_or(default.attempts);
        let horizon = self.horizon.unwrap_or(default.horizon);
        let pause = self.pause.unwrap_or(default.pause);
        let longest_pause = self.longest_pause.unwrap_or(default.longest_pause.max(pause));
        let concurrency = match (self.concurrency, &self.ordered_by) {
            (Some(asked), _) => asked,
            (None, Some(_)) => ORDERED_CONCURRENCY,
            (None, None) => default.concurrency,
        };
        let mut mistakes = Vec::new();
        let mut hold = |well: bool, mistake: String| {
            if !well {
                mistakes.push(mistake);
            }
        };
        let known = 1..=ATTEMPTS_MOST;
        hold(known.contains(&attempts), format!("delivery.attempts must be from 1 to {ATTEMPTS_MOST}"));
        let known = MILLISECOND..=HORIZON_MOST;
        hold(known.contains(&horizon), "delivery.horizon must be from 1ms to 30d".into());
        let known = MILLISECOND..=DAY;
        let paused = known.contains(&pause);
        hold(paused, "delivery.pause must be from 1ms to 24h".into());
        // One that was left out follows the other.
        let told = self.longest_pause.is_some();
        hold(
            !told || known.contains(&longest_pause),
            "delivery.longest_pause must be from 1ms to 24h".into(),
        );
        hold(
            !paused || longest_pause >= pause,
            "delivery.longest_pause must not be shorter than delivery.pause".into(),
        );
        if let Some(path) = &self.ordered_by {
            hold(
                is_path(path),
                "delivery.ordered_by must be names separated by dots, such as course_key or enrollment.user.id"
                    .into(),
            );
        }
        let known = 1..=CONCURRENCY_MOST;
        hold(
            known.contains(&concurrency),
            format!("delivery.concurrency must be from 1 to {CONCURRENCY_MOST}"),
        );
        if !mistakes.is_empty() {
            return Err(mistakes.join("; "));
        }
        let ordered_by = self.ordered_by.clone();
        Ok(DeliveryRule { attempts, horizon, pause, longest_pause, ordered_by, concurrency })
    }
}

fn is_path(path: &str) -> bool {
    let names = path.split('.').count();
    path.split('.').all(|name| !name.is_empty()) && path.len() <= PATH_BYTES && names <= PATH_NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> DeliveryTable {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_left_out_keeps_its_default() {
        assert_eq!(table("{}").rule(), Ok(DeliveryRule::default()));
        let rule = table(r#"{"attempts": 3, "pause": "2h"}"#).rule().unwrap();
        let two_hours = Duration::from_secs(7_200);
        assert_eq!((rule.attempts, rule.pause, rule.longest_pause), (3, two_hours, two_hours));
    }

    #[test]
    fn what_is_ordered_runs_several_at_once_unless_told_otherwise() {
        assert_eq!(table(r#"{"ordered_by": "course_key"}"#).rule().unwrap().concurrency, 8);
        assert_eq!(table(r#"{"ordered_by": "a.b", "concurrency": 2}"#).rule().unwrap().concurrency, 2);
        assert_eq!(table(r#"{"concurrency": 256}"#).rule().unwrap().concurrency, 256);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_range() {
        for (text, expected) in [
            (r#"{"attempts": 0}"#, "delivery.attempts must be from 1 to 1000"),
            (r#"{"attempts": 1001}"#, "delivery.attempts must be from 1 to 1000"),
            (r#"{"horizon": "0s"}"#, "delivery.horizon must be from 1ms to 30d"),
            (r#"{"horizon": "31d"}"#, "delivery.horizon must be from 1ms to 30d"),
            (r#"{"pause": "0s"}"#, "delivery.pause must be from 1ms to 24h"),
            (r#"{"longest_pause": "25h"}"#, "delivery.longest_pause must be from 1ms to 24h"),
            (
                r#"{"pause": "2s", "longest_pause": "1s"}"#,
                "delivery.longest_pause must not be shorter than delivery.pause",
            ),
            (
                r#"{"attempts": 0, "pause": "0s", "concurrency": 1}"#,
                "delivery.attempts must be from 1 to 1000; delivery.pause must be from 1ms to 24h",
            ),
            (r#"{"concurrency": 0}"#, "delivery.concurrency must be from 1 to 256"),
            (r#"{"concurrency": 257}"#, "delivery.concurrency must be from 1 to 256"),
        ] {
            assert_eq!(table(text).rule(), Err(expected.to_owned()), "{text}");
        }
        for path in ["", ".", "a..b", "a.", &"a.".repeat(20), &"a".repeat(201)] {
            let wrong = DeliveryTable { ordered_by: Some(path.to_owned()), ..DeliveryTable::default() };
            assert!(wrong.rule().unwrap_err().contains("names separated by dots"), "{path}");
        }
        assert!(serde_json::from_str::<DeliveryTable>(r#"{"attempt": 3}"#).is_err());
    }
}
