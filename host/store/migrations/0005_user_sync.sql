-- What the platform's events say of users.

-- The time of the event that last said who a user is, in microseconds since 1970-01-01T00:00:00Z. NULL for a user whom only
-- tokens have named. An older event changes nothing.
ALTER TABLE users ADD COLUMN told_at INTEGER;

-- Whether the platform gave the id, in a token or in an event. Otherwise it is made up, and a user of the platform may turn
-- out to have it. Of rows that are older than this column nobody knows.
ALTER TABLE users ADD COLUMN id_known INTEGER NOT NULL DEFAULT 0 CHECK (id_known IN (0, 1));

-- The ids of users who were retired: a late event about one must not bring the user back.
CREATE TABLE user_retired (
  id         INTEGER PRIMARY KEY,
  retired_at INTEGER NOT NULL
) STRICT;
