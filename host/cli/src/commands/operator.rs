//! Working on plugins and events: through a running server, or in a data folder that no server uses. Commands are written once; what
//! they get is the server's own JSON either way.

mod here;
mod journal;
mod server;

use anyhow::{Context as _, bail};
use clap::Args;
use hookbox_plugins::{Approval, DataLock, ReleaseRef, Rows, Then, TrialEnd, TrialRequest};
use hookbox_server::Config;
use serde_json::Value;

use super::client::{Caller, Client};
use crate::Done;
use crate::output;
use here::Here;

pub(crate) use journal::Bulk;

/// Where the plugins are, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The server [default: the data folder, where no server uses it; else where the configuration listens]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token of staff or a superuser [default: made with the secret of the data folder, where it is at hand]
    #[arg(long, env = "HOOKBOX_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// The same for a command that changes a plugin.
#[derive(Debug, Args)]
pub(crate) struct ChangePlace {
    #[command(flatten)]
    place: Place,
    /// Change nothing unless the plugin is still at this revision, as `plugin show` told it
    #[arg(long, value_name = "REVISION")]
    if_match: Option<u64>,
}

/// A change of one plugin.
pub(crate) enum Change {
    Install(Upload),
    Activate(ReleaseRef),
    RollBack(Option<ReleaseRef>),
    Disable,
    Enable,
    Remove(Rows),
    Approve(Approval),
    Try(ReleaseRef, TrialRequest),
    EndTrial(TrialEnd),
}

/// A component to install.
pub(crate) struct Upload {
    pub(crate) component: Vec<u8>,
    /// Its recorded cases, the text of the file.
    pub(crate) cases: Option<String>,
    /// The digest that it must have.
    pub(crate) sha256: Option<String>,
    /// The file that it is from.
    pub(crate) origin: String,
    pub(crate) then: Then,
}

/// What came of a question or a change.
pub(crate) enum Answer {
    /// It was answered, or done.
    Done(Value),
    /// It was refused, with the problem as the server words it.
    Refused { problem: Value, by: String },
}

/// Who answers and changes.
pub(crate) enum Operator {
    /// A running server.
    Server(Client),
    /// This process, on the data folder.
    Here(Box<Here>),
}

impl Place {
    /// Somebody who answers: the server at `--url`; else the data folder, where no server uses it; else the server that the
    /// configuration names. In a data folder nothing changes, and nothing is live.
    pub(crate) async fn operator(self, config: &Config) -> anyhow::Result<Operator> {
        self.of(config, false).await
    }

    async fn of(self, config: &Config, changes: bool) -> anyhow::Result<Operator> {
        let data = &config.server.data;
        if self.url.is_none() && data.is_dir() {
            // A folder that cannot be locked is somebody else's: they may have a server.
            if let Ok(lock) = DataLock::take(data) {
                let here = Here::open(config, lock).await?;
                if changes {
                    here.start(config).await?;
                }
                return Ok(Operator::Here(Box::new(here)));
            }
        }
        Client::new(self.url, self.token, config, Caller::Operator).map(Operator::Server)
    }
}

impl ChangePlace {
    /// Changes a plugin and tells what came of it.
    pub(crate) async fn change(
        self,
        plugin: &str,
        change: Change,
        config: &Config,
        json: bool,
    ) -> anyhow::Result<Done> {
        let operator = self.place.of(config, true).await?;
        let answer = operator.change(plugin, change, self.if_match).await?;
        answer.tell(json, |changed| {
            let mut told = super::plugin::told_change(changed);
            if let Operator::Here(here) = &operator {
                told.push_str(&format!("\nno server uses {}: the next one begins with this", here.data()));
            }
            told
        })
    }
}

impl Operator {
    pub(crate) async fn change(
        &self,
        plugin: &str,
        change: Change,
        if_match: Option<u64>,
    ) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => server::change(client, plugin, change, if_match),
            Self::Here(here) => Ok(here.change(plugin, change, if_match).await),
        }
    }

    /// Every plugin.
    pub(crate) fn plugins(&self) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => server::ask(client, server::PLUGINS),
            Self::Here(here) => here.plugins(),
        }
    }

    /// One plugin.
    pub(crate) fn plugin(&self, name: &str) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => server::ask(client, &server::path(name)),
            Self::Here(here) => here.plugin(name),
        }
    }

    /// One release of a plugin, with the report of its admission.
    pub(crate) fn release(&self, name: &str, release: &ReleaseRef) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => server::release(client, name, release),
            Self::Here(here) => here.release(name, release),
        }
    }

    /// Ends a quarantine.
    pub(crate) fn lift(&self, name: &str) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => server::post(client, &format!("{}/lift", server::path(name))),
            Self::Here(here) => bail!("{}: no plugin is put aside", here.idle()),
        }
    }

    /// Makes the server read its configuration again, or say what that would change.
    pub(crate) fn reload(&self, dry_run: bool) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => {
                let query = if dry_run { "?dry_run=true" } else { "" };
                server::post(client, &format!("/admin/api/reload{query}"))
            }
            Self::Here(here) => bail!("{}: the configuration is read when one starts", here.idle()),
        }
    }

    /// What was done, the latest first.
    pub(crate) async fn audit(&self, plugin: Option<&str>, limit: u32) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => {
                let plugin = plugin.map(|name| format!("&plugin={}", server::in_path(name)));
                let path = format!("/admin/api/audit?limit={limit}{}", plugin.unwrap_or_default());
                server::ask(client, &path)
            }
            Self::Here(here) => here.audit(plugin, limit).await,
        }
    }
}

impl Answer {
    /// Prints what was done, or fails with why it was not.
    pub(crate) fn tell(self, json: bool, told: impl FnOnce(&Value) -> String) -> anyhow::Result<Done> {
        match self {
            Self::Done(answer) => {
                if json {
                    output::json(&answer)?;
                } else {
                    output::text(&told(&answer))?;
                }
                Ok(Done::Well)
            }
            Self::Refused { problem, .. } if json => {
                output::json(&problem)?;
                Ok(Done::Failed)
            }
            Self::Refused { problem, by } => bail!("{by}{}", told_problem(&problem)),
        }
    }
}

/// A problem, and below it what admission found, a line each.
fn told_problem(problem: &Value) -> String {
    let detail = problem["detail"].as_str().map_or_else(|| problem.to_string(), str::to_owned);
    let found = super::report::lines(&problem["report"]);
    // The report says the same as the lines below the first, with the code of each.
    let mut told = match detail.lines().next() {
        Some(first) if !found.is_empty() => first.to_owned(),
        _ => detail,
    };
    let mistakes = problem["mistakes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for line in found.into_iter().chain(mistakes.map(str::to_owned)) {
        let text = line.split_once("] ").map_or(line.as_str(), |(_, text)| text);
        if !told.contains(text) {
            told.push_str("\n  ");
            told.push_str(&line);
        }
    }
    told
}

/// The text of a file of recorded cases.
pub(crate) fn read_cases(path: &std::path::Path) -> anyhow::Result<String> {
    let most = u64::try_from(hookbox_plugins::CASES_BYTES).unwrap_or(u64::MAX);
    let shown = path.display();
    let bytes = std::fs::metadata(path).with_context(|| format!("--cases {shown}"))?.len();
    if bytes > most {
        bail!("--cases {shown}: it has {bytes} bytes, at most {most} are read");
    }
    std::fs::read_to_string(path).with_context(|| format!("--cases {shown}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_admission_found_is_told_once() {
        let report = json!({"problems": [{"code": "not-wasm", "expected": "a", "found": "b", "help": "c"}]});
        let detail = "release 2 of mine is rejected: the component is refused\n  - expected a, found b. c";
        assert_eq!(
            told_problem(&json!({"detail": detail, "report": report})),
            "release 2 of mine is rejected: the component is refused\n  [not-wasm] expected a, found b. c"
        );
        let report = json!({"trial": {"message": "it trapped"}});
        let detail = "release 2 of mine is rejected: it trapped";
        assert_eq!(told_problem(&json!({"detail": detail, "report": report})), detail);
        let mistakes = json!({"detail": "two mistakes", "mistakes": ["a: b", "c: d"]});
        assert_eq!(told_problem(&mistakes), "two mistakes\n  a: b\n  c: d");
        assert_eq!(told_problem(&json!({"detail": "one\ntwo"})), "one\ntwo");
    }
}
