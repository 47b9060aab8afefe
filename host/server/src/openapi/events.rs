//! The operation that takes events.

use axum::http::StatusCode;
use hookbox_delivery::AcceptError;
use hookbox_hooks::cloudevents::{CloudEventError, parse_batch, parse_structured};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::ArrayBuilder;

use super::hooks::{TAG, common, mismatch, too_deep, too_large};
use super::parts::{
    Answer, Responses, Shown, any_object, body, content, item, json, operation, parameter, problems,
    schema_of,
};
use super::schemas::CloudEvent;
use super::security::Login;
use crate::config::Config;
use crate::events::{Accepted, EventsAccepted, broken as broken_event, refused};
use crate::filters::unknown;
use crate::problem::Problem;

/// Where events are sent.
pub(super) const PATH: &str = "/hooks/events";
/// The event that the examples send.
pub(super) const EVENT: &str = "org.openedx.content_authoring.course.import.completed.v1";
/// The media type of one event.
pub(super) const STRUCTURED: &str = "application/cloudevents+json";
/// The media type of a list.
pub(super) const BATCH: &str = "application/cloudevents-batch+json";
/// The media type of the data alone.
pub(super) const BINARY: &str = "application/json";
/// What the headers of the binary form begin with.
pub(super) const PREFIX: &str = "ce-";

const ID: &str = "3f6c1c9e-8b1d-11f0-9a6e-0242ac120002";
const SOURCE: &str = "openedx/cms/web";

/// The path with its operation.
pub(super) fn path(config: &Config) -> (String, PathItem) {
    let post = operation(
        TAG,
        "sendEvents",
        "Send events",
        "Takes CloudEvents 1.0 in three forms: one event, a batch, or in binary form the data alone with the \
         attributes in `ce-` headers. `data` is an object with the event's one data key.\n\nWhat is answered with \
         202 is written down: every receiver gets each event at least once, on its own; what one of them does is \
         not felt by another. An event whose `source` and `id` are known already is taken and goes to nobody again. A \
         batch is taken whole or not at all.",
    )
    .parameters(Some(headers()))
    .request_body(Some(bodies()))
    .securities(Some(Login::Writes.requirements()))
    .responses_of(answers())
    .responses_of(common(
        config,
        vec![
            refused(&AcceptError::Backlog { waiting: 5_000_000, most: 5_000_000 }),
            refused(&AcceptError::Stopping),
        ],
    ));
    (PATH.to_owned(), item([(HttpMethod::Post, post)]))
}

/// The data that the examples send.
pub(super) fn data() -> Value {
    json!({"course": {"course_key": "course-v1:edX+DemoX+2024"}})
}

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": EVENT,
        "time": "2026-11-22T19:43:22.411797Z",
        "data": data(),
    })
}

fn headers() -> impl Iterator<Item = Parameter> {
    let optional = |name: &str, description: &str, example: Option<&str>| {
        let description = format!("Binary form: {description}");
        parameter(
            ParameterIn::Header,
            &format!("{PREFIX}{name}"),
            &description,
            String::schema(),
            example.map(Into::into),
        )
    };
    [
        optional("specversion", "always `1.0`. Required there.", Some("1.0")),
        optional("id", "the event's id. Required there.", Some(ID)),
        optional("source", "who sends it. Required there.", Some(SOURCE)),
        optional("type", "the event's type. Required there.", Some(EVENT)),
        optional("time", "when it happened, with an offset.", None),
        optional("sourcehost", "the host that sent it.", None),
        optional("sourcelib", "the version of the sender's library, such as `11.2.0`.", None),
        optional("minorversion", "the minor version of the event's type.", None),
    ]
    .into_iter()
    .map(ParameterBuilder::build)
}

fn bodies() -> utoipa::openapi::request_body::RequestBody {
    let batch = json!([event(ID), event("import-2")]);
    body(
        "The form is told by the media type. What is no CloudEvents media type is the binary form; its body \
         must be JSON.",
        [
            (
                STRUCTURED,
                content(schema_of::<CloudEvent>(), vec![Shown::new("event", "One event", event(ID))]),
            ),
            (
                BATCH,
                content(
                    ArrayBuilder::new().items(schema_of::<CloudEvent>()).into(),
                    vec![Shown::new("batch", "Two events", batch)],
                ),
            ),
            (
                BINARY,
                content(
                    any_object("An object with the event's one data key."),
                    vec![Shown::new("data", "The data alone", data())],
                ),
            ),
        ],
    )
    .build()
}

fn answers() -> [Answer; 6] {
    let one = |id: &str, ce_id: Option<&str>| Accepted {
        id: id.into(),
        ce_id: ce_id.map(Into::into),
        event_type: EVENT.into(),
        receivers: 1,
        duplicate: None,
    };
    let known = Accepted { receivers: 0, duplicate: Some(true), ..one(ID, None) };
    let known = EventsAccepted { accepted: vec![known] };
    let single = EventsAccepted { accepted: vec![one(ID, None)] };
    let named =
        EventsAccepted { accepted: vec![one("c1b5e9a2-4a0e-5c57-8f0e-2f1f3d5b7a90", Some("import-2"))] };
    let broken = [
        parse_structured(b"{", epoch()).err(),
        parse_structured(b"{}", epoch()).err(),
        parse_batch(b"{}", epoch()).err(),
    ];
    let broken = broken.into_iter().flatten();
    let broken = broken.map(|error| broken_event(&error));
    let format = CloudEventError::UnsupportedFormat { found: "application/cloudevents+avro".into() };
    let charset = CloudEventError::UnsupportedCharset { found: "iso-8859-1".into() };
    [
        json(
            StatusCode::ACCEPTED,
            "The events were taken.",
            schema_of::<EventsAccepted>(),
            vec![
                Shown::new("event", "An event whose id is a UUID", json!(single)),
                Shown::new("renamed", "An event with an id of another form", json!(named)),
                Shown::new("duplicate", "An event that was known already", json!(known)),
            ],
        ),
        problems(
            StatusCode::BAD_REQUEST,
            "This is no CloudEvent. The code begins with `cloudevents-`; `path` names the attribute, and in a batch \
             `index` the event, from 0.",
            broken.collect(),
        ),
        problems(
            StatusCode::NOT_FOUND,
            "No event has that type, and no generic receiver asked for it. `nearest` may name the one that \
             was meant.",
            vec![unknown("unknown-event", "event", &EVENT.replace("import", "improt"), Some(EVENT))],
        ),
        too_large(),
        problems(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CloudEvents in another format than JSON, or not in UTF-8.",
            vec![broken_event(&format), broken_event(&charset)],
        ),
        problems(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The data does not fit the event. In a batch, `index` tells which one, from 0.",
            vec![Problem::mismatch("event-data", &mismatch("course.course_key")), too_deep()],
        ),
    ]
}

fn epoch() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}
