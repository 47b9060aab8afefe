//! The operations on the whole: taking another configuration, and who did what.

use axum::http::StatusCode;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterIn, PathItem};

use super::super::parts::{Answer, Responses, Shown, item, json, operation, parameter, problems, schema_of};
use super::super::schemas;
use super::super::security::Login;
use super::{TAG, examples, for_staff, generation};
use crate::admin::{AuditPage, reload_refused};
use crate::config::Config;
use crate::problem::Problem;

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 2] {
    [
        ("/admin/api/reload".to_owned(), item([(HttpMethod::Post, reload(config))])),
        ("/admin/api/audit".to_owned(), item([(HttpMethod::Get, audit(config))])),
    ]
}

fn reload(config: &Config) -> OperationBuilder {
    let dry = "`true`: only says what would change.";
    let post = operation(
        TAG,
        "reloadConfiguration",
        "Read the configuration again",
        "The host reads its files and variables again and takes what they say of plugins and filters, whole or not \
         at all. Other tables are taken up when it starts again: `needs_restart` names the keys. The signal `SIGHUP` \
         does the same. One reload runs at a time; a second waits. Takes no body.",
    )
    .parameter(parameter(ParameterIn::Query, "dry_run", dry, bool::schema(), None))
    .securities(Some(Login::Writes.requirements()))
    .responses_of([
        generation(json(
            StatusCode::OK,
            "What changed, or would.",
            schema_of::<schemas::Reloaded>(),
            vec![
                Shown::new("reloaded", "It is live", json!(examples::reloaded(Some(8)))),
                Shown::new("dry-run", "A dry run", json!(examples::reloaded(None))),
            ],
        )),
        bad_query("Failed to deserialize query string: dry_run: provided string was not `true` or `false`"),
        problems(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The configuration has mistakes; `mistakes` lists them all. Nothing changed.",
            vec![reload_refused(vec!["hookbox.toml: plugins.seats.limits.time: must be at least 1ms".into()])],
        ),
    ]);
    for_staff(post, config, Vec::new())
}

fn audit(config: &Config) -> OperationBuilder {
    let plugin = "Only what concerns this plugin.";
    let before = "Only entries with a lower number: the `next` of the page before.";
    let limit = "The most entries of the page, from 1 to 500. Left out: 50.";
    let get = operation(
        TAG,
        "readAudit",
        "Read the audit trail",
        "What was done to plugins, by whom and when, the latest first; also what was tried and refused.",
    )
    .parameter(parameter(ParameterIn::Query, "plugin", plugin, String::schema(), None))
    .parameter(parameter(ParameterIn::Query, "before", before, i64::schema(), None))
    .parameter(parameter(ParameterIn::Query, "limit", limit, u32::schema(), None))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "A page.",
            schema_of::<AuditPage>(),
            vec![Shown::new("page", "One entry, and more before it", json!(examples::page()))],
        ),
        bad_query("limit must be from 1 to 500"),
    ]);
    for_staff(get, config, Vec::new())
}

fn bad_query(detail: &str) -> Answer {
    problems(
        StatusCode::BAD_REQUEST,
        "The query holds something that cannot be.",
        vec![Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail)],
    )
}
