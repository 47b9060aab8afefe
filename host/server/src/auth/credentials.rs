//! Where a request carries its token: `Authorization`, a cookie, or two cookies that are halves of one.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, header};

use super::error::AuthError;
use super::names::plain;
use super::table::AuthTable;

/// Where a token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The `Authorization` header, which no page can be tricked into sending.
    Header,
    /// Cookies, which a browser sends by itself: writing needs the CSRF token.
    Cookie,
}

impl Source {
    /// A metric's label for a success, upstream's `jwt_auth_result`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Header => "success-auth-header",
            Self::Cookie => "success-cookie",
        }
    }
}

/// A token as found, not yet looked at.
pub(super) struct Presented<'a> {
    pub(super) token: Cow<'a, str>,
    pub(super) source: Source,
}

/// The request's cookies. Of several with one name the last counts, as in Django.
pub(super) struct Cookies(String);

impl Cookies {
    /// All `Cookie` headers as one: HTTP/2 may send each pair by itself.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lines: Vec<_> = headers
            .get_all(header::COOKIE)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        Self(lines.join(";"))
    }

    /// The value, without the quotes that a cookie may stand in; none when it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// The same, where an empty value is one.
    fn raw(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.split(';').filter_map(|pair| pair.split_once('=')).rev();
        let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
        let value = value.trim();
        Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
    }
}

/// The names that tokens are found under.
#[derive(Debug)]
pub(super) struct Places {
    prefix: String,
    whole: String,
    header_payload: String,
    signature: String,
    impersonation: Option<String>,
}

/// What `Authorization` holds.
enum InHeader {
    Token(String),
    /// Another scheme: cookies are not looked at.
    Foreign,
    /// Nothing, or not two words.
    Nothing,
}

impl Places {
    pub(super) fn new(table: &AuthTable) -> Result<Self, AuthError> {
        let impersonation = table.impersonation_cookie.as_deref();
        Ok(Self {
            prefix: plain("header_prefix", &table.header_prefix)?,
            whole: plain("cookie", &table.cookie)?,
            header_payload: plain("cookie_header_payload", &table.cookie_header_payload)?,
            signature: plain("cookie_signature", &table.cookie_signature)?,
            impersonation: impersonation.map(|name| plain("impersonation_cookie", name)).transpose()?,
        })
    }

    /// The one token that counts.
    pub(super) fn find<'a>(&self, headers: &HeaderMap, cookies: &'a Cookies) -> Option<Presented<'a>> {
        match self.in_header(headers) {
            InHeader::Foreign => None,
            InHeader::Nothing => match self.in_cookies(cookies) {
                Some(token) => Some(Presented { token, source: Source::Cookie }),
                // Upstream forgives a cookie that is no good, but takes an empty one for a bad token that was shown.
                None if cookies.raw(&self.whole).is_some() => {
                    Some(Presented { token: "".into(), source: Source::Header })
                }
                None => None,
            },
            InHeader::Token(token) => {
                let repeated = self.in_cookies(cookies).is_some_and(|cookie| cookie == token);
                let source = if repeated { Source::Cookie } else { Source::Header };
                Some(Presented { token: token.into(), source })
            }
        }
    }

    /// Splits at every single space, as upstream does: two spaces make three parts.
    fn in_header(&self, headers: &HeaderMap) -> InHeader {
        // Several headers are one with commas in it, as a WSGI server hands them on.
        let lines: Vec<&[u8]> =
            headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
        let Ok(text) = String::from_utf8(lines.join(&b","[..])) else {
            return InHeader::Nothing;
        };
        let mut parts = text.split(' ');
        let (Some(prefix), Some(token), None) = (parts.next(), parts.next(), parts.next()) else {
            return InHeader::Nothing;
        };
        if !prefix.eq_ignore_ascii_case(&self.prefix) {
            InHeader::Foreign
        } else if token.is_empty() {
            InHeader::Nothing
        } else {
            InHeader::Token(token.to_owned())
        }
    }

    fn in_cookies<'a>(&self, cookies: &'a Cookies) -> Option<Cow<'a, str>> {
        if let Some(token) = self.impersonation.as_deref().and_then(|name| cookies.get(name)) {
            return Some(token.into());
        }
        match (cookies.get(&self.header_payload), cookies.get(&self.signature)) {
            (Some(header_payload), Some(signature)) => {
                return Some(format!("{header_payload}.{signature}").into());
            }
            (Some(_), None) => {
                tracing::debug!(cookie = %self.signature, "half a token: this cookie is missing");
            }
            (None, Some(_)) => {
                tracing::debug!(cookie = %self.header_payload, "half a token: this cookie is missing");
            }
            (None, None) => {}
        }
        cookies.get(&self.whole).map(Into::into)
    }
}
