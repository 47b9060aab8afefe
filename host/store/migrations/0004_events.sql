-- Events that were accepted, what is to be delivered to whom, and how that went.
-- Times are microseconds since 1970-01-01T00:00:00Z. Columns that hold JSON mean nothing here.

-- Plugins that ever received something. Small numbers stand for them in the rows below. The others count its deliveries by
-- what keeps them: `open` those that are ready, held or running. Triggers keep them.
CREATE TABLE receiver (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin    TEXT    NOT NULL UNIQUE CHECK (plugin <> ''),
  open      INTEGER NOT NULL DEFAULT 0 CHECK (open >= 0),
  delivered INTEGER NOT NULL DEFAULT 0 CHECK (delivered >= 0),
  dead      INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0),
  discarded INTEGER NOT NULL DEFAULT 0 CHECK (discarded >= 0)
) STRICT;

-- One row an event, in order of arrival. AUTOINCREMENT: the number of an event that went is never given to another one.
-- `open` and `dead` count its deliveries that wait or run, and those that are dead letters. Triggers keep them.
CREATE TABLE event (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           BLOB    NOT NULL CHECK (length(id) = 16),
  source       TEXT    NOT NULL CHECK (source <> ''),
  type         TEXT    NOT NULL CHECK (type <> ''),
  time         INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  minorversion INTEGER NOT NULL,
  sourcehost   TEXT    NOT NULL,
  sourcelib    TEXT    NOT NULL CHECK (json_valid(sourcelib)),
  course       TEXT,
  bytes        INTEGER NOT NULL CHECK (bytes >= 0),
  open         INTEGER NOT NULL DEFAULT 0 CHECK (open >= 0),
  dead         INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0),
  class        TEXT    NOT NULL AS (CASE WHEN open > 0 THEN 'open' WHEN dead > 0 THEN 'dead' ELSE 'done' END) VIRTUAL
) STRICT;

-- The same source and id are the same event.
CREATE UNIQUE INDEX event_identity ON event (id, source);
-- What retention takes, the oldest first: by the clock, which may have jumped between two events.
CREATE INDEX event_done ON event (received_at) WHERE open = 0 AND dead = 0;
CREATE INDEX event_dead ON event (received_at) WHERE open = 0 AND dead > 0;
-- What is listed by what it waits for.
CREATE INDEX event_open ON event (seq) WHERE open > 0;
CREATE INDEX event_letter ON event (seq) WHERE dead > 0;

-- Apart from `event`, whose counts change: what is long is written once.
CREATE TABLE event_data (
  seq        INTEGER PRIMARY KEY REFERENCES event (seq) ON DELETE CASCADE,
  data       TEXT NOT NULL CHECK (json_valid(data)),
  extensions TEXT NOT NULL CHECK (json_valid(extensions))
) STRICT;

-- One row a receiver of an event.
--   ready      waits for its time
--   held       waits for an earlier one with the same order_key
--   running    a worker has it
--   delivered  the receiver took it
--   dead       it will not be tried again until an operator asks for it
--   discarded  an operator wants it no more
-- `attempts` counts all that were begun, `failures` those that count against the plugin's limit since the delivery was made
-- or retried by an operator. `due_at` is 0 for what is due at once, in order of arrival; for a retry it is its time.
-- `ended_at` is when it came into one of the last three states, and NULL in the others, which are called open; so no index has
-- to ask for a list of states, for which SQLite would make a table with every statement.
-- `began_at` is when the first attempt since then began, without those before the first failure that do not count, and
-- `claimed_at` when the last one did. `took` is how many microseconds
-- the last attempt ran.
CREATE TABLE delivery (
  receiver   INTEGER NOT NULL REFERENCES receiver (id),
  event      INTEGER NOT NULL REFERENCES event (seq) ON DELETE CASCADE,
  state      TEXT    NOT NULL,
  due_at     INTEGER NOT NULL DEFAULT 0,
  order_key  TEXT,
  attempts   INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failures   INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
  began_at   INTEGER,
  claimed_at INTEGER,
  ended_at   INTEGER,
  took       INTEGER,
  release    INTEGER,
  reason     TEXT,
  class      TEXT    NOT NULL AS (CASE WHEN ended_at IS NULL THEN 'open' ELSE state END) VIRTUAL,
  PRIMARY KEY (receiver, event),
  CHECK (CASE WHEN ended_at IS NULL THEN state = 'ready' OR state = 'held' OR state = 'running'
              ELSE state = 'delivered' OR state = 'dead' OR state = 'discarded' END)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_event ON delivery (event);
-- What can be begun: retries by their time, first attempts (all due at 0) in order of arrival.
CREATE INDEX delivery_ready ON delivery (receiver, due_at, event) WHERE state = 'ready';
-- What is listed or changed by its state.
CREATE INDEX delivery_open ON delivery (receiver, event) WHERE ended_at IS NULL;
CREATE INDEX delivery_running ON delivery (event, receiver) WHERE state = 'running';
CREATE INDEX delivery_dead ON delivery (receiver, event) WHERE state = 'dead';
-- Who waits for whom. Of the open ones with a key, one is ready or running and all others are held: the earliest, unless a
-- later one ran already when the earlier one came back.
CREATE INDEX delivery_order ON delivery (receiver, order_key, event)
  WHERE order_key IS NOT NULL AND ended_at IS NULL;
CREATE UNIQUE INDEX delivery_turn ON delivery (receiver, order_key)
  WHERE order_key IS NOT NULL AND ended_at IS NULL AND state <> 'held';

-- Attempts that did not end in a delivery. The one that did is in the delivery's own row.
CREATE TABLE delivery_attempt (
  receiver INTEGER NOT NULL,
  event    INTEGER NOT NULL,
  number   INTEGER NOT NULL CHECK (number >= 1),
  began_at INTEGER NOT NULL,
  took     INTEGER,
  outcome  TEXT    NOT NULL CHECK (outcome <> ''),
  code     TEXT,
  reason   TEXT,
  digest   TEXT,
  release  INTEGER,
  report   TEXT CHECK (json_valid(report)),
  PRIMARY KEY (receiver, event, number),
  FOREIGN KEY (receiver, event) REFERENCES delivery (receiver, event) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- How many events there are, and the bytes of their data, by what keeps them. Triggers keep it.
CREATE TABLE event_total (
  class  TEXT    NOT NULL PRIMARY KEY CHECK (class = 'open' OR class = 'dead' OR class = 'done'),
  events INTEGER NOT NULL CHECK (events >= 0),
  bytes  INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO event_total VALUES ('open', 0, 0), ('dead', 0, 0), ('done', 0, 0);

CREATE TRIGGER event_comes AFTER INSERT ON event
BEGIN
  UPDATE event_total SET events = events + 1, bytes = bytes + NEW.bytes WHERE class = NEW.class;
END;

CREATE TRIGGER event_goes AFTER DELETE ON event
BEGIN
  UPDATE event_total SET events = events - 1, bytes = bytes - OLD.bytes WHERE class = OLD.class;
END;

CREATE TRIGGER event_changes AFTER UPDATE OF open, dead, bytes ON event
WHEN OLD.class <> NEW.class OR OLD.bytes <> NEW.bytes
BEGIN
  UPDATE event_total SET events = events - 1, bytes = bytes - OLD.bytes WHERE class = OLD.class;
  UPDATE event_total SET events = events + 1, bytes = bytes + NEW.bytes WHERE class = NEW.class;
END;

-- An event's own counts are written by whoever makes the delivery: a new event comes with them, which spares each of its
-- deliveries an update of the event and of what is kept.
CREATE TRIGGER delivery_comes AFTER INSERT ON delivery
BEGIN
  UPDATE receiver SET
    open = open + (NEW.class = 'open'), delivered = delivered + (NEW.class = 'delivered'),
    dead = dead + (NEW.class = 'dead'), discarded = discarded + (NEW.class = 'discarded')
  WHERE id = NEW.receiver;
END;

CREATE TRIGGER delivery_goes AFTER DELETE ON delivery
BEGIN
  UPDATE receiver SET
    open = open - (OLD.class = 'open'), delivered = delivered - (OLD.class = 'delivered'),
    dead = dead - (OLD.class = 'dead'), discarded = discarded - (OLD.class = 'discarded')
  WHERE id = OLD.receiver;
  UPDATE event SET open = open - (OLD.class = 'open'), dead = dead - (OLD.class = 'dead') WHERE seq = OLD.event;
END;

CREATE TRIGGER delivery_changes AFTER UPDATE OF state, ended_at ON delivery
WHEN OLD.class <> NEW.class
BEGIN
  UPDATE receiver SET
    open = open + (NEW.class = 'open') - (OLD.class = 'open'),
    delivered = delivered + (NEW.class = 'delivered') - (OLD.class = 'delivered'),
    dead = dead + (NEW.class = 'dead') - (OLD.class = 'dead'),
    discarded = discarded + (NEW.class = 'discarded') - (OLD.class = 'discarded')
  WHERE id = NEW.receiver;
  UPDATE event SET
    open = open + (NEW.class = 'open') - (OLD.class = 'open'), dead = dead + (NEW.class = 'dead') - (OLD.class = 'dead')
  WHERE seq = NEW.event;
END;

-- Past events on their way to one plugin again. `next_seq` is where it goes on.
CREATE TABLE replay (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin     TEXT    NOT NULL,
  selection  TEXT    NOT NULL CHECK (json_valid(selection)),
  rate       REAL    NOT NULL CHECK (rate > 0),
  next_seq   INTEGER NOT NULL,
  end_seq    INTEGER NOT NULL,
  made       INTEGER NOT NULL DEFAULT 0 CHECK (made >= 0),
  state      TEXT    NOT NULL CHECK (state IN ('running', 'done', 'stopped')),
  started_at INTEGER NOT NULL,
  started_by TEXT    NOT NULL,
  ended_at   INTEGER
) STRICT;
