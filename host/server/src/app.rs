//! What all requests share, and the routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hookbox_plugins::Generation;
use hookbox_sandbox::Sandbox;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::ServerTable;
use crate::inbox::Inbox;
use crate::problem::Problem;
use crate::{events, filters, health, hooks, telemetry};

/// What all requests share.
pub struct App {
    generation: ArcSwapOption<Generation>,
    pub(crate) sandbox: Sandbox,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) inbox: Inbox,
    stopping: AtomicBool,
    body_bytes: usize,
}

impl App {
    /// An app without plugins: it answers `/healthz`, and 503 to calls until [`App::go_live`].
    pub fn new(sandbox: Sandbox, server: &ServerTable) -> Arc<Self> {
        Arc::new(Self {
            generation: ArcSwapOption::empty(),
            sandbox,
            metrics: telemetry::recorder(),
            inbox: Inbox::new(server.events_in_flight),
            stopping: AtomicBool::new(false),
            body_bytes: usize::try_from(server.body.as_u64()).unwrap_or(usize::MAX),
        })
    }

    /// Makes a generation the live one. Calls in flight keep theirs.
    pub fn go_live(&self, generation: Generation) {
        self.generation.store(Some(Arc::new(generation)));
    }

    /// Whether calls can be answered.
    pub(crate) fn ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed) && self.generation.load().is_some()
    }

    /// From now on the app is not ready; what runs goes on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The live generation, taken once a call.
    pub(crate) fn generation(&self) -> Result<Arc<Generation>, Problem> {
        self.generation
            .load_full()
            .ok_or_else(|| Problem::busy("starting", "the plugins are still being loaded"))
    }
}

/// All routes. Needs no socket.
pub fn router(app: Arc<App>) -> Router {
    let body_bytes = app.body_bytes;
    Router::new()
        .route("/hooks", get(hooks::list))
        .route("/hooks/", get(hooks::list))
        .route("/hooks/{hook_type}", get(hooks::show))
        .route("/hooks/filters/{filter_type}", post(filters::run))
        .route("/hooks/events", post(events::accept))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(telemetry::render))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", format!("nothing is at {}", uri.path()))
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
