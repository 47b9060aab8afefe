//! Comparing what was recorded with what came.

use serde_json::{Map, Value};

/// Differences that one case tells.
const DIFFERENCES_MOST: usize = 20;
/// Bytes of a value in a difference.
const VALUE_BYTES: usize = 200;

/// Each place where `found` is not what `expected` names: its keys, and everything below them.
pub(super) fn named(expected: &Map<String, Value>, found: &Map<String, Value>, place: &str) -> Vec<String> {
    let mut differences = Vec::new();
    for (key, value) in expected {
        values(Some(value), found.get(key), &join(place, key), &mut differences);
    }
    let more = differences.len().saturating_sub(DIFFERENCES_MOST);
    if more > 0 {
        differences.truncate(DIFFERENCES_MOST);
        differences.push(format!("and {more} more"));
    }
    differences
}

/// The sentence of one difference.
pub(super) fn differs(place: &str, expected: &str, found: &str) -> String {
    format!("{place}: expected {expected}, found {found}")
}

fn values(expected: Option<&Value>, found: Option<&Value>, place: &str, differences: &mut Vec<String>) {
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            for key in expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key))) {
                values(expected.get(key), found.get(key), &join(place, key), differences);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for at in 0..expected.len().max(found.len()) {
                values(expected.get(at), found.get(at), &format!("{place}[{at}]"), differences);
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => {
            let told = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shown);
            differences.push(differs(place, &told(expected), &told(found)));
        }
    }
}

fn join(place: &str, key: &str) -> String {
    format!("{place}.{}", visible(key))
}

/// A value as JSON, fit to be shown.
pub(super) fn shown(value: &Value) -> String {
    visible(&value.to_string())
}

/// A text with every character visible, escaped first and cut afterwards.
pub(super) fn visible(text: &str) -> String {
    hookbox_sandbox::escape(text, VALUE_BYTES)
}
