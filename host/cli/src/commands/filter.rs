//! `hookbox filter run`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use hookbox_plugins::{FilterError, FilterRun, Outcome, PluginTable, StepFailure, StepReport};
use hookbox_server::{Config, FilterAnswer};
use serde_json::{Value, json};

use crate::Done;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Filter {
    /// Run a filter's pipeline here, without a server
    Run(Run),
}

/// Run a filter's pipeline here, without a server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox filter run org.openedx.learning.course_about.page.url.requested.v1 \\
    --args '{\"url\": \"https://lms.example.com/courses/course-v1:edX+DemoX+Demo_Course/about\", \"org\": \"edX\"}'
  hookbox filter run TYPE --args @arguments.json --component my-plugin.wasm --setting path=about")]
pub(crate) struct Run {
    /// The filter's type
    #[arg(value_name = "TYPE")]
    filter_type: String,
    /// Its arguments: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    args: String,
    /// Run this component instead of the configured plugins; repeat for more, in order of name
    #[arg(long, value_name = "FILE")]
    component: Vec<PathBuf>,
    /// A setting for the components given with --component
    #[arg(long, value_name = "KEY=VALUE", requires = "component")]
    setting: Vec<String>,
    /// A grant for the components given with --component: `keyvalue`, `http:https://api.example.com`
    #[arg(long, value_name = "GRANT", requires = "component")]
    grant: Vec<String>,
}

impl Filter {
    pub(crate) async fn execute(self, config: Config, json: bool) -> anyhow::Result<Done> {
        let Self::Run(run) = self;
        run.execute(config, json).await
    }
}

impl Run {
    async fn execute(self, mut config: Config, json: bool) -> anyhow::Result<Done> {
        let Value::Object(kwargs) = output::json_argument("--args", &self.args)? else {
            bail!("--args must be a JSON object with the filter's arguments");
        };
        if !self.component.is_empty() {
            self.replace_plugins(&mut config)?;
        }
        let sandbox = super::sandbox_to_run(&config)?;
        // Components that are tried run alone, whatever is installed.
        let data = self.component.is_empty().then_some(config.server.data.as_path());
        let generation = super::generation_of(&sandbox, &config, data).await?;
        let Some(pipeline) = generation.pipeline(&self.filter_type) else {
            let near = generation.nearest_filter(&self.filter_type);
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            bail!("no filter has the type {:?}{hint}", self.filter_type);
        };
        if !self.component.is_empty() && pipeline.steps.is_empty() {
            match &pipeline.filter {
                Some(filter) => bail!("no component exports {}", filter.signature.interface),
                None => bail!("no component exports hookbox:plugin/any-filter"),
            }
        }
        match pipeline.run(kwargs).await {
            Ok(run) if json => {
                output::json(&FilterAnswer::from(run))?;
                Ok(Done::Well)
            }
            Ok(run) => {
                output::text(&told(&run))?;
                Ok(Done::Well)
            }
            Err(FilterError::Step { plugin, failure, steps }) if json => {
                output::json(
                    &json!({"outcome": "failed", "step": plugin, "failure": failure, "steps": steps}),
                )?;
                Ok(Done::Failed)
            }
            Err(FilterError::Overloaded { plugin, detail, steps }) if json => {
                let failure = json!({"code": "overloaded", "message": detail});
                output::json(
                    &json!({"outcome": "failed", "step": plugin, "failure": failure, "steps": steps}),
                )?;
                Ok(Done::Failed)
            }
            Err(FilterError::NotLive { plugin, reason }) if json => {
                let failure = json!({"code": "not-live", "message": reason});
                output::json(&json!({"outcome": "failed", "step": plugin, "failure": failure, "steps": []}))?;
                Ok(Done::Failed)
            }
            Err(FilterError::Step { plugin, failure, .. }) => {
                anyhow::bail!("step {plugin} failed: {failure}{}", told_death(&failure))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The configuration with the given components as its only plugins.
    fn replace_plugins(&self, config: &mut Config) -> anyhow::Result<()> {
        let settings = super::settings(&self.setting)?;
        config.plugins.samples = Some(false);
        config.plugins.plugins.clear();
        // The configured pipelines name plugins that are not there now.
        config.filters.clear();
        let here = std::env::current_dir()?;
        for path in &self.component {
            let table = PluginTable {
                component: Some(here.join(path)),
                settings: settings.clone(),
                grants: self.grant.clone(),
                tried_hook: Some(self.filter_type.clone()),
                ..PluginTable::default()
            };
            let name = plugin_name(path);
            if config.plugins.plugins.insert(name.clone(), table).is_some() {
                bail!("two components would be the plugin {name:?}: rename one file");
            }
        }
        Ok(())
    }
}

/// A plugin's name from its file's.
fn plugin_name(path: &std::path::Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("plugin").to_ascii_lowercase();
    let name: String = stem
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(63)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "plugin".to_owned() } else { name.to_owned() }
}

fn told(run: &FilterRun) -> String {
    let mut text = String::new();
    for step in &run.steps {
        let _ = writeln!(text, "{}", told_step(step));
    }
    if run.steps.is_empty() {
        text.push_str("no plugin takes this filter: the arguments come back as they are\n");
    }
    match &run.outcome {
        Outcome::Raised(exception) => {
            let _ = write!(text, "raised {}", pretty(&exception.to_json()));
        }
        Outcome::Completed | Outcome::Halted => {
            let outcome = if run.outcome == Outcome::Halted { "halted" } else { "completed" };
            let _ = write!(text, "{outcome} {}", pretty(&Value::Object(run.kwargs.clone())));
        }
    }
    text
}

fn told_step(step: &StepReport) -> String {
    let outcome = serde_json::to_value(step.outcome).ok();
    let outcome = outcome.as_ref().and_then(Value::as_str).unwrap_or_default();
    let version = step.version.as_deref().unwrap_or("without a version");
    let mut line = format!("{} {version}: {outcome} in {} µs", step.plugin, step.microseconds);
    if !step.changed.is_empty() {
        let _ = write!(line, ", changed {}", step.changed.join(", "));
    }
    if let Some(failure) = &step.failure {
        let _ = write!(line, ": {failure}");
        line.push_str(&told_death(failure));
    }
    line
}

/// The report that an author needs, a line a fact, where a plugin's call failed.
fn told_death(failure: &StepFailure) -> String {
    match failure {
        StepFailure::Call(failure) => super::told_death(failure),
        _ => String::new(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
