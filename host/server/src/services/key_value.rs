//! Rows of the plugins' own, in the host's store.

mod turns;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookbox_sandbox::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota, Limit, async_trait};
use hookbox_store::{KeyValueError, Quota, QuotaLimit, Reads, Store, Writes};

use self::turns::Turns;

/// A store that does not answer is told about once in this time: a guest can ask a thousand times a call.
const QUIET: Duration = Duration::from_secs(1);

/// Rows of the plugins' own, in a store.
pub(super) struct PluginRows {
    store: Store,
    turns: Turns,
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
        Self { store, turns: Turns::default(), told: Mutex::default() }
    }

    async fn read<T: Send + 'static>(
        &self,
        bucket: &KeyValueBucket,
        job: impl FnOnce(&Reads<'_>) -> Result<T, KeyValueError> + Send + 'static,
    ) -> Result<T, KeyValueFault> {
        let _turn = self.turns.read(&bucket.plugin).await.map_err(|_| KeyValueFault::Unavailable)?;
        self.store.read(job).await.map_err(|error| self.fault(bucket, error))
    }

    async fn write<T: Send + 'static>(
        &self,
        bucket: &KeyValueBucket,
        keys: usize,
        bytes: usize,
        job: impl FnOnce(&Writes<'_>) -> Result<T, KeyValueError> + Send + 'static,
    ) -> Result<T, KeyValueFault> {
        let turn = self.turns.write(&bucket.plugin, keys, bytes).await;
        let _turn = turn.map_err(|_| KeyValueFault::Unavailable)?;
        self.store.write(job).await.map_err(|error| self.fault(bucket, error))
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
        self.read(bucket, move |reads| reads.key_value_get_many(&at.plugin, &at.name, &keys, max_bytes)).await
    }

    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault> {
        let at = bucket.clone();
        self.read(bucket, move |reads| reads.key_value_exists(&at.plugin, &at.name, &key)).await
    }

    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault> {
        let at = bucket.clone();
        self.read(bucket, move |reads| reads.key_value_keys(&at.plugin, &at.name, offset, limit)).await
    }

    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        allowed: KeyValueQuota,
    ) -> Result<(), KeyValueFault> {
        let bytes = values.iter().map(|(key, value)| key.len() + value.len()).sum();
        let (at, quota) = (bucket.clone(), quota(allowed));
        self.write(bucket, values.len(), bytes, move |writes| {
            writes.key_value_set_many(&at.plugin, &at.name, &values, &quota).map(drop)
        })
        .await
    }

    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault> {
        let at = bucket.clone();
        self.write(bucket, keys.len(), 0, move |writes| {
            writes.key_value_delete_many(&at.plugin, &at.name, &keys).map(drop)
        })
        .await
    }

    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        allowed: KeyValueQuota,
    ) -> Result<u64, KeyValueFault> {
        let (at, quota) = (bucket.clone(), quota(allowed));
        self.write(bucket, 1, key.len(), move |writes| {
            writes.key_value_increment(&at.plugin, &at.name, &key, delta, &quota)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
