//! The operations on plugins: looking at them. What changes them is in [`changes`].

mod changes;
pub(super) mod events;
mod examples;
mod failed_calls;
mod install;
mod upkeep;

use axum::http::StatusCode;
use hookbox_plugins::ChangeError;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};

use super::hooks::{bad_path, common};
use super::parts::{
    Answer, Responses, Shown, header_of, item, json, operation, parameter, problems, schema_of,
};
use super::schemas;
use super::security::Login;
use crate::admin::PluginList;
use crate::config::Config;
use crate::problem::Problem;

#[cfg(test)]
pub(super) use changes::LIFT;
#[cfg(test)]
pub(super) use examples::{changed, in_full, lifted, page, plugin, plugins, reloaded};
pub(super) use failed_calls::KEPT_CALL;
#[cfg(test)]
pub(super) use failed_calls::calls;

/// The operations' tag.
pub(super) const TAG: &str = "Plugins";
/// What the tag means.
pub(super) const ABOUT: &str = "The plugins and their releases, for staff and superusers; the scope `hooks:run` alone \
                                does not do.\n\nA release passes admission before it takes a call: while it does not, \
                                what was live goes on. All that is live together is a generation; a call sees one \
                                from beginning to end, and answers tell its number in `hookbox-generation`.\n\nEach \
                                plugin has a revision, which is its `ETag`. A change that sends it back in \
                                `If-Match` is made only if nobody changed the plugin in between. Each change, and \
                                each attempt, is in the audit trail.\n\nA plugin that fails several times in a row \
                                is put aside: its calls fail at once until a trial succeeds, its quarantine is \
                                lifted, or another release of it goes live.";

const ONE: &str = "/admin/api/plugins/{name}";
pub(super) const NAME: &str = "course-about-url";

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> Vec<(String, PathItem)> {
    let at = |path: &str, item: PathItem| (path.to_owned(), item);
    let mut paths = vec![
        at("/admin/api/plugins", item([(HttpMethod::Get, list(config))])),
        at(
            ONE,
            item([
                (HttpMethod::Get, show(config)),
                (HttpMethod::Put, install::install(config)),
                (HttpMethod::Delete, changes::remove(config)),
            ]),
        ),
        at("/admin/api/plugins/{name}/releases/{release}", item([(HttpMethod::Get, release(config))])),
    ];
    paths.extend(changes::paths(config));
    paths.extend(upkeep::paths(config));
    paths.extend(events::paths(config));
    paths.extend(failed_calls::paths(config));
    paths
}

fn list(config: &Config) -> OperationBuilder {
    let known = "The tag of the list that the caller has: when it is still the same, the answer is 304.";
    let get = operation(
        TAG,
        "listPlugins",
        "List plugins",
        "Every plugin with its releases, by name: live, disabled, waiting and removed ones.",
    )
    .parameter(parameter(ParameterIn::Header, "If-None-Match", known, String::schema(), None))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        tagged(
            json(
                StatusCode::OK,
                "The plugins.",
                schema_of::<PluginList>(),
                vec![Shown::new("plugins", "One plugin that is put aside", json!(examples::plugins()))],
            ),
            "\"g7-4f53cda18c2baa0c\"",
        ),
        tagged(
            super::parts::empty(StatusCode::NOT_MODIFIED, "The caller has this list already."),
            "\"g7-4f53cda18c2baa0c\"",
        ),
    ]);
    for_staff(get, config, Vec::new())
}

fn show(config: &Config) -> OperationBuilder {
    let get = operation(
        TAG,
        "showPlugin",
        "Show a plugin",
        "One plugin: its releases, and while it is live where it came from, whether its calls run, what it may use, \
         and the hooks it takes. The `ETag` is its revision; counts and quarantine may change without it.",
    )
    .parameter(name())
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        tagged(
            json(
                StatusCode::OK,
                "The plugin.",
                schema_of::<schemas::PluginOverview>(),
                vec![Shown::new("plugin", "A plugin that is put aside", json!(examples::plugin()))],
            ),
            "\"7\"",
        ),
        problems(StatusCode::BAD_REQUEST, "The name is not UTF-8.", vec![bad_path("name")]),
        no_plugin(Vec::new()),
    ]);
    for_staff(get, config, Vec::new())
}

fn release(config: &Config) -> OperationBuilder {
    let which = "Its number, its digest or the first six digits of it or more, or the version that it names.";
    let get =
        operation(TAG, "showRelease", "Show a release", "One release, with the report of its admission.")
            .parameter(name())
            .parameter(parameter(ParameterIn::Path, "release", which, String::schema(), Some(json!("2"))))
            .securities(Some(Login::Reads.requirements()))
            .responses_of([
                json(
                    StatusCode::OK,
                    "The release.",
                    schema_of::<schemas::ReleaseInFull>(),
                    vec![Shown::new(
                        "release",
                        "A release that failed admission",
                        json!(examples::in_full()),
                    )],
                ),
                problems(
                    StatusCode::BAD_REQUEST,
                    "A name is not UTF-8, or names no release.",
                    vec![
                        bad_path("name"),
                        Problem::new(
                            StatusCode::BAD_REQUEST,
                            "bad-path",
                            hookbox_plugins::BadReleaseRef::Zero.to_string(),
                        ),
                    ],
                ),
                no_plugin(vec![no_release()]),
            ]);
    for_staff(get, config, Vec::new())
}

fn name() -> ParameterBuilder {
    parameter(ParameterIn::Path, "name", "The plugin's name.", String::schema(), Some(json!(NAME)))
}

fn no_plugin(more: Vec<Problem>) -> Answer {
    let mut all = vec![Problem::from(ChangeError::UnknownPlugin {
        name: "course-abuot-url".into(),
        near: Some(NAME.into()),
    })];
    let what = if more.is_empty() {
        "No plugin has that name."
    } else {
        "No plugin has that name, or no release of it is meant."
    };
    all.extend(more);
    problems(StatusCode::NOT_FOUND, &format!("{what} `nearest` may name the plugin that was meant."), all)
}

fn no_release() -> Problem {
    Problem::from(ChangeError::UnknownRelease { plugin: NAME.into(), wanted: "9".into() })
}

/// What every operation for staff may answer besides its own. `unavailable` are its own reasons for 503.
fn for_staff(operation: OperationBuilder, config: &Config, unavailable: Vec<Problem>) -> OperationBuilder {
    operation.responses_of(common(config, unavailable)).responses_of([problems(
        StatusCode::FORBIDDEN,
        "The caller is neither staff nor a superuser.",
        vec![Problem::forbidden_to_all_but_staff()],
    )])
}

/// The same answer with the headers that tell what it is about.
fn tagged(answer: Answer, tag: &str) -> Answer {
    let answer = header_of(answer, "ETag", "What `If-Match` and `If-None-Match` compare.", json!(tag));
    generation(answer)
}

fn generation(answer: Answer) -> Answer {
    header_of(answer, "Hookbox-Generation", "The number of the generation that calls get.", json!(7))
}
