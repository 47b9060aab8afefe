//! Compiling is done once. What lies in the cache's folder is used only when it is what the sandbox itself put there.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hookbox_sandbox::{Digest, Granting, Grants, Sandbox, SandboxOptions};

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

#[tokio::test]
async fn a_kept_file_is_for_the_host_alone() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await;
    let (file, _) = kept(folder.path());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_that_others_may_write_is_never_mapped() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await;
    let (file, _) = kept(folder.path());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o620)).unwrap();
    start(folder.path()).await;
    let mode = kept(folder.path()).0.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it was used as it was");
}

#[tokio::test]
async fn a_folder_that_others_could_write_to_is_closed_and_emptied() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await;
    let planted = folder.path().join("planted.cwasm");
    std::fs::write(&planted, "native code").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o770)).unwrap();
    start(folder.path()).await;
    assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!planted.exists());
}

#[tokio::test]
async fn a_folder_that_others_could_only_read_is_closed_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path()).await;
    let first = kept(folder.path());
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    start(folder.path()).await;
    assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(kept(folder.path()), first);
}

#[tokio::test]
async fn a_folder_of_another_user_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    if std::os::unix::fs::chown(folder.path(), Some(12_345), None).is_err() {
        return; // Only root can give a folder away.
    }
    let options = SandboxOptions { cache: Some(folder.path().to_owned()), ..SandboxOptions::default() };
    let error = Sandbox::new(options).err().unwrap().to_string();
    assert!(error.contains("belongs to user 12345"), "{error}");
}

#[tokio::test]
async fn a_plugin_runs_also_when_its_code_cannot_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let options = SandboxOptions { cache: Some(cache.clone()), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options).unwrap();
    // What a full disk does to a file, a missing folder does too.
    std::fs::remove_dir(&cache).unwrap();
    let counter = sandbox.plugin(&admit(&sandbox, &written("counter")), crate::support::options());
    call(&counter, "/").await.unwrap().unwrap();
    assert!(!cache.exists());
}

#[tokio::test]
async fn code_that_does_not_load_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = SandboxOptions { cache: Some(folder.path().to_owned()), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options).unwrap();
    if sandbox.pool_use().is_none() {
        return; // Without a pool there are no slots to be too large for.
    }
    let grants = Grants::default();
    let many = written("many-memories");
    sandbox.admit(&many, &crate::support::contract(), &Granting::These(&grants)).unwrap_err();
    assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn code_that_nobody_needs_is_forgotten_and_what_runs_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let options = SandboxOptions { cache: Some(cache.clone()), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options).unwrap();
    let plugin = |name| sandbox.plugin(&admit(&sandbox, &written(name)), crate::support::options());
    let (counter, _nap) = (plugin("counter"), plugin("nap"));
    std::fs::write(cache.join("notes.cwasm"), "not the cache's").unwrap();
    let of = |name| Digest::of(&written(name));
    let names = || -> Vec<String> {
        files(&cache).iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };

    sandbox.forget(|digest| [of("counter"), of("nap")].contains(digest));
    assert_eq!(names().len(), 3);
    sandbox.forget(|digest| *digest == of("nap"));
    assert_eq!(names().len(), 2, "{:?}", names());
    assert!(names().iter().any(|name| name.starts_with(&of("nap").hex())), "{:?}", names());
    call(&counter, "/").await.unwrap().unwrap();
    plugin("counter");
    assert_eq!(names().len(), 3, "it is compiled again");

    std::fs::remove_dir_all(&cache).unwrap();
    sandbox.forget(|_| false);
}
