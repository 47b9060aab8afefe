//! Why a call gave no answer.

use std::time::Duration;

use serde::Serialize;

use crate::limits::{Bound, JSON_DEPTH_MOST, Limit, Limits};

/// A call that ended without an answer of the plugin's.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CallFailure {
    /// The guest executed something that ends it: a panic, a bad access, a division by zero.
    #[error("the plugin trapped: {reason}{}{}", place(function, location), said(message))]
    Trap {
        /// WebAssembly's reason.
        reason: String,
        /// The innermost function with a name, demangled.
        function: Option<String>,
        /// `file:line` of that place, where the component has debug information.
        location: Option<String>,
        /// What the guest said as it died: its panic message.
        message: Option<String>,
        /// The guest's call stack, innermost first.
        backtrace: Vec<String>,
    },
    /// A limit was reached.
    #[error("{0}")]
    Limit(Box<LimitReport>),
    /// The guest ended its own process.
    #[error("the plugin exited with status {status} instead of answering")]
    Exit {
        /// The status it gave.
        status: i32,
    },
    /// An argument does not fit the hook's type. The caller's fault, not the plugin's.
    #[error("{0}")]
    Argument(
        /// What did not fit.
        #[serde(serialize_with = "as_text")]
        hookbox_hooks::Mismatch,
    ),
    /// The answer does not mean what the hook's types promise.
    #[error("the plugin's answer is wrong: {0}")]
    Answer(
        /// What was wrong with it.
        #[serde(serialize_with = "as_text")]
        hookbox_hooks::Mismatch,
    ),
    /// The host had no room to run the call within its time.
    #[error("the host is too busy to run the plugin: {detail}")]
    Overloaded {
        /// What there was no room in.
        detail: String,
    },
    /// Something that should not happen did; the call ended, the host goes on.
    #[error("the sandbox could not run the plugin: {detail}")]
    Internal {
        /// The engine's own words.
        detail: String,
    },
}

impl CallFailure {
    /// The guest's call stack when it ended, innermost first, where there is one.
    pub fn backtrace(&self) -> &[String] {
        match self {
            Self::Trap { backtrace, .. } => backtrace,
            Self::Limit(report) => &report.backtrace,
            _ => &[],
        }
    }

    /// What an author reads when their plugin died: a name and a text a line.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("kind", self.code().to_owned())];
        let mut add = |name, text: &Option<String>| lines.extend(text.clone().map(|text| (name, text)));
        match self {
            Self::Trap { reason, function, location, message, .. } => {
                add("reason", &Some(reason.clone()));
                add("function", function);
                add("at", location);
                add("said", message);
            }
            Self::Limit(report) => {
                add("allowed", &Some(format!("{} {}", report.allowed, report.unit)));
                add("used", &report.used.map(|used| format!("{used} {}", report.unit)));
                add("raised by", &report.setting);
                add("function", &report.function);
                add("at", &report.location);
                add("said", &report.message);
            }
            Self::Argument(mismatch) | Self::Answer(mismatch) => {
                add("place", &Some(mismatch.path.clone()));
                add("expected", &Some(mismatch.expected.clone()));
                add("found", &Some(mismatch.found.clone()));
            }
            other => add("reason", &Some(other.to_string())),
        }
        lines.extend(self.backtrace().iter().map(|frame| ("in", frame.clone())));
        lines
    }

    /// A stable name for the kind of failure, for reports and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "trap",
            Self::Limit(report) => report.limit.name(),
            Self::Exit { .. } => "exit",
            Self::Argument(_) => "argument",
            Self::Answer(_) => "answer",
            Self::Overloaded { .. } => "overloaded",
            Self::Internal { .. } => "internal",
        }
    }
}

/// The limit that ended a call: what it allows, what was used, and how to raise it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitReport {
    /// Which one.
    pub limit: Limit,
    /// What the plugin may use.
    pub allowed: u64,
    /// What it used or wanted, where that is known.
    pub used: Option<u64>,
    /// The unit of both.
    pub unit: &'static str,
    /// The key of the plugin's table that raises it: `limits.memory`. `None` when it is the same for every plugin.
    pub setting: Option<String>,
    /// All of that in one sentence.
    pub detail: String,
    /// The innermost function with a name when the limit was reached.
    pub function: Option<String>,
    /// `file:line` of that place, where the component has debug information.
    pub location: Option<String>,
    /// What the guest said as it died.
    pub message: Option<String>,
    /// The guest's call stack, innermost first.
    pub backtrace: Vec<String>,
}

impl LimitReport {
    /// The report of a limit that was reached without a place in the guest's code.
    pub(crate) fn new(limit: Limit, used: Option<u64>, limits: &Limits, time: Duration) -> Self {
        let Bound { setting, allowed, unit } = limit.bound(limits, time);
        let wanted = match used {
            Some(used) if limit == Limit::Time => format!(", {used} used"),
            Some(used) => format!(", {used} wanted"),
            None => String::new(),
        };
        let help = match (limit, setting) {
            (Limit::Stack, _) => {
                "the same for every plugin; recursion without an end is the usual cause".to_owned()
            }
            (Limit::JsonDepth, _) => {
                format!("`limits.json_depth` of the plugin raises it up to {JSON_DEPTH_MOST}")
            }
            (_, Some(setting)) => format!("`limits.{setting}` of the plugin raises it"),
            (_, None) => "the same for every plugin".to_owned(),
        };
        Self {
            limit,
            allowed,
            used,
            unit,
            setting: setting.map(|setting| format!("limits.{setting}")),
            detail: format!("{allowed} {unit} allowed{wanted}; {help}"),
            function: None,
            location: None,
            message: None,
            backtrace: Vec::new(),
        }
    }
}

impl std::fmt::Display for LimitReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the plugin reached its {} limit: {}{}{}",
            self.limit.name(),
            self.detail,
            place(&self.function, &self.location),
            said(&self.message)
        )
    }
}

fn place(function: &Option<String>, location: &Option<String>) -> String {
    match (function, location) {
        (Some(function), Some(location)) => format!(" in {function} at {location}"),
        (Some(function), None) => format!(" in {function}"),
        (None, Some(location)) => format!(" at {location}"),
        (None, None) => String::new(),
    }
}

fn said(message: &Option<String>) -> String {
    message.as_ref().map(|message| format!("; it said: {message}")).unwrap_or_default()
}

fn as_text<S: serde::Serializer>(
    mismatch: &hookbox_hooks::Mismatch,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let mut fields = serializer.serialize_struct("Mismatch", 3)?;
    fields.serialize_field("path", &mismatch.path)?;
    fields.serialize_field("expected", &mismatch.expected)?;
    fields.serialize_field("found", &mismatch.found)?;
    fields.end()
}
