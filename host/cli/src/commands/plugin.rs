//! `hookbox plugin …`: what is installed and live, and every change of it.

mod install;
mod release;
mod show;
mod trial;

use clap::Subcommand;
use hookbox_server::Config;
use serde_json::Value;

use super::report::text;
use crate::Done;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// List the plugins: how each stands, its live release, and what needs attention
    List(show::List),
    /// Show one plugin: its state, releases, grants, limits and hooks
    Show(show::Show),
    /// List the releases of a plugin, or show the report of one
    Releases(show::Releases),
    /// Install a component as a plugin's release and let it live, without a restart
    Install(install::Install),
    /// Make a kept release the live one
    Activate(release::Activate),
    /// Go back to a release that was live before
    Rollback(release::Rollback),
    /// Let a plugin take no more calls; its releases stay
    Disable(release::Disable),
    /// Let a disabled plugin take calls again
    Enable(release::Enable),
    /// Remove a plugin and its releases
    Remove(release::Remove),
    /// Grant a plugin what its new release wants, and let that release live
    Approve(release::Approve),
    /// Show the trial of a plugin: what it compared and found
    Trial(trial::Show),
    /// Run a release beside the live one on a share of the calls, without using its answers
    Shadow(trial::Shadow),
    /// Let a release answer a share of the calls
    Canary(trial::Canary),
    /// End a trial: the tried release goes live
    Promote(trial::Promote),
    /// End a trial: the live release stays
    EndTrial(trial::EndTrial),
    /// Let a plugin that is put aside take calls again
    Lift(release::Lift),
}

impl Plugin {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        match self {
            Self::List(list) => list.execute(config, json).await,
            Self::Show(show) => show.execute(config, json).await,
            Self::Releases(releases) => releases.execute(config, json).await,
            Self::Install(install) => install.execute(config, json).await,
            Self::Activate(activate) => activate.execute(config, json).await,
            Self::Rollback(rollback) => rollback.execute(config, json).await,
            Self::Disable(disable) => disable.execute(config, json).await,
            Self::Enable(enable) => enable.execute(config, json).await,
            Self::Remove(remove) => remove.execute(config, json).await,
            Self::Approve(approve) => approve.execute(config, json).await,
            Self::Trial(show) => show.execute(config, json).await,
            Self::Shadow(shadow) => shadow.execute(config, json).await,
            Self::Canary(canary) => canary.execute(config, json).await,
            Self::Promote(promote) => promote.execute(config, json).await,
            Self::EndTrial(end) => end.execute(config, json).await,
            Self::Lift(lift) => lift.execute(config, json).await,
        }
    }
}

/// What came of a change, in a sentence or two.
pub(super) fn told_change(changed: &Value) -> String {
    let plugin = &changed["plugin"];
    let name = text(&plugin["name"]);
    let number = &changed["release"];
    let release = release_named(plugin, number);
    let generation = &changed["generation"];
    match changed["outcome"].as_str().unwrap_or_default() {
        "live" => format!("{name}: {release} is live, generation {generation}"),
        "checked" => format!(
            "{name}: {release} passed admission and waits; `hookbox plugin activate {name} {number}` lets it live"
        ),
        "needs-approval" => {
            let reason = plugin["attention"]["reason"].as_str().unwrap_or("it wants more than it is granted");
            format!(
                "{name}: {release} waits for approval: {reason}\n`hookbox plugin approve {name}` lets it live"
            )
        }
        "trial" => format!("{name}: {release} is tried: {}", show::told_trial(&plugin["trial"])),
        "trial-ended" => format!("{name}: the trial of {release} has ended, the live release stays"),
        "unchanged" if number.is_null() => format!("{name}: nothing changed"),
        "unchanged" => format!("{name}: nothing changed, {release} is {}", state_of(plugin, number)),
        "disabled" => format!("{name}: is disabled and takes no calls, generation {generation}"),
        "removed" => format!("{name}: is removed, generation {generation}"),
        other => format!("{name}: {other}"),
    }
}

/// `release 3 (1.2.0)`.
fn release_named(plugin: &Value, number: &Value) -> String {
    let version = release_of(plugin, number).and_then(|release| release["version"].as_str());
    version.map_or_else(|| format!("release {number}"), |version| format!("release {number} ({version})"))
}

fn state_of(plugin: &Value, number: &Value) -> String {
    release_of(plugin, number).map_or_else(|| "there already".to_owned(), |release| text(&release["state"]))
}

fn release_of<'a>(plugin: &'a Value, number: &Value) -> Option<&'a Value> {
    super::report::list(&plugin["releases"]).find(|release| &release["release"] == number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_told_with_what_to_do_next() {
        let plugin = json!({
            "name": "about",
            "attention": {"release": 2, "state": "needs-approval", "reason": "it wants keyvalue"},
            "releases": [
                {"release": 2, "state": "needs-approval", "version": "1.1.0"},
                {"release": 1, "state": "live", "version": null},
            ],
        });
        let told = |outcome: &str, release: Value| {
            told_change(&json!({"outcome": outcome, "release": release, "generation": 7, "plugin": plugin}))
        };
        assert_eq!(told("live", json!(1)), "about: release 1 is live, generation 7");
        let waits = told("checked", json!(2));
        assert!(waits.contains("release 2 (1.1.0)") && waits.contains("hookbox plugin activate about 2"));
        let wants = told("needs-approval", json!(2));
        assert!(wants.contains("it wants keyvalue") && wants.contains("hookbox plugin approve about"));
        assert_eq!(told("unchanged", json!(1)), "about: nothing changed, release 1 is live");
        assert_eq!(told("removed", Value::Null), "about: is removed, generation 7");
    }
}
