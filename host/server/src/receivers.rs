//! Delivery's view of the plugins: who receives what on which terms, and one call of a receiver.

use std::sync::Arc;
use std::time::Duration;

use hookbox_delivery::{OrderPath, Outcome, Policy, Receipt, Receivers, Standing};
use hookbox_hooks::ReceivedEvent;
use hookbox_plugins::{DeliveryRule, Generation, Handed, Quarantine, Registry, StepFailure};
use hookbox_sandbox::{CallFailure, escape};
use time::OffsetDateTime;

/// Bytes of what a receiver says of an event that are kept.
const REASON_BYTES: usize = 2_000;
/// The shortest pause for a plugin that is put aside, or that went between two looks.
const SHORTEST: Duration = Duration::from_millis(100);

/// The plugins of a host as delivery sees them. Each call takes the generation that is live then.
#[derive(Debug, Clone)]
pub struct PluginReceivers(Registry);

impl PluginReceivers {
    /// The plugins of this registry.
    pub fn new(plugins: Registry) -> Self {
        Self(plugins)
    }

    fn generation(&self) -> Option<Arc<Generation>> {
        self.0.generation()
    }
}

impl Receivers for PluginReceivers {
    fn of(&self, event_type: &str) -> Vec<String> {
        let Some(generation) = self.generation() else { return Vec::new() };
        let receivers = generation.receivers(event_type).unwrap_or_default();
        receivers.iter().map(|receiver| receiver.plugin.name().to_owned()).collect()
    }

    fn types(&self, plugin: &str) -> Vec<String> {
        let Some(generation) = self.generation() else { return Vec::new() };
        let received = generation
            .events()
            .filter(|(_, receivers)| receivers.iter().any(|receiver| receiver.plugin.name() == plugin));
        received.map(|(event_type, _)| event_type.to_owned()).collect()
    }

    fn standing(&self, plugin: &str) -> Standing {
        // Before the first generation nothing is live, and nothing is gone for that.
        if self.generation().is_some_and(|generation| generation.plugin(plugin).is_some()) {
            return Standing::Live;
        }
        match self.0.standing(plugin) {
            Some(hookbox_plugins::Standing::Enabled | hookbox_plugins::Standing::Disabled) => Standing::Away,
            Some(hookbox_plugins::Standing::Removed) | None => Standing::Gone,
        }
    }

    fn policy(&self, plugin: &str) -> Policy {
        let generation = self.generation();
        let live = generation.as_ref().and_then(|generation| generation.plugin(plugin));
        live.map(|live| policy(&live.delivery)).unwrap_or_default()
    }

    async fn deliver(&self, plugin: &str, event: &ReceivedEvent, attempt: u32) -> Receipt {
        let generation = self.generation();
        let live = generation.as_ref().filter(|generation| generation.plugin(plugin).is_some());
        let Some(generation) = live else {
            return uncalled(Outcome::PutAside { pause: SHORTEST });
        };
        let receivers = generation.receivers(&event.metadata.event_type).unwrap_or_default();
        match receivers.iter().find(|receiver| receiver.plugin.name() == plugin) {
            Some(receiver) => receipt(receiver.deliver(event, attempt).await),
            None => uncalled(Outcome::NotReceived),
        }
    }
}

/// A plugin's terms. Its path was checked with the configuration.
fn policy(rule: &DeliveryRule) -> Policy {
    Policy {
        attempts: rule.attempts,
        horizon: rule.horizon,
        pause: rule.pause,
        longest_pause: rule.longest_pause,
        ordered_by: rule.ordered_by.as_deref().and_then(|path| OrderPath::parse(path).ok()),
        concurrency: rule.concurrency,
    }
}

fn uncalled(outcome: Outcome) -> Receipt {
    Receipt { outcome, release: None, digest: None, not_before: None, replay: None }
}

fn receipt(handed: Handed) -> Receipt {
    use hookbox_plugins::Receipt as Came;

    let Handed { receipt, release, digest, not_before, replay } = handed;
    let outcome = match receipt {
        Came::Delivered => Outcome::Delivered,
        Came::Retry(reason) => Outcome::Retry { reason: escape(&reason, REASON_BYTES) },
        Came::Rejected(reason) => Outcome::Rejected { reason: escape(&reason, REASON_BYTES) },
        Came::Quarantined(quarantine) => return uncalled(Outcome::PutAside { pause: left(&quarantine) }),
        Came::Failed(failure) => failed(failure),
    };
    Receipt { outcome, release: (release > 0).then_some(release), digest: Some(digest), not_before, replay }
}

fn failed(failure: CallFailure) -> Outcome {
    let (code, reason) = (failure.code(), escape(&failure.to_string(), REASON_BYTES));
    match failure {
        CallFailure::Overloaded { .. } => Outcome::Overloaded { reason },
        failure => {
            let report = serde_json::to_value(StepFailure::Call(failure)).unwrap_or_default();
            Outcome::Failed { code, reason, report }
        }
    }
}

/// Until the first trial.
fn left(quarantine: &Quarantine) -> Duration {
    let left = quarantine.until - OffsetDateTime::now_utc();
    Duration::try_from(left).unwrap_or_default().max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed(receipt: hookbox_plugins::Receipt) -> Handed {
        Handed {
            receipt,
            release: 3,
            digest: "sha256:0".into(),
            not_before: None,
            replay: Some("x.json".into()),
        }
    }

    #[test]
    fn what_a_receiver_says_is_made_visible_and_cut() {
        let said = format!("\u{1b}[2J{}", "x".repeat(10_000));
        let receipt = receipt(handed(hookbox_plugins::Receipt::Retry(said)));
        let Outcome::Retry { reason } = receipt.outcome else { panic!("no retry") };
        assert!(reason.starts_with("\\u{1b}[2Jx") && reason.len() <= REASON_BYTES, "{}", reason.len());
        assert_eq!((receipt.release, receipt.digest.as_deref()), (Some(3), Some("sha256:0")));
        assert_eq!(receipt.replay.as_deref(), Some("x.json"));
    }

    #[test]
    fn a_failure_is_told_as_the_api_shows_it_and_a_full_host_is_none() {
        let trap = CallFailure::Internal { detail: "any".into() };
        let Outcome::Failed { code, report, .. } =
            receipt(handed(hookbox_plugins::Receipt::Failed(trap))).outcome
        else {
            panic!("no failure")
        };
        assert_eq!((code, &report["code"]), ("internal", &serde_json::json!("internal")));
        assert!(report["message"].is_string() && report["report"].is_object(), "{report}");
    }

    #[test]
    fn the_rules_defaults_are_deliverys_own() {
        assert_eq!(policy(&DeliveryRule::default()), Policy::default());
        let rule = DeliveryRule { ordered_by: Some("a.b".into()), ..DeliveryRule::default() };
        assert_eq!(policy(&rule).ordered_by, OrderPath::parse("a.b").ok());
    }
}
