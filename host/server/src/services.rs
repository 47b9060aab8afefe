//! What plugins' capabilities work on: the host's own store and archive.

use hookbox_sandbox::Services;
use hookbox_store::Store;

/// The services of a host that keeps its rows in this store.
pub fn services(_store: &Store) -> Services {
    Services::default()
}
