//! Whatever the process that compiles does, or says, is a report within its time. Shell scripts stand for it here; what
//! the real one does is shown end to end.

#![cfg(unix)]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hookbox_sandbox::{ChildCompiler, Compiler, Granting, Problem, ProblemCode, Sandbox, SandboxOptions};

use crate::support::{AGES, contract, prebuilt};

/// A process that runs this script; `$0` in it is `argument`.
fn script(script: &str, argument: &Path) -> ChildCompiler {
    ChildCompiler {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into(), argument.into()],
        cpu_seconds: 7,
        memory_bytes: 1 << 30,
        wall: AGES,
    }
}

fn sandbox(compiler: ChildCompiler) -> Sandbox {
    Sandbox::new(SandboxOptions { compiler: Compiler::Child(compiler), ..SandboxOptions::default() }).unwrap()
}

#[track_caller]
fn refused(sandbox: &Sandbox) -> Problem {
    let bytes = prebuilt("course-about-url");
    let report = sandbox.admit(&bytes, &contract(), &Granting::WhatItImports).unwrap_err();
    let [problem] = report.problems.as_slice() else { panic!("{:#?}", report.problems) };
    problem.clone()
}

#[test]
fn every_way_to_fail_is_told_apart() {
    for (text, code, found) in [
        // Ways to end.
        ("exit 0", ProblemCode::CompileFailed, "ended with exit code 0"),
        ("echo its last words >&2; exit 101", ProblemCode::CompileFailed, "exit code 101: its last words"),
        ("printf '\\033[2J\\n' >&2; exit 1", ProblemCode::CompileFailed, "exit code 1: \\u{1b}[2J"),
        ("kill -SEGV $$", ProblemCode::CompileFailed, "crashed with signal 11"),
        ("kill -KILL $$", ProblemCode::CompileFailed, "was killed"),
        ("kill -XCPU $$", ProblemCode::CompileTime, "not enough"),
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            ProblemCode::CompileMemory,
            "not enough",
        ),
        // Ways to answer.
        ("cat >/dev/null & echo garbage; wait", ProblemCode::CompileFailed, "no answer at all"),
        ("printf 'hookbox1\\377\\377\\377\\377'; sleep 60", ProblemCode::CompileFailed, "too long a header"),
        ("printf 'hookbox1\\002\\000\\000\\000{}'; sleep 60", ProblemCode::CompileFailed, "another header"),
        ("head -c 100000000 /dev/zero; sleep 60", ProblemCode::CompileFailed, "no answer at all"),
        ("exec >&-; exit 3", ProblemCode::CompileFailed, "exit code 3"),
    ] {
        let start = Instant::now();
        let problem = refused(&sandbox(script(text, Path::new("script"))));
        assert_eq!(problem.code, code, "{text}: {problem}");
        assert!(problem.found.contains(found), "{text}: {problem}");
        assert!(!problem.help.is_empty());
        assert!(start.elapsed() < AGES, "{text}: {:?}", start.elapsed());
    }
}

/// `printf` writes an answer with this header, and this after it.
fn answering(header: &str, after: &str) -> String {
    format!("printf 'hookbox1\\{:03o}\\000\\000\\000%s' '{header}'; {after}", header.len())
}

#[test]
fn an_answer_is_held_to_what_it_announces() {
    let header = |refused: &str, length: &str| {
        let empty =
            r#""name":null,"version":null,"description":null,"authors":null,"licenses":null,"source":null"#;
        format!(r#"{{"metadata":{{{empty}}},"refused":{refused},"length":{length}}}"#)
    };
    let refusal = r#"{"parsing":"it is odd"}"#;
    for (text, code, found) in [
        (answering(&header(refusal, "0"), "sleep 60"), ProblemCode::Invalid, "it is odd"),
        (answering(&header(refusal, "4"), "sleep 60"), ProblemCode::CompileFailed, "contradicts itself"),
        (answering(&header("null", "0"), "sleep 60"), ProblemCode::CompileFailed, "contradicts itself"),
        (
            answering(&header("null", "18446744073709551615"), "sleep 60"),
            ProblemCode::CompileMemory,
            "18446744073709551615 bytes",
        ),
        (answering(&header("null", "9"), "printf short"), ProblemCode::CompileFailed, "exit code 0"),
        // The engine looks at what it is to load.
        (answering(&header("null", "9"), "printf not-a-elf"), ProblemCode::Invalid, "ELF"),
    ] {
        let problem = refused(&sandbox(script(&text, Path::new("script"))));
        assert_eq!(problem.code, code, "{text}: {problem}");
        assert!(problem.found.contains(found), "{text}: {problem}");
    }
}

#[test]
fn one_that_does_nothing_is_ended_by_the_clock_with_all_it_started() {
    // It neither reads nor answers; one hides behind a process of its own, one behind closed streams.
    for text in ["exec sleep 60", "sleep 60 & sleep 60; wait", "exec >&- 2>&-; exec sleep 60"] {
        let start = Instant::now();
        let compiler =
            ChildCompiler { wall: Duration::from_millis(300), ..script(text, Path::new("script")) };
        let problem = refused(&sandbox(compiler));
        assert_eq!(problem.code, ProblemCode::CompileTime, "{text}: {problem}");
        assert!(problem.expected.contains("300ms") && problem.help.contains("`time`"), "{problem}");
        assert!(start.elapsed() < AGES, "{text}: {:?}", start.elapsed());
    }
}

#[test]
fn one_that_cannot_be_started_is_told() {
    let compiler = ChildCompiler { program: "/there/is/no/such/program".into(), ..script("", Path::new("")) };
    let problem = refused(&sandbox(compiler));
    assert_eq!(problem.code, ProblemCode::CompileFailed);
    assert!(problem.found.contains("No such file"), "{problem}");
}

#[test]
fn it_is_told_its_limits_and_knows_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    refused(&sandbox(script("pwd > $0; echo $* >> $0; env | sort >> $0", &said)));
    let said = std::fs::read_to_string(said).unwrap();
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("/"));
    assert_eq!(lines.next(), Some("--cpu-seconds 7 --memory-bytes 1073741824"));
    let names: Vec<_> = lines.filter_map(|line| line.split('=').next()).collect();
    // The shell adds some of its own.
    let ours: Vec<_> =
        names.into_iter().filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name)).collect();
    assert_eq!(ours, ["MALLOC_ARENA_MAX", "RAYON_NUM_THREADS"]);
}

#[test]
fn one_component_is_compiled_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let text = "mkdir $0/busy || touch $0/together; sleep 0.1; rmdir $0/busy; echo x >> $0/count";
    let sandbox = sandbox(script(text, folder.path()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| refused(&sandbox));
        }
    });
    assert_eq!(std::fs::read_to_string(folder.path().join("count")).unwrap(), "x\n".repeat(4));
    assert!(!folder.path().join("together").exists());
}

#[test]
fn what_is_no_component_is_refused_without_starting_one() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    let sandbox = sandbox(script("touch $0", &started));
    for (bytes, code) in [
        (&b"#!/bin/sh"[..], ProblemCode::NotWasm),
        (b"\0asm\x01\0\0\0", ProblemCode::CoreModule),
        (
            &wasmtime::Engine::default().precompile_component(b"\0asm\x0d\0\x01\0").unwrap(),
            ProblemCode::Precompiled,
        ),
    ] {
        let report = sandbox.admit(bytes, &contract(), &Granting::WhatItImports).unwrap_err();
        assert_eq!(report.problems[0].code, code);
    }
    assert!(!started.exists());
    refused(&sandbox);
    assert!(started.exists());
}
