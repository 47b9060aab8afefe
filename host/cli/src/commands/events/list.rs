//! `hookbox events list`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hookbox_server::{Config, EventsAsked, Names};
use serde_json::{Value, json};

use super::which::Which;
use super::{Progress, shown};
use crate::Done;
use crate::commands::operator::{Answer, Place};
use crate::commands::report::{columns, list, text};

/// Events of one page.
const PAGE: u32 = 500;

/// List events and how their deliveries go, the latest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox events list --state dead                      dead letters
  hookbox events list --plugin webhook-forwarder --from 2h
  hookbox events list --course course-v1:edX+DemoX+2024 --json")]
pub(crate) struct List {
    /// Deliveries in these states: ready, held, running (or open for the three), delivered, dead, discarded
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    state: Vec<String>,
    /// Deliveries to this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// The event with this UUID
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    #[command(flatten)]
    which: Which,
    /// At most so many events
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    place: Place,
}

impl List {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let mut asked = EventsAsked {
            state: Names(self.state.clone()),
            types: self.which.types(),
            plugin: self.plugin.clone(),
            course: self.which.course.clone(),
            source: self.which.source.clone(),
            from: self.which.from(),
            to: self.which.to(),
            id: self.id.clone(),
            before: None,
            limit: 0,
        };
        let operator = self.place.operator(config).await?;
        let mut events: Vec<Value> = Vec::new();
        let mut progress = Progress::new();
        loop {
            let found = u32::try_from(events.len()).unwrap_or(u32::MAX);
            asked.limit = self.limit.saturating_sub(found).clamp(1, PAGE);
            let mut page = match operator.events(&asked).await?.done() {
                Ok(page) => page,
                Err(refused) => return refused.tell(json, text),
            };
            events.extend(page["events"].as_array_mut().into_iter().flat_map(std::mem::take));
            asked.before = page["next"].as_i64();
            let enough = usize::try_from(self.limit).unwrap_or(usize::MAX) <= events.len();
            match asked.before {
                Some(next) if !enough => {
                    progress.tell(&format!("{} found, looking at events before {next}", events.len()));
                }
                _ => break,
            }
        }
        drop(progress);
        let answer = json!({"events": events, "next": asked.before});
        Answer::Done(answer).tell(json, |answer| table(answer, self.plugin.as_deref(), &self.state))
    }
}

/// A line a delivery; of events that several receive, the deliveries that were asked for.
fn table(answer: &Value, plugin: Option<&str>, states: &[String]) -> String {
    let wanted = |delivery: &&Value| {
        let open = ["ready", "held", "running"];
        let state = text(&delivery["state"]);
        plugin.is_none_or(|plugin| delivery["plugin"] == plugin)
            && (states.is_empty()
                || states.contains(&state)
                || (states.iter().any(|name| name == "open") && open.contains(&state.as_str())))
    };
    let mut rows =
        vec![["event", "received (UTC)", "type", "plugin", "state", "attempts", "why"].map(str::to_owned)];
    for event in list(&answer["events"]) {
        let (number, received) = (event["event"].to_string(), brief_time(&event["received_at"]));
        let event_type = brief_type(&event["type"]);
        let mut deliveries = list(&event["deliveries"]).filter(wanted).peekable();
        if deliveries.peek().is_none() {
            let none = || "-".to_owned();
            rows.push([
                number.clone(),
                received.clone(),
                event_type.clone(),
                none(),
                none(),
                none(),
                String::new(),
            ]);
        }
        for delivery in deliveries {
            rows.push([
                number.clone(),
                received.clone(),
                event_type.clone(),
                text(&delivery["plugin"]),
                text(&delivery["state"]),
                delivery["attempts"].to_string(),
                why(delivery),
            ]);
        }
    }
    if rows.len() == 1 {
        return "no event matches".to_owned();
    }
    let mut lines = columns(&rows);
    if !answer["next"].is_null() {
        lines.push("there are more: --limit shows them".to_owned());
    }
    lines.join("\n")
}

/// Why a delivery is dead, or when it is tried again.
pub(super) fn why(delivery: &Value) -> String {
    if let Some(reason) = delivery["reason"].as_str() {
        return shown(reason);
    }
    match delivery["due_at"].as_str() {
        Some(_) => format!("again at {}", brief_time(&delivery["due_at"])),
        None => String::new(),
    }
}

/// A type without what all of upstream's begin with.
pub(super) fn brief_type(event_type: &Value) -> String {
    let event_type = shown(&text(event_type));
    event_type.strip_prefix("org.openedx.").map_or_else(|| event_type.clone(), str::to_owned)
}

/// A time to the second, as people write it.
pub(super) fn brief_time(time: &Value) -> String {
    let Some(time) = time.as_str() else { return "-".to_owned() };
    time.get(..19).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_a_line() {
        let delivery = |plugin: &str, state: &str, reason: Value| json!({"plugin": plugin, "state": state, "attempts": 3, "reason": reason, "due_at": null});
        let answer = json!({"events": [
            {"event": 9, "received_at": "2026-11-22T10:00:03.123456Z", "type": "org.openedx.learning.x.v1",
             "deliveries": [delivery("a", "delivered", Value::Null), delivery("b", "dead", json!("attempts"))]},
            {"event": 8, "received_at": "2026-11-22T10:00:02Z", "type": "com.example\u{1b}[2J", "deliveries": []},
        ], "next": 8});
        let expected = "\
event  received (UTC)       type                  plugin  state      attempts  why
9      2026-11-22 10:00:03  learning.x.v1         a       delivered  3
9      2026-11-22 10:00:03  learning.x.v1         b       dead       3         attempts
8      2026-11-22 10:00:02  com.example\\u{1b}[2J  -       -          -
there are more: --limit shows them";
        assert_eq!(table(&answer, None, &[]), expected);
        let dead = table(&answer, Some("b"), &["dead".to_owned()]);
        assert!(!dead.contains("delivered") && dead.contains("attempts"), "{dead}");
        assert_eq!(table(&json!({"events": [], "next": null}), None, &[]), "no event matches");
    }
}
