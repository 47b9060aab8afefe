//! `wasi:keyvalue`: rows of the plugin's own.

use wasmtime::component::Linker;

use crate::state::CallState;

/// Where plugins keep rows.
pub trait KeyValue: Send + Sync {}

pub(super) fn link(_linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    Ok(())
}
