//! `hookbox failed-calls`.

use clap::Args;
use hookbox_server::Config;
use serde_json::Value;

use super::client::{Caller, Client, Request};
use super::report::{list, text};
use crate::Done;
use crate::output;

/// List the failed calls that a running server keeps, or print one for `hookbox replay`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox failed-calls
  hookbox failed-calls NAME > call.json && hookbox replay call.json")]
pub(crate) struct FailedCalls {
    /// Print this call's file
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The server [default: where the configuration listens]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token of staff or a superuser [default: made with the secret of the data folder, where it is at hand]
    #[arg(long, env = "HOOKBOX_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl FailedCalls {
    pub(crate) fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let client = Client::new(self.url, self.token, config, Caller::Operator)?;
        let path = match &self.name {
            None => "/admin/api/failed-calls".to_owned(),
            Some(name) => format!("/admin/api/failed-calls/{}", encoded(name)),
        };
        let (status, answer) = client.send(&Request { method: "GET", path: &path, ..Request::default() })?;
        if status != 200 {
            return client.refused(&path, status, &answer, json);
        }
        if json || self.name.is_some() {
            output::json(&answer)?;
        } else {
            output::text(&told(&answer))?;
        }
        Ok(Done::Well)
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn told(answer: &Value) -> String {
    let lines: Vec<String> = list(&answer["calls"]).map(line).collect();
    match (lines.is_empty(), &answer["keep"]) {
        (false, _) => lines.join("\n"),
        (true, keep) if keep == 0 => {
            "the server keeps no failed calls; failed_calls.keep of its configuration says how many"
                .to_owned()
        }
        (true, _) => "no call has failed".to_owned(),
    }
}

fn line(call: &Value) -> String {
    let hook = &call["hook"];
    let mut line = format!("{} {}: {}", text(&call["name"]), text(&call["plugin"]), text(&call["code"]));
    if let Some(event) = hook["event"].as_str() {
        line.push_str(&format!(" (event {event}, attempt {})", hook["attempt"]));
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_a_line() {
        let calls = json!({"keep": 7, "calls": [
            {"name": "b.json", "plugin": "mail", "code": "retry", "hook": {"event": "1f0c", "attempt": 3}},
            {"name": "a.json", "plugin": "about", "code": "trap", "hook": {}},
        ]});
        assert_eq!(told(&calls), "b.json mail: retry (event 1f0c, attempt 3)\na.json about: trap");
        assert!(told(&json!({"keep": 0, "calls": []})).contains("failed_calls.keep"));
        assert_eq!(told(&json!({"keep": 7, "calls": []})), "no call has failed");
    }

    #[test]
    fn a_name_stays_within_its_part_of_a_path() {
        assert_eq!(encoded("2026-a_b.json"), "2026-a_b.json");
        assert_eq!(encoded("../x?y"), "..%2Fx%3Fy");
    }
}
