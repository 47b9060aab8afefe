//! Changes of a plugin and its releases: activate, rollback, disable, enable, remove, approve; and lift.

use clap::Args;
use hookbox_plugins::{Approval, ReleaseRef, Rows};
use hookbox_server::Config;

use crate::Done;
use crate::commands::operator::{Change, ChangePlace, Place};
use crate::commands::report::text;

/// Make a kept release the live one.
#[derive(Debug, Args)]
#[command(after_help = "A release is named by its number, by its version, or by the beginning of its digest.

Examples:
  hookbox plugin activate course-about-url 3
  hookbox plugin activate course-about-url 1.2.0
  hookbox plugin activate course-about-url sha256:1f2e3d --if-match 7")]
pub(crate) struct Activate {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The release
    #[arg(value_name = "RELEASE")]
    release: ReleaseRef,
    #[command(flatten)]
    place: ChangePlace,
}

/// Go back to a release that was live before.
#[derive(Debug, Args)]
#[command(after_help = "Nothing is compiled again.

Examples:
  hookbox plugin rollback course-about-url         to the newest that is older than the live one
  hookbox plugin rollback course-about-url 2")]
pub(crate) struct Rollback {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The release [default: the newest that is older than the live one]
    #[arg(value_name = "RELEASE")]
    release: Option<ReleaseRef>,
    #[command(flatten)]
    place: ChangePlace,
}

/// Let a plugin take no more calls; its releases stay.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin disable course-about-url")]
pub(crate) struct Disable {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: ChangePlace,
}

/// Let a disabled plugin take calls again, with the release that it had.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox plugin enable course-about-url")]
pub(crate) struct Enable {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: ChangePlace,
}

/// Remove a plugin and its releases.
#[derive(Debug, Args)]
#[command(after_help = "What the plugin keeps through `wasi:keyvalue` stays, unless --delete-rows is given.

Examples:
  hookbox plugin remove visit-counter
  hookbox plugin remove visit-counter --delete-rows")]
pub(crate) struct Remove {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Delete the rows that the plugin keeps, too
    #[arg(long)]
    delete_rows: bool,
    #[command(flatten)]
    place: ChangePlace,
}

/// Grant a plugin what its new release wants, and let that release live.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --grant the plugin gets what the release wants. Origins for requests cannot be read from a
component: name each.

Examples:
  hookbox plugin approve visit-counter
  hookbox plugin approve notifier --grant http:https://api.example.com
  hookbox plugin approve visit-counter --release 4 --grant keyvalue"
)]
pub(crate) struct Approve {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The release [default: the newest that waits]
    #[arg(long, value_name = "RELEASE")]
    release: Option<ReleaseRef>,
    /// A grant as the configuration spells it; repeat for several [default: what the release wants]
    #[arg(long, value_name = "GRANT")]
    grant: Vec<String>,
    #[command(flatten)]
    place: ChangePlace,
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
    place: Place,
}

impl Activate {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.place.change(&self.name, Change::Activate(self.release), config, json).await
    }
}

impl Rollback {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.place.change(&self.name, Change::RollBack(self.release), config, json).await
    }
}

impl Disable {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.place.change(&self.name, Change::Disable, config, json).await
    }
}

impl Enable {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        self.place.change(&self.name, Change::Enable, config, json).await
    }
}

impl Remove {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let rows = if self.delete_rows { Rows::Delete } else { Rows::Keep };
        self.place.change(&self.name, Change::Remove(rows), config, json).await
    }
}

impl Approve {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let approval = Approval { release: self.release, grants: self.grant };
        self.place.change(&self.name, Change::Approve(approval), config, json).await
    }
}

impl Lift {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let operator = self.place.operator(config).await?;
        operator.lift(&self.name)?.tell(json, |answer| {
            let what = if answer["lifted"] == true { "takes calls again" } else { "was not put aside" };
            format!("{} {what}", text(&answer["plugin"]["name"]))
        })
    }
}
