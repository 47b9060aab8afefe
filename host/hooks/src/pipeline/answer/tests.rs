#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_json::json;

use super::*;
use crate::Catalogue;

fn filter(rest: &str) -> &'static Filter {
    Catalogue::embedded().filter(&format!("org.openedx.learning.{rest}.v1")).unwrap()
}

fn raised(answer: Result<StepAnswer, Mismatch>) -> FilterException {
    let Ok(StepAnswer::Raise(exception)) = answer else {
        return FilterException::new("none", "");
    };
    exception
}

fn proceeded(answer: Result<StepAnswer, Mismatch>) -> Value {
    let Ok(StepAnswer::Proceed(changes)) = answer else {
        return Value::Null;
    };
    Value::Object(changes)
}

#[test]
fn a_typed_step_proceeds_with_what_it_changed_or_halts() {
    let enrollment = filter("course.enrollment.started");
    assert_eq!(
        proceeded(enrollment.answer(Ok(json!({"proceed": {"mode": "audit"}})))),
        json!({"mode": "audit"})
    );
    assert_eq!(proceeded(enrollment.answer(Ok(json!({"proceed": {}})))), json!({}));
    assert_eq!(enrollment.answer(Ok(json!("halt"))).unwrap(), StepAnswer::Halt);
}

#[test]
fn an_exception_holds_upstreams_defaults_for_what_the_step_left_out() {
    let login = filter("student.login.requested");
    let fields = json!({"message": "no", "redirect_to": null, "error_code": null, "context": null});
    let exception = raised(login.answer(Err(json!({"PreventLogin": fields}))));
    assert_eq!(
        serde_json::to_string(&exception.to_json()).unwrap(),
        r#"{"class":"PreventLogin","message":"no","redirect_to":"","status_code":null,"error_code":"","context":null}"#
    );
}

#[test]
fn an_exception_keeps_what_the_step_set() {
    let enrollment = filter("course.enrollment.started");
    let fields = json!({"message": "no", "redirect_to": "/x", "status_code": 403});
    let exception = raised(enrollment.answer(Err(json!({"PreventEnrollment": fields}))));
    assert_eq!((exception.redirect_to.as_str(), exception.status_code), ("/x", Some(403)));
    let tabs = filter("instructor.dashboard.tabs.requested");
    let exception = raised(tabs.answer(Err(json!({"PreventTabsGeneration": {"message": "m", "tabs": [1]}}))));
    assert_eq!(exception.to_json()["tabs"], json!([1]));
}

#[test]
fn every_catalogued_exception_can_be_raised_with_its_required_fields_alone() {
    for filter in Catalogue::embedded().filters() {
        for class in &filter.exceptions {
            let required = class.params.iter().filter(|param| !param.may_be_absent());
            let fields: Map<String, Value> =
                required.map(|param| (param.name.clone(), json!("text"))).collect();
            let mut lifted = Map::new();
            lifted.insert(class.class.clone(), Value::Object(fields));
            let exception = raised(filter.answer(Err(Value::Object(lifted))));
            assert_eq!(exception.class, class.class, "{}", filter.filter_type);
            for param in &class.params {
                assert!(exception.to_json().get(&param.name).is_some(), "{} {}", class.class, param.name);
            }
        }
    }
}

#[test]
fn any_other_error_keeps_the_steps_words() {
    let answer = filter("course.enrollment.started").answer(Err(json!({"error": "boom"}))).unwrap();
    assert_eq!(answer.error(), Some("boom"));
    assert_eq!(StepAnswer::Halt.error(), None);
}

#[test]
fn an_answer_outside_the_contract_says_where() {
    let enrollment = filter("course.enrollment.started");
    for (lifted, message) in [
        (Ok(json!({"proceed": {"mode": 1}})), "outcome.proceed.mode: expected a string, found the number 1"),
        (Ok(json!({"proceed": {"mode": null}})), "outcome.proceed.mode: expected a string, found null"),
        (Ok(json!("stop")), "outcome: expected one of the cases proceed, halt, found `stop`"),
        (Err(json!({"error": 1})), "failure.error: expected a string, found the number 1"),
        (
            Err(json!({"PreventLogin": {"message": ""}})),
            "failure: expected one of the cases PreventEnrollment, error, found `PreventLogin`",
        ),
        (
            Err(json!({"PreventEnrollment": {"message": "", "status_code": 9999}})),
            "failure.PreventEnrollment.status_code: expected an HTTP status code from 100 to 599, \
             found the number 9999",
        ),
    ] {
        assert_eq!(enrollment.answer(lifted).unwrap_err().to_string(), message);
    }
}

#[test]
fn an_argument_that_may_be_none_can_be_set_to_null() {
    let form = Catalogue::embedded().filter("org.openedx.authentication.login.form.generated.v1").unwrap();
    let changes = json!({"running_pipeline": null, "form_desc": null});
    assert_eq!(proceeded(form.answer(Ok(json!({"proceed": changes})))), changes);
}

#[test]
fn a_generic_step_proceeds_with_any_object() {
    let changes = json!({"anything": [null], "mode": null});
    let enrollment = Some(filter("course.enrollment.started"));
    assert_eq!(proceeded(any_filter_answer(Ok(json!({"proceed": changes})), enrollment)), changes);
    assert_eq!(any_filter_answer(Ok(json!("halt")), None).unwrap(), StepAnswer::Halt);
    let list = any_filter_answer(Ok(json!({"proceed": [["a", 1]]})), None).unwrap_err();
    assert_eq!(list.to_string(), "outcome.proceed: expected an object, found an array");
}

#[test]
fn a_generic_step_raises_any_class() {
    let raise =
        json!({"class": "Own", "message": "m", "status_code": 418, "attributes": {"hint": 1, "class": "x"}});
    let exception = raised(any_filter_answer(Err(json!({"raise": raise})), None));
    assert_eq!(
        serde_json::to_string(&exception.to_json()).unwrap(),
        r#"{"class":"Own","message":"m","redirect_to":"","status_code":418,"hint":1}"#
    );
    let error = any_filter_answer(Err(json!({"error": "boom"})), None).unwrap();
    assert_eq!(error, StepAnswer::Error("boom".into()));
}

#[test]
fn a_generic_step_that_raises_a_catalogued_class_gets_its_defaults() {
    let login = Some(filter("student.login.requested"));
    let raise = json!({"class": "PreventLogin", "message": "m", "attributes": {"context": {"a": 1}}});
    let exception = raised(any_filter_answer(Err(json!({"raise": raise})), login));
    assert_eq!(Value::Object(exception.attributes), json!({"context": {"a": 1}, "error_code": ""}));
}

#[test]
fn a_generic_exception_outside_the_contract_says_where() {
    for (raise, message) in [
        (
            json!({"class": "", "message": "m"}),
            "failure.raise.class: expected the name of a class, found an empty string",
        ),
        (json!({"class": "X"}), "failure.raise.message: expected a string, found nothing"),
        (
            json!({"class": "X", "message": "m", "attributes": [1]}),
            "failure.raise.attributes: expected an object, found an array",
        ),
    ] {
        let mismatch = any_filter_answer(Err(json!({"raise": raise})), None).unwrap_err();
        assert_eq!(mismatch.to_string(), message);
    }
}
