//! The operations that tell how the host is, and this document's own.

use axum::http::StatusCode;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem};

use super::parts::{
    Answer, Responses, Shown, answer, any_object, content, item, json, operation, problems, text,
};
use super::{DOCS, OPENAPI};
use crate::problem::Problem;

/// The operations' tag.
pub(super) const TAG: &str = "Host";
/// What the tag means.
pub(super) const ABOUT: &str = "How the host is, and what it answers. Open to everybody; `HEAD` works too.";

/// The paths, in the order of the document.
pub(super) fn paths() -> [(String, PathItem); 5] {
    let plain = |description: &str, example: &str| {
        let example = Shown::new("text", "The text", example.into());
        answer(StatusCode::OK, description, "text/plain", content(text(), vec![example]))
    };
    let health = operation(
        TAG,
        "checkHealth",
        "Is the process alive?",
        "Answers as long as the process does. Touches neither plugins nor database.",
    )
    .responses_of([plain("It is.", "ok\n")]);
    let readiness = operation(
        TAG,
        "checkReadiness",
        "Can calls be answered?",
        "For load balancers: not before the plugins are loaded, and no more once the server stops.",
    )
    .responses_of([
        plain("They can.", "ready\n"),
        problems(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not yet, or no more.",
            vec![Problem::busy("not-ready", "the host is starting or stopping")],
        ),
    ]);
    let series = "# HELP hookbox_events_accepted_total Events answered with 202.\n\
                  # TYPE hookbox_events_accepted_total counter\n\
                  hookbox_events_accepted_total 12\n";
    let metrics = operation(
        TAG,
        "readMetrics",
        "Read the metrics",
        "What calls, limits, events and requests cost, in the text format of Prometheus. Times are in \
         seconds, sizes in bytes.",
    )
    .responses_of([plain("All series.", series)]);
    let document = operation(
        TAG,
        "readOpenApi",
        "Read this document",
        "What this host answers, as OpenAPI 3.1 in JSON. Made by the host from its own types and \
         configuration.",
    )
    .responses_of([json(
        StatusCode::OK,
        "The document.",
        any_object("An OpenAPI document."),
        Vec::new(),
    )]);
    let page = operation(
        TAG,
        "readDocs",
        "Read the page",
        "The same for people: one page without scripts and without anything from elsewhere.",
    )
    .responses_of([answer(StatusCode::OK, "The page.", "text/html", content(text(), Vec::new()))]);
    [
        open("/healthz", health),
        open("/readyz", readiness),
        open("/metrics", metrics),
        open(OPENAPI, document),
        open(DOCS, page),
    ]
}

/// A path that everybody may read, and nobody write.
fn open(path: &str, get: OperationBuilder) -> (String, PathItem) {
    (path.to_owned(), item([(HttpMethod::Get, get.responses_of([reading_only()]))]))
}

fn reading_only() -> Answer {
    let detail = "that path takes other methods; see the Allow header";
    problems(
        StatusCode::METHOD_NOT_ALLOWED,
        "Only for other methods than `GET` and `HEAD`.",
        vec![Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)],
    )
}
