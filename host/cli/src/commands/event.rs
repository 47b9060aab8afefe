//! `hookbox event send`.

use anyhow::Context;
use clap::{Args, Subcommand};
use hookbox_hooks::Catalogue;
use hookbox_server::Config;
use serde_json::json;

use super::client::{Caller, Client};
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
        let client = Client::new(self.url, self.token, config, Caller::Service)?;
        let (status, answer) =
            client.post("/hooks/events", "application/cloudevents+json", &event.to_string())?;
        if status == 202 {
            if json {
                output::json(&answer)?;
            } else {
                let accepted = &answer["accepted"][0];
                output::text(&match (accepted["duplicate"].as_bool(), &accepted["receivers"]) {
                    (Some(true), _) => {
                        format!("accepted {id}: it is known already, and goes to nobody again")
                    }
                    (_, receivers) => format!("accepted {id} for {receivers} receiver(s)"),
                })?;
            }
            return Ok(Done::Well);
        }
        client.refused("/hooks/events", status, &answer, json)
    }
}
