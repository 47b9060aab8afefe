//! Why there is no code, and how an operator is told.

use std::process::ExitStatus;

use super::Compiler;
use crate::admission;
use crate::log::escape;
use crate::problem::{Problem, ProblemCode};

/// Bytes kept of what a dying process said.
const WORDS_BYTES: usize = 512;
/// Words of Rust's allocator, of the C library and of the engine for memory that was not to be had.
const OUT_OF_MEMORY: [&str; 4] =
    ["memory allocation of", "Cannot allocate memory", "os error 12", "out of memory"];
/// `SIGKILL`.
const KILL: i32 = 9;
/// `SIGXCPU` on the systems that Rust's tier 1 and wasmtime's share.
const XCPU: i32 = 24;
/// Words of a thread that could not be started; under a limit of address space that is its stack.
const OUT_OF_THREADS: &str = "Resource temporarily unavailable";

/// Why there is no code.
#[derive(Debug)]
pub(crate) enum Death {
    /// The bytes are no sound component.
    Invalid(String),
    /// The compiler does not take it.
    Refused(String),
    /// The processor time is used up.
    Processor,
    /// The wall clock ran out.
    Wall,
    /// The address space is used up.
    Memory,
    /// It would be more code than the host takes.
    TooMuchCode { bytes: u64, most: u64 },
    /// The process could not be started.
    NotStarted(std::io::Error),
    /// The process ended, in this way and with these words.
    Ended { how: String, words: String },
    /// The process answered with this.
    Garbage(&'static str),
}

impl Death {
    /// What a process died of that gave no answer.
    pub(super) fn of(status: ExitStatus, words: &[u8]) -> Self {
        let words = escape(String::from_utf8_lossy(words).trim(), WORDS_BYTES);
        if signal(status) == Some(XCPU) {
            return Self::Processor;
        }
        if is_out_of_memory(&words) {
            return Self::Memory;
        }
        let how = match (signal(status), status.code()) {
            (Some(KILL), _) => "was killed, by somebody or by the machine for want of memory".to_owned(),
            (Some(signal), _) => format!("crashed with signal {signal}"),
            (None, Some(code)) => format!("ended with exit code {code}"),
            (None, None) => "ended".to_owned(),
        };
        Self::Ended { how, words }
    }

    /// What the compiler refused.
    pub(super) fn refused(reason: String) -> Self {
        if is_out_of_memory(&reason) { Self::Memory } else { Self::Refused(reason) }
    }

    /// How it is counted.
    pub(super) fn metric(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::Refused(_) => "refused",
            Self::Processor | Self::Wall => "time",
            Self::Memory | Self::TooMuchCode { .. } => "memory",
            Self::NotStarted(_) | Self::Ended { .. } | Self::Garbage(_) => "failed",
        }
    }

    /// The report, with the limit that bound and the key that raises it.
    pub(super) fn problem(&self, compiler: &Compiler) -> Problem {
        let smaller = "Make the plugin smaller: strip debug information, leave out what it does not use";
        let raise =
            |key: &str| format!("{smaller}. If you trust it, raise `{key}` in the table [server.compile].");
        let (cpu_seconds, memory_bytes, wall) = match compiler {
            Compiler::Child(child) => (child.cpu_seconds, child.memory_bytes, child.wall),
            Compiler::Here => Default::default(),
        };
        let (code, expected, found, help) = match self {
            Self::Invalid(reason) => return admission::invalid(reason),
            Self::Refused(reason) => return admission::not_compiled(reason),
            Self::Processor => (
                ProblemCode::CompileTime,
                format!("to compile it in {cpu_seconds} s of processor time"),
                "that this is not enough".to_owned(),
                raise("cpu"),
            ),
            Self::Wall => (
                ProblemCode::CompileTime,
                format!("to compile it within {wall:?}"),
                "that this is not enough".to_owned(),
                raise("time"),
            ),
            Self::Memory => (
                ProblemCode::CompileMemory,
                format!("to compile it in {memory_bytes} bytes of memory"),
                "that this is not enough".to_owned(),
                raise("memory"),
            ),
            Self::TooMuchCode { bytes, most } => (
                ProblemCode::CompileMemory,
                format!("at most {most} bytes of compiled code"),
                format!("{bytes} bytes"),
                format!("{smaller}."),
            ),
            Self::NotStarted(error) => (
                ProblemCode::CompileFailed,
                "to start the process that compiles".to_owned(),
                escape(&error.to_string(), WORDS_BYTES),
                "The host starts its own program for this: see that it may, and that memory and processes are not \
                 used up."
                    .to_owned(),
            ),
            Self::Ended { how, words } => {
                let words = if words.is_empty() { String::new() } else { format!(": {words}") };
                (
                    ProblemCode::CompileFailed,
                    "to compile it".to_owned(),
                    format!("that the process that compiles {how}{words}"),
                    "Try again. If it stays so the component breaks the compiler: build it with another toolchain, \
                     and please report it."
                        .to_owned(),
                )
            }
            Self::Garbage(what) => (
                ProblemCode::CompileFailed,
                "code from the process that compiles".to_owned(),
                (*what).to_owned(),
                "Try again. If it stays so please report it, with the component.".to_owned(),
            ),
        };
        Problem::new(code, expected, found, help)
    }
}

fn is_out_of_memory(words: &str) -> bool {
    OUT_OF_MEMORY.iter().chain([&OUT_OF_THREADS]).any(|sign| words.contains(sign))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
