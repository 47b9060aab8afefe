-- What plugins keep, and how much of it, so that a quota is checked without counting.

-- With rowids: values may be long, and a page of keys is then read from the primary key's index alone, past no value
-- (https://sqlite.org/withoutrowid.html, "When To Use WITHOUT ROWID").
CREATE TABLE key_value (
  plugin TEXT NOT NULL,
  bucket TEXT NOT NULL,
  key    TEXT NOT NULL,
  value  BLOB NOT NULL,
  PRIMARY KEY (plugin, bucket, key)
) STRICT;

-- How many keys a plugin has, and the bytes of their buckets, keys and values. No entry means none.
CREATE TABLE key_value_usage (
  plugin TEXT    NOT NULL PRIMARY KEY,
  keys   INTEGER NOT NULL CHECK (keys >= 0),
  bytes  INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;

-- A procedure: inserting into this view counts a row in (change 1) or out (change -1). octet_length, because length stops at
-- the first NUL of a text and counts characters before it.
CREATE VIEW key_value_tally (plugin, bucket, key, value, change) AS SELECT '', '', '', x'', 0 WHERE FALSE;

CREATE TRIGGER key_value_tally_counts INSTEAD OF INSERT ON key_value_tally
BEGIN
  INSERT INTO key_value_usage (plugin, keys, bytes)
    VALUES (NEW.plugin, max(NEW.change, 0),
            max(NEW.change, 0) * (octet_length(NEW.bucket) + octet_length(NEW.key) + octet_length(NEW.value)))
    ON CONFLICT (plugin) DO UPDATE SET
      keys = keys + NEW.change,
      bytes = bytes + NEW.change * (octet_length(NEW.bucket) + octet_length(NEW.key) + octet_length(NEW.value));
  DELETE FROM key_value_usage WHERE plugin = NEW.plugin AND keys = 0;
END;

CREATE TRIGGER key_value_inserted AFTER INSERT ON key_value
BEGIN
  INSERT INTO key_value_tally VALUES (NEW.plugin, NEW.bucket, NEW.key, NEW.value, 1);
END;

CREATE TRIGGER key_value_deleted AFTER DELETE ON key_value
BEGIN
  INSERT INTO key_value_tally VALUES (OLD.plugin, OLD.bucket, OLD.key, OLD.value, -1);
END;

-- In before out, so that the entry of a plugin with one key is not made anew.
CREATE TRIGGER key_value_updated AFTER UPDATE ON key_value
BEGIN
  INSERT INTO key_value_tally VALUES (NEW.plugin, NEW.bucket, NEW.key, NEW.value, 1);
  INSERT INTO key_value_tally VALUES (OLD.plugin, OLD.bucket, OLD.key, OLD.value, -1);
END;
