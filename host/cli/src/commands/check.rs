//! `hookbox check`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hookbox_plugins::{contract, read, unused_grants};
use hookbox_sandbox::{
    Granting, Grants, Isolation, Limits, PluginOptions, Report, Role, Sandbox, SandboxOptions, Settings,
    TryOutError,
};
use hookbox_server::Config;
use serde_json::{Map, Value, json};

use crate::Done;
use crate::output;

/// Say whether a component fits the contract, and what to do when it does not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookbox check my-plugin.wasm
  hookbox check my-plugin.wasm --setting path=about --json
  hookbox check new.wasm --plugin my-plugin        with that plugin's settings, grants and limits")]
pub(crate) struct Check {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// A setting for the plugin to check
    #[arg(long, value_name = "KEY=VALUE")]
    setting: Vec<String>,
    /// Hold it to this plugin's table in the configuration: its settings, grants and limits. Left out: no settings, the
    /// default limits, and whatever it imports
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
}

/// What a component is held to.
struct Terms {
    name: String,
    settings: Map<String, Value>,
    /// `None`: whatever its imports need.
    grants: Option<Grants>,
    limits: Limits,
}

impl Check {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let bytes = read(&self.file).with_context(|| self.file.display().to_string())?;
        let terms = self.terms(config)?;
        let sandbox =
            Sandbox::new(SandboxOptions { compiler: super::compiler(config)?, ..SandboxOptions::default() })?;
        let (compiler, contract, grants) = (sandbox.clone(), contract(), terms.grants.clone());
        let admitting = tokio::task::spawn_blocking(move || {
            let granting = grants.as_ref().map_or(Granting::WhatItImports, Granting::These);
            compiler.admit(&bytes, &contract, &granting)
        });
        let admitted = admitting.await?;
        let (report, trial) = match &admitted {
            Ok(admitted) => {
                let options = PluginOptions {
                    name: terms.name.clone(),
                    settings: Settings::new(terms.settings),
                    limits: terms.limits.clone(),
                    isolation: Isolation::Call,
                };
                let trial = sandbox.plugin(admitted, options).try_out().await;
                (&**admitted.report(), trial.err())
            }
            Err(report) => (&**report, None),
        };
        let grants = terms.grants.unwrap_or_default();
        let findings = Findings {
            report,
            warnings: unused_grants(&terms.name, &grants, report),
            trial: trial.as_ref(),
            limits: &terms.limits,
        };
        if json {
            output::json(&findings.as_json()?)?;
        } else {
            output::text(&findings.told(&self.file.display().to_string()))?;
        }
        Ok(if findings.fit() { Done::Well } else { Done::Failed })
    }

    fn terms(&self, config: &Config) -> anyhow::Result<Terms> {
        let given = super::settings(&self.setting)?;
        let Some(name) = &self.plugin else {
            let name = "checked".to_owned();
            return Ok(Terms { name, settings: given, grants: None, limits: Limits::default() });
        };
        let table = config.plugins.plugins.get(name);
        let table =
            table.with_context(|| format!("--plugin {name:?}: the configuration has no such table"))?;
        let mistake = |reason: String| anyhow::anyhow!("plugins.{name}: {reason}");
        let mut settings = table.settings.clone();
        settings.extend(given);
        let (grants, limits) = (table.grants().map_err(mistake)?, table.limits.limits().map_err(mistake)?);
        Ok(Terms { name: name.clone(), settings, grants: Some(grants), limits })
    }
}

/// What there is to say about a component.
struct Findings<'a> {
    report: &'a Report,
    /// What does not keep it from fitting.
    warnings: Vec<String>,
    /// Why it failed when it was tried.
    trial: Option<&'a TryOutError>,
    limits: &'a Limits,
}

impl Findings<'_> {
    fn fit(&self) -> bool {
        self.report.problems.is_empty() && self.trial.is_none()
    }

    fn as_json(&self) -> anyhow::Result<Value> {
        let mut value = serde_json::to_value(self.report)?;
        value["fits"] = json!(self.fit());
        value["warnings"] = json!(self.warnings);
        value["limits"] = json!(self.limits);
        value["trial"] = match self.trial {
            None => Value::Null,
            Some(TryOutError::Call(failure)) => {
                json!({"code": failure.code(), "message": failure.to_string(), "report": failure})
            }
            Some(TryOutError::Settings(reason)) => json!({"code": "settings", "message": reason}),
        };
        Ok(value)
    }

    fn told(&self, file: &str) -> String {
        let Self { report, warnings, trial, limits } = self;
        let mut text = format!("{file}\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<12} {value}");
        };
        let metadata = &report.metadata;
        if let Some(name) = &metadata.name {
            line("name", &format!("{name} {}", metadata.version.as_deref().unwrap_or("without a version")));
        }
        if let Some(description) = &metadata.description {
            line("description", description);
        }
        line("digest", &report.digest.to_string());
        line("bytes", &report.bytes.to_string());
        for (at, export) in report.exports.iter().enumerate() {
            let role = match export.role {
                Role::Hook => "",
                Role::Unused => "  (not called by the host)",
                Role::Refused => "  (refused)",
            };
            line(if at == 0 { "exports" } else { "" }, &format!("{}{role}", export.interface));
        }
        for (at, import) in report.imports.iter().enumerate() {
            line(if at == 0 { "imports" } else { "" }, import);
        }
        for (at, grant) in report.grants.iter().enumerate() {
            line(if at == 0 { "needs grants" } else { "" }, grant);
        }
        for (at, warning) in warnings.iter().enumerate() {
            line(if at == 0 { "warnings" } else { "" }, warning);
        }
        for (at, (key, value, unit)) in limits.listed().into_iter().enumerate() {
            line(if at == 0 { "limits" } else { "" }, &format!("{key:<16} {value} {unit}"));
        }
        if self.fit() {
            text.push_str("\nfits: the host would run it");
            return text;
        }
        text.push_str("\ndoes not fit:");
        for problem in &report.problems {
            let code = serde_json::to_value(problem.code).ok();
            let code = code.as_ref().and_then(Value::as_str).unwrap_or_default();
            let _ = write!(text, "\n  [{code}] {problem}");
        }
        if let Some(trial) = trial {
            let _ = write!(text, "\n  [trial] {trial}");
            if let TryOutError::Call(failure) = trial {
                text.push_str(&super::told_death(failure));
            }
        }
        text
    }
}
