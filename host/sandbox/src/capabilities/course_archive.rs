//! `hookbox:plugin/course-archive` and `course-archive-updates`: the course archive, for plugins that are granted it.

use wasmtime::component::Linker;

use crate::state::CallState;

/// The course archive as plugins use it.
pub trait CourseArchive: Send + Sync {}

pub(super) fn link_reading(_linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    Ok(())
}

pub(super) fn link_updates(_linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    Ok(())
}
