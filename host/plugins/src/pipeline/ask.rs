//! One call of one step's function.

use std::sync::Arc;

use hookbox_hooks::pipeline::any_filter_answer;
use hookbox_hooks::{Filter, Mismatch, StepAnswer};
use hookbox_sandbox::{CallContext, CallFailure, Plugin};
use serde_json::{Map, Value};

use crate::effective::Entry;

/// What a filter's call needs beside the arguments.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) filter_type: &'a str,
    pub(super) filter: Option<&'a Filter>,
    pub(super) context: &'a Arc<CallContext>,
}

/// Asks a plugin for its answer to these arguments.
pub(super) async fn ask(
    plugin: &Plugin,
    entry: Entry,
    question: Question<'_>,
    kwargs: &Map<String, Value>,
) -> Result<StepAnswer, CallFailure> {
    let Question { filter_type, filter, context } = question;
    let time = plugin.limits().filter_time();
    let context = Arc::clone(context);
    if entry.generic {
        let arguments = Map::from_iter([
            ("filter_type".to_owned(), Value::String(filter_type.to_owned())),
            ("arguments".to_owned(), Value::Object(kwargs.clone())),
        ]);
        let lifted = plugin.call(entry.function, &arguments, context, time).await?;
        let answer = any_filter_answer(lifted, filter).map_err(CallFailure::Answer)?;
        check_changes(filter, &answer).map_err(CallFailure::Answer)?;
        return Ok(answer);
    }
    let lifted = plugin.call(entry.function, kwargs, context, time).await?;
    match filter {
        Some(filter) => filter.answer(lifted).map_err(CallFailure::Answer),
        None => any_filter_answer(lifted, None).map_err(CallFailure::Answer),
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
