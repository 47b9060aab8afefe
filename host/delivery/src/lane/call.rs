//! One call of a receiver.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hookbox_store::{Claimed, Timestamp};
use serde_json::json;

use crate::engine::Inner;
use crate::receivers::{Outcome, Receipt, Receivers};
use crate::row;

/// An attempt that came to its end.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) claimed: Claimed,
    pub(super) receipt: Receipt,
    pub(super) began_at: Timestamp,
    pub(super) took: Duration,
}

/// Calls the receiver. A panic on the way is a failed attempt.
pub(super) async fn call<R: Receivers>(inner: Arc<Inner<R>>, plugin: Arc<str>, claimed: Claimed) -> Ended {
    let (began_at, began) = (inner.clock.now(), inner.clock.steady());
    let receipt = match row::to_event(&claimed.event.event) {
        Ok(event) => {
            let call = AssertUnwindSafe(inner.receivers.deliver(&plugin, &event, claimed.attempt));
            // Nothing of the call is used after a panic.
            call.catch_unwind()
                .await
                .unwrap_or_else(|_| internal("the call panicked: please report this".to_owned()))
        }
        Err(error) => internal(format!("the event cannot be read: {error}")),
    };
    let took = inner.clock.steady().saturating_sub(began);
    Ended { claimed, receipt, began_at, took }
}

fn internal(reason: String) -> Receipt {
    let report = json!({"code": "internal", "reason": reason});
    Receipt {
        outcome: Outcome::Failed { code: "internal", reason, report },
        release: None,
        digest: None,
        not_before: None,
        replay: None,
    }
}
