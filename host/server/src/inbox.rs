//! Where accepted events wait for their receivers. Durable delivery takes this place: it keeps the signature, writes
//! the events down before it returns, and calls the same receivers from its journal.

use std::sync::Arc;
use std::time::Duration;

use hookbox_hooks::ReceivedEvent;
use hookbox_plugins::Generation;
use metrics::{Counter, Gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// Events accepted and not yet delivered, in memory.
pub(crate) struct Inbox {
    room: Arc<Semaphore>,
    capacity: u32,
    deliveries: TaskTracker,
    accepted: Counter,
    waiting: Gauge,
}

/// There is no room for the events.
#[derive(Debug)]
pub(crate) struct Full;

impl Inbox {
    pub(crate) fn new(capacity: u32) -> Self {
        Self {
            room: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
            deliveries: TaskTracker::new(),
            accepted: metrics::counter!("hookbox_events_accepted_total"),
            waiting: metrics::gauge!("hookbox_events_in_flight"),
        }
    }

    /// Takes all the events or none. Each receiver gets each event in a task of its own, so that neither a slow nor
    /// a failing one is felt by another.
    pub(crate) fn take(&self, generation: &Arc<Generation>, events: Vec<ReceivedEvent>) -> Result<(), Full> {
        let wanted = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(wanted.min(self.capacity));
        let mut room = room.map_err(|_| Full)?;
        self.accepted.increment(events.len() as u64);
        for event in events {
            // A batch larger than the whole room holds all of it and then travels without a place of its own.
            let place = room.split(1);
            self.deliver(Arc::clone(generation), event, place);
        }
        Ok(())
    }

    fn deliver(
        &self,
        generation: Arc<Generation>,
        event: ReceivedEvent,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let waiting = self.waiting.clone();
        waiting.increment(1.0);
        let deliveries = self.deliveries.clone();
        self.deliveries.spawn(async move {
            let event = Arc::new(event);
            let count = generation.receivers(&event.metadata.event_type).map_or(0, <[_]>::len);
            let calls: Vec<_> = (0..count)
                .map(|at| {
                    let (generation, event) = (Arc::clone(&generation), Arc::clone(&event));
                    deliveries.spawn(async move {
                        let receivers = generation.receivers(&event.metadata.event_type);
                        if let Some(receiver) = receivers.and_then(|receivers| receivers.get(at)) {
                            receiver.deliver(&event, 1).await;
                        }
                    })
                })
                .collect();
            for call in calls {
                if let Err(error) = call.await {
                    tracing::error!(%error, "a delivery ended in a panic: please report this");
                }
            }
            waiting.decrement(1.0);
            drop(place);
        });
    }

    /// Waits until every accepted event was delivered, at most `grace`. Says whether all were.
    pub(crate) async fn drain(&self, grace: Duration) -> bool {
        self.deliveries.close();
        tokio::time::timeout(grace, self.deliveries.wait()).await.is_ok()
    }
}
