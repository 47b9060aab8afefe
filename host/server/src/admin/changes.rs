//! Every change to a plugin that needs no component.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookbox_plugins::{Approval, ReleaseRef, Rows, TrialEnd, TrialKind, TrialRequest, TrialRule};
use serde::Deserialize;

use super::Lifted;
use super::problems::log;
use super::tag;
use super::target::{Target, answer};
use crate::body::Told;
use crate::path::Asked;
use crate::problem::Problem;

/// Which release is to go live.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activate {
    release: ReleaseRef,
}

/// Where to go back to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollBack {
    release: Option<ReleaseRef>,
}

/// What is granted, and for which release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    release: Option<ReleaseRef>,
    #[serde(default)]
    grants: Vec<String>,
}

/// Which release is to be tried, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Try {
    release: ReleaseRef,
    kind: TrialKind,
    percent: f64,
    rule: Option<TrialRule>,
    #[serde(default)]
    values: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    #[serde(default)]
    rows: WhichRows,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WhichRows {
    #[default]
    Keep,
    Delete,
}

pub(super) async fn activate(target: Target, Told(told): Told<Activate>) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    answer(async move { app.plugins.activate(&name, told.release, by).await }).await
}

pub(super) async fn roll_back(target: Target, Told(told): Told<RollBack>) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    answer(async move { app.plugins.roll_back(&name, told.release, by).await }).await
}

pub(super) async fn disable(target: Target) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    answer(async move { app.plugins.disable(&name, by).await }).await
}

pub(super) async fn enable(target: Target) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    answer(async move { app.plugins.enable(&name, by).await }).await
}

pub(super) async fn approve(target: Target, Told(told): Told<Approve>) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    let approval = Approval { release: told.release, grants: told.grants };
    answer(async move { app.plugins.approve(&name, approval, by).await }).await
}

pub(super) async fn begin_trial(target: Target, Told(told): Told<Try>) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    let Try { release, kind, percent, rule, values } = told;
    let request = TrialRequest { kind, percent, rule, values };
    answer(async move { app.plugins.begin_trial(&name, release, request, by).await }).await
}

pub(super) async fn end_trial(target: Target) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    answer(async move { app.plugins.end_trial(&name, TrialEnd::RollBack, by).await }).await
}

pub(super) async fn promote(target: Target) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    answer(async move { app.plugins.end_trial(&name, TrialEnd::Promote, by).await }).await
}

pub(super) async fn remove(target: Target, Asked(asked): Asked<Removal>) -> Result<Response, Problem> {
    let Target { app, name, by } = target;
    let rows = match asked.rows {
        WhichRows::Keep => Rows::Keep,
        WhichRows::Delete => Rows::Delete,
    };
    answer(async move { app.plugins.remove(&name, rows, by).await }).await
}

/// Lifting what is not put aside changes nothing but the count of failures in a row, which begins anew.
pub(super) async fn lift(Target { app, name, by }: Target) -> Result<Response, Problem> {
    let lifted = app.plugins.lift(&name, by).await.inspect_err(log)?;
    let plugin = app.plugins.plugin(&name)?;
    let tag = [(header::ETAG, tag::of_revision(plugin.revision))];
    Ok((StatusCode::OK, tag, Json(Lifted { lifted, plugin })).into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_says_what_is_to_be_done_and_nothing_else() {
        let activate: Activate = serde_json::from_value(json!({"release": "sha256:abcdef"})).unwrap();
        assert_eq!(activate.release, ReleaseRef::Digest("sha256:abcdef".into()));
        assert!(serde_json::from_value::<Activate>(json!({})).is_err());
        assert!(serde_json::from_value::<RollBack>(json!({})).unwrap().release.is_none());
        assert!(serde_json::from_value::<RollBack>(json!({"relaese": 1})).is_err());
        let approve: Approve = serde_json::from_value(json!({"grants": ["keyvalue"]})).unwrap();
        assert_eq!((approve.release, approve.grants), (None, vec!["keyvalue".to_owned()]));
        let rule =
            json!({"release": 2, "kind": "shadow", "percent": 5, "rule": {"calls": 9, "differences": 0}});
        let begun: Try = serde_json::from_value(rule).unwrap();
        assert_eq!((begun.kind, begun.values), (TrialKind::Shadow, false));
        assert!(
            serde_json::from_value::<Try>(json!({"release": 2, "kind": "mirror", "percent": 5})).is_err()
        );
    }
}
