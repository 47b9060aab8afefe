//! What ends a request before or in place of its answer, as status, headers and body.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hookbox_archive::Refusal;
use hookbox_store::StoreError;
use serde_json::{Value, json};

/// Why a request has no answer of its own.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The client takes no JSON.
    NotAcceptable,
    /// The path's suffix names a format that is not served.
    NoSuchFormat,
    /// Too many parameters or fields, or `Host` is no host: refused before the REST framework, in HTML.
    BadRequest(&'static str),
    /// Nobody is logged in, or the token is not good.
    Unauthenticated(crate::auth::Refusal),
    /// The token is for other uses.
    Forbidden,
    /// Too many requests.
    Throttled {
        /// Seconds until the next one is let through.
        seconds: u64,
    },
    /// The resource does not take this method.
    Method(Method),
    /// The body has a media type that is not read.
    Media(String),
    /// The body is not what its media type says.
    Malformed(String),
    /// The body is too large.
    TooLarge {
        /// The most bytes that it may have.
        limit: u64,
    },
    /// The rules refuse it.
    Refused(Refusal),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(Refusal::Store(error))
    }
}

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::NoSuchFormat => StatusCode::NOT_FOUND,
            Self::BadRequest(_) | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Media(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Refused(refusal) => match refusal {
                Refusal::Invalid(_) | Refusal::CourseFilter | Refusal::UserFilter(_) => {
                    StatusCode::BAD_REQUEST
                }
                Refusal::NotAnId | Refusal::NoMatch | Refusal::InvalidPage => StatusCode::NOT_FOUND,
                Refusal::ForAnother(_) => StatusCode::FORBIDDEN,
                Refusal::Store(error) => status_of(error),
            },
        }
    }

    pub(crate) fn body(&self) -> Value {
        let detail = match self {
            Self::NotAcceptable => "Could not satisfy the request Accept header.".to_owned(),
            Self::NoSuchFormat => "Not found.".to_owned(),
            Self::BadRequest(detail) => (*detail).to_owned(),
            Self::Unauthenticated(refusal) => refusal.detail().to_owned(),
            Self::Forbidden => "You do not have permission to perform this action.".to_owned(),
            Self::Throttled { seconds } => {
                let unit = if *seconds == 1 { "second" } else { "seconds" };
                format!("Request was throttled. Expected available in {seconds} {unit}.")
            }
            Self::Method(method) => format!("Method \"{method}\" not allowed."),
            Self::Media(media) => format!("Unsupported media type \"{media}\" in request."),
            Self::Malformed(detail) => detail.clone(),
            Self::TooLarge { limit } => {
                format!(
                    "The body is larger than {limit} bytes, the most that `archive.body` of the configuration allows."
                )
            }
            Self::Refused(refusal) => return refusal.body(),
        };
        json!({"detail": detail})
    }

    /// Headers of its own.
    pub(crate) fn headers(&self, challenge: &HeaderValue) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            Self::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
            }
            Self::Throttled { seconds } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Self::Refused(Refusal::Store(
                StoreError::Busy | StoreError::Overloaded | StoreError::Aborted,
            )) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(1_u64));
            }
            _ => {}
        }
        headers
    }
}

/// The status of a store that cannot do its part.
pub(crate) fn status_of(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Full => StatusCode::INSUFFICIENT_STORAGE,
        StoreError::Busy
        | StoreError::Overloaded
        | StoreError::Aborted
        | StoreError::ReadOnly
        | StoreError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
