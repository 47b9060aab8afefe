//! Capabilities of a call that is on tape: what the host answers is taken down, or comes from the tape and the host is not
//! asked at all.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wasmtime_wasi::async_trait;

use super::{
    ArchiveFault, ArchiveQuery, ArchiveStatus, CourseArchive, KeyValue, KeyValueBucket, KeyValueFault,
    KeyValueQuota, Services,
};
use crate::record::{Tape, TextOrBytes};

/// What a guest is told where the record has no answer.
const NOT_RECORDED: &str = "this is a replay, and its record has no answer to that";

impl Services {
    /// The same for one call on tape.
    pub(crate) fn taped(&self, tape: &Arc<Tape>) -> Self {
        let plays = tape.plays();
        let archive = self.course_archive.clone().filter(|_| !plays);
        let rows = self.key_value.clone().filter(|_| !plays);
        let has_archive = plays || archive.is_some();
        let has_rows = plays || rows.is_some();
        let archive = || -> Arc<dyn CourseArchive> { Arc::new(Taped { real: archive, tape: tape.clone() }) };
        let rows = || -> Arc<dyn KeyValue> { Arc::new(Taped { real: rows, tape: tape.clone() }) };
        Self {
            course_archive: has_archive.then(archive),
            key_value: has_rows.then(rows),
            resolver: self.resolver.clone(),
            failed_calls: None,
        }
    }
}

/// A capability and the tape beside it. A tape that plays has none.
struct Taped<T: ?Sized> {
    real: Option<Arc<T>>,
    tape: Arc<Tape>,
}

impl<S: ?Sized> Taped<S> {
    /// Takes down the capability's answer, or has the tape answer where there is no capability.
    async fn ask<T, E>(
        &self,
        call: &'static str,
        asked: Value,
        real: Option<impl Future<Output = Result<T, E>>>,
        unavailable: E,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: Serialize + DeserializeOwned,
    {
        let Some(real) = real else {
            return self.tape.play(call, &asked).unwrap_or(Err(unavailable));
        };
        let answer = real.await;
        self.tape.took(call, asked, &answer);
        answer
    }
}

fn no_archive() -> ArchiveFault {
    ArchiveFault::Unavailable(NOT_RECORDED.to_owned())
}

#[async_trait]
impl CourseArchive for Taped<dyn CourseArchive> {
    async fn status(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
    ) -> Result<Option<ArchiveStatus>, ArchiveFault> {
        let asked = json!({"course_id": course_id, "user": user});
        let real = self.real.as_deref().map(|archive| archive.status(plugin, course_id, user));
        self.ask("course-archive.status", asked, real, no_archive()).await
    }

    async fn statuses(&self, plugin: &str, query: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault> {
        let asked = json!(query);
        let real = self.real.as_deref().map(|archive| archive.statuses(plugin, query));
        self.ask("course-archive.statuses", asked, real, no_archive()).await
    }

    async fn set_archived(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
        archived: bool,
    ) -> Result<ArchiveStatus, ArchiveFault> {
        let asked = json!({"course_id": course_id, "user": user, "archived": archived});
        let real =
            self.real.as_deref().map(|archive| archive.set_archived(plugin, course_id, user, archived));
        self.ask("course-archive.set-archived", asked, real, no_archive()).await
    }

    async fn set_last_synced(&self, plugin: &str, course_id: &str, time: &str) -> Result<u64, ArchiveFault> {
        let asked = json!({"course_id": course_id});
        let real = self.real.as_deref().map(|archive| archive.set_last_synced(plugin, course_id, time));
        self.ask("course-archive.set-last-synced", asked, real, no_archive()).await
    }
}

fn of_keys<'a>(bucket: &KeyValueBucket, keys: impl Iterator<Item = &'a String>) -> Value {
    json!({"bucket": &*bucket.name, "keys": keys.collect::<Vec<_>>()})
}

#[async_trait]
impl KeyValue for Taped<dyn KeyValue> {
    async fn get(
        &self,
        bucket: &KeyValueBucket,
        keys: Vec<String>,
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueFault> {
        let (asked, count) = (of_keys(bucket, keys.iter()), keys.len());
        let real = self.real.as_deref().map(|rows| async {
            let values = rows.get(bucket, keys, max_bytes).await?;
            Ok(values.into_iter().map(|value| value.map(TextOrBytes)).collect::<Vec<_>>())
        });
        let values = self.ask("key-value.get", asked, real, KeyValueFault::Unavailable).await?;
        let mut values: Vec<_> = values.into_iter().map(|value| value.map(|bytes| bytes.0)).collect();
        values.resize(count, None);
        Ok(values)
    }

    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault> {
        let asked = of_keys(bucket, [&key].into_iter());
        let real = self.real.as_deref().map(|rows| rows.exists(bucket, key));
        self.ask("key-value.exists", asked, real, KeyValueFault::Unavailable).await
    }

    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault> {
        let asked = json!({"bucket": &*bucket.name, "offset": offset});
        let real = self.real.as_deref().map(|rows| rows.keys(bucket, offset, limit));
        self.ask("key-value.keys", asked, real, KeyValueFault::Unavailable).await
    }

    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        quota: KeyValueQuota,
    ) -> Result<(), KeyValueFault> {
        let asked = of_keys(bucket, values.iter().map(|(key, _)| key));
        let real = self.real.as_deref().map(|rows| rows.set(bucket, values, quota));
        self.ask("key-value.set", asked, real, KeyValueFault::Unavailable).await
    }

    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault> {
        let asked = of_keys(bucket, keys.iter());
        let real = self.real.as_deref().map(|rows| rows.delete(bucket, keys));
        self.ask("key-value.delete", asked, real, KeyValueFault::Unavailable).await
    }

    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        quota: KeyValueQuota,
    ) -> Result<u64, KeyValueFault> {
        let asked = of_keys(bucket, [&key].into_iter());
        let real = self.real.as_deref().map(|rows| rows.increment(bucket, key, delta, quota));
        self.ask("key-value.increment", asked, real, KeyValueFault::Unavailable).await
    }
}
