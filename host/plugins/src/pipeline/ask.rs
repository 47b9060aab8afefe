//! One call of one step's function.

use std::sync::Arc;

use hookbox_hooks::pipeline::any_filter_answer;
use hookbox_hooks::{Filter, Mismatch, StepAnswer};
use hookbox_sandbox::{Answer, CallContext, CallFailure, Ending, Plugin};
use serde_json::{Map, Value, json};

use crate::effective::Entry;
use crate::failed_calls::Call;

/// What a filter's call needs beside the arguments.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) filter_type: &'a str,
    pub(super) filter: Option<&'a Filter>,
    pub(super) context: &'a Arc<CallContext>,
}

/// What came of asking.
pub(super) struct Asked {
    pub(super) answer: Result<StepAnswer, CallFailure>,
    /// The name under which the failed call is kept, when it is.
    pub(super) replay: Option<String>,
}

/// Asks a plugin for its answer to these arguments.
pub(super) async fn ask(
    plugin: &Plugin,
    entry: Entry,
    question: Question<'_>,
    kwargs: &Map<String, Value>,
) -> Asked {
    let Question { filter_type, filter, context } = question;
    let time = plugin.limits().filter_time();
    let wrapped = entry.generic.then(|| {
        Map::from_iter([
            ("filter_type".to_owned(), Value::String(filter_type.to_owned())),
            ("arguments".to_owned(), Value::Object(kwargs.clone())),
        ])
    });
    let arguments = wrapped.as_ref().unwrap_or(kwargs);
    let call = Call { plugin, function: entry.function, arguments, context, time };
    let (lifted, record) = call.run().await;
    let answer = lifted.and_then(|lifted| meaning(lifted, entry.generic, filter));
    let replay = match &answer {
        Ok(StepAnswer::Error(text)) => call.keep(record, Ending::Refused(&json!({"error": text}))),
        Ok(_) => None,
        Err(failure) => call.keep(record, Ending::Failed(failure)),
    };
    Asked { answer, replay }
}

/// What a step's answer means.
pub(crate) fn meaning(
    lifted: Answer,
    generic: bool,
    filter: Option<&Filter>,
) -> Result<StepAnswer, CallFailure> {
    match filter {
        Some(filter) if !generic => filter.answer(lifted).map_err(CallFailure::Answer),
        filter => {
            let answer = any_filter_answer(lifted, filter).map_err(CallFailure::Answer)?;
            check_changes(filter, &answer).map_err(CallFailure::Answer)?;
            Ok(answer)
        }
    }
}

/// A generic step's changes to catalogued arguments must be of their types. `null` passes, as upstream.
fn check_changes(filter: Option<&Filter>, answer: &StepAnswer) -> Result<(), Mismatch> {
    let (Some(filter), StepAnswer::Proceed(changes)) = (filter, answer) else {
        return Ok(());
    };
    filter.params.iter().try_for_each(|param| match changes.get(&param.name) {
        None | Some(Value::Null) => Ok(()),
        Some(value) => param.ty.check(value, &param.name),
    })
}
