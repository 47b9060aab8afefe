-- Plugins, their releases, the number of the live generation, and who did what to them when.
-- Times are microseconds since 1970-01-01T00:00:00Z. Columns that hold JSON mean nothing here.

CREATE TABLE plugin (
  name        TEXT    NOT NULL PRIMARY KEY,
  standing    TEXT    NOT NULL CHECK (standing IN ('enabled', 'disabled', 'removed')),
  revision    INTEGER NOT NULL CHECK (revision >= 0),
  next_number INTEGER NOT NULL CHECK (next_number BETWEEN 1 AND 4294967295),
  approved    TEXT    NOT NULL CHECK (json_valid(approved)),
  offers      TEXT    NOT NULL CHECK (json_valid(offers)),
  trial       TEXT             CHECK (json_valid(trial))
) STRICT, WITHOUT ROWID;

-- With rowids: reports and cases may be long.
CREATE TABLE plugin_release (
  plugin       TEXT    NOT NULL REFERENCES plugin (name) ON DELETE CASCADE,
  number       INTEGER NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
  digest       TEXT    NOT NULL CHECK (digest <> ''),
  bytes        INTEGER NOT NULL CHECK (bytes >= 0),
  version      TEXT,
  source       TEXT    NOT NULL CHECK (source IN ('upload', 'folder', 'configuration', 'sample')),
  origin       TEXT    NOT NULL,
  installed_at INTEGER NOT NULL,
  installed_by TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('installed', 'checked', 'needs-approval', 'live', 'disabled',
                                                 'quarantined', 'replaced', 'rejected', 'removed')),
  reason       TEXT,
  report       TEXT    NOT NULL CHECK (json_valid(report)),
  cases        TEXT,
  PRIMARY KEY (plugin, number),
  UNIQUE (plugin, digest)
) STRICT;

-- One row, or none before the first generation.
CREATE TABLE generation (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL CHECK (number >= 0)
) STRICT;

-- AUTOINCREMENT: the id of an entry that went is never given to another one. Nothing refers to the plugin's row: what was
-- done stays written down when that is gone.
CREATE TABLE audit (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,
  action     TEXT    NOT NULL CHECK (action <> ''),
  outcome    TEXT    NOT NULL CHECK (outcome <> ''),
  plugin     TEXT,
  release    INTEGER CHECK (release BETWEEN 1 AND 4294967295),
  digest     TEXT,
  generation INTEGER CHECK (generation >= 0),
  detail     TEXT    NOT NULL CHECK (json_valid(detail))
) STRICT;

-- One plugin's entries. An index ends with the row's id, so the latest of them are its last.
CREATE INDEX audit_plugin ON audit (plugin);
