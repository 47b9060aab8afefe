//! Why a change was not made.

use hookbox_store::StoreError;
use serde_json::Value;

use crate::change::Refusal;
use crate::load::LoadError;

/// A change that was not made. The generation that was live still is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The plugin's name is none.
    #[error(
        "plugin name {0:?}: use lower-case letters, digits and dashes, at most 63, and begin with a letter or digit"
    )]
    Name(String),
    /// Nobody has heard of the plugin.
    #[error("no plugin has the name {name:?}{}", .near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownPlugin {
        /// The name.
        name: String,
        /// The nearest that exists.
        near: Option<String>,
    },
    /// The plugin has no such release.
    #[error("plugin {plugin} has no release {wanted}")]
    UnknownRelease {
        /// The plugin.
        plugin: String,
        /// What was asked for.
        wanted: String,
    },
    /// The bytes are not those that were meant.
    #[error(
        "the bytes have the digest {found}, not {wanted}: they were damaged on the way, or are of another build"
    )]
    Digest {
        /// The digest that was given.
        wanted: String,
        /// The digest of the bytes.
        found: String,
    },
    /// What was asked for is malformed.
    #[error("{0}")]
    Request(String),
    /// The release failed admission. It is kept as rejected.
    #[error("release {release} of {plugin} is rejected: {reason}")]
    Rejected {
        /// The plugin.
        plugin: String,
        /// The release's number.
        release: u32,
        /// Why, in a sentence or several lines.
        reason: String,
        /// What admission found.
        report: Value,
    },
    /// The change cannot happen to the plugin as it stands.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else changed the plugin in between.
    #[error("plugin {plugin} has changed since you looked: it is at revision {now}, not {seen}. Look again")]
    Precondition {
        /// The plugin.
        plugin: String,
        /// The revision that was given.
        seen: u64,
        /// The revision it has.
        now: u64,
    },
    /// A configured pipeline does not allow it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Pipelines(Vec<LoadError>),
    /// The component's file cannot be kept or given back.
    #[error("the component's file: {0}")]
    File(std::io::Error),
    /// What was kept is gone or damaged.
    #[error("release {release} of {plugin}: {reason}")]
    Kept {
        /// The plugin.
        plugin: String,
        /// The release.
        release: u32,
        /// What is wrong with its file.
        reason: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others changed the plugin again and again meanwhile.
    #[error("others kept changing the plugin or its configuration meanwhile; try again")]
    Busy,
    /// The host is starting, or made a mistake.
    #[error("{0}")]
    Internal(String),
}

impl ChangeError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "plugin-name",
            Self::UnknownPlugin { .. } => "unknown-plugin",
            Self::UnknownRelease { .. } => "unknown-release",
            Self::Digest { .. } => "digest-mismatch",
            Self::Request(_) => "bad-request",
            Self::Rejected { .. } => "release-rejected",
            Self::Refused(refusal) => refusal.code(),
            Self::Precondition { .. } => "precondition-failed",
            Self::Pipelines(_) => "pipeline-needs-plugin",
            Self::File(_) => "component-file",
            Self::Kept { .. } => "component-lost",
            Self::Store(error) => error.code(),
            Self::Busy => "plugin-busy",
            Self::Internal(_) => "internal",
        }
    }
}
