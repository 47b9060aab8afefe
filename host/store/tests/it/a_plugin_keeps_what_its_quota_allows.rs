//! Plugins' rows: quotas, keys, numbers, and plugins that are kept apart.

use std::collections::BTreeSet;

use hookbox_store::{KeyProblem, KeyValueError, Quota, QuotaLimit, StoreError, Usage, Writes, check};

use crate::support::{Place, assert_sound, hand_in, hold_the_writer};

const PLENTY: Quota = Quota { keys: 1_000, bytes: 1_000_000 };

type Answer<T> = Result<T, KeyValueError>;

/// Does this in one job, which is to succeed.
async fn done<T: Send + 'static>(
    place: &Place,
    job: impl FnOnce(&Writes<'_>) -> Answer<T> + Send + 'static,
) -> T {
    place.store.write(job).await.unwrap()
}

fn usage(keys: u64, bytes: u64) -> Usage {
    Usage { keys, bytes }
}

fn over(limit: QuotaLimit, allowed: u64, wanted: u64) -> KeyValueError {
    KeyValueError::Quota { limit, allowed, wanted }
}

#[tokio::test]
async fn a_value_that_is_set_is_read_until_it_is_deleted() {
    let place = Place::new();
    // One byte of the bucket, two of the key, three of the value.
    let kept = done(&place, |writes| writes.key_value_set("p", "b", "kk", b"one", &PLENTY)).await;
    assert_eq!(kept, usage(1, 6));
    let kept = done(&place, |writes| writes.key_value_set("p", "b", "kk", b"", &PLENTY)).await;
    assert_eq!(kept, usage(1, 3));
    let value = place.store.read(|reads| reads.key_value_get("p", "b", "kk")).await;
    assert_eq!(value, Ok(Some(Vec::new())));
    assert_eq!(place.store.read(|reads| reads.key_value_exists("p", "b", "kk")).await, Ok(true));
    let deleted = done(&place, |writes| {
        Ok([writes.key_value_delete("p", "b", "kk")?, writes.key_value_delete("p", "b", "kk")?])
    });
    assert_eq!(deleted.await, [true, false]);
    assert_eq!(place.store.read(|reads| reads.key_value_get("p", "b", "kk")).await, Ok(None));
    assert_eq!(place.store.read(|reads| reads.key_value_exists("p", "b", "kk")).await, Ok(false));
    assert_eq!(place.read(|reads| reads.key_value_usage("p")).await, usage(0, 0));
    assert_sound(place.path());
}

#[tokio::test]
async fn plugins_and_buckets_are_kept_apart() {
    let place = Place::new();
    // Whose names put together would be the same.
    done(&place, |writes| {
        for (plugin, bucket, key) in [("a", "b", "c"), ("ab", "", "c"), ("a", "", "bc"), ("A", "b", "c")] {
            writes.key_value_set(
                plugin,
                bucket,
                key,
                format!("{plugin}/{bucket}/{key}").as_bytes(),
                &PLENTY,
            )?;
        }
        Ok(())
    })
    .await;
    let seen = place.store.read(|reads| {
        let value = reads.key_value_get("a", "b", "c")?;
        Ok::<_, KeyValueError>((value, reads.key_value_keys("a", "", 0, 9)?, reads.key_value_usage("ab")?))
    });
    assert_eq!(seen.await.unwrap(), (Some(b"a/b/c".to_vec()), vec!["bc".to_owned()], usage(1, 6)));

    assert_eq!(place.write(|writes| writes.key_value_clear("a")).await, 2);
    assert_eq!(place.write(|writes| writes.key_value_clear("a")).await, 0);
    let left = place.read(|reads| {
        Ok(["a", "ab", "A"].map(|plugin| reads.key_value_usage(plugin).map(|usage| usage.keys)))
    });
    assert_eq!(left.await, [Ok(0), Ok(1), Ok(1)]);
    assert_eq!(check(place.path()).unwrap().tables["key_value_usage"], 2);
    assert_sound(place.path());
}

#[tokio::test]
async fn the_quota_is_what_may_be_kept_and_not_a_byte_or_key_more() {
    let place = Place::new();
    let quota = Quota { keys: 2, bytes: 10 };
    let refused = done(&place, move |writes| {
        // The first is two bytes of names and six of value; the second may have one of value.
        assert_eq!(writes.key_value_set("p", "b", "1", b"123456", &quota), Ok(usage(1, 8)));
        let bytes = writes.key_value_set("p", "b", "2", b"1", &quota);
        assert_eq!(writes.key_value_set("p", "b", "2", b"", &quota), Ok(usage(2, 10)));
        let both = writes.key_value_set("p", "", "3", b"", &quota);
        let longer = writes.key_value_set("p", "b", "1", b"1234567", &quota);
        let number = writes.key_value_increment("p", "", "number", 1, &quota);
        let other = writes.key_value_set("other", "", "3", b"", &quota);
        Ok((bytes, both, longer, number, other))
    })
    .await;
    assert_eq!(
        refused,
        (
            Err(over(QuotaLimit::Bytes, 10, 11)),
            Err(over(QuotaLimit::Keys, 2, 3)),
            Err(over(QuotaLimit::Bytes, 10, 11)),
            Err(over(QuotaLimit::Keys, 2, 3)),
            Ok(usage(1, 1)),
        )
    );
    let error = refused.0.unwrap_err();
    assert_eq!(error.code(), "quota");
    assert_eq!(
        error.to_string(),
        "the plugin would keep 11 bytes, its quota allows 10; delete keys or raise the quota"
    );
    // The job went on and succeeded; what was refused in it left nothing.
    assert_eq!(place.read(|reads| reads.key_value_usage("p")).await, usage(2, 10));
    assert_sound(place.path());
}

#[tokio::test]
async fn after_the_quota_was_lowered_what_does_not_grow_is_still_allowed() {
    let place = Place::new();
    let lowered = Quota { keys: 1, bytes: 5 };
    done(&place, move |writes| {
        writes.key_value_set("p", "", "a", b"123456789", &PLENTY)?;
        writes.key_value_set("p", "", "b", b"9", &PLENTY)?;
        assert_eq!(writes.key_value_set("p", "", "a", b"987654321", &lowered), Ok(usage(2, 12)));
        assert_eq!(writes.key_value_set("p", "", "a", b"12345678", &lowered), Ok(usage(2, 11)));
        assert_eq!(
            writes.key_value_set("p", "", "a", b"123456789", &lowered),
            Err(over(QuotaLimit::Bytes, 5, 12))
        );
        // A number of two digits is longer than one of one.
        assert_eq!(
            writes.key_value_increment("p", "", "b", 1, &lowered),
            Err(over(QuotaLimit::Bytes, 5, 12))
        );
        assert_eq!(writes.key_value_increment("p", "", "b", 0, &lowered), Ok(9));
        // Fewer bytes do not make up for more keys.
        let values = [("a", ""), ("c", "")];
        assert_eq!(writes.key_value_set_many("p", "", &values, &lowered), Err(over(QuotaLimit::Keys, 1, 3)));
        Ok(())
    })
    .await;
    assert_sound(place.path());
}

#[tokio::test]
async fn many_are_set_together_or_not_at_all() {
    let place = Place::new();
    let quota = Quota { keys: 2, bytes: 100 };
    done(&place, move |writes| {
        let three = [("a", "1"), ("b", "2"), ("c", "3")];
        assert_eq!(writes.key_value_set_many("p", "", &three, &quota), Err(over(QuotaLimit::Keys, 2, 3)));
        assert_eq!(writes.key_value_usage("p")?, usage(0, 0));
        let bad = [("a", "1"), ("", "2")];
        let refused = writes.key_value_set_many("p", "", &bad, &quota);
        assert_eq!(refused, Err(KeyProblem::Empty.into()));
        assert_eq!(writes.key_value_usage("p")?, usage(0, 0));
        // The last of a key counts, and nothing before it.
        let twice = [
            ("a", "a value that is far too long to be kept".repeat(9)),
            ("b", "2".into()),
            ("a", "3".into()),
        ];
        assert_eq!(writes.key_value_set_many("p", "", &twice, &quota), Ok(usage(2, 4)));
        let values = writes.key_value_get_many("p", "", &["b", "none", "a", "b"], 3)?;
        let [two, three] = [b"2", b"3"].map(|value| Some(value.to_vec()));
        assert_eq!(values, [two.clone(), None, three, two]);
        let refused = writes.key_value_get_many("p", "", &["b", "none", "a", "b"], 2);
        assert_eq!(refused, Err(KeyValueError::TooMuchAtOnce { allowed: 2 }));
        assert_eq!(writes.key_value_delete_many("p", "", &["a", ""]), Err(KeyProblem::Empty.into()));
        assert_eq!(writes.key_value_delete_many("p", "", &["a", "none", "a", "b"]), Ok(2));
        assert_eq!(writes.key_value_set_many::<&str, &str>("p", "", &[], &quota), Ok(usage(0, 0)));
        Ok(())
    })
    .await;
    assert_sound(place.path());
}

#[tokio::test]
async fn a_key_may_be_any_text_up_to_its_length() {
    let place = Place::new();
    let keys = ["\0", "a\0b", "a\0c", "a", " ", "ключ", "🔑", "%_'\";--"];
    let kept = done(&place, move |writes| {
        for key in keys {
            writes.key_value_set("p\0", "b\0", key, key.as_bytes(), &PLENTY)?;
        }
        writes.key_value_set("p\0", &"é".repeat(127), &"k".repeat(1_024), b"", &PLENTY)
    });
    let bytes = keys.map(|key| 2 + 2 * key.len()).iter().sum::<usize>() + 254 + 1_024;
    assert_eq!(kept.await, usage(9, bytes as u64));
    let (values, listed) = place
        .store
        .read(move |reads| {
            let values = reads.key_value_get_many("p\0", "b\0", &keys, u64::MAX)?;
            Ok::<_, KeyValueError>((values, reads.key_value_keys("p\0", "b\0", 0, 100)?))
        })
        .await
        .unwrap();
    assert_eq!(values, keys.map(|key| Some(key.as_bytes().to_vec())));
    assert_eq!(listed, BTreeSet::from(keys).into_iter().collect::<Vec<_>>());
    assert_sound(place.path());
}

#[tokio::test]
async fn a_key_that_no_row_can_have_is_refused_by_every_method() {
    let place = Place::new();
    let long = "é".repeat(513);
    let far_too_long = "b".repeat(256);
    for (bucket, key, reason, said) in [
        ("", "", KeyProblem::Empty, "the key is empty; give it a name"),
        (
            "b",
            long.as_str(),
            KeyProblem::TooLong { bytes: 1_026 },
            "the key has 1026 bytes; at most 1024 are possible",
        ),
        (
            far_too_long.as_str(),
            "k",
            KeyProblem::BucketTooLong { bytes: 256 },
            "the bucket's name has 256 bytes; at most 255 are possible",
        ),
    ] {
        let refusal = KeyValueError::Key { reason };
        assert_eq!((refusal.code(), refusal.to_string().as_str()), ("key", said));
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let refusals = done(&place, move |writes| {
            let (bucket, key) = (bucket.as_str(), key.as_str());
            Ok([
                writes.key_value_get("p", bucket, key).map(drop),
                writes.key_value_get_many("p", bucket, &[key], 9).map(drop),
                writes.key_value_exists("p", bucket, key).map(drop),
                writes.key_value_set("p", bucket, key, b"", &PLENTY).map(drop),
                writes.key_value_set_many("p", bucket, &[(key, "")], &PLENTY).map(drop),
                writes.key_value_increment("p", bucket, key, 1, &PLENTY).map(drop),
                writes.key_value_delete("p", bucket, key).map(drop),
                writes.key_value_delete_many("p", bucket, &[key]).map(drop),
            ])
        });
        assert_eq!(refusals.await.to_vec(), vec![Err(refusal); 8]);
    }
    let listed = place.store.read(move |reads| reads.key_value_keys("p", &far_too_long, 0, 1)).await;
    assert_eq!(listed, Err(KeyProblem::BucketTooLong { bytes: 256 }.into()));
}

#[tokio::test]
async fn keys_come_in_pages_and_a_page_beyond_the_end_is_empty() {
    let place = Place::new();
    done(&place, |writes| {
        let values: Vec<_> = (0..25).rev().map(|number| (format!("key-{number:02}"), "")).collect();
        writes.key_value_set_many("p", "b", &values, &PLENTY)
    })
    .await;
    let page = async |offset, limit| {
        place.store.read(move |reads| reads.key_value_keys("p", "b", offset, limit)).await.unwrap()
    };
    let names = |numbers: std::ops::Range<u32>| -> Vec<_> {
        numbers.map(|number| format!("key-{number:02}")).collect()
    };
    assert_eq!(page(0, 10).await, names(0..10));
    assert_eq!(page(10, 10).await, names(10..20));
    assert_eq!(page(20, u32::MAX).await, names(20..25));
    for (offset, limit) in [(0, 0), (25, 10), (u64::MAX, 10), (u64::MAX, u32::MAX), (1 << 63, 1)] {
        assert_eq!(page(offset, limit).await, names(0..0), "{offset}");
    }
}

#[tokio::test]
async fn only_a_number_that_stays_within_64_bits_is_incremented() {
    let place = Place::new();
    done(&place, |writes| {
        assert_eq!(writes.key_value_increment("p", "", "new", 0, &PLENTY), Ok(0));
        assert_eq!(writes.key_value_increment("p", "", "new", 7, &PLENTY), Ok(7));
        assert_eq!(writes.key_value_get("p", "", "new")?.as_deref(), Some(b"7".as_slice()));
        assert_eq!(writes.key_value_increment("p", "", "new", u64::MAX - 7, &PLENTY), Ok(u64::MAX));
        let refused = writes.key_value_increment("p", "", "new", 1, &PLENTY);
        assert_eq!(refused, Err(KeyValueError::Overflow));
        assert_eq!(writes.key_value_get("p", "", "new")?, Some(u64::MAX.to_string().into_bytes()));
        for value in [b"".as_slice(), b"+1", b"-1", b"1.5", b"1\n", b"\xff", b"18446744073709551616"] {
            writes.key_value_set("p", "", "other", value, &PLENTY)?;
            let refused = writes.key_value_increment("p", "", "other", 1, &PLENTY);
            assert_eq!(refused, Err(KeyValueError::NotANumber), "{value:?}");
            assert_eq!(writes.key_value_get("p", "", "other")?.as_deref(), Some(value));
        }
        Ok(())
    })
    .await;
    assert_eq!(
        [KeyValueError::NotANumber.code(), KeyValueError::Overflow.code()],
        ["not-a-number", "overflow"]
    );
    assert_sound(place.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_increment_at_once_each_counts() {
    let place = Place::new();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = place.store.clone();
            tokio::spawn(async move {
                let mut sums = Vec::new();
                for _ in 0..200 {
                    let job = |writes: &Writes<'_>| writes.key_value_increment("p", "", "number", 1, &PLENTY);
                    sums.push(store.write(job).await.unwrap());
                }
                sums
            })
        })
        .collect();
    let mut sums = Vec::new();
    for task in tasks {
        sums.extend(task.await.unwrap());
    }
    sums.sort_unstable();
    assert_eq!(sums, (1..=1_600).collect::<Vec<_>>());
    let value = place.store.read(|reads| reads.key_value_get("p", "", "number")).await;
    assert_eq!(value, Ok(Some(b"1600".to_vec())));
    assert_sound(place.path());
}

#[tokio::test]
async fn a_job_that_fails_in_a_shared_commit_leaves_neither_rows_nor_usage() {
    let place = Place::new();
    let (let_go, held) = hold_the_writer(&place.store).await;
    let set = |key: &'static str| {
        move |writes: &Writes<'_>| match writes.key_value_set("p", "", key, b"1", &PLENTY) {
            Ok(_) if key == "failed" => Err(StoreError::Duplicate),
            other => other.map_err(|error| panic!("{error}")),
        }
    };
    let before = hand_in(&place.store, set("before")).await;
    let failed = hand_in(&place.store, set("failed")).await;
    let after = hand_in(&place.store, set("after")).await;
    drop(let_go);
    held.await.unwrap().unwrap();
    assert_eq!(before.await.unwrap(), Ok(usage(1, 7)));
    assert_eq!(failed.await.unwrap(), Err(StoreError::Duplicate));
    assert_eq!(after.await.unwrap(), Ok(usage(2, 13)));
    assert_eq!(place.read(|reads| reads.key_value_usage("p")).await, usage(2, 13));
    assert_sound(place.path());
}
