//! `hookbox config reload` and `hookbox config diff`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use hookbox_server::Config;
use serde_json::Value;

use super::operator::Place;
use super::report::{list, text};
use crate::Done;

/// The configuration of a running server.
#[derive(Debug, Subcommand)]
pub(crate) enum Configuration {
    /// Make a running server read its configuration again
    Reload(Reload),
    /// Say what a reload would change
    Diff(Diff),
}

/// Make a running server read its configuration again.
#[derive(Debug, Args)]
#[command(
    after_help = "All of the new configuration goes live, or with a mistake in it nothing does. Only [plugins] and
[filters] change while the server runs; the other tables need a restart, and the answer names them.

Example:
  hookbox config reload"
)]
pub(crate) struct Reload {
    #[command(flatten)]
    place: Place,
}

/// Say what a reload would change.
#[derive(Debug, Args)]
#[command(after_help = "The server reads its own configuration files, where it runs; nothing goes live.

Example:
  hookbox config diff --json")]
pub(crate) struct Diff {
    #[command(flatten)]
    place: Place,
}

impl Configuration {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let (place, dry_run) = match self {
            Self::Reload(Reload { place }) => (place, false),
            Self::Diff(Diff { place }) => (place, true),
        };
        let operator = place.operator(config).await?;
        operator.reload(dry_run)?.tell(json, |report| told(report, dry_run))
    }
}

fn told(report: &Value, dry_run: bool) -> String {
    let mut told = String::new();
    for plugin in list(&report["plugins"]) {
        let what: Vec<String> = list(&plugin["what"]).map(text).collect();
        let what = if what.is_empty() { String::new() } else { format!(": {}", what.join(", ")) };
        let _ = writeln!(told, "plugin {} is {}{what}", text(&plugin["plugin"]), text(&plugin["change"]));
    }
    for hook in list(&report["hooks"]) {
        let names = |key: &str| {
            let names: Vec<String> = list(&hook[key]).map(text).collect();
            if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
        };
        let _ = writeln!(told, "hook {}", text(&hook["hook"]));
        let (before, after) = (names("before"), names("after"));
        if before == after {
            let _ = writeln!(told, "  plugins  {after}");
        } else {
            let _ = writeln!(told, "  before   {before}\n  after    {after}");
        }
        for setting in list(&hook["settings"]) {
            let _ = writeln!(told, "  setting  {}", text(setting));
        }
    }
    for warning in list(&report["warnings"]) {
        let _ = writeln!(told, "warning: {}", text(warning));
    }
    for key in list(&report["needs_restart"]) {
        let _ = writeln!(told, "{} changes with a restart only", text(key));
    }
    let changes = list(&report["plugins"]).count() + list(&report["hooks"]).count();
    told.push_str(&match (dry_run, changes) {
        (true, 0) => "a reload would change nothing".to_owned(),
        (true, _) => "`hookbox config reload` makes these changes".to_owned(),
        (false, 0) => format!("nothing changed, generation {}", report["generation"]),
        (false, _) => format!("reloaded, generation {}", report["generation"]),
    });
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told_a_line_a_change() {
        let report = json!({
            "plugins": [{"plugin": "about", "change": "changed", "what": ["settings", "limits.time"]}],
            "hooks": [
                {"hook": "a.v1", "before": ["x", "y"], "after": []},
                {"hook": "b.v1", "before": ["x"], "after": ["x"], "settings": ["fail_silently"]},
            ],
            "warnings": ["w"],
            "needs_restart": ["server.listen"],
        });
        let expected = "\
plugin about is changed: settings, limits.time
hook a.v1
  before   x, y
  after    nobody
hook b.v1
  plugins  x
  setting  fail_silently
warning: w
server.listen changes with a restart only
`hookbox config reload` makes these changes";
        assert_eq!(told(&report, true), expected);
        assert_eq!(told(&json!({"plugins": [], "hooks": []}), true), "a reload would change nothing");
        assert_eq!(told(&json!({"generation": 4}), false), "nothing changed, generation 4");
    }
}
