use hookbox_store::Options;
use tempfile::TempDir;

use super::super::testing::{hold_the_writer, polled};
use super::*;

const PLENTY: KeyValueQuota = KeyValueQuota { keys: 100, bytes: 10_000 };

fn rows() -> (PluginRows, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Options::at(folder.path().join("hookbox.db"))).unwrap();
    (PluginRows::new(store), folder)
}

fn bucket(plugin: &str, name: &str) -> KeyValueBucket {
    KeyValueBucket { plugin: plugin.into(), name: name.into() }
}

fn key(key: &str) -> String {
    key.to_owned()
}

async fn value(rows: &PluginRows, bucket: &KeyValueBucket, key: &str) -> Option<Vec<u8>> {
    rows.get(bucket, vec![key.to_owned()], 10_000).await.unwrap().remove(0)
}

#[tokio::test]
async fn rows_of_two_plugins_are_apart() {
    let (rows, _folder) = rows();
    let (mine, other) = (bucket("mine", "b"), bucket("other", "b"));
    rows.set(&mine, vec![(key("k"), b"1".to_vec()), (key("l"), b"2".to_vec())], PLENTY).await.unwrap();
    assert_eq!(rows.increment(&other, key("k"), 7, PLENTY).await, Ok(7));
    assert_eq!(rows.increment(&mine, key("k"), 7, PLENTY).await, Ok(8));
    assert_eq!(rows.keys(&mine, 0, 10).await, Ok(vec![key("k"), key("l")]));
    assert_eq!(rows.keys(&other, 0, 10).await, Ok(vec![key("k")]));
    rows.delete(&other, vec![key("k"), key("l")]).await.unwrap();
    assert_eq!(rows.exists(&other, key("k")).await, Ok(false));
    assert_eq!(rows.exists(&mine, key("k")).await, Ok(true));
    assert_eq!(value(&rows, &mine, "l").await, Some(b"2".to_vec()));
    assert_eq!(value(&rows, &bucket("mine", ""), "l").await, None);
}

#[tokio::test]
async fn each_error_is_the_fault_that_it_means() {
    let (rows, _folder) = rows();
    let mine = bucket("mine", "");
    let set = |key: &str, value: &[u8], quota| rows.set(&mine, vec![(key.to_owned(), value.to_vec())], quota);
    let one_key = KeyValueQuota { keys: 1, ..PLENTY };
    set("a", b"many", one_key).await.unwrap();
    let keys = KeyValueFault::Quota { limit: Limit::KeyValueKeys, wanted: 2 };
    assert_eq!(set("b", b"", one_key).await, Err(keys.clone()));
    assert_eq!(rows.increment(&mine, key("b"), 1, one_key).await, Err(keys));
    let bytes = KeyValueFault::Quota { limit: Limit::KeyValueBytes, wanted: 6 };
    assert_eq!(set("b", b"", KeyValueQuota { bytes: 5, ..PLENTY }).await, Err(bytes));
    assert_eq!(rows.get(&mine, vec![key("a"); 3], 11).await, Err(KeyValueFault::TooMuch));
    for refused in [
        set("", b"", PLENTY).await,
        set(&"k".repeat(2_000), b"", PLENTY).await,
        rows.increment(&mine, key("a"), 1, PLENTY).await.map(drop),
        rows.exists(&mine, key("")).await.map(drop),
        rows.delete(&mine, vec![key("")]).await,
    ] {
        assert!(matches!(refused, Err(KeyValueFault::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_is_not_made() {
    let (rows, _folder) = rows();
    let mine = bucket("mine", "");
    let busy = hold_the_writer(&rows.store).await;
    let mut given_up = rows.set(&mine, vec![(key("given up"), b"1".to_vec())], PLENTY);
    assert!(polled(&mut given_up).await.is_pending());
    drop(given_up);
    drop(busy);
    assert_eq!(rows.increment(&mine, key("wanted"), 1, PLENTY).await, Ok(1));
    assert_eq!(rows.keys(&mine, 0, 10).await, Ok(vec![key("wanted")]));
}

#[tokio::test]
async fn a_plugin_that_writes_much_has_others_wait_behind_one_of_its_writes() {
    let (rows, _folder) = rows();
    let (evil, good) = (bucket("evil", ""), bucket("good", ""));
    let plenty = KeyValueQuota { keys: 100, bytes: 1 << 30 };
    let busy = hold_the_writer(&rows.store).await;
    let mut flood: Vec<_> = (0..20)
        .map(|number| rows.set(&evil, vec![(format!("{number:02}"), vec![0; 3 << 20])], plenty))
        .collect();
    for write in &mut flood {
        assert!(polled(write).await.is_pending());
    }
    drop(busy);
    assert_eq!(rows.increment(&good, key("count"), 1, plenty).await, Ok(1));
    assert_eq!(rows.keys(&evil, 0, 100).await, Ok(vec![key("00")]), "one of twenty was before it");
    for write in flood {
        write.await.unwrap();
    }
    assert_eq!(rows.keys(&evil, 0, 100).await.map(|keys| keys.len()), Ok(20));
}

#[test]
fn a_small_write_is_one_share_and_the_largest_takes_all() {
    assert_eq!(shares(1, 0), 1);
    assert_eq!(shares(1, SHARE_BYTES), 2);
    assert_eq!(shares(1_000, 0), 63);
    assert_eq!(shares(1, 4 << 20), WRITE_SHARES);
    assert_eq!(shares(usize::MAX / 2, usize::MAX / 2), WRITE_SHARES);
}
