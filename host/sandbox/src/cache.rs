//! Compiled components on disk. A file's name holds the digest of the component, the engine it was compiled for and
//! the digest of its own content, so that a damaged or foreign file is never mapped.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;
use crate::engine;

const SUFFIX: &str = ".cwasm";

/// A folder of compiled components, private to the host's user.
#[derive(Debug, Clone)]
pub(crate) struct CompileCache {
    folder: PathBuf,
    /// Of the engine that loads the files.
    fingerprint: u64,
}

/// What the cache has of a component.
pub(crate) enum Taken {
    Component(Component),
    /// There was a file that cannot be used; it is gone.
    Unusable,
    Nothing,
}

impl CompileCache {
    /// Opens the folder, made with mode 0700 when it is not there. One that others may read is closed to them; where
    /// others could write, what lies in it may be theirs and is thrown away.
    ///
    /// # Errors
    /// It cannot be made, or belongs to another user.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> io::Result<Self> {
        let mut folders = std::fs::DirBuilder::new();
        folders.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
        folders.create(folder)?;
        #[cfg(unix)]
        make_private(folder)?;
        Ok(Self { folder: folder.to_owned(), fingerprint: engine::fingerprint(engine) })
    }

    /// The component, when its code is there and sound. A file that cannot be used is removed.
    pub(crate) fn take(&self, engine: &Engine, digest: &Digest) -> Taken {
        let prefix = self.prefix(digest);
        let Some(path) = self.find(&prefix) else { return Taken::Nothing };
        match map_checked(engine, &path, &prefix) {
            Ok(component) => Taken::Component(component),
            Err(reason) => {
                tracing::warn!(file = %path.display(), reason, "compiled component is unusable: compiling again");
                let _ = std::fs::remove_file(&path);
                Taken::Unusable
            }
        }
    }

    /// Keeps the code of a component, and loads it. Code that does not load is not kept.
    ///
    /// # Errors
    /// The engine refuses the code.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, code: &[u8]) -> wasmtime::Result<Component> {
        let prefix = self.prefix(digest);
        let path = self.folder.join(format!("{prefix}{}{SUFFIX}", Digest::of(code).hex()));
        if let Err(error) = write_whole(&self.folder, &path, code) {
            // A full disk costs the next start some time, not this one its plugin.
            tracing::warn!(file = %path.display(), %error, "compiled component could not be kept");
            return from_bytes(engine, code);
        }
        load(engine, Code::File(&path)).or_else(|error| {
            let _ = std::fs::remove_file(&path);
            let component = from_bytes(engine, code)?;
            tracing::warn!(file = %path.display(), %error, "compiled component could not be mapped");
            Ok(component)
        })
    }

    /// Removes the code of every component that `keep` says no to, also what other engines made of it. What is mapped
    /// goes on running. A file whose name is not the cache's is left alone.
    pub(crate) fn retain(&self, keep: impl Fn(&Digest) -> bool) {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "the compile cache cannot be read");
                return;
            }
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let ours = name.strip_suffix(SUFFIX).and_then(|name| name.split_once('-'));
            let Some(digest) = ours.and_then(|(digits, _)| Digest::from_hex(digits)) else { continue };
            if keep(&digest) {
                continue;
            }
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(file = %path.display(), %error, "compiled code that nobody needs could not be removed");
            }
        }
    }

    fn prefix(&self, digest: &Digest) -> String {
        format!("{}-{:016x}-", digest.hex(), self.fingerprint)
    }

    fn find(&self, prefix: &str) -> Option<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).ok()?;
        entries.flatten().map(|entry| entry.path()).find(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(prefix) && name.ends_with(SUFFIX)
        })
    }
}

/// Loads code that was compiled a moment ago, without a file.
///
/// # Errors
/// The engine refuses it.
pub(crate) fn from_bytes(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    load(engine, Code::Bytes(code))
}

/// Maps a compiled component that is the host's own and whose content matches the digest in its name.
fn map_checked(engine: &Engine, path: &Path, prefix: &str) -> Result<Component, String> {
    let content = open_own(path).and_then(Digest::of_stream).map_err(|error| error.to_string())?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let recorded = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX)).unwrap_or_default();
    if recorded != content.hex() {
        return Err("its content is not what was written".into());
    }
    load(engine, Code::File(path)).map_err(|error| format!("{error:#}"))
}

/// Compiled code, by where it is.
#[derive(Clone, Copy)]
enum Code<'a> {
    File(&'a Path),
    Bytes(&'a [u8]),
}

fn load(engine: &Engine, code: Code<'_>) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are what this host's own compiler answered a moment ago. The file is one that this host's user
    // wrote, whole, in a folder where nobody else can write; files there are never changed, and this one has just been
    // written, or checked against the digest under which it was. The engine refuses code of another version or
    // configuration.
    #[expect(unsafe_code, reason = "loading compiled code is the one unsafe act of this project")]
    unsafe {
        match code {
            Code::File(path) => Component::deserialize_file(engine, path),
            Code::Bytes(bytes) => Component::deserialize(engine, bytes),
        }
    }
}

fn write_whole(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Opens a file that belongs to the host's user and that nobody else may write.
fn open_own(path: &Path) -> io::Result<File> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata()?;
        if metadata.uid() != own_id() || metadata.mode() & OTHERS_WRITE != 0 {
            return Err(io::Error::other("another user owns it or may write it"));
        }
    }
    Ok(file)
}

/// The mode's bits that let group and others write.
#[cfg(unix)]
const OTHERS_WRITE: u32 = 0o022;

#[cfg(unix)]
fn own_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let metadata = folder.metadata()?;
    let owner = metadata.uid();
    if owner != own_id() {
        let reason = format!(
            "it belongs to user {owner}, and the host runs as user {}: remove it, or give it to the host's user",
            own_id()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        tracing::warn!(folder = %folder.display(), "others could write to the compile cache: it is emptied");
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "cwasm") {
                std::fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}
