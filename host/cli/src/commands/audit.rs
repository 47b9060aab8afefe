//! `hookbox audit`.

use clap::Args;
use hookbox_server::Config;
use serde_json::Value;

use super::operator::Place;
use super::report::{list, text};
use crate::Done;

/// Show who did what to the plugins and to events, the latest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox audit
  hookbox audit --plugin course-about-url --limit 5 --json")]
pub(crate) struct Audit {
    /// Only what was done to this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// At most so many entries, up to 500
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    #[command(flatten)]
    place: Place,
}

impl Audit {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        operator.audit(self.plugin.as_deref(), self.limit).await?.tell(json, told)
    }
}

fn told(answer: &Value) -> String {
    let lines: Vec<String> = list(&answer["entries"]).map(line).collect();
    if lines.is_empty() { "nothing was done yet".to_owned() } else { lines.join("\n") }
}

fn line(entry: &Value) -> String {
    let mut line = format!("{} {} {}", text(&entry["at"]), text(&entry["actor"]), text(&entry["action"]));
    if let Some(plugin) = entry["plugin"].as_str() {
        line.push(' ');
        line.push_str(plugin);
    }
    for key in ["release", "generation"] {
        if !entry[key].is_null() {
            line.push_str(&format!(" {key} {}", entry[key]));
        }
    }
    line.push_str(&format!(": {}", text(&entry["outcome"])));
    let detail = &entry["detail"];
    if let Some(reason) = detail["reason"].as_str().and_then(|reason| reason.lines().next()) {
        line.push_str(&format!(", {reason}"));
    }
    if let Some(changed) = detail["changed"].as_u64() {
        line.push_str(&format!(", {changed} deliver{}", if changed == 1 { "y" } else { "ies" }));
    }
    if let Some(counts) = detail["counts"].as_object() {
        let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        line.push_str(&format!(" ({})", counts.join(", ")));
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_a_line() {
        let entries = json!({"entries": [
            {"at": "2026-11-22T10:00:00Z", "actor": "ada", "action": "install", "outcome": "live",
             "plugin": "about", "release": 2, "generation": 9},
            {"at": "2026-11-22T09:00:00Z", "actor": "configuration", "action": "reload", "outcome": "done",
             "plugin": null, "release": null, "generation": 8},
            {"at": "2026-11-22T08:00:00Z", "actor": "rule", "action": "end-trial", "outcome": "ended", "plugin": "about",
             "release": 2, "generation": 7, "detail": {"counts": {"calls": 3, "different": 1}}},
            {"at": "2026-11-22T07:00:00Z", "actor": "ada", "action": "install", "outcome": "rejected", "plugin": "about",
             "release": 1, "detail": {"reason": "the component is refused\n  - why"}},
            {"at": "2026-11-22T06:00:00Z", "actor": "ada", "action": "retry-events", "outcome": "done", "plugin": "about",
             "release": null, "detail": {"changed": 12, "next": null}},
        ]});
        let expected = "\
2026-11-22T10:00:00Z ada install about release 2 generation 9: live
2026-11-22T09:00:00Z configuration reload generation 8: done
2026-11-22T08:00:00Z rule end-trial about release 2 generation 7: ended (calls 3, different 1)
2026-11-22T07:00:00Z ada install about release 1: rejected, the component is refused
2026-11-22T06:00:00Z ada retry-events about: done, 12 deliveries";
        assert_eq!(told(&entries), expected);
        assert_eq!(told(&json!({"entries": []})), "nothing was done yet");
    }
}
