use super::*;
use std::collections::BTreeSet;

const COMPONENT: &[u8] = b"the bytes of a component";

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

fn names(files: &ReleaseFiles) -> BTreeSet<String> {
    let entries = fs::read_dir(&files.folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_was_kept_comes_back_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    files.keep(&digest(COMPONENT), COMPONENT).unwrap();
    files.keep(&digest(b""), b"").unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    assert_eq!(files.take(&digest(COMPONENT)).unwrap(), COMPONENT);
    assert_eq!(files.take(&digest(b"")).unwrap(), b"");
    assert_eq!(names(&files).len(), 2);
}

#[cfg(unix)]
#[test]
fn the_folder_is_for_the_host_alone() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("releases");
    let mode = || folder.metadata().unwrap().permissions().mode() & 0o777;
    ReleaseFiles::open(data.path()).unwrap();
    assert_eq!(mode(), 0o700);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    ReleaseFiles::open(data.path()).unwrap();
    assert_eq!(mode(), 0o700);
}

#[cfg(unix)]
#[test]
fn a_sound_file_is_left_alone_and_a_damaged_one_replaced() {
    use std::os::unix::fs::MetadataExt;
    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    let digest = digest(COMPONENT);
    files.keep(&digest, COMPONENT).unwrap();
    let path = files.path(&digest);
    let inode = || path.metadata().unwrap().ino();
    let first = inode();
    files.keep(&digest, COMPONENT).unwrap();
    assert_eq!(inode(), first);

    for damaged in [&COMPONENT[..5], b"", &[COMPONENT, b"!"].concat()] {
        fs::write(&path, damaged).unwrap();
        let error = files.take(&digest).unwrap_err();
        assert!(matches!(&error, FileError::Damaged(at) if *at == path), "{error}");
        files.keep(&digest, COMPONENT).unwrap();
        assert_eq!(files.take(&digest).unwrap(), COMPONENT);
    }
}

#[test]
fn a_file_that_is_gone_or_unreadable_is_named() {
    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    let digest = digest(COMPONENT);
    let error = files.take(&digest).unwrap_err();
    assert!(matches!(error, FileError::Gone(_)), "{error}");
    assert!(error.to_string().contains(digest.trim_start_matches("sha256:")), "{error}");
    fs::create_dir(files.path(&digest)).unwrap();
    let error = files.take(&digest).unwrap_err();
    assert!(matches!(error, FileError::Unreadable(..)), "{error}");
    let error = files.keep(&digest, COMPONENT).unwrap_err();
    assert!(error.to_string().contains(&files.path(&digest).display().to_string()), "{error}");
    assert_eq!(names(&files).len(), 1, "nothing half written stays");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("releases"), "a file").unwrap();
    let error = ReleaseFiles::open(data.path()).unwrap_err();
    assert!(error.to_string().contains("releases"), "{error}");

    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    fs::remove_dir(&files.folder).unwrap();
    fs::write(&files.folder, "a file").unwrap();
    let error = files.keep(&digest(COMPONENT), COMPONENT).unwrap_err();
    assert!(error.to_string().contains("releases"), "{error}");
    let error = files.retain(|_| false).unwrap_err();
    assert!(error.to_string().contains("releases"), "{error}");
}

#[test]
fn what_a_crash_left_half_written_goes_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    files.keep(&digest(COMPONENT), COMPONENT).unwrap();
    fs::write(files.folder.join(".keep-abc123.tmp"), "half").unwrap();
    fs::write(files.folder.join("notes.tmp"), "not ours").unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    let kept = files.path(&digest(COMPONENT)).file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(names(&files), BTreeSet::from([kept, "notes.tmp".to_owned()]));
}

#[test]
fn only_components_that_nobody_needs_are_removed() {
    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    for bytes in [b"a", b"b", b"c"] {
        files.keep(&digest(bytes), bytes).unwrap();
    }
    let digits = digest(b"b").trim_start_matches("sha256:").to_owned();
    let strangers =
        ["notes.wasm".to_owned(), format!("{digits}.wasm.bak"), format!("{}.wasm", digits.to_uppercase())];
    for name in &strangers {
        fs::write(files.folder.join(name), "not ours").unwrap();
    }
    // One that cannot be removed as a file keeps no other.
    fs::create_dir(files.folder.join(format!("{}.wasm", "0".repeat(64)))).unwrap();
    files.retain(|needed| needed == digest(b"a")).unwrap();
    files.take(&digest(b"a")).unwrap();
    for bytes in [b"b", b"c"] {
        assert!(matches!(files.take(&digest(bytes)), Err(FileError::Gone(_))));
    }
    for name in &strangers {
        assert!(files.folder.join(name).exists(), "{name}");
    }
}

#[test]
fn a_text_that_is_no_digest_leads_nowhere() {
    let data = tempfile::tempdir().unwrap();
    let files = ReleaseFiles::open(data.path()).unwrap();
    for text in ["", "sha256:", "../../etc/passwd", "sha256:../hookbox.db", "sha256:é"] {
        assert_eq!(files.path(text).parent(), Some(&*files.folder), "{text}");
        assert!(matches!(files.take(text), Err(FileError::Gone(_))), "{text}");
    }
}
