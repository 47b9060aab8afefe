//! `POST /hooks/events`: CloudEvents in.

mod form;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_delivery::AcceptError;
use hookbox_hooks::{Mismatch, ReceivedEvent};
use hookbox_plugins::Generation;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{Body, check_depth};
use crate::filters::unknown;
use crate::problem::Problem;

pub(crate) use form::broken;

/// Seconds until events that were not taken are worth sending again.
const AGAIN_SECONDS: u32 = 5;

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
    pub(crate) ce_id: Option<Value>,
    /// The event's type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// How many receivers it has; of a duplicate 0, as it goes to nobody again.
    pub(crate) receivers: usize,
    /// `true` where an event with this source and id is known already; left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    pub(crate) duplicate: Option<bool>,
}

pub(crate) async fn accept(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let generation = app.generation()?;
    let events = form::read(&headers, &body)?;
    for (at, event) in events.iter().enumerate() {
        check(&app, &generation, event).map_err(|problem| match events.len() {
            1 => problem,
            _ => problem.with("index", at),
        })?;
    }
    let told: Vec<_> = events.iter().map(names).collect();
    let taken = app.delivery.accept(events).await.map_err(|error| refused(&error))?;
    let accepted = told.into_iter().zip(taken).map(|((id, ce_id, event_type), taken)| Accepted {
        id,
        ce_id,
        event_type,
        receivers: taken.receivers,
        duplicate: taken.duplicate.then_some(true),
    });
    let accepted = EventsAccepted { accepted: accepted.collect() };
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// By what an event is known: its id, the one it was sent with, and its type.
fn names(event: &ReceivedEvent) -> (String, Option<Value>, String) {
    let metadata = &event.metadata;
    (metadata.id.clone(), event.extensions.get("ce_id").cloned(), metadata.event_type.clone())
}

/// Why nothing was taken, and when to send it again. Whoever holds an event must not drop it for any of these.
pub(crate) fn refused(error: &AcceptError) -> Problem {
    let problem = match error {
        AcceptError::Backlog { .. } | AcceptError::Full { .. } | AcceptError::Stopping => {
            Problem::busy(error.code(), error.to_string())
        }
        AcceptError::Store(error) => {
            tracing::warn!(%error, code = error.code(), "events were not taken");
            Problem::store(error)
        }
    };
    problem.retry_after(AGAIN_SECONDS)
}

fn check(app: &App, generation: &Generation, event: &ReceivedEvent) -> Result<(), Problem> {
    let event_type = &event.metadata.event_type;
    if generation.receivers(event_type).is_none() && !app.retired_by.contains(event_type) {
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
