//! `/healthz`: the process answers. `/readyz`: it can take calls.

use std::sync::Arc;

use axum::extract::State;

use crate::app::App;
use crate::problem::Problem;

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.ready() {
        Ok("ready\n")
    } else {
        Err(Problem::busy("not-ready", "the host is starting or stopping"))
    }
}
