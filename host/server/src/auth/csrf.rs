//! Django's protection against requests that a foreign page makes with the user's cookies
//! (`django.middleware.csrf`), as far as it can be had behind a proxy.

use axum::http::{HeaderMap, HeaderName, Method, header};
use subtle::ConstantTimeEq;

use super::credentials::Cookies;
use super::error::AuthError;
use super::names::plain;
use super::refusal::Reason;
use super::table::AuthTable;

/// `CSRF_SECRET_LENGTH`. A masked token is two of these: the mask, and the secret under it.
const SECRET: usize = 32;
/// `CSRF_ALLOWED_CHARS`; a token's letters count by their place in it.
const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// What a writing request with cookies must show.
pub(super) struct Csrf {
    cookie: String,
    header: HeaderName,
    origins: Vec<Origin>,
}

/// An origin whose pages may write.
enum Origin {
    Exact(String),
    /// `https://*.example.com`, kept as `https` and `.example.com`.
    Subdomains {
        scheme: String,
        suffix: String,
    },
}

impl Csrf {
    pub(super) fn new(table: &AuthTable) -> Result<Self, AuthError> {
        let header = HeaderName::try_from(table.csrf_header.as_str())
            .map_err(|_| AuthError::Name { key: "csrf_header", value: table.csrf_header.clone() })?;
        let mut csrf =
            Self { cookie: plain("csrf_cookie", &table.csrf_cookie)?, header, origins: Vec::new() };
        csrf.trust(table.trusted_origins.clone())?;
        Ok(csrf)
    }

    /// Adds trusted origins.
    pub(super) fn trust(&mut self, origins: Vec<String>) -> Result<(), AuthError> {
        let parsed: Result<Vec<_>, _> = origins.into_iter().map(Origin::parse).collect();
        self.origins.extend(parsed?);
        Ok(())
    }

    /// Whether a request that carries its token in cookies may do what it asks.
    pub(super) fn check(
        &self,
        method: &Method,
        headers: &HeaderMap,
        cookies: &Cookies,
        form_token: Option<&str>,
    ) -> Result<(), Reason> {
        if [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method) {
            return Ok(());
        }
        if !self.origin_is_trusted(headers) {
            return Err(Reason::Origin);
        }
        let secret = cookies.get(&self.cookie).and_then(|cookie| unmasked(cookie.as_bytes()));
        let secret = secret.ok_or(Reason::CsrfCookie)?;
        // A form's own token goes before the header, as in Django.
        let shown = form_token.filter(|token| !token.is_empty()).or_else(|| only(headers, &self.header));
        let shown = shown.and_then(|value| unmasked(value.as_bytes()));
        let shown = shown.ok_or(Reason::CsrfHeader)?;
        if bool::from(secret.ct_eq(&shown)) { Ok(()) } else { Err(Reason::CsrfHeader) }
    }

    /// Browsers say which page a request comes from. It must be this host's, under either scheme since a proxy hides
    /// which one the browser used, or a trusted one. Without the header there is nothing to check.
    fn origin_is_trusted(&self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::ORIGIN) {
            return true;
        }
        let Some(origin) = only(headers, &header::ORIGIN) else {
            return false;
        };
        let host = only(headers, &header::HOST);
        let own = host.zip(origin.split_once("://")).is_some_and(|(host, (scheme, authority))| {
            matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(host)
        });
        own || self.origins.iter().any(|trusted| trusted.matches(origin))
    }
}

impl Origin {
    fn parse(value: String) -> Result<Self, AuthError> {
        let sound = |scheme: &str, host: &str| {
            let scheme_is = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
            let host_is = host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*\\".contains(&byte));
            scheme_is && host_is && !scheme.is_empty() && !host.is_empty()
        };
        match value.split_once("://") {
            Some((scheme, host)) if sound(scheme, host) => Ok(Self::Exact(value)),
            Some((scheme, host)) => match host.strip_prefix("*.") {
                Some(domain) if sound(scheme, domain) => {
                    Ok(Self::Subdomains { scheme: scheme.to_owned(), suffix: format!(".{domain}") })
                }
                _ => Err(AuthError::Origin { value }),
            },
            None => Err(AuthError::Origin { value }),
        }
    }

    /// A domain with a star is meant with its own name as well, as in Django.
    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(trusted) => origin.eq_ignore_ascii_case(trusted),
            Self::Subdomains { scheme, suffix } => origin.split_once("://").is_some_and(|(its, host)| {
                let host = format!(".{}", host.to_ascii_lowercase());
                its.eq_ignore_ascii_case(scheme) && host.ends_with(&suffix.to_ascii_lowercase())
            }),
        }
    }
}

/// The header's value, when it is there once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The secret in a token of either form; none where the length or a letter is wrong.
fn unmasked(token: &[u8]) -> Option<[u8; SECRET]> {
    let place = |letter: &u8| LETTERS.iter().position(|known| known == letter);
    let places: Vec<usize> = token.iter().map(place).collect::<Option<_>>()?;
    let mut secret = [0; SECRET];
    match places.len() {
        SECRET => secret.copy_from_slice(token),
        length if length == 2 * SECRET => {
            let (mask, cipher) = places.split_at(SECRET);
            for (out, (mask, cipher)) in secret.iter_mut().zip(mask.iter().zip(cipher)) {
                *out = LETTERS[(cipher + LETTERS.len() - mask) % LETTERS.len()];
            }
        }
        _ => return None,
    }
    Some(secret)
}
