//! Short forms of what operations are made of.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathItemBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Content, ContentBuilder, Header, Ref, RefOr, Required, Response};

use super::schemas::ProblemDetails;
use crate::problem::Problem;

/// The media type of problems.
const PROBLEM: &str = "application/problem+json";

/// An answer with the status it has, as [`utoipa::openapi::ResponsesBuilder`] takes them.
pub(super) type Answer = (String, RefOr<Response>);

/// One example: its name, what it shows, and the value.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) value: Value,
}

impl Shown {
    pub(super) fn new(name: &str, summary: &str, value: Value) -> Self {
        Self { name: name.to_owned(), summary: summary.to_owned(), value }
    }
}

/// A reference to a type's schema in the components.
pub(super) fn schema_of<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// An object whose members depend on something else.
pub(super) fn any_object(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Object).description(Some(description)).into()
}

/// Text as it comes.
pub(super) fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// What an operation is called and does. `id` never changes: generated clients name their functions after it.
pub(super) fn operation(tag: &str, id: &str, summary: &str, description: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(id))
        .summary(Some(summary))
        .description(Some(description))
}

/// A form of [`OperationBuilder::response`] for many.
pub(super) trait Responses {
    /// Adds answers.
    fn responses_of(self, answers: impl IntoIterator<Item = Answer>) -> Self;
}

impl Responses for OperationBuilder {
    fn responses_of(self, answers: impl IntoIterator<Item = Answer>) -> Self {
        answers.into_iter().fold(self, |operation, (status, answer)| operation.response(status, answer))
    }
}

/// A path with its operations.
pub(super) fn item<const N: usize>(operations: [(HttpMethod, OperationBuilder); N]) -> PathItem {
    operations
        .into_iter()
        .fold(PathItemBuilder::new(), |item, (method, operation)| item.operation(method, operation))
        .build()
}

/// 64 bits.
pub(super) fn int64() -> SchemaFormat {
    SchemaFormat::KnownFormat(KnownFormat::Int64)
}

/// A parameter that may be left out, unless it is in the path.
pub(super) fn parameter(
    place: ParameterIn,
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
    example: Option<Value>,
) -> ParameterBuilder {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(description))
        .schema(Some(schema))
        .example(example)
}

/// Content with one example, or several with names.
pub(super) fn content(schema: RefOr<Schema>, examples: Vec<Shown>) -> Content {
    let content = ContentBuilder::new().schema(Some(schema));
    let mut examples = examples;
    match examples.pop() {
        Some(only) if examples.is_empty() => content.example(Some(only.value)).build(),
        last => {
            let named = examples.into_iter().chain(last).map(|shown| {
                let example = ExampleBuilder::new().summary(shown.summary).value(Some(shown.value));
                (shown.name, example.build())
            });
            content.examples_from_iter(named).build()
        }
    }
}

/// A body that must be there, in each of its media types.
pub(super) fn body<'a>(
    description: &str,
    contents: impl IntoIterator<Item = (&'a str, Content)>,
) -> RequestBodyBuilder {
    let body = RequestBodyBuilder::new().description(Some(description)).required(Some(Required::True));
    contents.into_iter().fold(body, |body, (media, content)| body.content(media, content))
}

/// An answer in JSON.
pub(super) fn json(
    status: StatusCode,
    description: &str,
    schema: RefOr<Schema>,
    examples: Vec<Shown>,
) -> Answer {
    answer(status, description, "application/json", content(schema, examples))
}

/// An answer in any media type.
pub(super) fn answer(status: StatusCode, description: &str, media: &str, content: Content) -> Answer {
    let response = ResponseBuilder::new().description(description).content(media, content);
    (status.as_str().to_owned(), response.build().into())
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode, description: &str) -> Answer {
    (status.as_str().to_owned(), ResponseBuilder::new().description(description).build().into())
}

/// The problems that share a status, each as an example under its code.
pub(super) fn problems(status: StatusCode, description: &str, problems: Vec<Problem>) -> Answer {
    let mut headers = HeaderMap::new();
    let mut examples = Vec::with_capacity(problems.len());
    for problem in problems {
        let value = problem.body();
        let summary = problem.code();
        examples.push(Shown::new(problem.code(), summary, value));
        headers.extend(problem.into_response().headers().clone());
    }
    let response = ResponseBuilder::new()
        .description(description)
        .content(PROBLEM, content(schema_of::<ProblemDetails>(), examples));
    let response = told(&headers).fold(response, |response, (name, header)| response.header(name, header));
    (status.as_str().to_owned(), response.build().into())
}

/// The same answer with one header more.
pub(super) fn header_of((status, answer): Answer, name: &str, description: &str, example: Value) -> Answer {
    let RefOr::T(mut answer) = answer else { return (status, answer) };
    let kind = if example.is_number() { Type::Integer } else { Type::String };
    let schema = ObjectBuilder::new().schema_type(kind);
    let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description));
    answer.headers.insert(name.to_owned(), header.example(Some(example)).build().into());
    (status, answer.into())
}

/// The headers of a refusal that clients act on.
pub(super) fn told(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, Header)> {
    let of = |name: header::HeaderName, shown, kind, description| {
        let value = headers.get(name)?.to_str().ok()?.to_owned();
        let value: Value = match kind {
            Type::Integer => value.parse::<u64>().ok()?.into(),
            _ => value.into(),
        };
        let schema = ObjectBuilder::new().schema_type(kind);
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description));
        Some((shown, header.example(Some(value)).build()))
    };
    let wait = "Seconds until the request is worth sending again.";
    let challenge = "How to log in.";
    [
        of(header::RETRY_AFTER, "Retry-After", Type::Integer, wait),
        of(header::WWW_AUTHENTICATE, "WWW-Authenticate", Type::String, challenge),
    ]
    .into_iter()
    .flatten()
}
