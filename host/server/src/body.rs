//! A request's JSON body: bounded, of the right media type, not too deep.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use hookbox_hooks::check::json_depth_exceeds;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Levels of nesting in a request's JSON.
const JSON_DEPTH: usize = 64;

/// The body as bytes, at most as many as the configuration allows.
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "the body is larger than `server.body` of the configuration allows",
            ),
            other => Problem::new(StatusCode::BAD_REQUEST, "body-unreadable", other.body_text()),
        })
    }
}

/// The body as one JSON object.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for JsonObject {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // A browser sends JSON across origins only after asking. That is what keeps a strange page from calling a
        // host on the visitor's own machine.
        if !is_json(request.headers()) {
            let detail = "send the arguments with Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail));
        }
        let Body(bytes) = Body::from_request(request, state).await?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| invalid_json(&error))?;
        check_depth(&value)?;
        match value {
            Value::Object(object) => Ok(Self(object)),
            other => {
                let detail =
                    format!("expected a JSON object with the filter's arguments, found {}", kind(&other));
                Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-an-object", detail))
            }
        }
    }
}

/// What the body tells to do; no body at all is `{}`.
#[derive(Debug)]
pub(crate) struct Told<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let Body(bytes) = Body::from_request(request, state).await?;
        let text: &[u8] = match (&bytes[..], json) {
            ([], _) => b"{}",
            (text, true) => text,
            (_, false) => {
                let detail = "send what is to be done with Content-Type: application/json";
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported-media-type",
                    detail,
                ));
            }
        };
        serde_json::from_slice(text).map(Self).map_err(|error| match error.classify() {
            Category::Data => bad_body(&error),
            _ => invalid_json(&error),
        })
    }
}

/// 422 for JSON that says something else than what is asked for.
pub(crate) fn bad_body(error: &serde_json::Error) -> Problem {
    let said: String = error.to_string().chars().take(400).collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-body", format!("the body cannot be done: {said}"))
}

pub(crate) fn invalid_json(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-json", format!("the body is not JSON: {error}"))
}

pub(crate) fn check_depth(value: &Value) -> Result<(), Problem> {
    if json_depth_exceeds(value, JSON_DEPTH) {
        let detail = format!("the body nests deeper than {JSON_DEPTH} levels");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "json-too-deep", detail));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
