//! Rows of the plugins' own, in the host's store.

use hookbox_sandbox::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota, Limit, async_trait};
use hookbox_store::{KeyValueError, Quota, QuotaLimit, Reads, Store, Writes};

use super::complaints::Complaints;
use super::turns::Shares;

/// Reads of one plugin in the store's queue.
const READS: u32 = 4;
/// Shares of one plugin in the store's queue of writes. A small write is one, so that many share a commit; the largest
/// takes them all.
const WRITE_SHARES: u32 = 64;
/// What takes a further share of a write: so many bytes,
const SHARE_BYTES: usize = 64 << 10;
/// or so many keys.
const SHARE_KEYS: usize = 16;

/// Rows of the plugins' own, in a store.
pub(super) struct PluginRows {
    store: Store,
    reads: Shares,
    writes: Shares,
    complaints: Complaints,
}

impl PluginRows {
    pub(super) fn new(store: Store) -> Self {
        let (reads, writes) = (Shares::new(READS), Shares::new(WRITE_SHARES));
        Self { store, reads, writes, complaints: Complaints::default() }
    }

    async fn read<T: Send + 'static>(
        &self,
        bucket: &KeyValueBucket,
        job: impl FnOnce(&Reads<'_>) -> Result<T, KeyValueError> + Send + 'static,
    ) -> Result<T, KeyValueFault> {
        let _share = self.reads.of(&bucket.plugin, 1).await;
        self.store.read(job).await.map_err(|error| self.fault(bucket, error))
    }

    async fn write<T: Send + 'static>(
        &self,
        bucket: &KeyValueBucket,
        keys: usize,
        bytes: usize,
        job: impl FnOnce(&Writes<'_>) -> Result<T, KeyValueError> + Send + 'static,
    ) -> Result<T, KeyValueFault> {
        let _share = self.writes.of(&bucket.plugin, shares(keys, bytes)).await;
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
                self.complaints.tell(&bucket.plugin, &error, "a plugin's rows cannot be reached");
                KeyValueFault::Unavailable
            }
        }
    }
}

/// What a write takes of its plugin's shares.
fn shares(keys: usize, bytes: usize) -> u32 {
    let shares = 1 + keys / SHARE_KEYS + bytes / SHARE_BYTES;
    u32::try_from(shares).unwrap_or(WRITE_SHARES).min(WRITE_SHARES)
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
