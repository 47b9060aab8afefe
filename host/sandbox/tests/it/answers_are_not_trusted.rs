//! A wrong answer is a failed step that says what was wrong, never a wrong page.

use std::sync::Arc;

use hookbox_sandbox::{CallFailure, Limits, PluginOptions};
use serde_json::{Value, json};

use crate::support::{AGES, admit, call, object, only_function, options, plugin, sandbox, written};

async fn wrong(guest: &str) -> String {
    match call(&plugin(&sandbox(), &written(guest)), "/").await {
        Err(failure @ CallFailure::Answer(_)) => failure.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn malformed_json_is_named_with_its_place() {
    let said = wrong("malformed-json").await;
    assert!(said.contains("ok.proceed.context: expected one JSON document"), "{said}");
    assert!(said.contains("line 1"), "{said}");
}

#[tokio::test]
async fn deep_json_ends_with_the_depth_before_it_is_parsed() {
    let sandbox = sandbox();
    let admitted = admit(&sandbox, &written("deep-json"));
    // The host's own stack bounds the depth, whatever the configuration says.
    for (json_depth, allowed) in [(64, "64 levels"), (1_000_000, "120 levels")] {
        let limits = Limits { json_depth, ..Limits::default() };
        let deep = sandbox.plugin(&admitted, PluginOptions { limits, ..options() });
        let failure = call(&deep, "/").await.unwrap_err();
        assert_eq!(failure.code(), "json-depth");
        assert!(failure.to_string().contains(allowed), "{failure}");
    }
}

#[tokio::test]
async fn json_as_deep_as_the_limit_is_taken() {
    let sandbox = sandbox();
    let limits = Limits { json_depth: 1_000, ..Limits::default() };
    let echo =
        sandbox.plugin(&admit(&sandbox, &written("echo-context")), PluginOptions { limits, ..options() });
    for (levels, taken) in [(120, true), (121, false)] {
        let tower = (0..levels).fold(Value::Null, |inner, level| match (level, inner) {
            (0, _) => json!([]),
            (_, inner) => json!([inner]),
        });
        let arguments = object(json!({"context": tower}));
        let answer = echo.call(only_function(&echo), &arguments, Arc::default(), AGES).await;
        assert_eq!(answer.is_ok(), taken, "{levels}: {answer:?}");
    }
}

#[tokio::test]
async fn json_of_millions_of_values_is_refused_before_it_is_parsed() {
    let said = wrong("many-json-values").await;
    assert!(said.contains("ok.proceed.context: expected JSON of at most 200000 values"), "{said}");
}

#[tokio::test]
async fn a_status_code_that_is_none_is_named() {
    let said = wrong("wrong-status-code").await;
    assert!(said.contains("err.PreventEnrollment.status_code"), "{said}");
    assert!(said.contains("found the number 42"), "{said}");
}

#[tokio::test]
async fn text_that_is_not_there_or_no_text_is_a_trap() {
    for guest in ["answer-outside-memory", "answer-not-utf8"] {
        let failure = call(&plugin(&sandbox(), &written(guest)), "/").await.unwrap_err();
        assert_eq!(failure.code(), "trap", "{guest}: {failure:?}");
    }
}
