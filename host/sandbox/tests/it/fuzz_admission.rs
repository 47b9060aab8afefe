//! Whatever bytes are given to the host, it refuses them with reasons that can be shown, or admits them; what it admits
//! can be called, and the call ends.

mod sections;
mod texts;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use hookbox_fuzz::{asked_for, fuzz, mutate, mutations, peak_of, saved};
use hookbox_sandbox::{Admitted, CallContext, CallFailure, Granting, Report, Sandbox, SandboxOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::every_hook_of_the_catalogue_can_be_called::fields;
use crate::support::{contract, options, prebuilt, signatures};

/// The longest text in a report.
const TEXT_BYTES: usize = 2_048;
/// The longest report.
const REPORT_BYTES: usize = 1 << 20;
/// How much larger one input may make the process.
const GROWTH_BYTES: u64 = 512 << 20;
/// Time of one call of what was admitted.
const CALL: Duration = Duration::from_millis(50);
/// What has a meaning in a component.
const WORDS: &[&str] = &[
    "\0asm\x0d\0\x01\0",
    "\0asm\x01\0\0\0",
    "openedx:filters/",
    "hookbox:plugin/any-filter@1.0.0",
    "hookbox:plugin/any-event@2.0.0",
    "wasi:sockets/tcp@0.2.0",
    "cabi_realloc",
    "\u{1b}[2J",
    "\u{202e}",
    "\x00\x04name",
];

/// What is given to the host.
struct Given(Vec<u8>);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes: \"{}\"", self.0.len(), self.0.escape_ascii())
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/admission"))
}

/// What was kept, as text or as bytes that no text makes.
fn kept() -> Vec<Vec<u8>> {
    let all = saved(folder(), ".wat").into_iter().chain(saved(folder(), ".wasm"));
    all.map(|saved| wat::parse_bytes(&saved.bytes).unwrap().into_owned()).collect()
}

/// Components to begin with: what was kept, the attacks, and what toolchains built.
fn components() -> Vec<Vec<u8>> {
    let attacks = hookbox_hostile::attacks().unwrap();
    let attacks = attacks.iter().map(|attack| attack.component().unwrap());
    let built = ["catalog-logger", "test-panic"].map(prebuilt);
    kept().into_iter().chain(attacks).chain(built).collect()
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let all = prop::sample::select(components());
    let changed =
        (all.clone(), mutations(WORDS)).prop_map(|(bytes, mutations)| mutate(&bytes, &mutations)).boxed();
    let smith = vec(any::<u8>(), 0..1_024).prop_filter_map("too few bytes for a component", |seed| {
        let config = wasm_smith::Config { max_imports: 8, ..wasm_smith::Config::default() };
        let component = wasm_smith::Component::new(config, &mut Unstructured::new(&seed));
        component.map(|component| component.to_bytes()).ok()
    });
    let noise = (prop::sample::select(WORDS), vec(any::<u8>(), 0..64))
        .prop_map(|(word, noise)| [word.as_bytes(), noise.as_slice()].concat());
    prop_oneof![
        4 => changed,
        6 => sections::spliced(all),
        4 => (texts::components(), mutations(WORDS)).prop_map(|(bytes, mutations)| mutate(&bytes, &mutations)),
        4 => texts::components(),
        4 => smith,
        1 => noise,
    ]
}

struct Tried {
    sandbox: Sandbox,
    runtime: Runtime,
}

impl Tried {
    fn new() -> Self {
        Self {
            sandbox: Sandbox::new(SandboxOptions::default()).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    fn holds(&self, bytes: &[u8]) {
        let admit = || self.sandbox.admit(bytes, &contract(), &Granting::WhatItImports);
        let (outcome, growth) = peak_of(admit);
        // Other tests of the process use memory as well.
        if asked_for() {
            assert!(
                growth.is_none_or(|growth| growth <= GROWTH_BYTES),
                "the process grew by {growth:?} bytes"
            );
        }
        match outcome {
            Ok(admitted) => {
                assert!(admitted.report().problems.is_empty());
                can_be_shown(admitted.report());
                self.call(&admitted);
            }
            Err(report) => {
                assert!(!report.problems.is_empty(), "refused without a reason");
                can_be_shown(&report);
            }
        }
    }

    fn call(&self, admitted: &Admitted) {
        let plugin = self.sandbox.plugin(admitted, options());
        for signature in signatures() {
            let Some(function) = plugin.function(&signature) else { continue };
            let context = Arc::new(CallContext::default());
            let arguments = fields(&signature.params, true);
            match self.runtime.block_on(plugin.call(function, &arguments, context, CALL)) {
                Ok(_) => {}
                Err(CallFailure::Internal { detail }) => panic!("no guest is the host's fault: {detail}"),
                Err(failure) => every_text(&serde_json::to_value(&failure).unwrap(), &mut is_short_and_plain),
            }
        }
    }
}

#[track_caller]
fn is_short_and_plain(text: &str) {
    let risky = |letter: char| {
        letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(risky), "{text:?}");
    assert!(text.len() <= TEXT_BYTES, "{} bytes: {}", text.len(), &text.chars().take(80).collect::<String>());
}

#[track_caller]
fn can_be_shown(report: &Report) {
    let report = serde_json::to_value(report).unwrap();
    every_text(&report, &mut is_short_and_plain);
    assert!(report.to_string().len() <= REPORT_BYTES, "a report of {} bytes", report.to_string().len());
}

fn every_text(value: &Value, seen: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => seen(text),
        Value::Array(items) => items.iter().for_each(|item| every_text(item, seen)),
        Value::Object(entries) => entries.values().for_each(|value| every_text(value, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn any_bytes_are_refused_with_reasons_or_can_be_called() {
    let tried = Tried::new();
    fuzz("admission", &any_bytes().prop_map(Given), |given| tried.holds(&given.0));
}

#[test]
fn what_was_found_before_stays_mended() {
    let tried = Tried::new();
    for bytes in kept() {
        tried.holds(&bytes);
    }
}

/// Found by the target: a likeness of each name to each hook took minutes, and the report was as large as the component.
#[test]
fn a_crowd_of_unknown_names_is_refused_soon_with_a_short_report() {
    // Longer names than anybody would read are one problem; as many of the longest that are read, a hundred.
    for (parts, problems) in [(5_000, 1), (80, 100)] {
        let names: Vec<_> =
            (0..300).map(|at| format!("openedx:filters/{}{at}", "x-".repeat(parts) + "x")).collect();
        let bytes = wat::parse_str(texts::exporting(&names)).unwrap();
        let start = Instant::now();
        let tried = Tried::new();
        let Err(report) = tried.sandbox.admit(&bytes, &contract(), &Granting::WhatItImports) else {
            panic!("it must be refused")
        };
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert_eq!(report.problems.len(), problems, "{}", report.problems[0]);
        can_be_shown(&report);
    }
}
