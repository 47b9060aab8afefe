//! What a crate's Cargo.toml says about it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The fields that become a component's metadata.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) authors: Vec<String>,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Package {
    /// Read the package in `folder`. Cargo itself reads the file, so that fields from the workspace are filled in.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let manifest = folder.join("Cargo.toml");
        let manifest =
            fs::canonicalize(&manifest).with_context(|| format!("cannot find {}", manifest.display()))?;
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(&manifest)
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("cargo cannot read {}: {}", manifest.display(), reason.trim());
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cannot read the output of `cargo metadata`")?;
        metadata
            .packages
            .into_iter()
            .find(|package| package.manifest_path == manifest)
            .with_context(|| format!("there is no package in {}", manifest.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn fields_inherited_from_the_workspace_are_filled_in() -> Result<()> {
        let package = Package::read(Path::new(env!("CARGO_MANIFEST_DIR")))?;

        assert_eq!(package.name, "hookbox-pack");
        assert_eq!(package.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(package.license.as_deref(), Some("Apache-2.0"));
        Ok(())
    }

    #[test]
    fn a_folder_without_a_crate_is_named() {
        let error = Package::read(Path::new("no-such-crate")).unwrap_err();

        assert!(error.to_string().contains("no-such-crate/Cargo.toml"), "{error}");
    }
}
