//! `/admin/api/`: the plugins and their releases, the events and their deliveries, and every change to them. For staff and
//! superusers.

mod audit;
mod changes;
pub(crate) mod events;
mod failed_calls;
mod problems;
mod reload;
mod tag;
mod target;
mod upload;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use hookbox_plugins::{ChangeError, PluginOverview, ReleaseRef, ReleaseView};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::filters::GENERATION;
use crate::openapi::schemas;
use crate::path::{PluginName, PluginRelease};
use crate::problem::Problem;

pub(crate) use audit::{AuditPage, Entry};
pub(crate) use failed_calls::{FailedCallList, unknown_call};
pub(crate) use reload::refused as reload_refused;
pub(crate) use tag::bad_tag;
pub(crate) use upload::{Uploads, problems as upload_problems};

/// Every plugin, live or not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginList {
    /// The generation that is live.
    pub(crate) generation: u64,
    /// The plugins, by name; removed ones too.
    #[schema(value_type = Vec<schemas::PluginOverview>)]
    pub(crate) plugins: Vec<PluginOverview>,
}

/// A release in full.
#[derive(Debug, Serialize)]
pub(crate) struct ReleaseInFull {
    /// What there is to tell of every release.
    #[serde(flatten)]
    pub(crate) release: ReleaseView,
    /// What its admission found.
    pub(crate) report: Value,
}

/// What lifting a quarantine did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lifted {
    /// Whether the plugin was put aside before.
    pub(crate) lifted: bool,
    /// The plugin as it is now.
    #[schema(value_type = schemas::PluginOverview)]
    pub(crate) plugin: PluginOverview,
}

/// The routes, without the check of who asks.
pub(crate) fn routes() -> Router<Arc<App>> {
    let upload = put(upload::install).layer(DefaultBodyLimit::max(upload::BODY_BYTES));
    Router::new()
        .route("/admin/api/plugins", get(list))
        .route("/admin/api/plugins/{name}", get(show).delete(changes::remove).merge(upload))
        .route("/admin/api/plugins/{name}/releases/{release}", get(release))
        .route("/admin/api/plugins/{name}/activate", post(changes::activate))
        .route("/admin/api/plugins/{name}/rollback", post(changes::roll_back))
        .route("/admin/api/plugins/{name}/disable", post(changes::disable))
        .route("/admin/api/plugins/{name}/enable", post(changes::enable))
        .route("/admin/api/plugins/{name}/approve", post(changes::approve))
        .route(
            "/admin/api/plugins/{name}/trial",
            post(changes::begin_trial).merge(delete(changes::end_trial)),
        )
        .route("/admin/api/plugins/{name}/promote", post(changes::promote))
        .route("/admin/api/plugins/{name}/lift", post(changes::lift))
        .route("/admin/api/reload", post(reload::reload))
        .route("/admin/api/audit", get(audit::read))
        .merge(events::routes())
        .route("/admin/api/failed-calls", get(failed_calls::list))
        .route("/admin/api/failed-calls/{name}", get(failed_calls::file))
}

/// A list that the asker has already is not sent again.
async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let generation = app.generation()?.number();
    let plugins = app.plugins.plugins();
    let body = serde_json::to_vec(&PluginList { generation, plugins }).map_err(|error| {
        tracing::error!(%error, "the list of plugins could not be written");
        let detail = "the host made a mistake; its log says more";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })?;
    let tag = tag::of_content(generation, &body);
    let known = tag::is_known(&headers, &tag);
    let told = [(header::ETAG, tag), (GENERATION, generation.into())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, told).into_response());
    }
    Ok((told, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

async fn show(State(app): State<Arc<App>>, PluginName(name): PluginName) -> Result<Response, Problem> {
    let generation = app.generation()?.number();
    let plugin = app.plugins.plugin(&name)?;
    let told = [(header::ETAG, tag::of_revision(plugin.revision)), (GENERATION, generation.into())];
    Ok((told, Json(plugin)).into_response())
}

async fn release(
    State(app): State<Arc<App>>,
    PluginRelease(name, wanted): PluginRelease,
) -> Result<Json<ReleaseInFull>, Problem> {
    app.generation()?;
    let plugin = app.plugins.plugin(&name)?;
    // The newest stands first.
    let found = plugin
        .releases
        .into_iter()
        .find(|release| wanted.names(release.release, &release.digest, release.version.as_deref()));
    let unknown = || ChangeError::UnknownRelease { plugin: name.clone(), wanted: wanted.to_string() };
    let release = found.ok_or_else(unknown)?;
    let report = app.plugins.report(&name, &ReleaseRef::Number(release.release))?;
    Ok(Json(ReleaseInFull { release, report }))
}
