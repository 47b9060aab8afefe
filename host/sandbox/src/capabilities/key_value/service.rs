//! Where plugins keep rows: what the sandbox asks of whoever keeps them.

use std::sync::Arc;

use crate::limits::{Limit, Limits};

/// Where plugins keep rows, each a key and bytes in a bucket. What was written is durable when the answer comes.
///
/// A future that is dropped may leave a change that had begun; one that had not must not be made any more.
#[wasmtime_wasi::async_trait]
pub trait KeyValue: Send + Sync {
    /// The values of keys, in the order of the keys; a key that is named again is answered again. `max_bytes` is what
    /// all values may have together.
    ///
    /// # Errors
    /// [`KeyValueFault::TooMuch`], [`KeyValueFault::Refused`], [`KeyValueFault::Unavailable`].
    async fn get(
        &self,
        bucket: &KeyValueBucket,
        keys: Vec<String>,
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueFault>;

    /// Whether there is a value of this key.
    ///
    /// # Errors
    /// [`KeyValueFault::Refused`], [`KeyValueFault::Unavailable`].
    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault>;

    /// At most `limit` of a bucket's keys after the first `offset`, in the order of their bytes.
    ///
    /// # Errors
    /// [`KeyValueFault::Refused`], [`KeyValueFault::Unavailable`].
    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault>;

    /// Gives all these keys their values, or none. Of a key that is named again, the last value stays.
    ///
    /// # Errors
    /// [`KeyValueFault::Quota`], [`KeyValueFault::Refused`], [`KeyValueFault::Unavailable`].
    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        quota: KeyValueQuota,
    ) -> Result<(), KeyValueFault>;

    /// Deletes all these keys, those that are there.
    ///
    /// # Errors
    /// [`KeyValueFault::Refused`], [`KeyValueFault::Unavailable`].
    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault>;

    /// Adds to the number that a key's value spells in decimal, 0 where there is none, in one step; the sum.
    ///
    /// # Errors
    /// [`KeyValueFault::Quota`], [`KeyValueFault::Refused`], [`KeyValueFault::Unavailable`].
    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        quota: KeyValueQuota,
    ) -> Result<u64, KeyValueFault>;
}

/// A set of one plugin's rows. The plugin is the host's to say, only the name is the guest's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValueBucket {
    /// Whose rows.
    pub plugin: Arc<str>,
    /// The bucket's name, at most 255 bytes; empty for the plugin's usual one.
    pub name: Arc<str>,
}

/// How much a plugin may keep, over all its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyValueQuota {
    /// [`Limits::key_value_keys`].
    pub keys: u64,
    /// [`Limits::key_value_bytes`].
    pub bytes: u64,
}

impl KeyValueQuota {
    /// The quota of a plugin with these limits.
    pub(super) fn of(limits: &Limits) -> Self {
        Self { keys: limits.key_value_keys, bytes: limits.key_value_bytes }
    }
}

/// Why rows were not read or changed. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyValueFault {
    /// The plugin would keep too much.
    #[error("the {} quota does not allow {wanted}", .limit.name())]
    Quota {
        /// [`Limit::KeyValueKeys`] or [`Limit::KeyValueBytes`].
        limit: Limit,
        /// How much the plugin would keep.
        wanted: u64,
    },
    /// The values that were asked for are longer than the guest may get at once.
    #[error("the values are too long together")]
    TooMuch,
    /// What is asked cannot be; the guest is told why.
    #[error("{0}")]
    Refused(
        /// What is wrong, and what to do.
        String,
    ),
    /// The rows cannot be reached now. The reason is the host's own: whoever keeps the rows has logged it.
    #[error("the rows cannot be reached")]
    Unavailable,
}
