//! The shared secret: from the table, from its file, or made once and kept in the data folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::error::AuthError;
use super::table::AuthTable;

/// The made secret's name in the data folder.
const FILE: &str = "jwt-secret";
/// RFC 7518, 3.2: an HS256 key is at least as long as its hash.
const LEAST_BYTES: usize = 32;

/// Where the secret was found.
pub(super) struct Found {
    pub(super) secret: Option<String>,
    /// Its file, when it was made just now.
    pub(super) made: Option<PathBuf>,
}

/// The configured secret; the data folder's where no key of any kind is configured.
pub(super) fn find(table: &AuthTable, folder: &Path, data: &Path) -> Result<Found, AuthError> {
    let given = |secret| Ok(Found { secret, made: None });
    match (&table.secret, &table.secret_file) {
        (Some(_), Some(_)) => Err(AuthError::SecretTwice),
        (Some(secret), None) => given(Some(checked(secret, "auth.secret".into())?)),
        (None, Some(file)) => {
            let path = folder.join(file);
            let text = fs::read_to_string(&path).map_err(|reason| AuthError::File {
                key: "auth.secret_file",
                path: path.clone(),
                reason,
            })?;
            let place = format!("auth.secret_file {}", path.display());
            given(Some(checked(text.trim_end_matches(['\r', '\n']), place)?))
        }
        (None, None) if table.jwks.is_some() => given(None),
        (None, None) => kept(data),
    }
}

fn checked(secret: &str, place: String) -> Result<String, AuthError> {
    if secret.is_empty() {
        return Err(AuthError::SecretEmpty { place });
    }
    if is_key(secret) {
        return Err(AuthError::SecretIsKey { place });
    }
    if secret.len() < LEAST_BYTES {
        tracing::warn!(%place, "the secret is shorter than 32 bytes, and can be guessed from one token");
    }
    Ok(secret.to_owned())
}

/// PEM, OpenSSH or JWK.
fn is_key(secret: &str) -> bool {
    let jwk = || {
        let document = serde_json::from_str::<Value>(secret).ok();
        document.is_some_and(|document| document.get("kty").is_some() || document.get("keys").is_some())
    };
    let openssh = ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-"].iter().any(|kind| secret.starts_with(kind));
    secret.contains("-----BEGIN ") || openssh || jwk()
}

/// Reads the data folder's secret, or makes it.
fn kept(data: &Path) -> Result<Found, AuthError> {
    let path = data.join(FILE);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return Ok(Found { secret: Some(sound(found, &path)?), made: None }),
    }
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; LEAST_BYTES]>());
    match keep(&secret, data, &path) {
        Ok(()) => {
            tracing::info!(file = %path.display(), "no key is configured: made a secret for tokens");
            Ok(Found { secret: Some(secret), made: Some(path) })
        }
        // Another process was first, and its secret is the one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(Found { secret: Some(sound(fs::read_to_string(&path), &path)?), made: None })
        }
        Err(reason) => Err(AuthError::Make { path, reason }),
    }
}

/// Puts the whole file there at once, with mode 0600, unless there is one.
fn keep(secret: &str, data: &Path, path: &Path) -> io::Result<()> {
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    folders.create(data)?;
    let mut file = tempfile::Builder::new().prefix(".jwt-secret-").tempfile_in(data)?;
    writeln!(file, "{secret}")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// The secret that was read, when it is whole and nobody else's to read.
fn sound(read: io::Result<String>, path: &Path) -> Result<String, AuthError> {
    let text = match read {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(AuthError::Damaged { path: path.to_owned() });
        }
        Err(reason) => {
            return Err(AuthError::File { key: "the secret", path: path.to_owned(), reason });
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let failed = |reason| AuthError::File { key: "the secret", path: path.to_owned(), reason };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(AuthError::Exposed { path: path.to_owned(), mode });
        }
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.len() < LEAST_BYTES {
        Err(AuthError::Damaged { path: path.to_owned() })
    } else {
        Ok(secret.to_owned())
    }
}
