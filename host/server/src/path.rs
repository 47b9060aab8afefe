//! What a request's path and query name.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use hookbox_plugins::ReleaseRef;
use serde::de::DeserializeOwned;

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

/// The name of a kept call in a path.
pub(crate) struct KeptCall(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for KeptCall {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        one_name(parts, state).await.map(Self)
    }
}

/// The plugin and the release in a path.
pub(crate) struct PluginRelease(pub(crate) String, pub(crate) ReleaseRef);

impl<S: Send + Sync> FromRequestParts<S> for PluginRelease {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((name, release)) = path.map_err(|rejection| bad_path(&rejection))?;
        let release = release.parse().map_err(|error: hookbox_plugins::BadReleaseRef| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-path", error.to_string())
        })?;
        Ok(Self(name, release))
    }
}

/// What the query asks for.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|rejection| {
            let said: String = rejection.body_text().chars().take(400).collect();
            Problem::new(StatusCode::BAD_REQUEST, "bad-query", said)
        })
    }
}

async fn one_name<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let path = Path::<String>::from_request_parts(parts, state).await;
    path.map(|Path(name)| name).map_err(|rejection| bad_path(&rejection))
}

fn bad_path(rejection: &PathRejection) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-path", rejection.body_text())
}
