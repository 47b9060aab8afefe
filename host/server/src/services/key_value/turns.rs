//! How much of one plugin waits for the store at a time: whoever else waits does so behind a little of each plugin, not
//! behind all that one of them can ask for at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Reads of one plugin in the store's queue.
const READS: usize = 4;
/// Shares of one plugin in the store's queue of writes. A small write is one, so that many share a commit; the largest
/// takes them all.
const WRITE_SHARES: u32 = 64;
/// What takes a further share of a write: so many bytes,
const SHARE_BYTES: usize = 64 << 10;
/// or so many keys.
const SHARE_KEYS: usize = 16;

/// The turns of all plugins.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Arc<str>, Arc<OfPlugin>>>);

struct OfPlugin {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl Turns {
    /// Waits until the plugin may read; held until it has.
    ///
    /// # Errors
    /// Never: no semaphore here is closed.
    pub(super) async fn read(&self, plugin: &Arc<str>) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.of(plugin).reads).acquire_owned().await
    }

    /// Waits until the plugin may write so much; held until it has.
    ///
    /// # Errors
    /// Never: no semaphore here is closed.
    pub(super) async fn write(
        &self,
        plugin: &Arc<str>,
        keys: usize,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.of(plugin).writes).acquire_many_owned(shares(keys, bytes)).await
    }

    fn of(&self, plugin: &Arc<str>) -> Arc<OfPlugin> {
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_plugin) = plugins.get(plugin) {
            return Arc::clone(of_plugin);
        }
        let of_plugin = Arc::new(OfPlugin {
            reads: Arc::new(Semaphore::new(READS)),
            writes: Arc::new(Semaphore::new(WRITE_SHARES as usize)),
        });
        plugins.insert(Arc::clone(plugin), Arc::clone(&of_plugin));
        of_plugin
    }
}

fn shares(keys: usize, bytes: usize) -> u32 {
    let shares = 1 + keys / SHARE_KEYS + bytes / SHARE_BYTES;
    u32::try_from(shares).unwrap_or(WRITE_SHARES).min(WRITE_SHARES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_write_is_one_share_and_the_largest_takes_all() {
        assert_eq!(shares(1, 0), 1);
        assert_eq!(shares(1, SHARE_BYTES), 2);
        assert_eq!(shares(1_000, 0), 63);
        assert_eq!(shares(1, 4 << 20), WRITE_SHARES);
        assert_eq!(shares(usize::MAX / 2, usize::MAX / 2), WRITE_SHARES);
    }
}
