//! The operations on kept calls.

use axum::http::StatusCode;
use hookbox_plugins::{FailedCallView, HookCalled, HookKind};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterIn, PathItem};

use super::super::hooks::{DIGEST, FILTER, INTERFACE, bad_path};
use super::super::parts::{
    Responses, Shown, any_object, item, json, operation, parameter, problems, schema_of,
};
use super::super::security::Login;
use super::{NAME, TAG, for_staff};
use crate::admin::{FailedCallList, unknown_call};
use crate::config::Config;

/// The name of a kept call.
pub(crate) const KEPT_CALL: &str =
    "20261122T194322411Z-course-about-url-learning.course_about.page.url.requested.v1-000007.json";

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 2] {
    [
        ("/admin/api/failed-calls".to_owned(), item([(HttpMethod::Get, list(config))])),
        ("/admin/api/failed-calls/{name}".to_owned(), item([(HttpMethod::Get, file(config))])),
    ]
}

fn list(config: &Config) -> OperationBuilder {
    let get = operation(
        TAG,
        "listFailedCalls",
        "List failed calls",
        "The calls that failed and are kept, the newest first. None are kept unless `failed_calls.keep` of the \
         configuration says how many.",
    )
    .securities(Some(Login::Reads.requirements()))
    .responses_of([json(
        StatusCode::OK,
        "The kept calls.",
        schema_of::<FailedCallList>(),
        vec![Shown::new("calls", "One call that trapped", json!(calls()))],
    )]);
    for_staff(get, config, Vec::new())
}

fn file(config: &Config) -> OperationBuilder {
    let which = "The name, as the list and the report of the failure have it.";
    let get = operation(
        TAG,
        "showFailedCall",
        "Fetch a failed call",
        "The file of a kept call, for `hookbox replay`. Values of fields that are redacted are replaced in it.",
    )
    .parameter(parameter(ParameterIn::Path, "name", which, String::schema(), Some(json!(KEPT_CALL))))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "The file.",
            any_object("A kept call, in the form that its `format` names."),
            vec![Shown::new("file", "The beginning of a file", beginning())],
        ),
        problems(StatusCode::BAD_REQUEST, "The name is not UTF-8.", vec![bad_path("name")]),
        problems(
            StatusCode::NOT_FOUND,
            "No call is kept under that name.",
            vec![unknown_call("20260101T000000000Z-course-about-url-x-000001.json", true)],
        ),
    ]);
    for_staff(get, config, Vec::new())
}

fn hook() -> HookCalled {
    HookCalled {
        hook_type: FILTER.into(),
        kind: HookKind::Filter,
        interface: INTERFACE.into(),
        generic: false,
        event: None,
        attempt: None,
    }
}

/// What the list's example shows.
pub(crate) fn calls() -> FailedCallList {
    let call = FailedCallView {
        name: KEPT_CALL.into(),
        bytes: 2_918,
        kept_at: OffsetDateTime::from_unix_timestamp(1_795_376_602).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        plugin: NAME.into(),
        version: Some("1.0.0".into()),
        digest: DIGEST.into(),
        hook: hook(),
        code: "trap".into(),
    };
    FailedCallList { keep: 100, calls: vec![call] }
}

fn beginning() -> Value {
    json!({"format": "hookbox-call/1", "plugin": NAME, "digest": DIGEST, "hook": hook()})
}
