//! Events that nobody waits for go after a while.

use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{Keep, StoreError};

use crate::clock::before;
use crate::engine::Inner;
use crate::receivers::Receivers;

/// What may go is looked for so often.
const EVERY: Duration = Duration::from_secs(60);
/// Events that one transaction deletes.
const PART: u32 = 100;
/// The pause between two of them, so that others get to write.
const BETWEEN: Duration = Duration::from_millis(5);

/// Prunes until the journal stops.
pub(crate) async fn run<R: Receivers>(inner: Arc<Inner<R>>) {
    let mut failed = false;
    loop {
        let pruned = inner.prune_part().await;
        if let Err(error) = &pruned
            && !failed
        {
            tracing::error!("old events cannot be deleted: {error}; this is tried again every minute");
        }
        failed = pruned.is_err();
        let pause = if pruned.is_ok_and(|more| more) { BETWEEN } else { EVERY };
        tokio::select! {
            () = inner.clock.sleep(pause) => {}
            () = inner.prune.notified(), if pause == EVERY => {}
            () = inner.stopping.cancelled() => return,
        }
    }
}

impl<R: Receivers> Inner<R> {
    /// Deletes a part of what may go. Whether there may be more.
    async fn prune_part(&self) -> Result<bool, StoreError> {
        let keep = &self.options.retention;
        // By a clock that nobody sets forward: else one mistake with it would empty the journal.
        let now = self.clock.settled();
        let done = Keep { since: before(now, keep.delivered_age), bytes: keep.delivered_bytes };
        let dead = Keep { since: before(now, keep.dead_age), bytes: keep.dead_bytes };
        let went = self.store.write(move |writes| writes.prune_events(done, dead, PART)).await?;
        self.meters.pruned.increment(went.events);
        Ok(went.events > 0)
    }
}
