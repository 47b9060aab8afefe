//! The receivers of an event, and calling one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_hooks::ReceivedEvent;
use hookbox_sandbox::{Answer, CallContext, CallFailure, DeliveryWishes, Plugin};
use serde_json::{Map, Value};

use crate::breaker::Quarantine;
use crate::effective::Entry;
use crate::failed_calls::deliver;
use crate::generation::LivePlugin;
use crate::metering::ReceiverMeter;
use crate::trial::{Draws, Said, Tried};

/// A plugin that receives an event type.
#[derive(Debug)]
pub struct Receiver {
    /// The plugin.
    pub plugin: Arc<LivePlugin>,
    /// Why it receives this type.
    pub reason: String,
    pub(crate) entry: Entry,
    /// Another release of it that is tried, when that takes the event too.
    pub(crate) tried: Option<Tried>,
    pub(crate) meter: ReceiverMeter,
}

/// What came of one delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Receipt {
    /// The receiver took the event.
    Delivered,
    /// The receiver asks for another attempt.
    Retry(String),
    /// The receiver will never take it.
    Rejected(String),
    /// The call ended without an answer.
    Failed(CallFailure),
    /// The plugin is put aside, and was not called.
    Quarantined(Arc<Quarantine>),
}

/// One attempt that ended: by whom it was made, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Handed {
    /// What came of it.
    pub receipt: Receipt,
    /// The number of the release that was called, or would have been; 0 where none was recorded.
    pub release: u32,
    /// The digest of its component, `sha256:…`.
    pub digest: String,
    /// The receiver asked for at least this pause before the next attempt.
    pub not_before: Option<Duration>,
    /// The name under which the failed call is kept, when it is.
    pub replay: Option<String>,
}

impl Receipt {
    /// A stable name, for reports and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(_) => "retry",
            Self::Rejected(_) => "rejected",
            Self::Failed(_) => "failed",
            Self::Quarantined(_) => "quarantined",
        }
    }

    /// Whether the host had no room for the call.
    fn is_overload(&self) -> bool {
        matches!(self, Self::Failed(CallFailure::Overloaded { .. }))
    }
}

impl Receiver {
    /// Delivers one event. `attempt` is 1 for the first try.
    pub async fn deliver(&self, event: &ReceivedEvent, attempt: u32) -> Handed {
        let tried = Draws::default().pick(self.tried.as_ref());
        let Some((tried, (canary, entry))) = tried.and_then(|tried| Some((tried, tried.canary()?))) else {
            let handed = self.hand(&self.plugin, self.entry, event, attempt).await;
            if let Some(tried) = tried {
                shadow(tried, event, attempt, &handed.receipt);
            }
            return handed;
        };
        let handed = self.hand(canary, entry, event, attempt).await;
        count(tried, event, &handed.receipt);
        match handed.receipt {
            // It was not called: the event is the live release's, which nobody put aside.
            Receipt::Quarantined(_) => self.hand(&self.plugin, self.entry, event, attempt).await,
            _ => handed,
        }
    }

    async fn hand(&self, release: &LivePlugin, entry: Entry, event: &ReceivedEvent, attempt: u32) -> Handed {
        let started = Instant::now();
        let (receipt, wishes) = match release.circuit.admit() {
            Ok(admission) => {
                let context =
                    Arc::new(CallContext { filter: None, delivery: Some(DeliveryWishes::default()) });
                let answer = call(&release.plugin, entry, event, attempt, Arc::clone(&context)).await;
                admission.ended(answer.as_ref().err());
                (receipt(answer), Some(context))
            }
            Err(quarantine) => (Receipt::Quarantined(quarantine), None),
        };
        let wishes = wishes.as_ref().and_then(|context| context.delivery.as_ref());
        let not_before = wishes.and_then(DeliveryWishes::not_before);
        let replay = wishes.and_then(DeliveryWishes::replay).map(str::to_owned);
        self.meter.record(&receipt, started.elapsed());
        self.log(release, event, &receipt);
        Handed { receipt, release: release.release, digest: release.digest.clone(), not_before, replay }
    }

    fn log(&self, release: &LivePlugin, event: &ReceivedEvent, receipt: &Receipt) {
        let (plugin, event_type, id) = (release.name(), &*event.metadata.event_type, &*event.metadata.id);
        match receipt {
            Receipt::Delivered => tracing::debug!(plugin, event_type, id, "event delivered"),
            Receipt::Retry(reason) => {
                tracing::warn!(plugin, event_type, id, reason, "receiver asks to try again");
            }
            Receipt::Rejected(reason) => {
                tracing::warn!(plugin, event_type, id, reason, "receiver rejected the event");
            }
            Receipt::Quarantined(_) => {
                tracing::debug!(plugin, event_type, id, "event not delivered: the receiver is put aside");
            }
            Receipt::Failed(failure) => {
                let (code, stack) = (failure.code(), failure.backtrace().join(" < "));
                tracing::error!(plugin, event_type, id, code, stack, "receiver failed: {failure}");
            }
        }
    }
}

async fn call(
    plugin: &Plugin,
    entry: Entry,
    event: &ReceivedEvent,
    attempt: u32,
    context: Arc<CallContext>,
) -> Result<Answer, CallFailure> {
    let metadata = event.metadata.to_json(attempt);
    let arguments = if entry.generic {
        Map::from_iter([
            ("event_type".to_owned(), Value::String(event.metadata.event_type.clone())),
            ("data".to_owned(), event.data.clone()),
            ("metadata".to_owned(), metadata),
        ])
    } else {
        let mut arguments = event.data.as_object().cloned().unwrap_or_default();
        arguments.insert("metadata".to_owned(), metadata);
        arguments
    };
    let time = plugin.limits().event_time();
    deliver(plugin, entry.function, &arguments, context, time).await
}

/// Counts a delivery to the tried release.
fn count(tried: &Tried, event: &ReceivedEvent, receipt: &Receipt) {
    match receipt.is_overload() {
        true => tried.trial.left_out(),
        false => tried.trial.answered(&event.metadata.event_type, &Said::by_receiver(receipt)),
    }
}

/// Gives the tried release the event too, beside the live one that answered.
fn shadow(tried: &Tried, event: &ReceivedEvent, attempt: u32, receipt: &Receipt) {
    // Where the live release was not called, there is nothing to compare with.
    if receipt.is_overload() || matches!(receipt, Receipt::Quarantined(_)) {
        return;
    }
    let Some(shadow) = tried.trial.shadow() else {
        return;
    };
    let (entry, event, live) = (tried.entry, event.clone(), Said::by_receiver(receipt));
    tokio::spawn(async move {
        let context = Arc::new(CallContext { filter: None, delivery: Some(DeliveryWishes::default()) });
        let call = call(&shadow.rehearsal.plugin, entry, &event, attempt, context);
        let say = |answer| Said::by_receiver(&self::receipt(answer));
        shadow.run(&event.metadata.event_type, &live, call, say).await;
    });
}

/// What a call's answer means.
fn receipt(answer: Result<Answer, CallFailure>) -> Receipt {
    match answer {
        Ok(Ok(_)) => Receipt::Delivered,
        Ok(Err(failure)) => refusal(&failure),
        Err(failure) => Receipt::Failed(failure),
    }
}

/// The failure side of `receive`: `{"retry": reason}` or `{"reject": reason}`.
fn refusal(failure: &Value) -> Receipt {
    let reason = |key: &str| failure.get(key).and_then(Value::as_str).map(str::to_owned);
    match reason("reject") {
        Some(reason) => Receipt::Rejected(reason),
        None => Receipt::Retry(reason("retry").unwrap_or_default()),
    }
}
