//! What cannot be a plugin is refused before anything of it runs, with a report that says what to do.

use hookbox_sandbox::{COMPONENT_BYTES, Granting, Problem, ProblemCode, Role};
use wit_parser::Resolve;

use crate::support::{component, obliging, packages, prebuilt, refused, written};

const ABOUT: &str = "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0";

fn only_problem(bytes: &[u8]) -> Problem {
    let report = refused(bytes);
    let [problem] = report.problems.as_slice() else { panic!("{:#?}", report.problems) };
    assert!(!problem.help.is_empty());
    problem.clone()
}

/// A component that exports these interfaces of packages written down here.
fn exporting(packages: &str, exports: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_str("other.wit", &format!("package test:other; {packages}")).unwrap();
    let world: String = exports.iter().map(|export| format!("export {export}; ")).collect();
    let module = obliging(&resolve, &world);
    component(resolve, &world, &module)
}

/// A component that exports a good hook and imports this function.
fn importing(packages_text: &str, import: &str, function: &str, ty: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_str("other.wit", &format!("package test:other; {packages_text} {ABOUT_WIT}")).unwrap();
    let world = format!("import {import}; export {ABOUT};");
    let module = obliging(&resolve, &world);
    let module =
        module.replacen("(module", &format!("(module (import \"{import}\" \"{function}\" (func {ty}))"), 1);
    component(resolve, &world, &module)
}

const ABOUT_WIT: &str = "
    package openedx:filters@1.0.0 {
        interface learning-course-about-page-url-requested-v1 {
            record changes { url: option<string> }
            variant outcome { proceed(changes), halt }
            variant failure { error(string) }
            run-filter: func(url: string) -> result<outcome, failure>;
        }
    }";

#[test]
fn what_is_no_component_is_told_apart() {
    let good = prebuilt("course-about-url");
    for (bytes, code, found) in [
        (&b""[..], ProblemCode::NotWasm, "an empty file"),
        (b"#!/bin/sh", ProblemCode::NotWasm, "bytes that are no WebAssembly"),
        (b"(component)", ProblemCode::NotWasm, "text"),
        (b"\0asm", ProblemCode::Invalid, ""),
        (b"\0asm\x01\0\0\0", ProblemCode::CoreModule, "a core module"),
        (b"\0asm\x0d\0\x02\0", ProblemCode::Invalid, ""),
        (&good[..good.len() / 2], ProblemCode::Invalid, ""),
        (&good[..good.len() - 1], ProblemCode::Invalid, ""),
    ] {
        let problem = only_problem(bytes);
        assert_eq!(problem.code, code, "{problem}");
        assert!(problem.found.contains(found), "{problem}");
    }
}

#[test]
fn a_flipped_byte_never_gets_past_the_parser_unseen() {
    let good = prebuilt("test-panic");
    let sandbox = crate::support::sandbox();
    let contract = crate::support::contract();
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut flipped = good.clone();
        flipped[at] ^= 0xff;
        // Refused with a reason, or still a component; never a panic.
        if let Err(report) = sandbox.admit(&flipped, &contract, &Granting::WhatItImports) {
            assert!(!report.problems.is_empty());
        }
    }
}

#[test]
fn native_code_is_refused() {
    let compiled = wasmtime::Engine::default().precompile_component(&prebuilt("test-panic")).unwrap();
    let problem = only_problem(&compiled);
    assert_eq!(problem.code, ProblemCode::Precompiled);
    assert!(problem.help.contains(".wasm"), "{problem}");
}

#[test]
fn more_bytes_than_a_component_may_have_are_refused() {
    let mut large = prebuilt("test-panic");
    large.resize(COMPONENT_BYTES + 1, 0);
    assert_eq!(only_problem(&large).code, ProblemCode::TooLarge);
}

#[test]
fn more_parts_than_a_plugin_may_have_are_refused() {
    if crate::support::sandbox().pool_use().is_none() {
        return; // Without a pool there are no slots to be too large for; the call's limits hold all the same.
    }
    for (guest, part) in [("many-memories", "memories"), ("huge-table", "table")] {
        let problem = only_problem(&written(guest));
        assert_eq!(problem.code, ProblemCode::TooComplex, "{guest}: {problem}");
        assert!(problem.found.contains(part), "{guest}: {problem}");
    }
}

#[test]
fn a_misspelt_hook_gets_the_nearest_name() {
    let bytes = exporting(
        "package openedx:filters@1.0.0 {
            interface learning-course-about-page-url-reqested-v1 { run-filter: func() -> result<string, string>; }
        }",
        &["openedx:filters/learning-course-about-page-url-reqested-v1@1.0.0"],
    );
    let report = refused(&bytes);
    assert_eq!(report.problems.len(), 1);
    let problem = &report.problems[0];
    assert_eq!(problem.code, ProblemCode::UnknownHook);
    assert!(problem.help.contains("learning-course-about-page-url-requested-v1"), "{problem}");
    assert_eq!(report.exports[0].role, Role::Refused);
}

#[test]
fn another_major_version_is_refused() {
    let bytes = exporting(
        &ABOUT_WIT.replace("@1.0.0", "@2.0.0"),
        &["openedx:filters/learning-course-about-page-url-requested-v1@2.0.0"],
    );
    let problem = only_problem(&bytes);
    assert_eq!(problem.code, ProblemCode::HookVersion);
    assert!(problem.expected.ends_with("@1.0.0") && problem.found.ends_with("@2.0.0"), "{problem}");
}

#[test]
fn a_newer_minor_version_is_welcome() {
    let bytes = exporting(
        &ABOUT_WIT.replace("@1.0.0", "@1.7.0"),
        &["openedx:filters/learning-course-about-page-url-requested-v1@1.7.0"],
    );
    crate::support::admit(&crate::support::sandbox(), &bytes);
}

#[test]
fn a_hook_without_its_function_is_refused() {
    let bytes = exporting(
        "package openedx:filters@1.0.0 {
            interface learning-course-about-page-url-requested-v1 { run: func() -> result<string, string>; }
        }",
        &[ABOUT],
    );
    let problem = only_problem(&bytes);
    assert_eq!(problem.code, ProblemCode::MissingFunction);
    assert!(problem.to_string().contains("run-filter"), "{problem}");
}

#[test]
fn a_hook_of_other_types_is_refused_with_the_place() {
    for (from, to, place, expected, found) in [
        ("url: string", "url: list<u8>", "parameter url", "string", "list"),
        ("url: option<string>", "url: option<s64>", "result ok.proceed.url", "string", "s64"),
        ("error(string)", "error(u32)", "result err.error", "string", "u32"),
        ("halt }", "stop }", "result ok.stop", "one of proceed, halt", "stop"),
        ("-> result<outcome, failure>", "-> result<outcome>", "result err", "failure", "nothing"),
        ("-> result<outcome, failure>", "-> tuple<string, string>", "result", "one result", "tuple"),
    ] {
        let wit = ABOUT_WIT.replace(from, to);
        assert_ne!(wit, ABOUT_WIT);
        let problem = only_problem(&exporting(&wit, &[ABOUT]));
        assert_eq!(problem.code, ProblemCode::TypeMismatch);
        assert_eq!(problem.place.as_deref(), Some(place));
        assert_eq!((problem.expected.as_str(), problem.found.as_str()), (expected, found), "{problem}");
        assert_eq!(problem.interface.as_deref(), Some(ABOUT));
        assert_eq!(problem.function.as_deref(), Some("run-filter"));
    }
}

#[test]
fn an_import_nobody_offers_is_named_with_what_is_offered() {
    let bytes = importing("package acme:db { interface query { ask: func(); } }", "acme:db/query", "ask", "");
    let problem = only_problem(&bytes);
    assert_eq!(problem.code, ProblemCode::UnknownImport);
    assert_eq!(problem.interface.as_deref(), Some("acme:db/query"));
    assert!(problem.help.contains("wasi:config/store"), "{problem}");
}

#[test]
fn sockets_are_refused_with_advice() {
    let bytes = importing(
        "package wasi:sockets@0.2.0 { interface network { listen: func(); } }",
        "wasi:sockets/network@0.2.0",
        "listen",
        "",
    );
    let problem = only_problem(&bytes);
    assert_eq!(problem.code, ProblemCode::UnknownImport);
    assert!(problem.help.contains("--stub-wasi"), "{problem}");
}

#[test]
fn an_import_of_other_types_is_refused_by_name() {
    let bytes = importing(
        "package wasi:logging@0.1.0-draft { interface logging { log: func(message: string); } }",
        "wasi:logging/logging@0.1.0-draft",
        "log",
        "(param i32 i32)",
    );
    let problem = only_problem(&bytes);
    assert_eq!(problem.code, ProblemCode::ImportMismatch);
    assert!(problem.to_string().contains("wasi:logging/logging"), "{problem}");
    let bytes = importing(
        "package wasi:logging@0.7.0 { interface logging { log: func(message: string); } }",
        "wasi:logging/logging@0.7.0",
        "log",
        "(param i32 i32)",
    );
    let problem = only_problem(&bytes);
    assert_eq!(problem.code, ProblemCode::ImportMismatch);
    assert!(problem.to_string().contains("wasi:logging/logging@0.7.0"), "{problem}");
}

#[test]
fn a_component_without_hooks_is_refused() {
    let world = "export hookbox:plugin/lifecycle@1.0.0;";
    let resolve = packages();
    let module = obliging(&resolve, world);
    for bytes in [component(resolve, world, &module), component(Resolve::default(), "", "(module)")] {
        let problem = only_problem(&bytes);
        assert_eq!(problem.code, ProblemCode::NoHooks);
        assert!(problem.help.contains("openedx:filters"), "{problem}");
    }
}

#[test]
fn an_export_of_somebody_else_s_is_left_alone() {
    let bytes = exporting(
        &format!(
            "{ABOUT_WIT} package acme:tools {{ interface extra {{ help: func() -> result<string, string>; }} }}"
        ),
        &[ABOUT, "acme:tools/extra"],
    );
    let admitted = crate::support::admit(&crate::support::sandbox(), &bytes);
    let roles: Vec<Role> = admitted.report().exports.iter().map(|export| export.role).collect();
    assert!(roles.contains(&Role::Hook) && roles.contains(&Role::Unused), "{roles:?}");
}
