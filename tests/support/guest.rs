//! Components: the samples, and small ones from WebAssembly text that behave in one way each.

use std::path::PathBuf;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The interface of the filter that `course-about-url` takes.
pub(crate) const ABOUT_INTERFACE: &str = "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0";
const CATALOG_INTERFACE: &str = "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0";
const ANY_EVENT: &str = "hookbox:plugin/any-event@1.0.0";
const ANY_FILTER: &str = "hookbox:plugin/any-filter@1.0.0";

/// A sample plugin's component.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("HOOKBOX_GUESTS")
        .map_or_else(|| PathBuf::from(ROOT).join("guest-plugins/prebuilt"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The component that [`hookbox_hostile`] makes of a text with this name.
pub(crate) fn written(name: &str) -> Vec<u8> {
    hookbox_hostile::written(name).unwrap()
}

/// The guest `witness`, whose author has found out why it died: it looks at the same things and proceeds.
pub(crate) fn mended_witness() -> Vec<u8> {
    let path = PathBuf::from(ROOT).join("host/sandbox/tests/guests/witness.wat");
    let text = std::fs::read_to_string(path).unwrap();
    hookbox_hostile::component(&text.replace("(unreachable)", "")).unwrap()
}

/// A step of [`ABOUT_INTERFACE`] that says so and then never answers.
pub(crate) fn endless_filter() -> Vec<u8> {
    let body = r#"(call $begun) (loop $again (br $again)) unreachable"#;
    component(
        ABOUT_INTERFACE,
        &format!(
            "(func (export \"{ABOUT_INTERFACE}#run-filter\") (param i32 i32 i32 i32) (result i32) {body})"
        ),
    )
}

/// A step of [`ABOUT_INTERFACE`] that says so, works for about a second, and answers with the url `finished`.
pub(crate) fn slow_filter() -> Vec<u8> {
    let answer = r#"
        (call $begun)
        (call $work)
        (i32.store8 (i32.const 1032) (i32.const 1))
        (i32.store (i32.const 1036) (i32.const 96))
        (i32.store (i32.const 1040) (i32.const 8))
        (i32.const 1024)"#;
    component(
        ABOUT_INTERFACE,
        &format!(
            "(func (export \"{ABOUT_INTERFACE}#run-filter\") (param i32 i32 i32 i32) (result i32) {answer})"
        ),
    )
}

/// A step of [`ABOUT_INTERFACE`] that answers with this text as the url. Components of two texts have two digests.
pub(crate) fn answering(text: &str) -> Vec<u8> {
    let (at, size) = (131_072, text.len());
    let answer = format!(
        r#"
        (i32.store8 (i32.const 1032) (i32.const 1))
        (i32.store (i32.const 1036) (i32.const {at}))
        (i32.store (i32.const 1040) (i32.const {size}))
        (i32.const 1024)"#
    );
    component(
        ABOUT_INTERFACE,
        &format!(
            "(data (i32.const {at}) {text:?})
             (func (export \"{ABOUT_INTERFACE}#run-filter\") (param i32 i32 i32 i32) (result i32) {answer})"
        ),
    )
}

/// The same component under another digest: with a section that nobody reads.
pub(crate) fn noted(mut component: Vec<u8>, note: u8) -> Vec<u8> {
    component.extend([0, 6, 4, b'n', b'o', b't', b'e', note]);
    component
}

/// A step of [`ABOUT_INTERFACE`] that takes memory until it gets no more, and dies of that.
pub(crate) fn greedy_filter() -> Vec<u8> {
    let body = r#"
        (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        unreachable"#;
    component(
        ABOUT_INTERFACE,
        &format!(
            "(func (export \"{ABOUT_INTERFACE}#run-filter\") (param i32 i32 i32 i32) (result i32) {body})"
        ),
    )
}

/// A receiver of catalogue changes that says so, works for about a second, and says that it is done.
pub(crate) fn slow_receiver() -> Vec<u8> {
    let body = "(call $begun) (call $work) (call $done) (i32.const 1024)";
    component(CATALOG_INTERFACE, &receiver(body))
}

/// A receiver of catalogue changes that traps.
pub(crate) fn trapping_receiver() -> Vec<u8> {
    component(CATALOG_INTERFACE, &receiver("unreachable"))
}

/// A receiver of catalogue changes that rejects every event, and says `finished`.
pub(crate) fn rejecting_receiver() -> Vec<u8> {
    let body = "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const 1))
        (i32.store (i32.const 1032) (i32.const 96)) (i32.store (i32.const 1036) (i32.const 8)) (i32.const 1024)";
    component(CATALOG_INTERFACE, &receiver(body))
}

/// The receiver's function. Its arguments lie in memory: a record, a record and their parts are too many to pass.
fn receiver(body: &str) -> String {
    format!("(func (export \"{CATALOG_INTERFACE}#receive\") (param i32) (result i32) {body})")
}

/// A generic receiver that logs `ID ATTEMPT` of what it gets. Of an event whose id ends with a digit below 4 it asks for
/// another attempt twice before it takes it.
pub(crate) fn witness() -> Vec<u8> {
    any_event(
        r#"(local $attempt i32)
           (local.set $attempt (i32.load (i32.add (local.get $event) (i32.const 72))))
           (memory.copy (i32.const 200000) (i32.load (i32.add (local.get $event) (i32.const 16))) (i32.const 36))
           (i32.store8 (i32.const 200036) (i32.const 32))
           (i32.store8 (i32.const 200037)
             (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $attempt) (i32.const 10)) (i32.const 10))))
           (i32.store8 (i32.const 200038) (i32.add (i32.const 48) (i32.rem_u (local.get $attempt) (i32.const 10))))
           (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 200000) (i32.const 39))
           (if (i32.and (i32.lt_u (i32.load8_u (i32.const 200035)) (i32.const 52)) (i32.lt_u (local.get $attempt) (i32.const 3)))
             (then (return (call $retry (i32.const 96) (i32.const 8)))))
           (i32.const 1024)"#,
    )
}

/// A generic receiver with this body. `$event` is where its arguments lie: type, data and metadata. `$retry` and `$reject`
/// make an answer with a text; all zeros, at 1024, is a delivery.
pub(crate) fn any_event(body: &str) -> Vec<u8> {
    let answer = |name: &str, case: u32| {
        format!(
            r#"(func ${name} (param $text i32) (param $size i32) (result i32)
                 (i32.store8 (i32.const 1088) (i32.const 1))
                 (i32.store8 (i32.const 1092) (i32.const {case}))
                 (i32.store (i32.const 1096) (local.get $text))
                 (i32.store (i32.const 1100) (local.get $size))
                 (i32.const 1088))"#
        )
    };
    let (retry, reject) = (answer("retry", 0), answer("reject", 1));
    component(
        ANY_EVENT,
        &format!(
            r#"{retry} {reject}
               (func (export "{ANY_EVENT}#receive") (param $event i32) (result i32) {body})"#
        ),
    )
}

/// A generic receiver that logs the id of what it gets and takes it. With an event whose id ends with 0 it does this
/// instead.
pub(crate) fn harmed_by_zeros(body: &str) -> Vec<u8> {
    any_event(&format!(
        r#"(local $id i32)
           (local.set $id (i32.load (i32.add (local.get $event) (i32.const 16))))
           (call $log (i32.const 2) (i32.const 0) (i32.const 0) (local.get $id) (i32.const 36))
           (if (i32.eq (i32.load8_u (i32.add (local.get $id) (i32.const 35))) (i32.const 48)) (then {body}))
           (i32.const 1024)"#
    ))
}

/// A receiver of any event that logs its data and what came with it, a line each: the data, the id, the source, the host,
/// the time, and the numbers: minor version, how many parts the library's version has, and the attempt, below ten each.
pub(crate) fn telling_receiver() -> Vec<u8> {
    let interface = ANY_EVENT;
    // Where a text's address and length are in the arguments.
    let told: String = [8, 16, 40, 48, 56]
        .iter()
        .map(|at| {
            format!(
                "(call $log (i32.const 2) (i32.const 0) (i32.const 0)
                    (i32.load offset={at} (local.get 0)) (i32.load offset={} (local.get 0)))",
                at + 4
            )
        })
        .collect();
    let numbers: String = [(128, 32), (130, 68), (132, 72)]
        .iter()
        .map(|(to, from)| {
            format!(
                "(i32.store8 (i32.const {to}) (i32.add (i32.const 48) (i32.load offset={from} (local.get 0))))"
            )
        })
        .collect();
    component(
        interface,
        &format!(
            "(data (i32.const 120) \"numbers 0-0-0\")
             (func (export \"{interface}#receive\") (param i32) (result i32) {told} {numbers}
                (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 120) (i32.const 13))
                (i32.const 1024))"
        ),
    )
}

/// A generic step that adds an argument `seen`: the type it was called with and the arguments it got.
pub(crate) fn echo_filter() -> Vec<u8> {
    any_filter(
        r#"(call $text (i32.const 128) (i32.const 17))
           (call $text (local.get $type) (local.get $type_size))
           (call $text (i32.const 160) (i32.const 14))
           (call $text (local.get $arguments) (local.get $arguments_size))
           (call $text (i32.const 192) (i32.const 2))"#,
        r#"(data (i32.const 128) "{\"seen\":{\"type\":\"")
           (data (i32.const 160) "\",\"arguments\":")
           (data (i32.const 192) "}}")"#,
    )
}

/// A generic step that adds an argument `count`: how many calls its instance had. Counts to nine.
pub(crate) fn counting_filter() -> Vec<u8> {
    any_filter(
        r#"(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
           (i32.store8 (i32.const 137) (i32.add (i32.const 48) (global.get $calls)))
           (call $text (i32.const 128) (i32.const 11))"#,
        r#"(data (i32.const 128) "{\"count\":0}")
           (global $calls (mut i32) (i32.const 0))"#,
    )
}

/// A generic step that proceeds with this JSON object.
pub(crate) fn answering_filter(json: &str) -> Vec<u8> {
    any_filter(
        &format!("(call $text (i32.const 128) (i32.const {}))", json.len()),
        &format!("(data (i32.const 128) {json:?})"),
    )
}

/// A generic step that proceeds with the JSON text that `write` writes with `$text`.
fn any_filter(write: &str, more: &str) -> Vec<u8> {
    let function = format!(
        r#"
        {more}
        (global $end (mut i32) (i32.const 0))
        (func $text (param $from i32) (param $size i32)
            (memory.copy (global.get $end) (local.get $from) (local.get $size))
            (global.set $end (i32.add (global.get $end) (local.get $size))))
        (func (export "{ANY_FILTER}#run-filter")
            (param $type i32) (param $type_size i32) (param $arguments i32) (param $arguments_size i32) (result i32)
            (local $start i32)
            (local.set $start (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 100000)))
            (global.set $end (local.get $start))
            {write}
            (i32.store (i32.const 1032) (local.get $start))
            (i32.store (i32.const 1036) (i32.sub (global.get $end) (local.get $start)))
            (i32.const 1024))"#
    );
    component(ANY_FILTER, &function)
}

/// A component that exports one interface of the contract. Its module has at 1024 an answer that is all zeros, which
/// is success without changes, and: `$alloc`, `$begun` and `$done`, which log `work has begun` and `work is done`,
/// and `$work`, which keeps busy for a second.
pub(crate) fn component(interface: &str, functions: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
        (import "hookbox:plugin/context@1.0.0" "remaining-ms" (func $remaining (result i32)))
        (memory (export "memory") 64)
        (data (i32.const 32) "work has begun")
        (data (i32.const 64) "work is done")
        (data (i32.const 96) "finished")
        (global $free (mut i32) (i32.const 65536))
        (func $alloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
            (global.set $free (i32.add (local.get $at) (local.get $size)))
            (local.get $at))
        (func $begun (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 14)))
        (func $done (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 12)))
        (func $work (local $first i32)
            (local.set $first (call $remaining))
            (loop $again
                (br_if $again (i32.lt_u (i32.sub (local.get $first) (call $remaining)) (i32.const 1000)))))
        {functions})"#
    );
    let module = wat::parse_str(text).unwrap();
    let mut resolve = hookbox_hostile::packages().unwrap();
    let world =
        world(&mut resolve, &[], &format!("include hookbox:plugin/plugin@1.0.0; export {interface};"));
    encode(module, &resolve, world)
}

/// A component of a world of one's own over these packages instead of the contract's. `module` is what stands in its
/// core module beside a memory; it is not run.
pub(crate) fn of_world(packages: &[&str], items: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let world = world(&mut resolve, packages, items);
    let realloc = r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)"#;
    let module = format!("(module {module} {realloc} (memory (export \"memory\") 1))");
    encode(wat::parse_str(module).unwrap(), &resolve, world)
}

fn world(resolve: &mut Resolve, packages: &[&str], items: &str) -> WorldId {
    for package in packages {
        resolve.push_str("package.wit", package).unwrap();
    }
    let text = format!("package test:guest; world guest {{ {items} }}");
    let package = resolve.push_str("guest.wit", &text).unwrap();
    resolve.select_world(&[package], None).unwrap()
}

fn encode(mut module: Vec<u8>, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.and_then(|mut encoder| encoder.encode()).unwrap()
}
