//! What plugins' capabilities work on: the host's own store and archive.

mod key_value;

use std::sync::Arc;

use hookbox_sandbox::Services;
use hookbox_store::Store;

/// The services of a host that keeps its rows in this store.
pub fn services(store: &Store) -> Services {
    Services { key_value: Some(Arc::new(key_value::PluginRows::new(store.clone()))), ..Services::default() }
}
