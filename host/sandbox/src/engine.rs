//! The one engine: how components are compiled, where instances live, and the clock that interrupts them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::limits::{ASYNC_STACK_BYTES, WASM_STACK_BYTES};

/// How often a running guest looks at the clock.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// The same while many guests share the processor: their turns are shorter, so that each comes round again soon.
const CROWDED_TICK: Duration = Duration::from_millis(2);
/// So many instances alive are a crowd.
const CROWD: usize = 8;
/// Component instances alive at once, in all plugins together.
pub(crate) const POOL_INSTANCES: u32 = 64;
/// A component from a Python or JavaScript toolchain is made of up to about twenty core instances and memories.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 50;
pub(crate) const MEMORIES_PER_COMPONENT: u32 = 8;
pub(crate) const TABLES_PER_COMPONENT: u32 = 16;
/// Elements of one table, however high a plugin's own limit is: a slot of the pool has room for no more.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
/// Bytes of a used memory that are wiped by hand and kept, instead of given back and faulted in again.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// Where instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allocation {
    /// A pool of slots; the kernel tells which pages a call touched. The fastest.
    PoolPagemap,
    /// A pool of slots, wiped without the kernel's help.
    Pool,
    /// Memory mapped anew for each instance.
    OnDemand,
}

/// Whether an engine can make code of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// It compiles, and loads what was compiled.
    Compiles,
    /// It has no compiler: it only loads.
    OnlyLoads,
}

/// Makes the engine with the best allocation this machine has.
///
/// # Errors
/// The engine cannot be made at all, for example on a processor Cranelift does not know.
pub(crate) fn build(code: Code) -> wasmtime::Result<(Engine, Allocation)> {
    let mut reasons = Vec::new();
    for allocation in [Allocation::PoolPagemap, Allocation::Pool] {
        match Engine::new(&config(allocation, code)) {
            Ok(engine) => {
                if !reasons.is_empty() {
                    tracing::warn!(?allocation, reason = reasons.join("; "), "instances are slower to make");
                }
                return Ok((engine, allocation));
            }
            Err(error) => reasons.push(format!("{error:#}")),
        }
    }
    let engine = Engine::new(&config(Allocation::OnDemand, code))?;
    tracing::warn!(
        reason = reasons.join("; "),
        "no instance pool on this machine: memory is mapped anew for every call"
    );
    Ok((engine, Allocation::OnDemand))
}

/// Makes an engine that compiles for [`build`]'s and runs nothing: a pool would reserve more addresses than the process
/// that compiles may have.
///
/// # Errors
/// As [`build`].
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(&config(Allocation::OnDemand, Code::Compiles))
}

/// Names the code that an engine can run: the version of wasmtime, its settings, the processor's kind. Loading checks
/// most of this again, and the processor's features as well.
pub(crate) fn fingerprint(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    // What an engine without a compiler cannot tell.
    (std::env::consts::ARCH, std::env::consts::OS, COMPILER_SETTINGS).hash(&mut hasher);
    hasher.finish()
}

/// Every setting of the compiler that the engine's own hash leaves out when there is no compiler.
const COMPILER_SETTINGS: &str = "opt-level=speed";

fn config(allocation: Allocation, code: Code) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    match code {
        Code::Compiles => config.cranelift_opt_level(OptLevel::Speed),
        Code::OnlyLoads => config.enable_compiler(false),
    };
    let pagemap = match allocation {
        Allocation::PoolPagemap => Enabled::Yes,
        Allocation::Pool => Enabled::No,
        Allocation::OnDemand => return config,
    };
    // Every total is what all instances together may have at most, so that no plugin can use up another's share.
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_INSTANCES)
        .total_core_instances(POOL_INSTANCES * CORE_INSTANCES_PER_COMPONENT)
        .total_memories(POOL_INSTANCES * MEMORIES_PER_COMPONENT)
        .total_tables(POOL_INSTANCES * TABLES_PER_COMPONENT)
        .total_stacks(POOL_INSTANCES)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 << 10)
        .pagemap_scan(pagemap);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Advances the engine's epoch from a thread of its own; ends with the value.
pub(crate) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking, faster while many instances are alive.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        engine: &Engine,
        alive: impl Fn() -> usize + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let engine = engine.clone();
        let thread = std::thread::Builder::new().name("hookbox-epoch".into()).spawn(move || {
            let tick = || if alive() < CROWD { TICK } else { CROWDED_TICK };
            while stopped.recv_timeout(tick()) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How full the instance pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolUse {
    /// Component instances alive.
    pub component_instances: u64,
    /// Linear memories in use.
    pub memories: usize,
    /// Tables in use.
    pub tables: usize,
    /// Fiber stacks in use.
    pub stacks: usize,
    /// Bytes kept resident in free memory slots.
    pub resident_bytes: usize,
}

/// Reads the pool's counters; `None` without a pool.
pub(crate) fn pool_use(engine: &Engine) -> Option<PoolUse> {
    engine.pooling_allocator_metrics().map(|pool| PoolUse {
        component_instances: pool.component_instances(),
        memories: pool.memories(),
        tables: pool.tables(),
        stacks: pool.stacks(),
        resident_bytes: pool.unused_memory_bytes_resident(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn an_engine_that_only_loads_cannot_compile() {
        let (engine, _) = build(Code::OnlyLoads).unwrap();
        let refused = engine.precompile_component(EMPTY).unwrap_err().to_string();
        assert!(refused.contains("not configured with a compiler"), "{refused}");
        assert!(wasmtime::component::Component::new(&engine, EMPTY).is_err());
        assert!(compiling().unwrap().precompile_component(EMPTY).is_ok());
    }

    #[test]
    fn a_fingerprint_is_the_same_at_every_start_and_another_for_other_settings() {
        let start = || fingerprint(&build(Code::OnlyLoads).unwrap().0);
        assert_eq!(start(), start());
        let mut other = config(Allocation::OnDemand, Code::OnlyLoads);
        other.epoch_interruption(false);
        assert_ne!(start(), fingerprint(&Engine::new(&other).unwrap()));
    }
}
