//! Checks of the table's plain names.

use super::error::AuthError;

/// The name, when it is one that a cookie or an authentication scheme may have (RFC 9110, token).
pub(super) fn plain(key: &'static str, name: &str) -> Result<String, AuthError> {
    let sound = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if sound { Ok(name.to_owned()) } else { Err(AuthError::Name { key, value: name.to_owned() }) }
}

/// The list, when no text in it is empty.
pub(super) fn filled(key: &'static str, texts: &[String]) -> Result<Vec<String>, AuthError> {
    if texts.iter().any(String::is_empty) { Err(AuthError::Empty { key }) } else { Ok(texts.to_vec()) }
}
