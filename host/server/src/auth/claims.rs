//! What a verified token says, checked claim by claim as PyJWT and `edx-drf-extensions` do.

use hookbox_hooks::names;
use serde_json::{Map, Value};

use super::credentials::Source;
use super::error::AuthError;
use super::names::filled;
use super::python::{int, truthy};
use super::refusal::{Reason, Refusal};
use super::table::AuthTable;

/// What a token without a version is taken for.
const FIRST_VERSION: &str = "1.0.0";
/// The platform's limits of a username and an email address, in characters (`AbstractUser`).
pub(super) const USERNAME: usize = 150;
pub(super) const EMAIL: usize = 254;

/// Who the caller is, from a token that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    /// `preferred_username`, or `username`.
    pub(crate) username: String,
    /// The platform's id of the user (`user_id`), where the token has the scope for it.
    pub(crate) user_id: Option<i64>,
    /// What to set the user's email address to; none: leave it.
    pub(crate) email: Option<String>,
    /// What to set `is_staff` to; none: leave it.
    pub(crate) is_staff: Option<bool>,
    /// What to set `is_superuser` to; none: leave it.
    pub(crate) is_superuser: Option<bool>,
    /// What the application that holds the token may do.
    pub(crate) scopes: Vec<String>,
    /// What a restricted application is bound to: `content_org:edX`, `user:me`.
    pub(crate) filters: Vec<String>,
    /// Whether the application is restricted: routes refuse it unless they opt in.
    pub(crate) is_restricted: bool,
    /// Where the token was.
    pub(crate) source: Source,
}

impl Claims {
    /// Whether the token was given this scope.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }
}

/// A user's attribute that a claim may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    IsStaff,
    IsSuperuser,
    Email,
}

impl Attribute {
    const ALL: [Self; 3] = [Self::IsStaff, Self::IsSuperuser, Self::Email];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::IsStaff => "is_staff",
            Self::IsSuperuser => "is_superuser",
            Self::Email => "email",
        }
    }
}

/// What a token's claims must be, and what they mean.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) audience: Vec<String>,
    pub(super) issuers: Vec<String>,
    pub(super) version: String,
    major: u64,
    claims: Vec<(String, Attribute)>,
}

impl Rules {
    pub(super) fn new(table: &AuthTable) -> Result<Self, AuthError> {
        let version = table.supported_version.clone();
        let major = major(&version).ok_or_else(|| AuthError::Version { value: version.clone() })?;
        let mut claims: Vec<(String, Attribute)> = Vec::new();
        for (claim, name) in &table.claims {
            let attribute = Attribute::ALL.into_iter().find(|attribute| attribute.name() == name);
            let attribute = attribute.ok_or_else(|| not_an_attribute(claim, name))?;
            if let Some((first, _)) = claims.iter().find(|(_, taken)| *taken == attribute) {
                let (first, second) = (first.clone(), claim.clone());
                return Err(AuthError::AttributeTwice { attribute: attribute.name(), first, second });
            }
            claims.push((claim.clone(), attribute));
        }
        let audience = filled("audience", &table.audience)?;
        let issuers = filled("issuers", &table.issuers)?;
        Ok(Self { audience, issuers, version, major, claims })
    }

    /// The claim that carries an attribute.
    pub(super) fn claim(&self, wanted: Attribute) -> Option<&str> {
        self.claims.iter().find(|(_, attribute)| *attribute == wanted).map(|(claim, _)| claim.as_str())
    }

    /// Checks a payload at a moment, in seconds since 1970. There is no leeway: `exp` is the first moment at which
    /// the token is no longer good.
    pub(super) fn read(
        &self,
        payload: &Map<String, Value>,
        now: u64,
        source: Source,
    ) -> Result<Claims, Refusal> {
        times(payload, now)?;
        self.origin(payload)?;
        for name in ["sub", "jti"] {
            if payload.get(name).is_some_and(|value| !value.is_string()) {
                return Err(Reason::Unusable(name).into());
            }
        }
        let version = payload.get("version").map_or(Some(FIRST_VERSION), Value::as_str);
        match version.and_then(major) {
            Some(major) if major <= self.major => {}
            Some(_) => return Err(Reason::Version.into()),
            None => return Err(Reason::Unusable("version").into()),
        }
        let (is_staff, is_superuser) =
            (self.flag(payload, Attribute::IsStaff)?, self.flag(payload, Attribute::IsSuperuser)?);
        Ok(Claims {
            username: username(payload)?,
            user_id: payload.get("user_id").and_then(Value::as_i64).filter(|id| *id > 0),
            email: self.email(payload)?,
            is_staff,
            is_superuser,
            // Scopes grant: what cannot be read grants nothing. Filters restrict: what cannot be read refuses.
            scopes: payload.get("scopes").and_then(texts).unwrap_or_default(),
            filters: match payload.get("filters") {
                None => Vec::new(),
                Some(filters) => texts(filters).ok_or(Reason::Unusable("filters"))?,
            },
            is_restricted: payload.get("is_restricted").is_some_and(truthy),
            source,
        })
    }

    /// Whose token it is, and for whom.
    fn origin(&self, payload: &Map<String, Value>) -> Result<(), Reason> {
        if !self.issuers.is_empty() {
            let issuer = payload.get("iss").and_then(Value::as_str).ok_or(Reason::Issuer)?;
            if !self.issuers.iter().any(|known| known == issuer) {
                return Err(Reason::Issuer);
            }
        }
        if self.audience.is_empty() {
            return Ok(());
        }
        let meant_for = match payload.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            // A list with anything but texts in it is refused whole.
            Some(list) => texts(list).ok_or(Reason::Audience)?,
            None => return Err(Reason::Audience),
        };
        if meant_for.iter().any(|one| self.audience.contains(one)) { Ok(()) } else { Err(Reason::Audience) }
    }

    fn mapped<'a>(&self, payload: &'a Map<String, Value>, attribute: Attribute) -> Option<&'a Value> {
        self.claim(attribute).and_then(|claim| payload.get(claim)).filter(|value| !value.is_null())
    }

    fn flag(&self, payload: &Map<String, Value>, attribute: Attribute) -> Result<Option<bool>, Reason> {
        let value = self.mapped(payload, attribute);
        value.map(|value| value.as_bool().ok_or(Reason::Attribute(attribute.name()))).transpose()
    }

    fn email(&self, payload: &Map<String, Value>) -> Result<Option<String>, Reason> {
        let Some(value) = self.mapped(payload, Attribute::Email) else {
            return Ok(None);
        };
        let email = value.as_str().filter(|email| fits(email, EMAIL));
        email.map(|email| Some(email.to_owned())).ok_or(Reason::Attribute(Attribute::Email.name()))
    }
}

fn not_an_attribute(claim: &str, name: &str) -> AuthError {
    let known = Attribute::ALL.map(Attribute::name);
    let hint = names::nearest(name, known)
        .map_or_else(|| format!("known: {}", known.join(", ")), |near| format!("did you mean {near}?"));
    AuthError::Attribute { claim: claim.to_owned(), attribute: name.to_owned(), hint }
}

/// `exp` and `iat` must be there, `nbf` may; all are whole seconds after Python's `int()`.
#[expect(clippy::cast_precision_loss, reason = "seconds stay far below 2^53")]
fn times(payload: &Map<String, Value>, now: u64) -> Result<(), Reason> {
    let now = now as f64;
    let required = |name| payload.get(name).filter(|value| !value.is_null()).ok_or(Reason::Missing(name));
    let (exp, iat) = (required("exp")?, required("iat")?);
    if int(iat).ok_or(Reason::Unusable("iat"))? > now {
        return Err(Reason::Future("iat"));
    }
    if let Some(nbf) = payload.get("nbf")
        && int(nbf).ok_or(Reason::Unusable("nbf"))? > now
    {
        return Err(Reason::Future("nbf"));
    }
    if int(exp).ok_or(Reason::Unusable("exp"))? <= now {
        return Err(Reason::Expired);
    }
    Ok(())
}

/// The first number of a semantic version, when all of it is one.
fn major(version: &str) -> Option<u64> {
    let (version, build) =
        version.split_once('+').map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = version.split_once('-').map_or((version, None), |(rest, pre)| (rest, Some(pre)));
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let words = |part: Option<&str>| part.is_none_or(|part| part.split('.').all(word));
    let number = |digits: &str| {
        let sound =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        if sound { digits.parse::<u64>().ok() } else { None }
    };
    let numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
    match numbers[..] {
        [major, _, _] if words(pre) && words(build) => Some(major),
        _ => None,
    }
}

/// `preferred_username` unless Python takes it for false, then `username`. Upstream makes a user without a name of
/// an empty one; here it names nobody.
fn username(payload: &Map<String, Value>) -> Result<String, Refusal> {
    let mut named = ["preferred_username", "username"].iter().filter_map(|claim| payload.get(*claim));
    match named.find(|value| truthy(value)) {
        None => Err(Refusal::NoUsername),
        Some(Value::String(name)) if fits(name, USERNAME) => Ok(name.clone()),
        Some(_) => Err(Reason::Unusable("preferred_username").into()),
    }
}

/// Whether a database column of the platform would take it.
pub(super) fn fits(text: &str, characters: usize) -> bool {
    text.chars().count() <= characters && !text.contains('\0')
}

/// A list of texts; none when it is anything else.
fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}
