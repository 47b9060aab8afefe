//! One call of one function: an instance, the values in, the answer out, the reason when there is none.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::time::timeout_at;
use wasmtime::Store;
use wasmtime::component::{Func, Instance, Val};

use crate::admission::Function;
use crate::capabilities::CallContext;
use crate::death::{explain, used_ms};
use crate::engine::TICK;
use crate::failure::{CallFailure, LimitReport};
use crate::instances::{Held, Slot};
use crate::limits::Limit;
use crate::plan::Unfit;
use crate::plugin::{FunctionId, Isolation, Plugin, QueueFull};
use crate::record::{CallRecord, Tape};
use crate::state::{self, Around, CallState};

/// What a function gave: the success or the failure side of its `result`, as JSON.
pub type Answer = Result<Value, Value>;

/// Where a call runs.
enum Place {
    /// In an instance that served a call before.
    Idle(Held),
    /// In one that is still to be made.
    Fresh(Slot),
}

impl Plugin {
    /// Calls a function with the arguments in a JSON object.
    ///
    /// `time` covers everything: waiting for a turn, making the instance, the arguments, the call, what the guest
    /// does after it, and reading the answer.
    ///
    /// # Errors
    /// See [`CallFailure`]. A call that waits for half of its time and more, and does not end within the rest, is
    /// overload and not the plugin's limit. Whatever the guest does, the call ends within its time and a tick of the clock.
    pub async fn call(
        &self,
        function: FunctionId,
        arguments: &Map<String, Value>,
        context: Arc<CallContext>,
        time: Duration,
    ) -> Result<Answer, CallFailure> {
        self.call_around(function, arguments, Around { context, tape: None }, time).await
    }

    /// The same, with a record of what the host told the guest. A guest of a recorded call gets its random bytes from a
    /// generator of its own, whose seed is in the record.
    pub async fn call_recorded(
        &self,
        function: FunctionId,
        arguments: &Map<String, Value>,
        context: Arc<CallContext>,
        time: Duration,
    ) -> (Result<Answer, CallFailure>, CallRecord) {
        let tape = Tape::recording();
        let around = Around { context, tape: Some(Arc::clone(&tape)) };
        let answer = self.call_around(function, arguments, around, time).await;
        (answer, tape.record())
    }

    /// The same from a record: the guest is told what the record has, in its order, and nothing it does leaves the sandbox.
    /// What the record lacks is unavailable. Also gives the differences from the record, in words.
    ///
    /// The plugin should be a rehearsal, so that neither logs nor metrics take the call for a real one.
    pub async fn call_replayed(
        &self,
        function: FunctionId,
        arguments: &Map<String, Value>,
        context: Arc<CallContext>,
        time: Duration,
        record: CallRecord,
    ) -> (Result<Answer, CallFailure>, Vec<String>) {
        let tape = Tape::playing(record);
        let around = Around { context, tape: Some(Arc::clone(&tape)) };
        let answer = self.call_around(function, arguments, around, time).await;
        (answer, tape.divergences())
    }

    async fn call_around(
        &self,
        function: FunctionId,
        arguments: &Map<String, Value>,
        around: Around,
        time: Duration,
    ) -> Result<Answer, CallFailure> {
        let deadline = Instant::now() + time;
        let function = self.admitted_function(function);
        let lowered = function.plan.lower(arguments).map_err(CallFailure::Argument)?;
        self.counted(self.within(deadline, time, function, &lowered, around).await)
    }

    /// Counts the limit that ended a call.
    fn counted<T>(&self, result: Result<T, CallFailure>) -> Result<T, CallFailure> {
        if let Err(CallFailure::Limit(report)) = &result {
            self.hit(report.limit);
        }
        result
    }

    async fn within(
        &self,
        deadline: Instant,
        time: Duration,
        function: &Function,
        lowered: &[Val],
        around: Around,
    ) -> Result<Answer, CallFailure> {
        let turn = pin!(async { Ok((self.turn().await?, self.place().await)) });
        let (_turn, place) = match before(deadline, turn).await {
            Some(Ok(turn)) => turn,
            Some(Err(QueueFull)) => {
                self.hit(Limit::QueuedCalls);
                let most = self.limits().queued_calls;
                let detail = format!(
                    "{most} calls of it wait for their turn already; `limits.queued_calls` of the plugin raises that"
                );
                return Err(CallFailure::Overloaded { detail });
            }
            None => {
                let detail = format!("no turn within {} ms", time.as_millis());
                return Err(CallFailure::Overloaded { detail });
            }
        };
        let waited = time.saturating_sub(deadline.saturating_duration_since(Instant::now()));
        // A running guest is stopped by the clock's tick, which knows where it was. Only one that waits inside the
        // host needs to be dropped from outside, a little later.
        let run = pin!(self.run(place, deadline, time, function, lowered, around));
        let result = match before(deadline + 2 * TICK, run).await {
            Some(result) => result,
            None => Err(self.out_of_time(deadline, time)),
        };
        match result {
            // What the host took away is not the plugin's to answer for.
            Err(CallFailure::Limit(report)) if report.limit == Limit::Time && 2 * waited >= time => {
                let (waited, time) = (waited.as_millis(), time.as_millis());
                let detail = format!(
                    "its turn came {waited} ms into the {time} ms of the call, and that left too little"
                );
                Err(CallFailure::Overloaded { detail })
            }
            result => result,
        }
    }

    /// The failure of a guest that waited inside the host until it was dropped.
    fn out_of_time(&self, deadline: Instant, time: Duration) -> CallFailure {
        let used = Some(used_ms(deadline, time));
        CallFailure::Limit(Box::new(LimitReport::new(Limit::Time, used, self.limits(), time)))
    }

    async fn run(
        &self,
        place: Place,
        deadline: Instant,
        time: Duration,
        function: &Function,
        lowered: &[Val],
        around: Around,
    ) -> Result<Answer, CallFailure> {
        let mut held = self.instance(place, deadline, time, around).await?;
        let result = call(&mut held.store, held.instance, function, lowered).await;
        let finished = held.store.data().log.finish();
        let refused = held.store.data().refused.map(|(limit, _)| limit);
        let result = result.map_err(|error| explain(&error, held.store.data(), finished, time));
        // What the guest was refused and got over is counted here; what ended the call is counted with its report.
        let ended_by = match &result {
            Err(CallFailure::Limit(report)) => Some(report.limit),
            _ => None,
        };
        if let Some(limit) = refused
            && ended_by != refused
        {
            self.hit(limit);
        }
        let answer = result?;
        let json_depth = self.limits().json_depth;
        let answer = function.plan.lift(answer, json_depth).map_err(|unfit| match unfit {
            Unfit::Wrong(mismatch) => CallFailure::Answer(mismatch),
            Unfit::TooDeep => {
                CallFailure::Limit(Box::new(LimitReport::new(Limit::JsonDepth, None, self.limits(), time)))
            }
        })?;
        self.keep(held);
        Ok(answer)
    }

    /// An idle instance where the plugin's isolation allows it, else room for a fresh one.
    async fn place(&self) -> Place {
        if let Isolation::Reuse { .. } = self.isolation()
            && let Some(held) = self.instances().take(self.id())
        {
            return Place::Idle(held);
        }
        Place::Fresh(self.instances().slot().await)
    }

    /// An instance that is ready for a call.
    async fn instance(
        &self,
        place: Place,
        deadline: Instant,
        time: Duration,
        around: Around,
    ) -> Result<Held, CallFailure> {
        let slot = match place {
            Place::Idle(mut held) => {
                if let Some(tape) = &around.tape {
                    tape.reused();
                }
                held.store.data_mut().prepare(around, deadline);
                held.store.set_epoch_deadline(1);
                return Ok(held);
            }
            Place::Fresh(slot) => slot,
        };
        let mut store = state::store(self.engine(), self.state(around, deadline));
        match self.pre().instantiate_async(&mut store).await {
            Ok(instance) => Ok(Held { store, instance, calls_left: self.calls_an_instance(), _slot: slot }),
            Err(error) => {
                let finished = store.data().log.finish();
                Err(explain(&error, store.data(), finished, time))
            }
        }
    }

    /// Makes an instance and throws it away.
    pub(crate) async fn instantiate(
        &self,
        context: Arc<CallContext>,
        time: Duration,
    ) -> Result<(), CallFailure> {
        let around = Around { context, tape: None };
        let slot = self.instances().slot().await;
        let deadline = Instant::now() + time;
        let instance = pin!(self.instance(Place::Fresh(slot), deadline, time, around));
        match before(deadline + 2 * TICK, instance).await {
            Some(made) => self.counted(made.map(drop)),
            None => self.counted(Err(self.out_of_time(deadline, time))),
        }
    }

    fn keep(&self, mut held: Held) {
        held.calls_left = held.calls_left.saturating_sub(1);
        if held.calls_left > 0 && held.store.data().refused.is_none() {
            self.instances().put(self.id(), held);
        }
    }
}

/// The work's result, unless the time comes first. Most work is done at once and never sets the timer.
async fn before<T>(deadline: Instant, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match poll_fn(|task| Poll::Ready(work.as_mut().poll(task))).await {
        Poll::Ready(done) => Some(done),
        Poll::Pending => timeout_at(deadline.into(), work).await.ok(),
    }
}

async fn call(
    store: &mut Store<CallState>,
    instance: Instance,
    function: &Function,
    lowered: &[Val],
) -> wasmtime::Result<Val> {
    let func: Func = instance
        .get_func(&mut *store, function.index)
        .ok_or_else(|| wasmtime::format_err!("the instance lacks {}", function.plan.signature.function))?;
    let mut results = [Val::Bool(false)];
    func.call_async(store, lowered, &mut results).await?;
    let [answer] = results;
    Ok(answer)
}
