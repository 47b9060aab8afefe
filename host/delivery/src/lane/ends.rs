//! What became of calls.

use std::time::Duration;

use hookbox_store::{After, AttemptEnd, Claimed, Timestamp};
use tokio::task::JoinError;
use uuid::Uuid;

use crate::backoff;
use crate::lane::Lane;
use crate::lane::call::Ended;
use crate::receivers::{Outcome, Receivers, Standing};
use crate::verdict::{self, Tried, verdict};

/// A plugin that is put aside is asked again after so long at least, and at most.
const ASIDE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(60 * 60));
/// A plugin that the host has no room for is called again after so long at most.
const CROWDED: Duration = Duration::from_secs(1);

impl<R: Receivers> Lane<R> {
    /// A call came back.
    pub(super) fn joined(&mut self, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(ended) => self.end(&ended),
            Err(error) => {
                let plugin = &*self.plugin;
                tracing::error!(plugin, %error, "a delivery was lost sight of until the next start: please report this");
            }
        }
    }

    /// Gives back what was taken and not called: these attempts never were.
    pub(super) fn give_back(&mut self) {
        let now = self.inner.clock.now();
        self.ended.extend(self.queue.drain(..).map(|claimed| untouched(&claimed, now)));
    }

    /// Gives back what is far more than the lane may have since calls became slow, the latest first: else retries would wait
    /// behind all of it, and a crash would begin all of it in vain.
    pub(super) fn give_back_surplus(&mut self) {
        let size = self.size();
        if self.held() <= size.saturating_mul(2) {
            return;
        }
        let now = self.inner.clock.now();
        while self.held() > size
            && let Some(claimed) = self.queue.pop_back()
        {
            self.ended.push(untouched(&claimed, now));
            self.more = true;
        }
    }

    /// A call ended: what becomes of the delivery.
    fn end(&mut self, ended: &Ended) {
        let Ended { claimed, receipt, began_at, took } = ended;
        let now = self.inner.clock.now();
        let not_live = || self.inner.receivers.standing(&self.plugin) != Standing::Live;
        if receipt.outcome == Outcome::NotReceived && not_live() {
            // Nobody received it because the plugin went away in between, which is no fault of the event.
            self.stale = true;
            self.ended.push(untouched(claimed, now));
            return;
        }
        if let Outcome::PutAside { pause } = receipt.outcome {
            let (least, most) = ASIDE;
            self.leave_alone(pause.clamp(least, most));
            self.ended.push(untouched(claimed, now));
            return;
        }
        if let Outcome::Overloaded { .. } = receipt.outcome {
            // Others would find no room either, and each try is written down.
            self.leave_alone(backoff::no_room(self.crowded, &mut rand::rng()).min(CROWDED));
            self.crowded = self.crowded.saturating_add(1);
        } else {
            self.crowded = 0;
            self.trying &= self.aside.is_some();
        }
        self.pace.ended(*took);
        self.meters.attempt(verdict::name(&receipt.outcome));
        let elapsed = self.inner.clock.elapsed(claimed.began_at, now);
        let tried = Tried { attempt: claimed.attempt, failures: claimed.failures, elapsed };
        let (then, record) = verdict(receipt, tried, &self.policy, now, &mut rand::rng());
        if let After::Dead { reason } = then {
            let (plugin, attempts) = (&*self.plugin, claimed.attempt);
            let event = &claimed.event.event;
            let (event_type, id) = (&*event.event_type, Uuid::from_bytes(event.id));
            tracing::warn!(plugin, event_type, %id, attempts, reason, "an event became a dead letter");
        }
        self.ended.push(AttemptEnd {
            seq: claimed.event.seq,
            then,
            began_at: *began_at,
            took: u64::try_from(took.as_micros()).ok(),
            release: receipt.release,
            record,
        });
    }

    /// Calls nothing for so long, and one thing then.
    fn leave_alone(&mut self, pause: Duration) {
        self.aside = Some(self.inner.clock.steady().saturating_add(pause));
        self.trying = true;
        self.pace.slow();
    }
}

/// The attempt never was.
fn untouched(claimed: &Claimed, now: Timestamp) -> AttemptEnd {
    AttemptEnd {
        seq: claimed.event.seq,
        then: After::Untouched,
        began_at: now,
        took: None,
        release: None,
        record: None,
    }
}
