//! From a component's bytes to its code: out of the cache, or compiled, which a process of its own does for whoever
//! takes bytes from others.

pub(crate) mod child;
mod death;
mod frame;
mod parent;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::admission::{self, Metadata};
use crate::cache::{self, CompileCache, Taken};
use crate::digest::Digest;
use crate::engine::Code;
use crate::problem::Problem;
use death::Death;

/// Who compiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// This process, without limits: for components that are trusted.
    #[default]
    Here,
    /// A process for each component. This one has no compiler at all.
    Child(ChildCompiler),
}

impl Compiler {
    /// What the engine that serves must be able to do.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Here => Code::Compiles,
            Self::Child(_) => Code::OnlyLoads,
        }
    }
}

/// The process that compiles one component and ends, and what it may use. Of this one it has three pipes, and nothing
/// else but files that whoever started this one left open for every program to come; the host's own are closed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCompiler {
    /// The program; its working directory is `/`.
    pub program: PathBuf,
    /// Its arguments. `--cpu-seconds N --memory-bytes N` follow them, and the program has to call
    /// [`compile_as_child`](crate::compile_as_child) with those.
    pub arguments: Vec<OsString>,
    /// Seconds of processor time, of all its threads together. Configuration: `server.compile.cpu`. Default 60.
    pub cpu_seconds: u64,
    /// Bytes of address space. Configuration: `server.compile.memory`. Default 2 GiB.
    pub memory_bytes: u64,
    /// Wall clock from starting it to having its answer. Configuration: `server.compile.time`. Default 120 seconds.
    pub wall: Duration,
}

impl ChildCompiler {
    /// The program that calls this, with this first argument and the default limits. On Linux it is the very file that
    /// runs, also after an upgrade has put another in its place.
    ///
    /// # Errors
    /// The system does not say which program this is.
    pub fn this_program(argument: &str) -> std::io::Result<Self> {
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() { running } else { std::env::current_exe()? };
        Ok(Self {
            program,
            arguments: vec![argument.into()],
            cpu_seconds: 60,
            memory_bytes: 2 << 30,
            wall: Duration::from_secs(120),
        })
    }
}

/// What compiling gave.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) metadata: Metadata,
    pub(crate) code: Result<Vec<u8>, Death>,
}

/// A component that was asked for.
pub(crate) struct Loaded {
    pub(crate) metadata: Metadata,
    pub(crate) component: Result<Component, Problem>,
}

/// Has components compiled, one at a time, and keeps their code.
pub(crate) struct Loader {
    engine: Engine,
    compiler: Compiler,
    cache: Option<CompileCache>,
    turn: Mutex<()>,
}

impl Loader {
    pub(crate) fn new(engine: Engine, compiler: Compiler, cache: Option<CompileCache>) -> Self {
        Self { engine, compiler, cache, turn: Mutex::new(()) }
    }

    /// The component of these bytes, which are known to be a component's. Blocks while it, or another, is compiled.
    pub(crate) fn load(&self, digest: &Digest, bytes: &[u8]) -> Loaded {
        let mut result = "miss";
        let mut cached = || match self.cache.as_ref()?.take(&self.engine, digest) {
            Taken::Component(component) => {
                count_cache("hit");
                // The process that compiled these very bytes has parsed them in full.
                Some(Loaded { metadata: admission::metadata_of(bytes), component: Ok(component) })
            }
            Taken::Unusable => {
                result = "damaged";
                None
            }
            Taken::Nothing => None,
        };
        if let Some(loaded) = cached() {
            return loaded;
        }
        // Nothing is protected by the lock but the machine: one that was poisoned is as good.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = cached() {
            return loaded;
        }
        let compiled = self.compile(digest, bytes);
        let component = compiled.code.map_err(|death| death.problem(&self.compiler)).and_then(|code| {
            let kept = match &self.cache {
                Some(cache) => {
                    count_cache(result);
                    cache.keep(&self.engine, digest, &code)
                }
                None => cache::from_bytes(&self.engine, &code),
            };
            kept.map_err(|error| admission::not_compiled(&format!("{error:#}")))
        });
        Loaded { metadata: compiled.metadata, component }
    }

    /// Removes kept code of components that `keep` says no to. Blocks.
    pub(crate) fn forget(&self, keep: impl Fn(&Digest) -> bool) {
        if let Some(cache) = &self.cache {
            cache.retain(keep);
        }
    }

    fn compile(&self, digest: &Digest, bytes: &[u8]) -> Compiled {
        let start = Instant::now();
        let compiled = match &self.compiler {
            Compiler::Here => here(&self.engine, bytes),
            Compiler::Child(child) => parent::compile(child, bytes),
        };
        let seconds = start.elapsed().as_secs_f64();
        let (result, code_bytes) = match &compiled.code {
            Ok(code) => ("compiled", code.len()),
            Err(death) => (death.metric(), 0),
        };
        metrics::counter!("hookbox_compilations_total", "result" => result).increment(1);
        metrics::histogram!("hookbox_compilation_seconds").record(seconds);
        tracing::info!(%digest, bytes = bytes.len(), result, code_bytes, seconds, "component compiled");
        compiled
    }
}

fn count_cache(result: &'static str) {
    metrics::counter!("hookbox_compile_cache_total", "result" => result).increment(1);
}

/// Parses in full, then compiles.
fn here(engine: &Engine, bytes: &[u8]) -> Compiled {
    let metadata = match admission::vet(bytes) {
        Ok(metadata) => metadata,
        Err(reason) => return Compiled { metadata: Metadata::default(), code: Err(Death::Invalid(reason)) },
    };
    let code = engine.precompile_component(bytes);
    Compiled { metadata, code: code.map_err(|error| Death::Refused(format!("{error:#}"))) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine;

    #[test]
    fn code_that_a_plain_engine_compiled_loads_into_the_one_that_serves() {
        let compiled = here(&engine::compiling().unwrap(), b"\0asm\x0d\0\x01\0").code.unwrap();
        let (serving, _) = engine::build(Compiler::Here.code()).unwrap();
        cache::from_bytes(&serving, &compiled).unwrap();
        let (serving, _) = engine::build(Code::OnlyLoads).unwrap();
        cache::from_bytes(&serving, &compiled).unwrap();
    }
}
