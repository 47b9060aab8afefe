//! `POST /hooks/events`: CloudEvents in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookbox_hooks::cloudevents::{self, CloudEventError, ContentMode};
use hookbox_hooks::{Mismatch, ReceivedEvent};
use hookbox_plugins::Generation;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{Body, check_depth};
use crate::filters::unknown;
use crate::problem::Problem;

/// The events that were taken, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsAccepted {
    /// One entry an event.
    pub(crate) accepted: Vec<Accepted>,
}

/// One event that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AcceptedEvent)]
pub(crate) struct Accepted {
    /// The event's id as receivers see it.
    pub(crate) id: String,
    /// The id it was sent with, where that is no UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) ce_id: Option<serde_json::Value>,
    /// The event's type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// How many receivers it has.
    pub(crate) receivers: usize,
}

pub(crate) async fn accept(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let generation = app.generation()?;
    let events = parse(&headers, &body)?;
    for (at, event) in events.iter().enumerate() {
        check(&generation, event).map_err(|problem| match events.len() {
            1 => problem,
            _ => problem.with("index", at),
        })?;
    }
    let accepted: Vec<Accepted> = events
        .iter()
        .map(|event| Accepted {
            id: event.metadata.id.clone(),
            ce_id: event.extensions.get("ce_id").cloned(),
            event_type: event.metadata.event_type.clone(),
            receivers: generation.receivers(&event.metadata.event_type).map_or(0, <[_]>::len),
        })
        .collect();
    app.inbox.take(&generation, events).map_err(|_| {
        Problem::busy(
            "events-in-flight",
            "too many events wait for their receivers; send this one again later",
        )
    })?;
    Ok((StatusCode::ACCEPTED, Json(EventsAccepted { accepted })).into_response())
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Vec<ReceivedEvent>, Problem> {
    let received_at = OffsetDateTime::now_utc();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mode = ContentMode::of(content_type)
        .map_err(|error| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.code(), error.to_string()))?;
    match mode {
        ContentMode::Structured => cloudevents::parse_structured(body, received_at).map(|event| vec![event]),
        ContentMode::Batch => cloudevents::parse_batch(body, received_at),
        ContentMode::Binary => {
            let text = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
            cloudevents::parse_binary(text, body, received_at).map(|event| vec![event])
        }
    }
    .map_err(|error: CloudEventError| Problem::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))
}

fn check(generation: &Generation, event: &ReceivedEvent) -> Result<(), Problem> {
    let event_type = &event.metadata.event_type;
    if generation.receivers(event_type).is_none() {
        return Err(unknown("unknown-event", "event", event_type, generation.nearest_event(event_type)));
    }
    check_depth(&event.data)?;
    match generation.event(event_type) {
        Some(known) => {
            known.check(&event.data).map_err(|mismatch: Mismatch| Problem::mismatch("event-data", &mismatch))
        }
        None => Ok(()),
    }
}
