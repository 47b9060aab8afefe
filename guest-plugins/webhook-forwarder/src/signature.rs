//! Signatures as Standard Webhooks has them (<https://www.standardwebhooks.com>): HMAC-SHA256 over id, time and body.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What sender and receiver share.
#[derive(PartialEq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Read a secret: `whsec_` and 24 to 64 bytes in base64. The error is a text for the operator, and does not repeat it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = text.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
        match bytes {
            Some(bytes) if BYTES.contains(&bytes.len()) => Ok(Self(bytes)),
            _ => Err(expected()),
        }
    }

    fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        // It takes keys of any length; a key of none of them would be a signature that nobody accepts.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a secret is, for whoever set something else.
pub fn expected() -> String {
    let (least, most) = (BYTES.start(), BYTES.end());
    format!(
        "a secret is {PREFIX} and from {least} to {most} random bytes in base64; `openssl rand -base64 32` makes some"
    )
}

/// The value of `webhook-signature`: a signature with each secret, separated by spaces. `seconds` is the value of
/// `webhook-timestamp`, seconds since 1970.
pub fn signatures(secrets: &[Secret], id: &str, seconds: u64, body: &str) -> String {
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(id, seconds, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_published_example_has_its_signature() {
        let secrets = [Secret::parse(SECRET).unwrap()];
        assert_eq!(
            signatures(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn each_secret_signs_and_every_part_counts() {
        let secrets = [Secret::parse(SECRET).unwrap(), Secret::parse(OTHER).unwrap()];
        let signed = signatures(&secrets, "id", 1, "body");
        let each: Vec<String> =
            secrets.iter().map(|secret| signatures(std::slice::from_ref(secret), "id", 1, "body")).collect();
        assert_eq!(signed, each.join(" "));
        assert_ne!(each[0], each[1]);
        for other in [("ID", 1, "body"), ("id", 2, "body"), ("id", 1, "body "), ("id", 11, "body")] {
            assert_ne!(signatures(&secrets, other.0, other.1, other.2), signed, "{other:?}");
        }
    }

    #[test]
    fn a_secret_that_is_none_is_told_without_repeating_it() {
        for text in [
            "",
            "hush",
            "whsec_",
            "whsec_hush",
            "whsec_hush!",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa",
        ] {
            let error = Secret::parse(text).unwrap_err();
            assert!(error.contains("from 24 to 64 random bytes") && !error.contains("hush"), "{error}");
        }
        let long = format!("whsec_{}", STANDARD.encode([0; 65]));
        assert!(Secret::parse(&long).is_err());
        assert_eq!(format!("{:?}", Secret::parse(SECRET).unwrap()), "Secret");
    }
}
