//! Who calls. Open edX's JSON Web Tokens, from the `Authorization` header or from cookies, with the rules and the
//! words of `edx-drf-extensions` 10.9 (`JwtAuthentication`), but without Django's sessions.
//!
//! [`Authenticator`] is built once from `[auth]` and knows nothing of routes or users: it answers with [`Claims`] or
//! a [`Refusal`]. Whether a route needs a login, a scope or an unrestricted token is the route's business.

mod claims;
mod credentials;
mod csrf;
mod error;
mod keys;
mod names;
mod python;
mod refusal;
mod secret;
mod sign;
mod table;
mod token;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderValue, Method};

pub(crate) use claims::Claims;
pub(crate) use credentials::Source;
pub use error::AuthError;
pub(crate) use refusal::{Reason, Refusal};
pub use sign::TokenRequest;
pub use table::AuthTable;

use claims::Rules;
use credentials::{Cookies, Places};
use csrf::Csrf;
use keys::Keys;

/// Checks requests and makes tokens, as `[auth]` says.
pub struct Authenticator {
    keys: Keys,
    rules: Rules,
    places: Places,
    csrf: Csrf,
    challenge: HeaderValue,
    made: Option<PathBuf>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator")
            .field("keys", &self.keys)
            .field("rules", &self.rules)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Reads keys and checks the table. Relative paths in the table start from `folder`. Where the table names no key
    /// at all, the secret is `jwt-secret` in the folder `data`; it is made, for the host's user alone, when it is not
    /// there.
    ///
    /// # Errors
    /// The first mistake in the table, or a file that cannot be used. See [`AuthError`].
    pub fn new(table: &AuthTable, folder: &Path, data: &Path) -> Result<Self, AuthError> {
        let rules = Rules::new(table)?;
        let places = Places::new(table)?;
        let csrf = Csrf::new(table)?;
        let challenge = format!("{} realm=\"api\"", table.header_prefix);
        let challenge = HeaderValue::try_from(challenge)
            .map_err(|_| AuthError::Name { key: "header_prefix", value: table.header_prefix.clone() })?;
        let jwks = table.jwks.as_deref().map(|jwks| keys::jwks(jwks, folder)).transpose()?;
        let found = secret::find(table, folder, data)?;
        let keys = Keys::new(found.secret.as_deref(), jwks.unwrap_or_default());
        Ok(Self { keys, rules, places, csrf, challenge, made: found.made })
    }

    /// Lets pages of further origins write with cookies, over `auth.trusted_origins`: those that CORS admits.
    ///
    /// # Errors
    /// [`AuthError::Origin`] for a text that is no origin, such as `*`.
    pub fn trust_origins(&mut self, origins: Vec<String>) -> Result<(), AuthError> {
        self.csrf.trust(origins)
    }

    /// The file of the secret, when [`Authenticator::new`] has just made it.
    pub fn made_secret(&self) -> Option<&Path> {
        self.made.as_deref()
    }

    /// What `WWW-Authenticate` says beside every 401: `JWT realm="api"`.
    pub(crate) fn challenge(&self) -> HeaderValue {
        self.challenge.clone()
    }

    /// Who sent this request. Why a token is not taken is logged at debug.
    ///
    /// A token in the header is final, good or bad. Anything wrong with one in cookies, a missing CSRF token
    /// included, counts as no credentials, as upstream's forgiving authentication has it. A header that repeats the
    /// cookies' token counts as cookies. `form_token` is the `csrfmiddlewaretoken` of a form that was sent with POST.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub(crate) fn authenticate(
        &self,
        method: &Method,
        headers: &HeaderMap,
        form_token: Option<&str>,
    ) -> Result<Claims, Refusal> {
        self.check_at(method, headers, form_token, seconds_now())
    }

    #[cfg(test)]
    fn authenticate_at(&self, method: &Method, headers: &HeaderMap, now: u64) -> Result<Claims, Refusal> {
        self.check_at(method, headers, None, now)
    }

    fn check_at(
        &self,
        method: &Method,
        headers: &HeaderMap,
        form_token: Option<&str>,
        now: u64,
    ) -> Result<Claims, Refusal> {
        let cookies = Cookies::of(headers);
        let presented = self.places.find(headers, &cookies).ok_or(Refusal::NotProvided)?;
        let claims = token::open(&presented.token, &self.keys)
            .map_err(Refusal::from)
            .and_then(|payload| self.rules.read(&payload, now, presented.source));
        let allowed = match presented.source {
            Source::Header => claims,
            Source::Cookie => claims.and_then(|claims| {
                self.csrf.check(method, headers, &cookies, form_token)?;
                Ok(claims)
            }),
        };
        allowed.map_err(|refusal| {
            tracing::debug!(source = ?presented.source, reason = %refusal, "a token is not taken");
            match presented.source {
                Source::Header => refusal,
                Source::Cookie => Refusal::NotProvided,
            }
        })
    }
}

/// Whole seconds since 1970. A clock before that makes every token one of the future.
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
