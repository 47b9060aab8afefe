//! What one filter step costs through the sandbox, beside the same component through bindings made at compile time.
//!
//! Both take JSON text and give JSON text, and allocate instances alike. The static side keeps no limits, so that the
//! difference is the price of limits and of bindings made at run time together. `floor` is what no host can avoid: making
//! an instance and throwing it away.

#![allow(missing_docs, reason = "criterion and bindgen generate items without docs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::await_holding_refcell_ref,
    reason = "a bench runs alone and stops at the first surprise"
)]

use std::cell::RefCell;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hookbox_hooks::Catalogue;
use hookbox_sandbox::{
    Allocation, CallContext, Contract, FunctionId, Granting, Isolation, Limits, Plugin, PluginOptions,
    Sandbox, SandboxOptions, Settings,
};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package hookbox:bench;
            world about {
                include hookbox:plugin/plugin@1.0.0;
                export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
            }
        ",
        path: [
            "../../wit/deps/wasi-config",
            "../../wit/deps/wasi-logging",
            "../../wit/hookbox",
            "../../wit/openedx-filters",
        ],
        exports: { default: async },
    });
}

use bindings::exports::openedx::filters::learning_course_about_page_url_requested_v1::Outcome;
use bindings::hookbox::plugin::context::{FilterMetadata, Host as Context};
use bindings::wasi::config::store::{Error, Host as Config_};
use bindings::wasi::logging::logging::{Host as Logging, Level};
use bindings::{About, AboutPre};

const FILTER: &str = "org.openedx.learning.course_about.page.url.requested.v1";
const ARGUMENTS: &str =
    r#"{"url": "http://lms.test/courses/course-v1:edX+DemoX+Demo_Course/about", "org": "edX"}"#;
const ANSWER: &str =
    r#"{"url":"https://example.com/new_about_page/course-v1:edX+DemoX+Demo_Course","org":"edX"}"#;
const STEPS: usize = 5;

fn component() -> Vec<u8> {
    let folder = std::env::var_os("HOOKBOX_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-plugins/prebuilt"),
        PathBuf::from,
    );
    std::fs::read(folder.join("course-about-url.wasm")).unwrap()
}

/// A plugin of the sandbox and the function to call.
struct Ours {
    plugin: Plugin,
    function: FunctionId,
    context: Arc<CallContext>,
}

impl Ours {
    fn new(sandbox: &Sandbox, isolation: Isolation) -> Self {
        let signature = Arc::clone(&Catalogue::embedded().filter(FILTER).unwrap().signature);
        let contract =
            Contract::new([Arc::clone(&signature), Arc::clone(hookbox_hooks::catalogue::configure())]);
        let admitted = sandbox.admit(&component(), &contract, &Granting::WhatItImports).unwrap();
        let options = PluginOptions {
            name: "bench".into(),
            settings: Settings::default(),
            limits: Limits::default(),
            isolation,
        };
        let plugin = sandbox.plugin(&admitted, options);
        let function = plugin.function(&signature).unwrap();
        Self { plugin, function, context: Arc::default() }
    }

    /// Text in, `steps` calls, text out.
    async fn run(&self, steps: usize) -> String {
        let mut arguments: Map<String, Value> = serde_json::from_str(ARGUMENTS).unwrap();
        for _ in 0..steps {
            let (function, context) = (self.function, Arc::clone(&self.context));
            let time = Duration::from_secs(1);
            let answer = self.plugin.call(function, &arguments, context, time).await;
            let Ok(Ok(Value::Object(mut outcome))) = answer else { panic!("{answer:?}") };
            let Some(Value::Object(changes)) = outcome.swap_remove("proceed") else { panic!("halted") };
            arguments.extend(changes);
        }
        serde_json::to_string(&arguments).unwrap()
    }
}

/// What the guest may call when nothing is limited.
#[derive(Default)]
struct Open {
    settings: std::collections::BTreeMap<String, String>,
}

impl Context for Open {
    fn plugin_name(&mut self) -> String {
        "bench".into()
    }
    fn get_filter_metadata(&mut self) -> Option<FilterMetadata> {
        None
    }
    fn remaining_ms(&mut self) -> u32 {
        1_000
    }
}

impl Config_ for Open {
    fn get(&mut self, key: String) -> Result<Option<String>, Error> {
        Ok(self.settings.get(&key).cloned())
    }
    fn get_all(&mut self) -> Result<Vec<(String, String)>, Error> {
        Ok(Vec::new())
    }
}

impl Logging for Open {
    fn log(&mut self, _: Level, _: String, _: String) {}
}

impl bindings::hookbox::plugin::types::Host for Open {}

impl bindings::hookbox::plugin::delivery::Host for Open {
    fn not_before(&mut self, _milliseconds: u64) {}
}

/// The same component through static bindings.
struct Static {
    engine: Engine,
    pre: InstancePre<Open>,
    about: AboutPre<Open>,
    kept: RefCell<Option<(Store<Open>, About)>>,
}

impl Static {
    fn new(allocation: Allocation) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(true).max_wasm_stack(512 << 10).async_stack_size(2 << 20);
        if allocation != Allocation::OnDemand {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_component_instances(64)
                .total_core_instances(64 * 50)
                .total_memories(64 * 8)
                .total_tables(64 * 16)
                .total_stacks(64)
                .linear_memory_keep_resident(1 << 20)
                .table_keep_resident(64 << 10)
                .pagemap_scan(if allocation == Allocation::PoolPagemap { Enabled::Yes } else { Enabled::No });
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, component()).unwrap();
        let mut linker = Linker::new(&engine);
        About::add_to_linker::<Open, HasSelf<Open>>(&mut linker, |state| state).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        let about = AboutPre::new(pre.clone()).unwrap();
        Self { engine, pre, about, kept: RefCell::new(None) }
    }

    fn store(&self) -> Store<Open> {
        let mut store = Store::new(&self.engine, Open::default());
        store.set_epoch_deadline(1);
        store
    }

    async fn fresh(&self) -> (Store<Open>, About) {
        let mut store = self.store();
        let about = self.about.instantiate_async(&mut store).await.unwrap();
        (store, about)
    }

    async fn floor(&self) {
        let mut store = self.store();
        black_box(self.pre.instantiate_async(&mut store).await.unwrap());
    }

    async fn run(&self, steps: usize) -> String {
        let mut arguments: Map<String, Value> = serde_json::from_str(ARGUMENTS).unwrap();
        for _ in 0..steps {
            step(&mut self.fresh().await, &mut arguments).await;
        }
        serde_json::to_string(&arguments).unwrap()
    }

    async fn run_reused(&self) -> String {
        let mut arguments: Map<String, Value> = serde_json::from_str(ARGUMENTS).unwrap();
        let mut kept = self.kept.borrow_mut();
        if kept.is_none() {
            *kept = Some(self.fresh().await);
        }
        step(kept.as_mut().unwrap(), &mut arguments).await;
        serde_json::to_string(&arguments).unwrap()
    }
}

async fn step((store, about): &mut (Store<Open>, About), arguments: &mut Map<String, Value>) {
    let text = |name: &str| arguments[name].as_str().unwrap();
    let filter = about.openedx_filters_learning_course_about_page_url_requested_v1();
    let outcome = filter.call_run_filter(store, text("url"), text("org")).await.unwrap();
    let Ok(Outcome::Proceed(changes)) = outcome else { panic!("{outcome:?}") };
    for (name, change) in [("url", changes.url), ("org", changes.org)] {
        if let Some(change) = change {
            arguments.insert(name.into(), json!(change));
        }
    }
}

fn calls(criterion: &mut Criterion) {
    let runtime: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
    println!("allocation: {:?}", sandbox.allocation());
    let fresh = Ours::new(&sandbox, Isolation::Call);
    let reused = Ours::new(&sandbox, Isolation::Reuse { max_calls: u32::MAX });
    let fixed = Static::new(sandbox.allocation());
    runtime.block_on(async {
        let answers = [fresh.run(1).await, reused.run(2).await, fixed.run(1).await, fixed.run_reused().await];
        assert!(answers.iter().all(|answer| answer == ANSWER), "{answers:#?}");
    });

    let mut group = criterion.benchmark_group("fresh");
    group.bench_function("floor", |b| b.to_async(&runtime).iter(|| fixed.floor()));
    group.bench_function("static", |b| b.to_async(&runtime).iter(|| fixed.run(1)));
    group.bench_function("ours", |b| b.to_async(&runtime).iter(|| fresh.run(1)));
    group.finish();

    let mut group = criterion.benchmark_group("reused");
    group.bench_function("static", |b| b.to_async(&runtime).iter(|| fixed.run_reused()));
    group.bench_function("ours", |b| b.to_async(&runtime).iter(|| reused.run(1)));
    group.finish();

    let mut group = criterion.benchmark_group("five steps");
    group.bench_function("static", |b| b.to_async(&runtime).iter(|| fixed.run(STEPS)));
    group.bench_function("ours", |b| b.to_async(&runtime).iter(|| fresh.run(STEPS)));
    group.bench_function("ours reused", |b| b.to_async(&runtime).iter(|| reused.run(STEPS)));
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
