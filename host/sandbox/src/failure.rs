//! Why a call gave no answer.

use serde::Serialize;

use crate::limits::Limit;

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
    #[error("the plugin reached its {} limit: {detail}{}{}", limit.name(), place(function, &None), said(message))]
    Limit {
        /// Which one.
        limit: Limit,
        /// The allowed and the wanted amount, and the setting that raises it.
        detail: String,
        /// The innermost function with a name when the limit was reached.
        function: Option<String>,
        /// What the guest said as it died.
        message: Option<String>,
    },
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
    /// A stable name for the kind of failure, for reports and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "trap",
            Self::Limit { limit, .. } => limit.name(),
            Self::Exit { .. } => "exit",
            Self::Argument(_) => "argument",
            Self::Answer(_) => "answer",
            Self::Overloaded { .. } => "overloaded",
            Self::Internal { .. } => "internal",
        }
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
