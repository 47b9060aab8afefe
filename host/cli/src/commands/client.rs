//! Talking to a running server.

use std::time::Duration;

use anyhow::{Context, bail};
use hookbox_server::{Authenticator, Config, HOOKS_RUN, TokenRequest};
use serde_json::Value;

use crate::Done;
use crate::output;

/// Who a token that this command makes for itself names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A service that calls hooks.
    Service,
    /// Staff.
    Operator,
}

/// A running server, and a token for it where there is one.
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    authorization: Option<String>,
}

/// A request to it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    /// The body's media type.
    pub(crate) media: Option<&'a str>,
    /// The revision that the change is meant for.
    pub(crate) if_match: Option<u64>,
    /// Of POST and PUT alone.
    pub(crate) body: &'a [u8],
}

impl Client {
    /// The server at `url`, or where the configuration listens. Without `token` one is made with the host's own secret,
    /// when this command runs beside it.
    pub(crate) fn new(
        url: Option<String>,
        token: Option<String>,
        config: &Config,
        caller: Caller,
    ) -> anyhow::Result<Self> {
        let base = url.unwrap_or_else(|| format!("http://{}", config.server.listen));
        if !["http://", "https://"].iter().any(|scheme| base.starts_with(scheme)) {
            bail!("--url {base:?}: expected an address such as http://127.0.0.1:8000");
        }
        let token = token.map_or_else(|| own_token(config, caller), |token| Ok(Some(token)))?;
        Ok(Self {
            agent: ureq::Agent::config_builder().http_status_as_error(false).build().into(),
            base: base.trim_end_matches('/').to_owned(),
            authorization: token.map(|token| format!("{} {token}", config.auth.header_prefix)),
        })
    }

    /// The answer's status, and its body: JSON, or the text it is.
    pub(crate) fn send(&self, request: &Request<'_>) -> anyhow::Result<(u16, Value)> {
        let mut head = ureq::http::Request::builder().method(request.method).uri(self.url(request.path));
        if let Some(authorization) = &self.authorization {
            head = head.header("authorization", authorization);
        }
        if let Some(media) = request.media {
            head = head.header("content-type", media);
        }
        if let Some(revision) = request.if_match {
            head = head.header("if-match", format!("\"{revision}\""));
        }
        let sent = match request.method {
            "POST" | "PUT" => self.agent.run(head.body(request.body)?),
            _ => self.agent.run(head.body(())?),
        };
        self.answer(request.path, sent)
    }

    /// The same of a request with this body.
    pub(crate) fn post(&self, path: &str, media: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        let request =
            Request { method: "POST", path, media: Some(media), body: body.as_bytes(), ..Request::default() };
        self.send(&request)
    }

    /// Who refused something with which status, before the reason.
    pub(crate) fn answered(&self, path: &str, status: u16) -> anyhow::Result<String> {
        let status = ureq::http::StatusCode::from_u16(status)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Ok(format!("{} answered {status}: ", self.url(path)))
    }

    /// What to say of an answer that is none of those hoped for.
    pub(crate) fn refused(
        &self,
        path: &str,
        status: u16,
        answer: &Value,
        json: bool,
    ) -> anyhow::Result<Done> {
        if json {
            output::json(answer)?;
            return Ok(Done::Failed);
        }
        let detail = answer["detail"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
        bail!("{}{detail}", self.answered(path, status)?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn answer(
        &self,
        path: &str,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<(u16, Value)> {
        let mut response = sent.with_context(|| {
            format!("no answer from {}; is the server running? `hookbox serve` starts it", self.url(path))
        })?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string()?;
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::String(body))))
    }
}

/// A token signed with the host's own secret, when this command runs beside it. A question makes no secret.
fn own_token(config: &Config, caller: Caller) -> anyhow::Result<Option<String>> {
    let auth = &config.auth;
    let shared = auth.secret.is_some() || auth.secret_file.is_some();
    if !shared && (auth.jwks.is_some() || !config.server.data.join("jwt-secret").exists()) {
        return Ok(None);
    }
    let authenticator = Authenticator::new(auth, &config.folder, &config.server.data)?;
    // The server remembers who was staff by name. No user of a platform can have one with a colon.
    let (username, staff, scopes) = match caller {
        Caller::Service => ("hookbox-cli", false, vec![HOOKS_RUN.to_owned()]),
        Caller::Operator => ("hookbox:cli", true, Vec::new()),
    };
    let token = authenticator.sign(&TokenRequest {
        username: username.to_owned(),
        user_id: None,
        email: None,
        staff,
        superuser: false,
        scopes,
        ttl: Duration::from_secs(60),
    })?;
    Ok(Some(token))
}
