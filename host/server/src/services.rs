//! What plugins' capabilities work on: the host's own store and archive.

mod complaints;
mod course_archive;
mod key_value;
#[cfg(test)]
mod testing;
mod turns;

use std::sync::Arc;

use hookbox_archive::Archive;
use hookbox_sandbox::Services;
use hookbox_store::Store;

use course_archive::HostArchive;
use key_value::PluginRows;

/// The services of a host that keeps its rows in this store.
pub fn services(store: &Store) -> Services {
    Services {
        course_archive: Some(Arc::new(HostArchive::new(Archive::new(store.clone())))),
        key_value: Some(Arc::new(PluginRows::new(store.clone()))),
        resolver: None,
        failed_calls: None,
    }
}
