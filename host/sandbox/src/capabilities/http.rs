//! `wasi:http`: requests to the origins that are granted.

use wasmtime::component::Linker;

use crate::state::CallState;

pub(super) fn link(_linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    Ok(())
}
