//! `wasi:clocks`: time in steps of a millisecond, or of a nanosecond with the grant `clock:fine`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder, WasiCtxView};

use crate::state::{CallState, Owner};

/// The finest step a guest sees time move in: enough for an author, too coarse to time the host.
const STEP: Duration = Duration::from_millis(1);
/// The step with the grant `clock:fine`.
const FINE_STEP: Duration = Duration::from_nanos(1);
/// What the clocks are called in a record.
const WALL_CLOCK: &str = "wall-clock";
const MONOTONIC_CLOCK: &str = "monotonic-clock";
/// The last nanosecond of a second.
const LAST_NANOSECOND: u32 = 999_999_999;

pub(super) fn link(linker: &mut Linker<CallState>) -> Result<()> {
    wall_clock::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)?;
    monotonic_clock::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)
}

/// Gives a call its clocks.
pub(super) fn prepare(wasi: &mut WasiCtxBuilder, owner: &Owner) {
    let step = if owner.grants.fine_clock() { FINE_STEP } else { STEP };
    wasi.wall_clock(WallClock { step }).monotonic_clock(MonotonicClock { start: Instant::now(), step });
}

impl CallState {
    /// The clocks, for a host call that is counted.
    fn counted_clocks(&mut self) -> Result<WasiClocksCtxView<'_>> {
        self.count_host_call()?;
        let WasiCtxView { ctx, table } = self.wasi();
        Ok(WasiClocksCtxView { ctx: ctx.clocks(), table })
    }
}

impl wall_clock::Host for CallState {
    fn now(&mut self) -> Result<wall_clock::Datetime> {
        let now = wall_clock::Host::now(&mut self.counted_clocks()?)?;
        let Some(tape) = &self.tape else { return Ok(now) };
        let (seconds, nanoseconds) = tape.reading(WALL_CLOCK, (now.seconds, now.nanoseconds));
        Ok(wall_clock::Datetime { seconds, nanoseconds: nanoseconds.min(LAST_NANOSECOND) })
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        wall_clock::Host::resolution(&mut self.counted_clocks()?)
    }
}

impl monotonic_clock::Host for CallState {
    fn now(&mut self) -> Result<u64> {
        let now = monotonic_clock::Host::now(&mut self.counted_clocks()?)?;
        Ok(self.tape.as_ref().map_or(now, |tape| tape.reading(MONOTONIC_CLOCK, now)))
    }

    fn resolution(&mut self) -> Result<u64> {
        monotonic_clock::Host::resolution(&mut self.counted_clocks()?)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        // The moment is one of the record's clock, so the guest waits as long as it would have by that.
        if let Some(tape) = self.tape.as_ref().filter(|tape| tape.plays()) {
            let last = tape.last_reading(MONOTONIC_CLOCK).unwrap_or(0);
            return self.counted_clocks()?.subscribe_duration(when.saturating_sub(last));
        }
        self.counted_clocks()?.subscribe_instant(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<DynPollable>> {
        self.counted_clocks()?.subscribe_duration(duration)
    }
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
