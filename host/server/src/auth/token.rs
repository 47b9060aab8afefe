//! A compact JSON Web Token, opened with the configured keys. The rules are PyJWT 2.15's; the claims are not looked
//! at here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::keys::Keys;
use super::refusal::Reason;

/// The payload of a token that one of the keys signed.
pub(super) fn open(token: &str, keys: &Keys) -> Result<Map<String, Value>, Reason> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Reason::Malformed)?;
    let algorithm = algorithm(&object(header)?)?;
    // Decoded for its checks alone: the library wants the text.
    let signature = unpadded(signature).ok_or(Reason::Malformed)?;
    URL_SAFE_NO_PAD.decode(signature).map_err(|_| Reason::Malformed)?;
    if !keys.verify(algorithm, signed.as_bytes(), signature) {
        return Err(Reason::Signature);
    }
    object(payload)
}

/// The three that upstream's decoder takes. `kid` chooses nothing: every key is tried.
fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Reason> {
    let strange_kid = header.get("kid").is_some_and(|kid| !kid.is_string());
    // Nothing that a header may declare critical is supported, a payload that is not base64 least of all.
    if strange_kid || header.contains_key("crit") || header.get("b64") == Some(&Value::Bool(false)) {
        return Err(Reason::Header);
    }
    match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => Ok(Algorithm::RS256),
        Some("RS512") => Ok(Algorithm::RS512),
        Some("HS256") => Ok(Algorithm::HS256),
        _ => Err(Reason::Algorithm),
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, Reason> {
    let segment = unpadded(segment).ok_or(Reason::Malformed)?;
    let bytes = URL_SAFE_NO_PAD.decode(segment).map_err(|_| Reason::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Reason::Malformed)
}

/// The segment without the `=` that some issuers leave at its end: at most two, and only where they belong.
fn unpadded(segment: &str) -> Option<&str> {
    let bare = segment.trim_end_matches('=');
    let padding = segment.len() - bare.len();
    (padding == 0 || padding <= 2 && segment.len().is_multiple_of(4)).then_some(bare)
}
