//! Two answers to the same call, field by field. Pure.

use std::io;

use hookbox_hooks::StepAnswer;
use hookbox_sandbox::escape;
use serde_json::{Map, Value};

use super::Difference;
use crate::pipeline::StepFailure;
use crate::receiver::Receipt;

/// Differences that are kept of one call.
const DIFFERENCES: usize = 20;
/// Bytes of a value's JSON that are kept.
const VALUE_BYTES: usize = 256;
/// Bytes of a name in a path, and of a whole path.
const NAME_BYTES: usize = 64;
const PATH_BYTES: usize = 512;

/// Fields whose values are the host's own words, so that nobody's data is in them.
const OWN_WORDS: [&str; 3] = ["outcome", "receipt", FAILURE];
const FAILURE: &str = "failure.code";

/// What a release answered, as fields that can be compared. How long it took is none of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    /// Whether that is a failure.
    failed: bool,
    fields: Map<String, Value>,
}

impl Said {
    /// What a step answered to these arguments. An argument that it only repeats is no change.
    pub(crate) fn by_step(answer: &Result<StepAnswer, StepFailure>, kwargs: &Map<String, Value>) -> Self {
        let (mut changes, mut exception) = (Map::new(), Value::Object(Map::new()));
        let mut more = None;
        let (failed, outcome) = match answer {
            Ok(StepAnswer::Proceed(all)) => {
                let changed = all.iter().filter(|(name, value)| kwargs.get(*name) != Some(*value));
                changes.extend(changed.map(|(name, value)| (name.clone(), value.clone())));
                (false, "proceed")
            }
            Ok(StepAnswer::Halt) => (false, "halt"),
            Ok(StepAnswer::Raise(raised)) => {
                exception = raised.to_json();
                (false, "raise")
            }
            Ok(StepAnswer::Error(text)) | Err(StepFailure::Error(text)) => {
                more = Some(("error", text.as_str()));
                (true, "error")
            }
            Err(failure) => {
                more = Some((FAILURE, failure.code()));
                (true, "failed")
            }
        };
        let mut fields = Map::new();
        fields.insert("outcome".into(), outcome.into());
        fields.insert("changes".into(), changes.into());
        fields.insert("exception".into(), exception);
        fields.extend(more.map(|(name, text)| (name.to_owned(), text.into())));
        Self { failed, fields }
    }

    /// What came of a delivery.
    pub(crate) fn by_receiver(receipt: &Receipt) -> Self {
        let mut fields = Map::new();
        fields.insert("receipt".into(), receipt.code().into());
        let failed = match receipt {
            Receipt::Delivered => false,
            Receipt::Retry(reason) | Receipt::Rejected(reason) => {
                fields.insert("reason".into(), reason.as_str().into());
                false
            }
            Receipt::Failed(failure) => {
                fields.insert(FAILURE.into(), failure.code().into());
                true
            }
            Receipt::Quarantined(_) => true,
        };
        Self { failed, fields }
    }

    /// Whether the call failed.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// How a failure looks where there is nothing to compare it with.
    pub(crate) fn alone(&self) -> Vec<Difference> {
        let empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        let told = self.fields.iter().filter(|(_, value)| !empty(value));
        told.map(|(name, value)| Difference { path: name.clone(), live: None, trial: Some(shown(value)) })
            .collect()
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// Both answered the same.
    Equal,
    /// They did not: the first places where they differ.
    Different(Vec<Difference>),
    /// The tried release failed where the live one did not.
    Failed(Vec<Difference>),
}

/// Compares the live release's answer with the tried one's. Releases that both fail answer the same when the failure's
/// code and text are.
pub(crate) fn compare(live: &Said, trial: &Said) -> Finding {
    let mut found = Found(Vec::new());
    found.objects("", &live.fields, &trial.fields);
    match found.0 {
        differences if differences.is_empty() => Finding::Equal,
        differences if trial.failed && !live.failed => Finding::Failed(differences),
        differences => Finding::Different(differences),
    }
}

impl Difference {
    /// Without values, unless they are the host's own words.
    pub(super) fn without_values(self) -> Self {
        if OWN_WORDS.contains(&self.path.as_str()) {
            return self;
        }
        Self { live: None, trial: None, ..self }
    }
}

struct Found(Vec<Difference>);

impl Found {
    fn values(&mut self, path: &str, live: Option<&Value>, trial: Option<&Value>) {
        if live == trial || self.0.len() >= DIFFERENCES {
            return;
        }
        match (live, trial) {
            (Some(Value::Object(live)), Some(Value::Object(trial))) => self.objects(path, live, trial),
            (Some(Value::Array(live)), Some(Value::Array(trial))) => {
                for at in 0..live.len().max(trial.len()) {
                    let (live, trial) = (live.get(at), trial.get(at));
                    if live != trial {
                        self.values(&escape(&format!("{path}[{at}]"), PATH_BYTES), live, trial);
                    }
                    if self.0.len() >= DIFFERENCES {
                        return;
                    }
                }
            }
            (live, trial) => self.0.push(Difference {
                path: path.to_owned(),
                live: live.map(shown),
                trial: trial.map(shown),
            }),
        }
    }

    fn objects(&mut self, path: &str, live: &Map<String, Value>, trial: &Map<String, Value>) {
        let new = trial.keys().filter(|name| !live.contains_key(*name));
        for name in live.keys().chain(new) {
            let (live, trial) = (live.get(name), trial.get(name));
            if live != trial {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", escape(name, NAME_BYTES));
                self.values(&escape(&path, PATH_BYTES), live, trial);
            }
        }
    }
}

/// The value, when its JSON is short and harmless to read; else the beginning of that as text.
fn shown(value: &Value) -> Value {
    let mut beginning = Beginning(Vec::new());
    let whole = serde_json::to_writer(&mut beginning, value).is_ok();
    let json = String::from_utf8_lossy(&beginning.0);
    let text = escape(&json, VALUE_BYTES);
    if whole && text == json { value.clone() } else { Value::String(text) }
}

/// Takes the first bytes of what is written, and fails once there are more than are kept of a value.
struct Beginning(Vec<u8>);

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (VALUE_BYTES + 1).saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(io::ErrorKind::WriteZero.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
