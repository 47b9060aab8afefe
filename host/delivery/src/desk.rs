//! What operators ask and change: lists, retries, discards, replays.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_store::{
    AttemptRow, BulkPart, DeliveryState, EventPage, EventRow, EventTotals, Reads, ReceiverCounts, ReplayPart,
    ReplayRow, Selection, StoreError, Timestamp, Writes,
};

use crate::engine::Inner;
use crate::replay::LISTED;
use crate::{Delivery, Receivers, measure};

/// Deliveries that one transaction looks at: everybody else who writes waits for it.
const PART: u32 = 100;
/// Transactions that one request may take.
const PARTS: u32 = 1000;
/// What may be retried.
const RETRIED: [DeliveryState; 2] = [DeliveryState::Dead, DeliveryState::Discarded];
/// What may be discarded.
const DISCARDED: [DeliveryState; 3] = [DeliveryState::Dead, DeliveryState::Ready, DeliveryState::Held];

/// An event with every attempt that did not deliver it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDetail {
    /// The event and its deliveries.
    pub row: EventRow,
    /// The attempts of each delivery, by plugin, in order. Plugins without any are left out.
    pub attempts: BTreeMap<String, Vec<AttemptRow>>,
}

/// How the journal stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Each plugin that ever received something, by name.
    pub receivers: Vec<ReceiverSummary>,
    /// How many events are kept, by what keeps them.
    pub totals: EventTotals,
}

/// How one plugin's deliveries stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverSummary {
    /// How many there are.
    pub counts: ReceiverCounts,
    /// When the oldest one arrived that waits or runs.
    pub oldest: Option<Timestamp>,
}

/// A replay that an operator asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRequest {
    /// To whom.
    pub plugin: String,
    /// Which events; those of types that the plugin does not receive are left out.
    pub selection: Selection,
    /// Events a second, above 0 and at most [`ReplayRequest::MOST`].
    pub rate: f64,
    /// Who asks for it.
    pub by: String,
}

impl ReplayRequest {
    /// The highest rate, in events a second.
    pub const MOST: f64 = 100_000.0;
    /// The rate where nobody says another, in events a second.
    pub const RATE: f64 = 100.0;
}

/// Types that a message names; a generic receiver has all of them.
const TOLD: usize = 5;

/// Why a replay did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The plugin takes no calls now.
    #[error("plugin {plugin} is not live; replay events to it when it is")]
    NotLive {
        /// The plugin.
        plugin: String,
    },
    /// The plugin receives none of the types.
    #[error(
        "plugin {plugin} receives none of the event types that were asked for; it receives: {}",
        list(receives)
    )]
    NothingReceived {
        /// The plugin.
        plugin: String,
        /// What it receives.
        receives: Vec<String>,
    },
    /// The rate is not one.
    #[error("a rate of {rate} events a second: expected a number above 0 and at most {most}", most = ReplayRequest::MOST)]
    Rate {
        /// What was asked for.
        rate: f64,
    },
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReplayError {
    /// A stable name for the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotLive { .. } => "plugin-not-live",
            Self::NothingReceived { .. } => "nothing-received",
            Self::Rate { .. } => "replay-rate",
            Self::Store(error) => error.code(),
        }
    }
}

/// The first few of them.
fn list(names: &[String]) -> String {
    match names.split_at_checked(TOLD) {
        _ if names.is_empty() => "nothing".to_owned(),
        Some((first, more)) if !more.is_empty() => format!("{} and {} more", first.join(", "), more.len()),
        _ => names.join(", "),
    }
}

impl<R: Receivers> Delivery<R> {
    /// A page of the events that match, the latest first, with their deliveries and without their data.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn events(
        &self,
        selection: Selection,
        before: Option<i64>,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.store().read(move |reads| reads.events(&selection, before, limit)).await
    }

    /// An event by its number, with its data, its deliveries and every attempt.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn event(&self, seq: i64) -> Result<Option<EventDetail>, StoreError> {
        let job = move |reads: &Reads<'_>| {
            let Some(row) = reads.event(seq)? else { return Ok(None) };
            let mut attempts = BTreeMap::new();
            for delivery in &row.deliveries {
                let made = reads.attempts(seq, &delivery.plugin)?;
                if !made.is_empty() {
                    attempts.insert(delivery.plugin.clone(), made);
                }
            }
            Ok(Some(EventDetail { row, attempts }))
        };
        self.store().read(job).await
    }

    /// Whether there is an event with this number.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn is_kept(&self, seq: i64) -> Result<bool, StoreError> {
        self.store().read(move |reads: &Reads<'_>| Ok(reads.event(seq)?.is_some())).await
    }

    /// The events with this UUID: number and source. More than one where different senders gave the same.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn events_with_id(&self, id: [u8; 16]) -> Result<Vec<(i64, String)>, StoreError> {
        let job = move |reads: &Reads<'_>| {
            let mut found = Vec::new();
            for seq in reads.events_with_id(id)? {
                found.extend(reads.event(seq)?.map(|row| (seq, row.event.event.source)));
            }
            Ok(found)
        };
        self.store().read(job).await
    }

    /// How the journal stands.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn summary(&self) -> Result<Summary, StoreError> {
        self.store().read(measure::summary).await
    }

    /// Makes dead letters that match ready again, their failures forgotten; discarded ones too where `states` names them.
    /// Looks at no more than 100,000 deliveries, from the event `after` on: go on with `next` until it is `None`. Goes to its end also when nobody waits for it.
    ///
    /// # Errors
    /// The database could not be written. What was changed before stays.
    pub async fn retry(&self, selection: Selection, after: Option<i64>) -> Result<BulkPart, StoreError> {
        let Some(selection) = only(selection, &RETRIED, &[DeliveryState::Dead]) else {
            return Ok(BulkPart::default());
        };
        self.change(selection, after, |writes, selection, after| {
            writes.retry_deliveries(selection, after, PART)
        })
        .await
    }

    /// Discards dead letters, and deliveries that wait, that match; only those in `states` where that is not empty. Looks at
    /// no more than 100,000 deliveries, from the event `after` on: go on with `next` until it is `None`. Goes to its end also when nobody waits for it.
    ///
    /// # Errors
    /// The database could not be written. What was changed before stays.
    pub async fn discard(&self, selection: Selection, after: Option<i64>) -> Result<BulkPart, StoreError> {
        let Some(selection) = only(selection, &DISCARDED, &DISCARDED) else {
            return Ok(BulkPart::default());
        };
        let now = self.inner().clock.now();
        self.change(selection, after, move |writes, selection, after| {
            writes.discard_deliveries(selection, after, now, PART)
        })
        .await
    }

    /// Changes part after part, and wakes the lanes of what may be ready by now, also when not all could be done. Goes to its
    /// end also when nobody waits for it: a lane that is not woken would not see what was changed.
    async fn change(
        &self,
        selection: Selection,
        after: Option<i64>,
        part: impl Fn(&Writes<'_>, &Selection, Option<i64>) -> Result<BulkPart, StoreError>
        + Copy
        + Send
        + Sync
        + 'static,
    ) -> Result<BulkPart, StoreError> {
        let (inner, selection) = (Arc::clone(self.inner()), Arc::new(selection));
        let whole = async move {
            let done = parts(after, |after| {
                let (inner, selection) = (Arc::clone(&inner), Arc::clone(&selection));
                async move {
                    if inner.stopping.is_cancelled() {
                        return Err(StoreError::Closed);
                    }
                    inner.store.write(move |writes| part(writes, &selection, after)).await
                }
            })
            .await;
            inner.wake_all(selection.plugin.as_deref()).await;
            done
        };
        self.inner().tasks.spawn(whole).await.unwrap_or(Err(StoreError::Closed))
    }

    /// How many deliveries [`Delivery::retry`] would change, in the same parts.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn count_retry(
        &self,
        selection: Selection,
        after: Option<i64>,
    ) -> Result<BulkPart, StoreError> {
        self.count(only(selection, &RETRIED, &[DeliveryState::Dead]), after).await
    }

    /// How many deliveries [`Delivery::discard`] would change, in the same parts.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn count_discard(
        &self,
        selection: Selection,
        after: Option<i64>,
    ) -> Result<BulkPart, StoreError> {
        self.count(only(selection, &DISCARDED, &DISCARDED), after).await
    }

    async fn count(&self, selection: Option<Selection>, after: Option<i64>) -> Result<BulkPart, StoreError> {
        let Some(selection) = selection.map(Arc::new) else { return Ok(BulkPart::default()) };
        parts(after, |after| {
            let selection = Arc::clone(&selection);
            self.store().read(move |reads| reads.count_deliveries(&selection, after, PART))
        })
        .await
    }

    /// Begins to give past events to a plugin, again or for the first time, as fast as `rate` says. It goes on after a
    /// restart, and waits while the plugin takes no calls or too much waits already.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn replay(&self, request: ReplayRequest) -> Result<ReplayRow, ReplayError> {
        let inner = Arc::clone(self.inner());
        // In a task of its own: what is written down is also begun when whoever asked is gone.
        let begun = self.inner().tasks.spawn(async move { inner.begin_replay(request).await });
        begun.await.unwrap_or(Err(ReplayError::Store(StoreError::Closed)))
    }

    /// How many deliveries a replay would make. Looks at a bounded number of events from number `from` (0 for the first) on:
    /// go on with `next_seq` until it is `None`.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn count_replay(&self, request: ReplayRequest, from: i64) -> Result<ReplayPart, ReplayError> {
        let selection = self.inner().replayable(&request)?;
        let job = move |reads: &Reads<'_>| {
            let end = reads.last_event()?;
            reads.count_replay(&request.plugin, &selection, from.max(1), end)
        };
        self.store().read(job).await.map_err(ReplayError::Store)
    }

    /// Stops a replay; what it made stays. The replay as it is then, `None` where there is no such one. One that has ended
    /// stays as it ended.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn stop_replay(&self, id: i64) -> Result<Option<ReplayRow>, StoreError> {
        let inner = Arc::clone(self.inner());
        let stopped = self.inner().tasks.spawn(async move { inner.stop_replay(id).await });
        stopped.await.unwrap_or(Err(StoreError::Closed))
    }

    /// All replays, the latest first, at most 1,000.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn replays(&self) -> Result<Vec<ReplayRow>, StoreError> {
        self.store().read(|reads| reads.replays(LISTED)).await
    }

    /// Refreshes the gauges. The engine does so every few seconds by itself.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn measure(&self) -> Result<(), StoreError> {
        self.inner().measure().await.map(drop)
    }
}

impl<R: Receivers> Inner<R> {
    /// Wakes the lane of a plugin, or all that have something to do.
    async fn wake_all(self: &Arc<Self>, plugin: Option<&str>) {
        match plugin {
            Some(plugin) => self.wake(plugin),
            None => match self.measure().await {
                Ok(open) => open.iter().for_each(|plugin| self.wake(plugin)),
                // Who has something to do is not known, so all look.
                Err(_) => self.plugins_changed(),
            },
        }
    }
}

/// The selection with no other states than those that a change is for: those it names, or else `all`. `None` where nothing is
/// left.
fn only(mut selection: Selection, may: &[DeliveryState], all: &[DeliveryState]) -> Option<Selection> {
    if selection.states.is_empty() {
        selection.states = all.to_vec();
    }
    selection.states.retain(|state| may.contains(state));
    (!selection.states.is_empty()).then_some(selection)
}

/// Does part after part, as many as one request may take.
async fn parts<F>(after: Option<i64>, part: impl Fn(Option<i64>) -> F) -> Result<BulkPart, StoreError>
where
    F: Future<Output = Result<BulkPart, StoreError>>,
{
    let mut done = BulkPart { changed: 0, next: after };
    for _ in 0..PARTS {
        let BulkPart { changed, next } = part(done.next).await?;
        done = BulkPart { changed: done.changed.saturating_add(changed), next };
        if next.is_none() {
            break;
        }
    }
    Ok(done)
}
