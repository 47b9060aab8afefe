//! Calls that failed, kept so that they can be run again at a desk: one file each, with what the call was given and what
//! the host told it. The file's form, who keeps it, and running it again.

mod file;
mod keeper;
mod redact;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use hookbox_sandbox::{Answer, CallContext, CallFailure, CallRecord, Ending, FailedCall, FunctionId, Plugin};
use serde_json::{Map, Value};

pub use file::{CallFile, CallFileError, CallOutcome, FilterContext, HookCalled, HookKind};
pub use keeper::{FailedCallKeeper, FailedCallOptions, FailedCallView};
pub use redact::{DEFAULT_REDACTION, Redaction};
pub use replay::{ReplayError, Replayed, kept_component, replay};

/// One call of a function, with what it takes to keep it.
pub(crate) struct Call<'a> {
    pub(crate) plugin: &'a Plugin,
    pub(crate) function: FunctionId,
    pub(crate) arguments: &'a Map<String, Value>,
    pub(crate) context: &'a Arc<CallContext>,
    pub(crate) time: Duration,
}

impl Call<'_> {
    /// Calls, with a record where somebody keeps failed calls of the plugin.
    pub(crate) async fn run(&self) -> (Result<Answer, CallFailure>, Option<CallRecord>) {
        let Self { plugin, function, arguments, context, time } = *self;
        let context = Arc::clone(context);
        if plugin.failed_calls().is_none() {
            return (plugin.call(function, arguments, context, time).await, None);
        }
        let (answer, record) = plugin.call_recorded(function, arguments, context, time).await;
        (answer, Some(record))
    }

    /// Keeps the call, which ended so. The name under which it is kept, when it is.
    pub(crate) fn keep(&self, record: Option<CallRecord>, ending: Ending<'_>) -> Option<String> {
        // These were not run, or not to an end of their own.
        if let Ending::Failed(CallFailure::Argument(_) | CallFailure::Overloaded { .. }) = ending {
            return None;
        }
        let Self { plugin, function, arguments, context, time } = *self;
        let limit_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let call = FailedCall { plugin, function, arguments, context, limit_ms, record: record?, ending };
        plugin.failed_calls()?.keep(call)
    }
}

/// Calls a receiver, and keeps the call where it failed or the receiver refused. The context then says under which name.
pub(crate) async fn deliver(
    plugin: &Plugin,
    function: FunctionId,
    arguments: &Map<String, Value>,
    context: Arc<CallContext>,
    time: Duration,
) -> Result<Answer, CallFailure> {
    let call = Call { plugin, function, arguments, context: &context, time };
    let (answer, record) = call.run().await;
    let kept = match &answer {
        Ok(Ok(_)) => None,
        Ok(Err(refusal)) => call.keep(record, Ending::Refused(refusal)),
        Err(failure) => call.keep(record, Ending::Failed(failure)),
    };
    if let Some(name) = kept {
        let (plugin, id) =
            (plugin.name(), arguments.get("metadata").and_then(|metadata| metadata["id"].as_str()));
        tracing::info!(plugin, id, replay = name, "the failed delivery is kept and can be run again");
        if let Some(delivery) = &context.delivery {
            delivery.kept_as(name);
        }
    }
    answer
}
