//! What goes into the journal and comes out of it.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::time::Timestamp;

/// An event to write down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The UUID that receivers see.
    pub id: [u8; 16],
    /// Who sent it. With `id`: which event it is.
    pub source: String,
    /// Its type.
    pub event_type: String,
    /// When it was sent, as the sender says.
    pub time: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Minor version of the event's definition.
    pub minorversion: i64,
    /// The host that sent it.
    pub sourcehost: String,
    /// Version of openedx-events on the sending side, a JSON list.
    pub sourcelib: String,
    /// The course that it is about, where its data names one.
    pub course: Option<String>,
    /// Its data, JSON.
    pub data: String,
    /// The attributes that have no place of their own, a JSON object.
    pub extensions: String,
}

/// A receiver of a new event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The plugin.
    pub plugin: String,
    /// Deliveries to the plugin with the same key follow one another.
    pub order_key: Option<String>,
}

/// What came of writing down an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Its number in order of arrival.
    pub seq: i64,
    /// Whether it was not known before. Of a known one nothing is written.
    pub new: bool,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number in order of arrival.
    pub seq: i64,
    /// What was written down.
    pub event: NewEvent,
}

/// A delivery that a worker has taken. The attempt is written down as begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The event.
    pub event: StoredEvent,
    /// Its order among others.
    pub order_key: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Failed attempts that count, so far.
    pub failures: u32,
    /// When the first attempt began since the delivery was made or retried by an operator; now, where this is the first. Those
    /// that do not count are left out while none has failed: a host that was down or full makes nobody late.
    pub began_at: Timestamp,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptEnd {
    /// The event's number.
    pub seq: i64,
    /// What becomes of the delivery.
    pub then: After,
    /// When the attempt began.
    pub began_at: Timestamp,
    /// How long it ran, in microseconds.
    pub took: Option<u64>,
    /// The number of the release that was called.
    pub release: Option<u32>,
    /// What there is to write down of it, where the event was not delivered.
    pub record: Option<AttemptRecord>,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// It is done.
    Delivered,
    /// It is tried again.
    Again {
        /// Not before this.
        due_at: Timestamp,
        /// Whether the attempt counts against the limit.
        counts: bool,
    },
    /// It is a dead letter.
    Dead {
        /// Why: a stable name, `rejected`, `attempts`, `horizon`, …
        reason: &'static str,
    },
    /// The receiver was not called after all: the attempt never was.
    Untouched,
}

/// An attempt that did not end in a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptRecord {
    /// `retry`, `rejected`, `failed`, `overloaded`, `interrupted`, …
    pub outcome: String,
    /// The failure's stable name.
    pub code: Option<String>,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// The digest of the component that was called.
    pub digest: Option<String>,
    /// Further facts, a JSON object.
    pub report: Option<String>,
}

/// An attempt as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub began_at: Timestamp,
    /// How long it ran, in microseconds; `None` when that is not known.
    pub took: Option<u64>,
    /// The number of the release that was called.
    pub release: Option<u32>,
    /// What came of it.
    pub record: AttemptRecord,
}

/// What a delivery is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// It waits for its time.
    Ready,
    /// It waits for an earlier one with the same key.
    Held,
    /// A worker has it.
    Running,
    /// The receiver took it.
    Delivered,
    /// It is a dead letter.
    Dead,
    /// An operator wants it no more.
    Discarded,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Held, Self::Running, Self::Delivered, Self::Dead, Self::Discarded];

    /// Its stable name: `ready`, `held`, `running`, `delivered`, `dead` or `discarded`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Held => "held",
            Self::Running => "running",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }

    /// Whether a delivery in it waits or runs.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Held | Self::Running)
    }
}

impl ToSql for DeliveryState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for DeliveryState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or(FromSqlError::InvalidType)
    }
}

/// A delivery as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The plugin.
    pub plugin: String,
    /// What it is doing.
    pub state: DeliveryState,
    /// When it is due; `None` for at once, and when it is not waiting.
    pub due_at: Option<Timestamp>,
    /// Its order among others.
    pub order_key: Option<String>,
    /// Attempts that were begun.
    pub attempts: u32,
    /// Those that count against the limit.
    pub failures: u32,
    /// When it was delivered, died or was discarded.
    pub ended_at: Option<Timestamp>,
    /// How long the last attempt ran, in microseconds.
    pub took: Option<u64>,
    /// The number of the release that was called last.
    pub release: Option<u32>,
    /// Why it is dead: a stable name.
    pub reason: Option<String>,
}

/// An event with its deliveries, by plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The event. In lists its data and extensions are left empty.
    pub event: StoredEvent,
    /// The bytes of its data and extensions.
    pub bytes: u64,
    /// Who gets it.
    pub deliveries: Vec<DeliveryRow>,
}

/// Which events or deliveries are meant. Whatever is `None` or empty lets everything through. `states` and `plugin` are
/// about one and the same delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// States of a delivery.
    pub states: Vec<DeliveryState>,
    /// The receiver.
    pub plugin: Option<String>,
    /// Event types.
    pub types: Vec<String>,
    /// The course.
    pub course: Option<String>,
    /// The sender.
    pub source: Option<String>,
    /// Received at this time or later.
    pub from: Option<Timestamp>,
    /// Received before this time.
    pub to: Option<Timestamp>,
    /// The event with this UUID.
    pub id: Option<[u8; 16]>,
    /// The event with this number.
    pub seq: Option<i64>,
}

/// A page of a list: the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events. There may be fewer than asked for, also when there are more: a page looks at a bounded number of rows.
    pub events: Vec<EventRow>,
    /// Where the next page begins: events with a lower number. `None` on the last page.
    pub next: Option<i64>,
}

/// What a part of a bulk change did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BulkPart {
    /// Deliveries that were changed, or would be.
    pub changed: u64,
    /// Where the next part goes on; `None` when all are done.
    pub next: Option<i64>,
}

/// How much is kept, and what of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Events with a delivery that waits or runs.
    pub open: Total,
    /// Events with none of these and a dead letter.
    pub dead: Total,
    /// All others.
    pub done: Total,
}

/// A number of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub events: u64,
    /// The bytes of their data and extensions.
    pub bytes: u64,
}

/// How many deliveries a receiver has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// The plugin.
    pub plugin: String,
    /// Those that wait or run.
    pub open: u64,
    /// Those that the receiver took.
    pub delivered: u64,
    /// Dead letters.
    pub dead: u64,
    /// Discarded ones.
    pub discarded: u64,
}

/// How long events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Received before this time: it goes.
    pub since: Timestamp,
    /// The bytes that all of them may have; the oldest go first.
    pub bytes: u64,
}

/// A replay as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRow {
    /// Its number.
    pub id: i64,
    /// To whom.
    pub plugin: String,
    /// Which events, JSON as whoever asked for it spelled it.
    pub selection: String,
    /// Events a second.
    pub rate: f64,
    /// The number of the next event that it looks at.
    pub next_seq: i64,
    /// The number of the last event that it looks at.
    pub end_seq: i64,
    /// Deliveries that it made so far.
    pub made: u64,
    /// `running`, `done` or `stopped`.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Who asked for it.
    pub started_by: String,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a receiver gets again in one part of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayPart {
    /// Deliveries that were made.
    pub made: u64,
    /// Where the next part goes on; `None` when the end is reached.
    pub next_seq: Option<i64>,
}
