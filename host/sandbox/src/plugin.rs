//! The sandbox, the components it admitted, and the plugins made of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use hookbox_hooks::types::Signature;
use rand::Rng;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Engine;
use wasmtime::component::InstancePre;

use crate::admission::{self, Contract, Function, Granting, Report};
use crate::cache::CompileCache;
use crate::capabilities::http::Outgoing;
use crate::capabilities::rehearsal::Effects;
use crate::capabilities::{self, CallContext, Services, Settings};
use crate::compile::{Compiler, Loader};
use crate::digest::Digest;
use crate::engine::{self, Allocation, PoolUse, Ticker};
use crate::failure::CallFailure;
use crate::grants::Grants;
use crate::instances::{Counted, Instances};
use crate::limits::{Limit, Limits};
use crate::log::LogRate;
use crate::memory::{GuestMemory, GuestMemoryUse, Share};
use crate::problem::{Problem, ProblemCode};
use crate::record::FailedCalls;
use crate::state::{Around, CallState, Owner};

/// The sandbox cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine refuses this machine.
    #[error("WebAssembly cannot run here: {0}")]
    Engine(String),
    /// The compile cache's folder cannot be used.
    #[error("the compile cache at {path} cannot be used: {reason}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The system gives no thread for the clock.
    #[error("no thread for the sandbox's clock: {0}")]
    Clock(std::io::Error),
}

/// What a sandbox is made with.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    /// The folder where compiled components are kept between starts; without one each is compiled again.
    pub cache: Option<PathBuf>,
    /// Who compiles components. Default: this process.
    pub compiler: Compiler,
    /// What capabilities work on.
    pub services: Services,
    /// Bytes of linear memory that all instances together may have; `None` for no bound but each plugin's own.
    pub guest_memory_bytes: Option<usize>,
}

/// Admits components and runs them. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    allocation: Allocation,
    loader: Loader,
    services: Services,
    memory: Arc<GuestMemory>,
    instances: Instances,
    next_plugin: AtomicU64,
    _ticker: Ticker,
}

impl Sandbox {
    /// Makes a sandbox.
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let (engine, allocation) = engine::build(options.compiler.code())
            .map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let cache = options
            .cache
            .map(|path| {
                CompileCache::open(&path, &engine).map_err(|reason| SandboxError::Cache { path, reason })
            })
            .transpose()?;
        let instances = Instances::new();
        let ticker = Ticker::start(&engine, instances.count()).map_err(SandboxError::Clock)?;
        Ok(Self {
            shared: Arc::new(Shared {
                loader: Loader::new(engine.clone(), options.compiler, cache),
                engine,
                allocation,
                services: options.services,
                memory: Arc::new(GuestMemory::new(options.guest_memory_bytes)),
                instances,
                next_plugin: AtomicU64::new(0),
                _ticker: ticker,
            }),
        })
    }

    /// Where instances get their memory.
    pub fn allocation(&self) -> Allocation {
        self.shared.allocation
    }

    /// How full the instance pool is; `None` without a pool.
    pub fn pool_use(&self) -> Option<PoolUse> {
        engine::pool_use(&self.shared.engine)
    }

    /// How much memory all plugins together have.
    pub fn guest_memory(&self) -> GuestMemoryUse {
        self.shared.memory.usage()
    }

    /// Admits a component: has it parsed and compiled (or takes it from the cache), and matches it against the contract
    /// and the grants. Takes as long as compiling does, and components before it; call it where blocking is allowed.
    ///
    /// # Errors
    /// The report, with at least one problem.
    pub fn admit(
        &self,
        bytes: &[u8],
        contract: &Contract,
        grants: &Granting<'_>,
    ) -> Result<Admitted, Box<Report>> {
        let mut report = admission::inspect(bytes);
        if !report.problems.is_empty() {
            return Err(Box::new(report.shown()));
        }
        let engine = &self.shared.engine;
        let loaded = self.shared.loader.load(&report.digest, bytes);
        report.metadata = loaded.metadata;
        let counted = |component| admission::count_interfaces(engine, &component).map(|()| component);
        let component = match loaded.component.and_then(counted) {
            Ok(component) => component,
            Err(problem) => {
                report.problems.push(problem);
                return Err(Box::new(report.shown()));
            }
        };
        let functions = admission::match_contract(engine, &component, contract, &mut report);
        let grants = admission::match_grants(grants, &mut report);
        let pre = capabilities::linker(engine, &grants).and_then(|linker| linker.instantiate_pre(&component));
        match pre {
            Ok(pre) if report.problems.is_empty() => {
                let report = Arc::new(report.shown());
                Ok(Admitted { report, pre, functions: functions.into(), grants })
            }
            Ok(_) => Err(Box::new(report.shown())),
            Err(error) => {
                // An import nobody offers has been reported already, in better words.
                let told = [ProblemCode::UnknownImport, ProblemCode::NotGranted];
                if !report.problems.iter().any(|problem| told.contains(&problem.code)) {
                    let help = "Build the plugin against the WIT that `hookbox wit FOLDER` writes.";
                    let found = crate::log::escape(&format!("{error:#}"), 512);
                    let code = ProblemCode::ImportMismatch;
                    report.problems.push(Problem::new(code, "imports of the host's types", found, help));
                }
                Err(Box::new(report.shown()))
            }
        }
    }

    /// Forgets the compiled code of every component but those that `keep` says yes to; whichever comes again is compiled
    /// again. Plugins that run go on. A file that cannot be removed is logged. Blocks.
    pub fn forget(&self, keep: impl Fn(&Digest) -> bool) {
        self.shared.loader.forget(keep);
    }

    /// Makes a plugin of an admitted component.
    pub fn plugin(&self, admitted: &Admitted, options: PluginOptions) -> Plugin {
        Plugin::new(&self.shared, admitted, options, Effects::Real)
    }

    /// Makes a plugin whose calls change nothing. They read what is there, and of what they write only what they wrote
    /// themselves; no request of theirs leaves; their log lines are for debugging.
    pub fn rehearsal(&self, admitted: &Admitted, options: PluginOptions) -> Plugin {
        Plugin::new(&self.shared, admitted, options, Effects::Rehearsed)
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("allocation", &self.shared.allocation).finish_non_exhaustive()
    }
}

/// A component that matches the contract, compiled and ready.
#[derive(Clone)]
pub struct Admitted {
    report: Arc<Report>,
    pre: InstancePre<CallState>,
    functions: Arc<[Function]>,
    grants: Grants,
}

impl Admitted {
    /// What it says and does.
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admitted").field("report", &self.report).finish_non_exhaustive()
    }
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// A fresh instance for every call: nothing of one call is there in the next.
    Call,
    /// An instance serves up to `max_calls` calls, one after the other. Faster for large runtimes such as Python's;
    /// what the plugin keeps in memory is there in later calls, also of other users. How many calls an instance
    /// really serves is random, so that nobody builds on it.
    Reuse {
        /// The most calls of one instance.
        max_calls: u32,
    },
}

/// How a plugin runs.
#[derive(Debug, Clone)]
pub struct PluginOptions {
    /// Its name in logs and reports.
    pub name: String,
    /// Its settings.
    pub settings: Settings,
    /// What its calls may use.
    pub limits: Limits,
    /// How long its instances live.
    pub isolation: Isolation,
}

/// Names a function of one admitted component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionId(usize);

/// An admitted component with its settings and limits, ready to be called from any number of tasks.
pub struct Plugin {
    id: u64,
    shared: Arc<Shared>,
    admitted: Admitted,
    owner: Arc<Owner>,
    isolation: Isolation,
    turns: Semaphore,
    /// Calls that wait for their turn.
    queued: AtomicUsize,
}

/// As many calls as may wait do so already.
pub(crate) struct QueueFull;

impl Plugin {
    fn new(shared: &Arc<Shared>, admitted: &Admitted, options: PluginOptions, effects: Effects) -> Self {
        let (grants, services) = (admitted.grants.clone(), shared.services.clone());
        let name: Arc<str> = options.name.into();
        let http = Outgoing::configure(&name, &options.limits, &grants, &services, effects);
        let wanted = |keeper: &Arc<dyn FailedCalls>| effects == Effects::Real && keeper.wants(&name);
        let failed_calls = services.failed_calls.clone().filter(wanted);
        Self {
            id: shared.next_plugin.fetch_add(1, Ordering::Relaxed),
            shared: Arc::clone(shared),
            admitted: admitted.clone(),
            turns: Semaphore::new(options.limits.concurrent_calls),
            queued: AtomicUsize::new(0),
            owner: Arc::new(Owner {
                name,
                memory: Share::of(&shared.memory),
                log_rate: Arc::new(LogRate::new(options.limits.log_bytes_per_second)),
                settings: options.settings,
                limits: options.limits,
                grants,
                services,
                effects,
                http: Arc::new(http),
                failed_calls,
            }),
            isolation: options.isolation,
        }
    }

    /// The same plugin for calls that change nothing, as [`Sandbox::rehearsal`] makes it. Names of functions are those of
    /// this one. It has turns, instances and a log rate of its own.
    pub fn rehearsal(&self) -> Self {
        let options = PluginOptions {
            name: self.name().to_owned(),
            settings: self.owner.settings.clone(),
            limits: self.owner.limits.clone(),
            isolation: self.isolation,
        };
        Self::new(&self.shared, &self.admitted, options, Effects::Rehearsed)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.owner.name
    }

    /// What its component says and does.
    pub fn report(&self) -> &Report {
        &self.admitted.report
    }

    /// What its calls may use.
    pub fn limits(&self) -> &Limits {
        &self.owner.limits
    }

    /// How long its instances live.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.owner.settings
    }

    /// What it is granted.
    pub fn grants(&self) -> &Grants {
        &self.owner.grants
    }

    /// Who keeps its failed calls; `None` while nobody does, and of a rehearsal.
    pub fn failed_calls(&self) -> Option<&Arc<dyn FailedCalls>> {
        self.owner.failed_calls.as_ref()
    }

    /// The interface that a function belongs to.
    pub fn interface(&self, function: FunctionId) -> &str {
        &self.admitted_function(function).plan.signature.interface
    }

    /// The function for a signature of the contract, when the component exports it.
    pub fn function(&self, signature: &Signature) -> Option<FunctionId> {
        let functions = self.admitted.functions.iter();
        functions
            .enumerate()
            .find(|(_, function)| function.plan.signature.interface == signature.interface)
            .map(|(at, _)| FunctionId(at))
    }

    /// Makes a throw-away instance, and lets the plugin check its settings when it exports
    /// `hookbox:plugin/lifecycle`.
    ///
    /// # Errors
    /// The instance cannot be made, or the plugin refuses the settings in its own words.
    pub async fn try_out(&self) -> Result<(), TryOutError> {
        let context = Arc::new(CallContext::default());
        let time = self.owner.limits.event_time();
        if let Some(function) = self.function(hookbox_hooks::catalogue::configure()) {
            let settings = serde_json::Value::Object(self.owner.settings.json().clone());
            let arguments = serde_json::Map::from_iter([("settings".to_owned(), settings)]);
            return match self.call(function, &arguments, context, time).await? {
                Ok(_) => Ok(()),
                Err(reason) => {
                    let reason = reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
                    Err(TryOutError::Settings(crate::log::escape(&reason, 1_024)))
                }
            };
        }
        self.instantiate(context, time).await.map_err(TryOutError::Call)
    }

    /// Counts that a limit bound.
    pub(crate) fn hit(&self, limit: Limit) {
        self.owner.hit(limit);
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn pre(&self) -> &InstancePre<CallState> {
        &self.admitted.pre
    }

    pub(crate) fn instances(&self) -> &Instances {
        &self.shared.instances
    }

    pub(crate) fn admitted_function(&self, id: FunctionId) -> &Function {
        &self.admitted.functions[id.0]
    }

    /// Waits for one of the plugin's turns, unless too many wait already.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, QueueFull> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let _queued = Counted::new(&self.queued, self.owner.limits.queued_calls).ok_or(QueueFull)?;
        // The semaphore is never closed, so this waits and does not fail.
        self.turns.acquire().await.map_err(|_| QueueFull)
    }

    pub(crate) fn state(&self, around: Around, deadline: Instant) -> CallState {
        CallState::new(Arc::clone(&self.owner), around, deadline)
    }

    pub(crate) fn calls_an_instance(&self) -> u32 {
        match self.isolation {
            Isolation::Call => 1,
            Isolation::Reuse { max_calls } => {
                rand::rng().random_range(max_calls.div_ceil(2)..=max_calls.max(1))
            }
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.shared.instances.forget(self.id);
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.owner.name).finish_non_exhaustive()
    }
}

/// A plugin that cannot go live.
#[derive(Debug, thiserror::Error)]
pub enum TryOutError {
    /// It failed when it was tried.
    #[error(transparent)]
    Call(#[from] CallFailure),
    /// It refuses its settings.
    #[error("the plugin refuses its settings: {0}")]
    Settings(String),
}
