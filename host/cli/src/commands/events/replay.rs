//! `hookbox events replay` and `replays`.

use anyhow::bail;
use clap::Args;
use hookbox_server::{Config, EventRef, ReplayAsked};
use serde_json::{Value, json};

use super::Progress;
use super::list::brief_time;
use super::which::Which;
use crate::Done;
use crate::commands::operator::{Answer, Operator, Place};
use crate::commands::report::{columns, list, text};

/// Give past events to a plugin, again or for the first time. The server does it in the background.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox events replay --plugin audit-log --from 2026-11-01 --dry-run     how many there are
  hookbox events replay --plugin audit-log --from 2026-11-01 --rate 50     at most 50 events a second
  hookbox events replay 4711 --plugin audit-log                            one event")]
pub(crate) struct Replay {
    /// One event: its number, or its UUID
    #[arg(value_name = "EVENT")]
    event: Option<EventRef>,
    /// The plugin that gets them
    #[arg(long, value_name = "NAME")]
    plugin: String,
    #[command(flatten)]
    which: Which,
    /// All that are kept, where nothing else says which
    #[arg(long)]
    all: bool,
    /// At most so many events a second [default: 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = rate)]
    rate: Option<f64>,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

/// List the replays, or stop one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox events replays
  hookbox events replays --stop 3")]
pub(crate) struct Replays {
    /// Stop this replay; what it made stays
    #[arg(long, value_name = "REPLAY")]
    stop: Option<i64>,
    #[command(flatten)]
    place: Place,
}

impl Replay {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        if self.event.is_none() && self.which.is_empty() && !self.all {
            bail!("say which: an EVENT, --type, --course, --source, --from, --to, or --all");
        }
        let asked = ReplayAsked {
            plugin: self.plugin,
            event: self.event,
            types: self.which.types(),
            course: self.which.course.clone(),
            source: self.which.source.clone(),
            from: self.which.from(),
            to: self.which.to(),
            all: self.all,
            rate: self.rate,
            dry_run: self.dry_run,
            after: None,
        };
        let operator = self.place.operator(config).await?;
        if asked.dry_run {
            return count(&operator, asked, json);
        }
        operator.replay_events(&asked)?.tell(json, |replay| {
            format!(
                "replay {} gives {} what matches up to event {}, at most {} events a second; `hookbox events replays` \
                 shows how far it is",
                replay["replay"],
                text(&replay["plugin"]),
                replay["last_event"],
                replay["rate"]
            )
        })
    }
}

/// A number. Which ones a server takes, it says itself; JSON cannot tell it of others.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite());
    rate.ok_or_else(|| "write a number of events a second, such as 50 or 0.5".to_owned())
}

fn count(operator: &Operator, mut asked: ReplayAsked, json: bool) -> anyhow::Result<Done> {
    let mut made = 0;
    let mut progress = Progress::new();
    loop {
        let part = match operator.replay_events(&asked)?.done() {
            Ok(part) => part,
            Err(refused) => return refused.tell(json, Value::to_string),
        };
        made += part["made"].as_u64().unwrap_or_default();
        asked.after = part["next"].as_i64();
        match asked.after {
            Some(next) => progress.tell(&format!("{made} so far, looking from event {next}")),
            None => break,
        }
    }
    drop(progress);
    let answer = json!({"made": made, "next": null, "dry_run": true});
    Answer::Done(answer).tell(json, |_| {
        format!("{} would get {made} event{}", asked.plugin, if made == 1 { "" } else { "s" })
    })
}

impl Replays {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        match self.stop {
            Some(replay) => operator.stop_replay(replay).await?.tell(json, |replay| {
                format!(
                    "replay {} is {}; it made {}",
                    replay["replay"],
                    text(&replay["state"]),
                    replay["made"]
                )
            }),
            None => operator.replays().await?.tell(json, table),
        }
    }
}

fn table(answer: &Value) -> String {
    let mut rows = vec![
        ["replay", "plugin", "state", "made", "next", "last", "rate", "started (UTC)", "by"]
            .map(str::to_owned),
    ];
    for replay in list(&answer["replays"]) {
        rows.push([
            replay["replay"].to_string(),
            text(&replay["plugin"]),
            text(&replay["state"]),
            replay["made"].to_string(),
            replay["next_event"].to_string(),
            replay["last_event"].to_string(),
            replay["rate"].to_string(),
            brief_time(&replay["started_at"]),
            super::shown(&text(&replay["started_by"])),
        ]);
    }
    if rows.len() == 1 { "nothing was replayed yet".to_owned() } else { columns(&rows).join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_a_line() {
        let answer = json!({"replays": [{
            "replay": 3, "plugin": "audit-log", "state": "running", "made": 250, "next_event": 912,
            "last_event": 4711, "rate": 100.0, "started_at": "2026-11-22T10:00:01.5Z", "started_by": "ada",
        }]});
        let expected = "\
replay  plugin     state    made  next  last  rate   started (UTC)        by
3       audit-log  running  250   912   4711  100.0  2026-11-22 10:00:01  ada";
        assert_eq!(table(&answer), expected);
        assert_eq!(table(&json!({"replays": []})), "nothing was replayed yet");
    }
}
