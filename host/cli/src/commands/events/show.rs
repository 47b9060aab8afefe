//! `hookbox events show` and `summary`.

use std::fmt::Write as _;

use clap::Args;
use hookbox_server::{Config, EventRef};
use serde_json::Value;

use super::list::{brief_time, why};
use super::shown;
use crate::Done;
use crate::commands::operator::Place;
use crate::commands::report::{columns, list, text};

/// Show one event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox events show 4711
  hookbox events show 3f6c1c9e-8b1d-11f0-9a6e-0242ac120002 --json")]
pub(crate) struct Show {
    /// The event's number, or its UUID
    #[arg(value_name = "EVENT")]
    event: EventRef,
    /// Who sent it, where several senders gave the same UUID
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Count what each plugin's deliveries do, and what is kept.
#[derive(Debug, Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    place: Place,
}

impl Show {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        operator.event(self.event, self.source.as_deref()).await?.tell(json, page)
    }
}

impl Summary {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        operator.events_summary().await?.tell(json, summary)
    }
}

fn page(event: &Value) -> String {
    let mut page = format!("event {}: {}\n", event["event"], shown(&text(&event["type"])));
    for key in ["id", "source", "time", "received_at", "course"] {
        if !event[key].is_null() {
            let _ = writeln!(page, "  {:<12} {}", key.replace("_at", ""), shown(&text(&event[key])));
        }
    }
    for key in ["extensions", "data"] {
        if event[key].as_object().is_none_or(|object| !object.is_empty()) {
            let _ = writeln!(page, "  {key:<12} {}", shown(&event[key].to_string()));
        }
    }
    if list(&event["deliveries"]).next().is_none() {
        page.push_str("  nobody receives it\n");
    }
    for delivery in list(&event["deliveries"]) {
        page.push_str(&told_delivery(delivery));
        page.push('\n');
        for attempt in list(&delivery["history"]) {
            let _ = writeln!(page, "    {}", told_attempt(attempt));
            for frame in list(&attempt["report"]["report"]["backtrace"]) {
                let _ = writeln!(page, "      at {}", shown(&text(frame)));
            }
            if let Some(name) = attempt["report"]["replay"].as_str() {
                let _ = writeln!(page, "      kept as {}", shown(name));
            }
        }
    }
    page.trim_end().to_owned()
}

/// `catalog-logger: dead (attempts), 3 attempts, release 1`.
fn told_delivery(delivery: &Value) -> String {
    let mut told = format!("  {}: {}", text(&delivery["plugin"]), text(&delivery["state"]));
    let why = why(delivery);
    if !why.is_empty() {
        let _ = write!(told, " ({why})");
    }
    let attempts = &delivery["attempts"];
    let _ = write!(told, ", {attempts} attempt{}", if *attempts == 1 { "" } else { "s" });
    if !delivery["release"].is_null() {
        let _ = write!(told, ", last with release {}", delivery["release"]);
    }
    if let Some(key) = delivery["order_key"].as_str() {
        let _ = write!(told, ", ordered by {}", shown(key));
    }
    told
}

/// `1  2026-11-22 10:00:03  failed (trap) after 41 ms, release 1: why`.
fn told_attempt(attempt: &Value) -> String {
    let mut told =
        format!("{}  {}  {}", attempt["number"], brief_time(&attempt["began_at"]), text(&attempt["outcome"]));
    if let Some(code) = attempt["code"].as_str() {
        let _ = write!(told, " ({code})");
    }
    if let Some(took) = attempt["microseconds"].as_u64() {
        let _ = write!(told, " after {}.{:03} ms", took / 1_000, took % 1_000);
    }
    if !attempt["release"].is_null() {
        let _ = write!(told, ", release {}", attempt["release"]);
    }
    if let Some(reason) = attempt["reason"].as_str() {
        let _ = write!(told, ": {}", shown(reason));
    }
    told
}

fn summary(answer: &Value) -> String {
    let mut rows = vec![
        ["plugin", "standing", "open", "delivered", "dead", "discarded", "oldest waiting (UTC)"]
            .map(str::to_owned),
    ];
    for receiver in list(&answer["receivers"]) {
        let [open, delivered, dead, discarded] =
            ["open", "delivered", "dead", "discarded"].map(|key| receiver[key].to_string());
        let oldest = brief_time(&receiver["oldest_waiting"]);
        rows.push([
            text(&receiver["plugin"]),
            text(&receiver["standing"]),
            open,
            delivered,
            dead,
            discarded,
            oldest,
        ]);
    }
    let mut lines =
        if rows.len() == 1 { vec!["no plugin received anything yet".to_owned()] } else { columns(&rows) };
    let kept = ["open", "dead", "done"].map(|class| {
        let total = &answer["events"][class];
        format!("{} {class} ({})", total["events"], bytes(&total["bytes"]))
    });
    lines.push(format!("events kept: {}", kept.join(", ")));
    lines.join("\n")
}

/// A number of bytes, in the largest unit of which there is at least one.
fn bytes(value: &Value) -> String {
    let bytes = value.as_u64().unwrap_or_default();
    let unit = [("GiB", 30), ("MiB", 20), ("KiB", 10)].into_iter().find(|(_, bits)| bytes >> bits > 0);
    match unit {
        Some((name, bits)) => format!("{}.{} {name}", bytes >> bits, (bytes >> (bits - 4)) % 16 * 10 / 16),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_told_with_every_attempt() {
        let event = json!({
            "event": 17, "id": "7a2b", "type": "org.openedx.x.v1", "source": "openedx/cms/web",
            "time": "2026-11-22T10:00:00Z", "received_at": "2026-11-22T10:00:01Z", "course": null,
            "extensions": {}, "data": {"a": 1},
            "deliveries": [{
                "plugin": "a-trap", "state": "dead", "reason": "attempts", "attempts": 1, "release": 2,
                "order_key": null, "due_at": null,
                "history": [{
                    "number": 1, "began_at": "2026-11-22T10:00:01.5Z", "outcome": "failed", "code": "trap",
                    "microseconds": 41_007, "release": 2, "reason": "it trapped",
                    "report": {"report": {"backtrace": ["receive"]}, "replay": "20261122T100001500Z-a-trap.json"},
                }],
            }],
        });
        let expected = "\
event 17: org.openedx.x.v1
  id           7a2b
  source       openedx/cms/web
  time         2026-11-22T10:00:00Z
  received     2026-11-22T10:00:01Z
  data         {\"a\":1}
  a-trap: dead (attempts), 1 attempt, last with release 2
    1  2026-11-22 10:00:01  failed (trap) after 41.007 ms, release 2: it trapped
      at receive
      kept as 20261122T100001500Z-a-trap.json";
        assert_eq!(page(&event), expected);
    }

    #[test]
    fn a_summary_is_a_line_a_plugin() {
        let total = |events: u64, bytes: u64| json!({"events": events, "bytes": bytes});
        let answer = json!({
            "receivers": [{"plugin": "a", "standing": "enabled", "open": 3, "delivered": 10, "dead": 2,
                           "discarded": 0, "oldest_waiting": "2026-11-22T10:00:01Z"}],
            "events": {"open": total(3, 300), "dead": total(2, 2_048), "done": total(10, 3 << 29)},
        });
        let expected = "\
plugin  standing  open  delivered  dead  discarded  oldest waiting (UTC)
a       enabled   3     10         2     0          2026-11-22 10:00:01
events kept: 3 open (300 bytes), 2 dead (2.0 KiB), 10 done (1.5 GiB)";
        assert_eq!(summary(&answer), expected);
    }
}
