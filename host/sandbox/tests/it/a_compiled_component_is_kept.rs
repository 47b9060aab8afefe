//! Compiling is done once. What lies in the cache's folder is used only when it is what the sandbox itself put there.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hookbox_sandbox::{Sandbox, SandboxOptions};

use crate::support::{admit, call, written};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A start of the host: a new sandbox on this folder, one component, one call.
async fn start(folder: &Path) {
    let sandbox =
        Sandbox::new(SandboxOptions { cache: Some(folder.to_owned()), ..SandboxOptions::default() }).unwrap();
    let counter = crate::support::options();
    let counter = sandbox.plugin(&admit(&sandbox, &written("counter")), counter);
    call(&counter, "/").await.unwrap().unwrap();
}

/// The one file, and its inode: a file that was written again has another.
fn kept(folder: &Path) -> (PathBuf, u64) {
    let files = files(folder);
    let [file] = files.as_slice() else { panic!("{files:?}") };
    (file.clone(), file.metadata().unwrap().ino())
}

#[tokio::test]
async fn the_second_start_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    start(&cache).await;
    assert_eq!(cache.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let first = kept(&cache);
    start(&cache).await;
    assert_eq!(kept(&cache), first);
}

#[tokio::test]
async fn a_damaged_file_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await;
    let (file, _) = kept(folder.path());
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b""] {
        // A new file, because the first sandbox may still have the old one mapped.
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, damaged).unwrap();
        start(folder.path()).await;
        assert_eq!(std::fs::read(kept(folder.path()).0).unwrap(), whole);
    }
}

#[tokio::test]
async fn a_file_that_somebody_put_there_is_never_mapped() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await;
    let (file, _) = kept(folder.path());
    let whole = std::fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let (prefix, _) = name.rsplit_once('-').unwrap();
    let foreign = folder.path().join(format!("{prefix}-{}.cwasm", "0".repeat(64)));
    std::fs::rename(&file, &foreign).unwrap();
    start(folder.path()).await;
    assert!(!foreign.exists(), "it was left to be tried again");
    assert_eq!(kept(folder.path()).0, file);
    assert_eq!(std::fs::read(&file).unwrap(), whole);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let error = Sandbox::new(SandboxOptions { cache: Some(file), ..SandboxOptions::default() })
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("a-file"), "{error}");
}
