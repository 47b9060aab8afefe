//! The harmless part of WASI that toolchains import whether or not the plugin uses it: no arguments, an empty
//! environment, no files, no network; stdout and stderr become log lines, clocks are coarse, random is bounded.

mod clocks;
mod random;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, filesystem};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiView};

use crate::log::{CallLog, Stream};
use crate::state::{CallState, Owner};

/// Bytes a guest may write to a stream at a time.
const WRITE_BYTES: usize = 16 << 10;

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Links every harmless interface.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    type S = CallState;
    let l = linker;
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<S, HasTable>(l, |state| state.ctx().table)?;
    wasmtime_wasi_io::bindings::wasi::io::poll::add_to_linker::<S, HasTable>(l, |state| state.ctx().table)?;
    wasmtime_wasi_io::bindings::wasi::io::streams::add_to_linker::<S, HasTable>(l, |state| {
        state.ctx().table
    })?;
    clocks::link(l)?;
    random::link(l)?;
    filesystem::preopens::add_to_linker::<S, WasiFilesystem>(l, S::filesystem)?;
    filesystem::types::add_to_linker::<S, WasiFilesystem>(l, S::filesystem)?;
    cli::exit::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::environment::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::stdin::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::stdout::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::stderr::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::terminal_input::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::terminal_output::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::terminal_stdin::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::terminal_stdout::add_to_linker::<S, WasiCli>(l, S::cli)?;
    cli::terminal_stderr::add_to_linker::<S, WasiCli>(l, S::cli)?;
    Ok(())
}

/// The WASI context of one call.
pub(crate) fn context(log: &CallLog, owner: &Owner) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(LogStream { log: log.clone(), stream: Stream::Stdout })
        .stderr(LogStream { log: log.clone(), stream: Stream::Stderr })
        .allow_tcp(false)
        .allow_udp(false);
    clocks::prepare(&mut wasi, owner);
    wasi.build()
}

/// A stream that never blocks and never closes: what is too much is dropped by the log.
#[derive(Clone)]
struct LogStream {
    log: CallLog,
    stream: Stream,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this one, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.bytes(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}
