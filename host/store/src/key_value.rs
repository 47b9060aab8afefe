//! What plugins keep: values by key, in buckets. All SQL about that is here.
//!
//! The rows of one plugin are out of reach of every other. How much a plugin may keep is the caller's to say, with each
//! write.

mod error;

use std::collections::BTreeMap;

use rusqlite::params;

use crate::error::StoreError;
use crate::job::{Reads, Writes};

pub use error::{KeyProblem, KeyValueError, QuotaLimit};

/// The longest key, in bytes of UTF-8.
const KEY_BYTES: usize = 1_024;
/// The longest name of a bucket, in bytes of UTF-8. The empty one is a bucket like any other.
const BUCKET_BYTES: usize = 255;

/// How much a plugin may keep, over all its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many keys.
    pub keys: u64,
    /// How many bytes, counted as [`Usage::bytes`].
    pub bytes: u64,
}

/// How much a plugin keeps, over all its buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many keys.
    pub keys: u64,
    /// The bytes of each key's name, its bucket's name and its value.
    pub bytes: u64,
}

impl Quota {
    /// Whether the usage may change so. What does not grow may stay above a quota that was lowered.
    fn admits(&self, before: Usage, after: Usage) -> Result<(), KeyValueError> {
        for (limit, before, wanted, allowed) in [
            (QuotaLimit::Keys, before.keys, after.keys, self.keys),
            (QuotaLimit::Bytes, before.bytes, after.bytes, self.bytes),
        ] {
            if wanted > before && wanted > allowed {
                return Err(KeyValueError::Quota { limit, allowed, wanted });
            }
        }
        Ok(())
    }
}

impl Reads<'_> {
    /// The value of a key.
    ///
    /// # Errors
    /// [`KeyValueError::Key`]; the database could not be read.
    pub fn key_value_get(
        &self,
        plugin: &str,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, KeyValueError> {
        check_key(bucket, key)?;
        let value = self.first(
            "SELECT value FROM key_value WHERE plugin = ?1 AND bucket = ?2 AND key = ?3",
            [plugin, bucket, key],
            |row| row.get(0),
        )?;
        Ok(value)
    }

    /// The values of keys, in the order of the keys. A key that is named again is answered again, so that an answer can be
    /// longer than all that the plugin keeps: `max_bytes` is what the values may have together.
    ///
    /// # Errors
    /// [`KeyValueError::Key`]; [`KeyValueError::TooMuchAtOnce`]; the database could not be read.
    pub fn key_value_get_many<K: AsRef<str>>(
        &self,
        plugin: &str,
        bucket: &str,
        keys: &[K],
        max_bytes: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueError> {
        let mut room = max_bytes;
        let values = keys.iter().map(|key| {
            let value = self.key_value_get(plugin, bucket, key.as_ref())?;
            let bytes = value.as_ref().map_or(0, Vec::len) as u64;
            room = room.checked_sub(bytes).ok_or(KeyValueError::TooMuchAtOnce { allowed: max_bytes })?;
            Ok(value)
        });
        values.collect()
    }

    /// Whether there is a value of this key.
    ///
    /// # Errors
    /// [`KeyValueError::Key`]; the database could not be read.
    pub fn key_value_exists(&self, plugin: &str, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        check_key(bucket, key)?;
        Ok(self.value_bytes(plugin, bucket, key)?.is_some())
    }

    /// A page of a bucket's keys: at most `limit`, after the first `offset` in the order of their bytes. Keys that come or go
    /// between two pages move those behind them.
    ///
    /// The cost grows with `offset`, by the steps of an index, and never beyond the plugin's number of keys.
    ///
    /// # Errors
    /// [`KeyValueError::Key`]; the database could not be read.
    pub fn key_value_keys(
        &self,
        plugin: &str,
        bucket: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<String>, KeyValueError> {
        check_bucket(bucket)?;
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let read = || {
            let mut statement = self.connection.prepare_cached(PAGE)?;
            let rows = statement.query_map(params![plugin, bucket, limit, offset], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        Ok(read().map_err(StoreError::from)?)
    }

    /// How much a plugin keeps. Costs the same however much it is.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn key_value_usage(&self, plugin: &str) -> Result<Usage, StoreError> {
        let usage =
            self.first("SELECT keys, bytes FROM key_value_usage WHERE plugin = ?1", [plugin], |row| {
                Ok(Usage { keys: row.get(0)?, bytes: row.get(1)? })
            })?;
        Ok(usage.unwrap_or_default())
    }

    /// How long a key's value is, found without reading it.
    fn value_bytes(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<u64>, StoreError> {
        self.first(
            "SELECT octet_length(value) FROM key_value WHERE plugin = ?1 AND bucket = ?2 AND key = ?3",
            [plugin, bucket, key],
            |row| row.get(0),
        )
    }
}

impl Writes<'_> {
    /// Gives a key this value, whether it had one or not; how much the plugin keeps then. Only what the value adds counts
    /// against the quota: one that is no longer than that before is never refused.
    ///
    /// # Errors
    /// [`KeyValueError::Quota`]; [`KeyValueError::Key`]; the database could not be written.
    pub fn key_value_set(
        &self,
        plugin: &str,
        bucket: &str,
        key: &str,
        value: &[u8],
        quota: &Quota,
    ) -> Result<Usage, KeyValueError> {
        self.key_value_set_many(plugin, bucket, &[(key, value)], quota)
    }

    /// Gives all these keys their values, or none when they are too much together; how much the plugin keeps then. Of a key
    /// that is named again, the last value stays.
    ///
    /// # Errors
    /// Those of [`Writes::key_value_set`].
    pub fn key_value_set_many<K: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        plugin: &str,
        bucket: &str,
        values: &[(K, V)],
        quota: &Quota,
    ) -> Result<Usage, KeyValueError> {
        check_bucket(bucket)?;
        let mut last = BTreeMap::new();
        for (key, value) in values {
            check_key(bucket, key.as_ref())?;
            last.insert(key.as_ref(), value.as_ref());
        }
        let before = self.key_value_usage(plugin)?;
        let mut after = before;
        for (key, value) in &last {
            let value = value.len() as u64;
            // Nothing is cut off here unless the counters are wrong, which a check reports.
            after = match self.value_bytes(plugin, bucket, key)? {
                Some(replaced) => Usage { bytes: (after.bytes + value).saturating_sub(replaced), ..after },
                None => Usage {
                    keys: after.keys + 1,
                    bytes: after.bytes + (bucket.len() + key.len()) as u64 + value,
                },
            };
        }
        quota.admits(before, after)?;
        for (key, value) in last {
            self.execute(
                "INSERT INTO key_value (plugin, bucket, key, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (plugin, bucket, key) DO UPDATE SET value = excluded.value",
                params![plugin, bucket, key, value],
            )?;
        }
        Ok(after)
    }

    /// Adds to the number that a key's value is, in decimal digits; the sum, which is the value then. No value counts as 0.
    ///
    /// # Errors
    /// [`KeyValueError::NotANumber`]; [`KeyValueError::Overflow`]; those of [`Writes::key_value_set`].
    pub fn key_value_increment(
        &self,
        plugin: &str,
        bucket: &str,
        key: &str,
        delta: u64,
        quota: &Quota,
    ) -> Result<u64, KeyValueError> {
        let number = match self.key_value_get(plugin, bucket, key)? {
            Some(value) => number(&value).ok_or(KeyValueError::NotANumber)?,
            None => 0,
        };
        let sum = number.checked_add(delta).ok_or(KeyValueError::Overflow)?;
        self.key_value_set(plugin, bucket, key, sum.to_string().as_bytes(), quota)?;
        Ok(sum)
    }

    /// Deletes a key and its value; whether there was one.
    ///
    /// # Errors
    /// [`KeyValueError::Key`]; the database could not be written.
    pub fn key_value_delete(&self, plugin: &str, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.key_value_delete_many(plugin, bucket, &[key])? > 0)
    }

    /// Deletes keys and their values; how many of them there were.
    ///
    /// # Errors
    /// Those of [`Writes::key_value_delete`].
    pub fn key_value_delete_many<K: AsRef<str>>(
        &self,
        plugin: &str,
        bucket: &str,
        keys: &[K],
    ) -> Result<u64, KeyValueError> {
        check_bucket(bucket)?;
        keys.iter().try_for_each(|key| check_key(bucket, key.as_ref()))?;
        let mut deleted = 0;
        for key in keys {
            deleted += self.execute(
                "DELETE FROM key_value WHERE plugin = ?1 AND bucket = ?2 AND key = ?3",
                [plugin, bucket, key.as_ref()],
            )?;
        }
        Ok(deleted as u64)
    }

    /// Deletes everything that a plugin keeps; how many keys that were.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn key_value_clear(&self, plugin: &str) -> Result<u64, StoreError> {
        Ok(self.execute("DELETE FROM key_value WHERE plugin = ?1", [plugin])? as u64)
    }
}

/// A page of a bucket's keys.
const PAGE: &str =
    "SELECT key FROM key_value WHERE plugin = ?1 AND bucket = ?2 ORDER BY key LIMIT ?3 OFFSET ?4";

/// What is asked of the counters by a check: each says what it found wrong, a row a problem.
pub(crate) const QUESTIONS: &[&str] = &[
    "SELECT 'key_value_usage: plugin ' || plugin || ': ' || sum(counted) || ' keys counted, ' || sum(present)
            || ' present; of them bytes ' || sum(counted_bytes) || ' and ' || sum(present_bytes)
     FROM (SELECT plugin, keys AS counted, bytes AS counted_bytes, 0 AS present, 0 AS present_bytes
           FROM key_value_usage
           UNION ALL
           SELECT plugin, 0, 0, count(*), sum(octet_length(bucket) + octet_length(key) + octet_length(value))
           FROM key_value GROUP BY plugin)
     GROUP BY plugin
     HAVING sum(counted) <> sum(present) OR sum(counted_bytes) <> sum(present_bytes) LIMIT 100",
];

fn check_bucket(bucket: &str) -> Result<(), KeyProblem> {
    match bucket.len() {
        bytes if bytes > BUCKET_BYTES => Err(KeyProblem::BucketTooLong { bytes }),
        _ => Ok(()),
    }
}

fn check_key(bucket: &str, key: &str) -> Result<(), KeyProblem> {
    check_bucket(bucket)?;
    match key.len() {
        0 => Err(KeyProblem::Empty),
        bytes if bytes > KEY_BYTES => Err(KeyProblem::TooLong { bytes }),
        _ => Ok(()),
    }
}

/// The number that a value is. Unlike `str::parse`, takes no sign.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::connection::configure;
    use crate::schema::{STEPS, migrate};

    #[test]
    fn a_page_of_keys_reads_no_value_and_sorts_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        migrate(&mut connection, "memory".as_ref(), STEPS).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {PAGE}");
        let plan =
            connection.query_row(&sql, params!["p", "b", 1, 1], |row| row.get::<_, String>(3)).unwrap();
        assert_eq!(
            plan,
            "SEARCH key_value USING COVERING INDEX sqlite_autoindex_key_value_1 (plugin=? AND bucket=?)"
        );
    }

    #[test]
    fn a_number_is_digits_that_fit_and_nothing_else() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"0042"), Some(42));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for value in ["", "+1", "-1", " 1", "1 ", "1.0", "1\0", "one", "18446744073709551616", "\u{664}"] {
            assert_eq!(number(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(number(b"\xff"), None);
    }
}
