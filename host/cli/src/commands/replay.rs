//! `hookbox replay`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use hookbox_plugins::{CallFile, HookKind, Replayed, kept_component, read, replay};
use hookbox_sandbox::{Digest, escape};
use hookbox_server::Config;
use serde_json::{Value, json};

use crate::Done;
use crate::output;
use crate::samples::SAMPLES;

/// Bytes of a file that are read: more than any kept call has.
const FILE_BYTES: u64 = (16 << 20) + 1;
/// Bytes of a text that is shown.
const SHOWN: usize = 2_000;

/// Run a failed call again, as it was kept: with the same arguments, settings, clock, random bytes and answers of the host.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox replay call.json                          whether it fails again, and where
  hookbox replay call.json --component fixed.wasm   whether another build takes the call
  hookbox replay call.json --setting api_key=k      with a value that the file does not have

The call runs here, in the sandbox: nothing it does leaves it. Exit codes: without --component 0 when the call ends as it
did then, else 1; with --component 0 when the call succeeds now, else 1.")]
pub(crate) struct Replay {
    /// The kept call, as the data folder's failed-calls/ or `hookbox failed-calls NAME` has it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Run this component instead of the one that failed
    #[arg(long, value_name = "FILE.wasm")]
    component: Option<PathBuf>,
    /// Give the plugin this setting instead of the file's, such as one that was redacted; as often as needed
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

impl Replay {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let place = || self.file.display().to_string();
        let content = content(&self.file).with_context(place)?;
        let mut file = CallFile::parse(&content).with_context(place)?;
        for (name, value) in &self.settings {
            file.settings.insert(name.clone(), json!(value));
        }
        let component = match &self.component {
            Some(path) => read(path).with_context(|| path.display().to_string())?,
            None => known(config, &file)?,
        };
        let sandbox = super::sandbox(config)?;
        let replayed = replay(&sandbox, &file, component).await?;
        let well = if self.component.is_some() { replayed.succeeded } else { replayed.reproduced };
        if json {
            let mut value = serde_json::to_value(&replayed)?;
            value["then"] = json!(file.outcome);
            value["plugin"] = json!(file.plugin);
            value["hook"] = json!(file.hook);
            output::json(&value)?;
        } else {
            output::text(&told(&file, &replayed))?;
        }
        Ok(if well { Done::Well } else { Done::Failed })
    }
}

/// A setting's name and its value, which plugins read as a text.
fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("write NAME=VALUE, such as secret=whsec_…")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

/// The component that failed: kept in the data folder, or embedded here.
fn known(config: &Config, file: &CallFile) -> anyhow::Result<Vec<u8>> {
    if let Some(component) = kept_component(&config.server.data, &file.digest) {
        return Ok(component);
    }
    let sample = SAMPLES.iter().find(|sample| Digest::of(sample.component).to_string() == file.digest);
    let Some(sample) = sample else {
        bail!(
            "the component {} of {} is neither in {} nor embedded here: give its file with --component",
            file.digest,
            file.plugin,
            config.server.data.join("releases").display()
        );
    };
    Ok(sample.component.to_vec())
}

fn told(file: &CallFile, replayed: &Replayed) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {}", escape(value, SHOWN));
    };
    line("plugin", &format!("{} {}", file.plugin, file.version.as_deref().unwrap_or("without a version")));
    let kind = match file.hook.kind {
        HookKind::Filter => "filter",
        HookKind::Event => "event",
    };
    line(kind, &file.hook.hook_type);
    if let Some(event) = &file.hook.event {
        line("event id", &format!("{event}, attempt {}", file.hook.attempt.unwrap_or_default()));
    }
    let which = if replayed.same_component { "the one that failed" } else { "another one" };
    line("component", &format!("{} ({which})", replayed.digest));
    line("then", &format!("{}: {}", file.outcome.code, file.outcome.message));
    line("now", &format!("{}: {}", replayed.outcome.code, replayed.outcome.message));
    for (name, value) in death(&replayed.outcome.report) {
        line(&format!("  {name}"), &value);
    }
    for (at, divergence) in replayed.divergences.iter().enumerate() {
        line(if at == 0 { "differs" } else { "" }, divergence);
    }
    let end = match (replayed.reproduced, replayed.succeeded) {
        (true, _) => "reproduced: the call ended as it did then",
        (false, true) => "succeeds now",
        (false, false) => "fails in another way than it did then",
    };
    let _ = writeln!(text, "\n{:<12} {end}", "result");
    text.truncate(text.trim_end().len());
    text
}

/// Where a guest died, a line a fact.
fn death(report: &Value) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for (name, field) in [("function", "function"), ("at", "location"), ("said", "message")] {
        if let Some(value) = report[field].as_str() {
            lines.push((name, value.to_owned()));
        }
    }
    let frames = report["backtrace"].as_array().into_iter().flatten();
    lines.extend(frames.filter_map(Value::as_str).map(|frame| ("in", frame.to_owned())));
    lines
}
