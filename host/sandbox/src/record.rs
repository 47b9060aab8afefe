//! What a call was told by the host, kept so that the call can be run again: the answers of host calls in their order, what
//! the clocks said, and the seed of its random bytes.

mod tape;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::capabilities::CallContext;
use crate::failure::CallFailure;
use crate::plugin::{FunctionId, Plugin};

pub(crate) use tape::{BodyEnd, HttpAnswer, Tape};

/// Bytes of host calls that one record keeps. What comes after is left out, and the record says so.
pub(crate) const RECORD_BYTES: usize = 1 << 20;

/// What the host told a guest in one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// When the call began, in milliseconds since 1970.
    pub time_ms: u64,
    /// What the guest's random bytes were made from.
    pub seed: Seed,
    /// Whether the instance had served calls before. What those left in its memory is not in the record.
    pub instance: RecordedInstance,
    /// Whether host calls are missing at the end, because there were too many bytes of them.
    #[serde(default)]
    pub truncated: bool,
    /// What the guest asked of the host and was told, in order.
    #[serde(default)]
    pub host_calls: Vec<HostCall>,
}

/// How the instance of a recorded call began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedInstance {
    /// It was made for the call.
    Fresh,
    /// It had served calls before.
    Reused,
}

/// One call from the guest into the host that has an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostCall {
    /// What was called: `wall-clock`, `key-value.get`, `http`, …
    pub call: String,
    /// What it was asked; `null` where there is nothing to ask. Values that the guest wrote are not kept.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub asked: Value,
    /// What it answered.
    #[serde(default)]
    pub answer: Value,
}

/// The seed of a call's random bytes; 64 hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub(crate) [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&crate::digest::hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let bytes = crate::digest::from_hex(&digits);
        bytes.map(Self).ok_or_else(|| D::Error::custom("a seed has 64 lower-case hexadecimal digits"))
    }
}

/// Bytes as JSON: text where they are text, else `{"base64": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextOrBytes(pub(crate) Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spelled {
    Text(String),
    Bytes { base64: String },
}

impl Serialize for TextOrBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Spelled::Bytes { base64: STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TextOrBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Spelled::deserialize(deserializer)? {
            Spelled::Text(text) => Ok(Self(text.into_bytes())),
            Spelled::Bytes { base64 } => {
                STANDARD.decode(base64).map(Self).map_err(|_| D::Error::custom("no base64"))
            }
        }
    }
}

/// How a kept call ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// Without an answer.
    Failed(&'a CallFailure),
    /// With the failure side of the function's `result`: the plugin's own error.
    Refused(&'a Value),
}

/// A call that failed and was recorded.
#[derive(Debug)]
pub struct FailedCall<'a> {
    /// Whose.
    pub plugin: &'a Plugin,
    /// Which function of it.
    pub function: FunctionId,
    /// What it was called with.
    pub arguments: &'a serde_json::Map<String, Value>,
    /// What it could ask about the call.
    pub context: &'a CallContext,
    /// The time it had, in milliseconds.
    pub limit_ms: u64,
    /// What the host told it.
    pub record: CallRecord,
    /// How it ended.
    pub ending: Ending<'a>,
}

/// Keeps calls that failed.
pub trait FailedCalls: Send + Sync {
    /// Whether calls of the plugin of this name are recorded at all.
    fn wants(&self, plugin: &str) -> bool;

    /// Keeps a call. Returns at once: what takes time is done elsewhere. The name under which the call is kept; `None` when
    /// it is not.
    fn keep(&self, call: FailedCall<'_>) -> Option<String>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_text_where_they_can_be() {
        for (bytes, spelled) in
            [(&b"text"[..], json!("text")), (b"", json!("")), (b"\xff\x00", json!({"base64": "/wA="}))]
        {
            let kept = TextOrBytes(bytes.to_vec());
            assert_eq!(serde_json::to_value(&kept).unwrap(), spelled);
            assert_eq!(serde_json::from_value::<TextOrBytes>(spelled).unwrap(), kept);
        }
        for none in [json!(1), json!(null), json!({"base64": "?"}), json!({"base64": 1}), json!([1, 2])] {
            assert!(serde_json::from_value::<TextOrBytes>(none.clone()).is_err(), "{none}");
        }
    }

    #[test]
    fn a_seed_is_what_it_was_and_is_not_told_in_passing() {
        let seed = Seed([0xa5; 32]);
        let text = serde_json::to_value(seed).unwrap();
        assert_eq!(text, json!("a5".repeat(32)));
        assert_eq!(serde_json::from_value::<Seed>(text).unwrap(), seed);
        assert_eq!(format!("{seed:?}"), "Seed(…)");
        for none in ["", "a5", &"a5".repeat(33), &"A5".repeat(32), &"é".repeat(32)] {
            assert!(serde_json::from_value::<Seed>(json!(none)).is_err(), "{none}");
        }
    }
}
