//! Plugins and hosts are upgraded apart. A field one side does not know is left out; only a value that is needed and
//! not there is refused, by name, before any call.

use std::sync::Arc;

use hookbox_sandbox::{Problem, ProblemCode};
use serde_json::{Value, json};
use wit_parser::Resolve;

use crate::support::{AGES, component, object, obliging, only_function, plugin, refused, sandbox};

const EVENT: &str = "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0";
const FILTER: &str = "openedx:filters/learning-course-enrollment-started-v1@1.0.0";

/// A contract of another time: these packages, written down in full.
fn packages(text: &str) -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_str("other.wit", &format!("package test:other; {text}")).unwrap();
    resolve
}

fn event(data: &str, metadata: &str, more: &str) -> Resolve {
    packages(&format!(
        "package openedx:events@1.0.0 {{
            interface content-authoring-course-catalog-info-changed-v1 {{
                {data}
                record event-metadata {{ {metadata} }}
                variant receive-failure {{ retry(string), reject(string) }}
                receive: func(catalog-info: course-catalog-data, metadata: event-metadata{more})
                    -> result<_, receive-failure>;
            }}
        }}"
    ))
}

fn filter(params: &str, changes: &str, failure: &str) -> Resolve {
    packages(&format!(
        "package openedx:filters@1.0.0 {{
            interface learning-course-enrollment-started-v1 {{
                record changes {{ {changes} }}
                variant outcome {{ proceed(changes), halt }}
                record prevent-enrollment {{ {failure} }}
                variant failure {{ prevent-enrollment(prevent-enrollment), error(string) }}
                run-filter: func({params}) -> result<outcome, failure>;
            }}
        }}"
    ))
}

fn obliging_component(resolve: Resolve, hook: &str) -> Vec<u8> {
    let world = format!("export {hook};");
    let module = obliging(&resolve, &world);
    component(resolve, &world, &module)
}

fn catalog_event() -> serde_json::Map<String, Value> {
    object(json!({
        "catalog_info": {
            "course_key": "course-v1:edX+DemoX+Demo_Course",
            "name": "Demo",
            "schedule_data": {"start": "2026-01-02T03:04:05+00:00", "pacing": "self"},
            "hidden": true,
            "invitation_only": false,
        },
        "metadata": {
            "id": "0190a3c1-2d4e-7a10-8b1c-1f2e3d4c5b6a",
            "event_type": "org.openedx.content_authoring.course.catalog_info.changed.v1",
            "minorversion": 0, "source": "openedx/cms/web", "sourcehost": "cms.test",
            "time": "2026-01-02T03:04:05+00:00", "sourcelib": [11, 0, 0], "attempt": 3,
        },
    }))
}

fn enrollment() -> serde_json::Map<String, Value> {
    object(json!({
        "user": {"id": 7, "username": "ada", "email": "ada@example.com",
                 "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": "course-v1:edX+DemoX+Demo_Course",
        "mode": "audit",
    }))
}

async fn answer(bytes: &[u8], arguments: &serde_json::Map<String, Value>) -> Result<Value, Value> {
    let plugin = plugin(&sandbox(), bytes);
    plugin.call(only_function(&plugin), arguments, Arc::default(), AGES).await.unwrap()
}

fn only_problem(bytes: &[u8]) -> Problem {
    let report = refused(bytes);
    let [problem] = report.problems.as_slice() else { panic!("{:#?}", report.problems) };
    problem.clone()
}

/// Rejects every event, and gives the course's name and the attempt as the reason: `3 Demo`.
const SAYS_WHAT_IT_GOT: &str = r#"(module
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $free (i32.add (global.get $free) (local.get 3)))
        (i32.sub (global.get $free) (local.get 3)))
    (func (export "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0#receive")
        (param $name i32) (param $name-len i32) (param $attempt i32) (result i32)
        (i32.store8 (i32.const 256) (i32.add (i32.const 0x30) (local.get $attempt)))
        (i32.store8 (i32.const 257) (i32.const 0x20))
        (memory.copy (i32.const 258) (local.get $name) (local.get $name-len))
        (i32.store8 (i32.const 0) (i32.const 1)) ;; err
        (i32.store8 (i32.const 4) (i32.const 1)) ;; reject
        (i32.store (i32.const 8) (i32.const 256))
        (i32.store (i32.const 12) (i32.add (local.get $name-len) (i32.const 2)))
        (i32.const 0)))"#;

#[tokio::test]
async fn a_receiver_that_knows_fewer_fields_gets_those() {
    let older = event("record course-catalog-data { name: string }", "attempt: u32", "");
    let bytes = component(older, &format!("export {EVENT};"), SAYS_WHAT_IT_GOT);
    assert_eq!(answer(&bytes, &catalog_event()).await, Err(json!({"reject": "3 Demo"})));
}

#[tokio::test]
async fn a_filter_that_knows_fewer_arguments_and_changes_works() {
    let older = filter("mode: string", "mode: option<string>", "message: string");
    let bytes = component(
        older,
        &format!("export {FILTER};"),
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "openedx:filters/learning-course-enrollment-started-v1@1.0.0#run-filter")
                (param $mode i32) (param $length i32) (result i32)
                (i32.store8 (i32.const 8) (i32.const 1)) ;; ok(proceed({some(first letter of the mode)}))
                (i32.store (i32.const 12) (local.get $mode))
                (i32.store (i32.const 16) (i32.const 1))
                (i32.const 0)))"#,
    );
    assert_eq!(answer(&bytes, &enrollment()).await, Ok(json!({"proceed": {"mode": "a"}})));
}

#[tokio::test]
async fn fields_in_another_order_are_the_same_fields() {
    let other = event(
        "record course-catalog-data { hidden: bool, name: string, course-key: string }",
        "attempt: u32, id: string",
        "",
    );
    let bytes = obliging_component(other, EVENT);
    assert_eq!(answer(&bytes, &catalog_event()).await, Ok(Value::Null));
}

/// Traps unless each of the two options it takes is `none`.
const WANTS_NONE: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0#receive")
        (param $name i32) (param $name-len i32) (param $color i32) (param $color-ptr i32) (param $color-len i32)
        (param $attempt i32) (param $urgent i32) (param $urgent-value i32) (result i32)
        (if (i32.or (local.get $color) (local.get $urgent)) (then (unreachable)))
        (i32.const 0)))"#;

#[tokio::test]
async fn a_newer_plugin_gets_none_for_what_the_host_does_not_know() {
    let newer = event(
        "record course-catalog-data { name: string, color: option<string> }",
        "attempt: u32",
        ", urgent: option<bool>",
    );
    let bytes = component(newer, &format!("export {EVENT};"), WANTS_NONE);
    assert_eq!(answer(&bytes, &catalog_event()).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_field_that_became_optional_in_a_newer_plugin_is_there() {
    let newer = event("record course-catalog-data { name: option<string> }", "attempt: u32", "");
    let bytes = component(
        newer,
        &format!("export {EVENT};"),
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0#receive")
                (param $name i32) (param $ptr i32) (param $len i32) (param $attempt i32) (result i32)
                (if (i32.ne (local.get $len) (i32.const 4)) (then (unreachable)))
                (i32.const 0)))"#,
    );
    assert_eq!(answer(&bytes, &catalog_event()).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_change_the_host_does_not_know_is_left_out() {
    let newer = filter("mode: string", "mode: option<string>, color: option<string>", "message: string");
    let bytes = obliging_component(newer, FILTER);
    assert_eq!(answer(&bytes, &enrollment()).await, Ok(json!({"proceed": {}})));
}

#[tokio::test]
async fn a_required_field_the_host_does_not_have_is_refused_by_name() {
    let newer = event("record course-catalog-data { name: string, color: string }", "attempt: u32", "");
    let problem = only_problem(&obliging_component(newer, EVENT));
    assert_eq!(problem.code, ProblemCode::TypeMismatch);
    assert_eq!(problem.interface.as_deref(), Some(EVENT));
    assert_eq!(problem.function.as_deref(), Some("receive"));
    assert_eq!(problem.place.as_deref(), Some("parameter catalog-info.color"));
    assert_eq!(problem.found, "a required string");

    let newer = filter("mode: string, discount: s64", "mode: option<string>", "message: string");
    let problem = only_problem(&obliging_component(newer, FILTER));
    assert_eq!(problem.place.as_deref(), Some("parameter discount"));
    assert_eq!(problem.found, "a required s64");
}

#[tokio::test]
async fn an_answer_without_a_field_the_host_needs_is_refused_by_name() {
    let older = packages(
        "package hookbox:plugin@1.0.0 {
            interface any-filter {
                variant outcome { proceed(string), halt }
                record filter-exception { message: string }
                variant failure { raise(filter-exception), error(string) }
                run-filter: func(filter-type: string, arguments: string) -> result<outcome, failure>;
            }
        }",
    );
    let problem = only_problem(&obliging_component(older, "hookbox:plugin/any-filter@1.0.0"));
    assert_eq!(problem.place.as_deref(), Some("result err.raise.class"));
    assert_eq!((problem.expected.as_str(), problem.found.as_str()), ("string", "nothing"));
}

#[tokio::test]
async fn a_value_that_may_be_absent_needs_an_option() {
    let strict = event(
        "record course-schedule-data { start: string, end: string }
         record course-catalog-data { schedule-data: course-schedule-data }",
        "attempt: u32",
        "",
    );
    let problem = only_problem(&obliging_component(strict, EVENT));
    assert_eq!(problem.place.as_deref(), Some("parameter catalog-info.schedule-data.end"));
    assert_eq!((problem.expected.as_str(), problem.found.as_str()), ("option<datetime>", "string"));
}

#[tokio::test]
async fn every_difference_is_reported_at_once() {
    let other =
        event("record course-catalog-data { name: s64 }", "attempt: u32, color: bool", ", urgent: bool");
    let report = refused(&obliging_component(other, EVENT));
    let places: Vec<_> = report.problems.iter().filter_map(|problem| problem.place.as_deref()).collect();
    assert_eq!(places, ["parameter catalog-info.name", "parameter metadata.color", "parameter urgent"]);
}
