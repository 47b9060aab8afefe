//! The hook's type in a request's path.

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
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(hook_type)| Self(hook_type)).map_err(|rejection: PathRejection| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-path", rejection.body_text())
        })
    }
}
