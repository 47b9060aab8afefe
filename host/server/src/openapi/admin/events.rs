//! The operations on events that were accepted: looking at them, and repairing what went wrong.

mod examples;

use axum::http::StatusCode;
use hookbox_delivery::ReplayError;
use serde_json::{Value, json};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::{PartialSchema, ToSchema};

use super::super::hooks::too_large;
use super::super::parts::{
    Answer, Responses, Shown, body, content, item, json, operation, parameter, problems, schema_of,
};
use super::super::security::Login;
use super::{for_staff, no_plugin};
use crate::admin::events::{
    BulkAsked, BulkDone, EventInFull, EventList, EventRef, EventsSummary, LIMIT_MOST, ReplayAsked,
    ReplayCount, ReplayList, ReplayView, ambiguous, bad_path, no_replay, not_found, refused, removed,
};
use crate::body::invalid_json;
use crate::config::Config;
use crate::problem::Problem;

use examples::{ID, PLUGIN, SOURCE};
#[cfg(test)]
pub(crate) use examples::{
    bulk, count, in_full, list as page, replay, replays as all_replays, summary as standing,
};

/// The operations' tag.
pub(crate) const TAG: &str = "Events";
/// What the tag means.
pub(crate) const ABOUT: &str = "The events that were accepted, for staff and superusers; the scope `hooks:run` alone does \
                                not do.\n\nEach receiver of an event has a delivery of its own. One that fails is tried \
                                again with growing pauses; after the last attempt, or when the receiver rejects the \
                                event, it is a dead letter, which waits for an operator: to be retried, after an upgrade \
                                with the new release, or discarded. Past events can be replayed to a plugin, also to one \
                                that is new. Each change is in the audit trail.";

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 8] {
    let at = |what: &str, method: HttpMethod, operation| {
        (format!("/admin/api/events{what}"), item([(method, operation)]))
    };
    [
        at("", HttpMethod::Get, list(config)),
        at("/summary", HttpMethod::Get, summary(config)),
        at("/{event}", HttpMethod::Get, show(config)),
        at("/retry", HttpMethod::Post, retry(config)),
        at("/discard", HttpMethod::Post, discard(config)),
        at("/replay", HttpMethod::Post, replay_again(config)),
        at("/replays", HttpMethod::Get, replays(config)),
        at("/replays/{replay}", HttpMethod::Delete, stop(config)),
    ]
}

fn query(name: &str, what: &str, example: Option<Value>) -> ParameterBuilder {
    parameter(ParameterIn::Query, name, what, String::schema(), example)
}

fn list(config: &Config) -> OperationBuilder {
    let limit = "The most events of the page, from 1 to 500. Left out: 50.";
    let states = "States of a delivery, with commas between them: `ready`, `held`, `running`, `delivered`, `dead`, \
                  `discarded`, or `open` for the first three. With `plugin`: of its delivery.";
    let get = operation(
        TAG,
        "listEvents",
        "List events",
        "The events that match, the latest first, each with its deliveries and without its data. A page looks at a bounded \
         number of rows, so that it may hold fewer events than there are: go on while `next` is there.",
    )
    .parameter(query("state", states, Some(json!("dead"))))
    .parameter(query("type", "Event types, with commas between them.", None))
    .parameter(query("plugin", "The receiver.", None))
    .parameter(query("course", "The course that the event is about.", None))
    .parameter(query("source", "Who sent it.", None))
    .parameter(query("from", "Received at this time or later, RFC 3339.", None))
    .parameter(query("to", "Received before this time, RFC 3339.", None))
    .parameter(query("id", "The event's UUID.", None))
    .parameter(parameter(
        ParameterIn::Query,
        "before",
        "Only events with a lower number: the `next` of the page before.",
        i64::schema(),
        None,
    ))
    .parameter(parameter(ParameterIn::Query, "limit", limit, u32::schema(), None))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "A page.",
            schema_of::<EventList>(),
            vec![Shown::new("page", "One dead letter, and more before it", json!(examples::list()))],
        ),
        bad_query(&format!("limit must be from 1 to {LIMIT_MOST}")),
        no_plugin(Vec::new()),
    ]);
    for_staff(get, config, Vec::new())
}

fn summary(config: &Config) -> OperationBuilder {
    let get = operation(
        TAG,
        "summarizeEvents",
        "Summarize the journal",
        "How many deliveries each plugin has, by state, since when the oldest waits, and how many events are kept.",
    )
    .securities(Some(Login::Reads.requirements()))
    .responses_of([json(
        StatusCode::OK,
        "The counts.",
        schema_of::<EventsSummary>(),
        vec![Shown::new("summary", "One receiver with dead letters", json!(examples::summary()))],
    )]);
    for_staff(get, config, Vec::new())
}

fn show(config: &Config) -> OperationBuilder {
    let which = "Its number, or its UUID.";
    let source = "Who sent it, where several senders gave the same UUID.";
    let get = operation(
        TAG,
        "showEvent",
        "Show an event",
        "One event with its data and extensions, its deliveries, and every attempt that did not deliver it.",
    )
    .parameter(parameter(ParameterIn::Path, "event", which, String::schema(), Some(json!(ID))))
    .parameter(query("source", source, None))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "The event.",
            schema_of::<EventInFull>(),
            vec![Shown::new("event", "An event that is a dead letter", json!(examples::in_full()))],
        ),
        problems(
            StatusCode::BAD_REQUEST,
            "The path names no event, or the query holds something that cannot be.",
            "x".parse::<EventRef>().err().into_iter().map(bad_path).collect(),
        ),
        problems(StatusCode::NOT_FOUND, "No such event is kept.", vec![not_found(EventRef::Number(9))]),
        several(),
    ]);
    for_staff(get, config, Vec::new())
}

fn retry(config: &Config) -> OperationBuilder {
    bulk_change(
        config,
        "retryEvents",
        "Retry dead letters",
        "Deliveries that match are ready again, with all their attempts before them: dead letters, and discarded ones \
         where `state` names them. They go to the release that is live then.",
        problems(
            StatusCode::CONFLICT,
            "The plugin was removed, or several senders gave an event this UUID.",
            vec![removed(PLUGIN), two()],
        ),
    )
}

fn discard(config: &Config) -> OperationBuilder {
    bulk_change(
        config,
        "discardEvents",
        "Discard deliveries",
        "Deliveries that match are given up: dead letters, and those that wait. What runs is not touched.",
        several(),
    )
}

fn bulk_change(config: &Config, id: &str, summary: &str, about: &str, conflict: Answer) -> OperationBuilder {
    let post = change::<BulkAsked>(id, summary, about, examples::asked()).responses_of([
        json(
            StatusCode::OK,
            "What was changed, or would be.",
            schema_of::<BulkDone>(),
            vec![
                Shown::new("done", "All are done", json!(examples::bulk(false))),
                Shown::new("dry-run", "A dry run", json!(examples::bulk(true))),
            ],
        ),
        no_plugin(vec![not_found(EventRef::Number(9))]),
        conflict,
        unfit(Vec::new()),
    ]);
    for_staff(post, config, Vec::new())
}

fn replay_again(config: &Config) -> OperationBuilder {
    let about = "The plugin gets past events again, or for the first time, as fast as `rate` says, and in the background: \
                 a restart of the host does not end it. What still waits for the plugin stays as it is. With `dry_run` \
                 the deliveries are only counted.";
    let not_live = ReplayError::NotLive { plugin: PLUGIN.into() };
    let nothing = ReplayError::NothingReceived { plugin: PLUGIN.into(), receives: Vec::new() };
    let post = change::<ReplayAsked>("replayEvents", "Replay past events", about, examples::asked_again())
        .responses_of([
            json(
                StatusCode::OK,
                "A dry run: how many deliveries there would be.",
                schema_of::<ReplayCount>(),
                vec![Shown::new("count", "All are counted", json!(examples::count()))],
            ),
            json(
                StatusCode::ACCEPTED,
                "The replay has begun.",
                schema_of::<ReplayView>(),
                vec![Shown::new("begun", "It runs", json!(examples::replay("running")))],
            ),
            no_plugin(vec![not_found(EventRef::Number(9))]),
            problems(
                StatusCode::CONFLICT,
                "The plugin takes no calls, or several senders gave an event this UUID.",
                vec![refused(&not_live), two()],
            ),
            unfit(vec![refused(&nothing), refused(&ReplayError::Rate { rate: 0.0 })]),
        ]);
    for_staff(post, config, Vec::new())
}

fn replays(config: &Config) -> OperationBuilder {
    let get = operation(
        TAG,
        "listReplays",
        "List replays",
        "The replays that run, and those that have ended, the latest first; at most 1,000.",
    )
    .securities(Some(Login::Reads.requirements()))
    .responses_of([json(
        StatusCode::OK,
        "The replays.",
        schema_of::<ReplayList>(),
        vec![Shown::new("replays", "One that runs", json!(examples::replays()))],
    )]);
    for_staff(get, config, Vec::new())
}

fn stop(config: &Config) -> OperationBuilder {
    let delete = operation(
        TAG,
        "stopReplay",
        "Stop a replay",
        "No further deliveries are made; those that it made stay. One that has ended stays as it ended.",
    )
    .parameter(parameter(ParameterIn::Path, "replay", "Its number.", i64::schema(), Some(json!(3))))
    .securities(Some(Login::Writes.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "The replay as it is now.",
            schema_of::<ReplayView>(),
            vec![Shown::new("stopped", "It is stopped", json!(examples::replay("stopped")))],
        ),
        problems(
            StatusCode::BAD_REQUEST,
            "The path names no number.",
            vec![bad_path("Invalid URL: Cannot parse `x` to a `i64`".to_owned())],
        ),
        problems(StatusCode::NOT_FOUND, "No replay has that number.", vec![no_replay(9)]),
    ]);
    for_staff(delete, config, Vec::new())
}

/// A change that takes a body.
fn change<T: ToSchema>(id: &str, summary: &str, about: &str, example: Value) -> OperationBuilder {
    let about = format!("{about}\n\nAt least one criterion must be there, or `\"all\": true`.");
    let shown = vec![Shown::new("asked", "What is asked for", example)];
    let body = body("Which events.", [("application/json", content(schema_of::<T>(), shown))]);
    operation(TAG, id, summary, &about)
        .request_body(Some(body.build()))
        .securities(Some(Login::Writes.requirements()))
        .responses_of([
            problems(
                StatusCode::BAD_REQUEST,
                "The body is not JSON.",
                serde_json::from_str::<Value>("{").err().iter().map(invalid_json).collect(),
            ),
            too_large(),
            problems(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is not JSON by its media type.",
                vec![Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported-media-type",
                    "send what is to be done with Content-Type: application/json",
                )],
            ),
        ])
}

fn unfit(more: Vec<Problem>) -> Answer {
    let said =
        "say which events: by event, state, type, plugin, course, source, from or to; or \"all\": true";
    let mut all = vec![Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-body", said)];
    all.extend(more);
    problems(StatusCode::UNPROCESSABLE_ENTITY, "What is asked for cannot be.", all)
}

fn two() -> Problem {
    let event = ID.parse().unwrap_or(EventRef::Number(1));
    ambiguous(event, &[(4_711, SOURCE.to_owned()), (4_698, "openedx/lms/web".to_owned())])
}

fn several() -> Answer {
    problems(
        StatusCode::CONFLICT,
        "Several senders gave an event this UUID; `events` names them.",
        vec![two()],
    )
}

fn bad_query(detail: &str) -> Answer {
    problems(
        StatusCode::BAD_REQUEST,
        "The query holds something that cannot be.",
        vec![Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail)],
    )
}
