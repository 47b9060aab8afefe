//! Key-value rows of a rehearsal: the real ones below those that the call wrote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::async_trait;

use super::super::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota};
use crate::limits::Limit;

/// Bytes that one call's rows may take, whatever the plugin's quota.
const WRITTEN_BYTES: usize = 4 << 20;
/// What keeping a row takes beside its key and value.
const ROW_BYTES: usize = 64;
/// Keys of the real rows that are put in order with the call's own.
const MERGED_KEYS: usize = 10_000;
/// Keys that are asked for at once.
const PAGE_KEYS: u32 = 1_000;
/// A key of fewer bytes is one that any store takes.
const PLAIN_KEY_BYTES: usize = 255;
/// Bytes of a value that may be a number: no number has as many digits.
const NUMBER_BYTES: u64 = 64;

/// What one call wrote, by bucket and key; `None` where it deleted.
type Written = BTreeMap<Arc<str>, BTreeMap<String, Option<Vec<u8>>>>;

/// Rows that are read from below and written to this call's memory alone.
pub(super) struct RehearsedRows {
    real: Arc<dyn KeyValue>,
    written: Mutex<Written>,
}

impl RehearsedRows {
    pub(super) fn new(real: Arc<dyn KeyValue>) -> Self {
        Self { real, written: Mutex::default() }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the call wrote of this key; `None` where it did not, `Some(None)` where it deleted it.
    fn own(&self, bucket: &KeyValueBucket, key: &str) -> Option<Option<Vec<u8>>> {
        self.written().get(&bucket.name)?.get(key).cloned()
    }

    /// Asks the real rows about keys that they might refuse.
    async fn check(
        &self,
        bucket: &KeyValueBucket,
        keys: impl Iterator<Item = &String> + Send,
    ) -> Result<(), KeyValueFault> {
        for key in keys.filter(|key| key.is_empty() || key.len() > PLAIN_KEY_BYTES) {
            self.real.exists(bucket, key.clone()).await?;
        }
        Ok(())
    }

    /// Keeps all of it or none.
    fn keep(
        &self,
        bucket: &KeyValueBucket,
        values: impl Iterator<Item = (String, Option<Vec<u8>>)>,
        quota: Option<KeyValueQuota>,
    ) -> Result<(), KeyValueFault> {
        let mut written = self.written();
        let mut after = written.get(&bucket.name).cloned().unwrap_or_default();
        after.extend(values);
        let others = written.iter().filter(|(name, _)| **name != bucket.name).map(|(_, rows)| rows);
        let (mut keys, mut bytes, mut kept) = (0, 0, 0);
        for (key, value) in others.chain([&after]).flatten() {
            let value_bytes = value.as_ref().map_or(0, Vec::len);
            keys += u64::from(value.is_some());
            bytes += if value.is_some() { (key.len() + value_bytes) as u64 } else { 0 };
            kept += key.len() + value_bytes + ROW_BYTES;
        }
        if let Some(quota) = quota {
            let wanted =
                [(Limit::KeyValueKeys, keys, quota.keys), (Limit::KeyValueBytes, bytes, quota.bytes)];
            if let Some((limit, wanted, _)) = wanted.into_iter().find(|(_, wanted, most)| wanted > most) {
                return Err(KeyValueFault::Quota { limit, wanted });
            }
        }
        if kept > WRITTEN_BYTES {
            return Err(KeyValueFault::Unavailable);
        }
        written.insert(Arc::clone(&bucket.name), after);
        Ok(())
    }
}

#[async_trait]
impl KeyValue for RehearsedRows {
    async fn get(
        &self,
        bucket: &KeyValueBucket,
        keys: Vec<String>,
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueFault> {
        let mut room = max_bytes;
        let mut values = Vec::with_capacity(keys.len());
        for key in &keys {
            let own = self.own(bucket, key);
            let bytes = own.as_ref().and_then(Option::as_ref).map_or(0, Vec::len) as u64;
            room = room.checked_sub(bytes).ok_or(KeyValueFault::TooMuch)?;
            values.push(own);
        }
        let others = keys.into_iter().zip(&values).filter(|(_, own)| own.is_none()).map(|(key, _)| key);
        let others: Vec<String> = others.collect();
        let mut real = match others.is_empty() {
            true => Vec::new(),
            false => self.real.get(bucket, others, room).await?,
        }
        .into_iter();
        Ok(values.into_iter().map(|own| own.unwrap_or_else(|| real.next().flatten())).collect())
    }

    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault> {
        match self.own(bucket, &key) {
            Some(own) => Ok(own.is_some()),
            None => self.real.exists(bucket, key).await,
        }
    }

    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault> {
        let own: BTreeMap<String, bool> = match self.written().get(&bucket.name) {
            Some(rows) => rows.iter().map(|(key, value)| (key.clone(), value.is_some())).collect(),
            None => BTreeMap::new(),
        };
        if own.is_empty() {
            return self.real.keys(bucket, offset, limit).await;
        }
        // So many real keys that what follows them cannot come before the end of the page.
        let end = usize::try_from(offset.saturating_add(limit.into())).unwrap_or(usize::MAX);
        let enough = end.saturating_add(own.len());
        let mut merged: BTreeMap<String, bool> = BTreeMap::new();
        let mut read = 0;
        while read < enough {
            let page = self.real.keys(bucket, read as u64, PAGE_KEYS).await?;
            let last = page.len() < PAGE_KEYS as usize;
            read += page.len();
            merged.extend(page.into_iter().map(|key| (key, true)));
            if last {
                break;
            }
            if read > MERGED_KEYS {
                return Err(KeyValueFault::Unavailable);
            }
        }
        merged.extend(own);
        let there = merged.into_iter().filter(|(_, there)| *there).map(|(key, _)| key);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(there.skip(offset).take(limit as usize).collect())
    }

    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        quota: KeyValueQuota,
    ) -> Result<(), KeyValueFault> {
        self.check(bucket, values.iter().map(|(key, _)| key)).await?;
        self.keep(bucket, values.into_iter().map(|(key, value)| (key, Some(value))), Some(quota))
    }

    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault> {
        self.check(bucket, keys.iter()).await?;
        self.keep(bucket, keys.into_iter().map(|key| (key, None)), None)
    }

    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        quota: KeyValueQuota,
    ) -> Result<u64, KeyValueFault> {
        let wrong = || KeyValueFault::Refused("the value is no number in decimal digits".to_owned());
        let value = match self.get(bucket, vec![key.clone()], NUMBER_BYTES).await {
            Err(KeyValueFault::TooMuch) => return Err(wrong()),
            values => values?.into_iter().next().flatten(),
        };
        let number = match value {
            None => 0,
            // Unlike `parse`, this takes no sign.
            Some(digits) if digits.iter().all(u8::is_ascii_digit) => str::from_utf8(&digits)
                .ok()
                .and_then(|digits| digits.parse::<u64>().ok())
                .ok_or_else(wrong)?,
            Some(_) => return Err(wrong()),
        };
        let sum = number.checked_add(delta);
        let sum = sum.ok_or_else(|| KeyValueFault::Refused("the sum is beyond 64 bits".to_owned()))?;
        self.set(bucket, vec![(key, sum.to_string().into_bytes())], quota).await?;
        Ok(sum)
    }
}
