//! The operation that brings a component.

use axum::http::StatusCode;
use hookbox_plugins::ChangeError;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{OperationBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use super::super::hooks::{DIGEST, bad_path};
use super::super::parts::{Responses, Shown, body, content, operation, parameter, problems, schema_of};
use super::super::schemas;
use super::super::security::Login;
use super::changes::{changed_since, conflict, done, if_match, no_room, rejected};
use super::{TAG, for_staff, name};
use crate::admin::{bad_tag, upload_problems};
use crate::config::Config;
use crate::problem::Problem;

/// `PUT` of a plugin.
pub(super) fn install(config: &Config) -> OperationBuilder {
    let put = operation(
        TAG,
        "installRelease",
        "Install a release",
        "The component becomes a release of the plugin, which begins with it where there is none of that name. It \
         passes admission: its size, its types and imports, compiling, the plugin's own check of its settings, and \
         its recorded cases. Then it goes live, unless `then` says otherwise. Any failure leaves the old release \
         serving, and the report says why. The same bytes again are the same release.",
    )
    .parameter(name());
    let put = asked(put)
        .parameter(if_match())
        .request_body(Some(component()))
        .securities(Some(Login::Writes.requirements()))
        .responses_of([
            done(StatusCode::CREATED, "The plugin is new and live. `Location` is its path.", "live"),
            done(StatusCode::OK, "The release is live or kept, or nothing changed.", "live"),
            done(
                StatusCode::ACCEPTED,
                "The release passed admission and waits: for approval, for its plugin to be enabled, or for its \
                 trial to end. `outcome` tells which.",
                "needs-approval",
            ),
        ]);
    let [bad, slow, large, media, busy] = upload_problems();
    let mut bad_requests = vec![ChangeError::Name("../x".into()).into(), bad_path("name"), bad_tag()];
    bad_requests.extend(bad);
    let put = put.responses_of([
        problems(StatusCode::BAD_REQUEST, "A name, a parameter or the body is malformed.", bad_requests),
        problems(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.", slow),
        conflict(),
        changed_since(),
        problems(StatusCode::PAYLOAD_TOO_LARGE, "The component or its cases are too large.", large),
        problems(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of another media type.", media),
        problems(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The release failed admission, and `report` says where, or its bytes are not those that were meant. The \
             old release goes on.",
            vec![rejected(), digest()],
        ),
    ]);
    for_staff(put, config, busy).responses_of([no_room()])
}

/// The parameters of the query.
fn asked(put: OperationBuilder) -> OperationBuilder {
    let parameters: [(&str, &str, RefOr<Schema>); 6] = [
        (
            "sha256",
            "The digest that the component must have: 64 hexadecimal digits, with or without `sha256:`.",
            String::schema(),
        ),
        (
            "then",
            "What happens after admission: `activate` (otherwise), `keep`, or a trial beside the live release: \
             `shadow` or `canary`.",
            String::schema(),
        ),
        (
            "percent",
            "Of a hundred calls, how many the trial gets. Left out: 100 of a shadow, 10 of a canary.",
            f64::schema(),
        ),
        ("calls", "After so many calls the trial promotes the release.", u64::schema()),
        (
            "differences",
            "With more differences or failures than this the trial is rolled back. Left out: 0.",
            u64::schema(),
        ),
        ("values", "Whether the trial keeps differing values.", bool::schema()),
    ];
    parameters.into_iter().fold(put, |put, (name, what, schema)| {
        put.parameter(parameter(ParameterIn::Query, name, what, schema, None))
    })
}

fn digest() -> Problem {
    let wanted = DIGEST.replace("4f0c", "0000");
    Problem::from(ChangeError::Digest { wanted, found: DIGEST.into() })
}

fn component() -> RequestBody {
    let bytes = || -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    };
    let file = "@course-about-url.wasm";
    let alone = || content(bytes(), vec![Shown::new("file", "A file", json!(file))]);
    let parts = json!({"component": file, "cases": "@course-about-url.cases.json"});
    let form =
        content(schema_of::<schemas::UploadForm>(), vec![Shown::new("parts", "With recorded cases", parts)]);
    body(
        "The component, at most 64 MiB, or a form with the component and its recorded cases. The examples name \
         files as `curl` does.",
        [("application/wasm", alone()), ("application/octet-stream", alone()), ("multipart/form-data", form)],
    )
    .build()
}
