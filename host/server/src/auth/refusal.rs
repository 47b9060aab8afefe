//! Why a request is not let in: what the caller hears, and what only the log hears.

/// A request without a usable identity: 401. The texts are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No credentials, or a token in cookies that does not hold. A route that needs no login may go on.
    #[error("no usable credentials")]
    NotProvided,
    /// The header's token does not hold. Final, also where no login is needed.
    #[error("{reason}")]
    InvalidToken {
        /// For the log. Holds no part of the token.
        reason: Reason,
    },
    /// The token is good and names nobody.
    #[error("the token names no user")]
    NoUsername,
}

impl Refusal {
    /// The answer's `detail`.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::NotProvided => "Authentication credentials were not provided.",
            Self::InvalidToken { .. } => "Invalid token.",
            Self::NoUsername => "JWT must include a preferred_username or username claim!",
        }
    }

    /// A metric's label, beside those of [`Source::label`](super::Source::label).
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NotProvided => "not-provided",
            Self::InvalidToken { .. } => "invalid-token",
            Self::NoUsername => "no-username",
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::InvalidToken { reason }
    }
}

/// What is wrong with a token, or with the request that carries it in cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// Not three base64url segments, or header and payload are not JSON objects.
    #[error("not a JSON Web Token")]
    Malformed,
    /// `crit`, `b64` or a `kid` that is no text.
    #[error("its header asks for what is not supported")]
    Header,
    /// Another algorithm than RS256, RS512 and HS256.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// No configured key made the signature.
    #[error("no key verifies its signature")]
    Signature,
    /// A claim that must be there.
    #[error("the claim {0} is missing")]
    Missing(&'static str),
    /// A claim with a value of the wrong kind.
    #[error("the claim {0} has an unusable value")]
    Unusable(&'static str),
    /// `exp` has come.
    #[error("it has expired")]
    Expired,
    /// `iat` or `nbf` is yet to come.
    #[error("its {0} is in the future")]
    Future(&'static str),
    /// Meant for others.
    #[error("its audience is another")]
    Audience,
    /// From others.
    #[error("its issuer is another")]
    Issuer,
    /// A newer major version than the configured one.
    #[error("its version is not supported")]
    Version,
    /// A mapped claim that does not fit its user attribute.
    #[error("the claim for {0} has an unusable value")]
    Attribute(&'static str),
    /// The page that sent the request is not trusted.
    #[error("the request's origin is not trusted")]
    Origin,
    /// No CSRF cookie, or one of the wrong form.
    #[error("the CSRF cookie is missing or malformed")]
    CsrfCookie,
    /// No CSRF header, one of the wrong form, or one that does not match.
    #[error("the CSRF header is missing or does not match the cookie")]
    CsrfHeader,
}
