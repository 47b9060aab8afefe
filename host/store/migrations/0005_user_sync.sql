-- When the platform last said who a user is: the time of the event that told it, in microseconds since
-- 1970-01-01T00:00:00Z. NULL for a user whom only tokens have named. An older event changes nothing.
ALTER TABLE users ADD COLUMN told_at INTEGER;
