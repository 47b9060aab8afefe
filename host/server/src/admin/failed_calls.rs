//! `/admin/api/failed-calls`: calls that failed and are kept, and their files.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookbox_plugins::FailedCallView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::openapi::schemas;
use crate::path::KeptCall;
use crate::problem::Problem;

/// The kept calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedCallList {
    /// How many calls are kept at most; 0 when none are.
    pub(crate) keep: usize,
    /// The calls, the newest first.
    #[schema(value_type = Vec<schemas::FailedCall>)]
    pub(crate) calls: Vec<FailedCallView>,
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<FailedCallList> {
    let (keep, calls) = match app.failed_calls() {
        Some(keeper) => (keeper.most(), keeper.list()),
        None => (0, Vec::new()),
    };
    Json(FailedCallList { keep, calls })
}

/// The file as it is on the disk: what `hookbox replay` reads.
pub(super) async fn file(State(app): State<Arc<App>>, KeptCall(name): KeptCall) -> Result<Response, Problem> {
    let keeper = app.failed_calls().cloned().ok_or_else(|| unknown_call(&name, false))?;
    let wanted = name.clone();
    let reading = tokio::task::spawn_blocking(move || keeper.read(&wanted)).await;
    let read = reading.map_err(std::io::Error::other).and_then(|read| read).map_err(|error| {
        tracing::error!(name, %error, "a kept call could not be read");
        let detail = "the file could not be read; the host's log says more";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })?;
    let content = read.ok_or_else(|| unknown_call(&name, true))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], content).into_response())
}

/// There is no kept call of that name.
pub(crate) fn unknown_call(name: &str, kept: bool) -> Problem {
    let name = hookbox_sandbox::escape(name, 200);
    let why = match kept {
        true => "the newest ones are listed at /admin/api/failed-calls, older ones are gone",
        false => "this host keeps none; set failed_calls.keep to keep some",
    };
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-failed-call",
        format!("no failed call is kept as {name:?}: {why}"),
    )
}
