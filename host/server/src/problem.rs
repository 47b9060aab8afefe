//! Errors as `application/problem+json` (RFC 9457) with a stable `code`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookbox_hooks::Mismatch;
use hookbox_store::StoreError;
use serde_json::{Map, Value, json};

use crate::archive::status_of;

/// An error answer: why something was not done.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    members: Map<String, Value>,
    retry_after_seconds: Option<u32>,
    challenge: Option<HeaderValue>,
}

impl Problem {
    /// `code` never changes once published; `detail` is for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            members: Map::new(),
            retry_after_seconds: None,
            challenge: None,
        }
    }

    /// 401 with what to log in with.
    pub(crate) fn unauthenticated(reason: &str, challenge: HeaderValue) -> Self {
        let detail = format!(
            "{reason} Send Authorization: JWT TOKEN; `hookbox token --user NAME --staff` makes one on the server"
        );
        let problem = Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
        Self { challenge: Some(challenge), ..problem }
    }

    /// 403: logged in, and not as somebody who may call hooks.
    pub(crate) fn forbidden() -> Self {
        let detail = "this is for staff, superusers, and tokens with the scope hooks:run";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 403: logged in, and not as somebody who may administer the host.
    pub(crate) fn forbidden_to_all_but_staff() -> Self {
        let detail = "this is for staff and superusers; a scope does not do";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// A store that cannot do its part.
    pub(crate) fn store(error: &StoreError) -> Self {
        let mut problem = Self::new(status_of(error), error.code(), error.to_string());
        if matches!(error, StoreError::Busy | StoreError::Overloaded) {
            problem.retry_after_seconds = Some(1);
        }
        problem
    }

    /// A value that does not fit the contract: 422 with the place.
    pub(crate) fn mismatch(code: &'static str, mismatch: &Mismatch) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, mismatch.to_string())
            .with("path", &mismatch.path)
            .with("expected", &mismatch.expected)
            .with("found", &mismatch.found)
    }

    /// 503 with `Retry-After`.
    pub(crate) fn busy(code: &'static str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        problem.retry_after_seconds = Some(1);
        problem
    }

    /// Says when to send the request again.
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// Adds a member of its own.
    pub(crate) fn with(mut self, key: &str, value: impl serde::Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.members.insert(key.to_owned(), value);
        self
    }
}

impl Problem {
    /// Its stable name.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The answer's body, a JSON object.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "type": format!("urn:hookbox:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Value::Object(object) = &mut body {
            object.extend(self.members.clone());
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
