//! The operations that change a plugin and bring no component.

use std::io::ErrorKind;

use axum::http::StatusCode;
use hookbox_plugins::{ChangeError, LoadError, Refusal, ReleaseState};
use hookbox_store::StoreError;
use serde_json::{Value, json};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::{PartialSchema, ToSchema};

use super::super::hooks::{FILTER, bad_path, too_large};
use super::super::parts::{
    Answer, Responses, Shown, body, content, item, json, operation, parameter, problems, schema_of,
};
use super::super::schemas;
use super::super::security::Login;
use super::{NAME, TAG, examples, for_staff, name, no_plugin, no_release, tagged};
use crate::admin::{Lifted, bad_tag};
use crate::body::{bad_body, invalid_json};
use crate::config::Config;
use crate::problem::Problem;

/// Where a quarantine is lifted.
#[cfg(test)]
pub(crate) const LIFT: &str = "/admin/api/plugins/{name}/lift";

/// The paths below a plugin, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 8] {
    let at = |what: &str, operations: PathItem| (format!("/admin/api/plugins/{{name}}/{what}"), operations);
    let post = |operation| item([(HttpMethod::Post, operation)]);
    [
        at("activate", post(activate(config))),
        at("rollback", post(roll_back(config))),
        at("disable", post(disable(config))),
        at("enable", post(enable(config))),
        at("approve", post(approve(config))),
        at("trial", item([(HttpMethod::Post, begin_trial(config)), (HttpMethod::Delete, end_trial(config))])),
        at("promote", post(promote(config))),
        at("lift", post(lift(config))),
    ]
}

/// `DELETE` of a plugin.
pub(super) fn remove(config: &Config) -> OperationBuilder {
    let rows = "`delete`: the plugin's key-value rows go too. Otherwise they stay.";
    let delete = change(
        "removePlugin",
        "Remove a plugin",
        "It takes no more calls, and its releases go. Its name may be used again.",
    )
    .parameter(parameter(ParameterIn::Query, "rows", rows, String::schema(), None));
    let query =
        "Failed to deserialize query string: rows: unknown variant `all`, expected `keep` or `delete`";
    let query = Problem::new(StatusCode::BAD_REQUEST, "bad-query", query);
    answers(delete, config, "removed", vec![query])
}

fn activate(config: &Config) -> OperationBuilder {
    let post = change(
        "activateRelease",
        "Activate a release",
        "A kept release goes live, from the compile cache where it is there. A disabled plugin is enabled with it.",
    );
    with_body::<schemas::ActivateRequest>(post, "Which release.", json!({"release": "1.1.0"}), config, "live")
}

fn roll_back(config: &Config) -> OperationBuilder {
    let post = change(
        "rollBack",
        "Roll back",
        "Goes back to a kept release that was live, without compiling it again; without a release to the one that \
         was live before this one.",
    );
    with_body::<schemas::RollbackRequest>(post, "Where to; may be `{}`.", json!({}), config, "live")
}

fn disable(config: &Config) -> OperationBuilder {
    let post = change(
        "disablePlugin",
        "Disable a plugin",
        "It takes no more calls; its releases stay. Refused while a pipeline that may not fail silently names it. \
         Takes no body.",
    );
    answers(post, config, "disabled", Vec::new())
}

fn enable(config: &Config) -> OperationBuilder {
    let post = change(
        "enablePlugin",
        "Enable a plugin",
        "A disabled plugin takes calls again, with the release that it had. Takes no body.",
    );
    answers(post, config, "live", Vec::new())
}

fn approve(config: &Config) -> OperationBuilder {
    let post = change(
        "approveRelease",
        "Approve a release",
        "Grants the plugin what a release of it waits for, and lets that release live.",
    );
    let body = json!({"grants": ["http:https://api.example.com"]});
    with_body::<schemas::ApproveRequest>(post, "What is granted; may be `{}`.", body, config, "live")
}

fn begin_trial(config: &Config) -> OperationBuilder {
    let post = change(
        "beginTrial",
        "Try a release",
        "Runs a kept release beside the live one. `shadow` compares its answers and uses none; `canary` lets it \
         answer its share. A rule ends the trial by itself.",
    );
    let body = json!({
        "release": 2, "kind": "shadow", "percent": 5, "rule": {"calls": 10_000, "differences": 0}, "values": false,
    });
    with_body::<schemas::TrialRequest>(post, "Which release, and how.", body, config, "trial")
}

fn end_trial(config: &Config) -> OperationBuilder {
    let delete =
        change("endTrial", "End a trial", "The live release stays, the tried one is kept. Takes no body.");
    answers(delete, config, "checked", Vec::new())
}

fn promote(config: &Config) -> OperationBuilder {
    let post = change("promoteTrial", "Promote a trial", "The tried release goes live. Takes no body.");
    answers(post, config, "live", Vec::new())
}

fn lift(config: &Config) -> OperationBuilder {
    let post = change(
        "liftQuarantine",
        "Lift a quarantine",
        "The plugin's calls run again, and its failures are counted from zero. Of a plugin that is live it only \
         begins the count anew, so that sending this twice does no harm. Takes no body.",
    );
    let lifted = tagged(
        json(
            StatusCode::OK,
            "The plugin as it is now.",
            schema_of::<Lifted>(),
            vec![Shown::new("lifted", "A quarantine was lifted", json!(examples::lifted()))],
        ),
        "\"7\"",
    );
    let post = post.responses_of([lifted, malformed(Vec::new()), no_plugin(Vec::new()), changed_since()]);
    for_staff(post, config, Vec::new())
}

fn change(id: &str, summary: &str, what: &str) -> OperationBuilder {
    operation(TAG, id, summary, what)
        .parameter(name())
        .parameter(if_match())
        .securities(Some(Login::Writes.requirements()))
}

pub(super) fn if_match() -> ParameterBuilder {
    let what = "The plugin's `ETag` as it was last seen: the change is made only if that is what it still is. `*`: if \
                there is such a plugin. Left out: in any case.";
    parameter(ParameterIn::Header, "If-Match", what, String::schema(), None)
}

/// A change without a component, with its answers.
fn answers(
    operation: OperationBuilder,
    config: &Config,
    outcome: &'static str,
    bad: Vec<Problem>,
) -> OperationBuilder {
    let waits = done(StatusCode::ACCEPTED, "The release waits for approval.", "needs-approval");
    let operation = operation
        .responses_of([done(StatusCode::OK, "What happened, and the plugin as it is now.", outcome)])
        .responses_of((outcome == "live").then_some(waits))
        .responses_of([malformed(bad), no_plugin(vec![no_release()]), conflict(), changed_since()]);
    for_staff(operation, config, Vec::new()).responses_of([no_room()])
}

/// The same of a change that a body describes.
fn with_body<T: ToSchema>(
    operation: OperationBuilder,
    what: &str,
    example: Value,
    config: &Config,
    outcome: &'static str,
) -> OperationBuilder {
    let shown = vec![Shown::new("body", "A body", example)];
    let body = body(what, [("application/json", content(schema_of::<T>(), shown))]).build();
    let media = Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "send what is to be done with Content-Type: application/json",
    );
    let not_json = serde_json::from_str::<Value>("{").err();
    let another = serde_json::from_str::<bool>("{}").err();
    let bad = not_json.iter().map(invalid_json).collect();
    let refused = another.iter().map(bad_body).chain([rejected()]).collect();
    answers(operation.request_body(Some(body)), config, outcome, bad).responses_of([
        too_large(),
        problems(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body's media type is not JSON.", vec![media]),
        problems(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body asks for something else than this does, or the release failed admission when it was looked at \
             again.",
            refused,
        ),
    ])
}

pub(super) fn done(status: StatusCode, what: &str, outcome: &'static str) -> Answer {
    let shown = Shown::new(outcome, "What came of it", json!(examples::changed(outcome)));
    tagged(json(status, what, schema_of::<schemas::Changed>(), vec![shown]), "\"7\"")
}

fn malformed(more: Vec<Problem>) -> Answer {
    let mut all = vec![
        bad_path("name"),
        bad_tag(),
        ChangeError::Request("percent must be above 0 and at most 100".into()).into(),
    ];
    all.extend(more);
    problems(StatusCode::BAD_REQUEST, "A name, a header, a parameter or the body is malformed.", all)
}

pub(super) fn conflict() -> Answer {
    let reason = "pipeline: course-about-url does not run, and the filter may not fail silently".to_owned();
    let all = [
        ChangeError::Refused(Refusal::State {
            plugin: NAME.into(),
            number: 3,
            state: ReleaseState::Rejected,
            help: "install a better one",
        }),
        ChangeError::Refused(Refusal::Plugin { plugin: NAME.into(), what: "is removed: install it again" }),
        ChangeError::Pipelines(vec![LoadError::Filter { filter_type: FILTER.into(), reason }]),
        ChangeError::Kept {
            plugin: NAME.into(),
            release: 1,
            reason: "its file is damaged: install the component again".into(),
        },
    ];
    problems(
        StatusCode::CONFLICT,
        "The change cannot happen to the plugin as it stands, or a pipeline does not allow it.",
        all.into_iter().map(Problem::from).collect(),
    )
}

pub(super) fn changed_since() -> Answer {
    problems(
        StatusCode::PRECONDITION_FAILED,
        "Somebody changed the plugin since the revision in `If-Match`; `revision` is what it has now.",
        vec![ChangeError::Precondition { plugin: NAME.into(), seen: 6, now: 7 }.into()],
    )
}

pub(super) fn no_room() -> Answer {
    problems(
        StatusCode::INSUFFICIENT_STORAGE,
        "The disk or the database has no room. Nothing changed.",
        vec![ChangeError::File(ErrorKind::StorageFull.into()).into(), Problem::store(&StoreError::Full)],
    )
}

pub(super) fn rejected() -> Problem {
    Problem::from(ChangeError::Rejected {
        plugin: NAME.into(),
        release: 3,
        reason: "it imports wasi:sockets/tcp@0.2.6, which no plugin gets".into(),
        report: examples::report(),
    })
}
