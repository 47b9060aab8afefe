//! What is counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{EventTotals, Reads, ReceiverCounts, StoreError, Timestamp};
use metrics::{Counter, Histogram};

use crate::clock::since;
use crate::desk::{ReceiverSummary, Summary};
use crate::engine::Inner;
use crate::receivers::Receivers;

/// The gauges are refreshed so often.
const EVERY: Duration = Duration::from_secs(5);

/// What is counted about events.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) accepted: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) refused: Counter,
    pub(crate) pruned: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            accepted: metrics::counter!("hookbox_events_accepted_total"),
            duplicates: metrics::counter!("hookbox_events_duplicate_total"),
            refused: metrics::counter!("hookbox_events_refused_total"),
            pruned: metrics::counter!("hookbox_events_pruned_total"),
        }
    }
}

/// What is counted about one plugin's deliveries.
#[derive(Debug)]
pub(crate) struct LaneMeters {
    plugin: String,
    lag: Histogram,
    attempts: HashMap<&'static str, Counter>,
}

impl LaneMeters {
    pub(crate) fn new(plugin: &str) -> Self {
        let plugin = plugin.to_owned();
        let lag = metrics::histogram!("hookbox_delivery_lag_seconds", "plugin" => plugin.clone());
        Self { plugin, lag, attempts: HashMap::new() }
    }

    /// How long after its arrival an event's first attempt begins.
    pub(crate) fn lag(&self, lag: Duration) {
        self.lag.record(lag);
    }

    /// An attempt ended.
    pub(crate) fn attempt(&mut self, outcome: &'static str) {
        let plugin = &self.plugin;
        let counter = self.attempts.entry(outcome).or_insert_with(|| {
            metrics::counter!("hookbox_delivery_attempts_total", "plugin" => plugin.clone(), "outcome" => outcome)
        });
        counter.increment(1);
    }
}

/// Reads how the journal stands.
pub(crate) fn summary(reads: &Reads<'_>) -> Result<Summary, StoreError> {
    let receivers = reads.receiver_counts()?.into_iter().map(|counts| {
        let oldest = if counts.open == 0 { None } else { reads.oldest_open(&counts.plugin)? };
        Ok(ReceiverSummary { counts, oldest })
    });
    Ok(Summary { receivers: receivers.collect::<Result<_, StoreError>>()?, totals: reads.event_totals()? })
}

impl<R: Receivers> Inner<R> {
    /// Refreshes gauges and counts. The plugins with deliveries that wait or run.
    pub(crate) async fn measure(&self) -> Result<Vec<String>, StoreError> {
        let Summary { receivers, totals } = self.store.read(summary).await?;
        let now = self.clock.now();
        receivers.iter().for_each(|receiver| show_receiver(receiver, now));
        show_totals(&totals);
        let counts: Vec<ReceiverCounts> = receivers.into_iter().map(|receiver| receiver.counts).collect();
        self.pressure.set(&counts, &totals);
        Ok(counts.into_iter().filter(|counts| counts.open > 0).map(|counts| counts.plugin).collect())
    }
}

fn show_receiver(receiver: &ReceiverSummary, now: Timestamp) {
    let ReceiverSummary { counts, oldest } = receiver;
    let plugin = || counts.plugin.clone();
    metrics::gauge!("hookbox_deliveries_waiting", "plugin" => plugin()).set(counts.open as f64);
    metrics::gauge!("hookbox_dead_letters", "plugin" => plugin()).set(counts.dead as f64);
    let age = oldest.and_then(|oldest| since(oldest, now)).unwrap_or_default();
    metrics::gauge!("hookbox_oldest_waiting_seconds", "plugin" => plugin()).set(age.as_secs_f64());
}

fn show_totals(totals: &EventTotals) {
    for (class, total) in [("open", totals.open), ("dead", totals.dead), ("done", totals.done)] {
        metrics::gauge!("hookbox_events_kept", "class" => class).set(total.events as f64);
        metrics::gauge!("hookbox_events_bytes", "class" => class).set(total.bytes as f64);
    }
}

/// Refreshes the gauges now and then, and sees to it that whoever has deliveries has a lane.
pub(crate) async fn run<R: Receivers>(inner: Arc<Inner<R>>) {
    loop {
        tokio::select! {
            () = inner.clock.sleep(EVERY) => {}
            () = inner.stopping.cancelled() => return,
        }
        match inner.measure().await {
            Ok(open) => open.iter().for_each(|plugin| inner.ensure(plugin)),
            Err(error) => tracing::debug!(%error, "the journal could not be measured"),
        }
    }
}
