//! The keys: one shared secret, and the public keys of a JWK set.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Map, Value};

use super::error::AuthError;

/// What the cryptographic library verifies with.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Every key that a token may be signed with.
pub(super) struct Keys {
    secret: Option<(EncodingKey, DecodingKey)>,
    public: Vec<DecodingKey>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("secret", &self.secret.as_ref().map(|_| "[set]"))
            .field("public", &self.public.len())
            .finish()
    }
}

impl Keys {
    pub(super) fn new(secret: Option<&str>, public: Vec<DecodingKey>) -> Self {
        let secret = secret.map(str::as_bytes);
        let secret = secret.map(|it| (EncodingKey::from_secret(it), DecodingKey::from_secret(it)));
        Self { secret, public }
    }

    /// What tokens are signed with.
    pub(super) fn signing(&self) -> Result<&EncodingKey, AuthError> {
        self.secret.as_ref().map(|(key, _)| key).ok_or(AuthError::CannotSign)
    }

    /// Whether one of the keys for `algorithm` made the signature (base64url).
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &str) -> bool {
        let made = |key: &DecodingKey| {
            matches!(jsonwebtoken::crypto::verify(signature, message, key, algorithm), Ok(true))
        };
        match algorithm {
            Algorithm::HS256 => self.secret.as_ref().is_some_and(|(_, key)| made(key)),
            Algorithm::RS256 | Algorithm::RS512 => self.public.iter().any(made),
            _ => false,
        }
    }
}

/// The RSA keys of a JWK set: the document itself, or a path from `folder`.
pub(super) fn jwks(text_or_path: &str, folder: &Path) -> Result<Vec<DecodingKey>, AuthError> {
    if text_or_path.trim_start().starts_with('{') {
        return parse(text_or_path);
    }
    let path = folder.join(text_or_path);
    let text = std::fs::read_to_string(&path).map_err(|reason| AuthError::File {
        key: "auth.jwks",
        path: path.clone(),
        reason,
    })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<DecodingKey>, AuthError> {
    let document: Value = serde_json::from_str(text).map_err(|error| wrong(format!("not JSON: {error}")))?;
    if document.get("kty").is_some() {
        return Err(wrong("this is one key; write {\"keys\": [ … ]} around it"));
    }
    let listed = document.get("keys").and_then(Value::as_array);
    let listed =
        listed.ok_or_else(|| wrong("no list under \"keys\"; take JWT_PUBLIC_SIGNING_JWK_SET as it is"))?;
    let mut keys = Vec::new();
    for (at, key) in listed.iter().enumerate() {
        let Some(key) = key.as_object() else {
            return Err(wrong(format!("keys[{at}] is not an object")));
        };
        keys.extend(public_key(at, key)?);
    }
    if keys.is_empty() {
        return Err(wrong("no RSA key for signatures in it; without one no token verifies"));
    }
    Ok(keys)
}

/// One key; none where it is not for RSA signatures.
fn public_key(at: usize, key: &Map<String, Value>) -> Result<Option<DecodingKey>, AuthError> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if key.contains_key("d") {
        return Err(wrong(format!("keys[{at}] is a private key; take JWT_PUBLIC_SIGNING_JWK_SET instead")));
    }
    if text("kty") != Some("RSA") || text("use") == Some("enc") {
        tracing::warn!(key = at, "auth.jwks: this key is not for RSA signatures and is left out");
        return Ok(None);
    }
    let number = |name: &str| {
        let digits = text(name).map(|text| text.trim_end_matches('='));
        digits.and_then(|digits| URL_SAFE_NO_PAD.decode(digits).ok()).filter(|number| !number.is_empty())
    };
    let (Some(modulus), Some(exponent)) = (number("n"), number("e")) else {
        return Err(wrong(format!("keys[{at}] needs \"n\" and \"e\" in base64url")));
    };
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &modulus[leading..];
    let first = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = modulus.len() * 8 - first;
    if !MODULUS_BITS.contains(&bits) {
        return Err(wrong(format!("keys[{at}] has {bits} bits; RSA keys of 2048 to 8192 bits are accepted")));
    }
    Ok(Some(DecodingKey::from_rsa_raw_components(modulus, &exponent)))
}

fn wrong(what: impl Into<String>) -> AuthError {
    AuthError::Jwks { what: what.into() }
}
