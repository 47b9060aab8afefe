//! `wasi:logging/logging`: lines of the host's log.

use super::bindings::wasi::logging::logging::{Host, Level as Guest};
use crate::log::Level;
use crate::state::CallState;

impl Host for CallState {
    fn log(&mut self, level: Guest, context: String, message: String) -> wasmtime::Result<()> {
        self.count_host_call()?;
        let level = match level {
            Guest::Trace => Level::Trace,
            Guest::Debug => Level::Debug,
            Guest::Info => Level::Info,
            Guest::Warn => Level::Warn,
            Guest::Error => Level::Error,
            Guest::Critical => Level::Critical,
        };
        self.log.message(level, &context, &message);
        Ok(())
    }
}
