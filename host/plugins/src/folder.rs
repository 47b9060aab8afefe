//! The watched folder: whoever may write there installs plugins by putting `NAME.wasm` into it, and withdraws them by
//! taking it away. [`look`] decides what a listing means and touches nothing; [`list`] reads the folder; [`watch`] runs
//! the two and hands what they found to the registry.

mod list;
mod look;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::settings::PluginsTable;

pub use watch::FolderWatch;

/// `settle` when the configuration does not say.
const SETTLE: Duration = Duration::from_millis(500);
/// `poll` when the configuration does not say.
const POLL: Duration = Duration::from_secs(2);

/// Which folder is watched, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderOptions {
    /// The folder. It need not be there yet.
    pub path: PathBuf,
    /// How long a file must stay as it is before it is taken, and stay away before its plugin goes.
    pub settle: Duration,
    /// How often the folder is looked at, also where the file system tells of changes. Never more than twenty times a
    /// second, whatever it says.
    pub poll: Duration,
}

impl FolderOptions {
    /// What `[plugins]` says; `None` when it names no folder. `base` is the folder that relative paths start from.
    pub fn of(table: &PluginsTable, base: &Path) -> Option<Self> {
        Some(Self {
            path: base.join(table.folder.as_ref()?),
            settle: table.settle.unwrap_or(SETTLE),
            poll: table.poll.unwrap_or(POLL),
        })
    }
}

#[cfg(test)]
mod tests;
