//! The operations on hooks: what there is, and running filters.

use axum::http::{HeaderValue, StatusCode};
use hookbox_hooks::{Catalogue, FilterException, Mismatch};
use hookbox_plugins::{
    Argument, FilterError, FilterRun, LastFailure, Outcome, PluginState, PluginView, Quarantine, StepFailure,
    StepOutcome, StepReport, TakerView,
};
use hookbox_sandbox::{Grants, Limits};
use hookbox_store::StoreError;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, ParameterBuilder, ParameterIn, PathItem};

use super::parts::{
    Answer, Responses, Shown, any_object, body, content, header_of, item, json, operation, parameter,
    problems, schema_of,
};
use super::schemas::HookView;
use super::security::Login;
use crate::auth;
use crate::body::invalid_json;
use crate::config::Config;
use crate::filters::{FilterAnswer, refused, unknown};
use crate::hooks::{HookList, Versions};
use crate::problem::Problem;

/// The operations' tag.
pub(super) const TAG: &str = "Hooks";
/// What the tag means.
pub(super) const ABOUT: &str = "Filters and events of Open edX, and the plugins that take them. For staff, \
                                superusers and tokens with the scope `hooks:run`.\n\nErrors are \
                                `application/problem+json` (RFC 9457). `code` never changes; `detail` is for \
                                people and may.";

/// The filter that the examples run.
pub(super) const FILTER: &str = "org.openedx.learning.course_about.page.url.requested.v1";
/// The interface of that filter.
pub(super) const INTERFACE: &str = "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0";
/// The digest of the component that the examples show.
pub(super) const DIGEST: &str = "sha256:4f0c7c2f1d9a5b8e6a3d2c1b0f9e8d7c6b5a49382716051423324150617283f4";

/// The paths, in the order of the document.
pub(super) fn paths(config: &Config) -> [(String, PathItem); 3] {
    [
        ("/hooks".to_owned(), list(config)),
        ("/hooks/{hook_type}".to_owned(), show(config)),
        ("/hooks/filters/{filter_type}".to_owned(), run(config)),
    ]
}

/// What every hook operation may answer besides its own. `unavailable` are its own reasons for 503.
pub(super) fn common(config: &Config, unavailable: Vec<Problem>) -> Vec<Answer> {
    let challenge = HeaderValue::try_from(format!("{} realm=\"api\"", config.auth.header_prefix));
    let challenge = challenge.unwrap_or_else(|_| HeaderValue::from_static("JWT realm=\"api\""));
    let missing = auth::Refusal::NotProvided.detail();
    let mut busy = vec![
        Problem::busy("starting", "the plugins are still being loaded"),
        Problem::store(&StoreError::Busy),
    ];
    busy.extend(unavailable);
    let internal = "the host made a mistake; its log says more";
    vec![
        problems(
            StatusCode::UNAUTHORIZED,
            "Nobody is logged in, or the token does not hold.",
            vec![Problem::unauthenticated(missing, challenge)],
        ),
        problems(
            StatusCode::FORBIDDEN,
            "The caller is neither staff nor a superuser, and the token lacks the scope `hooks:run`.",
            vec![Problem::forbidden()],
        ),
        problems(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The host or its database failed. The log says more.",
            vec![
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", internal),
                Problem::store(&StoreError::Io { detail: "disk I/O error".into() }),
            ],
        ),
        problems(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not now. `Retry-After` says when to send the request again.",
            busy,
        ),
        problems(
            StatusCode::INSUFFICIENT_STORAGE,
            "The caller is new to this host, and the database has no room for another user.",
            vec![Problem::store(&StoreError::Full)],
        ),
    ]
}

/// A body that is too large, or did not arrive whole.
pub(super) fn too_large() -> Answer {
    problems(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body has more bytes than `server.body` of the configuration allows.",
        vec![Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "the body is larger than `server.body` of the configuration allows",
        )],
    )
}

/// 422 for nesting.
pub(super) fn too_deep() -> Problem {
    let detail = "the body nests deeper than 64 levels";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "json-too-deep", detail)
}

fn hook_type(name: &str, what: &str, example: &str) -> ParameterBuilder {
    parameter(ParameterIn::Path, name, what, String::schema(), Some(json!(example)))
}

/// 400 for a path.
pub(super) fn bad_path(parameter: &str) -> Problem {
    let detail = format!("Invalid URL: Invalid UTF-8 in `{parameter}`");
    Problem::new(StatusCode::BAD_REQUEST, "bad-path", detail)
}

fn list(config: &Config) -> PathItem {
    let get = operation(
        TAG,
        "listHooks",
        "List hooks",
        "Every hook of the catalogue and of the configuration, with its arguments, the plugins that take it \
         and why; the live plugins with their limits; and what the operator should look at. `/hooks/` is the \
         same.",
    )
    .securities(Some(Login::Reads.requirements()))
    .responses_of([json(
        StatusCode::OK,
        "The hooks.",
        schema_of::<HookList>(),
        vec![Shown::new("hooks", "One filter with one plugin", json!(hooks()))],
    )])
    .responses_of(common(config, Vec::new()));
    item([(HttpMethod::Get, get)])
}

fn show(config: &Config) -> PathItem {
    let get = operation(
        TAG,
        "showHook",
        "Show a hook",
        "One hook: its arguments, whether it is live, and its steps or receivers, each with the reason why \
         it takes the hook.",
    )
    .parameter(hook_type("hook_type", "A filter's or an event's type.", FILTER))
    .securities(Some(Login::Reads.requirements()))
    .responses_of([
        json(
            StatusCode::OK,
            "The hook.",
            schema_of::<HookView>(),
            vec![Shown::new("filter", "A filter with one step", json!(hook()))],
        ),
        problems(StatusCode::BAD_REQUEST, "The type is not UTF-8.", vec![bad_path("hook_type")]),
        problems(
            StatusCode::NOT_FOUND,
            "No hook has that type. `nearest` may name the one that was meant.",
            vec![unknown("unknown-hook", "hook", &FILTER.replace("url", "ulr"), Some(FILTER))],
        ),
    ])
    .responses_of(common(config, Vec::new()));
    item([(HttpMethod::Get, get)])
}

fn run(config: &Config) -> PathItem {
    let post = operation(
        TAG,
        "runFilter",
        "Run a filter",
        "Runs the pipeline of a filter over the arguments and answers with what came of it. That it \
         completed, was halted or raised is told by `outcome`; all three are 200. A filter without steps \
         returns its arguments.\n\nA step that fails is left out when the filter's `fail_silently` is true, \
         as upstream has it; otherwise the answer is 502. A step that finds no room in time is 503 either way. Passwords in a registration form reach no step.",
    )
    .parameter(hook_type("filter_type", "The filter's type.", FILTER))
    .request_body(Some(
        body(
            "The filter's arguments by upstream's names. Other JSON media types (`application/…+json`) are \
             read too.",
            [(
                "application/json",
                content(
                    any_object(
                        "The arguments; which ones, and of which types, `GET /hooks/{hook_type}` \
                                tells.",
                    ),
                    vec![Shown::new("arguments", "A filter's arguments", arguments())],
                ),
            )],
        )
        .build(),
    ))
    .securities(Some(Login::Writes.requirements()))
    .responses_of([
        header_of(
            json(
                StatusCode::OK,
                "The pipeline's answer.",
                schema_of::<FilterAnswer>(),
                vec![
                    Shown::new("completed", "Every step ran", completed()),
                    Shown::new("raised", "A step raised an exception", raised()),
                ],
            ),
            "Hookbox-Generation",
            "The number of the generation that answered. Errors of the filter have it too.",
            json!(7),
        ),
        problems(
            StatusCode::BAD_REQUEST,
            "The body is not JSON or did not arrive whole, or the type is not UTF-8.",
            vec![not_json(), bad_path("filter_type")],
        ),
        problems(
            StatusCode::NOT_FOUND,
            "No filter has that type. `nearest` may name the one that was meant.",
            vec![unknown("unknown-filter", "filter", &FILTER.replace("url", "ulr"), Some(FILTER))],
        ),
        too_large(),
        problems(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body's media type is not JSON.",
            vec![Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "send the arguments with Content-Type: application/json",
            )],
        ),
        problems(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body is JSON and does not fit the filter.",
            vec![refused(FilterError::Arguments(mismatch("org"))), not_an_object(), too_deep()],
        ),
        problems(
            StatusCode::BAD_GATEWAY,
            "A step failed, or does not run, where the filter does not allow that.",
            vec![
                failed(StepFailure::Error("no domain is configured".into())),
                failed(StepFailure::Quarantined(quarantine().into())),
                refused(FilterError::NotLive {
                    plugin: "course-about-url".into(),
                    reason: "its release could not be brought back: its file is damaged".into(),
                }),
            ],
        ),
    ])
    .responses_of(common(
        config,
        vec![refused(FilterError::Overloaded {
            plugin: "course-about-url".into(),
            detail: "no turn within 100 ms".into(),
            steps: Vec::new(),
        })],
    ));
    item([(HttpMethod::Post, post)])
}

/// A value that is not there.
pub(super) fn mismatch(path: &str) -> Mismatch {
    Mismatch { path: path.into(), expected: "a string".into(), found: "nothing".into() }
}

fn not_json() -> Problem {
    match serde_json::from_str::<Value>("{") {
        Err(error) => invalid_json(&error),
        Ok(_) => Problem::new(StatusCode::BAD_REQUEST, "invalid-json", "the body is not JSON"),
    }
}

fn not_an_object() -> Problem {
    let detail = "expected a JSON object with the filter's arguments, found an array";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-an-object", detail)
}

/// The arguments that the examples send.
pub(super) fn arguments() -> Value {
    json!({"url": "https://lms.example.com/courses/course-v1:edX+DemoX+2024/about", "org": "edX"})
}

fn step(outcome: StepOutcome, changed: &[&str], failure: Option<StepFailure>) -> StepReport {
    StepReport {
        plugin: "course-about-url".into(),
        version: Some("1.0.0".into()),
        digest: DIGEST.into(),
        outcome,
        changed: changed.iter().map(|name| (*name).to_owned()).collect(),
        microseconds: 14,
        failure,
        replay: None,
    }
}

fn failed(failure: StepFailure) -> Problem {
    let report = step(StepOutcome::Failed, &[], Some(failure.clone()));
    let steps = vec![StepReport { replay: Some(super::admin::KEPT_CALL.into()), ..report }];
    refused(FilterError::Step { plugin: "course-about-url".into(), failure, steps })
}

fn completed() -> Value {
    let mut kwargs = Map::new();
    kwargs.insert("url".into(), "https://example.com/new_about_page/course-v1:edX+DemoX+2024".into());
    kwargs.insert("org".into(), "edX".into());
    let steps = vec![step(StepOutcome::Proceeded, &["url"], None)];
    json!(FilterAnswer::from(FilterRun { outcome: Outcome::Completed, kwargs, steps }))
}

fn raised() -> Value {
    let exception = FilterException::new("PreventEnrollment", "This course is full.");
    let report = step(StepOutcome::Raised, &[], None);
    let steps = vec![StepReport { plugin: "seats".into(), ..report }];
    json!(FilterAnswer::from(FilterRun { outcome: Outcome::Raised(exception), kwargs: Map::new(), steps }))
}

/// The state of a plugin that is not put aside.
pub(super) fn live() -> PluginState {
    PluginState { state: "live", quarantine: None }
}

/// The state of one that is.
pub(super) fn quarantine() -> Quarantine {
    let since = OffsetDateTime::UNIX_EPOCH;
    let last_failure = LastFailure {
        code: "time",
        message: "the plugin reached its time limit: 100 ms allowed, 103 used; `limits.time` of the plugin raises it"
            .into(),
    };
    Quarantine { since, until: since + Duration::SECOND, failures: 5, last_failure }
}

/// The hook that the examples show.
pub(super) fn hook() -> hookbox_plugins::HookView {
    let argument = |name: &str| Argument { name: name.into(), ty: "string".into() };
    hookbox_plugins::HookView {
        hook_type: FILTER.into(),
        kind: "filter",
        upstream: Some("openedx_filters.learning.filters.CourseAboutPageURLRequested".into()),
        interface: Some(INTERFACE.into()),
        like: None,
        live: true,
        fail_silently: Some(true),
        arguments: vec![argument("url"), argument("org")],
        plugins: vec![TakerView {
            plugin: "course-about-url".into(),
            version: Some("1.0.0".into()),
            digest: DIGEST.into(),
            release: 2,
            on_failure: "default",
            reason: "it exports openedx:filters/learning-course-about-page-url-requested-v1@1.0.0".into(),
            state: live(),
        }],
        missing: Vec::new(),
    }
}

/// The list that the examples show.
pub(super) fn hooks() -> HookList {
    let catalogue = Catalogue::embedded();
    HookList {
        catalogue: Versions {
            filters: catalogue.filters_version.clone(),
            events: catalogue.events_version.clone(),
        },
        generation: 7,
        plugins: vec![PluginView {
            name: "course-about-url".into(),
            version: Some("1.0.0".into()),
            description: Some("Sends a course's about page to a site of your own.".into()),
            digest: DIGEST.into(),
            origin: "embedded sample".into(),
            exports: vec![INTERFACE.into()],
            grants: Grants::default(),
            limits: Limits::default(),
            state: live(),
        }],
        hooks: vec![hook()],
        warnings: Vec::new(),
    }
}
