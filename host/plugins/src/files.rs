//! Components in the data folder, each under the digest of its content.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hookbox_sandbox::Digest;

use crate::load::read;

/// How the name of a kept component ends, after 64 hexadecimal digits.
const SUFFIX: &str = ".wasm";
/// How the name of a file begins and ends while it is written.
const UNFINISHED: (&str, &str) = (".keep-", ".tmp");

/// The folder of kept components, `releases/` in the data folder, for the host's user alone.
#[derive(Debug, Clone)]
pub(crate) struct ReleaseFiles {
    folder: PathBuf,
}

/// A kept component cannot be given back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// There is no such file.
    #[error("its file {0} is gone: install the component again")]
    Gone(PathBuf),
    /// The file is not what was kept.
    #[error("its file {0} is damaged: install the component again")]
    Damaged(PathBuf),
    /// It cannot be read.
    #[error("its file {0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
}

impl ReleaseFiles {
    /// Makes the folder where it is not there, with mode 0700, and throws away what a crash left half written. Blocks.
    ///
    /// # Errors
    /// The folder cannot be made or read; the error names it.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let files = Self::at(data);
        files.prepare().map_err(|error| placed(&files.folder, &error))?;
        Ok(files)
    }

    /// The folder as it is, for whoever only reads.
    pub(crate) fn at(data: &Path) -> Self {
        Self { folder: data.join("releases") }
    }

    fn prepare(&self) -> io::Result<()> {
        let mut folders = fs::DirBuilder::new();
        folders.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
        folders.create(&self.folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if self.folder.metadata()?.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
            }
        }
        self.remove(|name| name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1))
    }

    /// Keeps a component under its digest (`sha256:…`); on the disk, whole, when this returns. One that is there already
    /// and sound is left alone. Blocks.
    ///
    /// # Errors
    /// The file cannot be written; the error names it.
    pub(crate) fn keep(&self, digest: &str, bytes: &[u8]) -> io::Result<()> {
        if self.take(digest).is_ok() {
            return Ok(());
        }
        let path = self.path(digest);
        self.write_whole(&path, bytes).map_err(|error| placed(&path, &error))
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (prefix, suffix) = UNFINISHED;
        let mut file = tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        // The new name is on the disk only when the folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// Gives a kept component back, when it is what was kept. Blocks.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn take(&self, digest: &str) -> Result<Vec<u8>, FileError> {
        let path = self.path(digest);
        match read(&path) {
            Ok(bytes) if Digest::of(&bytes).to_string() == digest => Ok(bytes),
            Ok(_) => Err(FileError::Damaged(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileError::Gone(path)),
            Err(error) => Err(FileError::Unreadable(path, error)),
        }
    }

    /// Removes every component whose digest (`sha256:…`) is not needed. A file that is no kept component is left
    /// alone; one that cannot be removed is logged, and tried again the next time. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read; the error names it.
    pub(crate) fn retain(&self, needed: impl Fn(&str) -> bool) -> io::Result<()> {
        let superfluous = |name: &str| {
            let digest = name.strip_suffix(SUFFIX).filter(|digest| is_hex(digest));
            digest.is_some_and(|digest| !needed(&format!("sha256:{digest}")))
        };
        self.remove(superfluous).map_err(|error| placed(&self.folder, &error))
    }

    /// Removes the files with such names.
    fn remove(&self, which: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(&which) {
                continue;
            }
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(file = %entry.path().display(), %error, "a file that nobody needs could not be removed");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where a component is. Whatever the text, it is a file of the folder.
    fn path(&self, digest: &str) -> PathBuf {
        let digits = digest.strip_prefix("sha256:").filter(|digits| is_hex(digits));
        self.folder.join(format!("{}{SUFFIX}", digits.unwrap_or("no-digest")))
    }
}

fn is_hex(digits: &str) -> bool {
    digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The same error with the place.
fn placed(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
