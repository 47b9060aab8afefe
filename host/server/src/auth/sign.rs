//! Tokens of our own, for people and scripts that have no platform at hand.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use serde_json::{Map, Value, json};

use super::claims::{Attribute, EMAIL, USERNAME, fits};
use super::{AuthError, Authenticator, seconds_now};

/// What a token shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The user's name.
    pub username: String,
    /// The platform's id of the user.
    pub user_id: Option<i64>,
    /// The user's email address; none leaves it as it is.
    pub email: Option<String>,
    /// Whether the user is staff. Written either way: a token without it takes the right away.
    pub staff: bool,
    /// Whether the user is a superuser. Written either way, as `staff`.
    pub superuser: bool,
    /// What the token's holder may do, such as `hooks:run`.
    pub scopes: Vec<String>,
    /// How long the token is good.
    pub ttl: Duration,
}

impl Authenticator {
    /// Signs a token with the shared secret (HS256), with the first configured issuer and audience. This host, and
    /// every service that shares the secret and the configuration, takes it.
    ///
    /// # Errors
    /// [`AuthError::CannotSign`] where only public keys are configured, [`AuthError::Request`] and
    /// [`AuthError::Unmapped`] for what no token can say.
    pub fn sign(&self, request: &TokenRequest) -> Result<String, AuthError> {
        let key = self.keys.signing()?;
        let claims = self.claims(request, seconds_now())?;
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, key)?)
    }

    fn claims(&self, request: &TokenRequest, now: u64) -> Result<Map<String, Value>, AuthError> {
        if request.username.is_empty() || !fits(&request.username, USERNAME) {
            return Err(AuthError::Request { what: "username", must: "must have 1 to 150 characters" });
        }
        if request.user_id.is_some_and(|id| id < 1) {
            return Err(AuthError::Request { what: "user id", must: "must be 1 or more" });
        }
        if request.email.as_deref().is_some_and(|email| !fits(email, EMAIL)) {
            return Err(AuthError::Request { what: "email", must: "must have at most 254 characters" });
        }
        let until = now.checked_add(request.ttl.as_secs()).filter(|until| *until > now);
        let until = until.filter(|until| i64::try_from(*until).is_ok());
        let until = until
            .ok_or(AuthError::Request { what: "lifetime", must: "must be a second or more, and not ages" })?;

        let mut claims = Map::new();
        let mut set = |claim: &str, value: Value| claims.insert(claim.to_owned(), value);
        if let Some(issuer) = self.rules.issuers.first() {
            set("iss", json!(issuer));
        }
        if let Some(audience) = self.rules.audience.first() {
            set("aud", json!(audience));
        }
        set("sub", json!(request.username));
        set("iat", json!(now));
        set("exp", json!(until));
        set("version", json!(self.rules.version));
        set("preferred_username", json!(request.username));
        if let Some(id) = request.user_id {
            set("user_id", json!(id));
        }
        for (attribute, value) in
            [(Attribute::IsStaff, request.staff), (Attribute::IsSuperuser, request.superuser)]
        {
            match self.rules.claim(attribute) {
                Some(claim) => {
                    set(claim, json!(value));
                }
                None if value => return Err(AuthError::Unmapped { attribute: attribute.name() }),
                None => {}
            }
        }
        if let Some(email) = &request.email {
            let unmapped = AuthError::Unmapped { attribute: Attribute::Email.name() };
            set(self.rules.claim(Attribute::Email).ok_or(unmapped)?, json!(email));
        }
        set("scopes", json!(request.scopes));
        set("filters", json!([]));
        set("is_restricted", json!(false));
        Ok(claims)
    }
}
