//! What one instance carries on the host's side: limits, capabilities, the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::capabilities::http::{CallHttp, Outgoing};
use crate::capabilities::rehearsal::Effects;
use crate::capabilities::{self, CallContext, Services, Settings};
use crate::grants::Grants;
use crate::limits::{Limit, Limits};
use crate::log::{CallLog, LogRate};
use crate::memory::Share;
use crate::record::{FailedCalls, Tape};

/// What all calls of a plugin share.
pub(crate) struct Owner {
    pub(crate) name: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) services: Services,
    pub(crate) effects: Effects,
    pub(crate) log_rate: Arc<LogRate>,
    pub(crate) memory: Share,
    pub(crate) http: Arc<Outgoing>,
    /// Who keeps its failed calls, when somebody does.
    pub(crate) failed_calls: Option<Arc<dyn FailedCalls>>,
}

/// What surrounds one call.
#[derive(Clone)]
pub(crate) struct Around {
    /// What the guest can ask about the call.
    pub(crate) context: Arc<CallContext>,
    /// What takes the call down, or plays it.
    pub(crate) tape: Option<Arc<Tape>>,
}

impl Owner {
    /// Counts that a limit bound, unless it did so in a rehearsal.
    pub(crate) fn hit(&self, limit: Limit) {
        if self.effects == Effects::Real {
            limit.hit(&self.name);
        }
    }

    /// What the next call's capabilities work on, when it is a rehearsal or on tape.
    fn own_services(&self, tape: Option<&Arc<Tape>>) -> Option<Services> {
        match tape {
            Some(tape) => Some(self.services.taped(tape)),
            None => (self.effects == Effects::Rehearsed).then(|| self.services.rehearsed()),
        }
    }
}

/// The data of a store: one a call, or one for several calls in a row when instances are reused.
pub(crate) struct CallState {
    pub(crate) owner: Arc<Owner>,
    pub(crate) context: Arc<CallContext>,
    pub(crate) log: CallLog,
    /// What takes the call down, or plays it.
    pub(crate) tape: Option<Arc<Tape>>,
    /// The call's own, in place of its owner's.
    services: Option<Services>,
    pub(crate) deadline: Instant,
    host_calls: u32,
    /// Whether the guest gave the thread to others at the last tick and has not gone on yet.
    gave_way: bool,
    /// Bytes of random data that the call has had.
    pub(crate) random_bytes: u64,
    memory_bytes: usize,
    table_elements: usize,
    /// The first limit that refused something in this call, or the one that ended it, with the amount that was wanted.
    pub(crate) refused: Option<(Limit, u64)>,
    /// Whether the guest was refused memory because all plugins together have as much as they may.
    pub(crate) starved: bool,
    pub(crate) table: ResourceTable,
    /// Made when a guest first touches WASI: most Rust guests never do.
    wasi: Option<WasiCtx>,
    /// Made when a guest first touches `wasi:http`.
    pub(crate) http: Option<CallHttp>,
}

impl CallState {
    pub(crate) fn new(owner: Arc<Owner>, around: Around, deadline: Instant) -> Self {
        let Around { context, tape } = around;
        let mut table = ResourceTable::new();
        table.set_max_capacity(owner.limits.handles);
        let (name, rate) = (Arc::clone(&owner.name), Arc::clone(&owner.log_rate));
        Self {
            log: CallLog::new(name, rate, owner.limits.log_bytes, owner.effects),
            services: owner.own_services(tape.as_ref()),
            tape,
            owner,
            context,
            deadline,
            host_calls: 0,
            gave_way: false,
            random_bytes: 0,
            memory_bytes: 0,
            table_elements: 0,
            refused: None,
            starved: false,
            table,
            wasi: None,
            http: None,
        }
    }

    /// Makes a reused instance ready for its next call. Memory and open resources stay as they are.
    pub(crate) fn prepare(&mut self, around: Around, deadline: Instant) {
        let Around { context, tape } = around;
        self.context = context;
        self.deadline = deadline;
        self.host_calls = 0;
        self.gave_way = false;
        self.random_bytes = 0;
        self.refused = None;
        self.starved = false;
        self.http = None;
        self.services = self.owner.own_services(tape.as_ref());
        self.tape = tape;
        // The guest may hold streams of an earlier call: they write to this same log.
        self.log.begin(self.owner.limits.log_bytes);
    }

    /// What the call's capabilities work on.
    pub(crate) fn services(&self) -> &Services {
        self.services.as_ref().unwrap_or(&self.owner.services)
    }

    /// Counts a call into the host.
    ///
    /// # Errors
    /// The call's budget is spent; the guest traps.
    pub(crate) fn count_host_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls > self.owner.limits.host_calls {
            // This ends the call, also of a guest that got over what it was refused before.
            if !self.spent() {
                self.refused = Some((Limit::HostCalls, self.host_calls.into()));
            }
            return Err(wasmtime::format_err!("host call budget spent"));
        }
        Ok(())
    }

    /// Whether the guest used up what ends a call at once.
    fn spent(&self) -> bool {
        self.refused.is_some_and(|(limit, _)| limit == Limit::HostCalls)
    }

    /// What is left of the call's time.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// WASI's part of the state, made when it is first needed.
    pub(crate) fn wasi(&mut self) -> WasiCtxView<'_> {
        let (log, owner) = (&self.log, &self.owner);
        WasiCtxView {
            ctx: self.wasi.get_or_insert_with(|| capabilities::wasi::context(log, owner)),
            table: &mut self.table,
        }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // This cannot fail, so a guest that spends its budget on streams alone goes on until the next tick.
        let _ = self.count_host_call();
        self.wasi()
    }
}

impl Drop for CallState {
    fn drop(&mut self) {
        self.owner.memory.give_back(self.memory_bytes);
    }
}

impl ResourceLimiter for CallState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(growth);
        if total > self.owner.limits.memory_bytes {
            self.refused.get_or_insert((Limit::Memory, total as u64));
            return Ok(false);
        }
        if !self.owner.memory.take(growth) {
            self.starved = true;
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > self.owner.limits.table_elements {
            self.refused.get_or_insert((Limit::TableElements, total as u64));
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }
}

/// The one place where a store is made: every limit is set before anything of the guest runs.
pub(crate) fn store(engine: &wasmtime::Engine, state: CallState) -> Store<CallState> {
    let (answer_bytes, handles) = (state.owner.limits.answer_bytes, state.owner.limits.handles);
    let mut store = Store::new(engine, state);
    store.limiter(|state| state);
    store.set_hostcall_fuel(answer_bytes);
    store.set_max_component_handles(handles);
    store.set_epoch_deadline(1);
    // At each tick a running guest gives the thread to others. When it gets the thread back it looks at the clock once
    // more before it goes on, so that many guests whose time is over end one after the other without a tick each.
    store.epoch_deadline_callback(|mut store| {
        let state = store.data_mut();
        if state.spent() || Instant::now() >= state.deadline {
            return Ok(UpdateDeadline::Interrupt);
        }
        state.gave_way = !state.gave_way;
        Ok(if state.gave_way { UpdateDeadline::Yield(0) } else { UpdateDeadline::Continue(1) })
    });
    store
}
