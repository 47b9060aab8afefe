//! Which sources the prebuilt components come from.
//!
//! The components are in the repository so that nobody needs a WebAssembly toolchain to run or test the host. The
//! record beside them ties each to its bytes, and all of them to the sources, so that a change without a new build
//! is noticed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

const PREBUILT: &str = "guest-plugins/prebuilt";
const RECORD: &str = "SOURCES";
const RECORD_HEADER: &str = "# Written by guest-plugins/build. `hookbox-pack verify` checks it.\n";
/// The line of the record that is about the sources; every other one is about a component.
const SOURCES_LINE: &str = "sources";

/// What a component is built from, relative to the repository's root.
const SOURCES: [&str; 5] =
    ["guest-plugins", "wit/hookbox", "wit/deps", "wit/openedx-filters", "wit/openedx-events"];
/// Folders that hold what is built, never what it is built from.
const BUILT: [&str; 2] = ["prebuilt", "target"];

/// The digest of all source files: of the sorted list of their paths and digests.
///
/// It walks the folders instead of asking git, so that it also works in an unpacked archive. Markdown is left out: no
/// component is built from it, and a page may change without a new build.
pub(crate) fn digest(root: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    for folder in SOURCES {
        let path = root.join(folder);
        ensure!(
            path.is_dir(),
            "there is no folder {}; give the repository's root with --root",
            path.display()
        );
        collect(&path, folder, &mut files)?;
    }
    let list: String = files.iter().fold(String::new(), |mut list, (path, digest)| {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{path} {digest}");
        list
    });
    Ok(sha256(list.as_bytes()))
}

fn collect(folder: &Path, name: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let context = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let Ok(file_name) = entry.file_name().into_string() else {
            bail!("{}: the name is not UTF-8", entry.path().display());
        };
        let name = format!("{name}/{file_name}");
        let path = entry.path();
        if path.is_dir() {
            if !BUILT.contains(&file_name.as_str()) {
                collect(&path, &name, files)?;
            }
        } else if path.extension().is_none_or(|extension| extension != "md") {
            files.insert(name, file_digest(&path)?);
        }
    }
    Ok(())
}

/// Write the record for these components of the prebuilt folder.
pub(crate) fn record(root: &Path, components: &[String]) -> Result<()> {
    let prebuilt = root.join(PREBUILT);
    let mut lines = vec![format!("{SOURCES_LINE} {}", digest(root)?)];
    for component in components {
        lines.push(format!("{component} {}", file_digest(&prebuilt.join(component))?));
    }
    lines[1..].sort();
    let path = prebuilt.join(RECORD);
    fs::write(&path, format!("{RECORD_HEADER}{}\n", lines.join("\n")))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Check the record against the sources and the components. The error names everything that differs.
pub(crate) fn verify(root: &Path) -> Result<()> {
    let prebuilt = root.join(PREBUILT);
    let mut recorded = read_record(&prebuilt.join(RECORD))?;
    let mut wrong = Vec::new();

    match recorded.remove(SOURCES_LINE) {
        Some(digest_then) if digest_then == digest(root)? => {}
        Some(_) => wrong.push("the sources have changed since the components were built".to_owned()),
        None => wrong.push(format!("the record has no line `{SOURCES_LINE}`")),
    }
    if recorded.is_empty() {
        wrong.push("the record names no component".to_owned());
    }
    for (component, digest_then) in &recorded {
        let path = prebuilt.join(component);
        if !path.is_file() {
            wrong.push(format!("{component} is recorded but missing"));
        } else if file_digest(&path)? != *digest_then {
            wrong.push(format!("{component} is not the file that was recorded"));
        }
    }
    for component in components_in(&prebuilt)? {
        if !recorded.contains_key(&component) {
            wrong.push(format!("{component} is not in the record"));
        }
    }

    ensure!(wrong.is_empty(), "{PREBUILT} is out of date; run guest-plugins/build\n  {}", wrong.join("\n  "));
    Ok(())
}

fn read_record(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}; run guest-plugins/build", path.display()))?;
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match line.split_once(' ') {
            Some((name, digest)) => Ok((name.to_owned(), digest.to_owned())),
            None => bail!("{}: expected a name and a digest, not {line:?}", path.display()),
        })
        .collect()
}

fn components_in(prebuilt: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let context = || format!("cannot read {}", prebuilt.display());
    for entry in fs::read_dir(prebuilt).with_context(context)? {
        let name = entry.with_context(context)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".wasm") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn file_digest(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(sha256(&bytes))
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use tempfile::TempDir;

    fn write(root: &TempDir, path: &str, text: &str) -> Result<()> {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        Ok(fs::write(path, text)?)
    }

    /// A repository with two components and a record of them.
    fn repository() -> Result<TempDir> {
        let root = tempfile::tempdir()?;
        for folder in SOURCES {
            write(&root, &format!("{folder}/a.txt"), folder)?;
        }
        write(&root, "guest-plugins/prebuilt/one.wasm", "one")?;
        write(&root, "guest-plugins/prebuilt/two.wasm", "two")?;
        record(root.path(), &["two.wasm".to_owned(), "one.wasm".to_owned()])?;
        Ok(root)
    }

    fn complaint(root: &TempDir) -> String {
        verify(root.path()).map_or_else(|error| format!("{error:#}"), |()| String::new())
    }

    #[test]
    fn a_recorded_build_is_up_to_date() -> Result<()> {
        let root = repository()?;

        assert_eq!(complaint(&root), "");
        Ok(())
    }

    #[test]
    fn what_is_built_and_what_is_only_read_do_not_count_as_sources() -> Result<()> {
        let root = repository()?;
        write(&root, "guest-plugins/README.md", "changed")?;
        write(&root, "guest-plugins/target/debug/x", "changed")?;
        write(&root, "guest-plugins/plugin/target/x", "changed")?;
        write(&root, "wit/catalog/filters.json", "changed")?;

        assert_eq!(complaint(&root), "");
        Ok(())
    }

    #[test]
    fn a_changed_new_moved_or_removed_source_is_noticed() -> Result<()> {
        for folder in SOURCES {
            let changed = repository()?;
            write(&changed, &format!("{folder}/a.txt"), "changed")?;
            assert!(complaint(&changed).contains("the sources have changed"), "{folder}");

            let new = repository()?;
            write(&new, &format!("{folder}/b/c.rs"), "")?;
            assert!(complaint(&new).contains("the sources have changed"), "{folder}");

            let moved = repository()?;
            fs::rename(moved.path().join(folder).join("a.txt"), moved.path().join(folder).join("b.txt"))?;
            assert!(complaint(&moved).contains("the sources have changed"), "{folder}");

            let removed = repository()?;
            fs::remove_file(removed.path().join(folder).join("a.txt"))?;
            assert!(complaint(&removed).contains("the sources have changed"), "{folder}");
        }
        Ok(())
    }

    #[test]
    fn a_component_that_is_not_the_recorded_one_is_named() -> Result<()> {
        let root = repository()?;
        write(&root, "guest-plugins/prebuilt/one.wasm", "another")?;
        fs::remove_file(root.path().join("guest-plugins/prebuilt/two.wasm"))?;
        write(&root, "guest-plugins/prebuilt/three.wasm", "three")?;

        let complaint = complaint(&root);
        assert!(complaint.contains("one.wasm is not the file that was recorded"), "{complaint}");
        assert!(complaint.contains("two.wasm is recorded but missing"), "{complaint}");
        assert!(complaint.contains("three.wasm is not in the record"), "{complaint}");
        Ok(())
    }

    #[test]
    fn a_missing_or_broken_record_is_an_error_that_says_what_to_do() -> Result<()> {
        let missing = repository()?;
        fs::remove_file(missing.path().join("guest-plugins/prebuilt/SOURCES"))?;
        assert!(complaint(&missing).contains("run guest-plugins/build"));

        let empty = repository()?;
        write(&empty, "guest-plugins/prebuilt/SOURCES", "")?;
        assert!(complaint(&empty).contains("the record has no line `sources`"));

        let broken = repository()?;
        write(&broken, "guest-plugins/prebuilt/SOURCES", "sources\n")?;
        assert!(complaint(&broken).contains("expected a name and a digest"));
        Ok(())
    }

    #[test]
    fn another_folder_than_the_root_is_refused() -> Result<()> {
        let root = tempfile::tempdir()?;

        let error = digest(root.path()).unwrap_err();

        assert!(error.to_string().contains("--root"), "{error}");
        Ok(())
    }
}
