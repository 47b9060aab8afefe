//! `hookbox events retry` and `discard`.

use anyhow::bail;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hookbox_server::{BulkAsked, Config, EventRef, Names};
use serde_json::{Value, json};

use super::Progress;
use super::which::Which;
use crate::Done;
use crate::commands::operator::{Answer, Bulk, Place};

/// Deliver dead letters again, with all their attempts before them and the release that is live now.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox events retry 4711                             one event's dead letters
  hookbox events retry --plugin webhook-forwarder       all of a plugin, after an upgrade
  hookbox events retry --all --dry-run                  how many there are")]
pub(crate) struct Retry {
    #[command(flatten)]
    meant: Meant,
}

/// Give up dead letters, and deliveries that wait.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox events discard 4711 --plugin webhook-forwarder
  hookbox events discard --plugin gone --state open     what still waits for a plugin
  hookbox events discard --state dead --to 2026-11-01 --dry-run")]
pub(crate) struct Discard {
    #[command(flatten)]
    meant: Meant,
}

/// Which deliveries are meant.
#[derive(Debug, Args)]
struct Meant {
    /// One event: its number, or its UUID
    #[arg(value_name = "EVENT")]
    event: Option<EventRef>,
    /// Deliveries to this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Deliveries in these states [default: dead; to discard also those that wait]
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    state: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Everybody's, where nothing else says whose
    #[arg(long)]
    all: bool,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

impl Retry {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let done = if self.meant.dry_run { "would be delivered again" } else { "wait for delivery again" };
        self.meant.change(Bulk::Retry, done, config, json).await
    }
}

impl Discard {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let done = if self.meant.dry_run { "would be discarded" } else { "are discarded" };
        self.meant.change(Bulk::Discard, done, config, json).await
    }
}

impl Meant {
    async fn change(self, bulk: Bulk, done: &str, config: &Config, json: bool) -> anyhow::Result<Done> {
        let said = self.event.is_some() || self.plugin.is_some() || !self.state.is_empty() || self.all;
        if !said && self.which.is_empty() {
            bail!(
                "say which: an EVENT, --plugin, --state, --type, --course, --source, --from, --to, or --all"
            );
        }
        let mut asked = BulkAsked {
            event: self.event,
            state: Names(self.state),
            types: self.which.types(),
            plugin: self.plugin,
            course: self.which.course.clone(),
            source: self.which.source.clone(),
            from: self.which.from(),
            to: self.which.to(),
            all: self.all,
            dry_run: self.dry_run,
            after: None,
        };
        let operator = self.place.operator(config).await?;
        let mut changed = 0;
        let mut progress = Progress::new();
        loop {
            let part = match operator.change_events(bulk, &asked).await?.done() {
                Ok(part) => part,
                Err(refused) if changed == 0 => return refused.tell(json, Value::to_string),
                Err(refused) => {
                    drop(progress);
                    eprintln!("{changed} deliveries {done}; then it ended:");
                    return refused.tell(json, Value::to_string);
                }
            };
            changed += part["changed"].as_u64().unwrap_or_default();
            asked.after = part["next"].as_i64();
            match asked.after {
                Some(_) => progress.tell(&format!("{changed} deliveries {done}")),
                None => break,
            }
        }
        drop(progress);
        let answer = json!({"changed": changed, "next": null, "dry_run": asked.dry_run});
        Answer::Done(answer).tell(json, |_| match changed {
            0 => "no delivery matches".to_owned(),
            1 => format!("1 delivery {}", singular(done)),
            many => format!("{many} deliveries {done}"),
        })
    }
}

fn singular(done: &str) -> String {
    match done.split_once(' ') {
        Some(("wait", rest)) => format!("waits {rest}"),
        Some(("are", rest)) => format!("is {rest}"),
        _ => done.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_delivery_is_told_as_one() {
        assert_eq!(singular("wait for delivery again"), "waits for delivery again");
        assert_eq!(singular("are discarded"), "is discarded");
        assert_eq!(singular("would be discarded"), "would be discarded");
    }
}
