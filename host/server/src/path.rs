//! The name that a request's path ends in.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::problem::Problem;

/// The hook's type that a path ends in.
pub(crate) struct HookType(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for HookType {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        one_name(parts, state).await.map(Self)
    }
}

/// The plugin's name in a path.
pub(crate) struct PluginName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PluginName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        one_name(parts, state).await.map(Self)
    }
}

async fn one_name<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let path = Path::<String>::from_request_parts(parts, state).await;
    path.map(|Path(name)| name).map_err(|rejection: PathRejection| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-path", rejection.body_text())
    })
}
