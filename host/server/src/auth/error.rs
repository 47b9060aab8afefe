//! What keeps an authenticator from being made, or a token from being signed.

use std::path::PathBuf;

/// A mistake in `[auth]`, a file that cannot be used, or a token that cannot be made. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Two secrets.
    #[error("auth.secret and auth.secret_file are both set: keep one")]
    SecretTwice,
    /// A secret without a character.
    #[error("{place}: the secret is empty; set the platform's JWT_SECRET_KEY")]
    SecretEmpty {
        /// The key, or the file.
        place: String,
    },
    /// A key pair or public key where a shared secret belongs. Everyone who knows a public key could sign with it.
    #[error("{place}: this is a key, not a shared secret; public keys belong under auth.jwks, as a JWK set")]
    SecretIsKey {
        /// The key, or the file.
        place: String,
    },
    /// A file that cannot be read.
    #[error("{key} {}: {reason}", path.display())]
    File {
        /// The configuration's key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The generated secret cannot be kept.
    #[error("cannot make the secret {}: {reason}; set auth.secret_file, or make the folder writable", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// Others than the host's user may read or change the generated secret.
    #[error("{} is open to other users (mode {mode:03o}): run `chmod 600` on it, or delete it for a new one", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The generated secret is not what was written.
    #[error("{} is damaged: delete it, and a new secret is made", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The key set cannot be used.
    #[error("auth.jwks: {what}")]
    Jwks {
        /// What is wrong, and what to do.
        what: String,
    },
    /// A text that cannot be what it is meant to be.
    #[error("auth.{key}: {value:?} cannot be used; it must be a plain name without spaces or separators")]
    Name {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// An empty text in a list, which would look like a check and be none.
    #[error("auth.{key}: an empty text; leave the key out to skip the check")]
    Empty {
        /// The key.
        key: &'static str,
    },
    /// Not a version.
    #[error("auth.supported_version: {value:?} is no version such as \"1.2.0\"")]
    Version {
        /// The value.
        value: String,
    },
    /// A claim is mapped to something that is no attribute.
    #[error("auth.claims.{claim}: {attribute:?} is no user attribute; {hint}")]
    Attribute {
        /// The claim.
        claim: String,
        /// The value.
        attribute: String,
        /// The nearest attribute, or all of them.
        hint: String,
    },
    /// Two claims would overwrite each other.
    #[error("auth.claims: {first} and {second} are both mapped to {attribute}; keep one")]
    AttributeTwice {
        /// The attribute.
        attribute: &'static str,
        /// One claim.
        first: String,
        /// The other.
        second: String,
    },
    /// Not an origin.
    #[error(
        "trusted origin {value:?}: write scheme and host without a path, such as \"https://apps.example.com\""
    )]
    Origin {
        /// The value.
        value: String,
    },
    /// There is nothing to sign with.
    #[error(
        "only public keys are configured, and those cannot sign: set auth.secret or auth.secret_file beside auth.jwks"
    )]
    CannotSign,
    /// The token asks for an attribute that no claim carries.
    #[error("no claim is mapped to {attribute}: add one under auth.claims")]
    Unmapped {
        /// The attribute.
        attribute: &'static str,
    },
    /// What is asked for cannot be in a token that verifies.
    #[error("{what}: {must}")]
    Request {
        /// Which part of the request.
        what: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The library refused to sign.
    #[error("the token cannot be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

impl AuthError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SecretTwice => "secret-twice",
            Self::SecretEmpty { .. } => "secret-empty",
            Self::SecretIsKey { .. } => "secret-is-key",
            Self::File { .. } => "file",
            Self::Make { .. } => "secret-make",
            Self::Exposed { .. } => "secret-exposed",
            Self::Damaged { .. } => "secret-damaged",
            Self::Jwks { .. } => "jwks",
            Self::Name { .. } => "name",
            Self::Empty { .. } => "empty",
            Self::Version { .. } => "version",
            Self::Attribute { .. } => "attribute",
            Self::AttributeTwice { .. } => "attribute-twice",
            Self::Origin { .. } => "origin",
            Self::CannotSign => "cannot-sign",
            Self::Unmapped { .. } => "attribute-unmapped",
            Self::Request { .. } => "token-request",
            Self::Sign(_) => "sign",
        }
    }
}
