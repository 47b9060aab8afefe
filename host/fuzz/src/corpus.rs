//! Inputs that are kept: what once broke a promise, and where mutations start from.

use std::path::Path;

/// One kept input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its file's name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Every file of a folder whose name ends so, by name.
///
/// # Panics
/// The folder cannot be read, or holds none.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn saved(folder: &Path, ending: &str) -> Vec<Saved> {
    let read = || -> std::io::Result<Vec<Saved>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(ending) {
                all.push(Saved { name, bytes: std::fs::read(path)? });
            }
        }
        Ok(all)
    };
    let mut all = read().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!all.is_empty(), "{}: no file ends in {ending}", folder.display());
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}
