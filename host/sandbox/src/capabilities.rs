//! What a guest may import. Each capability links once, takes what the plugin's configuration gives it, and reads
//! what belongs to the call from [`CallState`].

pub(crate) mod context;
pub(crate) mod course_archive;
pub(crate) mod http;
pub(crate) mod key_value;
pub(crate) mod logging;
pub(crate) mod rehearsal;
mod services;
pub(crate) mod settings;
mod taped;
pub(crate) mod wasi;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::grants::{Capability, Grants};
use crate::state::CallState;

pub use context::{CallContext, DeliveryWishes};
pub use course_archive::{ArchiveFault, ArchiveQuery, ArchiveStatus, CourseArchive};
pub use http::{Resolver, Resolving};
pub use key_value::{KeyValue, KeyValueBucket, KeyValueFault, KeyValueQuota};
pub use services::Services;
pub use settings::Settings;

/// Host traits for the interfaces of `wit/`, generated from the very text that plugins are built against.
mod bindings {
    wasmtime::component::bindgen!({
        path: ["../../wit/deps/wasi-config", "../../wit/deps/wasi-logging", "../../wit/hookbox"],
        world: "hookbox:plugin/plugin@1.0.0",
        imports: { default: trappable },
    });
}

/// Links what the host offers to every plugin, and what is granted. Nothing else is there.
///
/// # Errors
/// Two capabilities offer the same interface: a mistake in this module.
pub(crate) fn linker(engine: &Engine, grants: &Grants) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    bindings::Plugin::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state)?;
    wasi::link(&mut linker)?;
    if grants.allow(Capability::ArchiveRead) {
        course_archive::link_reading(&mut linker)?;
    }
    if grants.allow(Capability::ArchiveWrite) {
        course_archive::link_updates(&mut linker)?;
    }
    if grants.allow(Capability::KeyValue) {
        key_value::link(&mut linker)?;
    }
    if grants.allow(Capability::Http) {
        http::link(&mut linker)?;
    }
    Ok(linker)
}

/// The interfaces the host offers to every plugin, without versions, for reports.
pub(crate) const OFFERED: &[&str] = &[
    "hookbox:plugin/types",
    "hookbox:plugin/context",
    "hookbox:plugin/delivery",
    "wasi:config/store",
    "wasi:logging/logging",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];
