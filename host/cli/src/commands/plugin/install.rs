//! `hookbox plugin install`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use hookbox_plugins::{Then, TrialKind, TrialRequest, TrialRule, is_plugin_name, read};
use hookbox_server::Config;

use crate::Done;
use crate::commands::operator::{Change, ChangePlace, Upload, read_cases};

/// Install a component as a plugin's release and let it live.
#[derive(Debug, Args)]
#[command(
    after_help = "The release goes live once it has passed admission: parse, contract, grants, compile, a throw-away
instance, the plugin's own check of its settings, and its recorded cases. When it does not, what was live goes on.

Examples:
  hookbox plugin install course-about-url.wasm
  hookbox plugin install build/plugin.wasm --name my-plugin --cases build/cases.json --sha256 \"$(cat plugin.sha256)\"
  hookbox plugin install new.wasm --name my-plugin --keep
  hookbox plugin install new.wasm --name my-plugin --shadow 10 --calls 1000 --differences 0

Exit codes: 0 live, kept, tried or waiting for approval; 1 refused or rejected."
)]
pub(crate) struct Install {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// The plugin's name [default: the name that the component has, when it can be a plugin's; else the file's]
    #[arg(long)]
    name: Option<String>,
    /// The SHA-256 digest that the file must have, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// Recorded cases that it must pass, a JSON file
    #[arg(long, value_name = "FILE.json")]
    cases: Option<PathBuf>,
    /// Only keep it: somebody activates it later
    #[arg(long, conflicts_with_all = ["shadow", "canary"])]
    keep: bool,
    /// Run it beside the live release on this share of the calls, without using its answers
    #[arg(long, value_name = "PERCENT", conflicts_with = "canary", value_parser = super::trial::percent)]
    shadow: Option<f64>,
    /// Let it answer this share of the calls
    #[arg(long, value_name = "PERCENT", value_parser = super::trial::percent)]
    canary: Option<f64>,
    #[command(flatten)]
    rule: Rule,
    #[command(flatten)]
    place: ChangePlace,
}

/// When a trial ends by itself, and what it keeps.
#[derive(Debug, Args)]
pub(super) struct Rule {
    /// Promote the release by itself after so many calls
    #[arg(long, value_name = "N", requires = "differences", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,
    /// Roll it back by itself at more differences (or failures) than this
    #[arg(long, value_name = "N", requires = "calls")]
    differences: Option<u64>,
    /// Keep the values of answers that differ as examples; they may be personal
    #[arg(long)]
    values: bool,
}

impl Rule {
    pub(super) fn request(&self, kind: TrialKind, percent: f64) -> TrialRequest {
        let rule = self.calls.zip(self.differences);
        TrialRequest {
            kind,
            percent,
            rule: rule.map(|(calls, differences)| TrialRule { calls, differences }),
            values: self.values,
        }
    }

    fn given(&self) -> bool {
        self.calls.is_some() || self.values
    }
}

impl Install {
    pub(super) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let then = match (self.shadow, self.canary, self.keep) {
            (Some(percent), ..) => Then::Try(self.rule.request(TrialKind::Shadow, percent)),
            (None, Some(percent), _) => Then::Try(self.rule.request(TrialKind::Canary, percent)),
            _ if self.rule.given() => {
                bail!("--calls, --differences and --values are for a trial: add --shadow or --canary")
            }
            (None, None, true) => Then::Keep,
            (None, None, false) => Then::Activate,
        };
        let component = read(&self.file).with_context(|| self.file.display().to_string())?;
        let cases = self.cases.as_deref().map(read_cases).transpose()?;
        let name = match self.name {
            Some(name) => name,
            None => name_for(&component, &self.file)?,
        };
        let origin = std::path::absolute(&self.file).unwrap_or(self.file).display().to_string();
        let upload = Upload { component, cases, sha256: self.sha256, origin, then };
        self.place.change(&name, Change::Install(upload), config, json).await
    }
}

/// The name that the component gives itself, when a plugin can have it; else its file's.
fn name_for(component: &[u8], file: &Path) -> anyhow::Result<String> {
    if let Some(name) = hookbox_sandbox::name_of(component).filter(|name| is_plugin_name(name)) {
        return Ok(name);
    }
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if !is_plugin_name(stem) {
        bail!(
            "{}: neither the component nor its file has a name that a plugin can have; give one with --name",
            file.display()
        );
    }
    Ok(stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_without_a_name_gets_its_file_s() {
        assert_eq!(
            name_for(b"no component", Path::new("a/my-plugin.wasm")).ok().as_deref(),
            Some("my-plugin")
        );
        for none in ["My Plugin.wasm", ".wasm", "..", "-a.wasm", "a_b.wasm"] {
            let error = name_for(b"", Path::new(none)).map_err(|error| error.to_string());
            assert!(error.is_err_and(|error| error.contains("--name")), "{none}");
        }
    }
}
