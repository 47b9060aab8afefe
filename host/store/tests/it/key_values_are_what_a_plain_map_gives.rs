//! Random changes of plugins' rows, compared with a map in which everything is counted anew each time.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_store::{KeyProblem, KeyValueError, Quota, QuotaLimit, Reads, Usage, Writes};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::support::{Place, assert_sound};

const PLUGINS: [&str; 3] = ["p", "pb", "p\0"];
const BUCKETS: [&str; 3] = ["", "b", "ведро"];
const KEYS: [&str; 8] = ["a", "b", "ab", "a\0", "\0", "ä", "🔑", "z"];

#[derive(Debug, Clone)]
enum Change {
    Set(Vec<(String, Vec<u8>)>),
    Delete(Vec<String>),
    Increment(String, u64),
    Clear,
}

#[derive(Debug, Clone)]
struct Step {
    plugin: &'static str,
    bucket: &'static str,
    quota: Quota,
    change: Change,
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => select(KEYS.to_vec()).prop_map(str::to_owned),
        1 => Just(String::new()),
        1 => Just("k".repeat(1_025)),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        (0..120_u64).prop_map(|number| number.to_string().into_bytes()),
        Just((u64::MAX - 3).to_string().into_bytes()),
    ]
}

fn quota() -> impl Strategy<Value = Quota> {
    let limit = |most: u64| prop_oneof![3 => 0..most, 1 => Just(u64::MAX)];
    (limit(20), limit(500)).prop_map(|(keys, bytes)| Quota { keys, bytes })
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        8 => (key(), value()).prop_map(|pair| Change::Set(vec![pair])),
        4 => prop::collection::vec((key(), value()), 0..6).prop_map(Change::Set),
        3 => key().prop_map(|key| Change::Delete(vec![key])),
        2 => prop::collection::vec(key(), 0..6).prop_map(Change::Delete),
        8 => (key(), prop_oneof![0..20_u64, Just(u64::MAX)])
            .prop_map(|(key, delta)| Change::Increment(key, delta)),
        1 => Just(Change::Clear),
    ];
    (select(PLUGINS.to_vec()), select(BUCKETS.to_vec()), quota(), change)
        .prop_map(|(plugin, bucket, quota, change)| Step { plugin, bucket, quota, change })
}

type Name = (String, String, String);

/// The map that stands for the table.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(BTreeMap<Name, Vec<u8>>);

fn name(plugin: &str, bucket: &str, key: &str) -> Name {
    (plugin.to_owned(), bucket.to_owned(), key.to_owned())
}

fn checked(key: &str) -> Result<(), KeyValueError> {
    match key.len() {
        0 => Err(KeyProblem::Empty.into()),
        bytes if bytes > 1_024 => Err(KeyProblem::TooLong { bytes }.into()),
        _ => Ok(()),
    }
}

impl Model {
    fn usage(&self, plugin: &str) -> Usage {
        let own = self.0.iter().filter(|((owner, ..), _)| owner == plugin);
        own.fold(Usage::default(), |usage, ((_, bucket, key), value)| Usage {
            keys: usage.keys + 1,
            bytes: usage.bytes + (bucket.len() + key.len() + value.len()) as u64,
        })
    }

    fn set(&mut self, step: &Step, values: &[(String, Vec<u8>)]) -> Result<Usage, KeyValueError> {
        values.iter().try_for_each(|(key, _)| checked(key))?;
        let mut changed = self.clone();
        for (key, value) in values {
            changed.0.insert(name(step.plugin, step.bucket, key), value.clone());
        }
        let (before, after) = (self.usage(step.plugin), changed.usage(step.plugin));
        let refused = |limit, allowed, wanted| Err(KeyValueError::Quota { limit, allowed, wanted });
        if after.keys > before.keys.max(step.quota.keys) {
            return refused(QuotaLimit::Keys, step.quota.keys, after.keys);
        }
        if after.bytes > before.bytes.max(step.quota.bytes) {
            return refused(QuotaLimit::Bytes, step.quota.bytes, after.bytes);
        }
        *self = changed;
        Ok(after)
    }

    fn increment(&mut self, step: &Step, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        checked(key)?;
        let number = match self.0.get(&name(step.plugin, step.bucket, key)) {
            None => 0,
            Some(value) if value.contains(&b'+') => return Err(KeyValueError::NotANumber),
            Some(value) => String::from_utf8_lossy(value).parse().map_err(|_| KeyValueError::NotANumber)?,
        };
        let sum = u64::checked_add(number, delta).ok_or(KeyValueError::Overflow)?;
        self.set(step, &[(key.to_owned(), sum.to_string().into_bytes())])?;
        Ok(sum)
    }

    fn delete(&mut self, step: &Step, keys: &[String]) -> Result<u64, KeyValueError> {
        keys.iter().try_for_each(|key| checked(key))?;
        let before = self.0.len();
        self.0.retain(|(plugin, bucket, key), _| {
            plugin != step.plugin || bucket != step.bucket || !keys.contains(key)
        });
        Ok((before - self.0.len()) as u64)
    }

    fn clear(&mut self, plugin: &str) -> u64 {
        let cleared = self.usage(plugin).keys;
        self.0.retain(|(owner, ..), _| owner != plugin);
        cleared
    }
}

/// Applies a step to the table and to the map, and holds the two answers against each other.
fn apply(writes: &Writes<'_>, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    let Step { plugin, bucket, quota, change } = step;
    match change {
        Change::Set(values) => {
            let answer = match values.as_slice() {
                [(key, value)] => writes.key_value_set(plugin, bucket, key, value, quota),
                values => writes.key_value_set_many(plugin, bucket, values, quota),
            };
            prop_assert_eq!(answer, model.set(step, values));
        }
        Change::Delete(keys) => {
            let answer = match keys.as_slice() {
                [key] => writes.key_value_delete(plugin, bucket, key).map(u64::from),
                keys => writes.key_value_delete_many(plugin, bucket, keys),
            };
            prop_assert_eq!(answer, model.delete(step, keys));
        }
        Change::Increment(key, delta) => {
            let answer = writes.key_value_increment(plugin, bucket, key, *delta, quota);
            prop_assert_eq!(answer, model.increment(step, key, *delta));
        }
        Change::Clear => prop_assert_eq!(writes.key_value_clear(plugin), Ok(model.clear(plugin))),
    }
    prop_assert_eq!(writes.key_value_usage(plugin), Ok(model.usage(plugin)));
    Ok(())
}

/// Everything that the table holds is what the map holds.
fn compare(reads: &Reads<'_>, model: &Model) -> Result<(), TestCaseError> {
    for plugin in PLUGINS {
        prop_assert_eq!(reads.key_value_usage(plugin), Ok(model.usage(plugin)));
        for bucket in BUCKETS {
            let wanted = KEYS.map(|key| model.0.get(&name(plugin, bucket, key)).cloned());
            for (key, value) in KEYS.iter().zip(&wanted) {
                prop_assert_eq!(reads.key_value_exists(plugin, bucket, key), Ok(value.is_some()));
                prop_assert_eq!(reads.key_value_get(plugin, bucket, key), Ok(value.clone()));
            }
            let values = reads.key_value_get_many(plugin, bucket, &KEYS, u64::MAX);
            prop_assert_eq!(values, Ok(wanted.to_vec()));
            let present = KEYS.iter().zip(&wanted).filter(|(_, value)| value.is_some());
            let keys: Vec<_> = present.map(|(key, _)| *key).collect::<BTreeSet<_>>().into_iter().collect();
            for offset in 0..=keys.len() {
                let page: Vec<_> = keys.iter().skip(offset).take(3).map(|key| (*key).to_owned()).collect();
                prop_assert_eq!(reads.key_value_keys(plugin, bucket, offset as u64, 3), Ok(page));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn key_values_are_what_a_plain_map_gives(steps in prop::collection::vec(step(), 0..300)) {
        let runtime = Runtime::new().unwrap();
        let place = Place::new();
        let (model, applied) = runtime.block_on(place.write(move |writes| {
            let mut model = Model::default();
            let applied = steps.iter().try_for_each(|step| apply(writes, &mut model, step));
            Ok((model, applied))
        }));
        applied?;
        runtime.block_on(place.read(move |reads| Ok(compare(reads, &model))))?;
        assert_sound(place.path());
    }
}
