//! `hookbox event send`.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use hookbox_hooks::Catalogue;
use hookbox_server::{Authenticator, Config, HOOKS_RUN, TokenRequest};
use serde_json::{Value, json};

use crate::Done;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Send one event to a running server
    Send(Send),
}

/// Send one event to a running server, as a CloudEvent.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox event send org.openedx.content_authoring.course.catalog_info.changed.v1 --data '{\"catalog_info\":
    {\"course_key\": \"course-v1:edX+DemoX+Demo_Course\", \"name\": \"Demo\",
     \"schedule_data\": {\"start\": \"2026-01-15T09:30:00+00:00\", \"pacing\": \"instructor\"}}}'")]
pub(crate) struct Send {
    /// The event's type
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Its data, a JSON object with the event's one key; @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    data: String,
    /// The event's id [default: a new one]
    #[arg(long)]
    id: Option<String>,
    /// The service that sends it
    #[arg(long, default_value = "hookbox/cli")]
    source: String,
    /// The server [default: where the configuration listens]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token with the scope hooks:run, or of staff [default: made with the secret of the data folder, where it is at hand]
    #[arg(long, env = "HOOKBOX_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Event {
    pub(crate) fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let Self::Send(send) = self;
        send.execute(config, json)
    }
}

impl Send {
    fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let data = output::json_argument("--data", &self.data)?;
        // The server has the last word; this saves a journey and works without one.
        if let Some(event) = Catalogue::embedded().event(&self.event_type) {
            event.check(&data).context("--data does not fit the event")?;
        }
        let id = self.id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": self.source,
            "type": self.event_type,
            "data": data,
        });
        let base = self.url.unwrap_or_else(|| format!("http://{}", config.server.listen));
        let url = format!("{}/hooks/events", base.trim_end_matches('/'));
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(&url).header("content-type", "application/cloudevents+json");
        if let Some(token) = self.token.map_or_else(|| own_token(config), |token| Ok(Some(token)))? {
            request = request.header("authorization", format!("{} {token}", config.auth.header_prefix));
        }
        let sent = request.send(event.to_string());
        let mut response = sent.with_context(|| {
            format!("no answer from {url}; is the server running? `hookbox serve` starts it")
        })?;
        let status = response.status();
        let body = response.body_mut().read_to_string()?;
        let answer: Value = serde_json::from_str(&body).unwrap_or(Value::String(body));
        if status.as_u16() == 202 {
            if json {
                output::json(&answer)?;
            } else {
                let receivers = &answer["accepted"][0]["receivers"];
                output::text(&format!("accepted {id} for {receivers} receiver(s)"))?;
            }
            return Ok(Done::Well);
        }
        if json {
            output::json(&answer)?;
            return Ok(Done::Failed);
        }
        let detail = answer["detail"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
        bail!("{url} answered {status}: {detail}")
    }
}

/// A token signed with the host's own secret, when this command runs beside it. A question makes no secret.
fn own_token(config: &Config) -> anyhow::Result<Option<String>> {
    let auth = &config.auth;
    let shared = auth.secret.is_some() || auth.secret_file.is_some();
    if !shared && (auth.jwks.is_some() || !config.server.data.join("jwt-secret").exists()) {
        return Ok(None);
    }
    let authenticator = Authenticator::new(auth, &config.folder, &config.server.data)?;
    let token = authenticator.sign(&TokenRequest {
        username: "hookbox-cli".to_owned(),
        user_id: None,
        email: None,
        staff: false,
        superuser: false,
        scopes: vec![HOOKS_RUN.to_owned()],
        ttl: Duration::from_secs(60),
    })?;
    Ok(Some(token))
}
