//! The promises of the module. Here: a site's configuration, its keys, its tokens and its requests.

mod configuration;
mod cookies;
mod header;
mod mapping;
mod outcomes;
mod payload;
mod random;
mod secret;
mod sign;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::refusal::Reason;
use super::{AuthTable, Authenticator, Claims, Refusal};

/// The moment of the recorded requests.
const NOW: u64 = 1_795_372_950;
const SECRET: &str = "a secret that the platform shares with its services";
const JWKS: &str = include_str!("../../tests-data/jwks_test.json");
/// The private half of the second key in that set.
const RSA_KEY: &str = include_str!("../../tests-data/rsa_test_key.b64");
const CSRF: &str = "abcdefghijklmnopqrstuvwxyz012345";

/// A site with everything configured.
fn table() -> AuthTable {
    AuthTable {
        secret: Some(SECRET.into()),
        jwks: Some(JWKS.into()),
        audience: vec!["openedx".into()],
        issuers: vec!["http://lms.example/oauth2".into()],
        ..AuthTable::default()
    }
}

fn authenticator(table: &AuthTable) -> Authenticator {
    let nowhere = std::path::Path::new("/nonexistent");
    Authenticator::new(table, nowhere, nowhere).unwrap()
}

/// What the platform writes into a token.
fn claims() -> Value {
    json!({
        "aud": "openedx", "exp": 2_110_732_957_u64, "iat": NOW - 3, "iss": "http://lms.example/oauth2",
        "preferred_username": "alice", "scopes": ["user_id", "email", "profile"], "version": "1.2.0",
        "sub": "anon-id-1", "filters": ["user:me"], "is_restricted": false, "email_verified": true, "user_id": 7,
        "email": "alice@example.com", "administrator": false, "superuser": false, "name": "Alice",
        "grant_type": "password",
    })
}

/// The claims with one of them changed.
fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

/// The claims with one of them left out.
fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().shift_remove(claim);
    claims
}

fn rsa_key() -> EncodingKey {
    EncodingKey::from_rsa_der(&STANDARD.decode(RSA_KEY.replace(['\n', '\r'], "")).unwrap())
}

/// The claims as a token, by the key that the algorithm needs.
fn token(algorithm: Algorithm, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => EncodingKey::from_secret(SECRET.as_bytes()),
        _ => rsa_key(),
    };
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// A good token.
fn good() -> String {
    token(Algorithm::RS512, &claims())
}

/// A token that was good.
fn expired() -> String {
    token(Algorithm::RS512, &with("exp", json!(NOW - 1)))
}

/// A token with the given header, signed with the secret whatever the header says.
fn with_header(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// A request, as far as it matters here.
#[derive(Clone)]
struct Request {
    method: Method,
    headers: HeaderMap,
}

fn get() -> Request {
    Request { method: Method::GET, headers: HeaderMap::new() }
}

fn post() -> Request {
    Request { method: Method::POST, headers: HeaderMap::new() }
}

impl Request {
    fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    fn authorization(self, value: impl AsRef<[u8]>) -> Self {
        self.header("authorization", value)
    }

    /// `Authorization: JWT token`.
    fn jwt(self, token: &str) -> Self {
        self.authorization(format!("JWT {token}"))
    }

    fn cookie(self, name: &str, value: &str) -> Self {
        self.header("cookie", format!("{name}={value}"))
    }

    /// The token in the one whole cookie.
    fn whole(self, token: &str) -> Self {
        self.cookie("edx-jwt-cookie", token)
    }

    /// The token in the two cookies of the platform.
    fn split(self, token: &str) -> Self {
        let (front, signature) = token.rsplit_once('.').unwrap();
        self.cookie("edx-jwt-cookie-header-payload", front).cookie("edx-jwt-cookie-signature", signature)
    }

    /// The CSRF pair.
    fn csrf(self) -> Self {
        self.cookie("csrftoken", CSRF).header("x-csrftoken", CSRF)
    }

    fn sent_to(&self, authenticator: &Authenticator) -> Result<Claims, Refusal> {
        authenticator.authenticate_at(&self.method, &self.headers, NOW)
    }

    /// Sent to the site of [`table`].
    fn send(&self) -> Result<Claims, Refusal> {
        self.sent_to(&authenticator(&table()))
    }
}

fn invalid<T>(reason: Reason) -> Result<T, Refusal> {
    Err(Refusal::InvalidToken { reason })
}
