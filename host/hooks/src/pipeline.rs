//! How a pipeline accumulates: what each step's answer does to the arguments and to the steps after it.

mod answer;
mod sensitive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use answer::{FilterException, StepAnswer, any_filter_answer};
pub use sensitive::{SENSITIVE_KEYS, put_back_passwords, set_aside_passwords};

/// What a failure of one plugin's step does. A failure is an error answer, a trap, a limit, or an answer that does
/// not fit the contract; never one of the filter's exceptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The filter's `fail_silently` decides, as upstream.
    #[default]
    Default,
    /// The pipeline fails, even when the filter fails silently.
    Raise,
    /// The step is skipped, even when the filter does not fail silently.
    Skip,
}

/// What follows from one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The next step runs.
    Continue {
        /// The arguments that are new or have another value than before, in the order of the answer.
        changed: Vec<String>,
    },
    /// No later step runs; the result is what was accumulated before this step.
    Halted,
    /// The pipeline ends with one of the filter's exceptions.
    Raised(FilterException),
    /// The step failed and counts as if it were not there; the next step runs.
    Skipped,
    /// The step failed and so does the pipeline.
    Failed,
}

/// The arguments of one call and what the steps so far made of them (openedx_filters tooling.py `run_pipeline`).
///
/// Unlike in Python, values are never shared: a step changes an argument by answering with it and in no other way.
#[derive(Debug, Clone)]
pub struct Accumulator {
    kwargs: Map<String, Value>,
    fail_silently: bool,
}

impl Accumulator {
    /// Begins with the caller's arguments.
    pub fn new(kwargs: Map<String, Value>, fail_silently: bool) -> Self {
        Self { kwargs, fail_silently }
    }

    /// What the next step receives: the caller's arguments and everything earlier steps replaced or added.
    pub fn kwargs(&self) -> &Map<String, Value> {
        &self.kwargs
    }

    /// The pipeline's result, once no step is left or one halted.
    pub fn into_kwargs(self) -> Map<String, Value> {
        self.kwargs
    }

    /// Takes one step's answer. Keys are overwritten one by one and never removed; `null` is a value like any other;
    /// keys that are no argument of the filter stay and flow on. Exceptions end the pipeline whatever
    /// `fail_silently` and `on_failure` say.
    pub fn take(&mut self, answer: StepAnswer, on_failure: OnFailure) -> Verdict {
        match answer {
            StepAnswer::Proceed(changes) => Verdict::Continue { changed: self.merge(changes) },
            StepAnswer::Halt => Verdict::Halted,
            StepAnswer::Raise(exception) => Verdict::Raised(exception),
            StepAnswer::Error(_) => self.failed(on_failure),
        }
    }

    /// What follows from a call that gave no answer: a trap, a limit, or one that does not fit the contract.
    /// Either `Skipped` or `Failed`.
    pub fn failed(&self, on_failure: OnFailure) -> Verdict {
        match (on_failure, self.fail_silently) {
            (OnFailure::Skip, _) | (OnFailure::Default, true) => Verdict::Skipped,
            (OnFailure::Raise, _) | (OnFailure::Default, false) => Verdict::Failed,
        }
    }

    fn merge(&mut self, changes: Map<String, Value>) -> Vec<String> {
        let mut changed = Vec::new();
        for (key, value) in changes {
            if self.kwargs.get(&key) != Some(&value) {
                changed.push(key.clone());
                self.kwargs.insert(key, value);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else {
            return Map::new();
        };
        object
    }

    fn proceed(pipeline: &mut Accumulator, changes: Value) -> Vec<String> {
        match pipeline.take(StepAnswer::Proceed(object(changes)), OnFailure::Default) {
            Verdict::Continue { changed } => changed,
            other => vec![format!("{other:?}")],
        }
    }

    fn start(fail_silently: bool) -> Accumulator {
        Accumulator::new(object(json!({"a": "A", "b": "B"})), fail_silently)
    }

    #[test]
    fn each_step_sees_what_earlier_steps_answered() {
        let mut pipeline = start(true);
        assert_eq!(proceed(&mut pipeline, json!({"new": [1], "a": 1})), ["new", "a"]);
        assert!(proceed(&mut pipeline, json!({})).is_empty());
        assert_eq!(serde_json::to_string(pipeline.kwargs()).unwrap(), r#"{"a":1,"b":"B","new":[1]}"#);
    }

    #[test]
    fn changed_names_only_what_is_new_or_different() {
        let mut pipeline = start(true);
        assert_eq!(proceed(&mut pipeline, json!({"a": "A", "b": "C", "c": null})), ["b", "c"]);
        assert_eq!(proceed(&mut pipeline, json!({"c": null, "b": null})), ["b"]);
        assert_eq!(Value::Object(pipeline.into_kwargs()), json!({"a": "A", "b": null, "c": null}));
    }

    #[test]
    fn a_halt_keeps_what_was_there_before() {
        let mut pipeline = start(true);
        proceed(&mut pipeline, json!({"a": 1}));
        assert_eq!(pipeline.take(StepAnswer::Halt, OnFailure::Raise), Verdict::Halted);
        assert_eq!(Value::Object(pipeline.into_kwargs()), json!({"a": 1, "b": "B"}));
    }

    #[test]
    fn an_exception_is_raised_whatever_the_failure_settings_say() {
        for fail_silently in [true, false] {
            for on_failure in [OnFailure::Default, OnFailure::Raise, OnFailure::Skip] {
                let exception = FilterException::new("PreventEnrollment", "no");
                let verdict = start(fail_silently).take(StepAnswer::Raise(exception.clone()), on_failure);
                assert_eq!(verdict, Verdict::Raised(exception));
            }
        }
    }

    #[test]
    fn a_plugins_own_setting_beats_the_filters() {
        for (fail_silently, on_failure, expected) in [
            (true, OnFailure::Default, Verdict::Skipped),
            (false, OnFailure::Default, Verdict::Failed),
            (true, OnFailure::Raise, Verdict::Failed),
            (false, OnFailure::Raise, Verdict::Failed),
            (true, OnFailure::Skip, Verdict::Skipped),
            (false, OnFailure::Skip, Verdict::Skipped),
        ] {
            let mut pipeline = start(fail_silently);
            assert_eq!(pipeline.failed(on_failure), expected);
            assert_eq!(pipeline.take(StepAnswer::Error("boom".into()), on_failure), expected);
            assert_eq!(Value::Object(pipeline.into_kwargs()), json!({"a": "A", "b": "B"}));
        }
    }

    #[test]
    fn the_setting_is_written_in_lower_case() {
        assert_eq!(serde_json::from_value::<OnFailure>(json!("skip")).unwrap(), OnFailure::Skip);
        assert_eq!(serde_json::to_value(OnFailure::default()).unwrap(), json!("default"));
    }
}
