//! The steps that the vectors name, by the last part of their path: each does what the Python class of that name did
//! when upstream was run.

use hookbox_hooks::{FilterException, StepAnswer, StepMetadata};
use serde_json::{Map, Value, json};

/// A step that runs in this process.
pub(crate) struct Step {
    /// Whether the class could be made, so that it noted its metadata.
    pub(crate) is_made: bool,
    /// Whether the class noted the arguments it ran with.
    pub(crate) notes_arguments: bool,
    run: fn(&StepMetadata, &Map<String, Value>) -> StepAnswer,
}

impl Step {
    pub(crate) fn run(&self, metadata: &StepMetadata, kwargs: &Map<String, Value>) -> StepAnswer {
        (self.run)(metadata, kwargs)
    }
}

/// The step at that path; `None` stands for a plugin that is listed and not live.
pub(crate) fn step(path: &str) -> Option<Step> {
    let noted = |run| Step { is_made: true, notes_arguments: true, run };
    let silent = |run| Step { is_made: true, notes_arguments: false, run };
    let unmade = |run| Step { is_made: false, notes_arguments: false, run };
    Some(match path.strip_prefix("probes.steps.")? {
        "SetA" => noted(|_, _| proceed(json!({"a": "from-SetA"}))),
        "SetB" => noted(|_, _| proceed(json!({"b": "from-SetB"}))),
        "AddNew" => noted(|_, _| proceed(json!({"new_key": 1}))),
        "RetEmpty" => noted(|_, _| proceed(json!({}))),
        "RetNoneValue" => silent(|_, _| proceed(json!({"a": null}))),
        "RetSubDict" => silent(|_, _| proceed(json!({"a": "sub"}))),
        // Python halts on whatever is no dictionary; the contract spells that `halt`.
        "RetNone" => noted(|_, _| StepAnswer::Halt),
        "RetList" => silent(|_, _| StepAnswer::Halt),
        "Boom" => noted(|_, _| StepAnswer::Error("boom".into())),
        "BoomInit" => unmade(|_, _| StepAnswer::Error("init boom".into())),
        "HaltInit" => {
            unmade(|_, _| StepAnswer::Raise(FilterException::new("OpenEdxFilterException", "halted in init")))
        }
        "Halt" => silent(|_, _| StepAnswer::Raise(halted())),
        "StrictAB" => silent(strict),
        "Extra" => silent(|metadata, _| proceed(json!({"a": python_items(&metadata.extra_config)}))),
        "MutPipeline" => silent(|metadata, _| {
            metadata.clone().running_pipeline.push("appended".into());
            proceed(json!({}))
        }),
        _ => return None,
    })
}

fn proceed(changes: Value) -> StepAnswer {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    StepAnswer::Proceed(changes)
}

fn halted() -> FilterException {
    let mut exception = FilterException::new("OpenEdxFilterException", "halted");
    exception.redirect_to = "/x".into();
    exception.status_code = Some(403);
    exception.attributes.insert("response".into(), json!("R"));
    exception.attributes.insert("template_name".into(), json!("t.html"));
    exception
}

/// A step that takes `a` and `b` and nothing else, as a Python method with a strict signature.
fn strict(_: &StepMetadata, kwargs: &Map<String, Value>) -> StepAnswer {
    match kwargs.keys().find(|key| !["a", "b"].contains(&key.as_str())) {
        Some(key) => {
            StepAnswer::Error(format!("StrictAB.run_filter() got an unexpected keyword argument '{key}'"))
        }
        None => proceed(json!({})),
    }
}

/// `str(sorted(extra.items()))` for text and numbers.
fn python_items(extra: &Map<String, Value>) -> String {
    let mut items: Vec<String> = extra
        .iter()
        .map(|(key, value)| format!("('{key}', {})", value.to_string().replace('"', "'")))
        .collect();
    items.sort();
    format!("[{}]", items.join(", "))
}
