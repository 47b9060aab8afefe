//! `POST /hooks/filters/{type}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_plugins::{FilterError, FilterRun, Generation, Outcome, StepFailure};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::JsonObject;
use crate::openapi::schemas;
use crate::path::HookType;
use crate::problem::Problem;

/// The header with the number of the generation that answered, or that calls get from now on.
pub(crate) const GENERATION: HeaderName = HeaderName::from_static("hookbox-generation");

/// What came of a pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterAnswer {
    /// How the pipeline ended.
    #[schema(value_type = schemas::FilterOutcome)]
    outcome: &'static str,
    /// The arguments as the steps left them; of a halted pipeline, as they were before the step that halted it.
    /// Absent when a step raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    kwargs: Option<Map<String, Value>>,
    /// What was raised, when a step raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::FilterExceptionView, required = false)]
    exception: Option<Value>,
    /// What each step did, in their order.
    #[schema(value_type = Vec<schemas::StepReport>)]
    steps: Vec<hookbox_plugins::StepReport>,
}

impl From<FilterRun> for FilterAnswer {
    fn from(run: FilterRun) -> Self {
        let (outcome, kwargs, exception) = match run.outcome {
            Outcome::Completed => ("completed", Some(run.kwargs), None),
            Outcome::Halted => ("halted", Some(run.kwargs), None),
            Outcome::Raised(exception) => ("raised", None, Some(exception.to_json())),
        };
        Self { outcome, kwargs, exception, steps: run.steps }
    }
}

pub(crate) async fn run(
    State(app): State<Arc<App>>,
    HookType(filter_type): HookType,
    JsonObject(kwargs): JsonObject,
) -> Result<Response, Problem> {
    let generation = app.generation()?;
    let mut answer = run_in(&generation, &filter_type, kwargs).await.into_response();
    answer.headers_mut().insert(GENERATION, generation.number().into());
    Ok(answer)
}

async fn run_in(
    generation: &Generation,
    filter_type: &str,
    kwargs: Map<String, Value>,
) -> Result<Json<FilterAnswer>, Problem> {
    let Some(pipeline) = generation.pipeline(filter_type) else {
        let near = generation.nearest_filter(filter_type);
        return Err(unknown("unknown-filter", "filter", filter_type, near));
    };
    pipeline.run(kwargs).await.map(|run| Json(FilterAnswer::from(run))).map_err(refused)
}

pub(crate) fn refused(error: FilterError) -> Problem {
    let detail = error.to_string();
    match error {
        FilterError::Arguments(mismatch) => Problem::mismatch("argument", &mismatch),
        FilterError::NotLive { plugin, .. } => {
            Problem::new(StatusCode::BAD_GATEWAY, "step-not-live", detail).with("step", plugin)
        }
        FilterError::Overloaded { plugin, steps, .. } => {
            Problem::busy("overloaded", detail).with("step", plugin).with("steps", steps)
        }
        FilterError::Step { plugin, failure, steps } => {
            let problem = Problem::new(StatusCode::BAD_GATEWAY, "step-failed", detail);
            // Of this one failure the host knows when asking again may help.
            let problem = match &failure {
                StepFailure::Quarantined(quarantine) => problem.retry_after(seconds_until(quarantine.until)),
                StepFailure::Call(_) | StepFailure::Error(_) => problem,
            };
            problem.with("step", plugin).with("failure", failure).with("steps", steps)
        }
    }
}

/// Whole seconds from now, at least 1.
fn seconds_until(moment: OffsetDateTime) -> u32 {
    let milliseconds = (moment - OffsetDateTime::now_utc()).whole_milliseconds();
    u32::try_from(milliseconds.max(0)).unwrap_or(u32::MAX).div_ceil(1_000).max(1)
}

/// 404 for a hook's type, with the nearest that exists.
pub(crate) fn unknown(code: &'static str, what: &str, hook_type: &str, near: Option<&str>) -> Problem {
    let shown: String = hook_type.chars().take(200).collect();
    let hint = near
        .map_or_else(|| "; GET /hooks/ lists them all".to_owned(), |near| format!("; did you mean {near}?"));
    let problem =
        Problem::new(StatusCode::NOT_FOUND, code, format!("no {what} has the type {shown:?}{hint}"));
    match near {
        Some(near) => problem.with("nearest", near),
        None => problem,
    }
}
