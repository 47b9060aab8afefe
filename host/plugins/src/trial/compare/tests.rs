//! What counts as another answer.

use hookbox_hooks::FilterException;
use hookbox_sandbox::CallFailure;
use serde_json::json;

use super::*;

type Answered = Result<StepAnswer, StepFailure>;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn proceed(changes: Value) -> Answered {
    Ok(StepAnswer::Proceed(object(changes)))
}

fn raise(class: &str, message: &str) -> Answered {
    Ok(StepAnswer::Raise(FilterException::new(class, message)))
}

fn internal() -> Answered {
    Err(StepFailure::Call(CallFailure::Internal { detail: "any".into() }))
}

fn overloaded() -> Answered {
    Err(StepFailure::Call(CallFailure::Overloaded { detail: "any".into() }))
}

fn compared(live: &Answered, trial: &Answered) -> Finding {
    let kwargs = object(json!({"url": "/old", "user": {"email": "ada@example.com"}}));
    compare(&Said::by_step(live, &kwargs), &Said::by_step(trial, &kwargs))
}

fn places(finding: Finding) -> Vec<String> {
    match finding {
        Finding::Equal => Vec::new(),
        Finding::Different(differences) | Finding::Failed(differences) => {
            differences.into_iter().map(|difference| difference.path).collect()
        }
    }
}

#[test]
fn answers_with_the_same_effect_are_equal() {
    for (live, trial) in [
        (proceed(json!({})), proceed(json!({"url": "/old"}))),
        (proceed(json!({"a": 1, "b": {"c": 2, "d": 3}})), proceed(json!({"b": {"d": 3, "c": 2}, "a": 1}))),
        (Ok(StepAnswer::Halt), Ok(StepAnswer::Halt)),
        (raise("Prevent", "no"), raise("Prevent", "no")),
        (Ok(StepAnswer::Error("no".into())), Ok(StepAnswer::Error("no".into()))),
        (internal(), internal()),
    ] {
        assert_eq!(compared(&live, &trial), Finding::Equal, "{live:?} {trial:?}");
    }
}

#[test]
fn every_difference_is_found_at_its_place() {
    let mine = || proceed(json!({"user": {"email": "a", "tags": [1, 2, 3]}, "more": null}));
    for (live, trial, expected) in [
        (
            mine(),
            proceed(json!({"user": {"email": "b", "tags": [1, 2, 3]}, "more": null})),
            &["changes.user.email"][..],
        ),
        (
            mine(),
            proceed(json!({"user": {"email": "a", "tags": [1, 0]}, "more": 1})),
            &["changes.user.tags[1]", "changes.user.tags[2]", "changes.more"],
        ),
        (mine(), proceed(json!({"user": {"email": "a", "tags": [1, 2, 3]}})), &["changes.more"]),
        (proceed(json!({"url": "/new"})), proceed(json!({})), &["changes.url"]),
        (proceed(json!({"list": [1]})), proceed(json!({"list": {"0": 1}})), &["changes.list"]),
        (proceed(json!({})), Ok(StepAnswer::Halt), &["outcome"]),
        (raise("Prevent", "no"), raise("Prevent", "never"), &["exception.message"]),
        (raise("Prevent", "no"), raise("Redirect", "no"), &["exception.class"]),
        (internal(), overloaded(), &["failure.code"]),
        (internal(), Ok(StepAnswer::Error("no".into())), &["outcome", "failure.code", "error"]),
        (internal(), proceed(json!({})), &["outcome", "failure.code"]),
    ] {
        let finding = compared(&live, &trial);
        assert!(matches!(finding, Finding::Different(_)), "{live:?} {trial:?} {finding:?}");
        assert_eq!(places(finding), expected, "{live:?} {trial:?}");
    }
}

#[test]
fn only_a_failure_that_the_live_release_has_not_is_one() {
    let failed = |live, trial| matches!(compared(&live, &trial), Finding::Failed(_));
    assert!(failed(proceed(json!({})), internal()));
    assert!(failed(Ok(StepAnswer::Halt), Ok(StepAnswer::Error("no".into()))));
    assert!(failed(raise("Prevent", "no"), internal()));
    assert!(!failed(internal(), overloaded()));
    assert!(!failed(internal(), proceed(json!({}))));
}

#[test]
fn receipts_are_compared_by_code_and_reason() {
    let retry = |reason: &str| Receipt::Retry(reason.into());
    let failed = || Receipt::Failed(CallFailure::Internal { detail: "any".into() });
    let compared =
        |live: &Receipt, trial: &Receipt| compare(&Said::by_receiver(live), &Said::by_receiver(trial));
    assert_eq!(compared(&Receipt::Delivered, &Receipt::Delivered), Finding::Equal);
    assert_eq!(compared(&failed(), &failed()), Finding::Equal);
    assert_eq!(places(compared(&retry("a"), &retry("b"))), ["reason"]);
    assert_eq!(places(compared(&Receipt::Delivered, &retry("b"))), ["receipt", "reason"]);
    let finding = compared(&Receipt::Delivered, &failed());
    assert!(matches!(finding, Finding::Failed(_)));
    assert_eq!(places(finding), ["receipt", "failure.code"]);
}

#[test]
fn what_is_kept_is_short_and_harmless() {
    let long: String = "a".repeat(10_000);
    let many = object((0..100).map(|n| (format!("key{n}"), json!(n))).collect());
    assert_eq!(places(compared(&proceed(json!({})), &Ok(StepAnswer::Proceed(many)))).len(), DIFFERENCES);
    let many = Value::from(vec![1; 100]);
    let none = Value::from(vec![0; 100]);
    let found = compared(&proceed(json!({"a": none})), &proceed(json!({"a": many})));
    assert_eq!(places(found).len(), DIFFERENCES);

    let hostile = json!({"\u{1b}[2J": {long.clone(): long, "b": "\u{202e}txt"}});
    let Finding::Different(found) = compared(&proceed(json!({"\u{1b}[2J": {}})), &proceed(hostile)) else {
        panic!("they differ");
    };
    assert_eq!(found.len(), 2);
    assert!(found[0].path.len() <= PATH_BYTES && found[0].path.starts_with("changes.\\u{1b}[2J.aaa"));
    for difference in &found {
        let Some(Value::String(text)) = &difference.trial else { panic!("{difference:?}") };
        assert!(text.len() <= VALUE_BYTES && !text.contains('\u{202e}'), "{text}");
    }
}

#[test]
fn without_values_only_the_hosts_own_words_are_left() {
    let finding = compared(&proceed(json!({"url": "/a"})), &internal());
    let Finding::Failed(found) = finding else { panic!("{finding:?}") };
    let found: Vec<_> = found.into_iter().map(Difference::without_values).collect();
    assert_eq!(
        json!(found),
        json!([
            {"path": "outcome", "live": "proceed", "trial": "failed"},
            {"path": "changes.url"},
            {"path": "failure.code", "trial": "internal"},
        ])
    );
}
