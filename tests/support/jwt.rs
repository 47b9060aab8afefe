//! Tokens as a platform signs them: also those that `hookbox token` does not make.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

/// The secret that a platform and its services share.
pub(crate) const SECRET: &str = "lEtMeIn-vR7pQ2xZ9kT4wB6nM1cY8sJ3";

/// `[auth]` with that secret.
pub(crate) const AUTH: &str = "[auth]\nsecret = \"lEtMeIn-vR7pQ2xZ9kT4wB6nM1cY8sJ3\"\n";

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token of this user, good for an hour, with further claims over the usual ones.
pub(crate) fn token(username: &str, claims: &Value) -> String {
    signed(SECRET, username, claims)
}

/// The same by another secret.
pub(crate) fn signed(secret: &str, username: &str, claims: &Value) -> String {
    let mut all = json!({
        "iss": "https://lms.example.com/oauth2", "aud": "openedx", "sub": username, "version": "1.2.0",
        "iat": now() - 60, "exp": now() + 3_600, "preferred_username": username,
    });
    let object = all.as_object_mut().unwrap();
    object.extend(claims.as_object().unwrap().clone());
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &all, &key).unwrap()
}

/// The first two parts of a token, and its last: as the platform's cookies hold them.
pub(crate) fn halves(token: &str) -> (&str, &str) {
    token.rsplit_once('.').unwrap()
}
