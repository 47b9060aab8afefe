use std::fmt;
use std::str::FromStr;

use crate::{InvalidKey, Problem};

/// The version of a course's or library's structure that a key points at: a MongoDB object id, twelve bytes.
///
/// Read from 24 hexadecimal digits of either case, printed in lower case (`bson.objectid.ObjectId`, which
/// `Locator.as_object_id` makes of a key's `version@` part).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionGuid([u8; 12]);

impl VersionGuid {
    /// The id's twelve bytes, in the order in which they are printed.
    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        let mut bytes = [0; 12];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl From<[u8; 12]> for VersionGuid {
    fn from(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl FromStr for VersionGuid {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_hex(text).ok_or_else(|| InvalidKey::new(text, Problem::BadVersion))
    }
}

impl fmt::Display for VersionGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for VersionGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionGuid({self})")
    }
}
