//! How requests say who sends them.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};

use crate::auth::AuthTable;

// The schemes stand in the order of these names.
const TOKEN: &str = "authorization";
const COOKIE_PAYLOAD: &str = "cookiePayload";
const COOKIE_SIGNATURE: &str = "cookieSignature";
const CSRF_COOKIE: &str = "csrfCookie";
const CSRF_HEADER: &str = "csrfHeader";

/// The schemes, with the names that the configuration gives to header and cookies.
pub(super) fn schemes(table: &AuthTable) -> [(&'static str, SecurityScheme); 5] {
    let prefix = &table.header_prefix;
    let token = format!(
        "A JSON Web Token of the platform's, after the word `{prefix}`: `Authorization: {prefix} <token>`. \
         The header decides, good or bad: beside it cookies are not looked at. `hookbox token --user NAME` \
         makes one on the server."
    );
    let payload = "The first two parts of a token, as the platform's login sets them. Goes with the \
                   signature's cookie. Requests that write need the CSRF pair too.";
    let csrf = "The CSRF token that Django made, for requests that write with cookies.";
    let repeated = format!(
        "The same token as in the cookie `{}`, plain or masked. A form that is sent with POST may hold it in \
         its field `csrfmiddlewaretoken` instead. A page of another origin must also be configured.",
        table.csrf_cookie
    );
    let cookie = |name: &str, description: &str| {
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(name, description)))
    };
    let header = |name: &str, description: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
    };
    [
        (TOKEN, header("Authorization", &token)),
        (COOKIE_PAYLOAD, cookie(&table.cookie_header_payload, payload)),
        (COOKIE_SIGNATURE, cookie(&table.cookie_signature, "The last part of the same token.")),
        (CSRF_COOKIE, cookie(&table.csrf_cookie, csrf)),
        (CSRF_HEADER, header(&table.csrf_header, &repeated)),
    ]
}

/// What an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    /// Nothing; credentials are looked at when they are there.
    Optional,
    /// Somebody, by token or by cookies.
    Reads,
    /// The same; cookies need the CSRF pair.
    Writes,
}

impl Login {
    /// The alternatives, as the document lists them.
    pub(super) fn requirements(self) -> Vec<SecurityRequirement> {
        let none: [&str; 0] = [];
        let token = SecurityRequirement::new(TOKEN, none);
        let cookies = SecurityRequirement::new(COOKIE_PAYLOAD, none).add(COOKIE_SIGNATURE, none);
        match self {
            Self::Optional => vec![SecurityRequirement::default(), token, cookies],
            Self::Reads => vec![token, cookies],
            Self::Writes => vec![token, cookies.add(CSRF_COOKIE, none).add(CSRF_HEADER, none)],
        }
    }
}
