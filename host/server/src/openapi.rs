//! `/openapi.json` and `/docs`: what this host answers, for programs and for people.
//!
//! The document is made once, from the types that the handlers answer with, from examples that those types or the
//! rules themselves write, and from the configuration's names and limits. The page is the same document in HTML.
//!
//! A new route needs its operation here; a test compares the router with the document.

mod admin;
mod archive;
mod archive_answers;
mod document;
mod events;
mod hooks;
mod host;
mod page;
mod parts;
pub(crate) mod schemas;
mod security;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use crate::app::App;
use crate::config::Config;

/// Where the document is.
pub(crate) const OPENAPI: &str = "/openapi.json";
/// Where the page is.
pub(crate) const DOCS: &str = "/docs";

/// Both are asked for anew each time: they change with the host's version and configuration.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The document and the page, as they are sent.
pub(crate) struct Published {
    document: Bytes,
    page: Bytes,
    /// What the page may load: its own style, and nothing else.
    policy: HeaderValue,
}

impl Published {
    /// Makes both.
    pub(crate) fn new(config: &Config) -> Self {
        let document = serde_json::to_value(document::document(config)).unwrap_or_else(|error| {
            // Names, texts and examples are plain values; there is no way to get here.
            tracing::error!(%error, "the OpenAPI document could not be written");
            serde_json::Value::Null
        });
        Self {
            page: page::render(&document, &config.auth.header_prefix).into(),
            document: document.to_string().into(),
            policy: page::policy(),
        }
    }
}

/// `GET /openapi.json`.
pub(crate) async fn document(State(app): State<Arc<App>>) -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    let headers = [
        (header::CONTENT_TYPE, json),
        (header::CACHE_CONTROL, NO_CACHE),
        (header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF),
    ];
    (headers, app.published.document.clone())
}

/// `GET /docs`.
pub(crate) async fn page(State(app): State<Arc<App>>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, NO_CACHE),
        (header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CONTENT_SECURITY_POLICY, app.published.policy.clone()),
    ];
    (headers, app.published.page.clone())
}
