//! What delivery asks of whoever knows the plugins.

use std::time::Duration;

use hookbox_hooks::ReceivedEvent;
use serde_json::Value;

use crate::policy::Policy;

/// Who receives which events, and how they are called.
pub trait Receivers: std::fmt::Debug + Send + Sync + 'static {
    /// The live plugins that receive events of a type, by name; each is asked for its terms by [`Receivers::policy`].
    fn of(&self, event_type: &str) -> Vec<String>;

    /// The event types that a live plugin receives; none where it is not live.
    fn types(&self, plugin: &str) -> Vec<String>;

    /// How a plugin stands.
    fn standing(&self, plugin: &str) -> Standing;

    /// A live plugin's terms; the default ones where it is not live.
    fn policy(&self, plugin: &str) -> Policy;

    /// Calls a plugin's receiver once. `attempt` is 1 for the first. Ends within the plugin's limits, whatever it does.
    fn deliver(
        &self,
        plugin: &str,
        event: &ReceivedEvent,
        attempt: u32,
    ) -> impl Future<Output = Receipt> + Send;
}

/// How a plugin stands towards its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It takes calls.
    Live,
    /// It takes none now, and will: it is disabled, not approved yet, or could not be brought back. Its deliveries wait.
    Away,
    /// It was removed, or never was. Its deliveries become dead letters.
    Gone,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// Whether the receiver took the event.
    pub outcome: Outcome,
    /// The number of the release that was called.
    pub release: Option<u32>,
    /// The digest of its component.
    pub digest: Option<String>,
    /// The receiver asked for at least this pause before the next attempt.
    pub not_before: Option<Duration>,
    /// The name under which the failed call is kept, where it is. The attempt's report tells it as `replay`.
    pub replay: Option<String>,
}

/// Whether a receiver took an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It did.
    Delivered,
    /// It asks for another attempt.
    Retry {
        /// In its own words.
        reason: String,
    },
    /// It will never take it.
    Rejected {
        /// In its own words.
        reason: String,
    },
    /// The call ended without an answer: a trap, a limit.
    Failed {
        /// The failure's stable name.
        code: &'static str,
        /// What was wrong and where, in a sentence.
        reason: String,
        /// The report, as the API shows it.
        report: Value,
    },
    /// The host had no room for the call. An attempt that does not count against the limit.
    Overloaded {
        /// What there was no room in.
        reason: String,
    },
    /// The plugin is put aside, and was not called. No attempt; none will be made for so long.
    PutAside {
        /// Until the first trial.
        pause: Duration,
    },
    /// The live release does not receive this event type (any more), and was not called. It becomes a dead letter.
    NotReceived,
}
