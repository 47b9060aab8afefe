//! A plugin with the grant keeps rows through `wasi:keyvalue`: its own and nobody else's, as many as its quota allows,
//! and whatever it asks for, the host builds no more than may cross.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox_sandbox::{
    Answer, CallFailure, Grant, Granting, Grants, Isolation, KeyValue, KeyValueBucket, KeyValueFault,
    KeyValueQuota, Limit, Limits, Plugin, PluginOptions, ProblemCode, Sandbox, Services, async_trait,
};

use crate::support::{
    AGES, admit_with, beside_a_good_one, call, call_within, new_url, options, refused, sandbox_with, written,
};

/// Rows in memory, with what a bucket and a key are called in front.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Mutex<BTreeMap<(String, String, String), Vec<u8>>>,
    /// How it fails, when it does.
    trouble: Option<Trouble>,
    waiting: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Trouble {
    NeverAnswers,
    Unavailable,
}

/// Counts a call that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Rows {
    /// Rows that cannot be reached.
    pub(crate) fn unavailable() -> Self {
        Self { trouble: Some(Trouble::Unavailable), ..Self::default() }
    }

    async fn answer<T>(&self, answer: impl FnOnce() -> T) -> Result<T, KeyValueFault> {
        match self.trouble {
            None => Ok(answer()),
            Some(Trouble::Unavailable) => Err(KeyValueFault::Unavailable),
            Some(Trouble::NeverAnswers) => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let _waiting = Waiting(&self.waiting);
                pending().await
            }
        }
    }
}

fn place(bucket: &KeyValueBucket, key: &str) -> (String, String, String) {
    (bucket.plugin.to_string(), bucket.name.to_string(), key.to_owned())
}

#[async_trait]
impl KeyValue for Rows {
    async fn get(
        &self,
        bucket: &KeyValueBucket,
        keys: Vec<String>,
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueFault> {
        self.answer(|| {
            let rows = self.rows.lock().unwrap();
            let values: Vec<_> = keys.iter().map(|key| rows.get(&place(bucket, key))).collect();
            let bytes: usize = values.iter().flatten().map(|value| value.len()).sum();
            if bytes as u64 > max_bytes {
                return Err(KeyValueFault::TooMuch);
            }
            Ok(values.into_iter().map(Option::<&_>::cloned).collect())
        })
        .await?
    }

    async fn exists(&self, bucket: &KeyValueBucket, key: String) -> Result<bool, KeyValueFault> {
        self.answer(|| self.rows.lock().unwrap().contains_key(&place(bucket, &key))).await
    }

    async fn keys(
        &self,
        bucket: &KeyValueBucket,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueFault> {
        let offset = usize::try_from(offset).unwrap();
        let wanted = place(bucket, "");
        self.answer(|| {
            let rows = self.rows.lock().unwrap();
            let of_bucket = rows.keys().filter(|at| (&at.0, &at.1) == (&wanted.0, &wanted.1));
            of_bucket.map(|at| at.2.clone()).skip(offset).take(limit as usize).collect()
        })
        .await
    }

    async fn set(
        &self,
        bucket: &KeyValueBucket,
        values: Vec<(String, Vec<u8>)>,
        quota: KeyValueQuota,
    ) -> Result<(), KeyValueFault> {
        self.answer(|| {
            let mut rows = self.rows.lock().unwrap();
            let mut after = rows.clone();
            after.extend(values.into_iter().map(|(key, value)| (place(bucket, &key), value)));
            let wanted = after.keys().filter(|at| *at.0 == *bucket.plugin).count() as u64;
            if wanted > quota.keys {
                return Err(KeyValueFault::Quota { limit: Limit::KeyValueKeys, wanted });
            }
            let wanted = after.iter().filter(|(at, _)| *at.0 == *bucket.plugin);
            let wanted = wanted.map(|(at, value)| (at.1.len() + at.2.len() + value.len()) as u64).sum();
            if wanted > quota.bytes {
                return Err(KeyValueFault::Quota { limit: Limit::KeyValueBytes, wanted });
            }
            *rows = after;
            Ok(())
        })
        .await?
    }

    async fn delete(&self, bucket: &KeyValueBucket, keys: Vec<String>) -> Result<(), KeyValueFault> {
        self.answer(|| {
            let mut rows = self.rows.lock().unwrap();
            keys.iter().for_each(|key| drop(rows.remove(&place(bucket, key))));
        })
        .await
    }

    async fn increment(
        &self,
        bucket: &KeyValueBucket,
        key: String,
        delta: u64,
        _quota: KeyValueQuota,
    ) -> Result<u64, KeyValueFault> {
        let add = || {
            let mut rows = self.rows.lock().unwrap();
            let value = rows.entry(place(bucket, &key)).or_insert_with(|| b"0".to_vec());
            let number = str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
            let sum = number.ok_or_else(|| KeyValueFault::Refused("it is not a number".to_owned()))? + delta;
            *value = sum.to_string().into_bytes();
            Ok(sum)
        };
        self.answer(add).await?
    }
}

pub(crate) fn granted() -> Grants {
    Grants::new([Grant::KeyValue])
}

/// A sandbox whose plugins keep these rows.
pub(crate) fn sandbox(rows: &Arc<Rows>) -> Sandbox {
    let key_value = Some(Arc::clone(rows) as Arc<dyn KeyValue>);
    sandbox_with(Services { key_value, ..Services::default() })
}

/// A plugin of that component with the grant.
fn plugin(sandbox: &Sandbox, component: &str, name: &str, limits: Limits) -> Plugin {
    let admitted = admit_with(sandbox, &written(component), &Granting::These(&granted()));
    sandbox.plugin(&admitted, PluginOptions { name: name.to_owned(), limits, ..options() })
}

/// The plugin that does what it is told, with rows of its own.
fn obedient() -> Plugin {
    plugin(&sandbox(&Arc::default()), "key-value", "mine", Limits::default())
}

/// What comes of an operation.
pub(crate) async fn told(plugin: &Plugin, operation: &str) -> String {
    new_url(call(plugin, operation).await)
}

fn limit(ended: &Result<Answer, CallFailure>) -> Limit {
    match ended {
        Err(CallFailure::Limit(report)) => report.limit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rows_are_written_read_listed_and_deleted() {
    let plugin = obedient();
    for (operation, came) in [
        ("get||color", "none"),
        ("exists||color", "false"),
        ("set||color|red", "done"),
        ("get||color", "red"),
        ("exists||color", "true"),
        ("set||color|", "done"),
        ("get||color", ""),
        ("exists||color", "true"),
        ("get|other|color", "none"),
        ("set||shape|round", "done"),
        ("list||", "color,shape,end"),
        ("list||1", "shape,end"),
        ("list||2", "end"),
        ("list|other|", "end"),
        ("delete||color", "done"),
        ("delete||color", "done"),
        ("list||", "shape,end"),
        ("Set|more|a|1|b|2|a|3", "done"),
        ("Get|more|b|missing|a|b", "b=2,none,a=3,b=2,"),
        ("Delete|more|a|missing", "done"),
        ("Get|more", ""),
        ("list|more|", "b,end"),
    ] {
        assert_eq!(told(&plugin, operation).await, came, "{operation}");
    }
}

#[tokio::test]
async fn a_number_is_counted_up_and_anything_else_is_told() {
    let plugin = obedient();
    for (operation, came) in [
        ("increment||visits|1", "1"),
        ("increment||visits|41", "42"),
        ("increment||visits|0", "42"),
        ("get||visits", "42"),
        ("set||visits|many", "done"),
        ("increment||visits|1", "other: it is not a number"),
        ("get||visits", "many"),
    ] {
        assert_eq!(told(&plugin, operation).await, came, "{operation}");
    }
}

#[tokio::test]
async fn keys_come_a_page_at_a_time() {
    let plugin = obedient();
    let set: String = (0..200).map(|number| format!("|{number:03}|x")).collect();
    assert_eq!(told(&plugin, &format!("Set|{set}")).await, "done");
    let page = |numbers: std::ops::Range<u32>, cursor: &str| {
        numbers.map(|number| format!("{number:03},")).collect::<String>() + cursor
    };
    assert_eq!(told(&plugin, "list||").await, page(0..100, "100"));
    assert_eq!(told(&plugin, "list||100").await, page(100..200, "end"), "the last page says so");
    assert_eq!(told(&plugin, "list||99").await, page(99..199, "199"));
    assert_eq!(told(&plugin, "list||18446744073709551615").await, "end");
}

#[tokio::test]
async fn no_name_reaches_the_rows_of_another_plugin() {
    let rows: Arc<Rows> = Arc::default();
    let sandbox = sandbox(&rows);
    let mine = plugin(&sandbox, "key-value", "mine", Limits::default());
    let other = plugin(&sandbox, "key-value", "other", Limits::default());
    assert_eq!(told(&mine, "set|secrets|key|of mine").await, "done");
    for bucket in ["", "secrets", "mine", "mine/secrets", "../mine/secrets", "mine\0secrets", "*", "%"] {
        assert_eq!(told(&other, &format!("get|{bucket}|key")).await, "none", "{bucket:?}");
        assert_eq!(told(&other, &format!("list|{bucket}|")).await, "end", "{bucket:?}");
        assert_eq!(told(&other, &format!("increment|{bucket}|key|7")).await, "7", "{bucket:?}");
        assert_eq!(told(&other, &format!("delete|{bucket}|key")).await, "done", "{bucket:?}");
    }
    assert_eq!(told(&mine, "get|secrets|key").await, "of mine");
}

#[tokio::test]
async fn a_bucket_with_an_impossible_name_is_not_there() {
    let plugin = obedient();
    assert_eq!(told(&plugin, &format!("get|{}|key", "b".repeat(255))).await, "none");
    assert_eq!(told(&plugin, &format!("get|{}|key", "b".repeat(256))).await, "no-such-store");
}

#[tokio::test]
async fn a_spent_quota_is_told_with_the_setting_and_the_call_goes_on() {
    let limits = Limits { key_value_keys: 2, key_value_bytes: 100, ..Limits::default() };
    let plugin = plugin(&sandbox(&Arc::default()), "key-value", "mine", limits);
    assert_eq!(told(&plugin, "Set||a|1|b|2").await, "done");
    let refusal = told(&plugin, "set||c|3").await;
    assert_eq!(
        refusal,
        "other: the plugin reached its key-value-keys limit: 2 keys allowed, 3 wanted; `limits.key_value_keys` of \
         the plugin raises it; deleting keys makes room"
    );
    let refusal = told(&plugin, &format!("set||a|{}", "x".repeat(100))).await;
    assert_eq!(
        refusal,
        "other: the plugin reached its key-value-bytes limit: 100 bytes allowed, 103 wanted; `limits.key_value` of \
         the plugin raises it; deleting keys makes room"
    );
    assert_eq!(told(&plugin, "Get||a|b|c").await, "a=1,b=2,none,");
    assert_eq!(told(&plugin, "delete||b").await, "done");
    assert_eq!(told(&plugin, "set||c|3").await, "done");
}

#[tokio::test]
async fn a_guest_cannot_make_the_host_build_more_than_may_cross() {
    let limits = Limits { key_value_bytes: 1 << 30, ..Limits::default() };
    let rows: Arc<Rows> = Arc::default();
    let sandbox = sandbox(&rows);
    let plugin = plugin(&sandbox, "key-value", "mine", limits);
    let large = "x".repeat(1 << 20);
    assert_eq!(told(&plugin, &format!("set||large|{large}")).await, "done");
    assert_eq!(told(&plugin, "get||large").await.len(), 1 << 20);
    assert_eq!(told(&plugin, &format!("Get|{}", "|large".repeat(3))).await.len(), 3 * ((1 << 20) + 7));
    // 5 MiB, and all that one call may name: a thousand times 1 MiB.
    for times in [5, 1_000] {
        let refusal = told(&plugin, &format!("Get|{}", "|large".repeat(times))).await;
        assert!(
            refusal.starts_with("other: the plugin reached its answer-bytes limit: 4194304 bytes allowed"),
            "{refusal}"
        );
        assert!(refusal.contains("`limits.answer` of the plugin raises it"), "{refusal}");
    }
}

#[tokio::test]
async fn a_batch_has_at_most_a_thousand_keys() {
    let plugin = obedient();
    for (most, more) in [
        (format!("Get|{}", "|k".repeat(1_000)), format!("Get|{}", "|k".repeat(1_001))),
        (format!("Delete|{}", "|k".repeat(1_000)), format!("Delete|{}", "|k".repeat(1_001))),
        (format!("Set|{}", "|k|v".repeat(1_000)), format!("Set|{}", "|k|v".repeat(1_001))),
    ] {
        let done = told(&plugin, &most).await;
        assert!(!done.starts_with("other"), "{done}");
        let refusal = told(&plugin, &more).await;
        assert_eq!(refusal, "other: 1001 keys at once; at most 1000 are possible, make it several calls");
    }
    let greedy = self::plugin(&sandbox(&Arc::default()), "kv-many-keys-at-once", "greedy", Limits::default());
    let said = told(&greedy, "/").await;
    assert!(said.starts_with("100000 keys at once"), "{said}");
}

#[tokio::test]
async fn a_value_too_large_to_cross_ends_the_call_and_is_not_kept() {
    let rows: Arc<Rows> = Arc::default();
    let plugin = plugin(&sandbox(&rows), "kv-huge-value", "mine", Limits::default());
    assert_eq!(limit(&call(&plugin, "/").await), Limit::AnswerBytes);
    assert!(rows.rows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_set_stays_when_the_call_fails_later() {
    let rows: Arc<Rows> = Arc::default();
    let plugin = plugin(&sandbox(&rows), "key-value", "mine", Limits::default());
    let failure = call(&plugin, "set||key|value!").await.expect_err("it traps");
    assert_eq!(failure.code(), "trap");
    assert_eq!(told(&plugin, "get||key").await, "value!");
}

/// Calls a hostile plugin while a good one is called.
async fn evil_beside_a_good_one(rows: &Arc<Rows>, evil: &str, time: Duration) -> Result<Answer, CallFailure> {
    let sandbox = sandbox(rows);
    let evil = plugin(&sandbox, evil, "evil", Limits::default());
    beside_a_good_one(&sandbox, call_within(&evil, "get||key", time)).await
}

#[tokio::test]
async fn a_loop_of_calls_ends_with_the_host_calls() {
    let rows: Arc<Rows> = Arc::default();
    let ended = evil_beside_a_good_one(&rows, "kv-in-a-loop", AGES).await;
    assert_eq!(limit(&ended), Limit::HostCalls);
    let key = ("evil".to_owned(), String::new(), "count".to_owned());
    assert_eq!(rows.rows.lock().unwrap()[&key], b"999", "one of the thousand opened the bucket");
}

#[tokio::test]
async fn leaked_buckets_end_with_the_handles() {
    let ended = evil_beside_a_good_one(&Arc::default(), "kv-leaks-buckets", AGES).await;
    assert_eq!(limit(&ended), Limit::Handles);
}

#[tokio::test]
async fn a_closed_bucket_makes_room_for_another() {
    let sandbox = sandbox(&Arc::default());
    let admitted = admit_with(&sandbox, &written("key-value"), &Granting::These(&granted()));
    let limits = Limits { handles: 2, ..Limits::default() };
    let isolation = Isolation::Reuse { max_calls: 100 };
    let plugin = sandbox.plugin(&admitted, PluginOptions { isolation, limits, ..options() });
    for number in 1..=40 {
        assert_eq!(told(&plugin, "increment||count|1").await, number.to_string());
    }
}

#[tokio::test]
async fn a_call_that_waits_for_the_store_is_dropped_at_the_end_of_its_time() {
    let rows = Arc::new(Rows { trouble: Some(Trouble::NeverAnswers), ..Rows::default() });
    let ended = evil_beside_a_good_one(&rows, "key-value", Duration::from_millis(300)).await;
    assert_eq!(limit(&ended), Limit::Time);
    assert_eq!(rows.waiting.load(Ordering::SeqCst), 0, "nobody waits for it any more");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_without_its_reasons() {
    let rows = Arc::new(Rows::unavailable());
    let plugin = plugin(&sandbox(&rows), "key-value", "mine", Limits::default());
    for operation in [
        "get||k",
        "set||k|v",
        "delete||k",
        "exists||k",
        "list||",
        "increment||k|1",
        "Get||k",
        "Set||k|v",
        "Delete||k",
    ] {
        assert_eq!(
            told(&plugin, operation).await,
            "other: the key-value store is unavailable now; try again later",
            "{operation}"
        );
    }
}

#[tokio::test]
async fn where_there_is_no_store_every_call_says_so() {
    let sandbox = crate::support::sandbox();
    let plugin = plugin(&sandbox, "key-value", "mine", Limits::default());
    assert_eq!(told(&plugin, "get||key").await, "other: there is no key-value store here");
}

#[test]
fn without_the_grant_the_component_is_refused_and_the_grant_named() {
    let report = refused(&written("key-value"));
    assert!(!report.problems.is_empty());
    for problem in &report.problems {
        assert_eq!(problem.code, ProblemCode::NotGranted, "{problem}");
        assert!(problem.to_string().contains("keyvalue"), "{problem}");
    }
}
