//! `hookbox plugin list`, `show` and `releases`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use hookbox_plugins::ReleaseRef;
use hookbox_server::Config;
use serde_json::Value;

use crate::Done;
use crate::commands::operator::Place;
use crate::commands::report::{self, columns, list, text};

/// Letters of a reason in the list.
const BRIEF: usize = 160;

/// List the plugins.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox plugin list
  hookbox plugin list --url https://hooks.example.com --json")]
pub(crate) struct List {
    /// Removed plugins too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
}

/// Show one plugin.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin show course-about-url")]
pub(crate) struct Show {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// List the releases of a plugin, or show the report of one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox plugin releases course-about-url
  hookbox plugin releases course-about-url 4          why release 4 was rejected")]
pub(crate) struct Releases {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Only this release, with the report of its admission
    #[arg(value_name = "RELEASE")]
    release: Option<ReleaseRef>,
    #[command(flatten)]
    place: Place,
}

impl List {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        operator.plugins()?.tell(json, |answer| table(&answer["plugins"], self.all))
    }
}

impl Show {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        operator.plugin(&self.name)?.tell(json, page)
    }
}

impl Releases {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        match &self.release {
            Some(release) => operator.release(&self.name, release)?.tell(json, release_page),
            None => operator.plugin(&self.name)?.tell(json, |plugin| releases(plugin).join("\n")),
        }
    }
}

/// The version of the release that is live, or would be.
fn version(plugin: &Value) -> String {
    let of_release = super::release_of(plugin, &plugin["release"]).map(|release| &release["version"]);
    let version = plugin["version"].as_str().or(of_release.and_then(Value::as_str));
    version.unwrap_or("-").to_owned()
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

/// What somebody should look at, in one line.
fn attention(plugin: &Value) -> String {
    let mut notes = Vec::new();
    if !plugin["quarantine"].is_null() {
        notes.push(state(plugin));
    }
    let attention = &plugin["attention"];
    if !attention.is_null() {
        let state = text(&attention["state"]).replace('-', " ");
        notes.push(format!(
            "{state}: release {}: {}",
            attention["release"],
            brief(&text(&attention["reason"]))
        ));
    }
    if !plugin["trial"].is_null() {
        let trial = &plugin["trial"];
        notes.push(format!("tries release {}: {}", trial["release"], told_trial(trial)));
    }
    notes.join("; ")
}

/// A reason's first line and the first of the list below it, cut.
fn brief(reason: &str) -> String {
    let mut lines = reason.lines();
    let mut brief = lines.next().unwrap_or_default().to_owned();
    if let Some(second) = lines.next() {
        brief = format!("{brief}: {}", second.trim_start().trim_start_matches("- "));
    }
    match brief.char_indices().nth(BRIEF) {
        Some((end, _)) => format!("{}…", &brief[..end]),
        None => brief,
    }
}

/// How a release is tried, and what was found so far.
pub(super) fn told_trial(trial: &Value) -> String {
    let counts = &trial["counts"];
    let mut told = format!(
        "{} on {} % of the calls, {} so far",
        text(&trial["kind"]),
        trial["percent"].as_f64().unwrap_or_default(),
        counts["calls"]
    );
    let named =
        [("equal", "equal"), ("different", "different"), ("failed", "failed"), ("left_out", "left out")];
    for (key, what) in named {
        if trial["kind"] == "shadow" || key == "failed" {
            let _ = write!(told, ", {} {what}", counts[key]);
        }
    }
    let rule = &trial["rule"];
    if !rule.is_null() {
        let (calls, differences) = (&rule["calls"], &rule["differences"]);
        let _ = write!(told, "; promoted after {calls} calls with at most {differences} differences");
    }
    told
}

fn table(plugins: &Value, all: bool) -> String {
    let mut rows = vec![["plugin", "state", "release", "version", "attention"].map(str::to_owned)];
    for plugin in list(plugins).filter(|plugin| all || plugin["state"] != "removed") {
        let release = plugin["release"].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
        rows.push([
            text(&plugin["name"]),
            text(&plugin["state"]),
            release,
            version(plugin),
            attention(plugin),
        ]);
    }
    if rows.len() == 1 { "no plugin is installed".to_owned() } else { columns(&rows).join("\n") }
}

fn releases(plugin: &Value) -> Vec<String> {
    let mut rows =
        vec![["release", "state", "version", "installed", "by", "from", "digest"].map(str::to_owned)];
    for release in list(&plugin["releases"]) {
        let digest: String = text(&release["digest"]).chars().take("sha256:".len() + 12).collect();
        rows.push([
            release["release"].to_string(),
            text(&release["state"]),
            release["version"].as_str().unwrap_or("-").to_owned(),
            to_the_second(&text(&release["installed_at"])),
            text(&release["installed_by"]),
            format!("{} {}", text(&release["source"]), text(&release["origin"])),
            digest,
        ]);
    }
    columns(&rows)
}

/// A time without its fraction.
fn to_the_second(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

fn release_page(release: &Value) -> String {
    let mut page = format!("release {} is {}\n", release["release"], text(&release["state"]));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(page, "  {name:<14} {value}");
    };
    if let Some(reason) = release["reason"].as_str() {
        for (at, part) in reason.lines().enumerate() {
            line(if at == 0 { "reason" } else { "" }, part);
        }
    }
    for key in ["version", "digest", "bytes", "source", "origin"] {
        if !release[key].is_null() {
            line(key, &text(&release[key]));
        }
    }
    line("installed", &format!("{} by {}", text(&release["installed_at"]), text(&release["installed_by"])));
    let report = &release["report"];
    let exports = list(&report["exports"]).map(|export| text(&export["interface"]));
    for (at, export) in exports.enumerate() {
        line(if at == 0 { "exports" } else { "" }, &export);
    }
    for (key, what) in [("imports", "imports"), ("grants", "needs grants")] {
        for (at, value) in list(&report[key]).enumerate() {
            line(if at == 0 { what } else { "" }, &text(value));
        }
    }
    let cases = list(&report["cases"]).count();
    if cases > 0 {
        let passed = list(&report["cases"]).filter(|case| case["passed"] == true).count();
        line("cases", &format!("{passed} of {cases} passed"));
    }
    for finding in report::lines(report) {
        let _ = writeln!(page, "  {finding}");
    }
    page.trim_end().to_owned()
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
    let attention = &plugin["attention"];
    if !attention.is_null() {
        let what = format!("release {} is {}", attention["release"], text(&attention["state"]));
        line("attention", &what);
        text(&attention["reason"]).lines().for_each(|part| line("", part));
    }
    if !plugin["trial"].is_null() {
        let trial = &plugin["trial"];
        line("trial", &format!("release {}: {}", trial["release"], told_trial(trial)));
    }
    line("revision", &text(&plugin["revision"]));
    let approved: Vec<String> = list(&plugin["approved"]).map(text).collect();
    if !approved.is_empty() {
        line("approved", &approved.join(", "));
    }
    if !plugin["digest"].is_null() {
        live(plugin, &mut line);
    }
    for (at, row) in releases(plugin).iter().enumerate() {
        line(if at == 0 { "releases" } else { "" }, row);
    }
    page.trim_end().to_owned()
}

/// What is live, in full.
fn live(plugin: &Value, line: &mut impl FnMut(&str, &str)) {
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
    if list(&plugin["hooks"]).any(|hook| hook["kind"] == "event") {
        line("delivery", &delivery(&plugin["delivery"]));
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
}

/// On which terms events are delivered.
fn delivery(rule: &Value) -> String {
    let span = |key: &str| humantime::format_duration(Duration::from_millis(rule[key].as_u64().unwrap_or(0)));
    let mut told = format!(
        "up to {} attempts within {}, {} to {} apart, {} at once",
        rule["attempts"],
        span("horizon_ms"),
        span("pause_ms"),
        span("longest_pause_ms"),
        rule["concurrency"]
    );
    if let Some(path) = rule["ordered_by"].as_str() {
        let _ = write!(told, ", ordered by {path}");
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_says_what_needs_attention() {
        let plugins = json!([
            {"name": "about", "state": "live", "release": 3, "version": "1.2.0", "quarantine": null, "trial": null,
             "attention": {"release": 4, "state": "rejected", "reason": "it is refused\n  - no component\n  - more"}},
            {"name": "counter", "state": "waiting", "release": null, "quarantine": null, "releases": [],
             "attention": {"release": 1, "state": "needs-approval", "reason": "it wants keyvalue"}},
            {"name": "gone", "state": "removed", "release": null},
        ]);
        let expected = "\
plugin   state    release  version  attention
about    live     3        1.2.0    rejected: release 4: it is refused: no component
counter  waiting  -        -        needs approval: release 1: it wants keyvalue";
        assert_eq!(table(&plugins, false), expected);
        assert!(table(&plugins, true).contains("\ngone     removed"));
        assert_eq!(table(&json!([]), false), "no plugin is installed");
    }

    #[test]
    fn terms_of_delivery_are_told_as_they_are_configured() {
        let mut rule = json!({"attempts": 16, "horizon_ms": 86_400_000, "pause_ms": 1_000, "longest_pause_ms": 3_600_000,
            "ordered_by": null, "concurrency": 1});
        assert_eq!(delivery(&rule), "up to 16 attempts within 1day, 1s to 1h apart, 1 at once");
        rule["ordered_by"] = json!("course_key");
        assert!(delivery(&rule).ends_with(", ordered by course_key"));
    }

    #[test]
    fn a_trial_is_told_with_its_counts_and_its_rule() {
        let mut trial = json!({"release": 4, "kind": "shadow", "percent": 10.0, "rule": {"calls": 100, "differences": 0},
            "counts": {"calls": 9, "equal": 8, "different": 1, "failed": 0, "left_out": 2}});
        assert_eq!(
            told_trial(&trial),
            "shadow on 10 % of the calls, 9 so far, 8 equal, 1 different, 0 failed, 2 left out; \
             promoted after 100 calls with at most 0 differences"
        );
        trial["kind"] = json!("canary");
        trial["rule"] = Value::Null;
        assert_eq!(told_trial(&trial), "canary on 10 % of the calls, 9 so far, 0 failed");
    }
}
