//! The side of the process that compiles: limits itself, takes one component, answers once, ends.

use std::io::{self, Read};
use std::thread;

use super::frame::{self, Header, Refused};
use super::{Compiled, Death};
use crate::engine;
use crate::limits::COMPONENT_BYTES;
use crate::log::escape;

/// It answered; a refusal is an answer too.
const ANSWERED: u8 = 0;
/// No component came, or nobody took the answer.
const NOBODY: u8 = 3;
/// The limits could not be set, or the engine not be made: it never looked at the component.
const NOT_READY: u8 = 4;

/// The compiler panicked: the code that Rust itself ends with.
const PANICKED: u8 = 101;

/// Bytes of a reason in an answer.
const REASON_BYTES: usize = 512;
/// Files that may be open: the three streams, and what the C library and the runtime read for a moment.
const FILES: u64 = 16;
/// Bytes of stack for parsing and compiling. The host, which has twice as much, parses some of it again.
const STACK_BYTES: usize = 1 << 20;
/// Seconds between the signal that ends the process and the one that nothing withstands.
const CPU_GRACE_SECONDS: u64 = 5;

/// Compiles the component on standard input under these limits, as a
/// [`Compiler::Child`](crate::Compiler::Child) expects of its program, and gives the process's exit code: 0 it
/// answered, also with a refusal; 3 no component came, nobody took the answer, or the parent ended meanwhile; 4 the
/// limits could not be set or the engine not be made. Beyond its limits, or on a mistake of the compiler's, the process
/// ends in between: by `SIGXCPU`, by `SIGABRT`, or with code 101. Standard error says more, for the parent's report.
///
/// The process must not have started anything of its own: the limits hold for all of it, and it ends without warning
/// when standard input does.
pub fn compile_as_child(cpu_seconds: u64, memory_bytes: u64) -> u8 {
    if let Err(error) = limit(cpu_seconds, memory_bytes) {
        eprintln!("the limits cannot be set: {error}");
        return NOT_READY;
    }
    let engine = match engine::compiling() {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("{error:#}");
            return NOT_READY;
        }
    };
    let bytes = match frame::read_component(io::stdin().lock(), COMPONENT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("no component came: {error}");
            return NOBODY;
        }
    };
    if let Err(error) = thread::Builder::new().name("parent".into()).spawn(end_with_parent) {
        eprintln!("no thread to watch the parent: {error}");
        return NOT_READY;
    }
    let compiling = thread::Builder::new()
        .name("compiler".into())
        .stack_size(STACK_BYTES)
        .spawn(move || super::here(&engine, &bytes));
    let Compiled { metadata, code } = match compiling.map(thread::JoinHandle::join) {
        Ok(Ok(compiled)) => compiled,
        // The panic has told its message.
        Ok(Err(_)) => return PANICKED,
        Err(error) => {
            eprintln!("no thread to compile: {error}");
            return NOT_READY;
        }
    };
    let (refused, code) = match code {
        Ok(code) => (None, code),
        Err(Death::Invalid(reason)) => (Some(Refused::Parsing(escape(&reason, REASON_BYTES))), Vec::new()),
        Err(Death::Refused(reason)) => (Some(Refused::Compiling(escape(&reason, REASON_BYTES))), Vec::new()),
        Err(other) => {
            eprintln!("{other:?}");
            return NOT_READY;
        }
    };
    let header = Header { metadata, refused, length: code.len() as u64 };
    match frame::write_answer(io::stdout().lock(), &header, &code) {
        Ok(()) => ANSWERED,
        Err(error) => {
            eprintln!("nobody took the answer: {error}");
            NOBODY
        }
    }
}

/// The parent says nothing more: the stream ends when the parent does, however it does.
fn end_with_parent() {
    let _ = io::stdin().lock().read(&mut [0]);
    std::process::exit(NOBODY.into());
}

#[cfg(unix)]
fn limit(cpu_seconds: u64, memory_bytes: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = [
        (Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(CPU_GRACE_SECONDS)),
        (Resource::As, memory_bytes, memory_bytes),
        // No core files, no files at all: the answer goes into a pipe.
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Nofile, FILES, FILES),
    ];
    for (resource, soft, hard) in limits {
        // A limit that the host itself has is not to be raised.
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        setrlimit(resource, Rlimit { current: Some(soft.min(most)), maximum: Some(hard.min(most)) })?;
    }
    Ok(())
}

/// Such a system has none of these limits; the parent's clock is what holds.
#[cfg(not(unix))]
fn limit(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}
