//! The harmless part of WASI that toolchains import whether or not the plugin uses it: no arguments, an empty
//! environment, no files, no network; stdout and stderr become log lines, clocks are coarse, random is bounded.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiView};

use crate::log::{CallLog, Stream};
use crate::state::{CallState, Owner};

/// The finest step a guest sees time move in: enough for an author, too coarse to time the host.
const CLOCK_STEP: Duration = Duration::from_millis(1);
/// The step with the grant `clock:fine`.
const FINE_CLOCK_STEP: Duration = Duration::from_nanos(1);
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
    clocks::wall_clock::add_to_linker::<S, WasiClocks>(l, S::clocks)?;
    clocks::monotonic_clock::add_to_linker::<S, WasiClocks>(l, S::clocks)?;
    filesystem::preopens::add_to_linker::<S, WasiFilesystem>(l, S::filesystem)?;
    filesystem::types::add_to_linker::<S, WasiFilesystem>(l, S::filesystem)?;
    random::random::add_to_linker::<S, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    random::insecure::add_to_linker::<S, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<S, WasiRandom>(l, |state| state.ctx().ctx.random())?;
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
    let step = if owner.grants.fine_clock() { FINE_CLOCK_STEP } else { CLOCK_STEP };
    WasiCtx::builder()
        .stdout(LogStream { log: log.clone(), stream: Stream::Stdout })
        .stderr(LogStream { log: log.clone(), stream: Stream::Stderr })
        .max_random_size(owner.limits.random_bytes as u64)
        .wall_clock(WallClock { step })
        .monotonic_clock(MonotonicClock { start: Instant::now(), step })
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

struct WallClock {
    step: Duration,
}

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        self.step
    }

    fn now(&self) -> Duration {
        in_steps(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), self.step)
    }
}

struct MonotonicClock {
    start: Instant,
    step: Duration,
}

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        nanoseconds(self.step)
    }

    fn now(&self) -> u64 {
        nanoseconds(in_steps(self.start.elapsed(), self.step))
    }
}

/// The time with what is finer than a step left out. A step divides a second.
fn in_steps(time: Duration, step: Duration) -> Duration {
    time - Duration::from_nanos(u64::from(time.subsec_nanos()) % nanoseconds(step))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
