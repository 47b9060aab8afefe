//! `hookbox check`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hookbox_plugins::{CaseReport, Cases, contract, read, unused_grants};
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
  hookbox check new.wasm --plugin my-plugin        with that plugin's settings, grants and limits
  hookbox check new.wasm --cases cases.json        with its recorded cases")]
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
    /// Run these recorded cases on it, a JSON file
    #[arg(long, value_name = "FILE.json")]
    cases: Option<PathBuf>,
}

/// What a component is held to.
struct Terms {
    name: String,
    settings: Map<String, Value>,
    /// `None`: whatever its imports need.
    grants: Option<Grants>,
    limits: Limits,
    /// What its generic interfaces get; `None`: whatever the cases call.
    hooks: Option<BTreeSet<String>>,
}

impl Check {
    pub(crate) async fn execute(self, config: &Config, json: bool) -> anyhow::Result<Done> {
        let bytes = read(&self.file).with_context(|| self.file.display().to_string())?;
        let terms = self.terms(config)?;
        let cases = self.cases.as_deref().map(cases).transpose()?;
        let sandbox =
            Sandbox::new(SandboxOptions { compiler: super::compiler(config)?, ..SandboxOptions::default() })?;
        let (compiler, contract, grants) = (sandbox.clone(), contract(), terms.grants.clone());
        let admitting = tokio::task::spawn_blocking(move || {
            let granting = grants.as_ref().map_or(Granting::WhatItImports, Granting::These);
            compiler.admit(&bytes, &contract, &granting)
        });
        let admitted = admitting.await?;
        let mut ran = Vec::new();
        let (report, trial) = match &admitted {
            Ok(admitted) => {
                let options = PluginOptions {
                    name: terms.name.clone(),
                    settings: Settings::new(terms.settings),
                    limits: terms.limits.clone(),
                    isolation: Isolation::Call,
                };
                // As at admission: it sees what is there and changes nothing.
                let plugin = sandbox.rehearsal(admitted, options);
                let trial = plugin.try_out().await;
                if let (Ok(()), Some(cases)) = (&trial, &cases) {
                    let hooks = terms.hooks.unwrap_or_else(|| cases.types());
                    ran = cases.run_on(&plugin, &hooks).await;
                }
                (&**admitted.report(), trial.err())
            }
            Err(report) => (&**report, None),
        };
        let grants = terms.grants.unwrap_or_default();
        let findings = Findings {
            report,
            warnings: unused_grants(&terms.name, &grants, report),
            trial: trial.as_ref(),
            cases: &ran,
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
            let limits = Limits::default();
            return Ok(Terms { name, settings: given, grants: None, limits, hooks: None });
        };
        let table = config.plugins.plugins.get(name);
        let table =
            table.with_context(|| format!("--plugin {name:?}: the configuration has no such table"))?;
        let mistake = |reason: String| anyhow::anyhow!("plugins.{name}: {reason}");
        let mut settings = table.settings.clone();
        settings.extend(given);
        let (grants, limits) = (table.grants().map_err(mistake)?, table.limits.limits().map_err(mistake)?);
        let hooks = Some(table.hooks.iter().cloned().collect());
        Ok(Terms { name: name.clone(), settings, grants: Some(grants), limits, hooks })
    }
}

/// Reads a file of recorded cases.
fn cases(file: &Path) -> anyhow::Result<Cases> {
    let text = super::operator::read_cases(file)?;
    Cases::parse(&text).map_err(|mistake| anyhow::anyhow!("--cases {}: {mistake}", file.display()))
}

/// What there is to say about a component.
struct Findings<'a> {
    report: &'a Report,
    /// What does not keep it from fitting.
    warnings: Vec<String>,
    /// Why it failed when it was tried.
    trial: Option<&'a TryOutError>,
    /// What came of its recorded cases.
    cases: &'a [CaseReport],
    limits: &'a Limits,
}

impl Findings<'_> {
    fn fit(&self) -> bool {
        let passed = self.cases.iter().all(|case| case.passed);
        self.report.problems.is_empty() && self.trial.is_none() && passed
    }

    fn as_json(&self) -> anyhow::Result<Value> {
        let mut value = serde_json::to_value(self.report)?;
        value["fits"] = json!(self.fit());
        value["warnings"] = json!(self.warnings);
        value["limits"] = json!(self.limits);
        value["cases"] = json!(self.cases);
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
        let Self { report, warnings, trial, cases, limits } = self;
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
        let cases = cases.iter().flat_map(super::report::case);
        for (at, told) in cases.enumerate() {
            line(if at == 0 { "cases" } else { "" }, &told);
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
        let failed = self.cases.iter().filter(|case| !case.passed).count();
        if failed > 0 {
            let _ = write!(text, "\n  [cases] {failed} of {} recorded cases failed", self.cases.len());
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
