//! What a change is for: the plugin, who asks, and what they saw of it; and how a change is answered.

use std::future::Future;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hookbox_plugins::{By, ChangeError, Changed, is_plugin_name};
use hookbox_store::User;

use super::problems::log;
use super::tag::{self, IfMatch};
use crate::app::App;
use crate::filters::GENERATION;
use crate::path::PluginName;
use crate::problem::Problem;

/// The plugin that a request changes, and who changes it.
pub(super) struct Target {
    pub(super) app: Arc<App>,
    pub(super) name: String,
    pub(super) by: By,
}

impl FromRequestParts<Arc<App>> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        app.generation()?;
        let PluginName(name) = PluginName::from_request_parts(parts, app).await?;
        // Before a body is read for it.
        if !is_plugin_name(&name) {
            return Err(ChangeError::Name(name).into());
        }
        let if_revision = match IfMatch::from_request_parts(parts, app).await? {
            IfMatch::Whatever => None,
            IfMatch::Revision(revision) => Some(revision),
            IfMatch::Exists => {
                exists(app, &name)?;
                None
            }
        };
        let actor = actor(parts).await?;
        Ok(Self { app: Arc::clone(app), name, by: By { actor, if_revision } })
    }
}

/// 412 where no plugin is, or no more.
fn exists(app: &App, name: &str) -> Result<(), Problem> {
    match app.plugins.plugin(name) {
        Ok(plugin) if plugin.state != "removed" => Ok(()),
        Ok(_) | Err(ChangeError::UnknownPlugin { .. }) => {
            let shown: String = name.chars().take(80).collect();
            let detail = format!("no plugin {shown:?} is there, and If-Match: * asks for one");
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// The name of who asks, as the check before the routes found it.
pub(super) async fn actor(parts: &mut Parts) -> Result<String, Problem> {
    match Extension::<Arc<User>>::from_request_parts(parts, &()).await {
        Ok(Extension(user)) => Ok(user.username.clone()),
        Err(error) => {
            tracing::error!(%error, "a change was asked for by nobody");
            Err(internal())
        }
    }
}

/// Does a change to its end, also when whoever asked for it hangs up.
pub(super) async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(change).await.map_err(|error| {
        tracing::error!(%error, "a change did not end: please report this");
        internal()
    })
}

/// Makes a change and tells what came of it. The registry does it to its end whoever hangs up.
pub(super) async fn answer(
    change: impl Future<Output = Result<Changed, ChangeError>>,
) -> Result<Response, Problem> {
    let changed = change.await.inspect_err(log)?;
    let status = if changed.outcome == "needs-approval" { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(told(status, changed))
}

/// The answer to a change that was made.
pub(super) fn told(status: StatusCode, changed: Changed) -> Response {
    let headers =
        [(header::ETAG, tag::of_revision(changed.plugin.revision)), (GENERATION, changed.generation.into())];
    (status, headers, Json(changed)).into_response()
}

pub(super) fn internal() -> Problem {
    let detail = "the host made a mistake; its log says more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}
