//! `GET /hooks/` and `GET /hooks/{type}`: the catalogue, what is live, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hookbox_hooks::Catalogue;
use hookbox_plugins::{HookView, PluginView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::filters::unknown;
use crate::openapi::schemas;
use crate::path::HookType;
use crate::problem::Problem;

/// Every hook, and what takes it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HookList {
    /// The upstream packages that the catalogue comes from.
    pub(crate) catalogue: Versions,
    /// The generation that is live.
    pub(crate) generation: u64,
    /// The live plugins.
    #[schema(value_type = Vec<schemas::PluginView>)]
    pub(crate) plugins: Vec<PluginView>,
    /// The catalogue's hooks, and the operator's own.
    #[schema(value_type = Vec<schemas::HookView>)]
    pub(crate) hooks: Vec<HookView>,
    /// What the operator should look at.
    pub(crate) warnings: Vec<String>,
}

/// Versions of upstream's packages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogueVersions)]
pub(crate) struct Versions {
    /// Of `openedx-filters`.
    #[serde(rename = "openedx-filters")]
    pub(crate) filters: String,
    /// Of `openedx-events`.
    #[serde(rename = "openedx-events")]
    pub(crate) events: String,
}

pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<HookList>, Problem> {
    let generation = app.generation()?;
    let catalogue = Catalogue::embedded();
    let versions =
        Versions { filters: catalogue.filters_version.clone(), events: catalogue.events_version.clone() };
    Ok(Json(HookList {
        catalogue: versions,
        generation: generation.number(),
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
