//! `[events]`: how many events may wait, and how long they are kept.

use std::time::Duration;

use bytesize::ByteSize;
use hookbox_delivery::{DeliveryOptions, Retention};
use serde::Deserialize;

/// The longest time that events can be kept.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);
/// Fewer bytes would refuse single events.
const BACKLOG_LEAST: ByteSize = ByteSize::mib(1);

/// `[events]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsTable {
    /// Deliveries that may wait; more events are answered 503. Default 5,000,000.
    pub backlog: u64,
    /// Bytes of events that may wait; more are answered 503. Default 10 GiB.
    pub backlog_bytes: ByteSize,
    /// `[events.keep]`.
    pub keep: KeepTable,
}

/// `[events.keep]`: how long events are kept that wait for nobody.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepTable {
    /// Those without a dead letter. Default 7 days.
    #[serde(with = "humantime_serde")]
    pub delivered: Duration,
    /// The most bytes of them. Default 1 GiB.
    pub delivered_size: ByteSize,
    /// Those with a dead letter. Default 30 days.
    #[serde(with = "humantime_serde")]
    pub dead: Duration,
    /// The most bytes of them. Default 1 GiB.
    pub dead_size: ByteSize,
}

impl Default for EventsTable {
    fn default() -> Self {
        let DeliveryOptions { backlog, backlog_bytes, .. } = DeliveryOptions::default();
        Self { backlog, backlog_bytes: ByteSize::b(backlog_bytes), keep: KeepTable::default() }
    }
}

impl Default for KeepTable {
    fn default() -> Self {
        let Retention { delivered_age, delivered_bytes, dead_age, dead_bytes } = Retention::default();
        Self {
            delivered: delivered_age,
            delivered_size: ByteSize::b(delivered_bytes),
            dead: dead_age,
            dead_size: ByteSize::b(dead_bytes),
        }
    }
}

impl EventsTable {
    /// How the journal works.
    pub fn options(&self) -> DeliveryOptions {
        DeliveryOptions {
            backlog: self.backlog,
            backlog_bytes: self.backlog_bytes.as_u64(),
            retention: Retention {
                delivered_age: self.keep.delivered,
                delivered_bytes: self.keep.delivered_size.as_u64(),
                dead_age: self.keep.dead,
                dead_bytes: self.keep.dead_size.as_u64(),
            },
            ..DeliveryOptions::default()
        }
    }

    pub(super) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.backlog == 0 {
            mistakes.push("events.backlog: must be at least 1".to_owned());
        }
        if self.backlog_bytes < BACKLOG_LEAST {
            mistakes.push("events.backlog_bytes: must be at least 1MiB".to_owned());
        }
        for (key, age) in [("delivered", self.keep.delivered), ("dead", self.keep.dead)] {
            if age > LONGEST {
                mistakes.push(format!("events.keep.{key}: must be at most 3650d"));
            }
        }
        mistakes
    }
}
