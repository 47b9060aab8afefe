//! What can be asked of a registry, and what it answers.

use std::path::PathBuf;
use std::sync::Arc;

use hookbox_sandbox::Sandbox;
use hookbox_store::Store;
use serde::{Deserialize, Serialize};

use crate::load::Sample;
use crate::record::Source;
use crate::settings::{FiltersTable, PluginsTable};
use crate::trial::{TrialKind, TrialRule};
use crate::views::PluginOverview;

/// What a registry works on.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Where components are admitted and run.
    pub sandbox: Sandbox,
    /// Where records are kept.
    pub store: Store,
    /// The data folder, where components are kept.
    pub data: PathBuf,
    /// The samples that the binary carries.
    pub samples: &'static [Sample],
}

/// What the configuration says about plugins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configured {
    /// `[plugins]`.
    pub plugins: PluginsTable,
    /// `[filters]`.
    pub filters: FiltersTable,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
}

/// Who changes something, and what they saw of it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// A user's name, or which part of the host: `configuration`, `folder`, `rule`.
    pub actor: String,
    /// The plugin's revision that the change is meant for; `None` for whatever it is.
    pub if_revision: Option<u64>,
}

impl By {
    /// Somebody who changes whatever they find.
    pub fn whoever(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), if_revision: None }
    }
}

/// A component that is to be a plugin's release.
#[derive(Debug, Clone)]
pub struct NewRelease {
    /// The plugin's name.
    pub plugin: String,
    /// The component.
    pub bytes: Arc<Vec<u8>>,
    /// Its recorded cases, the text of the file.
    pub cases: Option<String>,
    /// The digest that the bytes must have, as 64 hexadecimal digits, with or without `sha256:` before them.
    pub sha256: Option<String>,
    /// By which way it comes.
    pub source: Source,
    /// From where.
    pub origin: String,
    /// What happens once it has passed admission.
    pub then: Then,
}

/// What happens to a new release that passed admission.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// It goes live, unless its plugin is disabled.
    Activate,
    /// It waits for somebody to activate it.
    Keep,
    /// It is tried beside the live one; it goes live where there is none.
    Try(TrialRequest),
}

/// Names a release of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseRef {
    /// By its number.
    Number(u32),
    /// By its digest or the beginning of it, at least six hexadecimal digits, with or without `sha256:`.
    Digest(String),
    /// By the version that its component names; the newest that has it.
    Version(String),
}

/// How a release is to be tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// Beside the live one, or in its place.
    pub kind: TrialKind,
    /// Of a hundred calls, how many it gets: above 0, at most 100.
    pub percent: f64,
    /// When it ends by itself.
    #[serde(default)]
    pub rule: Option<TrialRule>,
    /// Whether examples hold values.
    #[serde(default)]
    pub values: bool,
}

/// Which grants are approved for a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// The release that waits; `None` for the newest that does.
    pub release: Option<ReleaseRef>,
    /// Grants as the configuration spells them. Empty: what the release wants, where that can be said without an origin.
    pub grants: Vec<String>,
}

/// What becomes of a removed plugin's key-value rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// They stay.
    Keep,
    /// They go.
    Delete,
}

/// What came of a change.
#[derive(Debug, Clone, Serialize)]
pub struct Changed {
    /// What happened: `live`, `checked`, `needs-approval`, `trial`, `unchanged`, `disabled`, `removed`.
    pub outcome: &'static str,
    /// The release it happened to, where it is about one.
    pub release: Option<u32>,
    /// The generation that calls get from now on.
    pub generation: u64,
    /// The plugin as it is now.
    pub plugin: PluginOverview,
}

/// What a reload would change, or did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReloadReport {
    /// A line each: plugins that come, go or change, with the keys that do.
    pub plugins: Vec<PluginChange>,
    /// Hooks whose pipeline or receivers change.
    pub hooks: Vec<HookChange>,
    /// What an operator should look at.
    pub warnings: Vec<String>,
    /// The generation that calls get from now on; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// What a reload does to one plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginChange {
    /// Its name.
    pub plugin: String,
    /// `added`, `removed`, `upgraded` or `changed`.
    pub change: &'static str,
    /// The keys of its table that change, or the digests.
    pub what: Vec<String>,
}

/// What a reload does to one hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HookChange {
    /// The hook's type.
    pub hook: String,
    /// The plugins before, in order.
    pub before: Vec<String>,
    /// The plugins after, in order.
    pub after: Vec<String>,
    /// Other settings of the filter that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
}
