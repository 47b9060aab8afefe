//! Why a plugin's rows were not read or changed.

use std::fmt;

use super::{BUCKET_BYTES, KEY_BYTES};
use crate::error::StoreError;

/// Why something of a plugin's rows could not be done. A method that is refused has changed nothing, also where the job goes
/// on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// The plugin would keep more than its quota allows.
    #[error(
        "the plugin would keep {wanted} {limit}, its quota allows {allowed}; delete keys or raise the quota"
    )]
    Quota {
        /// What there would be too much of.
        limit: QuotaLimit,
        /// How much the quota allows.
        allowed: u64,
        /// How much the plugin would keep.
        wanted: u64,
    },
    /// No row can have this key or bucket.
    #[error("{reason}")]
    Key {
        /// What is wrong with it.
        reason: KeyProblem,
    },
    /// The values that were asked for at once are too long together.
    #[error("the values are longer than {allowed} bytes together; ask for fewer keys at once")]
    TooMuchAtOnce {
        /// How many bytes the caller has room for.
        allowed: u64,
    },
    /// The value to increment is not the decimal text of an unsigned number of 64 bits.
    #[error("the value is not a number between 0 and {}, in decimal digits; set it to one", u64::MAX)]
    NotANumber,
    /// The incremented value would not fit 64 bits.
    #[error("the number would be greater than {}; set it to a smaller one", u64::MAX)]
    Overflow,
    /// The store has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The two sides of a [`Quota`](super::Quota).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaLimit {
    /// How many keys.
    Keys,
    /// How many bytes.
    Bytes,
}

/// What is wrong with a key or its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The key is empty.
    #[error("the key is empty; give it a name")]
    Empty,
    /// The key is too long.
    #[error("the key has {bytes} bytes; at most {KEY_BYTES} are possible")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The bucket's name is too long.
    #[error("the bucket's name has {bytes} bytes; at most {BUCKET_BYTES} are possible")]
    BucketTooLong {
        /// How long it is.
        bytes: usize,
    },
}

impl KeyValueError {
    /// A stable name for the kind of error; that of the [`StoreError`] where one is inside.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Quota { .. } => "quota",
            Self::Key { .. } => "key",
            Self::TooMuchAtOnce { .. } => "too-much-at-once",
            Self::NotANumber => "not-a-number",
            Self::Overflow => "overflow",
            Self::Store(error) => error.code(),
        }
    }
}

impl From<KeyProblem> for KeyValueError {
    fn from(reason: KeyProblem) -> Self {
        Self::Key { reason }
    }
}

impl fmt::Display for QuotaLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Keys => "keys",
            Self::Bytes => "bytes",
        })
    }
}
