//! Running recorded cases on a plugin alone. Nothing of it is counted for the plugin's quarantine or in its metrics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookbox_hooks::catalogue::{any_event, any_filter};
use hookbox_hooks::pipeline::{any_filter_answer, put_back_passwords, set_aside_passwords};
use hookbox_hooks::types::Signature;
use hookbox_hooks::{
    Accumulator, Event, EventMetadata, Filter, FilterConfig, OnFailure, StepAnswer, Verdict,
};
use hookbox_sandbox::{CallContext, CallFailure, FunctionId, Plugin};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::compare::{differs, named, visible};
use super::{Call, Case, CaseReport, EventExpected, FilterExpected};
use crate::effective::EVERY_EVENT;

/// What all cases together may take.
const TIME: Duration = Duration::from_secs(30);
/// How long a case waits before it asks a host that was too busy again.
const PAUSE: Duration = Duration::from_millis(50);
/// The id of every recorded event.
const EVENT_ID: &str = "00000000-0000-4000-8000-000000000000";
/// The time of every recorded event, in seconds after 1970: the beginning of 2026.
const EVENT_TIME: i64 = 1_767_225_600;

/// How a step ended.
enum Ended {
    Completed(Map<String, Value>),
    Halted(Map<String, Value>),
    Raised(Map<String, Value>),
    Failed { code: &'static str, detail: String },
}

pub(super) async fn all(cases: &[Case], plugin: &Plugin, hooks: &BTreeSet<String>) -> Vec<CaseReport> {
    let end = Instant::now() + TIME;
    let mut reports = Vec::with_capacity(cases.len());
    for case in cases {
        let differences = match tokio::time::timeout_at(end, one(&case.call, plugin, hooks)).await {
            Ok(differences) => differences,
            Err(_) => {
                vec![format!("not run to its end: all cases together may take {} seconds", TIME.as_secs())]
            }
        };
        reports.push(CaseReport { case: visible(&case.name), passed: differences.is_empty(), differences });
    }
    reports
}

/// Each place where the answer is not the recorded one.
async fn one(call: &Call, plugin: &Plugin, hooks: &BTreeSet<String>) -> Vec<String> {
    match call {
        Call::Filter { filter, kwargs, expect } => {
            let named = hooks.contains(&filter.filter_type);
            match function(plugin, &filter.signature, any_filter(), &filter.filter_type, named) {
                Ok(function) => compare_step(expect, &step(filter, kwargs.clone(), plugin, function).await),
                Err(reason) => vec![reason],
            }
        }
        Call::Event { event, data, expect } => {
            let named = hooks.contains(&event.event_type) || hooks.contains(EVERY_EVENT);
            match function(plugin, &event.signature, any_event(), &event.event_type, named) {
                Ok(function) => compare_receipt(expect, delivery(event, data, plugin, function).await),
                Err(reason) => vec![reason],
            }
        }
    }
}

/// The plugin's function for a hook, and whether it is the generic one; `named`: whether its `hooks` gives it this one.
fn function(
    plugin: &Plugin,
    typed: &Signature,
    generic: &Signature,
    hook: &str,
    named: bool,
) -> Result<(FunctionId, bool), String> {
    if let Some(function) = plugin.function(typed) {
        return Ok((function, false));
    }
    match plugin.function(generic) {
        Some(function) if named => Ok((function, true)),
        Some(_) => Err(format!("the plugin is not given {hook}: its `hooks` does not name it")),
        None => Err(format!("the plugin does not take {hook}: it does not export {}", typed.interface)),
    }
}

/// A pipeline of this one step.
async fn step(
    filter: &Arc<Filter>,
    mut kwargs: Map<String, Value>,
    plugin: &Plugin,
    function: (FunctionId, bool),
) -> Ended {
    let aside = set_aside_passwords(filter, &mut kwargs);
    let mut accumulator = Accumulator::new(kwargs, false);
    let answer = match answer(filter, accumulator.kwargs(), plugin, function).await {
        Ok(StepAnswer::Error(text)) => return Ended::Failed { code: "error", detail: text },
        Ok(answer) => answer,
        Err(failure) => return Ended::Failed { code: failure.code(), detail: failure.to_string() },
    };
    let verdict = accumulator.take(answer, OnFailure::Raise);
    let mut kwargs = accumulator.into_kwargs();
    put_back_passwords(filter, &mut kwargs, aside);
    match verdict {
        Verdict::Halted => Ended::Halted(kwargs),
        Verdict::Raised(exception) => match exception.to_json() {
            Value::Object(exception) => Ended::Raised(exception),
            _ => Ended::Raised(Map::new()),
        },
        Verdict::Continue { .. } | Verdict::Skipped | Verdict::Failed => Ended::Completed(kwargs),
    }
}

async fn answer(
    filter: &Arc<Filter>,
    kwargs: &Map<String, Value>,
    plugin: &Plugin,
    (function, generic): (FunctionId, bool),
) -> Result<StepAnswer, CallFailure> {
    let filter_type = filter.filter_type.as_str();
    let metadata = FilterConfig::default().metadata(filter_type, &[plugin.name().to_owned()]);
    let context = Arc::new(CallContext { filter: Some(metadata), delivery: None });
    let time = plugin.limits().filter_time();
    if !generic {
        let lifted = called(plugin, function, kwargs, &context, time).await?;
        return filter.answer(lifted).map_err(CallFailure::Answer);
    }
    let arguments = Map::from_iter([
        ("filter_type".to_owned(), Value::String(filter_type.to_owned())),
        ("arguments".to_owned(), Value::Object(kwargs.clone())),
    ]);
    let lifted = called(plugin, function, &arguments, &context, time).await?;
    let answer = any_filter_answer(lifted, Some(filter)).map_err(CallFailure::Answer)?;
    if let StepAnswer::Proceed(changes) = &answer {
        let fits = filter.params.iter().try_for_each(|param| match changes.get(&param.name) {
            None | Some(Value::Null) => Ok(()),
            Some(value) => param.ty.check(value, &param.name),
        });
        fits.map_err(CallFailure::Answer)?;
    }
    Ok(answer)
}

/// The code of the receipt, or the failure.
async fn delivery(
    event: &Arc<Event>,
    data: &Value,
    plugin: &Plugin,
    (function, generic): (FunctionId, bool),
) -> Result<(&'static str, String), CallFailure> {
    let metadata = EventMetadata {
        id: EVENT_ID.to_owned(),
        event_type: event.event_type.clone(),
        minorversion: 0,
        source: "hookbox/cases".to_owned(),
        sourcehost: String::new(),
        time: OffsetDateTime::from_unix_timestamp(EVENT_TIME).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        sourcelib: Vec::new(),
    };
    let metadata = metadata.to_json(1);
    let arguments = if generic {
        Map::from_iter([
            ("event_type".to_owned(), Value::String(event.event_type.clone())),
            ("data".to_owned(), data.clone()),
            ("metadata".to_owned(), metadata),
        ])
    } else {
        let mut arguments = data.as_object().cloned().unwrap_or_default();
        arguments.insert("metadata".to_owned(), metadata);
        arguments
    };
    let context = Arc::new(CallContext::default());
    match called(plugin, function, &arguments, &context, plugin.limits().event_time()).await? {
        Ok(_) => Ok(("delivered", String::new())),
        Err(failure) => {
            let reason = |key: &str| failure.get(key).and_then(Value::as_str).map(visible);
            Ok(match reason("reject") {
                Some(reason) => ("rejected", reason),
                None => ("retry", reason("retry").unwrap_or_default()),
            })
        }
    }
}

/// One call. That the host is too busy says nothing about the plugin: the call is made again.
async fn called(
    plugin: &Plugin,
    function: FunctionId,
    arguments: &Map<String, Value>,
    context: &Arc<CallContext>,
    time: Duration,
) -> Result<hookbox_sandbox::Answer, CallFailure> {
    loop {
        match plugin.call(function, arguments, Arc::clone(context), time).await {
            Err(CallFailure::Overloaded { .. }) => tokio::time::sleep(PAUSE).await,
            ended => return ended,
        }
    }
}

fn compare_step(expect: &FilterExpected, ended: &Ended) -> Vec<String> {
    match (expect, ended) {
        (FilterExpected::Completed { kwargs: expected }, Ended::Completed(kwargs))
        | (FilterExpected::Halted { kwargs: expected }, Ended::Halted(kwargs)) => {
            named(expected, kwargs, "kwargs")
        }
        (FilterExpected::Raised { exception: expected }, Ended::Raised(exception)) => {
            named(expected, exception, "exception")
        }
        (FilterExpected::Failure(expected), Ended::Failed { code, .. }) if expected == code => Vec::new(),
        (FilterExpected::Failure(expected), ended) => {
            vec![differs("failure", &visible(expected), &told(ended))]
        }
        (FilterExpected::Completed { .. }, ended) => vec![differs("outcome", "completed", &told(ended))],
        (FilterExpected::Halted { .. }, ended) => vec![differs("outcome", "halted", &told(ended))],
        (FilterExpected::Raised { .. }, ended) => vec![differs("outcome", "raised", &told(ended))],
    }
}

fn told(ended: &Ended) -> String {
    match ended {
        Ended::Completed(_) => "completed".to_owned(),
        Ended::Halted(_) => "halted".to_owned(),
        Ended::Raised(exception) => {
            let text = |key: &str| exception.get(key).and_then(Value::as_str).unwrap_or_default();
            visible(&format!("raised {}: {}", text("class"), text("message")))
        }
        Ended::Failed { code, detail } => visible(&format!("the failure {code}: {detail}")),
    }
}

fn compare_receipt(
    expect: &EventExpected,
    ended: Result<(&'static str, String), CallFailure>,
) -> Vec<String> {
    let expected = match expect {
        EventExpected::Receipt(receipt) => *receipt,
        EventExpected::Failure(code) => code,
    };
    let (fits, found) = match ended {
        Ok((receipt, reason)) => {
            let found = if reason.is_empty() { receipt.to_owned() } else { format!("{receipt}: {reason}") };
            (matches!(expect, EventExpected::Receipt(wanted) if *wanted == receipt), found)
        }
        Err(failure) => {
            let code = failure.code();
            let found = visible(&format!("the failure {code}: {failure}"));
            (matches!(expect, EventExpected::Failure(wanted) if wanted == code), found)
        }
    };
    let place = match expect {
        EventExpected::Receipt(_) => "receipt",
        EventExpected::Failure(_) => "failure",
    };
    if fits { Vec::new() } else { vec![differs(place, &visible(expected), &found)] }
}
