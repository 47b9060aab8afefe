//! From configuration to a generation: read components, admit them, try them out, make pipelines and receivers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookbox_hooks::Catalogue;
use hookbox_hooks::catalogue::{any_event, any_filter, configure};
use hookbox_sandbox::{COMPONENT_BYTES, Contract, Grants, Problem, Report, Sandbox, TryOutError};
use tokio::sync::mpsc;

use crate::cases::CaseReport;
use crate::files::ReleaseFiles;
use crate::generation::{Generation, Parts};
use crate::keep;
use crate::record::Source;
use crate::registry::plan::{Mode, Shop, plan};
use crate::registry::{Configured, Records};
use crate::settings::{FiltersTable, PluginTable, PluginsTable};

/// A sample plugin that the host's binary carries.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The plugin's name.
    pub name: &'static str,
    /// Its component.
    pub component: &'static [u8],
    /// Whether it runs while the configuration says nothing of it. Otherwise it waits for a table of its name.
    pub default: bool,
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
    /// A plugin's recorded cases did not come out as recorded.
    #[error("plugins.{plugin}: recorded cases failed{}", cases_listed(.failed))]
    Cases {
        /// The plugin's name.
        plugin: String,
        /// Those that failed.
        failed: Vec<CaseReport>,
    },
    /// What the data folder keeps cannot be read.
    #[error("{0}")]
    Kept(String),
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
            Self::Cases { .. } => "recorded-cases",
            Self::Kept(_) => "data-folder",
            Self::Filter { .. } => "filter-configuration",
        }
    }

    /// What is wrong, without the plugin's name before it.
    pub(crate) fn reason(&self) -> String {
        let text = self.to_string();
        let named = match self {
            Self::Setting { plugin, .. }
            | Self::Component { plugin, .. }
            | Self::Refused { plugin, .. }
            | Self::TryOut { plugin, .. }
            | Self::Cases { plugin, .. } => text.strip_prefix(&format!("plugins.{plugin}: ")),
            Self::Name(_) | Self::Kept(_) | Self::Filter { .. } => None,
        };
        named.map(str::to_owned).unwrap_or(text)
    }
}

fn cases_listed(failed: &[CaseReport]) -> String {
    let case = |report: &CaseReport| format!("\n  - {}: {}", report.case, report.differences.join("; "));
    failed.iter().map(case).collect()
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

/// The generation that a host would make of a configuration, and of what its data folder keeps when it is given.
///
/// # Errors
/// Every reason why it cannot be made, so that an operator mends them in one go.
pub async fn load(
    sandbox: &Sandbox,
    recipe: Recipe<'_>,
    data: Option<&Path>,
) -> Result<Generation, Vec<LoadError>> {
    let kept = match data {
        Some(data) => Kept::of(data).map_err(|error| vec![error])?,
        None => Kept::default(),
    };
    let (verdicts, _nobody_decides) = mpsc::unbounded_channel();
    let contract = Arc::new(contract());
    let shop =
        Shop { sandbox, contract: &contract, files: kept.files.as_ref(), samples: recipe.samples, verdicts };
    let configured = Configured {
        plugins: recipe.plugins.clone(),
        filters: recipe.filters.clone(),
        folder: recipe.folder.to_owned(),
    };
    let plan = plan(&shop, Mode::Start, &kept.records, &Parts::default(), &configured).await?;
    let mut generation = Generation::build(0, plan.parts, recipe.filters)?;
    generation.warnings.extend(plan.warnings);
    for warning in &generation.warnings {
        tracing::warn!("{warning}");
    }
    Ok(generation)
}

/// What a data folder keeps.
#[derive(Default)]
struct Kept {
    records: Records,
    files: Option<ReleaseFiles>,
}

impl Kept {
    /// Reads it and changes nothing, also where there is none.
    fn of(data: &Path) -> Result<Self, LoadError> {
        let database = data.join("hookbox.db");
        if !database.is_file() {
            return Ok(Self::default());
        }
        let rows =
            hookbox_store::plugins_of(&database).map_err(|error| LoadError::Kept(error.to_string()))?;
        let records = rows.into_iter().map(|(plugin, releases)| {
            let record =
                keep::from_rows(plugin, releases).map_err(|error| LoadError::Kept(error.to_string()))?;
            Ok((record.name.clone(), Arc::new(record)))
        });
        Ok(Self { records: records.collect::<Result<_, LoadError>>()?, files: Some(ReleaseFiles::at(data)) })
    }
}

/// The plugins to load: those of the table, and the samples that run by default unless the table replaces them.
pub(crate) fn wanted(table: &PluginsTable, samples: &[Sample]) -> BTreeMap<String, PluginTable> {
    let is_sample = |name: &str| samples.iter().any(|sample| sample.name == name);
    let mut wanted = table.plugins.clone();
    if table.samples.unwrap_or_else(|| table.plugins.keys().all(|name| is_sample(name))) {
        for sample in samples.iter().filter(|sample| sample.default) {
            wanted.entry(sample.name.to_owned()).or_default();
        }
    }
    wanted
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

pub(crate) fn check_name(name: &str) -> Result<(), LoadError> {
    if is_plugin_name(name) { Ok(()) } else { Err(LoadError::Name(name.chars().take(80).collect())) }
}

/// Whether a plugin can have this name: lower-case letters, digits and dashes, at most 63, the first no dash.
pub fn is_plugin_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte == b'-')
}

/// The component that the configuration has for a plugin, by which way, and from where. `None`: neither a file nor a sample.
pub(crate) fn component(
    name: &str,
    table: &PluginTable,
    folder: &Path,
    samples: &[Sample],
) -> Result<Option<(Vec<u8>, Source, String)>, LoadError> {
    let Some(path) = &table.component else {
        let sample = samples.iter().find(|sample| sample.name == name);
        return Ok(
            sample.map(|sample| (sample.component.to_vec(), Source::Sample, "embedded sample".to_owned()))
        );
    };
    let path = folder.join(path);
    match read(&path) {
        Ok(bytes) => Ok(Some((bytes, Source::Configuration, path.display().to_string()))),
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
