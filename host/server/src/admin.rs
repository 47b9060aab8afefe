//! `/admin/api/`: the live plugins in full, and lifting a quarantine. For staff and superusers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use hookbox_plugins::{Generation, PluginDetail};
use hookbox_store::User;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::openapi::schemas;
use crate::path::PluginName;
use crate::problem::Problem;

/// Every live plugin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginList {
    /// The live plugins, by name.
    #[schema(value_type = Vec<schemas::PluginDetail>)]
    pub(crate) plugins: Vec<PluginDetail>,
}

/// What lifting a quarantine did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lifted {
    /// Whether the plugin was put aside before.
    pub(crate) lifted: bool,
    /// The plugin as it is now.
    #[schema(value_type = schemas::PluginDetail)]
    pub(crate) plugin: PluginDetail,
}

pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<PluginList>, Problem> {
    Ok(Json(PluginList { plugins: app.generation()?.plugin_details() }))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    PluginName(name): PluginName,
) -> Result<Json<PluginDetail>, Problem> {
    let generation = app.generation()?;
    generation.plugin_detail(&name).map(Json).ok_or_else(|| unknown(&name, &generation))
}

/// Lifting what is not put aside changes nothing but the count of failures in a row, which begins anew.
pub(crate) async fn lift(
    State(app): State<Arc<App>>,
    Extension(user): Extension<Arc<User>>,
    PluginName(name): PluginName,
) -> Result<Json<Lifted>, Problem> {
    let generation = app.generation()?;
    let live = generation.plugin(&name).ok_or_else(|| unknown(&name, &generation))?;
    let lifted = live.lift();
    if lifted {
        tracing::info!(
            plugin = name,
            user = user.id,
            "the plugin's quarantine is lifted by hand: calls run again"
        );
    }
    let plugin = generation.plugin_detail(&name).ok_or_else(|| unknown(&name, &generation))?;
    Ok(Json(Lifted { lifted, plugin }))
}

fn unknown(name: &str, generation: &Generation) -> Problem {
    unknown_plugin(name, generation.nearest_plugin(name))
}

/// 404 for a plugin's name, with the nearest that exists.
pub(crate) fn unknown_plugin(name: &str, near: Option<&str>) -> Problem {
    let shown: String = name.chars().take(80).collect();
    let hint = near.map_or_else(
        || "; GET /admin/api/plugins lists them all".to_owned(),
        |near| format!("; did you mean {near}?"),
    );
    let detail = format!("no live plugin has the name {shown:?}{hint}");
    let problem = Problem::new(StatusCode::NOT_FOUND, "unknown-plugin", detail);
    match near {
        Some(near) => problem.with("nearest", near),
        None => problem,
    }
}
