-- Users, their archive statuses, and the counters that keep counts and deep pages cheap.
-- Times are microseconds since 1970-01-01T00:00:00Z.

-- AUTOINCREMENT: the id of a deleted row is never given to another one.
CREATE TABLE users (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  username     TEXT    NOT NULL UNIQUE,
  email        TEXT    NOT NULL,
  is_active    INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  is_staff     INTEGER NOT NULL CHECK (is_staff IN (0, 1)),
  is_superuser INTEGER NOT NULL CHECK (is_superuser IN (0, 1))
) STRICT;

CREATE TABLE archive_status (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  course_id    TEXT    NOT NULL COLLATE NOCASE,
  user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  is_archived  INTEGER NOT NULL CHECK (is_archived IN (0, 1)),
  archive_date INTEGER,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  last_synced  INTEGER
) STRICT;

-- Every index ends, as all of SQLite's do, with the row's id in ascending order. Lists break ties by ascending id, so an
-- index serves its own direction exactly; the other one sorts only the rows that tie.

-- The rule that a user has one row a course; one course's rows; the order by course.
CREATE UNIQUE INDEX archive_status_course ON archive_status (course_id, user_id);
-- A user's list in the default order; deleting a user; the order by user.
CREATE INDEX archive_status_user ON archive_status (user_id, updated_at DESC);
-- Everybody's list in the default order; cutting the blocks below.
CREATE INDEX archive_status_updated ON archive_status (updated_at DESC);
-- The same of only archived, or only other rows.
CREATE INDEX archive_status_archived_updated ON archive_status (is_archived, updated_at DESC);
-- The order by is_archived: half of all rows tie, so their ids must come in order. A few bytes a row, appended at the end.
CREATE INDEX archive_status_archived ON archive_status (is_archived);
-- The orders by these times.
CREATE INDEX archive_status_archive_date ON archive_status (archive_date);
CREATE INDEX archive_status_created ON archive_status (created_at);

-- How many rows a user has. No entry means none.
CREATE TABLE archive_count (
  user_id     INTEGER NOT NULL,
  is_archived INTEGER NOT NULL,
  rows        INTEGER NOT NULL CHECK (rows >= 0),
  PRIMARY KEY (user_id, is_archived)
) STRICT, WITHOUT ROWID;

-- How many rows there are, and how many of them have no archive_date.
CREATE TABLE archive_total (
  is_archived INTEGER PRIMARY KEY,
  rows        INTEGER NOT NULL CHECK (rows >= 0),
  undated     INTEGER NOT NULL CHECK (undated >= 0)
) STRICT;
INSERT INTO archive_total VALUES (0, 0, 0), (1, 0, 0);

-- The rows in the order of updated_at, cut into blocks of some hundreds, and the blocks into shelves of some ten thousand
-- rows: a page far down the default list is found by adding up the counts of shelves, then of one shelf's blocks, instead of
-- stepping over rows. A row is in the block, and on the shelf, with the greatest start that is not after its updated_at, so
-- rows of the same time are never apart. Every shelf begins where a block begins. The bottom ones begin before all time and
-- stay; others go when they are empty, a block that begins a shelf together with that.
CREATE TABLE archive_block (
  start    INTEGER PRIMARY KEY,
  open     INTEGER NOT NULL CHECK (open >= 0),
  archived INTEGER NOT NULL CHECK (archived >= 0)
) STRICT;
INSERT INTO archive_block VALUES (-9223372036854775808, 0, 0);

CREATE TABLE archive_shelf (
  start    INTEGER PRIMARY KEY,
  open     INTEGER NOT NULL CHECK (open >= 0),
  archived INTEGER NOT NULL CHECK (archived >= 0)
) STRICT;
INSERT INTO archive_shelf VALUES (-9223372036854775808, 0, 0);

-- A procedure: inserting into this view counts a row in (change 1) or out (change -1).
CREATE VIEW archive_tally (user_id, is_archived, undated, updated_at, change) AS SELECT 0, 0, 0, 0, 0 WHERE FALSE;

CREATE TRIGGER archive_tally_counts INSTEAD OF INSERT ON archive_tally
BEGIN
  INSERT INTO archive_count (user_id, is_archived, rows) VALUES (NEW.user_id, NEW.is_archived, max(NEW.change, 0))
    ON CONFLICT (user_id, is_archived) DO UPDATE SET rows = rows + NEW.change;
  DELETE FROM archive_count WHERE user_id = NEW.user_id AND is_archived = NEW.is_archived AND rows = 0;
  UPDATE archive_total SET rows = rows + NEW.change, undated = undated + NEW.change * NEW.undated
   WHERE is_archived = NEW.is_archived;
  -- The block before its shelf: a full shelf adds up its blocks.
  UPDATE archive_block
     SET open = open + NEW.change * (NEW.is_archived = 0), archived = archived + NEW.change * (NEW.is_archived = 1)
   WHERE start = (SELECT max(start) FROM archive_block WHERE start <= NEW.updated_at);
  UPDATE archive_shelf
     SET open = open + NEW.change * (NEW.is_archived = 0), archived = archived + NEW.change * (NEW.is_archived = 1)
   WHERE start = (SELECT max(start) FROM archive_shelf WHERE start <= NEW.updated_at);
  DELETE FROM archive_shelf
   WHERE start = (SELECT max(start) FROM archive_shelf WHERE start <= NEW.updated_at)
     AND open + archived = 0 AND start > -9223372036854775808;
  DELETE FROM archive_block
   WHERE start = (SELECT max(start) FROM archive_block WHERE start <= NEW.updated_at)
     AND open + archived = 0 AND start NOT IN (SELECT start FROM archive_shelf);
END;

CREATE TRIGGER archive_status_inserted AFTER INSERT ON archive_status
BEGIN
  INSERT INTO archive_tally VALUES (NEW.user_id, NEW.is_archived, NEW.archive_date IS NULL, NEW.updated_at, 1);
END;

CREATE TRIGGER archive_status_deleted AFTER DELETE ON archive_status
BEGIN
  INSERT INTO archive_tally VALUES (OLD.user_id, OLD.is_archived, OLD.archive_date IS NULL, OLD.updated_at, -1);
END;

CREATE TRIGGER archive_status_updated AFTER UPDATE OF user_id, is_archived, archive_date, updated_at ON archive_status
BEGIN
  INSERT INTO archive_tally VALUES (OLD.user_id, OLD.is_archived, OLD.archive_date IS NULL, OLD.updated_at, -1);
  INSERT INTO archive_tally VALUES (NEW.user_id, NEW.is_archived, NEW.archive_date IS NULL, NEW.updated_at, 1);
END;

-- Cuts a block in two when it has grown to 512 rows. The new block begins at the time of the 257th row, or, when that is where
-- the block itself begins, at the next time. A block of one time stays whole, and is tried again with every row.
CREATE TRIGGER archive_block_full AFTER UPDATE OF open, archived ON archive_block
WHEN NEW.open + NEW.archived >= 512 AND NEW.open + NEW.archived > OLD.open + OLD.archived
BEGIN
  INSERT INTO archive_block (start, open, archived)
  SELECT updated_at, 0, 0 FROM archive_status
   WHERE updated_at > NEW.start
     AND updated_at >= (SELECT updated_at FROM archive_status WHERE updated_at >= NEW.start ORDER BY updated_at LIMIT 1 OFFSET 256)
     AND updated_at <= coalesce((SELECT min(start) - 1 FROM archive_block WHERE start > NEW.start), 9223372036854775807)
   ORDER BY updated_at LIMIT 1;
END;

-- A new block takes its rows from the one before it.
CREATE TRIGGER archive_block_cut AFTER INSERT ON archive_block
BEGIN
  UPDATE archive_block SET (open, archived) = (
    SELECT count(*) FILTER (WHERE NOT is_archived), count(*) FILTER (WHERE is_archived) FROM archive_status
     WHERE updated_at BETWEEN NEW.start AND coalesce(
       (SELECT min(start) - 1 FROM archive_block WHERE start > NEW.start), 9223372036854775807))
   WHERE start = NEW.start;
  UPDATE archive_block SET (open, archived) = (
    SELECT archive_block.open - cut.open, archive_block.archived - cut.archived
      FROM archive_block AS cut WHERE cut.start = NEW.start)
   WHERE start = (SELECT max(start) FROM archive_block WHERE start < NEW.start);
END;

-- Cuts a shelf in two when it has grown to 32768 rows: where its first blocks have 16384, or before a block that has so many
-- alone.
CREATE TRIGGER archive_shelf_full AFTER UPDATE OF open, archived ON archive_shelf
WHEN NEW.open + NEW.archived >= 32768 AND NEW.open + NEW.archived > OLD.open + OLD.archived
BEGIN
  INSERT INTO archive_shelf (start, open, archived)
  SELECT start, 0, 0
    FROM (SELECT start, open + archived AS rows, sum(open + archived) OVER (ORDER BY start) AS passed FROM archive_block
           WHERE start BETWEEN NEW.start AND coalesce(
             (SELECT min(later.start) - 1 FROM archive_shelf AS later WHERE later.start > NEW.start), 9223372036854775807))
   WHERE start > NEW.start AND (passed - rows >= 16384 OR rows >= 16384) ORDER BY start LIMIT 1;
END;

-- A new shelf takes its blocks from the one before it.
CREATE TRIGGER archive_shelf_cut AFTER INSERT ON archive_shelf
BEGIN
  UPDATE archive_shelf SET (open, archived) = (
    SELECT coalesce(sum(block.open), 0), coalesce(sum(block.archived), 0) FROM archive_block AS block
     WHERE block.start BETWEEN NEW.start AND coalesce(
       (SELECT min(start) - 1 FROM archive_shelf WHERE start > NEW.start), 9223372036854775807))
   WHERE start = NEW.start;
  UPDATE archive_shelf SET (open, archived) = (
    SELECT archive_shelf.open - cut.open, archive_shelf.archived - cut.archived
      FROM archive_shelf AS cut WHERE cut.start = NEW.start)
   WHERE start = (SELECT max(start) FROM archive_shelf WHERE start < NEW.start);
END;

-- The block that began an empty shelf is empty too, and no longer needed.
CREATE TRIGGER archive_shelf_deleted AFTER DELETE ON archive_shelf
BEGIN
  DELETE FROM archive_block WHERE start = OLD.start;
END;
