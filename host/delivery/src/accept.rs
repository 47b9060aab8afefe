//! Taking events in.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookbox_hooks::ReceivedEvent;
use hookbox_store::{Added, NewDelivery, NewEvent, StoreError};

use crate::engine::Inner;
use crate::receivers::Receivers;
use crate::row;
use crate::users::{Said, Tally, keep_in_step};

/// What became of one accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its number in order of arrival.
    pub seq: i64,
    /// Whether it was known already.
    pub duplicate: bool,
    /// How many receivers it has; of a duplicate 0.
    pub receivers: usize,
}

/// Why events were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Too many deliveries wait.
    #[error("{waiting} deliveries wait for their receivers, at most {most} may; send this again later")]
    Backlog {
        /// How many wait.
        waiting: u64,
        /// How many may.
        most: u64,
    },
    /// The events that wait take as many bytes as they may.
    #[error("the journal holds {bytes} bytes of events that wait, at most {most} may; send this again later")]
    Full {
        /// The bytes of events that wait.
        bytes: u64,
        /// How many may.
        most: u64,
    },
    /// The server stops.
    #[error("the server is stopping; send this again later")]
    Stopping,
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AcceptError {
    /// A stable name for the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Backlog { .. } | Self::Full { .. } => "events-backlog",
            Self::Stopping => "stopping",
            Self::Store(error) => error.code(),
        }
    }
}

type Rows = Vec<(NewEvent, Vec<NewDelivery>)>;

/// Writes the events down and wakes their receivers. Goes to its end once it is begun: in a task of its own.
pub(crate) async fn accept<R: Receivers>(
    inner: Arc<Inner<R>>,
    events: Vec<ReceivedEvent>,
) -> Result<Vec<Accepted>, AcceptError> {
    let rows = Arc::new(rows(&inner, &events)?);
    let said: Vec<Said> = events.iter().map(|event| inner.options.following.said_by(event)).collect();
    drop(events);
    let deliveries = rows.iter().map(|(_, receivers)| receivers.len()).sum();
    let room = inner.pressure.room(deliveries, &inner.store, &inner.options).await?;
    let written = Arc::clone(&rows);
    let job = inner.store.write(move |writes| {
        let (mut added, mut tally) = (Vec::with_capacity(written.len()), Tally::default());
        for ((event, receivers), said) in written.iter().zip(&said) {
            let one: Added = writes.add_event(event, receivers)?;
            if one.new {
                tally.add(keep_in_step(writes, event, said)?);
            }
            added.push(one);
        }
        Ok::<_, StoreError>((added, tally))
    });
    let (added, tally) = job.await.inspect_err(|error| {
        if *error == StoreError::Full {
            inner.prune.notify_one();
        }
    })?;
    tally.count();
    let accepted = inner.taken(&rows, &added);
    drop(room);
    Ok(accepted)
}

fn rows<R: Receivers>(inner: &Inner<R>, events: &[ReceivedEvent]) -> Result<Rows, StoreError> {
    let now = inner.clock.now();
    let row = |event: &ReceivedEvent| {
        let row = row::to_row(event, now);
        let row = row.map_err(|error| StoreError::Internal { detail: format!("an event: {error}") })?;
        let receivers = inner.receivers.of(&event.metadata.event_type).into_iter().map(|plugin| {
            let path = inner.receivers.policy(&plugin).ordered_by;
            NewDelivery { order_key: path.and_then(|path| path.key(&event.data)), plugin }
        });
        Ok((row, receivers.collect()))
    };
    events.iter().map(row).collect()
}

impl<R: Receivers> Inner<R> {
    /// The events are committed: counts them, and wakes who gets them.
    fn taken(self: &Arc<Self>, rows: &Rows, added: &[Added]) -> Vec<Accepted> {
        let mut plugins = BTreeSet::new();
        let (mut deliveries, mut bytes, mut duplicates) = (0, 0, 0);
        let mut accepted = Vec::with_capacity(added.len());
        for ((event, receivers), added) in rows.iter().zip(added) {
            let count = if added.new { receivers.len() } else { 0 };
            accepted.push(Accepted { seq: added.seq, duplicate: !added.new, receivers: count });
            if added.new {
                deliveries += count;
                bytes += if count == 0 { 0 } else { event.data.len() + event.extensions.len() };
                plugins.extend(receivers.iter().map(|receiver| &*receiver.plugin));
            } else {
                duplicates += 1;
            }
        }
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX >> 1);
        self.pressure.add(signed(deliveries), signed(bytes));
        self.meters.accepted.increment(added.len() as u64);
        self.meters.duplicates.increment(duplicates);
        for plugin in plugins {
            self.wake(plugin);
        }
        accepted
    }
}
