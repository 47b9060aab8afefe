//! What the promises share: components made from text, and a sandbox to try them in.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use hookbox_hooks::catalogue::{any_event, any_filter, configure};
use hookbox_hooks::types::Signature;
use hookbox_hooks::{Catalogue, Hook};
use hookbox_sandbox::{
    Admitted, Answer, CallContext, CallFailure, Contract, FunctionId, Granting, Grants, Isolation, Limits,
    Plugin, PluginOptions, Report, Sandbox, SandboxOptions, Services, Settings,
};
use serde_json::{Map, Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A filter with one argument that may be any JSON.
pub(crate) const CONTEXT: &str = "org.openedx.learning.support.contact.context.requested.v1";
/// Far more than any call here may take. Nothing is timed tighter than this.
pub(crate) const AGES: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A component that a toolchain built.
pub(crate) fn prebuilt(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("HOOKBOX_GUESTS")
        .map_or_else(|| root().join("guest-plugins/prebuilt"), PathBuf::from);
    let path = folder.join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The packages of `wit/`, and the parts of WASI that guests here use.
pub(crate) fn packages() -> Resolve {
    hookbox_hostile::packages().unwrap()
}

/// The component that [`hookbox_hostile`] makes of a text with this name.
pub(crate) fn written(name: &str) -> Vec<u8> {
    hookbox_hostile::written(name).unwrap()
}

/// A component of a core module in text form, with this world.
pub(crate) fn component(mut resolve: Resolve, world: &str, module: &str) -> Vec<u8> {
    let package =
        resolve.push_str("world.wit", &format!("package test:guest; world guest {{ {world} }}")).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// A core module whose exported functions all exist and answer with zeros: success, and nothing to change.
pub(crate) fn obliging(resolve: &Resolve, world: &str) -> String {
    use wit_parser::abi::{AbiVariant, WasmType};
    let mut resolve = resolve.clone();
    let package =
        resolve.push_str("world.wit", &format!("package test:guest; world guest {{ {world} }}")).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut functions = String::new();
    for (key, item) in &resolve.worlds[world].exports {
        let wit_parser::WorldItem::Interface { id, .. } = item else {
            continue;
        };
        for function in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
            let name = format!("{}#{}", resolve.name_world_key(key), function.name);
            let types = |types: &[WasmType]| -> String {
                let names = types.iter().map(|ty| match ty {
                    WasmType::I64 | WasmType::PointerOrI64 => " i64",
                    WasmType::F32 => " f32",
                    WasmType::F64 => " f64",
                    WasmType::I32 | WasmType::Pointer | WasmType::Length => " i32",
                });
                names.collect()
            };
            let (params, results) = (types(&signature.params), types(&signature.results));
            assert_eq!(results, " i32", "{name}: every function here answers in memory");
            functions += &format!("(func (export \"{name}\") (param{params}) (result i32) (i32.const 0))\n");
        }
    }
    format!(
        "(module
            (memory (export \"memory\") 17)
            (global $free (mut i32) (i32.const 65536))
            (func (export \"cabi_realloc\") (param $old i32) (param $had i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32)
                (local.set $at (i32.and
                    (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            {functions})"
    )
}

/// Everything a plugin may export.
pub(crate) fn contract() -> Contract {
    Contract::new(signatures())
}

/// The functions of everything that a plugin may export.
pub(crate) fn signatures() -> impl Iterator<Item = Arc<Signature>> {
    let hooks = Catalogue::embedded().hooks().map(|hook| Arc::clone(hook.signature()));
    let generic = [any_filter(), any_event(), configure()].map(Arc::clone);
    hooks.chain(generic)
}

/// The function a plugin exports for a hook.
pub(crate) fn signature(hook: &str) -> Arc<Signature> {
    Catalogue::embedded().hook(hook).map(Hook::signature).map(Arc::clone).unwrap()
}

pub(crate) fn sandbox() -> Sandbox {
    sandbox_with(Services::default())
}

/// A sandbox whose plugins' capabilities work on these.
pub(crate) fn sandbox_with(services: Services) -> Sandbox {
    keep_log();
    Sandbox::new(SandboxOptions { services, ..SandboxOptions::default() }).unwrap()
}

pub(crate) fn admit(sandbox: &Sandbox, bytes: &[u8]) -> Admitted {
    admit_with(sandbox, bytes, &Granting::These(&Grants::default()))
}

/// The same of a component that needs grants.
pub(crate) fn admit_with(sandbox: &Sandbox, bytes: &[u8], granting: &Granting<'_>) -> Admitted {
    let admitted = sandbox.admit(bytes, &contract(), granting);
    admitted.unwrap_or_else(|report| panic!("{:#?}", report.problems))
}

/// The report on a component that is refused.
pub(crate) fn refused(bytes: &[u8]) -> Box<Report> {
    sandbox().admit(bytes, &contract(), &Granting::These(&Grants::default())).expect_err("it must be refused")
}

/// A fresh instance for every call, default limits, no settings.
pub(crate) fn options() -> PluginOptions {
    PluginOptions {
        name: "tried".into(),
        settings: Settings::default(),
        limits: Limits::default(),
        isolation: Isolation::Call,
    }
}

pub(crate) fn plugin(sandbox: &Sandbox, bytes: &[u8]) -> Plugin {
    sandbox.plugin(&admit(sandbox, bytes), options())
}

/// The plugin's only hook of the catalogue.
pub(crate) fn only_function(plugin: &Plugin) -> FunctionId {
    let mut found = Catalogue::embedded().hooks().filter_map(|hook| plugin.function(hook.signature()));
    found.next().expect("a hook of the catalogue")
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// Arguments that fit every hook used here: each takes the keys it knows.
pub(crate) fn arguments(url: &str) -> Map<String, Value> {
    object(json!({
        "url": url,
        "org": "edX",
        "context": {},
        "user": {"username": "ada", "email": "ada@example.com", "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": "course-v1:edX+DemoX+Demo_Course",
        "mode": "audit",
    }))
}

/// One call of the plugin's only hook.
pub(crate) async fn call_within(plugin: &Plugin, url: &str, time: Duration) -> Result<Answer, CallFailure> {
    let context = Arc::new(CallContext::default());
    plugin.call(only_function(plugin), &arguments(url), context, time).await
}

/// One call with all the time it may want.
pub(crate) async fn call(plugin: &Plugin, url: &str) -> Result<Answer, CallFailure> {
    call_within(plugin, url, AGES).await
}

/// The url that an about page's step changed.
pub(crate) fn new_url(answer: Result<Answer, CallFailure>) -> String {
    match answer {
        Ok(Ok(outcome)) => outcome["proceed"]["url"].as_str().unwrap_or_default().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Waits for a condition, letting other tasks run.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < AGES, "waited too long until {what}");
        tokio::task::yield_now().await;
    }
}

/// What this comes to, with a good plugin called on the same thread meanwhile. Afterwards the pool is as it was.
pub(crate) async fn beside_a_good_one<T>(sandbox: &Sandbox, work: impl Future<Output = T>) -> T {
    let good = plugin(sandbox, &prebuilt("course-about-url"));
    let used = || sandbox.pool_use().map(|pool| (pool.component_instances, pool.memories, pool.tables));
    let (before, start) = (used(), Instant::now());
    let (came, answered) = tokio::join!(work, call(&good, "http://lms.test/courses/course-v1:a+b+c/about"));
    assert!(start.elapsed() < AGES / 2, "it took {:?}", start.elapsed());
    assert_eq!(new_url(answered), "https://example.com/new_about_page/course-v1:a+b+c");
    until("the pool is as it was", || used() == before).await;
    came
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What the host logged on this thread. One subscriber serves all tests of a process: one of each test's own can miss
/// lines whose place in the code another test came by first.
pub(crate) fn host_log() -> String {
    LOG.with_borrow(|log| String::from_utf8(log.clone()).unwrap())
}

fn keep_log() {
    struct ThisThread;

    impl Write for ThisThread {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            LOG.with_borrow_mut(|log| log.write(bytes))
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| ThisThread).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}
