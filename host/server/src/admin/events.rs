//! `/admin/api/events`: the events that were accepted, how their deliveries go, and repairing them.

mod asked;
mod desk;
mod views;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use hookbox_store::User;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::target::to_its_end;
use crate::app::App;
use crate::body::Told;
use crate::path::Asked;
use crate::problem::Problem;

pub use asked::{BulkAsked, EventRef, EventsAsked, Names, ReplayAsked};
pub use desk::EventDesk;
pub use views::{BulkDone, EventInFull, EventList, EventsSummary, ReplayCount, ReplayList, ReplayView};

pub(crate) use asked::LIMIT_MOST;
pub(crate) use desk::{Replayed, ambiguous, no_replay, not_found, refused, removed};
pub(crate) use views::{AttemptView, DeliveryView, EventCount, EventView, ReceiverView, Totals};

/// The routes, without the check of who asks.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/api/events", get(list))
        .route("/admin/api/events/summary", get(summary))
        .route("/admin/api/events/retry", post(retry))
        .route("/admin/api/events/discard", post(discard))
        .route("/admin/api/events/replay", post(replay))
        .route("/admin/api/events/replays", get(replays))
        .route("/admin/api/events/replays/{replay}", delete(stop_replay))
        .route("/admin/api/events/{event}", get(show))
}

/// Which of several events with one UUID.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSource {
    source: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<EventsAsked>,
) -> Result<Json<EventList>, Problem> {
    EventDesk::of(&app).list(&asked).await.map(Json)
}

async fn show(
    State(app): State<Arc<App>>,
    InPath(event): InPath<String>,
    Asked(of): Asked<OfSource>,
) -> Result<Json<EventInFull>, Problem> {
    let event: EventRef = event.parse().map_err(bad_path)?;
    EventDesk::of(&app).show(event, of.source.as_deref()).await.map(Json)
}

async fn summary(State(app): State<Arc<App>>) -> Result<Json<EventsSummary>, Problem> {
    EventDesk::of(&app).summary().await.map(Json)
}

async fn retry(
    State(app): State<Arc<App>>,
    Extension(user): Extension<Arc<User>>,
    Told(asked): Told<BulkAsked>,
) -> Result<Json<BulkDone>, Problem> {
    let desk = EventDesk::of(&app);
    to_its_end(async move { desk.retry(asked, &user.username).await }).await?.map(Json)
}

async fn discard(
    State(app): State<Arc<App>>,
    Extension(user): Extension<Arc<User>>,
    Told(asked): Told<BulkAsked>,
) -> Result<Json<BulkDone>, Problem> {
    let desk = EventDesk::of(&app);
    to_its_end(async move { desk.discard(asked, &user.username).await }).await?.map(Json)
}

/// 202 for a replay that began: it goes on by itself.
async fn replay(
    State(app): State<Arc<App>>,
    Extension(user): Extension<Arc<User>>,
    Told(asked): Told<ReplayAsked>,
) -> Result<Response, Problem> {
    app.generation()?;
    let desk = EventDesk::of(&app);
    let replayed = to_its_end(async move { desk.replay(asked, &user.username).await }).await??;
    let status = match replayed {
        Replayed::Begun(_) => StatusCode::ACCEPTED,
        Replayed::Counted(_) => StatusCode::OK,
    };
    Ok((status, Json(replayed)).into_response())
}

async fn replays(State(app): State<Arc<App>>) -> Result<Json<ReplayList>, Problem> {
    EventDesk::of(&app).replays().await.map(Json)
}

async fn stop_replay(
    State(app): State<Arc<App>>,
    Extension(user): Extension<Arc<User>>,
    InPath(replay): InPath<String>,
) -> Result<Json<ReplayView>, Problem> {
    let replay = replay.parse().map_err(|_| bad_path(format!("{replay:?} is no replay's number")))?;
    let desk = EventDesk::of(&app);
    to_its_end(async move { desk.stop_replay(replay, &user.username).await }).await?.map(Json)
}

/// The one thing that a path names.
struct InPath<T>(T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, app).await;
        path.map(|Path(named)| Self(named))
            .map_err(|rejection: PathRejection| bad_path(rejection.body_text()))
    }
}

/// 400 for a path that names nothing that could be.
pub(crate) fn bad_path(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-path", detail)
}
