//! From configuration to a generation: read components, admit them, try them out, make pipelines and receivers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookbox_hooks::catalogue::{any_event, any_filter, configure};
use hookbox_hooks::{Catalogue, names};
use hookbox_sandbox::{
    Admitted, COMPONENT_BYTES, Contract, Granting, Grants, PluginOptions, Problem, Report, Sandbox, Settings,
    TryOutError,
};

use crate::circuit::Circuit;
use crate::effective;
use crate::generation::{Generation, LivePlugin};
use crate::settings::{FiltersTable, PluginTable, PluginsTable};

/// A sample plugin that the host's binary carries.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The plugin's name.
    pub name: &'static str,
    /// Its component.
    pub component: &'static [u8],
}

/// What a generation is made from.
#[derive(Debug, Clone)]
pub struct Recipe<'a> {
    /// The `[plugins]` table.
    pub plugins: &'a PluginsTable,
    /// The `[filters]` table.
    pub filters: &'a FiltersTable,
    /// The samples that the binary carries.
    pub samples: &'a [Sample],
    /// The folder that relative component paths start from.
    pub folder: &'a Path,
}

/// A reason why a generation cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A plugin's name is none.
    #[error(
        "plugin name {0:?}: use lower-case letters, digits and dashes, at most 63, and begin with a letter or digit"
    )]
    Name(String),
    /// A plugin's table holds a value that cannot be.
    #[error("plugins.{plugin}: {reason}")]
    Setting {
        /// The plugin's name.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
    /// A plugin's component cannot be read.
    #[error("plugins.{plugin}: component {path}: {reason}")]
    Component {
        /// The plugin's name.
        plugin: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A component is refused.
    #[error("plugins.{plugin}: the component is refused{}", listed(&.report.problems))]
    Refused {
        /// The plugin's name.
        plugin: String,
        /// Everything that is wrong with it.
        report: Box<Report>,
    },
    /// A plugin failed when it was tried.
    #[error("plugins.{plugin}: {reason}")]
    TryOut {
        /// The plugin's name.
        plugin: String,
        /// Why.
        reason: TryOutError,
    },
    /// A filter's table is wrong.
    #[error("filters.{filter_type:?}: {reason}")]
    Filter {
        /// The filter's type.
        filter_type: String,
        /// What is wrong.
        reason: String,
    },
}

impl LoadError {
    /// A stable name for the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "plugin-name",
            Self::Setting { .. } => "plugin-setting",
            Self::Component { .. } => "component-unreadable",
            Self::Refused { .. } => "component-refused",
            Self::TryOut { .. } => "plugin-failed-to-start",
            Self::Filter { .. } => "filter-configuration",
        }
    }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

/// The functions that the contract lets a plugin export: every catalogued hook and the generic interfaces.
pub fn contract() -> Contract {
    let catalogued = Catalogue::embedded().hooks().map(|hook| Arc::clone(hook.signature()));
    let generic = [any_filter(), any_event(), configure()].into_iter().cloned();
    Contract::new(catalogued.chain(generic))
}

/// Makes a generation.
///
/// # Errors
/// Every reason why it cannot be made, so that an operator mends them in one go.
pub async fn load(sandbox: &Sandbox, recipe: Recipe<'_>) -> Result<Generation, Vec<LoadError>> {
    let wanted = wanted(recipe.plugins, recipe.samples);
    let contract = Arc::new(contract());
    let loading = wanted.iter().map(|(name, table)| plugin(sandbox, &contract, name, table, &recipe));
    let mut plugins = BTreeMap::new();
    let mut errors = Vec::new();
    for loaded in futures::future::join_all(loading).await {
        match loaded {
            Ok(plugin) => {
                plugins.insert(plugin.name().to_owned(), Arc::new(plugin));
            }
            Err(error) => errors.push(error),
        }
    }
    let filters = effective::pipelines(&plugins, recipe.filters);
    // A pipeline that lacks a plugin which failed to load is only that failure told twice.
    if errors.is_empty() {
        errors.extend(filters.errors);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let unused =
        |live: &Arc<LivePlugin>| unused_grants(live.name(), live.plugin.grants(), live.plugin.report());
    let mut warnings: Vec<String> = plugins.values().flat_map(unused).collect();
    warnings.extend(filters.warnings);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let receivers = effective::receivers(&plugins);
    Ok(Generation { plugins, pipelines: filters.pipelines, receivers, warnings })
}

/// The plugins to load: those of the table, and the samples unless the table replaces them.
fn wanted(table: &PluginsTable, samples: &[Sample]) -> BTreeMap<String, PluginTable> {
    let is_sample = |name: &str| samples.iter().any(|sample| sample.name == name);
    let mut wanted = table.plugins.clone();
    if table.samples.unwrap_or_else(|| table.plugins.keys().all(|name| is_sample(name))) {
        for sample in samples {
            wanted.entry(sample.name.to_owned()).or_default();
        }
    }
    wanted
}

async fn plugin(
    sandbox: &Sandbox,
    contract: &Arc<Contract>,
    name: &str,
    table: &PluginTable,
    recipe: &Recipe<'_>,
) -> Result<LivePlugin, LoadError> {
    check_name(name)?;
    let setting = |reason: String| LoadError::Setting { plugin: name.to_owned(), reason };
    let grants = table.grants().map_err(setting)?;
    let isolation = table.isolation().map_err(setting)?;
    let limits = table.limits.limits().map_err(setting)?;
    let quarantine = table.quarantine.rule().map_err(setting)?;
    let (bytes, origin) = component(name, table, recipe)?;

    let (compiler, expected) = (sandbox.clone(), Arc::clone(contract));
    let admitted =
        tokio::task::spawn_blocking(move || compiler.admit(&bytes, &expected, &Granting::These(&grants)))
            .await;
    let admitted: Admitted = match admitted {
        Ok(admitted) => admitted.map_err(|report| LoadError::Refused { plugin: name.to_owned(), report })?,
        Err(error) => return Err(setting(format!("admission ended early: {error}"))),
    };
    let settings = Settings::new(table.settings.clone());
    let options = PluginOptions { name: name.to_owned(), settings, limits, isolation };
    let plugin = sandbox.plugin(&admitted, options);
    let named = plugin.function(any_filter()).is_some() || plugin.function(any_event()).is_some();
    match (named, table.hooks.is_empty()) {
        (false, false) => {
            return Err(setting("hooks: the component exports no generic interface to give them to".into()));
        }
        (true, true) if table.tried_hook.is_none() => {
            tracing::warn!(
                plugin = name,
                "exports a generic interface, but `hooks` names none: it is not called"
            );
        }
        _ => {}
    }
    plugin.try_out().await.map_err(|reason| LoadError::TryOut { plugin: name.to_owned(), reason })?;
    tracing::info!(plugin = name, version = plugin.report().metadata.version, digest = %plugin.report().digest, origin, "plugin is live");
    Ok(LivePlugin {
        digest: plugin.report().digest.to_string(),
        plugin,
        on_failure: table.on_failure,
        hooks: table.hooks.iter().chain(&table.tried_hook).cloned().collect(),
        origin,
        circuit: Circuit::new(name, quarantine),
    })
}

/// A warning for each of these grants that the component of this report has no use for. `name` is the plugin's.
pub fn unused_grants(name: &str, grants: &Grants, report: &Report) -> Vec<String> {
    let needs = match &report.grants[..] {
        [] => "it needs no grant".to_owned(),
        needed => format!("all it needs is {}", needed.join(", ")),
    };
    let warning =
        |grant| format!("plugins.{name}: its component imports nothing for the grant {grant}; {needs}");
    grants.unused(&report.imports).map(warning).collect()
}

fn check_name(name: &str) -> Result<(), LoadError> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let sound = (1..=63).contains(&name.len())
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte == b'-');
    if sound { Ok(()) } else { Err(LoadError::Name(name.chars().take(80).collect())) }
}

fn component(name: &str, table: &PluginTable, recipe: &Recipe<'_>) -> Result<(Vec<u8>, String), LoadError> {
    let Some(path) = &table.component else {
        return match recipe.samples.iter().find(|sample| sample.name == name) {
            Some(sample) => Ok((sample.component.to_vec(), "embedded sample".to_owned())),
            None => {
                let samples = recipe.samples.iter().map(|sample| sample.name);
                let near = names::nearest(name, samples.clone());
                let hint = match near {
                    Some(near) => format!("did you mean the sample {near}? Otherwise"),
                    None => format!(
                        "the host embeds {}; for any other plugin",
                        samples.collect::<Vec<_>>().join(", ")
                    ),
                };
                let reason = format!("no `component`: {hint} give the path of its .wasm file");
                Err(LoadError::Setting { plugin: name.to_owned(), reason })
            }
        };
    };
    let path = recipe.folder.join(path);
    match read(&path) {
        Ok(bytes) => Ok((bytes, path.display().to_string())),
        Err(reason) => Err(LoadError::Component { plugin: name.to_owned(), path, reason }),
    }
}

/// Reads a component's file, but never more than a component may have and a byte: admission tells the rest.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let most = u64::try_from(COMPONENT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
