//! Reads the folder and the files in it. Everything here blocks.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::look::{FolderId, Listing, Stamp, Stamps};
use crate::load::{check_name, read as read_component};

/// How the file of a plugin's component ends.
const SUFFIX: &str = ".wasm";
/// Where recorded cases are, in the folder.
const TESTS: &str = "tests";
/// Bytes of recorded cases that are read. Whoever reads them refuses fewer.
const CASES_BYTES: u64 = 4 << 20;
/// Characters of a name that is shown.
const SHOWN: usize = 80;
/// Names that are told about in one look; a folder of a million photographs is one mistake and not a million.
const ODD_MOST: usize = 100;

/// A plugin's files as they were while nobody wrote to them.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) component: Vec<u8>,
    pub(super) cases: Option<String>,
}

/// What came of reading a plugin's files.
#[derive(Debug)]
pub(super) enum Reading {
    Whole(Contents),
    /// They are not what the listing said, or changed meanwhile.
    Changed,
    /// They can never be a plugin's, with the reason.
    Wrong(String),
}

/// What is in the folder.
///
/// # Errors
/// It cannot be read in full.
pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing =
        Listing { folder: id(&fs::metadata(folder)?), tests: tests_id(folder), ..Listing::default() };
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let mut odd = |reason: String| {
            if listing.odd.len() < ODD_MOST {
                listing.odd.insert(shown(&name), reason);
            }
        };
        if is_temporary(&name) {
            continue;
        }
        let Some(plugin) = name.strip_suffix(SUFFIX) else {
            if name.to_lowercase().ends_with(SUFFIX) {
                odd(format!("a plugin's file is called NAME{SUFFIX}, in lower case"));
            }
            continue;
        };
        if let Err(error) = check_name(plugin) {
            odd(error.to_string());
            continue;
        }
        let stamps = match stamps(folder, plugin) {
            Ok(None) => continue,
            Ok(Some(stamps)) => Some(stamps),
            Err((path, error)) => {
                odd(format!("{}: {error}", path.display()));
                None
            }
        };
        listing.plugins.insert(plugin.to_owned(), stamps);
    }
    Ok(listing)
}

/// Reads a plugin's files, whose stamps a listing gave.
///
/// # Errors
/// They cannot be read.
pub(super) fn read(folder: &Path, plugin: &str, listed: Stamps) -> io::Result<Reading> {
    let now = || match stamps(folder, plugin) {
        Ok(now) => Ok(now == Some(listed)),
        Err((_, error)) => Err(error),
    };
    if !now()? {
        return Ok(Reading::Changed);
    }
    let component = read_component(&component_path(folder, plugin))?;
    let cases = match listed.cases {
        Some(_) => Some(read_cases(&cases_path(folder, plugin))?),
        None => None,
    };
    if !now()? {
        return Ok(Reading::Changed);
    }
    let cases = match cases.transpose() {
        Ok(cases) => cases,
        Err(reason) => return Ok(Reading::Wrong(reason)),
    };
    Ok(Reading::Whole(Contents { component, cases }))
}

/// The file of a plugin's component.
pub(super) fn component_path(folder: &Path, plugin: &str) -> PathBuf {
    folder.join(format!("{plugin}{SUFFIX}"))
}

/// The file of a plugin's recorded cases.
fn cases_path(folder: &Path, plugin: &str) -> PathBuf {
    folder.join(TESTS).join(format!("{plugin}.json"))
}

/// The folder of recorded cases.
pub(super) fn tests_path(folder: &Path) -> PathBuf {
    folder.join(TESTS)
}

fn read_cases(path: &Path) -> io::Result<Result<String, String>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(CASES_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > CASES_BYTES) {
        return Ok(Err(format!("{}: recorded cases may have {} MiB", path.display(), CASES_BYTES >> 20)));
    }
    Ok(String::from_utf8(bytes).map_err(|_| format!("{}: recorded cases are UTF-8", path.display())))
}

/// The stamps of a plugin's files; `None` when the component is not there. An error comes with its file.
fn stamps(folder: &Path, plugin: &str) -> Result<Option<Stamps>, (PathBuf, io::Error)> {
    let stamp = |path: PathBuf| stamp(&path).map_err(|error| (path, error));
    let Some(component) = stamp(component_path(folder, plugin))? else { return Ok(None) };
    Ok(Some(Stamps { component, cases: stamp(cases_path(folder, plugin))? }))
}

/// The stamp of a file; `None` when nothing has that name.
fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(file) if file.is_file() => Ok(Some(Stamp {
            bytes: file.len(),
            inode: id(&file).1,
            modified: file.modified()?,
            changed: changed(&file)?,
        })),
        Ok(_) => Err(io::Error::other("it is no file")),
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => {
            match fs::symlink_metadata(path) {
                Ok(_) => Err(io::Error::other("it is a link to nothing")),
                Err(_) => Ok(None),
            }
        }
        Err(error) => Err(error),
    }
}

fn tests_id(folder: &Path) -> Option<FolderId> {
    fs::metadata(folder.join(TESTS)).ok().filter(Metadata::is_dir).map(|tests| id(&tests))
}

#[cfg(unix)]
fn id(metadata: &Metadata) -> FolderId {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn id(_: &Metadata) -> FolderId {
    (0, 0)
}

#[cfg(unix)]
fn changed(file: &Metadata) -> io::Result<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(file.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(file.ctime_nsec()).unwrap_or_default();
    let since = std::time::Duration::new(seconds, nanoseconds);
    SystemTime::UNIX_EPOCH.checked_add(since).map_or_else(|| file.modified(), Ok)
}

#[cfg(not(unix))]
fn changed(file: &Metadata) -> io::Result<SystemTime> {
    file.modified()
}

/// Whether a name is one that programs give to what they have not finished, or hide.
fn is_temporary(name: &str) -> bool {
    name.starts_with(['.', '#']) || name.ends_with('~')
}

fn shown(name: &str) -> String {
    format!("{:?}", name.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests;
