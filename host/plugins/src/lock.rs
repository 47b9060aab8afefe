//! Who may change the plugins in a data folder: one process at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file in the data folder that is locked. It stays there, and is empty.
const FILE: &str = "hookbox.lock";

/// Says that this process alone changes the plugins in a data folder. The system takes it back when the value is
/// dropped, and when the process ends in whatever way.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// The data folder is not this process's to change.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "another hookbox works on the data folder {0}: stop it, or give this one a folder of its own with --data or server.data"
    )]
    Held(PathBuf),
    /// The file cannot be made or locked.
    #[error("the data folder cannot be locked, {path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl LockError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held(_) => "data-folder-in-use",
            Self::Io { .. } => "data-folder-lock",
        }
    }
}

impl DataLock {
    /// Takes the lock of a data folder that is there, or says at once that another has it. The lock is advisory: it
    /// keeps out those who ask for it.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(data: &Path) -> Result<Self, LockError> {
        let path = data.join(FILE);
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(reason) => return Err(LockError::Io { path, reason }),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(data.to_owned())),
            Err(TryLockError::Error(reason)) => Err(LockError::Io { path, reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_a_data_folder() {
        let data = tempfile::tempdir().unwrap();
        let first = DataLock::take(data.path()).unwrap();
        let error = DataLock::take(data.path()).unwrap_err();
        assert_eq!(error.code(), "data-folder-in-use");
        let told = error.to_string();
        assert!(told.contains(&data.path().display().to_string()) && told.contains("--data"), "{told}");
        drop(first);
        DataLock::take(data.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_locked_is_named() {
        let data = tempfile::tempdir().unwrap();
        let error = DataLock::take(&data.path().join("nowhere")).unwrap_err();
        assert_eq!(error.code(), "data-folder-lock");
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
