//! The receivers of an event, and calling one.

use std::sync::Arc;
use std::time::Instant;

use hookbox_hooks::ReceivedEvent;
use hookbox_sandbox::{Answer, CallContext, CallFailure, Plugin};
use serde_json::{Map, Value};

use crate::breaker::Quarantine;
use crate::effective::Entry;
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
    /// The plugin is put aside, and was not called. A failed attempt like any other.
    Quarantined(Arc<Quarantine>),
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
}

impl Receiver {
    /// Delivers one event. `attempt` is 1 for the first try.
    pub async fn deliver(&self, event: &ReceivedEvent, attempt: u32) -> Receipt {
        let tried = Draws::default().pick(self.tried.as_ref());
        let (release, entry) = tried.and_then(Tried::canary).unwrap_or((&self.plugin, self.entry));
        let started = Instant::now();
        let receipt = match release.circuit.admit() {
            Ok(admission) => {
                let answer = call(&release.plugin, entry, event, attempt).await;
                admission.ended(answer.as_ref().err());
                receipt(answer)
            }
            Err(quarantine) => Receipt::Quarantined(quarantine),
        };
        self.meter.record(&receipt, started.elapsed());
        self.log(release, event, &receipt);
        if let Some(tried) = tried {
            tell(tried, event, attempt, &receipt);
        }
        receipt
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
    let context = Arc::new(CallContext::default());
    plugin.call(entry.function, &arguments, context, time).await
}

/// A delivery that a trial chose ended: with the tried release, which counts, or with the live one, beside which the
/// tried one now gets the event.
fn tell(tried: &Tried, event: &ReceivedEvent, attempt: u32, receipt: &Receipt) {
    let event_type = &event.metadata.event_type;
    let no_room = matches!(receipt, Receipt::Failed(CallFailure::Overloaded { .. }));
    if tried.canary().is_some() {
        match no_room {
            true => tried.trial.left_out(),
            false => tried.trial.answered(event_type, &Said::by_receiver(receipt)),
        }
        return;
    }
    // Where the live release was not called, there is nothing to compare with.
    if no_room || matches!(receipt, Receipt::Quarantined(_)) {
        return;
    }
    let Some(shadow) = tried.trial.shadow() else {
        return;
    };
    let (entry, event, live) = (tried.entry, event.clone(), Said::by_receiver(receipt));
    tokio::spawn(async move {
        let call = call(&shadow.rehearsal.plugin, entry, &event, attempt);
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
