//! Compiled components on disk. A file's name holds the digest of the component, the engine it was compiled for and
//! the digest of its own content, so that a damaged or foreign file is never mapped.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;

const SUFFIX: &str = ".cwasm";

/// A folder of compiled components, private to the host's user.
#[derive(Debug, Clone)]
pub(crate) struct CompileCache {
    folder: PathBuf,
}

/// How a component was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Cached,
    Compiled,
    Rebuilt,
}

impl Origin {
    fn metric(self) -> &'static str {
        match self {
            Self::Cached => "hit",
            Self::Compiled => "miss",
            Self::Rebuilt => "damaged",
        }
    }
}

impl CompileCache {
    /// Opens the folder, made with mode 0700 when it is not there.
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The component from the cache, or compiled and put there. A file that cannot be used is removed and rebuilt.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest, bytes: &[u8]) -> wasmtime::Result<Component> {
        let prefix = format!("{}-{:016x}-", digest.hex(), engine_hash(engine));
        let (component, origin) = match self.find(&prefix) {
            Some(path) => match map(engine, &path, &prefix) {
                Ok(component) => (component, Origin::Cached),
                Err(reason) => {
                    tracing::warn!(file = %path.display(), reason, "compiled component is unusable: compiling again");
                    let _ = std::fs::remove_file(&path);
                    (self.compile(engine, &prefix, bytes)?, Origin::Rebuilt)
                }
            },
            None => (self.compile(engine, &prefix, bytes)?, Origin::Compiled),
        };
        metrics::counter!("hookbox_compile_cache_total", "result" => origin.metric()).increment(1);
        Ok(component)
    }

    fn find(&self, prefix: &str) -> Option<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).ok()?;
        entries.flatten().map(|entry| entry.path()).find(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(prefix) && name.ends_with(SUFFIX)
        })
    }

    fn compile(&self, engine: &Engine, prefix: &str, bytes: &[u8]) -> wasmtime::Result<Component> {
        let compiled = engine.precompile_component(bytes)?;
        let name = format!("{prefix}{}{SUFFIX}", Digest::of(&compiled).hex());
        let path = self.folder.join(name);
        if let Err(error) = write_whole(&self.folder, &path, &compiled) {
            // A full disk costs the next start some time, not this one its plugin.
            tracing::warn!(file = %path.display(), %error, "compiled component could not be kept");
            return Component::new(engine, bytes);
        }
        map(engine, &path, prefix).map_err(|reason| wasmtime::format_err!("{}: {reason}", path.display()))
    }
}

/// Maps a compiled component whose content matches the digest in its name.
fn map(engine: &Engine, path: &Path, prefix: &str) -> Result<Component, String> {
    let content = std::fs::read(path).map_err(|error| error.to_string())?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let recorded = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX)).unwrap_or_default();
    if recorded != Digest::of(&content).hex() {
        return Err("its content is not what was written".into());
    }
    // SAFETY: the folder belongs to the host's user alone, files in it are written whole by `compile` and never
    // changed, and this one's content has just been checked against the digest it was written under. The engine
    // refuses code of another version or configuration.
    #[expect(unsafe_code, reason = "mapping compiled code is the one unsafe act of this project")]
    unsafe { Component::deserialize_file(engine, path) }.map_err(|error| format!("{error:#}"))
}

fn write_whole(folder: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Equal for engines that can run each other's code.
fn engine_hash(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}
