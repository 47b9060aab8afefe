//! Answers of the archive API that several of its operations share.

use std::convert::Infallible;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use hookbox_archive::body::read_json;
use hookbox_archive::draft::{Draft, Write};
use hookbox_archive::query::{Filters, Params};
use hookbox_archive::{Invalid, Refusal};
use hookbox_store::StoreError;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr, Response};

use super::parts::{Answer, Shown, answer, content, schema_of, text, told};
use super::schemas::{CourseFilterError, Detail, FieldErrors};
use crate::archive::fault::Fault;
use crate::auth;
use crate::config::Config;

/// An answer that stands once in the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    /// Nobody is logged in.
    Unauthenticated,
    /// The token is for other uses.
    Restricted,
    /// The client takes no JSON.
    NotAcceptable,
    /// The body is too large.
    TooLarge,
    /// The body's media type is not read.
    MediaType,
    /// Too many requests.
    Throttled,
    /// The database failed.
    Failed,
    /// The database cannot answer now.
    Unavailable,
    /// The database is full.
    Full,
}

/// What every operation on rows may answer.
pub(super) const ALWAYS: [Shared; 7] = [
    Shared::Unauthenticated,
    Shared::Restricted,
    Shared::NotAcceptable,
    Shared::Throttled,
    Shared::Failed,
    Shared::Unavailable,
    Shared::Full,
];

impl Shared {
    /// All of them.
    pub(super) const ALL: [Self; 9] = [
        Self::Unauthenticated,
        Self::Restricted,
        Self::NotAcceptable,
        Self::TooLarge,
        Self::MediaType,
        Self::Throttled,
        Self::Failed,
        Self::Unavailable,
        Self::Full,
    ];

    /// Its name in the components.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "ArchiveUnauthenticated",
            Self::Restricted => "ArchiveRestricted",
            Self::NotAcceptable => "ArchiveNotAcceptable",
            Self::TooLarge => "ArchiveTooLarge",
            Self::MediaType => "ArchiveMediaType",
            Self::Throttled => "ArchiveThrottled",
            Self::Failed => "ArchiveFailed",
            Self::Unavailable => "ArchiveUnavailable",
            Self::Full => "ArchiveFull",
        }
    }

    /// The status, the description and the response.
    pub(super) fn answer(self, config: &Config) -> (StatusCode, Response) {
        let prefix = &config.auth.header_prefix;
        let invalid = || auth::Refusal::InvalidToken { reason: auth::Reason::Expired };
        let store = |error| Fault::Refused(Refusal::Store(error));
        let (description, faults) = match self {
            Self::Unauthenticated => (
                "Nobody is logged in, or the token does not hold.",
                vec![
                    ("missing", "No usable credentials", Fault::Unauthenticated(auth::Refusal::NotProvided)),
                    ("invalid", "A token that does not hold", Fault::Unauthenticated(invalid())),
                    ("nameless", "A token without a user", Fault::Unauthenticated(auth::Refusal::NoUsername)),
                ],
            ),
            Self::Restricted => (
                "The token is restricted to other uses.",
                vec![("restricted", "A restricted token", Fault::Forbidden)],
            ),
            Self::NotAcceptable => (
                "`Accept` does not admit `application/json`.",
                vec![("format", "No JSON", Fault::NotAcceptable)],
            ),
            Self::TooLarge => (
                "The body has more bytes than `archive.body` of the configuration allows.",
                vec![("large", "Too large", Fault::TooLarge { limit: config.archive.body.as_u64() })],
            ),
            Self::MediaType => (
                "The body's media type is none of the three.",
                vec![("plain", "Plain text", Fault::Media("text/plain".into()))],
            ),
            Self::Throttled => (
                "The user has sent as many requests as `archive.rate_limit` of the configuration allows, \
                 over all operations on rows together.",
                vec![("throttled", "Too many requests", Fault::Throttled { seconds: 37 })],
            ),
            Self::Failed => (
                "The database failed. The server's log says more.",
                vec![("io", "A disk that fails", store(StoreError::Io { detail: "disk I/O error".into() }))],
            ),
            Self::Unavailable => (
                "The database cannot answer now. `Retry-After`, when it is there, says when to send the \
                 request again.",
                vec![
                    ("busy", "Locked by another process", store(StoreError::Busy)),
                    ("overloaded", "Too many requests wait", store(StoreError::Overloaded)),
                    ("read-only", "The file cannot be written", store(StoreError::ReadOnly)),
                ],
            ),
            Self::Full => (
                "The database has no room. Nothing was written; reading and deleting go on.",
                vec![("full", "No room", store(StoreError::Full))],
            ),
        };
        let challenge = HeaderValue::try_from(format!("{prefix} realm=\"api\""));
        let challenge = challenge.unwrap_or_else(|_| HeaderValue::from_static("JWT realm=\"api\""));
        refused(description, schema_of::<Detail>(), faults, &challenge)
    }

    /// A reference to it, under its status.
    fn reference(self, config: &Config) -> Answer {
        (self.answer(config).0.as_str().to_owned(), Ref::from_response_name(self.name()).into())
    }
}

/// References to shared answers.
pub(super) fn shared<'a>(
    config: &'a Config,
    which: impl IntoIterator<Item = Shared> + 'a,
) -> impl Iterator<Item = Answer> + 'a {
    which.into_iter().map(|shared| shared.reference(config))
}

/// Several refusals that share a status.
fn refused(
    description: &str,
    schema: RefOr<Schema>,
    faults: Vec<(&str, &str, Fault)>,
    challenge: &HeaderValue,
) -> (StatusCode, Response) {
    let mut status = StatusCode::BAD_REQUEST;
    let mut headers = HeaderMap::new();
    let mut examples = Vec::with_capacity(faults.len());
    for (name, summary, fault) in faults {
        status = fault.status();
        headers.extend(fault.headers(challenge));
        examples.push(Shown::new(name, summary, fault.body()));
    }
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/json", content(schema, examples));
    let response = told(&headers).fold(response, |response, (name, header)| response.header(name, header));
    (status, response.build())
}

/// An operation's own refusals, which share a status.
pub(super) fn own(description: &str, schema: RefOr<Schema>, faults: Vec<(&str, &str, Fault)>) -> Answer {
    let (status, response) = refused(description, schema, faults, &HeaderValue::from_static(""));
    (status.as_str().to_owned(), response.into())
}

/// 400 in its shapes. What is refused before anything of the API is looked at has its answer in HTML, as with Django.
fn bad(description: &str, shapes: Vec<RefOr<Schema>>, faults: Vec<(&str, &str, Fault)>) -> Answer {
    let schema = shapes.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item);
    let (status, response) = refused(description, schema.into(), faults, &HeaderValue::from_static(""));
    let response = ResponseBuilder::from(response).content("text/html", content(text(), Vec::new()));
    (status.as_str().to_owned(), response.build().into())
}

/// 400 for a request that is none, to an operation that reads nothing of it.
pub(super) fn bad_request() -> Answer {
    let description = "`Host` names no host, or the query has more than 1000 parameters.";
    answer(StatusCode::BAD_REQUEST, description, "text/html", content(text(), Vec::new()))
}

/// 400 for a query that cannot be read.
pub(super) fn bad_query() -> Answer {
    let shapes = vec![schema_of::<FieldErrors>(), schema_of::<CourseFilterError>()];
    bad("A filter cannot be read.", shapes, bad_filters())
}

/// 400 for a body that cannot be taken. `filters` when the request has some.
pub(super) fn bad_body(with_filters: bool) -> Answer {
    let mut faults = vec![
        ("fields", "Every wrong field is named", judged(r#"{"user": true, "is_archived": "perhaps"}"#)),
        ("course-key", "Not a course key", judged(r#"{"course_id": "DemoX"}"#)),
        (
            "duplicate",
            "The user has a row for this course",
            Refusal::Invalid(Invalid::whole(DUPLICATE)).into(),
        ),
        ("not-an-object", "Not an object", judged("[]")),
        ("syntax", "Not JSON", judged("{")),
    ];
    let mut shapes = vec![schema_of::<FieldErrors>(), schema_of::<Detail>()];
    if with_filters {
        faults.extend(bad_filters());
        shapes.push(schema_of::<CourseFilterError>());
    }
    bad("The body is not what it must be. Nothing was written.", shapes, faults)
}

/// The wording of `hookbox_archive`, which a test holds against what the Django plugin answered.
pub(super) const DUPLICATE: &str = "The fields course_id, user must make a unique set.";

/// What the rules say of a body.
fn judged(json: &str) -> Fault {
    let body = match read_json(json) {
        Ok(body) => body,
        Err(error) => return Fault::Malformed(format!("JSON parse error - {error}")),
    };
    let draft = Draft::read(&body, Write::Create);
    match draft.map(|draft| draft.settle(|_| Ok::<_, Infallible>(true))) {
        Err(invalid) | Ok(Ok(Err(invalid))) => Refusal::Invalid(invalid).into(),
        Ok(Ok(Ok(_))) => Refusal::Invalid(Invalid::default()).into(),
    }
}

/// What the rules say of a filter.
fn filtered(name: &str, value: &str) -> Fault {
    let params = Params(vec![(name.to_owned(), value.to_owned())]);
    let filters = Filters::read(&params);
    let settled = filters.and_then(|filters| filters.settle(None, |_| Ok::<_, StoreError>(true)));
    settled.map_or_else(Fault::from, |_| Fault::BadRequest(""))
}

fn bad_filters() -> Vec<(&'static str, &'static str, Fault)> {
    vec![
        ("course-filter", "A course_id filter that is no course key", filtered("course_id", "DemoX")),
        ("user-filter", "A user filter that names nobody", filtered("user", "nobody")),
    ]
}

/// 403 for a row of another user, beside a restricted token.
pub(super) fn forbidden(act: hookbox_archive::Act) -> Answer {
    own(
        "The token is restricted to other uses, or the body names another user and the caller is neither \
         staff nor a superuser.",
        schema_of::<Detail>(),
        vec![
            ("restricted", "A restricted token", Fault::Forbidden),
            ("another", "Another user's row", Fault::Refused(Refusal::ForAnother(act))),
        ],
    )
}

/// 404 for a row.
pub(super) fn no_row() -> Answer {
    own(
        "The caller sees no row with that id. Another user's row looks the same to others than staff.",
        schema_of::<Detail>(),
        vec![
            ("no-row", "No such row", Fault::Refused(Refusal::NoMatch)),
            ("no-id", "Not a number", Fault::Refused(Refusal::NotAnId)),
        ],
    )
}

/// 404 for a page.
pub(super) fn no_page() -> Answer {
    own(
        "There is no such page.",
        schema_of::<Detail>(),
        vec![("page", "No such page", Fault::Refused(Refusal::InvalidPage))],
    )
}
