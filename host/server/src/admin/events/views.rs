//! The journal as operators see it.

mod made;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A page of events, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    /// The events. There may be fewer than asked for, also where there are more: a page looks at a bounded number of rows.
    pub(crate) events: Vec<EventView>,
    /// What `before` is on the next page; `null` on the last.
    #[schema(required = true)]
    pub(crate) next: Option<i64>,
}

/// An event in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptEvent)]
pub(crate) struct EventView {
    /// Its number, in order of arrival.
    pub(crate) event: i64,
    /// Its UUID.
    pub(crate) id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// Who sent it.
    pub(crate) source: String,
    /// When it was sent, as the sender says. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) time: OffsetDateTime,
    /// When it arrived. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) received_at: OffsetDateTime,
    /// The course that it is about, where its data names one.
    #[schema(required = true)]
    pub(crate) course: Option<String>,
    /// The bytes of its data and extensions.
    pub(crate) bytes: u64,
    /// Who gets it, by plugin.
    pub(crate) deliveries: Vec<DeliveryView>,
}

/// An event in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeptEventInFull)]
pub struct EventInFull {
    /// Its number, in order of arrival.
    pub(crate) event: i64,
    /// Its UUID.
    pub(crate) id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// Who sent it.
    pub(crate) source: String,
    /// When it was sent, as the sender says. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) time: OffsetDateTime,
    /// When it arrived. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) received_at: OffsetDateTime,
    /// Minor version of the event's definition.
    pub(crate) minorversion: i64,
    /// The host that sent it; empty where the sender did not say.
    pub(crate) sourcehost: String,
    /// Version of openedx-events on the sending side; empty where the sender did not say.
    #[schema(value_type = Vec<i64>)]
    pub(crate) sourcelib: Value,
    /// The course that it is about, where its data names one.
    #[schema(required = true)]
    pub(crate) course: Option<String>,
    /// The bytes of its data and extensions.
    pub(crate) bytes: u64,
    /// Its data.
    #[schema(value_type = Object)]
    pub(crate) data: Value,
    /// Every other attribute that it was sent with; `ce_id` is the id it was sent with, where that is no UUID.
    #[schema(value_type = Object)]
    pub(crate) extensions: Value,
    /// Who gets it, by plugin, each with its `history`.
    pub(crate) deliveries: Vec<DeliveryView>,
}

/// One receiver of an event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EventDelivery)]
pub(crate) struct DeliveryView {
    /// The plugin.
    pub(crate) plugin: String,
    /// `ready`: waits for its time. `held`: waits for an earlier one with the same key. `running`: the receiver is called
    /// now. `delivered`; `dead`: a dead letter; `discarded`: by an operator.
    pub(crate) state: &'static str,
    /// Attempts that were begun.
    pub(crate) attempts: u32,
    /// Those that failed and count against the plugin's limit.
    pub(crate) failures: u32,
    /// When it is tried again; `null` for at once, and where it does not wait.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, required = true, format = DateTime)]
    pub(crate) due_at: Option<OffsetDateTime>,
    /// Deliveries to the plugin with the same key follow one another; `null`: it waits for none.
    #[schema(required = true)]
    pub(crate) order_key: Option<String>,
    /// When it was delivered, became a dead letter or was discarded.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, required = true, format = DateTime)]
    pub(crate) ended_at: Option<OffsetDateTime>,
    /// How long the last attempt ran.
    #[schema(required = true)]
    pub(crate) microseconds: Option<u64>,
    /// The release that was called last.
    #[schema(required = true)]
    pub(crate) release: Option<u32>,
    /// Of a dead letter, why: `rejected`, `attempts`, `horizon`, `not-received`, `plugin-removed`.
    #[schema(required = true)]
    pub(crate) reason: Option<String>,
    /// Of an event in full: each attempt that did not deliver it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<AttemptView>, required = false)]
    pub(crate) history: Option<Vec<AttemptView>>,
}

/// An attempt that did not end in a delivery.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub(crate) struct AttemptView {
    /// Which one, from 1.
    pub(crate) number: u32,
    /// When it began. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) began_at: OffsetDateTime,
    /// How long it ran; `null` where nobody knows.
    #[schema(required = true)]
    pub(crate) microseconds: Option<u64>,
    /// The release that was called.
    #[schema(required = true)]
    pub(crate) release: Option<u32>,
    /// Its component's digest.
    #[schema(required = true)]
    pub(crate) digest: Option<String>,
    /// `retry`, `rejected`, `failed`, `overloaded`, `interrupted`: the host stopped before it ended.
    pub(crate) outcome: String,
    /// The failure's stable name: `trap`, `time`, …
    #[schema(required = true)]
    pub(crate) code: Option<String>,
    /// Why, in a sentence.
    #[schema(required = true)]
    pub(crate) reason: Option<String>,
    /// What else is known of the failure. `replay` names the kept call, for `hookbox replay`, where it was kept.
    #[schema(value_type = Option<Object>, required = true)]
    pub(crate) report: Option<Value>,
}

/// What a bulk change did, or would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventsBulkDone)]
pub struct BulkDone {
    /// Deliveries that were changed, or would be.
    pub(crate) changed: u64,
    /// What `after` is in the request that goes on; `null` when all are done. One request looks at no more than 100,000
    /// deliveries.
    #[schema(required = true)]
    pub(crate) next: Option<i64>,
    /// Whether it only counted.
    pub(crate) dry_run: bool,
}

/// How the journal stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsSummary {
    /// Each plugin that ever received something, by name.
    pub(crate) receivers: Vec<ReceiverView>,
    /// The events that are kept.
    pub(crate) events: Totals,
}

/// How one plugin's deliveries stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceiverSummary)]
pub(crate) struct ReceiverView {
    /// The plugin.
    pub(crate) plugin: String,
    /// Whether the plugin is meant to run: `enabled`, `disabled` or `removed`.
    pub(crate) standing: &'static str,
    /// Deliveries that wait or run.
    pub(crate) open: u64,
    /// Those that the receiver took.
    pub(crate) delivered: u64,
    /// Dead letters.
    pub(crate) dead: u64,
    /// Discarded ones.
    pub(crate) discarded: u64,
    /// When the oldest event arrived that is still open.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, required = true, format = DateTime)]
    pub(crate) oldest_waiting: Option<OffsetDateTime>,
}

/// Events by what keeps them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventTotals)]
pub(crate) struct Totals {
    /// Those with a delivery that waits or runs.
    pub(crate) open: EventCount,
    /// Those with none of these and a dead letter.
    pub(crate) dead: EventCount,
    /// All others.
    pub(crate) done: EventCount,
}

/// A number of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventCount {
    /// How many.
    pub(crate) events: u64,
    /// The bytes of their data and extensions.
    pub(crate) bytes: u64,
}

/// Past events on their way to a plugin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replay)]
pub struct ReplayView {
    /// The replay's number.
    pub(crate) replay: i64,
    /// To whom.
    pub(crate) plugin: String,
    /// `running`, `done` or `stopped`.
    pub(crate) state: String,
    /// Which events.
    #[schema(value_type = Object)]
    pub(crate) selection: Value,
    /// Events a second.
    pub(crate) rate: f64,
    /// Deliveries that it made so far.
    pub(crate) made: u64,
    /// The number of the next event that it looks at.
    pub(crate) next_event: i64,
    /// The number of the last one.
    pub(crate) last_event: i64,
    /// When it began. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) started_at: OffsetDateTime,
    /// Who asked for it.
    pub(crate) started_by: String,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, required = true, format = DateTime)]
    pub(crate) ended_at: Option<OffsetDateTime>,
}

/// All replays that are remembered, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayList {
    /// The replays.
    pub(crate) replays: Vec<ReplayView>,
}

/// How many deliveries a replay would make.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayCount {
    /// Deliveries that would be made.
    pub(crate) made: u64,
    /// What `after` is in the request that goes on counting; `null` when all are counted.
    #[schema(required = true)]
    pub(crate) next: Option<i64>,
    /// Always true.
    pub(crate) dry_run: bool,
}
