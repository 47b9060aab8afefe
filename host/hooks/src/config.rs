//! A filter's configuration, as one entry of `OPEN_EDX_FILTERS_CONFIG` gives it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::check::describe;

/// Extra keys of these names replace the metadata that the host would give.
const FILTER_TYPE: &str = "filter_type";
const RUNNING_PIPELINE: &str = "running_pipeline";

/// One filter's configuration (openedx_filters tooling.py `get_pipeline_configuration`).
#[derive(Debug, Clone, PartialEq)]
pub struct FilterConfig {
    /// The steps in order. `None` when the configuration does not speak of them: Hookbox then takes every live
    /// plugin that exports the hook. Upstream has no such form and would run nothing.
    pub pipeline: Option<Vec<String>>,
    /// Whether a step that fails is skipped instead of ending the pipeline.
    pub fail_silently: bool,
    /// Every other key, as written. `filter_type` and `running_pipeline` among them replace the metadata.
    pub extra: Map<String, Value>,
}

/// A configuration on which upstream would crash at the filter's first call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `pipeline` is neither a list nor falsy. Upstream would take a text apart letter by letter.
    #[error("pipeline: expected a list of steps, found {found}")]
    PipelineNotAList {
        /// What stands there, in words.
        found: String,
    },
    /// A step is not text.
    #[error("pipeline[{index}]: expected the name of a step, found {found}")]
    StepNotText {
        /// The step's place in the pipeline, from 0.
        index: usize,
        /// What stands there, in words.
        found: String,
    },
    /// An extra key replaces the metadata with a value of another type.
    #[error("{key}: expected {expected} because this key replaces the steps' metadata, found {found}")]
    MetadataReplacement {
        /// `filter_type` or `running_pipeline`.
        key: &'static str,
        /// The type it must have, in words.
        expected: &'static str,
        /// What stands there, in words.
        found: String,
    },
}

impl ConfigError {
    /// A name for programs that stays the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PipelineNotAList { .. } => "filter-pipeline-not-a-list",
            Self::StepNotText { .. } => "filter-step-not-text",
            Self::MetadataReplacement { .. } => "filter-metadata-replacement",
        }
    }
}

/// What a step is told when it is made (openedx_filters tooling.py `run_pipeline`, `filter_metadata`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepMetadata {
    /// The filter's type, unless the configuration has a key `filter_type`.
    pub filter_type: String,
    /// The names of all steps in order, unless the configuration has a key `running_pipeline`.
    pub running_pipeline: Vec<String>,
    /// The other keys of the configuration.
    pub extra_config: Map<String, Value>,
}

impl Default for FilterConfig {
    /// A filter of which the configuration says nothing.
    fn default() -> Self {
        Self { pipeline: None, fail_silently: true, extra: Map::new() }
    }
}

impl FilterConfig {
    /// Reads upstream's forms: an object with `pipeline`, `fail_silently` and extra keys; a list of steps; one step
    /// as text. Anything else means no steps at all, as upstream. `fail_silently` is true by default and is tested
    /// for truth as Python does: `"false"` is true, `0` and `null` are false.
    ///
    /// # Errors
    /// Where upstream would crash at the first call.
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        let object = match value {
            Value::Object(object) => object,
            Value::Array(list) => {
                return Ok(Self { pipeline: Some(steps(list)?), ..Self::default() });
            }
            Value::String(step) if !step.is_empty() => {
                return Ok(Self { pipeline: Some(vec![step.clone()]), ..Self::default() });
            }
            _ => {
                return Ok(Self { pipeline: Some(Vec::new()), ..Self::default() });
            }
        };
        let mut extra = object.clone();
        let pipeline = match extra.shift_remove("pipeline") {
            None => None,
            Some(Value::Array(list)) => Some(steps(&list)?),
            Some(falsy) if !truthy(&falsy) => Some(Vec::new()),
            Some(other) => {
                return Err(ConfigError::PipelineNotAList { found: describe(&other) });
            }
        };
        let fail_silently = extra.shift_remove("fail_silently").is_none_or(|value| truthy(&value));
        check_replacements(&extra)?;
        Ok(Self { pipeline, fail_silently, extra })
    }

    /// What the steps of one call are told. `filter_type` is the type as it was called, `running_pipeline` the
    /// pipeline in force. Extra keys of those names win and do not appear in `extra_config`, as upstream.
    pub fn metadata(&self, filter_type: &str, running_pipeline: &[String]) -> StepMetadata {
        let mut extra_config = self.extra.clone();
        let filter_type = match extra_config.shift_remove(FILTER_TYPE) {
            Some(Value::String(replacement)) => replacement,
            _ => filter_type.to_owned(),
        };
        let replacement = extra_config.shift_remove(RUNNING_PIPELINE).and_then(|value| texts(&value));
        let running_pipeline = replacement.unwrap_or_else(|| running_pipeline.to_vec());
        StepMetadata { filter_type, running_pipeline, extra_config }
    }
}

fn steps(list: &[Value]) -> Result<Vec<String>, ConfigError> {
    let named = list.iter().enumerate().map(|(index, step)| match step {
        Value::String(name) => Ok(name.clone()),
        other => Err(ConfigError::StepNotText { index, found: describe(other) }),
    });
    named.collect()
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

fn check_replacements(extra: &Map<String, Value>) -> Result<(), ConfigError> {
    let wrong =
        |key, expected, value| ConfigError::MetadataReplacement { key, expected, found: describe(value) };
    match extra.get(FILTER_TYPE) {
        Some(value) if !value.is_string() => return Err(wrong(FILTER_TYPE, "a string", value)),
        _ => {}
    }
    match extra.get(RUNNING_PIPELINE) {
        Some(value) if texts(value).is_none() => Err(wrong(RUNNING_PIPELINE, "a list of strings", value)),
        _ => Ok(()),
    }
}

/// Python's `bool(value)`.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> FilterConfig {
        FilterConfig::from_value(value).unwrap()
    }

    fn named(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn upstreams_three_forms_are_understood() {
        let config = read(&json!({"pipeline": ["a", "b"], "fail_silently": false, "log_level": "info"}));
        assert_eq!(config.pipeline, named(&["a", "b"]));
        assert!(!config.fail_silently);
        assert_eq!(Value::Object(config.extra), json!({"log_level": "info"}));
        assert_eq!(read(&json!(["a", "a"])).pipeline, named(&["a", "a"]));
        assert_eq!(read(&json!("a")).pipeline, named(&["a"]));
        assert!(read(&json!("a")).fail_silently && read(&json!(["a"])).fail_silently);
    }

    #[test]
    fn any_other_form_means_no_steps() {
        for value in [json!(null), json!(7), json!(true), json!(""), json!([])] {
            let config = read(&value);
            assert_eq!((config.pipeline, config.fail_silently), (Some(vec![]), true), "{value}");
        }
        for value in [json!(null), json!(""), json!(0), json!(false), json!({}), json!([])] {
            assert_eq!(read(&json!({"pipeline": value})).pipeline, Some(vec![]), "{value}");
        }
    }

    #[test]
    fn only_silence_about_the_pipeline_leaves_it_to_the_live_plugins() {
        assert_eq!(read(&json!({})), FilterConfig::default());
        assert_eq!(read(&json!({"fail_silently": false})).pipeline, None);
        assert_eq!(FilterConfig::default().pipeline, None);
    }

    #[test]
    fn fail_silently_is_tested_for_truth_as_python_does() {
        let silent = |value: Value| read(&json!({"fail_silently": value})).fail_silently;
        for value in [json!(true), json!("false"), json!(1), json!(-0.5), json!([0]), json!({"a": 0})] {
            assert!(silent(value.clone()), "{value}");
        }
        for value in [json!(false), json!(""), json!(0), json!(-0.0), json!([]), json!({}), json!(null)] {
            assert!(!silent(value.clone()), "{value}");
        }
    }

    #[test]
    fn what_crashes_upstream_is_an_error_that_says_where() {
        let error = |value| FilterConfig::from_value(&value).unwrap_err();
        let text = error(json!({"pipeline": "a.b.Step"}));
        assert_eq!(text.to_string(), "pipeline: expected a list of steps, found a string");
        assert_eq!(text.code(), "filter-pipeline-not-a-list");
        let step = error(json!(["a", null]));
        assert_eq!(step.to_string(), "pipeline[1]: expected the name of a step, found null");
        assert_eq!(error(json!({"pipeline": [1]})).code(), "filter-step-not-text");
        assert_eq!(error(json!({"filter_type": 1})).code(), "filter-metadata-replacement");
        assert_eq!(
            error(json!({"running_pipeline": ["a", 2]})).to_string(),
            "running_pipeline: expected a list of strings because this key replaces the steps' metadata, \
             found an array"
        );
    }

    #[test]
    fn metadata_holds_the_extra_keys_in_their_order() {
        let config = read(&json!({"z": 1, "pipeline": ["a"], "log_level": "debug", "b": 2}));
        let metadata = config.metadata("t.filter.v1", &["a".to_owned()]);
        assert_eq!(metadata.filter_type, "t.filter.v1");
        assert_eq!(metadata.running_pipeline, ["a"]);
        assert_eq!(metadata.extra_config.keys().collect::<Vec<_>>(), ["z", "log_level", "b"]);
    }

    #[test]
    fn extra_keys_named_like_metadata_replace_it() {
        let config = read(&json!({"filter_type": "other", "running_pipeline": ["x"], "k": 1}));
        let metadata = config.metadata("t.filter.v1", &["a".to_owned()]);
        assert_eq!(
            (metadata.filter_type.as_str(), metadata.running_pipeline),
            ("other", vec!["x".to_owned()])
        );
        assert_eq!(Value::Object(metadata.extra_config), json!({"k": 1}));
    }
}
