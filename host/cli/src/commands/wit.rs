//! `hookbox wit`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hookbox_hooks::{Catalogue, wit};

use crate::Done;
use crate::output;

/// Write the WIT packages that plugins are built against.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hookbox wit wit/      a folder a package: hookbox, openedx-filters, openedx-events, deps/…")]
pub(crate) struct Wit {
    /// The folder to write to; made when it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Wit {
    pub(crate) fn execute(self) -> anyhow::Result<Done> {
        let files: Vec<wit::WitFile> =
            wit::handwritten().into_iter().chain(wit::generate(Catalogue::embedded())).collect();
        for file in &files {
            let path = self.folder.join(&file.path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            }
            std::fs::write(&path, &file.text).with_context(|| path.display().to_string())?;
        }
        output::text(&format!("{} files written to {}", files.len(), self.folder.display()))?;
        Ok(Done::Well)
    }
}
