//! One module a command.

pub(crate) mod check;
pub(crate) mod check_install;
mod client;
pub(crate) mod db;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod hooks;
pub(crate) mod plugin;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod wit;

use anyhow::Context as _;
use hookbox_plugins::{Generation, LoadError, Recipe};
use hookbox_sandbox::{Sandbox, SandboxOptions, Services};
use hookbox_server::{Config, compile_cache, services};
use hookbox_store::Store;
use serde_json::{Map, Value};

use crate::samples::SAMPLES;

/// A sandbox for a command without a server. It uses the server's compile cache where there is one, and leaves no
/// folder behind where there is none.
fn sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    sandbox_on(config, Services::default())
}

/// The same for a command that runs plugins: what they are granted is the server's own database, where there is one.
fn sandbox_to_run(config: &Config) -> anyhow::Result<Sandbox> {
    let granted = config.plugins.plugins.values().any(|plugin| !plugin.grants.is_empty());
    if !granted || !config.database_path().is_file() {
        return sandbox(config);
    }
    let store =
        Store::open(&config.database_options()).context("plugins with grants work on the database")?;
    sandbox_on(config, services(&store))
}

fn sandbox_on(config: &Config, services: Services) -> anyhow::Result<Sandbox> {
    let cache = config.server.data.is_dir().then(|| compile_cache(&config.server.data));
    Ok(Sandbox::new(SandboxOptions { cache, services })?)
}

/// The generation that a server with this configuration would make.
async fn generation(sandbox: &Sandbox, config: &Config) -> anyhow::Result<Generation> {
    let recipe = Recipe {
        plugins: &config.plugins,
        filters: &config.filters,
        samples: SAMPLES,
        folder: &config.folder,
    };
    hookbox_plugins::load(sandbox, recipe).await.map_err(|errors| all(&errors))
}

/// Every reason in one error.
fn all(errors: &[LoadError]) -> anyhow::Error {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(texts.join("\n"))
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
