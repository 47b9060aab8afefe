//! What each protection costs, how fast a loop is stopped, and what memory is left behind. Ratios and figures of one run:
//! `cargo bench -p hookbox-sandbox --bench protections`.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench runs alone and stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_hooks::Catalogue;
use hookbox_hostile::{Attack, Outcome, attacks};
use hookbox_sandbox::{
    CallContext, Contract, FunctionId, Granting, Isolation, Limits, Plugin, PluginOptions, Sandbox,
    SandboxOptions, Settings,
};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use wasmtime::component::{Component, Instance, Linker, Val};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, Store,
    UpdateDeadline,
};

const ABOUT: &str = "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0";
/// Pairs of measurements, one of each kind after the other.
const ROUNDS: usize = 41;

/// A step that does this and answers with nothing to change.
fn guest(body: &str) -> Vec<u8> {
    hookbox_hostile::component(&format!(
        ";; A step.\n;; export {ABOUT};\n(module
           (memory (export \"memory\") 2)
           (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
           (func (export \"{ABOUT}#run-filter\") (param i32 i32 i32 i32) (result i32) (local $left i32)
             {body}
             (i32.const 0)))"
    ))
    .unwrap()
}

/// The state of a store outside the sandbox.
#[derive(Default)]
struct Bare {
    memory: usize,
    tables: usize,
}

impl ResourceLimiter for Bare {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.memory += desired - current;
        Ok(self.memory <= 64 << 20)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.tables += desired - current;
        Ok(self.tables <= 20_000)
    }
}

/// A component in an engine of its own, with or without a protection.
struct Unprotected {
    engine: Engine,
    component: Component,
    linker: Linker<Bare>,
    epochs: bool,
    limiter: bool,
    fuel: Option<usize>,
}

impl Unprotected {
    fn new(bytes: &[u8], epochs: bool, limiter: bool, fuel: Option<usize>) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(epochs).max_wasm_stack(512 << 10).async_stack_size(2 << 20);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(8).linear_memory_keep_resident(1 << 20);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, bytes).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component).unwrap();
        Self { engine, component, linker, epochs, limiter, fuel }
    }

    async fn fresh(&self) -> (Store<Bare>, Instance) {
        let mut store = Store::new(&self.engine, Bare::default());
        if self.limiter {
            store.limiter(|state| state);
        }
        if let Some(fuel) = self.fuel {
            store.set_hostcall_fuel(fuel);
        }
        if self.epochs {
            store.set_epoch_deadline(1);
            store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        }
        let instance = self.linker.instantiate_async(&mut store, &self.component).await.unwrap();
        (store, instance)
    }

    async fn call(&self, calls: usize) {
        for _ in 0..calls {
            let (mut store, instance) = self.fresh().await;
            let export = instance.get_export_index(&mut store, None, ABOUT).unwrap();
            let function = instance.get_export_index(&mut store, Some(&export), "run-filter").unwrap();
            let function = instance.get_func(&mut store, function).unwrap();
            let arguments = [Val::String("/".into()), Val::String("edX".into())];
            function.call_async(&mut store, &arguments, &mut [Val::Bool(false)]).await.unwrap();
        }
    }
}

/// A plugin of the sandbox.
struct Ours {
    plugin: Arc<Plugin>,
    function: FunctionId,
}

impl Ours {
    fn new(sandbox: &Sandbox, bytes: &[u8], grants: &[&str], limits: Limits, isolation: Isolation) -> Self {
        let signatures = Catalogue::embedded().hooks().map(|hook| Arc::clone(hook.signature()));
        let contract = Contract::new(signatures.chain([Arc::clone(hookbox_hooks::catalogue::configure())]));
        let grants = hookbox_sandbox::Grants::new(grants.iter().map(|grant| grant.parse().unwrap()));
        let admitted = sandbox.admit(bytes, &contract, &Granting::These(&grants)).unwrap();
        let options =
            PluginOptions { name: "bench".into(), settings: Settings::default(), limits, isolation };
        let plugin = Arc::new(sandbox.plugin(&admitted, options));
        let mut hooks = Catalogue::embedded().hooks();
        let function = hooks.find_map(|hook| plugin.function(hook.signature())).unwrap();
        Self { plugin, function }
    }

    async fn once(&self, time: Duration) -> bool {
        let context = Arc::new(CallContext::default());
        matches!(self.plugin.call(self.function, &arguments(), context, time).await, Ok(Ok(_)))
    }

    async fn call(&self, calls: usize) {
        for _ in 0..calls {
            assert!(self.once(Duration::from_secs(10)).await);
        }
    }
}

/// Arguments that fit every hook used here.
fn arguments() -> Map<String, Value> {
    let value = json!({
        "url": "http://lms.test/courses/course-v1:edX+DemoX+Demo_Course/about",
        "org": "edX",
        "context": {},
        "user": {"username": "ada", "email": "ada@example.com", "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": "course-v1:edX+DemoX+Demo_Course",
        "mode": "audit",
    });
    let Value::Object(arguments) = value else { panic!("no object") };
    arguments
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Prints what `with` takes against `without`, by medians of pairs taken in turn.
fn ratio(name: &str, mut with: impl FnMut(), mut without: impl FnMut()) {
    let (mut these, mut those) = (Vec::new(), Vec::new());
    with();
    without();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        with();
        these.push(start.elapsed());
        let start = Instant::now();
        without();
        those.push(start.elapsed());
    }
    let (these, those) = (median(these), median(those));
    println!("{name:<62} {:.2}   ({these:?} against {those:?})", these.as_secs_f64() / those.as_secs_f64());
}

fn costs(runtime: &Runtime, sandbox: &Sandbox) {
    println!("\nEach protection against the same without it");
    let busy = guest(
        "(local.set $left (i32.const 5000000))
         (loop $again (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))",
    );
    let (with, without) =
        (Unprotected::new(&busy, true, false, None), Unprotected::new(&busy, false, false, None));
    ratio(
        "epochs: a tight loop of five million turns",
        || runtime.block_on(with.call(1)),
        || runtime.block_on(without.call(1)),
    );
    let grows = guest(
        "(local.set $left (i32.const 32))
         (loop $again
           (drop (memory.grow (i32.const 1)))
           (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))",
    );
    let (with, without) =
        (Unprotected::new(&grows, true, true, None), Unprotected::new(&grows, true, false, None));
    ratio(
        "limiter: a fresh call that grows its memory 32 times",
        || runtime.block_on(with.call(50)),
        || runtime.block_on(without.call(50)),
    );
    let answers = guest(
        "(i32.store8 (i32.const 2056) (i32.const 1))
         (memory.fill (i32.const 4096) (i32.const 0x78) (i32.const 65536))
         (i32.store (i32.const 2060) (i32.const 4096))
         (i32.store (i32.const 2064) (i32.const 65536))
         (return (i32.const 2048))",
    );
    let (with, without) = (
        Unprotected::new(&answers, true, false, Some(4 << 20)),
        Unprotected::new(&answers, true, false, None),
    );
    ratio(
        "hostcall fuel at 4 MiB against the engine's 128 MiB: a 64 KiB answer",
        || runtime.block_on(with.call(50)),
        || runtime.block_on(without.call(50)),
    );
    let sample = sample();
    let fresh = Ours::new(sandbox, &sample, &[], Limits::default(), Isolation::Call);
    let reused =
        Ours::new(sandbox, &sample, &[], Limits::default(), Isolation::Reuse { max_calls: u32::MAX });
    ratio(
        "a fresh instance a call against a reused one: the sample step",
        || runtime.block_on(fresh.call(200)),
        || runtime.block_on(reused.call(200)),
    );
    let coarse = Ours::new(sandbox, &clock_reader(), &[], Limits::default(), Isolation::Call);
    let fine = Ours::new(sandbox, &clock_reader(), &["clock:fine"], Limits::default(), Isolation::Call);
    ratio(
        "the coarse clock against the fine one: 900 readings",
        || runtime.block_on(coarse.call(20)),
        || runtime.block_on(fine.call(20)),
    );
}

/// A step that reads the clock 900 times.
fn clock_reader() -> Vec<u8> {
    hookbox_hostile::component(&format!(
        ";; Reads the clock.\n;; import wasi:clocks/monotonic-clock@0.2.0;\n;; export {ABOUT};\n(module
           (import \"wasi:clocks/monotonic-clock@0.2.0\" \"now\" (func $now (result i64)))
           (memory (export \"memory\") 1)
           (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
           (func (export \"{ABOUT}#run-filter\") (param i32 i32 i32 i32) (result i32) (local $left i32)
             (local.set $left (i32.const 900))
             (loop $again
               (drop (call $now))
               (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
             (i32.const 0)))"
    ))
    .unwrap()
}

fn sample() -> Vec<u8> {
    let folder = std::env::var_os("HOOKBOX_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-plugins/prebuilt"),
        PathBuf::from,
    );
    std::fs::read(folder.join("course-about-url.wasm")).unwrap()
}

fn attack(name: &str) -> Attack {
    attacks().unwrap().into_iter().find(|attack| attack.name == name).unwrap()
}

fn loops(runtime: &Runtime, sandbox: &Sandbox) {
    println!("\nFrom the call of a plugin that loops to the answer, beyond its budget of 100 ms");
    let limits = Limits { concurrent_calls: 64, ..Limits::default() };
    let endless = attack("loop-in-call").component().unwrap();
    let endless = Arc::new(Ours::new(sandbox, &endless, &[], limits, Isolation::Call));
    let budget = Duration::from_millis(100);
    for at_once in [1_usize, 64] {
        let mut over = Vec::new();
        while over.len() < 64 * 4_usize.min(at_once) {
            over.extend(runtime.block_on(async {
                let mut calls = JoinSet::new();
                for _ in 0..at_once {
                    let endless = Arc::clone(&endless);
                    calls.spawn(async move {
                        let start = Instant::now();
                        assert!(!endless.once(budget).await);
                        start.elapsed().saturating_sub(budget)
                    });
                }
                calls.join_all().await
            }));
        }
        over.sort();
        let at = |part: usize| over[(over.len() - 1) * part / 100];
        println!(
            "  {at_once:>2} at once: p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, worst {:.1?} of {} calls",
            at(50),
            at(90),
            at(99),
            at(100),
            over.len()
        );
    }
}

/// Bytes of this process that are resident.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) << 10
}

fn memory(runtime: &Runtime, sandbox: &Sandbox) {
    println!("\nResident memory, MiB");
    let good = Ours::new(sandbox, &sample(), &[], Limits::default(), Isolation::Call);
    runtime.block_on(good.call(1_000));
    let before = resident();
    runtime.block_on(good.call(1_000_000));
    println!("  a million good calls: {} before, {} after", before >> 20, resident() >> 20);

    let fails = |attack: &Attack| {
        attack.grants.is_empty() && matches!(&attack.outcome, Outcome::Fails(code) if code != "time")
    };
    let hostile: Vec<Ours> = attacks()
        .unwrap()
        .iter()
        .filter(|attack| fails(attack))
        .map(|attack| {
            Ours::new(sandbox, &attack.component().unwrap(), &[], Limits::default(), Isolation::Call)
        })
        .collect();
    let round = |calls: usize| {
        runtime.block_on(async {
            for attack in hostile.iter().cycle().take(calls) {
                assert!(!attack.once(Duration::from_secs(30)).await);
            }
        });
    };
    round(hostile.len());
    let before = resident();
    let after = [(); 3].map(|()| {
        round(10_000);
        resident() >> 20
    });
    println!(
        "  ten thousand calls of {} attacks: {} before, {} after; then {} and {} after as many again; pool {:?}",
        hostile.len(),
        before >> 20,
        after[0],
        after[1],
        after[2],
        sandbox.pool_use()
    );
}

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
    println!("allocation: {:?}", sandbox.allocation());
    costs(&runtime, &sandbox);
    loops(&runtime, &sandbox);
    memory(&runtime, &sandbox);
}
