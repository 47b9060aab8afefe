//! The operations on live plugins.

use axum::http::StatusCode;
use hookbox_plugins::{
    HookTaken, IsolationView, LimitView, PluginDetail, PluginState, QuarantineRule, RuleView,
};
use hookbox_sandbox::{Grants, Isolation, Limits};
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, ParameterBuilder, ParameterIn, PathItem};

use super::hooks::{DIGEST, FILTER, INTERFACE, bad_path, common, live, quarantine};
use super::parts::{Answer, Responses, Shown, item, json, operation, parameter, problems, schema_of};
use super::schemas;
use super::security::Login;
use crate::admin::{Lifted, PluginList, unknown_plugin};
use crate::config::Config;
use crate::problem::Problem;

/// The operations' tag.
pub(super) const TAG: &str = "Plugins";
/// What the tag means.
pub(super) const ABOUT: &str = "The live plugins, for staff and superusers; the scope `hooks:run` alone does not \
                                do.\n\nA plugin that fails several times in a row is put aside: its calls fail at \
                                once until a trial succeeds, its quarantine is lifted, or another release of it \
                                goes live.";

/// Where a quarantine is lifted.
pub(super) const LIFT: &str = "/admin/api/plugins/{name}/lift";
const NAME: &str = "course-about-url";

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 3] {
    [
        ("/admin/api/plugins".to_owned(), list(config)),
        ("/admin/api/plugins/{name}".to_owned(), show(config)),
        (LIFT.to_owned(), lift(config)),
    ]
}

fn list(config: &Config) -> PathItem {
    let get = operation(TAG, "listPlugins", "List plugins", "Every live plugin in full, by name.")
        .securities(Some(Login::Reads.requirements()))
        .responses_of([json(
            StatusCode::OK,
            "The plugins.",
            schema_of::<PluginList>(),
            vec![Shown::new("plugins", "One plugin that is put aside", json!(plugins()))],
        )])
        .responses_of(common(config, Vec::new()))
        .responses_of([forbidden()]);
    item([(HttpMethod::Get, get)])
}

fn show(config: &Config) -> PathItem {
    let get = operation(
        TAG,
        "showPlugin",
        "Show a plugin",
        "One live plugin: where it came from, whether its calls run, what it may use, and the hooks it takes.",
    )
    .parameter(name())
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "The plugin.",
            schema_of::<schemas::PluginDetail>(),
            vec![Shown::new("plugin", "A plugin that is put aside", json!(plugin()))],
        ),
        no_name(),
        no_plugin(),
    ])
    .responses_of(common(config, Vec::new()))
    .responses_of([forbidden()]);
    item([(HttpMethod::Get, get)])
}

fn lift(config: &Config) -> PathItem {
    let post = operation(
        TAG,
        "liftQuarantine",
        "Lift a quarantine",
        "The plugin's calls run again, and its failures are counted from zero. Of a plugin that is live it only \
         begins the count anew, so that sending this twice does no harm. Takes no body.",
    )
    .parameter(name())
    .securities(Some(Login::Writes.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "The plugin as it is now.",
            schema_of::<Lifted>(),
            vec![Shown::new("lifted", "A quarantine was lifted", json!(lifted()))],
        ),
        no_name(),
        no_plugin(),
    ])
    .responses_of(common(config, Vec::new()))
    .responses_of([forbidden()]);
    item([(HttpMethod::Post, post)])
}

fn name() -> ParameterBuilder {
    parameter(ParameterIn::Path, "name", "The plugin's name.", String::schema(), Some(json!(NAME)))
}

fn no_name() -> Answer {
    problems(StatusCode::BAD_REQUEST, "The name is not UTF-8.", vec![bad_path("name")])
}

fn no_plugin() -> Answer {
    problems(
        StatusCode::NOT_FOUND,
        "No live plugin has that name. `nearest` may name the one that was meant.",
        vec![unknown_plugin("course-abuot-url", Some(NAME))],
    )
}

fn forbidden() -> Answer {
    problems(
        StatusCode::FORBIDDEN,
        "The caller is neither staff nor a superuser.",
        vec![Problem::forbidden_to_all_but_staff()],
    )
}

/// The plugin that the examples show.
pub(super) fn plugin() -> PluginDetail {
    let limits = Limits::default().listed();
    PluginDetail {
        name: NAME.into(),
        version: Some("1.0.0".into()),
        description: Some("Sends a course's about page to a site of your own.".into()),
        digest: DIGEST.into(),
        origin: "embedded sample".into(),
        state: PluginState { state: "quarantined", quarantine: Some(quarantine()) },
        quarantine_rule: Some(RuleView::from(QuarantineRule::default())),
        on_failure: "default",
        isolation: IsolationView::from(Isolation::Call),
        grants: Grants::default(),
        limits: limits.map(|(setting, value, unit)| LimitView { setting, value, unit }).into(),
        exports: vec![INTERFACE.into()],
        hooks: vec![HookTaken {
            hook_type: FILTER.into(),
            kind: "filter",
            reason: format!("it exports {INTERFACE}"),
        }],
    }
}

/// The list that the examples show.
pub(super) fn plugins() -> PluginList {
    PluginList { plugins: vec![plugin()] }
}

/// The answer that the examples show.
pub(super) fn lifted() -> Lifted {
    Lifted { lifted: true, plugin: PluginDetail { state: live(), ..plugin() } }
}
