//! `hookbox plugin list`, `hookbox plugin show` and `hookbox plugin lift`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use hookbox_server::Config;
use serde_json::Value;

use super::client::{Caller, Client};
use crate::Done;
use crate::output;

const PLUGINS: &str = "/admin/api/plugins";

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// List the plugins of a running server, and whether they are put aside
    List(List),
    /// Show one plugin of a running server: its state, grants, limits and hooks
    Show(Show),
    /// Let a plugin that is put aside take calls again
    Lift(Lift),
}

/// Where the server is, and who asks.
#[derive(Debug, Args)]
struct Server {
    /// The server [default: where the configuration listens]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token of staff or a superuser [default: made with the secret of the data folder, where it is at hand]
    #[arg(long, env = "HOOKBOX_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// List the plugins of a running server, and whether they are put aside.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox plugin list
  hookbox plugin list --url https://hooks.example.com --json")]
pub(crate) struct List {
    #[command(flatten)]
    server: Server,
}

/// Show one plugin of a running server.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin show course-about-url")]
pub(crate) struct Show {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    server: Server,
}

/// Let a plugin that is put aside take calls again.
#[derive(Debug, Args)]
#[command(
    after_help = "A plugin that fails several times in a row is put aside: its calls fail at once, until a trial
succeeds. Lifting does not wait for that. Of a plugin that is live it only begins the count of failures anew.

Example:
  hookbox plugin lift course-about-url"
)]
pub(crate) struct Lift {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    server: Server,
}

impl Plugin {
    pub(crate) fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        match self {
            Self::List(List { server }) => {
                let client = server.client(config)?;
                let answer = client.get(PLUGINS)?;
                tell(&client, PLUGINS, answer, json, |answer| table(&answer["plugins"]))
            }
            Self::Show(Show { name, server }) => {
                let client = server.client(config)?;
                let path = format!("{PLUGINS}/{}", in_path(&name));
                let answer = client.get(&path)?;
                tell(&client, &path, answer, json, page)
            }
            Self::Lift(Lift { name, server }) => {
                let client = server.client(config)?;
                let path = format!("{PLUGINS}/{}/lift", in_path(&name));
                let answer = client.post(&path, "application/json", "")?;
                tell(&client, &path, answer, json, |answer| {
                    let lifted = answer["lifted"] == true;
                    let what = if lifted { "takes calls again" } else { "was not put aside" };
                    format!("{} {what}", text(&answer["plugin"]["name"]))
                })
            }
        }
    }
}

impl Server {
    fn client(self, config: &Config) -> anyhow::Result<Client> {
        Client::new(self.url, self.token, config, Caller::Operator)
    }
}

/// A name as a part of a path. Only letters, digits and dashes are in names that exist; the rest is for the server to
/// refuse, and must not lead elsewhere.
fn in_path(name: &str) -> String {
    let mut part = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            part.push(char::from(byte));
        } else {
            let _ = write!(part, "%{byte:02X}");
        }
    }
    part
}

fn tell(
    client: &Client,
    path: &str,
    (status, answer): (u16, Value),
    json: bool,
    told: impl FnOnce(&Value) -> String,
) -> anyhow::Result<Done> {
    if status != 200 {
        return client.refused(path, status, &answer, json);
    }
    if json {
        output::json(&answer)?;
    } else {
        output::text(&told(&answer))?;
    }
    Ok(Done::Well)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn version(plugin: &Value) -> String {
    plugin["version"].as_str().unwrap_or("-").to_owned()
}

/// `live`, or since when, until when and why not.
fn state(plugin: &Value) -> String {
    let quarantine = &plugin["quarantine"];
    if quarantine.is_null() {
        return text(&plugin["state"]);
    }
    format!(
        "{} since {}, next trial at {}, {} failures in a row, the last: {}",
        text(&plugin["state"]),
        text(&quarantine["since"]),
        text(&quarantine["until"]),
        quarantine["failures"],
        text(&quarantine["last_failure"]["code"]),
    )
}

fn table(plugins: &Value) -> String {
    let width =
        |of: fn(&Value) -> String| list(plugins).map(|plugin| of(plugin).chars().count()).max().unwrap_or(0);
    let (names, versions) = (width(|plugin| text(&plugin["name"])), width(version));
    let lines = list(plugins).map(|plugin| {
        format!("{:names$}  {:versions$}  {}", text(&plugin["name"]), version(plugin), state(plugin))
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "no plugin is live".to_owned() } else { lines.join("\n") }
}

fn page(plugin: &Value) -> String {
    let mut page = format!("{} {}\n", text(&plugin["name"]), version(plugin));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(page, "  {name:<14} {value}");
    };
    if let Some(description) = plugin["description"].as_str() {
        line("description", description);
    }
    line("state", &state(plugin));
    if let Some(message) = plugin["quarantine"]["last_failure"]["message"].as_str() {
        line("", message);
    }
    let rule = &plugin["quarantine_rule"];
    match rule["failures"].as_u64() {
        Some(failures) => line(
            "quarantine",
            &format!(
                "after {failures} failures in a row, for {} ms and up to {} ms",
                rule["pause_ms"], rule["longest_pause_ms"]
            ),
        ),
        None => line("quarantine", "never"),
    }
    line("digest", &text(&plugin["digest"]));
    line("origin", &text(&plugin["origin"]));
    line("on failure", &text(&plugin["on_failure"]));
    let isolation = match plugin["isolation"]["max_calls"].as_u64() {
        Some(calls) => format!("reuse, up to {calls} calls an instance"),
        None => text(&plugin["isolation"]["kind"]),
    };
    line("isolation", &isolation);
    let grants: Vec<String> = list(&plugin["grants"]).map(text).collect();
    line("grants", &if grants.is_empty() { "none".to_owned() } else { grants.join(", ") });
    for (at, limit) in list(&plugin["limits"]).enumerate() {
        let (setting, unit) = (text(&limit["setting"]), text(&limit["unit"]));
        line(if at == 0 { "limits" } else { "" }, &format!("{setting} = {} {unit}", limit["value"]));
    }
    for (at, hook) in list(&plugin["hooks"]).enumerate() {
        let (kind, hook_type) = (text(&hook["kind"]), text(&hook["type"]));
        line(if at == 0 { "hooks" } else { "" }, &format!("{kind} {hook_type}: {}", text(&hook["reason"])));
    }
    page.trim_end().to_owned()
}
