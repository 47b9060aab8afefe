//! A kept call's file.

use std::sync::Arc;

use hookbox_hooks::catalogue::{any_event, any_filter};
use hookbox_hooks::{Catalogue, Hook, StepMetadata};
use hookbox_sandbox::{CallContext, CallFailure, CallRecord, DeliveryWishes, Ending, FailedCall, Limits};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::load::is_plugin_name;

/// The form of these files. A later form has another name.
pub(super) const FORMAT: &str = "hookbox-call/1";
/// Codes of the answers by which a guest refuses; the words are all that tells one from another.
const REFUSALS: [&str; 3] = ["retry", "reject", "error"];
/// Bytes of such a file. A call that needs more is not kept.
pub(super) const FILE_BYTES: usize = 16 << 20;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallFile {
    /// `hookbox-call/1`.
    pub format: String,
    /// When it was kept. UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub kept_at: OffsetDateTime,
    /// The plugin's name.
    pub plugin: String,
    /// The version its component names.
    pub version: Option<String>,
    /// The component's digest, `sha256:…`.
    pub digest: String,
    /// What was called.
    pub hook: HookCalled,
    /// What it was called with.
    pub arguments: Map<String, Value>,
    /// Of a filter: what the step could ask about the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterContext>,
    /// The plugin's settings.
    pub settings: Map<String, Value>,
    /// What the plugin was granted.
    pub grants: Vec<String>,
    /// What its calls may use.
    pub limits: Limits,
    /// The time that the call had, in milliseconds.
    pub limit_ms: u64,
    /// What the host told it.
    #[serde(flatten)]
    pub record: CallRecord,
    /// How it ended.
    pub outcome: CallOutcome,
    /// How many values were replaced because of their fields' names.
    pub redacted: u64,
}

/// What was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookCalled {
    /// The filter's or event's type.
    #[serde(rename = "type")]
    pub hook_type: String,
    /// Which of both it is.
    pub kind: HookKind,
    /// The interface whose function was called.
    pub interface: String,
    /// Whether it is one of the generic interfaces.
    pub generic: bool,
    /// Of an event: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Of an event: which attempt it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
}

/// The kind of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookKind {
    /// A filter's step.
    Filter,
    /// A receiver of an event.
    Event,
}

/// What a step can ask about its pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilterContext {
    /// The filter's type.
    pub filter_type: String,
    /// All steps in order.
    pub running_pipeline: Vec<String>,
    /// The other keys of the filter's configuration.
    pub extra_config: Map<String, Value>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallOutcome {
    /// A stable name: a failure's code, `error`, `retry` or `reject`; of a call that does well `proceeded`, `halted`,
    /// `raised` or `delivered`.
    pub code: String,
    /// The same in a sentence.
    pub message: String,
    /// The failure's report, or what the plugin answered.
    pub report: Value,
}

/// A file that is no kept call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFileError {
    /// It is too large to be one.
    #[error("the file has more than {FILE_BYTES} bytes: no kept call is so large")]
    TooLarge,
    /// It is of another form.
    #[error("the file is no kept call: {0}")]
    Form(String),
}

impl CallFile {
    /// Reads a file's content. Nothing in it is trusted: what could not have been written by a host is refused.
    ///
    /// # Errors
    /// [`CallFileError`].
    pub fn parse(content: &[u8]) -> Result<Self, CallFileError> {
        #[derive(Deserialize)]
        struct Form {
            format: String,
        }
        let bad = |reason: String| CallFileError::Form(hookbox_sandbox::escape(&reason, 500));
        if content.len() > FILE_BYTES {
            return Err(CallFileError::TooLarge);
        }
        let form: Form = serde_json::from_slice(content).map_err(|error| bad(error.to_string()))?;
        if form.format != FORMAT {
            return Err(bad(format!("its format is {:?}, this program reads {FORMAT:?}", form.format)));
        }
        let file: Self = serde_json::from_slice(content).map_err(|error| bad(error.to_string()))?;
        if !is_plugin_name(&file.plugin) {
            return Err(bad(format!("plugin {:?} is no plugin's name", file.plugin)));
        }
        let digits = file.digest.strip_prefix("sha256:").unwrap_or_default();
        if digits.len() != 64 || !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad(format!("digest {:?} is none", file.digest)));
        }
        Ok(file)
    }

    /// What there is to keep of a call. Nothing is redacted yet.
    pub(super) fn of(call: FailedCall<'_>, kept_at: OffsetDateTime) -> Self {
        let FailedCall { plugin, function, arguments, context, limit_ms, record, ending } = call;
        let report = plugin.report();
        Self {
            format: FORMAT.to_owned(),
            kept_at,
            plugin: plugin.name().to_owned(),
            version: report.metadata.version.clone(),
            digest: report.digest.to_string(),
            hook: HookCalled::of(plugin.interface(function), arguments, context),
            arguments: arguments.clone(),
            filter: context.filter.as_ref().map(|step| FilterContext {
                filter_type: step.filter_type.clone(),
                running_pipeline: step.running_pipeline.clone(),
                extra_config: step.extra_config.clone(),
            }),
            settings: plugin.settings().json().clone(),
            grants: plugin.grants().iter().map(ToString::to_string).collect(),
            limits: plugin.limits().clone(),
            limit_ms,
            record,
            outcome: CallOutcome::of(ending),
            redacted: 0,
        }
    }

    /// What the call can ask about itself when it is run again.
    pub(super) fn context(&self) -> Arc<CallContext> {
        let filter = self.filter.clone().map(|step| StepMetadata {
            filter_type: step.filter_type,
            running_pipeline: step.running_pipeline,
            extra_config: step.extra_config,
        });
        let delivery = (self.hook.kind == HookKind::Event).then(DeliveryWishes::default);
        Arc::new(CallContext { filter, delivery })
    }
}

impl HookCalled {
    fn of(interface: &str, arguments: &Map<String, Value>, context: &CallContext) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let metadata = arguments.get("metadata");
        let of_event = |field: &str| metadata.and_then(|metadata| metadata.get(field));
        let generic = [any_filter(), any_event()].iter().any(|generic| generic.interface == interface);
        let is_filter = context.filter.is_some() || arguments.contains_key("filter_type") && generic;
        let mut of_catalogue = Catalogue::embedded().hooks();
        let hook = of_catalogue.find(|hook| hook.signature().interface == interface);
        let catalogued = hook.map(|hook| hook.hook_type().to_owned());
        let hook_type = match (generic, is_filter) {
            (true, true) => text(arguments.get("filter_type")),
            (true, false) => text(arguments.get("event_type")),
            (false, true) => context.filter.as_ref().map(|step| step.filter_type.clone()),
            (false, false) => text(of_event("event_type")),
        };
        Self {
            hook_type: hook_type.or(catalogued).unwrap_or_default(),
            kind: if is_filter { HookKind::Filter } else { HookKind::Event },
            interface: interface.to_owned(),
            generic,
            event: text(of_event("id")).filter(|_| !is_filter),
            attempt: of_event("attempt").and_then(Value::as_u64).filter(|_| !is_filter),
        }
    }

    /// The catalogued filter whose interface this is, or whose type, of a generic one.
    pub(super) fn filter(&self) -> Option<Arc<hookbox_hooks::Filter>> {
        let catalogue = Catalogue::embedded();
        if self.generic {
            return catalogue.filter(&self.hook_type).cloned();
        }
        catalogue.hooks().find_map(|hook| match hook {
            Hook::Filter(filter) if filter.signature.interface == self.interface => Some(filter),
            Hook::Filter(_) | Hook::Event(_) => None,
        })
    }
}

impl CallOutcome {
    pub(super) fn of(ending: Ending<'_>) -> Self {
        match ending {
            Ending::Failed(failure) => Self::failed(failure),
            Ending::Refused(answer) => Self::refused(answer),
        }
    }

    pub(super) fn failed(failure: &CallFailure) -> Self {
        Self { code: failure.code().to_owned(), message: failure.to_string(), report: json!(failure) }
    }

    /// The plugin's own error: `{"error": …}` of a step, `{"retry": …}` or `{"reject": …}` of a receiver.
    pub(super) fn refused(answer: &Value) -> Self {
        let case = |code| answer.get(code).map(|said| (code, said));
        let (code, said) =
            ["retry", "reject", "error"].into_iter().find_map(case).unwrap_or(("error", answer));
        let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
        let message = match code {
            "retry" => format!("the receiver asks to try again: {said}"),
            "reject" => format!("the receiver rejected the event: {said}"),
            _ => format!("the plugin answered with an error: {said}"),
        };
        Self { code: code.to_owned(), message, report: answer.clone() }
    }

    /// Whether another call ended in the same way: with the same code, where a guest died for the same reason in the same
    /// functions, and where it answered in the same words. The last words of one that died may hold what was redacted, and
    /// say nothing here. A guest that ran out of time may have been anywhere.
    pub fn same_as(&self, other: &Self) -> bool {
        let fact = |outcome: &Self, field: &str| outcome.report.get(field).cloned();
        let same = |field: &str| fact(self, field) == fact(other, field);
        let answered = REFUSALS.contains(&self.code.as_str());
        self.code == other.code
            && (!answered || self.message == other.message)
            && (self.code == "time" || (same("reason") && same("backtrace") && same("path")))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use hookbox_sandbox::{RecordedInstance, Seed};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn file() -> CallFile {
        let seed: Seed = serde_json::from_value(json!("00".repeat(32))).unwrap();
        CallFile {
            format: FORMAT.into(),
            kept_at: OffsetDateTime::UNIX_EPOCH,
            plugin: "p".into(),
            version: None,
            digest: format!("sha256:{}", "0".repeat(64)),
            hook: HookCalled {
                hook_type: "org.example.v1".into(),
                kind: HookKind::Filter,
                interface: any_filter().interface.clone(),
                generic: true,
                event: None,
                attempt: None,
            },
            arguments: Map::new(),
            filter: None,
            settings: Map::new(),
            grants: Vec::new(),
            limits: Limits::default(),
            limit_ms: 100,
            record: CallRecord {
                time_ms: 0,
                seed,
                instance: RecordedInstance::Fresh,
                truncated: false,
                host_calls: Vec::new(),
            },
            outcome: CallOutcome { code: "trap".into(), message: String::new(), report: Value::Null },
            redacted: 0,
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let written = serde_json::to_vec_pretty(&file()).unwrap();
        assert_eq!(CallFile::parse(&written).unwrap(), file());
    }

    #[test]
    fn what_no_host_wrote_is_refused_in_words() {
        let with = |field: &str, value: Value| {
            let mut changed = serde_json::to_value(file()).unwrap();
            changed[field] = value;
            CallFile::parse(&serde_json::to_vec(&changed).unwrap()).unwrap_err().to_string()
        };
        assert!(with("format", json!("hookbox-call/9")).contains("this program reads"));
        assert!(with("plugin", json!("../x")).contains("no plugin's name"));
        assert!(with("digest", json!("sha256:../../etc/passwd")).contains("digest"));
        assert!(with("seed", json!("no")).contains("64"));
        assert!(with("arguments", json!([])).contains("map"));
        assert!(with("limits", json!({"memory_bytes": -1})).contains("-1"));
        assert!(CallFile::parse(b"{").is_err());
        assert!(CallFile::parse("[".repeat(100_000).as_bytes()).is_err());
        assert_eq!(CallFile::parse(&vec![b' '; FILE_BYTES + 1]), Err(CallFileError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(at in 0..2_000_usize, byte: u8, cut in 0..2_000_usize) {
            let mut written = serde_json::to_vec(&file()).unwrap();
            let length = written.len();
            written[at % length] = byte;
            written.truncate(cut.max(1));
            let _ = CallFile::parse(&written);
        }
    }

    #[test]
    fn the_same_end_is_told_by_code_and_place() {
        let trap = |reason: &str, message: &str, function: &str| CallOutcome {
            code: "trap".into(),
            message: String::new(),
            report: json!({"reason": reason, "message": message, "backtrace": [function]}),
        };
        assert!(trap("unreachable", "alice", "f").same_as(&trap("unreachable", "redacted", "f")));
        assert!(!trap("unreachable", "", "f").same_as(&trap("unreachable", "", "g")));
        assert!(!trap("unreachable", "", "f").same_as(&trap("integer overflow", "", "f")));
        let retry = CallOutcome::refused(&json!({"retry": "later"}));
        assert_eq!((&*retry.code, &*retry.message), ("retry", "the receiver asks to try again: later"));
        assert!(retry.same_as(&CallOutcome::refused(&json!({"retry": "later"}))));
        assert!(!retry.same_as(&CallOutcome::refused(&json!({"retry": "the secret is none"}))));
        assert!(!retry.same_as(&CallOutcome::refused(&json!({"reject": "never"}))));
        assert_eq!(CallOutcome::refused(&json!({"error": "x"})).code, "error");
    }
}
