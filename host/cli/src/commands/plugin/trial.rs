//! Trials of a release: shadow, canary, promote, end-trial, and what a trial found.

use clap::Args;
use hookbox_plugins::{ReleaseRef, TrialEnd, TrialKind};
use hookbox_server::Config;

use super::install::Rule;
use super::show::told_trial;
use crate::Done;
use crate::commands::operator::{Answer, Change, ChangePlace, Place};
use crate::commands::report::{list, text};

/// Show the trial of a plugin.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin trial course-about-url")]
pub(crate) struct Show {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Run a release beside the live one on a share of the calls, without using its answers.
#[derive(Debug, Args)]
#[command(
    after_help = "Its answers are compared with the live release's, field by field, and thrown away; what it would
write or send is not.

Examples:
  hookbox plugin shadow course-about-url 4 --percent 10
  hookbox plugin shadow course-about-url 4 --percent 100 --calls 1000 --differences 0"
)]
pub(crate) struct Shadow {
    #[command(flatten)]
    trial: Trial,
}

/// Let a release answer a share of the calls.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox plugin canary course-about-url 4 --percent 5
  hookbox plugin canary course-about-url 4 --percent 5 --calls 500 --differences 2")]
pub(crate) struct Canary {
    #[command(flatten)]
    trial: Trial,
}

/// Which release is tried, and how.
#[derive(Debug, Args)]
struct Trial {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The release to try: its number, its version, or the beginning of its digest
    #[arg(value_name = "RELEASE")]
    release: ReleaseRef,
    /// Of a hundred calls, how many it gets: above 0, at most 100
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    percent: f64,
    #[command(flatten)]
    rule: Rule,
    #[command(flatten)]
    place: ChangePlace,
}

/// End a trial: the tried release goes live.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin promote course-about-url")]
pub(crate) struct Promote {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: ChangePlace,
}

/// End a trial: the live release stays.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin end-trial course-about-url")]
pub(crate) struct EndTrial {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: ChangePlace,
}

impl Show {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        let answer = match operator.plugin(&self.name)? {
            Answer::Done(mut plugin) => Answer::Done(plugin["trial"].take()),
            refused @ Answer::Refused { .. } => refused,
        };
        let name = self.name;
        answer.tell(json, |trial| {
            if trial.is_null() {
                return format!(
                    "{name}: no release is tried; `hookbox audit --plugin {name} --json` tells how the last trial ended"
                );
            }
            let mut told = format!("{name}: release {}: {}", trial["release"], told_trial(trial));
            for example in list(&trial["examples"]) {
                told.push_str(&format!("\n  {} {}", text(&example["at"]), text(&example["hook"])));
                for difference in list(&example["differences"]) {
                    told.push_str(&format!("\n    {}", text(&difference["path"])));
                    for (side, what) in [("live", "live"), ("trial", "tried")] {
                        if let Some(value) = difference.get(side) {
                            told.push_str(&format!("\n      {what}: {value}"));
                        }
                    }
                }
            }
            told
        })
    }
}

impl Shadow {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.trial.begin(TrialKind::Shadow, config, json).await
    }
}

impl Canary {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.trial.begin(TrialKind::Canary, config, json).await
    }
}

impl Trial {
    async fn begin(self, kind: TrialKind, config: &Config, json: bool) -> anyhow::Result<Done> {
        let request = self.rule.request(kind, self.percent);
        self.place.change(&self.name, Change::Try(self.release, request), config, json).await
    }
}

impl Promote {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.place.change(&self.name, Change::EndTrial(TrialEnd::Promote), config, json).await
    }
}

impl EndTrial {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.place.change(&self.name, Change::EndTrial(TrialEnd::RollBack), config, json).await
    }
}

/// A share of calls.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("a share is a number above 0 and at most 100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_above_nothing_and_at_most_all() {
        assert_eq!((percent("10"), percent("0.5%"), percent("100")), (Ok(10.0), Ok(0.5), Ok(100.0)));
        for none in ["0", "-1", "100.1", "NaN", "inf", "", "half"] {
            assert!(percent(none).is_err(), "{none}");
        }
    }
}
