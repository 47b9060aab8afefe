//! A rehearsed call sees what a real one would, and leaves everything as it was.

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::super::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota};
use super::*;

/// Rows in memory.
#[derive(Clone, Default, Debug, PartialEq)]
struct Rows(BTreeMap<(String, String), Vec<u8>>);

struct Kept(Mutex<Rows>);

impl Kept {
    fn rows(&self) -> Rows {
        self.0.lock().unwrap().clone()
    }
}

fn place(bucket: &KeyValueBucket, key: &str) -> (String, String) {
    (bucket.name.to_string(), key.to_owned())
}

#[async_trait]
impl KeyValue for Kept {
    async fn get(
        &self,
        bucket: &KeyValueBucket,
        keys: Vec<String>,
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueFault> {
        let rows = self.rows();
        let values: Vec<_> = keys.iter().map(|key| rows.0.get(&place(bucket, key)).cloned()).collect();
        let bytes: usize = values.iter().flatten().map(Vec::len).sum();
        if bytes as u64 > max_bytes { Err(KeyValueFault::TooMuch) } else { Ok(values) }
    }

    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault> {
        if key.is_empty() {
            return Err(KeyValueFault::Refused("a key has at least one byte".into()));
        }
        Ok(self.rows().0.contains_key(&place(bucket, &key)))
    }

    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault> {
        let rows = self.rows().0.into_keys().filter(|(name, _)| **name == *bucket.name);
        let page = rows.map(|(_, key)| key).skip(usize::try_from(offset).unwrap());
        Ok(page.take(limit as usize).collect())
    }

    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        _: KeyValueQuota,
    ) -> Result<(), KeyValueFault> {
        let mut rows = self.0.lock().unwrap();
        rows.0.extend(values.into_iter().map(|(key, value)| (place(bucket, &key), value)));
        Ok(())
    }

    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault> {
        let mut rows = self.0.lock().unwrap();
        for key in keys {
            rows.0.remove(&place(bucket, &key));
        }
        Ok(())
    }

    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        quota: KeyValueQuota,
    ) -> Result<u64, KeyValueFault> {
        let value = self.rows().0.get(&place(bucket, &key)).cloned().unwrap_or_else(|| b"0".to_vec());
        let wrong = || KeyValueFault::Refused(String::new());
        let number: u64 =
            String::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        let sum = number.checked_add(delta).ok_or_else(wrong)?;
        self.set(bucket, vec![(key, sum.to_string().into_bytes())], quota).await?;
        Ok(sum)
    }
}

const PLENTY: KeyValueQuota = KeyValueQuota { keys: 1_000, bytes: 1 << 20 };

fn bucket(name: &str) -> KeyValueBucket {
    KeyValueBucket { plugin: "tried".into(), name: name.into() }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

#[derive(Debug, Clone)]
enum Act {
    Get(Vec<u8>),
    Exists(u8),
    Keys(u64, u32),
    Set(Vec<(u8, Vec<u8>)>),
    Delete(Vec<u8>),
    Increment(u8, u64),
}

fn acts() -> impl Strategy<Value = Vec<(bool, Act)>> {
    let key = || 0u8..12;
    let value = || prop_oneof![Just(b"7".to_vec()), Just(b"text".to_vec()), Just(Vec::new())];
    let act = prop_oneof![
        prop::collection::vec(key(), 0..4).prop_map(Act::Get),
        key().prop_map(Act::Exists),
        (0u64..14, 0u32..14).prop_map(|(offset, limit)| Act::Keys(offset, limit)),
        prop::collection::vec((key(), value()), 1..4).prop_map(Act::Set),
        prop::collection::vec(key(), 1..4).prop_map(Act::Delete),
        (key(), 1u64..9).prop_map(|(key, delta)| Act::Increment(key, delta)),
    ];
    prop::collection::vec((any::<bool>(), act), 0..20)
}

/// Does it and says what came of it.
async fn act(rows: &dyn KeyValue, other: bool, act: Act) -> String {
    let bucket = bucket(if other { "other" } else { "" });
    let name = |key: u8| format!("key{key}");
    let names = |keys: Vec<u8>| keys.into_iter().map(name).collect::<Vec<_>>();
    let kind = |fault: KeyValueFault| match fault {
        KeyValueFault::Refused(_) => "refused".to_owned(),
        fault => fault.to_string(),
    };
    match act {
        Act::Get(keys) => format!("{:?}", rows.get(&bucket, names(keys), 9).await.map_err(kind)),
        Act::Exists(key) => format!("{:?}", rows.exists(&bucket, name(key)).await.map_err(kind)),
        Act::Keys(offset, limit) => format!("{:?}", rows.keys(&bucket, offset, limit).await.map_err(kind)),
        Act::Set(values) => {
            let values = values.into_iter().map(|(key, value)| (name(key), value)).collect();
            format!("{:?}", rows.set(&bucket, values, PLENTY).await.map_err(kind))
        }
        Act::Delete(keys) => format!("{:?}", rows.delete(&bucket, names(keys)).await.map_err(kind)),
        Act::Increment(key, delta) => {
            let sum = rows.increment(&bucket, name(key), delta, PLENTY).await;
            format!("{:?}", sum.map_err(kind))
        }
    }
}

proptest! {
    #[test]
    fn a_rehearsal_sees_what_a_real_call_would_and_keeps_nothing(before in acts(), during in acts()) {
        runtime().block_on(async {
            let there = Arc::new(Kept(Mutex::default()));
            for (other, step) in before {
                act(&*there, other, step).await;
            }
            let before = there.rows();
            let paper = Kept(Mutex::new(before.clone()));
            let services = Services { key_value: Some(there.clone()), ..Services::default() };
            let rehearsed = services.rehearsed().key_value.unwrap();
            for (other, step) in during {
                let said = act(&*rehearsed, other, step.clone()).await;
                prop_assert_eq!(said, act(&paper, other, step.clone()).await, "{:?}", step);
            }
            prop_assert_eq!(there.rows(), before);
            Ok(())
        })?;
    }
}

fn rehearsed_rows() -> Arc<dyn KeyValue> {
    let services = Services { key_value: Some(Arc::new(Kept(Mutex::default()))), ..Services::default() };
    services.rehearsed().key_value.unwrap()
}

#[test]
fn what_a_rehearsal_writes_is_bounded() {
    runtime().block_on(async {
        let rows = rehearsed_rows();
        let quota = KeyValueQuota { keys: 2, bytes: 1 << 30 };
        let two = vec![("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])];
        rows.set(&bucket(""), two, quota).await.unwrap();
        let third = vec![("c".to_owned(), vec![3])];
        let refused = rows.set(&bucket("other"), third, quota).await.unwrap_err();
        assert!(matches!(refused, KeyValueFault::Quota { wanted: 3, .. }), "{refused:?}");
        assert!(!rows.exists(&bucket("other"), "c".into()).await.unwrap());
        let large = vec![("a".to_owned(), vec![0; 5 << 20])];
        assert_eq!(rows.set(&bucket(""), large, quota).await, Err(KeyValueFault::Unavailable));
        assert_eq!(rows.get(&bucket(""), vec!["a".into()], 9).await, Ok(vec![Some(vec![1])]));
    });
}

#[test]
fn a_key_that_cannot_be_is_refused_as_ever() {
    runtime().block_on(async {
        let refused = rehearsed_rows().set(&bucket(""), vec![(String::new(), vec![])], PLENTY).await;
        assert!(matches!(refused, Err(KeyValueFault::Refused(_))), "{refused:?}");
    });
}

/// An archive of one course's statuses, which nobody may write to.
struct Archived(usize);

fn status(user: i64) -> ArchiveStatus {
    ArchiveStatus {
        id: user,
        course_id: "c".into(),
        user,
        is_archived: true,
        archive_date: Some("2026-01-02T03:04:05+00:00".into()),
        last_synced: None,
        created_at: "2026-01-02T03:04:05+00:00".into(),
        updated_at: "2026-01-02T03:04:05+00:00".into(),
    }
}

#[async_trait]
impl CourseArchive for Archived {
    async fn status(&self, _: &str, _: &str, user: i64) -> Result<Option<ArchiveStatus>, ArchiveFault> {
        Ok((user == 1).then(|| status(1)))
    }

    async fn statuses(&self, _: &str, query: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault> {
        Ok((1..).take(self.0.min(query.limit as usize)).map(status).collect())
    }

    async fn set_archived(&self, _: &str, _: &str, _: i64, _: bool) -> Result<ArchiveStatus, ArchiveFault> {
        panic!("a rehearsal wrote")
    }

    async fn set_last_synced(&self, _: &str, _: &str, _: &str) -> Result<u64, ArchiveFault> {
        panic!("a rehearsal wrote")
    }
}

#[test]
fn writes_to_the_archive_are_answered_and_not_made() {
    let archive = |rows| {
        let services = Services { course_archive: Some(Arc::new(Archived(rows))), ..Services::default() };
        services.rehearsed().course_archive.unwrap()
    };
    runtime().block_on(async {
        let few = archive(3);
        assert_eq!(few.set_archived("p", "c", 1, true).await, Ok(status(1)));
        let taken_out = few.set_archived("p", "c", 1, false).await.unwrap();
        assert_eq!((taken_out.id, taken_out.is_archived, taken_out.archive_date), (1, false, None));
        let new = few.set_archived("p", "c", 2, true).await.unwrap();
        assert_eq!((new.id, new.user, new.is_archived), (REHEARSED_ID, 2, true));
        assert_eq!(few.set_last_synced("p", "c", "now").await, Ok(3));
        let many = archive(1_000).set_last_synced("p", "c", "now").await;
        assert!(matches!(many, Err(ArchiveFault::Unavailable(_))), "{many:?}");
    });
}
