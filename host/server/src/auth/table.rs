//! `[auth]` in `hookbox.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// `[auth]`: which keys, whose tokens, where they are found, and what their claims mean.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthTable {
    /// The secret for HS256: the platform's `JWT_SECRET_KEY`.
    #[serde(deserialize_with = "secret")]
    pub secret: Option<String>,
    /// A file with that secret; line ends after it are dropped.
    pub secret_file: Option<PathBuf>,
    /// Public keys for RS256 and RS512: a JWK set (begins with `{`), or the path of one. The platform's
    /// `JWT_PUBLIC_SIGNING_JWK_SET`.
    pub jwks: Option<String>,
    /// A token must be meant for one of these. Empty: `aud` is not checked.
    #[serde(deserialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// A token's `iss` must be exactly one of these. Empty: `iss` is not checked.
    #[serde(deserialize_with = "one_or_many")]
    pub issuers: Vec<String>,
    /// The word before a token in `Authorization`, in any case. Default `JWT`.
    pub header_prefix: String,
    /// The cookie with a whole token. Default `edx-jwt-cookie`.
    pub cookie: String,
    /// The cookie with a token's first two parts. Default `edx-jwt-cookie-header-payload`.
    pub cookie_header_payload: String,
    /// The cookie with a token's last part. Default `edx-jwt-cookie-signature`.
    pub cookie_signature: String,
    /// A cookie with a whole token that goes before the others. Default: none.
    pub impersonation_cookie: Option<String>,
    /// Django's CSRF cookie. Default `csrftoken`.
    pub csrf_cookie: String,
    /// The header that repeats it. Default `X-CSRFToken`.
    pub csrf_header: String,
    /// Origins whose pages may write with cookies, beside the host's own: `https://apps.example.com`, or
    /// `https://*.example.com` with all its subdomains.
    #[serde(deserialize_with = "one_or_many")]
    pub trusted_origins: Vec<String>,
    /// The newest version of tokens; a higher major is refused. Default `1.2.0`.
    pub supported_version: String,
    /// Claim to user attribute (`is_staff`, `is_superuser`, `email`). Default `administrator = "is_staff"`,
    /// `superuser = "is_superuser"`, `email = "email"`.
    pub claims: BTreeMap<String, String>,
}

impl Default for AuthTable {
    fn default() -> Self {
        let claims = [("administrator", "is_staff"), ("superuser", "is_superuser"), ("email", "email")];
        Self {
            secret: None,
            secret_file: None,
            jwks: None,
            audience: Vec::new(),
            issuers: Vec::new(),
            header_prefix: "JWT".into(),
            cookie: "edx-jwt-cookie".into(),
            cookie_header_payload: "edx-jwt-cookie-header-payload".into(),
            cookie_signature: "edx-jwt-cookie-signature".into(),
            impersonation_cookie: None,
            csrf_cookie: "csrftoken".into(),
            csrf_header: "X-CSRFToken".into(),
            trusted_origins: Vec::new(),
            supported_version: "1.2.0".into(),
            claims: claims.map(|(claim, attribute)| (claim.into(), attribute.into())).into(),
        }
    }
}

impl fmt::Debug for AuthTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every field by name, so that a new one is not forgotten.
        let Self {
            secret,
            secret_file,
            jwks,
            audience,
            issuers,
            header_prefix,
            cookie,
            cookie_header_payload,
            cookie_signature,
            impersonation_cookie,
            csrf_cookie,
            csrf_header,
            trusted_origins,
            supported_version,
            claims,
        } = self;
        f.debug_struct("AuthTable")
            .field("secret", &secret.as_ref().map(|_| "[set]"))
            .field("secret_file", secret_file)
            // A key set with a private key inside is refused later, and must not be printed before.
            .field("jwks", &jwks.as_ref().map(|_| "[set]"))
            .field("audience", audience)
            .field("issuers", issuers)
            .field("header_prefix", header_prefix)
            .field("cookie", cookie)
            .field("cookie_header_payload", cookie_header_payload)
            .field("cookie_signature", cookie_signature)
            .field("impersonation_cookie", impersonation_cookie)
            .field("csrf_cookie", csrf_cookie)
            .field("csrf_header", csrf_header)
            .field("trusted_origins", trusted_origins)
            .field("supported_version", supported_version)
            .field("claims", claims)
            .finish()
    }
}

/// A text, and for anything else an error that does not repeat it: an environment variable of digits is a number to
/// the configuration's reader, and reader's errors print numbers.
fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Secret;
    impl<'de> Visitor<'de> for Secret {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text in quotes")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            from.deserialize_any(self)
        }
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Err(not_text())
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Err(not_text())
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Err(not_text())
        }
        fn visit_i128<E: Error>(self, _: i128) -> Result<Self::Value, E> {
            Err(not_text())
        }
        fn visit_u128<E: Error>(self, _: u128) -> Result<Self::Value, E> {
            Err(not_text())
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Err(not_text())
        }
        fn visit_char<E: Error>(self, _: char) -> Result<Self::Value, E> {
            Err(not_text())
        }
    }
    fn not_text<E: Error>() -> E {
        E::invalid_type(
            Unexpected::Other("something else"),
            &"a text in quotes, also inside a variable: '\"…\"'",
        )
    }
    from.deserialize_option(Secret)
}

/// `"a"` or `["a", "b"]`.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    from.deserialize_any(OneOrMany)
}
