//! What upstream's own pipeline did, case by case, and what this crate does with the same steps.
//!
//! `tests/vectors/filter_pipelines.json` was recorded by running openedx-filters 3.16.0.

use std::collections::BTreeSet;

use hookbox_hooks::{Accumulator, FilterConfig, FilterException, OnFailure, StepAnswer, Verdict};
use serde_json::{Map, Value, json};

use crate::steps::step;

const FILTER_TYPE: &str = "t.filter.v1";

/// Cases that only Python can have, each with the reason.
const PYTHON_ONLY: &[(&str, &str)] = &[
    ("tuple_config", "JSON and TOML have no tuples; the recorded list stands for one"),
    ("return_non_str_key_silent", "the keys of a JSON object are text"),
    ("module_raises_on_import_silent", "a plugin is loaded when it is admitted, not when a filter is called"),
    ("mutation_survives_failure", "a step has copies of its arguments, so nothing changes in place"),
    ("keyboard_interrupt_silent", "a step cannot raise BaseException into the host"),
    ("setting_is_[]", "the settings object of Django itself"),
    ("exc_kw_overrides_nothing", "positional arguments and repr of a Python exception"),
];

/// How a pipeline ended.
#[derive(Debug, PartialEq)]
enum Ending {
    Returned(Map<String, Value>),
    Raised(FilterException),
    /// A step failed, with its words.
    Failed(String),
    /// No step ran: the configuration is wrong or a listed plugin is not live.
    Refused,
}

/// What happened in one call.
struct Run {
    ending: Ending,
    steps_run: Vec<Value>,
    steps_made: Vec<Value>,
}

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../vectors/filter_pipelines.json")).unwrap()
}

fn name(vector: &Value) -> &str {
    vector["name"].as_str().unwrap()
}

/// The host's loop in small: all steps are found before any step runs, then each one's answer is taken.
fn run(config: &Value, kwargs: Map<String, Value>) -> Run {
    let mut run = Run { ending: Ending::Refused, steps_run: Vec::new(), steps_made: Vec::new() };
    let config = match config.as_str() {
        Some("UNSET") => Ok(FilterConfig::default()),
        _ => FilterConfig::from_value(config),
    };
    let Ok(config) = config else { return run };
    let names = config.pipeline.clone().unwrap_or_default();
    let live: Vec<_> = names.iter().filter_map(|name| Some((name, step(name)?))).collect();
    if live.len() < names.len() && !config.fail_silently {
        return run;
    }
    let metadata = config.metadata(FILTER_TYPE, &names);
    let mut pipeline = Accumulator::new(kwargs, config.fail_silently);
    for (path, step) in live {
        let class = path.rsplit('.').next().unwrap();
        if step.is_made {
            run.steps_made.push(json!([class, metadata]));
        }
        if step.notes_arguments {
            run.steps_run.push(json!([class, pipeline.kwargs()]));
        }
        let answer = step.run(&metadata, pipeline.kwargs());
        let words = answer.error().unwrap_or_default().to_owned();
        match pipeline.take(answer, OnFailure::Default) {
            Verdict::Continue { .. } | Verdict::Skipped => {}
            Verdict::Halted => break,
            Verdict::Raised(exception) => {
                run.ending = Ending::Raised(exception);
                return run;
            }
            Verdict::Failed => {
                run.ending = Ending::Failed(words);
                return run;
            }
        }
    }
    run.ending = Ending::Returned(pipeline.into_kwargs());
    run
}

/// The exception that a vector recorded.
fn recorded(attrs: &Value) -> FilterException {
    let mut attributes = attrs.as_object().unwrap().clone();
    let mut take = |name| attributes.shift_remove(name).unwrap();
    let message = take("message").as_str().unwrap().to_owned();
    let redirect_to = take("redirect_to").as_str().unwrap().to_owned();
    let status_code = take("status_code").as_u64().map(|code| u16::try_from(code).unwrap());
    let class = "OpenEdxFilterException".to_owned();
    FilterException { class, message, redirect_to, status_code, attributes }
}

#[test]
fn pipelines_do_what_upstream_does() {
    for vector in vectors().iter().filter(|vector| vector.get("config").is_some()) {
        let name = name(vector);
        if PYTHON_ONLY.iter().any(|(only, _)| *only == name) {
            continue;
        }
        let kwargs = vector["kwargs"].as_object().unwrap().clone();
        let run = run(&vector["config"], kwargs);
        let result = &vector["result"];
        let expected = match (result.get("return"), result["attrs"].is_null()) {
            (Some(kwargs), _) => Ending::Returned(kwargs.as_object().unwrap().clone()),
            (None, false) => Ending::Raised(recorded(&result["attrs"])),
            (None, true) if vector["steps_init"] == json!([]) => Ending::Refused,
            (None, true) => Ending::Failed(result["str"].as_str().unwrap().to_owned()),
        };
        assert_eq!(run.ending, expected, "{name}");
        assert_eq!(Value::Array(run.steps_run), vector["steps_run"], "{name}: arguments of the steps");
        assert_eq!(Value::Array(run.steps_made), vector["steps_init"], "{name}: metadata of the steps");
    }
}

#[test]
fn a_new_exception_has_upstreams_defaults() {
    let vectors = vectors();
    let vector = vectors.iter().find(|vector| name(vector) == "exc_defaults").unwrap();
    let exception = FilterException::new("OpenEdxFilterException", "");
    assert_eq!(exception, recorded(&vector["result"]["attrs"]));
}

#[test]
fn every_vector_is_run_or_listed_with_a_reason() {
    let vectors = vectors();
    let all: BTreeSet<&str> = vectors.iter().map(name).collect();
    assert_eq!(all.len(), vectors.len(), "two vectors have one name");
    let listed: BTreeSet<&str> = PYTHON_ONLY.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed.len(), PYTHON_ONLY.len(), "listed twice");
    let unknown: Vec<_> = listed.difference(&all).collect();
    assert!(unknown.is_empty(), "listed but not in the file: {unknown:?}");
    let with_config = vectors.iter().filter(|vector| vector.get("config").is_some()).map(name);
    let run: BTreeSet<&str> =
        with_config.chain(["exc_defaults"]).filter(|name| !listed.contains(name)).collect();
    let forgotten: Vec<_> =
        all.iter().filter(|name| !run.contains(*name) && !listed.contains(*name)).collect();
    assert!(forgotten.is_empty(), "neither run nor listed: {forgotten:?}");
    for (name, reason) in PYTHON_ONLY {
        assert!(reason.len() > 10, "{name} needs a reason");
    }
}

#[test]
fn a_list_in_place_of_an_object_is_a_failure_and_no_halt() {
    // Where Python halts on a list, the generic interface has `halt` for that and a list is a failure.
    let answer = hookbox_hooks::pipeline::any_filter_answer(Ok(json!({"proceed": [["a", 1]]})), None);
    assert!(answer.is_err());
    assert_eq!(
        hookbox_hooks::pipeline::any_filter_answer(Ok(json!("halt")), None).unwrap(),
        StepAnswer::Halt
    );
}
