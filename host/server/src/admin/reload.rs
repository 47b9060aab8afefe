//! `POST /admin/api/reload`.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hookbox_store::User;
use serde::Deserialize;

use super::target::to_its_end;
use crate::app::App;
use crate::filters::GENERATION;
use crate::path::Asked;
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reload {
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn reload(
    State(app): State<Arc<App>>,
    Extension(user): Extension<Arc<User>>,
    Asked(asked): Asked<Reload>,
) -> Result<Response, Problem> {
    app.generation()?;
    if asked.dry_run {
        let told = app.reload_would().await.map_err(refused)?;
        return Ok(Json(told).into_response());
    }
    let actor = user.username.clone();
    let told = to_its_end(async move { app.reload(actor).await }).await?.map_err(refused)?;
    let generation = told.report.generation;
    let mut answer = Json(told).into_response();
    if let Some(generation) = generation {
        answer.headers_mut().insert(GENERATION, generation.into());
    }
    Ok(answer)
}

/// 422 for a configuration with mistakes.
pub(crate) fn refused(mistakes: Vec<String>) -> Problem {
    let detail = format!("the configuration is not taken, what was live goes on: {}", mistakes.join("\n"));
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration", detail).with("mistakes", mistakes)
}
