//! Rows of the plugins' own, in the host's store.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookbox_sandbox::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota, Limit, async_trait};
use hookbox_store::{KeyValueError, Quota, QuotaLimit, Store};

/// A store that does not answer is told about once in this time: a guest can ask a thousand times a call.
const QUIET: Duration = Duration::from_secs(1);

/// Rows of the plugins' own, in a store.
pub(super) struct PluginRows {
    store: Store,
    told: Mutex<Told>,
}

/// What the log was told about a store that does not answer.
#[derive(Default)]
struct Told {
    last: Option<Instant>,
    /// Faults since then.
    untold: u64,
}

impl PluginRows {
    pub(super) fn new(store: Store) -> Self {
        Self { store, told: Mutex::default() }
    }

    /// The fault behind an error. What is wrong with the store is for the host's log alone.
    fn fault(&self, bucket: &KeyValueBucket, error: KeyValueError) -> KeyValueFault {
        match error {
            KeyValueError::Quota { limit, wanted, .. } => {
                let limit = match limit {
                    QuotaLimit::Keys => Limit::KeyValueKeys,
                    QuotaLimit::Bytes => Limit::KeyValueBytes,
                };
                KeyValueFault::Quota { limit, wanted }
            }
            KeyValueError::TooMuchAtOnce { .. } => KeyValueFault::TooMuch,
            refused @ (KeyValueError::Key { .. } | KeyValueError::NotANumber | KeyValueError::Overflow) => {
                KeyValueFault::Refused(refused.to_string())
            }
            KeyValueError::Store(error) => {
                if let Some(untold) = self.told.lock().unwrap_or_else(PoisonError::into_inner).now() {
                    let code = error.code();
                    tracing::error!(plugin = &*bucket.plugin, code, %error, untold, "a plugin's rows cannot be reached");
                }
                KeyValueFault::Unavailable
            }
        }
    }
}

impl Told {
    /// How many faults went untold before this one, when this one is to be told.
    fn now(&mut self) -> Option<u64> {
        if self.last.is_some_and(|last| last.elapsed() < QUIET) {
            self.untold += 1;
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.untold))
    }
}

fn quota(quota: KeyValueQuota) -> Quota {
    Quota { keys: quota.keys, bytes: quota.bytes }
}

// Each is one short job: the sandbox bounds how many keys and bytes it has.
#[async_trait]
impl KeyValue for PluginRows {
    async fn get(
        &self,
        bucket: &KeyValueBucket,
        keys: Vec<String>,
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueFault> {
        let at = bucket.clone();
        let values =
            self.store.read(move |reads| reads.key_value_get_many(&at.plugin, &at.name, &keys, max_bytes));
        values.await.map_err(|error| self.fault(bucket, error))
    }

    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault> {
        let at = bucket.clone();
        let exists = self.store.read(move |reads| reads.key_value_exists(&at.plugin, &at.name, &key));
        exists.await.map_err(|error| self.fault(bucket, error))
    }

    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault> {
        let at = bucket.clone();
        let keys = self.store.read(move |reads| reads.key_value_keys(&at.plugin, &at.name, offset, limit));
        keys.await.map_err(|error| self.fault(bucket, error))
    }

    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        allowed: KeyValueQuota,
    ) -> Result<(), KeyValueFault> {
        let (at, quota) = (bucket.clone(), quota(allowed));
        let done = self
            .store
            .write(move |writes| writes.key_value_set_many(&at.plugin, &at.name, &values, &quota).map(drop));
        done.await.map_err(|error| self.fault(bucket, error))
    }

    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault> {
        let at = bucket.clone();
        let done = self
            .store
            .write(move |writes| writes.key_value_delete_many(&at.plugin, &at.name, &keys).map(drop));
        done.await.map_err(|error| self.fault(bucket, error))
    }

    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        allowed: KeyValueQuota,
    ) -> Result<u64, KeyValueFault> {
        let (at, quota) = (bucket.clone(), quota(allowed));
        let sum = self
            .store
            .write(move |writes| writes.key_value_increment(&at.plugin, &at.name, &key, delta, &quota));
        sum.await.map_err(|error| self.fault(bucket, error))
    }
}

#[cfg(test)]
mod tests;
