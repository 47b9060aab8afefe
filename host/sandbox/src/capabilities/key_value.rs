//! `wasi:keyvalue`: rows of the plugin's own.
//!
//! What crosses is bounded: into the host by the fuel of host calls and [`BATCH_KEYS`], into the guest by
//! [`Limits::answer_bytes`](crate::Limits::answer_bytes) and [`PAGE_KEYS`].

mod service;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource, ResourceTableError};

use self::bindings::wasi::keyvalue::{atomics, batch, store};
use crate::failure::LimitReport;
use crate::limits::Limit;
use crate::state::CallState;

pub use service::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota};

/// Host traits, generated from the very text that plugins are built against.
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/deps/wasi-keyvalue",
        world: "wasi:keyvalue/imports",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": super::KeyValueBucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => super::Stopped },
    });
}

/// Keys of one page of `list-keys`.
const PAGE_KEYS: u32 = 100;
/// Keys of one call of `wasi:keyvalue/batch`: more would hold up whoever else waits for the store.
const BATCH_KEYS: usize = 1_000;
/// Bytes of a bucket's name.
const BUCKET_BYTES: usize = 255;
/// What a guest is told where plugins keep no rows, as in `hookbox check`.
const NO_STORE: &str = "there is no key-value store here";

pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    bindings::Imports::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

/// Why a host call gives no value.
pub(crate) enum Stopped {
    /// The guest is told, its call goes on.
    Told(store::Error),
    /// The guest's call ends.
    Ended(wasmtime::Error),
}

impl Stopped {
    fn told(text: impl Into<String>) -> Self {
        Self::Told(store::Error::Other(text.into()))
    }
}

impl From<wasmtime::Error> for Stopped {
    fn from(error: wasmtime::Error) -> Self {
        Self::Ended(error)
    }
}

impl From<ResourceTableError> for Stopped {
    fn from(error: ResourceTableError) -> Self {
        Self::Ended(error.into())
    }
}

/// What one host call works on.
struct Rows {
    service: Arc<dyn KeyValue>,
    bucket: KeyValueBucket,
    quota: KeyValueQuota,
    /// What values may have that go into the guest together.
    max_bytes: u64,
}

impl CallState {
    /// Counts the call, and finds what it works on.
    fn rows(&mut self, bucket: &Resource<KeyValueBucket>) -> Result<Rows, Stopped> {
        self.count_host_call()?;
        let service = self.key_value()?;
        let bucket = self.table.get(bucket)?.clone();
        let limits = &self.owner.limits;
        let max_bytes = limits.answer_bytes as u64;
        Ok(Rows { service, bucket, quota: KeyValueQuota::of(limits), max_bytes })
    }

    fn key_value(&self) -> Result<Arc<dyn KeyValue>, Stopped> {
        self.services().key_value.clone().ok_or_else(|| Stopped::told(NO_STORE))
    }

    /// What the guest is told about a fault. A limit that bound is counted.
    fn fault(&self, fault: KeyValueFault) -> Stopped {
        match fault {
            KeyValueFault::Quota { limit, wanted } => {
                Stopped::told(format!("{}; deleting keys makes room", self.reached(limit, Some(wanted))))
            }
            KeyValueFault::TooMuch => {
                let reached = self.reached(Limit::AnswerBytes, None);
                Stopped::told(format!("{reached}; asking for fewer keys at once stays below it"))
            }
            KeyValueFault::Refused(reason) => Stopped::told(reason),
            KeyValueFault::Unavailable => {
                Stopped::told("the key-value store is unavailable now; try again later")
            }
        }
    }

    fn reached(&self, limit: Limit, wanted: Option<u64>) -> LimitReport {
        self.owner.hit(limit);
        LimitReport::new(limit, wanted, &self.owner.limits, Duration::ZERO)
    }
}

/// # Errors
/// More keys than one call may name.
fn check_batch<T>(keys: &[T]) -> Result<(), Stopped> {
    match keys.len() {
        0..=BATCH_KEYS => Ok(()),
        many => Err(Stopped::told(format!(
            "{many} keys at once; at most {BATCH_KEYS} are possible, make it several calls"
        ))),
    }
}

impl store::Host for CallState {
    async fn open(&mut self, identifier: String) -> Result<Resource<KeyValueBucket>, Stopped> {
        self.count_host_call()?;
        self.key_value()?;
        if identifier.len() > BUCKET_BYTES {
            return Err(Stopped::Told(store::Error::NoSuchStore));
        }
        let bucket = KeyValueBucket { plugin: Arc::clone(&self.owner.name), name: identifier.into() };
        Ok(self.table.push(bucket)?)
    }

    fn convert_error(&mut self, stopped: Stopped) -> wasmtime::Result<store::Error> {
        match stopped {
            Stopped::Told(error) => Ok(error),
            Stopped::Ended(error) => Err(error),
        }
    }
}

impl store::HostBucket for CallState {
    async fn get(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Stopped> {
        let rows = self.rows(&bucket)?;
        let values = rows.service.get(&rows.bucket, vec![key], rows.max_bytes).await;
        let values = values.map_err(|fault| self.fault(fault))?;
        Ok(values.into_iter().next().flatten())
    }

    async fn set(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Stopped> {
        let rows = self.rows(&bucket)?;
        let done = rows.service.set(&rows.bucket, vec![(key, value)], rows.quota).await;
        done.map_err(|fault| self.fault(fault))
    }

    async fn delete(&mut self, bucket: Resource<KeyValueBucket>, key: String) -> Result<(), Stopped> {
        let rows = self.rows(&bucket)?;
        let done = rows.service.delete(&rows.bucket, vec![key]).await;
        done.map_err(|fault| self.fault(fault))
    }

    async fn exists(&mut self, bucket: Resource<KeyValueBucket>, key: String) -> Result<bool, Stopped> {
        let rows = self.rows(&bucket)?;
        let exists = rows.service.exists(&rows.bucket, key).await;
        exists.map_err(|fault| self.fault(fault))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Stopped> {
        let rows = self.rows(&bucket)?;
        let offset = cursor.unwrap_or(0);
        // One more than a page tells whether another follows.
        let keys = rows.service.keys(&rows.bucket, offset, PAGE_KEYS + 1).await;
        let mut keys = keys.map_err(|fault| self.fault(fault))?;
        let more = keys.len() > PAGE_KEYS as usize;
        keys.truncate(PAGE_KEYS as usize);
        Ok(store::KeyResponse { cursor: more.then(|| offset.saturating_add(PAGE_KEYS.into())), keys })
    }

    async fn drop(&mut self, bucket: Resource<KeyValueBucket>) -> wasmtime::Result<()> {
        self.count_host_call()?;
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for CallState {
    async fn increment(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, Stopped> {
        let rows = self.rows(&bucket)?;
        let sum = rows.service.increment(&rows.bucket, key, delta, rows.quota).await;
        sum.map_err(|fault| self.fault(fault))
    }
}

impl batch::Host for CallState {
    async fn get_many(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Stopped> {
        let rows = self.rows(&bucket)?;
        check_batch(&keys)?;
        let values = rows.service.get(&rows.bucket, keys.clone(), rows.max_bytes).await;
        let values = values.map_err(|fault| self.fault(fault))?;
        Ok(keys.into_iter().zip(values).map(|(key, value)| value.map(|value| (key, value))).collect())
    }

    async fn set_many(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Stopped> {
        let rows = self.rows(&bucket)?;
        check_batch(&key_values)?;
        let done = rows.service.set(&rows.bucket, key_values, rows.quota).await;
        done.map_err(|fault| self.fault(fault))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<KeyValueBucket>,
        keys: Vec<String>,
    ) -> Result<(), Stopped> {
        let rows = self.rows(&bucket)?;
        check_batch(&keys)?;
        let done = rows.service.delete(&rows.bucket, keys).await;
        done.map_err(|fault| self.fault(fault))
    }
}
