//! `[failed_calls]`: which calls that failed are kept, to be run again at a desk.

use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use hookbox_plugins::{FailedCallOptions, Redaction, is_plugin_name};
use serde::Deserialize;

/// The most calls that can be kept: each is an entry of a list in memory.
const KEEP_MOST: usize = 10_000;

/// The longest that one can be kept.
const AGE_MOST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// `[failed_calls]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailedCallsTable {
    /// How many calls are kept, the newest. Default 0: none, and no call is recorded. What is kept holds data of users.
    pub keep: usize,
    /// The most bytes of all of them together. Default 64 MiB.
    pub size: ByteSize,
    /// How long one is kept. Default 30 days.
    #[serde(with = "humantime_serde")]
    pub age: Duration,
    /// Fields whose values are taken out, beside those that always are.
    pub redact: Vec<String>,
    /// The plugins whose calls are kept. Default: all.
    pub plugins: Option<Vec<String>>,
}

impl Default for FailedCallsTable {
    fn default() -> Self {
        let age = Duration::from_secs(30 * 24 * 60 * 60);
        Self { keep: 0, size: ByteSize::mib(64), age, redact: Vec::new(), plugins: None }
    }
}

impl FailedCallsTable {
    /// What is kept in this data folder; `None` when nothing is. A table with mistakes keeps nothing.
    pub(crate) fn options(&self, data: &Path) -> Option<FailedCallOptions> {
        let redaction = Redaction::with(&self.redact).ok()?;
        (self.keep > 0).then(|| FailedCallOptions {
            data: data.to_owned(),
            keep: self.keep,
            bytes: self.size.as_u64(),
            age: self.age,
            redaction,
            plugins: self.plugins.clone(),
        })
    }

    pub(super) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.keep > KEEP_MOST {
            mistakes.push(format!("failed_calls.keep: must be from 0 to {KEEP_MOST}"));
        }
        if self.size.as_u64() == 0 {
            mistakes.push("failed_calls.size: must be at least 1 byte; keep = 0 keeps nothing".to_owned());
        }
        if !(Duration::from_secs(60)..=AGE_MOST).contains(&self.age) {
            mistakes.push("failed_calls.age: must be from 1m to 10 years".to_owned());
        }
        if let Err(mistake) = Redaction::with(&self.redact) {
            mistakes.push(format!("failed_calls.redact: {}", super::readable(&mistake)));
        }
        let named = self.plugins.iter().flatten().filter(|name| !is_plugin_name(name));
        mistakes.extend(named.map(|name| format!("failed_calls.plugins: {name:?} is no plugin's name")));
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_unless_somebody_asks_for_it() {
        let table = FailedCallsTable::default();
        assert!(table.options(Path::new("data")).is_none() && table.mistakes().is_empty());
        let asked = FailedCallsTable { keep: 7, ..table };
        assert_eq!(asked.options(Path::new("data")).map(|options| options.keep), Some(7));
    }

    #[test]
    fn every_mistake_is_told() {
        let table = FailedCallsTable {
            keep: 1_000_000,
            size: ByteSize::b(0),
            age: Duration::ZERO,
            redact: vec!["*".into()],
            plugins: Some(vec!["No Name".into(), "a".into()]),
        };
        let mistakes = table.mistakes();
        let keys = [
            "failed_calls.keep",
            "failed_calls.size",
            "failed_calls.age",
            "failed_calls.redact",
            "failed_calls.plugins",
        ];
        assert_eq!(mistakes.len(), keys.len());
        assert!(mistakes.iter().zip(keys).all(|(told, key)| told.starts_with(key)), "{mistakes:?}");
    }
}
