//! On which terms a receiver gets its events, and how long they are kept.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The longest key that is kept as it is, in bytes.
const LONGEST_KEY: usize = 200;

use crate::users::Following;

/// A plugin's terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// After so many failed attempts a delivery is a dead letter; at least 1. Default 16.
    pub attempts: u32,
    /// A failed attempt that ends so long after the first one began is the last, too. Default 1 day.
    pub horizon: Duration,
    /// The pause after the first failed attempt; it doubles with each. Default 1 second.
    pub pause: Duration,
    /// The longest pause. Default 1 hour.
    pub longest_pause: Duration,
    /// What deliveries that follow one another have in common; `None`: nothing holds back anything.
    pub ordered_by: Option<OrderPath>,
    /// How many deliveries run at once; at least 1. Default 1, with `ordered_by` 8.
    pub concurrency: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 16,
            horizon: Duration::from_secs(24 * 60 * 60),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60 * 60),
            ordered_by: None,
            concurrency: 1,
        }
    }
}

/// A path into an event's data: `course_key`, `enrollment.user.id`. The event's one data key may be left out: `course_key`
/// is found in `{"catalog_info": {"course_key": …}}` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPath(pub(crate) Vec<String>);

impl OrderPath {
    /// Reads a path: names separated by dots.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            return Err(format!(
                "{text:?} is no path: write names separated by dots, such as enrollment.user.id"
            ));
        }
        Ok(Self(names))
    }

    /// The key of an event with this data: the value at the path as text, beginning at the data or beneath its one key. `None`
    /// where there is none, or one that is no single value. Of a long one its digest.
    pub fn key(&self, data: &Value) -> Option<String> {
        let beneath = data.as_object().into_iter().flat_map(serde_json::Map::values);
        let value = std::iter::once(data).chain(beneath).find_map(|from| self.value(from))?;
        let key = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match key.len() {
            0 => None,
            1..=LONGEST_KEY => Some(key),
            _ => Some(digest(&key)),
        }
    }

    fn value<'a>(&self, from: &'a Value) -> Option<&'a Value> {
        let at = self.0.iter().try_fold(from, |value, name| value.as_object()?.get(name))?;
        let single = at.is_string() || at.is_number() || at.is_boolean();
        single.then_some(at)
    }
}

fn digest(text: &str) -> String {
    let hex: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl std::fmt::Display for OrderPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.join("."))
    }
}

/// How long events are kept that nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events without a dead letter. Default 7 days.
    pub delivered_age: Duration,
    /// The bytes of their data. Default 1 GiB.
    pub delivered_bytes: u64,
    /// Events with a dead letter. Default 30 days.
    pub dead_age: Duration,
    /// The bytes of their data. Default 1 GiB.
    pub dead_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { delivered_age: 7 * DAY, delivered_bytes: 1 << 30, dead_age: 30 * DAY, dead_bytes: 1 << 30 }
    }
}

/// How the journal works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryOptions {
    /// Deliveries that may wait; more events are refused. Default 5,000,000.
    pub backlog: u64,
    /// Bytes of events that may wait; more are refused. Default 10 GiB.
    pub backlog_bytes: u64,
    /// How long events are kept.
    pub retention: Retention,
    /// Which events the users' table follows.
    pub following: Following,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            backlog: 5_000_000,
            backlog_bytes: 10 << 30,
            retention: Retention::default(),
            following: Following::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(path: &str, data: &Value) -> Option<String> {
        OrderPath::parse(path).unwrap().key(data)
    }

    #[test]
    fn a_path_leads_to_the_key_with_or_without_the_data_key() {
        let data = json!({"enrollment": {"course_key": "c", "user": {"id": 5, "active": true, "pii": {}}}});
        assert_eq!(key("course_key", &data).as_deref(), Some("c"));
        assert_eq!(key("enrollment.course_key", &data).as_deref(), Some("c"));
        assert_eq!(key("user.id", &data).as_deref(), Some("5"));
        assert_eq!(key("enrollment.user.active", &data).as_deref(), Some("true"));
    }

    #[test]
    fn what_is_no_single_value_is_no_key() {
        let data = json!({"a": {"none": null, "list": [1], "object": {}, "empty": ""}});
        for path in ["none", "list", "object", "empty", "missing", "a.missing.deeper", "list.0"] {
            assert_eq!(key(path, &data), None, "{path}");
        }
        assert_eq!(key("a", &json!([1])), None);
    }

    #[test]
    fn a_long_key_is_its_digest() {
        let long = |end: &str| key("k", &json!({"k": format!("{}{end}", "é".repeat(150))})).unwrap();
        assert!(long("a").starts_with("sha256:") && long("a").len() < LONGEST_KEY);
        assert_ne!(long("a"), long("b"));
        assert_eq!(key("k", &json!({"k": "x".repeat(200)})).unwrap().len(), 200);
    }

    #[test]
    fn a_path_is_names_with_dots() {
        assert_eq!(OrderPath::parse("a.b").unwrap().to_string(), "a.b");
        for wrong in ["", ".", "a.", ".a", "a..b"] {
            assert!(OrderPath::parse(wrong).unwrap_err().contains("separated by dots"), "{wrong}");
        }
    }
}
