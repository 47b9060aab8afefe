//! What all requests share, and the routes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use hookbox_archive::Archive;
use hookbox_delivery::Delivery;
use hookbox_plugins::{FailedCallKeeper, Generation, Registry};
use hookbox_sandbox::Sandbox;
use hookbox_store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::{AuthError, Authenticator};
use crate::config::Config;
use crate::cors::Cors;
use crate::identity::{self, Contradictions};
use crate::openapi::{self, Published};
use crate::problem::Problem;
use crate::receivers::PluginReceivers;
use crate::reload::{Reloads, Reread};
use crate::throttle::Throttle;
use crate::{admin, archive, events, filters, health, hooks, telemetry};

/// The most bytes of `usize`'s range that a configured size is.
fn bytes(size: bytesize::ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// The app cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The keys that tokens are checked with.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// An origin that is none.
    #[error("cors.origins: {0}")]
    Cors(String),
}

/// What all requests share.
pub struct App {
    pub(crate) plugins: Registry,
    pub(crate) reloads: Reloads,
    pub(crate) uploads: admin::Uploads,
    pub(crate) sandbox: Sandbox,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) delivery: Delivery<PluginReceivers>,
    pub(crate) store: Store,
    pub(crate) archive: Archive,
    pub(crate) auth: Authenticator,
    pub(crate) throttle: Throttle,
    pub(crate) cors: Cors,
    pub(crate) contradictions: Contradictions,
    pub(crate) published: Published,
    /// The types of events that tell of a user's retirement.
    pub(crate) retired_by: BTreeSet<String>,
    failed_calls: OnceLock<FailedCallKeeper>,
    /// The most bytes of an archive request's body.
    pub(crate) archive_body: u64,
    stopping: AtomicBool,
    body_bytes: usize,
}

impl App {
    /// An app that answers `/healthz`, and 503 to calls until `plugins` has started. `reread` reads the configuration
    /// again; what it says of plugins and filters is taken then, and the rest is held against `config`.
    ///
    /// # Errors
    /// [`AppError`]: the keys, or what is no origin.
    pub fn new(
        sandbox: Sandbox,
        store: Store,
        plugins: Registry,
        config: &Config,
        reread: Reread,
    ) -> Result<Arc<Self>, AppError> {
        let cors = Cors::new(&config.cors).map_err(AppError::Cors)?;
        let mut auth = Authenticator::new(&config.auth, &config.folder, &config.server.data)?;
        auth.trust_origins(config.cors.origins.clone())?;
        let receivers = PluginReceivers::new(plugins.clone());
        Ok(Arc::new(Self {
            plugins,
            reloads: Reloads::new(config.clone(), reread),
            uploads: admin::Uploads::default(),
            sandbox,
            metrics: telemetry::recorder(),
            delivery: Delivery::new(store.clone(), receivers, config.delivery_options()),
            archive: Archive::new(store.clone()),
            store,
            auth,
            throttle: Throttle::new(config.archive.rate_limit),
            cors,
            contradictions: Contradictions::default(),
            published: Published::new(config),
            retired_by: config.users.retired_by.clone(),
            failed_calls: OnceLock::new(),
            archive_body: config.archive.body.as_u64(),
            stopping: AtomicBool::new(false),
            body_bytes: bytes(config.server.body),
        }))
    }

    /// From now on it shows the calls that this keeper has.
    pub(crate) fn show_failed_calls(&self, keeper: FailedCallKeeper) {
        let _ = self.failed_calls.set(keeper);
    }

    /// Who keeps failed calls, when somebody does.
    pub(crate) fn failed_calls(&self) -> Option<&FailedCallKeeper> {
        self.failed_calls.get()
    }

    /// Whether calls can be answered.
    pub(crate) fn ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed) && self.plugins.generation().is_some()
    }

    /// From now on the app is not ready; what runs goes on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Brings the gauges of the live plugins up to date.
    pub(crate) fn measure_plugins(&self) {
        if let Some(generation) = self.plugins.generation() {
            generation.measure();
        }
    }

    /// The live generation, taken once a call.
    pub(crate) fn generation(&self) -> Result<Arc<Generation>, Problem> {
        self.plugins
            .generation()
            .ok_or_else(|| Problem::busy("starting", "the plugins are still being loaded"))
    }
}

/// All routes. Needs no socket.
pub fn router(app: Arc<App>) -> Router {
    let archive_body = DefaultBodyLimit::max(usize::try_from(app.archive_body).unwrap_or(usize::MAX));
    let archive = Router::new()
        .route("/sample-plugin", any(archive::handle))
        .route("/sample-plugin/", any(archive::handle))
        .route("/sample-plugin/{*rest}", any(archive::handle))
        .layer(archive_body);
    let hooks = Router::new()
        .route("/hooks", get(hooks::list))
        .route("/hooks/", get(hooks::list))
        .route("/hooks/{hook_type}", get(hooks::show))
        .route("/hooks/filters/{filter_type}", post(filters::run))
        .route("/hooks/events", post(events::accept))
        .route_layer(middleware::from_fn_with_state(app.clone(), identity::operators_only));
    let admin =
        admin::routes().route_layer(middleware::from_fn_with_state(app.clone(), identity::staff_only));
    Router::new()
        .merge(archive)
        .merge(hooks)
        .merge(admin)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(telemetry::render))
        .route(openapi::OPENAPI, get(openapi::document))
        .route(openapi::DOCS, get(openapi::page))
        .fallback(elsewhere)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(app.body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

/// A path that no route spells: the archive's, in another spelling, or nobody's.
async fn elsewhere(state: State<Arc<App>>, request: Request) -> Response {
    if archive::owns(request.uri().path()) {
        return archive::handle(state, request).await;
    }
    let detail = format!("nothing is at {}", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail).into_response()
}

async fn method_not_allowed() -> Problem {
    let detail = "that path takes other methods; see the Allow header";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

/// The last net: a mistake of the host's own ends one request and nothing else.
#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a request ended in a panic: please report this");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the host made a mistake; its log says more")
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_panic_ends_one_request_and_tells_nothing_of_itself() {
        async fn broken() {
            panic!("the word is swordfish")
        }
        let routes: Router = Router::new()
            .route("/broken", get(broken))
            .route("/sound", get(|| async { "sound" }))
            .layer(CatchPanicLayer::custom(panicked));
        let ask = |path: &str| routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
        let answer = ask("/broken").await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("\"code\":\"internal\"") && !body.contains("swordfish"), "{body}");
        assert_eq!(ask("/sound").await.unwrap().status(), StatusCode::OK);
    }
}
