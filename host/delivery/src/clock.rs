//! The time of day for what is written down, and a steady one for what is waited for.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookbox_store::Timestamp;

/// The clock was set where it differs by so much from what a steady one leads to expect.
const JUMP: Duration = Duration::from_secs(2);
/// So many jumps are remembered.
const JUMPS: usize = 16;

/// A point of waiting.
pub(crate) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where times come from; tests have their own.
pub(crate) trait Time: Debug + Send + Sync {
    /// The time of day, which somebody may set.
    fn wall(&self) -> Timestamp;
    /// How long it is since some moment: never set.
    fn steady(&self) -> Duration;
    /// Waits so long.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The system's clocks.
#[derive(Debug)]
pub(crate) struct SystemTime(Instant);

impl Default for SystemTime {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Time for SystemTime {
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn steady(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that notices when it was set.
#[derive(Debug)]
pub(crate) struct Clock {
    time: Arc<dyn Time>,
    began: Reading,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    wall: Timestamp,
    steady: Duration,
}

#[derive(Debug)]
struct State {
    last: Reading,
    forward: VecDeque<Jump>,
}

/// The clock was set forward.
#[derive(Debug, Clone, Copy)]
struct Jump {
    from: Timestamp,
    by: Duration,
}

impl Clock {
    pub(crate) fn new(time: Arc<dyn Time>) -> Self {
        let began = Reading { wall: time.wall(), steady: time.steady() };
        Self { time, began, state: Mutex::new(State { last: began, forward: VecDeque::new() }) }
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = Reading { wall: self.time.wall(), steady: self.time.steady() };
        let expected = after(state.last.wall, reading.steady.saturating_sub(state.last.steady));
        state.last = reading;
        if let Some(by) = since(expected, reading.wall).filter(|by| *by >= JUMP) {
            tracing::warn!(seconds = by.as_secs(), "the clock was set forward: retries may come early");
            if state.forward.len() == JUMPS {
                state.forward.pop_front();
            }
            state.forward.push_back(Jump { from: expected, by });
        } else if let Some(by) = since(reading.wall, expected).filter(|by| *by >= JUMP) {
            tracing::warn!(seconds = by.as_secs(), "the clock was set back: retries may come late");
        }
        reading.wall
    }

    /// How long it is from `then` to `now`, without what the clock was set forward meanwhile. Errs towards less.
    pub(crate) fn elapsed(&self, then: Timestamp, now: Timestamp) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = state.forward.iter().filter(|jump| jump.from >= then).map(|jump| jump.by);
        jumped.fold(since(then, now).unwrap_or_default(), Duration::saturating_sub)
    }

    /// The time of day, or an earlier one when the clock was set forward since the start. What goes by age goes by this.
    pub(crate) fn settled(&self) -> Timestamp {
        let ran = self.time.steady().saturating_sub(self.began.steady);
        self.now().min(after(self.began.wall, ran))
    }

    /// How long it is since some moment: never set.
    pub(crate) fn steady(&self) -> Duration {
        self.time.steady()
    }

    /// Waits so long.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        self.time.sleep(duration)
    }
}

/// The time so long after another, or the last there is.
pub(crate) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_add(micros(duration)))
}

/// The time so long before another, or the first there is.
pub(crate) fn before(time: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_sub(micros(duration)))
}

/// How long it is from one time to a later one.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> Option<Duration> {
    let micros = now.as_micros().saturating_sub(then.as_micros());
    u64::try_from(micros).ok().map(Duration::from_micros)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
