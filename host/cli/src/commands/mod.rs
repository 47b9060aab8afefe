//! One module a command.

pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod check_install;
mod client;
pub(crate) mod compile;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod failed_calls;
pub(crate) mod filter;
pub(crate) mod hooks;
mod operator;
pub(crate) mod plugin;
pub(crate) mod replay;
mod report;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod wit;

use std::path::Path;

use anyhow::Context as _;
use hookbox_plugins::{Generation, LoadError, Recipe};
use hookbox_sandbox::{
    CallFailure, ChildCompiler, Compiler, Sandbox, SandboxError, SandboxOptions, Services,
};
use hookbox_server::{Config, compile_cache, services};
use hookbox_store::Store;
use serde_json::{Map, Value};

use crate::samples::SAMPLES;

/// A sandbox for a command without a server. It uses the server's compile cache where there is one that it may use, and
/// leaves no folder behind where there is none.
fn sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    sandbox_on(config, Services::default())
}

/// The same for a command that runs plugins: what they are granted is the server's own database, where there is one.
fn sandbox_to_run(config: &Config) -> anyhow::Result<Sandbox> {
    let database = config.database_path();
    if !database.is_file() || !(granted(config) || approved(&database)) {
        return sandbox(config);
    }
    let store =
        Store::open(&config.database_options()).context("plugins with these grants work on the database")?;
    sandbox_on(config, services(&store))
}

/// Whether the configuration grants a plugin what works on the database.
fn granted(config: &Config) -> bool {
    config.plugins.plugins.values().any(|plugin| plugin.grants.iter().any(|grant| needs_database(grant)))
}

/// Whether operators approved such a grant. A database that cannot be read is told by whoever needs it.
fn approved(database: &Path) -> bool {
    let kept = hookbox_store::plugins_of(database).unwrap_or_default();
    kept.iter().any(|(plugin, _)| {
        let approved: Vec<String> = serde_json::from_str(&plugin.approved).unwrap_or_default();
        approved.iter().any(|grant| needs_database(grant))
    })
}

fn needs_database(grant: &str) -> bool {
    grant == "keyvalue" || grant.starts_with("archive:")
}

fn sandbox_on(config: &Config, services: Services) -> anyhow::Result<Sandbox> {
    let compiler = compiler(config)?;
    let cache = Some(compile_cache(&config.server.data)).filter(|folder| folder.is_dir());
    let options = SandboxOptions { cache, compiler, services, guest_memory_bytes: None };
    match Sandbox::new(options.clone()) {
        Err(error @ SandboxError::Cache { .. }) => {
            tracing::warn!("{error}: everything is compiled anew");
            Ok(Sandbox::new(SandboxOptions { cache: None, ..options })?)
        }
        made => Ok(made?),
    }
}

/// This program in a process of its own, as `hookbox compile`, within the configured limits.
fn compiler(config: &Config) -> anyhow::Result<Compiler> {
    let child = ChildCompiler::this_program("compile").context("the program that compiles")?;
    Ok(Compiler::Child(config.server.compile.limit(child)))
}

/// The generation that a server with this configuration would make, of what its data folder keeps.
async fn generation(sandbox: &Sandbox, config: &Config) -> anyhow::Result<Generation> {
    generation_of(sandbox, config, Some(&config.server.data)).await
}

/// The generation of the configuration, and of what a data folder keeps when it is given.
async fn generation_of(
    sandbox: &Sandbox,
    config: &Config,
    data: Option<&Path>,
) -> anyhow::Result<Generation> {
    let recipe = Recipe {
        plugins: &config.plugins,
        filters: &config.filters,
        samples: SAMPLES,
        folder: &config.folder,
    };
    hookbox_plugins::load(sandbox, recipe, data).await.map_err(|errors| all(&errors))
}

/// Every reason in one error.
fn all(errors: &[LoadError]) -> anyhow::Error {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(texts.join("\n"))
}

/// How a call failed, a line a fact.
fn told_death(failure: &CallFailure) -> String {
    let lines = failure.lines().into_iter().map(|(name, text)| format!("\n    {name:<10} {text}"));
    lines.collect()
}

/// Reads `--setting KEY=VALUE`: JSON where the value is JSON, else text.
fn settings(pairs: &[String]) -> anyhow::Result<Map<String, Value>> {
    let pairs = pairs.iter().map(|pair| {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| anyhow::anyhow!("--setting {pair:?}: write KEY=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok((key.to_owned(), value))
    });
    pairs.collect()
}
