//! The host has a component compiled by a process that has nothing of the host's, may use what the configuration says,
//! and whose end is a report: bombs harm nobody.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hookbox_hooks::Catalogue;
use hookbox_plugins::contract;
use hookbox_sandbox::{
    CallContext, ChildCompiler, Compiler, Granting, Isolation, Limits, PluginOptions, Problem, ProblemCode,
    Sandbox, SandboxOptions, Settings,
};

use crate::support::bombs;
use crate::support::guest::sample;
use crate::support::site::{HOOKBOX, contains_all};
use crate::support::{ABOUT_URL, NEW_URL, OLD_URL, Site, about};

/// Far longer than anything here needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// This build's `hookbox compile`.
fn compiler(cpu_seconds: u64, memory_bytes: u64) -> ChildCompiler {
    ChildCompiler {
        program: PathBuf::from(HOOKBOX),
        arguments: vec!["compile".into()],
        cpu_seconds,
        memory_bytes,
        wall: PATIENCE,
    }
}

fn sandbox(cpu_seconds: u64, memory_bytes: u64) -> Sandbox {
    let compiler = Compiler::Child(compiler(cpu_seconds, memory_bytes));
    Sandbox::new(SandboxOptions { compiler, ..SandboxOptions::default() }).unwrap()
}

#[track_caller]
fn refused(sandbox: &Sandbox, bytes: &[u8]) -> Problem {
    let report = sandbox.admit(bytes, &contract(), &Granting::WhatItImports).unwrap_err();
    let problem = report.problems.first().expect("a problem").clone();
    assert!(!problem.help.is_empty());
    problem
}

#[test]
fn every_bomb_ends_as_a_report() {
    let sandbox = sandbox(1, 512 << 20);
    for (name, bomb) in bombs::all() {
        let start = Instant::now();
        let problem = refused(&sandbox, &bomb);
        // A second of processor time, on a machine that may have others to serve.
        assert!(start.elapsed() < Duration::from_secs(30), "{name}: {:?}", start.elapsed());
        let expected = [
            ProblemCode::CompileTime,
            ProblemCode::CompileMemory,
            ProblemCode::Invalid,
            // It compiles after all, and asks for more than there is.
            ProblemCode::TooComplex,
        ];
        println!("{name}: {} bytes, {:?}, {problem}", bomb.len(), start.elapsed());
        assert!(expected.contains(&problem.code), "{name}: {problem}");
    }
    sandbox.admit(&sample("course-about-url"), &contract(), &Granting::WhatItImports).unwrap();
}

#[test]
fn each_limit_that_binds_is_named_with_the_key_that_raises_it() {
    let problem = refused(&sandbox(1, 2 << 30), &bombs::giant_function(7_000_000));
    assert_eq!(problem.code, ProblemCode::CompileTime);
    contains_all(&problem.to_string(), &["1 s of processor time", "`cpu`", "[server.compile]"], "");
    let problem = refused(&sandbox(30, 300 << 20), &bombs::giant_function(7_000_000));
    assert_eq!(problem.code, ProblemCode::CompileMemory, "{problem}");
    contains_all(&problem.to_string(), &["314572800 bytes of memory", "`memory`", "[server.compile]"], "");
}

#[test]
fn the_least_limits_that_can_be_configured_do_for_a_small_plugin() {
    sandbox(1, 256 << 20).admit(&sample("course-about-url"), &contract(), &Granting::WhatItImports).unwrap();
}

#[test]
fn a_component_that_is_wanted_twice_at_once_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let text = format!("echo started >> $0; exec {HOOKBOX} compile \"$@\"");
    let child = ChildCompiler {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), text.into(), starts.clone().into()],
        ..compiler(30, 1 << 30)
    };
    let cache = Some(folder.path().join("cache"));
    let options = SandboxOptions { cache, compiler: Compiler::Child(child), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options).unwrap();
    thread::scope(|scope| {
        let threads: [_; 4] = std::array::from_fn(|_| {
            scope.spawn(|| {
                let bytes = sample("course-about-url");
                sandbox.admit(&bytes, &contract(), &Granting::WhatItImports).unwrap()
            })
        });
        for admitted in threads {
            let admitted = admitted.join().unwrap();
            // From the process's answer and from the cache alike.
            let metadata = &admitted.report().metadata;
            let said = (metadata.name.as_deref(), metadata.version.as_deref());
            assert_eq!(said, (Some("course-about-url"), Some("1.0.0")));
        }
    });
    assert_eq!(std::fs::read_to_string(starts).unwrap(), "started\n");
}

#[test]
fn what_was_compiled_once_harms_nobody_when_it_comes_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let cache = Some(folder.path().to_owned());
        let compiler = Compiler::Child(compiler(30, 1 << 30));
        Sandbox::new(SandboxOptions { cache, compiler, ..SandboxOptions::default() }).unwrap()
    };
    // On threads such as a server admits on, which have less stack than a program's first.
    for depth in [100, 500, 900] {
        for _ in 0..2 {
            let sandbox = start();
            let admitting = thread::spawn(move || refused(&sandbox, &bombs::nested_components(depth)));
            let code = admitting.join().unwrap().code;
            assert!([ProblemCode::NoHooks, ProblemCode::CompileFailed].contains(&code), "{depth}: {code:?}");
        }
    }
    assert!(folder.path().read_dir().unwrap().count() > 0, "nothing was kept");
}

#[test]
fn others_are_called_while_a_bomb_is_compiled() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = sandbox(2, 2 << 30);
    let admitted = sandbox.admit(&sample("course-about-url"), &contract(), &Granting::WhatItImports).unwrap();
    let settings = serde_json::json!({"redirect_domain": "example.com", "path": "new_about_page"});
    let limits = Limits { filter_time_ms: 20_000, ..Limits::default() };
    let options = PluginOptions {
        name: "good".into(),
        settings: Settings::new(settings.as_object().unwrap().clone()),
        limits,
        isolation: Isolation::Call,
    };
    let plugin = sandbox.plugin(&admitted, options);
    let function = plugin.function(Catalogue::embedded().hook(ABOUT_URL).unwrap().signature()).unwrap();
    let compiling = thread::spawn(move || refused(&sandbox, &bombs::giant_function(7_000_000)));
    let mut answers = 0;
    while !compiling.is_finished() {
        let arguments = about(OLD_URL);
        let context = Arc::new(CallContext::default());
        let call = plugin.call(function, arguments.as_object().unwrap(), context, PATIENCE);
        let answer = runtime.block_on(call).unwrap().unwrap();
        assert_eq!(answer["proceed"]["url"], NEW_URL, "{answer}");
        answers += 1;
    }
    assert_eq!(compiling.join().unwrap().code, ProblemCode::CompileTime);
    assert!(answers > 10, "{answers} answers in two seconds");
}

#[test]
fn a_bomb_keeps_the_server_from_starting_and_says_why() {
    let configuration = "[plugins.bomb]\ncomponent = \"bomb.wasm\"\n[server.compile]\ncpu = \"1s\"";
    let site = Site::new(configuration).with("bomb.wasm", bombs::giant_function(7_000_000));
    let ran = site.run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    ran.explains(&["plugins.bomb", "1 s of processor time", "[server.compile]", "result=\"time\""]);
    assert_eq!(ran.stdout, "", "it never was ready");
    let checked = site.run(&["check", "bomb.wasm", "--json"]).exits(1).json();
    assert_eq!(checked["problems"][0]["code"], "compile-time", "{checked}");
    site.run(&["check", "bomb.wasm"]).exits(1).prints(&["[compile-time]", "[server.compile]"]);
}

#[test]
fn what_compiling_cost_is_counted_and_logged() {
    let site = Site::empty();
    let server = site.serve();
    assert_eq!(server.metric("hookbox_compilations_total", &[("result", "compiled")]), 3.0);
    assert_eq!(server.metric("hookbox_compilation_seconds_count", &[]), 3.0);
    server.logs(3, &["component compiled", "digest=sha256:", "bytes=", "seconds="]);
    drop(server);
    assert_eq!(site.serve().metric("hookbox_compilations_total", &[]), 0.0);
}

#[test]
fn the_command_is_not_for_people() {
    let site = Site::empty();
    let help = site.run(&["--help"]).exits(0);
    assert!(help.stdout.contains("check-install") && !help.stdout.contains("compile"), "{}", help.stdout);
    site.run(&["compile"]).exits(3).explains(&["no component came"]);
}

#[cfg(target_os = "linux")]
mod on_linux {
    use std::process::{Child, Command};

    use super::*;

    /// A server that compiles a bomb, until the test ends.
    struct Compiling {
        server: Child,
        compiler: u32,
        _site: Site,
    }

    impl Compiling {
        fn start() -> Self {
            let configuration = "[plugins.bomb]\ncomponent = \"bomb.wasm\"\n[server.compile]\ncpu = \"50s\"\nmemory = \"3GiB\"";
            let site = Site::new(configuration).with("bomb.wasm", bombs::giant_function(7_000_000));
            let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
            command.env("SECRET", "of the host's environment").stdout(Stdio::piped()).stderr(Stdio::piped());
            let server = command.spawn().unwrap();
            let id = server.id();
            let mut compiling = Self { server, compiler: 0, _site: site };
            compiling.compiler =
                until("a process compiles", || children(id).into_iter().find(|child| uses_time(*child)));
            compiling
        }

        fn of_compiler(&self, file: &str) -> String {
            std::fs::read_to_string(format!("/proc/{}/{file}", self.compiler)).unwrap()
        }
    }

    impl Drop for Compiling {
        fn drop(&mut self) {
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }

    #[track_caller]
    fn until<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{what}: still not");
            thread::yield_now();
        }
    }

    /// The fields of `/proc/ID/stat` after the program's name: state, parent, …
    fn stat(id: u32) -> Option<Vec<String>> {
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
    }

    fn children(parent: u32) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| stat(*id).is_some_and(|stat| stat[1] == parent.to_string())).collect()
    }

    /// Whether it has worked for a tenth of a second: it is past its beginning.
    fn uses_time(id: u32) -> bool {
        stat(id).is_some_and(|stat| stat[11].parse::<u64>().unwrap() >= 10)
    }

    fn signal(name: &str, id: u32) {
        let id = id.to_string();
        let status = Command::new("sh").args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// A process that nobody has asked how it ended is as gone as one can be.
    fn is_gone(id: u32) -> bool {
        stat(id).is_none_or(|stat| stat[0] == "Z" || stat[0] == "X")
    }

    #[test]
    fn it_has_three_pipes_two_variables_and_its_limits() {
        let compiling = Compiling::start();
        // What whoever started this test left open in it goes through to everybody; nothing else may.
        let inherited = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten().filter(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("0");
            u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 == 0
        });
        let inherited: BTreeSet<_> = inherited.map(|entry| entry.file_name()).collect();
        let mut pipes = BTreeSet::new();
        for entry in std::fs::read_dir(format!("/proc/{}/fd", compiling.compiler)).unwrap().flatten() {
            let target = std::fs::read_link(entry.path()).unwrap();
            if target.to_str().unwrap().starts_with("pipe:") {
                pipes.insert(entry.file_name().into_string().unwrap());
            } else {
                assert!(inherited.contains(&entry.file_name()), "{entry:?}: {target:?}");
            }
        }
        assert!(pipes.is_superset(&["0", "1", "2"].map(str::to_owned).into()), "{pipes:?}");
        let variables = compiling.of_compiler("environ");
        let names = variables.split_terminator('\0').map(|variable| variable.split('=').next().unwrap());
        assert_eq!(names.collect::<BTreeSet<_>>(), ["MALLOC_ARENA_MAX", "RAYON_NUM_THREADS"].into());
        let folder = std::fs::read_link(format!("/proc/{}/cwd", compiling.compiler)).unwrap();
        assert_eq!(folder, PathBuf::from("/"));
        let limits = compiling.of_compiler("limits");
        for (name, soft, hard) in [
            ("Max cpu time", "50", "55"),
            ("Max address space", "3221225472", "3221225472"),
            ("Max core file size", "0", "0"),
            ("Max file size", "0", "0"),
            ("Max open files", "16", "16"),
        ] {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let values: Vec<_> = line.split_whitespace().take(2).collect();
            assert_eq!(values, [soft, hard], "{name}");
        }
    }

    #[test]
    fn it_ends_with_a_server_that_is_killed() {
        let mut compiling = Compiling::start();
        compiling.server.kill().unwrap();
        compiling.server.wait().unwrap();
        until("the compiler is gone", || is_gone(compiling.compiler).then_some(()));
    }

    #[test]
    fn it_holds_up_no_server_that_is_told_to_stop() {
        let mut compiling = Compiling::start();
        signal("TERM", compiling.server.id());
        assert_eq!(compiling.server.wait().unwrap().code(), Some(0));
        until("the compiler is gone", || is_gone(compiling.compiler).then_some(()));
    }

    #[test]
    fn its_death_is_a_report_of_the_server() {
        let mut compiling = Compiling::start();
        signal("KILL", compiling.compiler);
        let mut log = String::new();
        std::io::Read::read_to_string(&mut compiling.server.stderr.take().unwrap(), &mut log).unwrap();
        assert_eq!(compiling.server.wait().unwrap().code(), Some(1), "{log}");
        contains_all(&log, &["plugins.bomb", "was killed", "for want of memory", "result=\"failed\""], "");
    }
}
