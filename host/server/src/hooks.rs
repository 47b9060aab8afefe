//! `GET /hooks/` and `GET /hooks/{type}`: the catalogue, what is live, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hookbox_hooks::Catalogue;
use hookbox_plugins::{HookView, PluginView};
use serde::Serialize;

use crate::app::App;
use crate::filters::unknown;
use crate::path::HookType;
use crate::problem::Problem;

/// The answer of `GET /hooks/`.
#[derive(Debug, Serialize)]
pub(crate) struct HookList {
    catalogue: Versions,
    plugins: Vec<PluginView>,
    hooks: Vec<HookView>,
    warnings: Vec<String>,
}

/// The upstream packages that the catalogue comes from.
#[derive(Debug, Serialize)]
struct Versions {
    #[serde(rename = "openedx-filters")]
    filters: String,
    #[serde(rename = "openedx-events")]
    events: String,
}

pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<HookList>, Problem> {
    let generation = app.generation()?;
    let catalogue = Catalogue::embedded();
    let versions =
        Versions { filters: catalogue.filters_version.clone(), events: catalogue.events_version.clone() };
    Ok(Json(HookList {
        catalogue: versions,
        plugins: generation.plugin_views(),
        hooks: generation.hooks(),
        warnings: generation.warnings().to_vec(),
    }))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    HookType(hook_type): HookType,
) -> Result<Json<HookView>, Problem> {
    let generation = app.generation()?;
    let view = generation.hook(&hook_type);
    view.map(Json)
        .ok_or_else(|| unknown("unknown-hook", "hook", &hook_type, generation.nearest_hook(&hook_type)))
}
