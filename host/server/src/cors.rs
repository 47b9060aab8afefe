//! Pages on other origins: which may call the archive API, with cookies.
//!
//! Not `tower_http`'s layer: that one answers every OPTIONS request, and here OPTIONS without a configured origin is an
//! answer of the API itself.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `[cors]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsTable {
    /// Origins whose pages may call the archive API with the user's cookies, such as `https://apps.example.com`.
    /// Default: none.
    pub origins: Vec<String>,
}

/// Seconds that a browser may remember a preflight's answer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
const EXPOSED: HeaderValue = HeaderValue::from_static("Allow, Retry-After, WWW-Authenticate");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The configured origins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// # Errors
    /// What is not an origin, as a sentence.
    pub(crate) fn new(table: &CorsTable) -> Result<Self, String> {
        let origins = table.origins.iter().map(|origin| read_origin(origin)).collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    fn knows(&self, origin: &HeaderValue) -> bool {
        self.origins.contains(origin)
    }

    /// The answer to a browser that asks whether it may send a request.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let origin = headers.get(ORIGIN).filter(|origin| self.knows(origin))?;
        if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        let answer = response.headers_mut();
        self.allow(Some(origin), answer);
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        Some(response)
    }

    /// Adds to an answer that the page may read it. The only `Vary` that an answer has so far is `Cookie`.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        let vary = match answer.get(VARY) {
            Some(_) => HeaderValue::from_static("Cookie, Origin"),
            None => HeaderValue::from_static("Origin"),
        };
        answer.insert(VARY, vary);
        if let Some(origin) = origin.filter(|origin| self.knows(origin)) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Scheme, host and perhaps a port, and nothing else: a browser sends no more.
fn read_origin(origin: &str) -> Result<HeaderValue, String> {
    let bad = || {
        format!(
            "{origin:?} is no origin: write scheme, host and perhaps a port, such as \"https://apps.example.com\""
        )
    };
    let uri: Uri = origin.parse().map_err(|_| bad())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(bad()) };
    let plain = format!("{scheme}://{authority}").to_ascii_lowercase();
    if origin != plain || authority.as_str().contains(['@', '*']) || !matches!(scheme, "http" | "https") {
        return Err(bad());
    }
    HeaderValue::from_str(origin).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Result<Cors, String> {
        Cors::new(&CorsTable { origins: origins.iter().map(|origin| (*origin).to_owned()).collect() })
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_origins_are_origins() {
        assert!(cors(&["https://apps.example.com", "http://localhost:1997"]).is_ok());
        for bad in [
            "*",
            "apps.example.com",
            "https://apps.example.com/",
            "https://a b",
            "ftp://a",
            "https://A.com",
            "https://*.a.com",
            "null",
        ] {
            let message = cors(&[bad]).unwrap_err();
            assert!(message.contains("no origin"), "{message}");
        }
    }

    #[test]
    fn a_preflight_of_a_configured_origin_is_answered_and_no_other() {
        let cors = cors(&["https://apps.example.com"]).unwrap();
        let asked = [
            ("origin", "https://apps.example.com"),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "content-type,x-csrftoken"),
        ];
        let answer = cors.preflight(&Method::OPTIONS, &headers(&asked)).unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://apps.example.com");
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "content-type,x-csrftoken");
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert!(cors.preflight(&Method::GET, &headers(&asked)).is_none());
        assert!(cors.preflight(&Method::OPTIONS, &headers(&asked[..1])).is_none());
        let strange = [("origin", "https://evil.example.com"), ("access-control-request-method", "PATCH")];
        assert!(cors.preflight(&Method::OPTIONS, &headers(&strange)).is_none());
    }

    #[test]
    fn answers_say_who_may_read_them() {
        let cors = cors(&["https://apps.example.com"]).unwrap();
        let mut answer = HeaderMap::new();
        cors.allow(Some(&HeaderValue::from_static("https://evil.example.com")), &mut answer);
        assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
        assert_eq!(answer[VARY], "Origin");
        let mut answer = HeaderMap::new();
        Cors::default().allow(Some(&HeaderValue::from_static("https://apps.example.com")), &mut answer);
        assert!(answer.is_empty(), "nothing is configured, nothing changes");
    }
}
