//! `hookbox compile`: what the host starts for itself to compile one component.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use hookbox_sandbox::compile_as_child;

/// Compile the component on standard input for the host that started this.
#[derive(Debug, Args)]
#[command(
    after_help = "Other commands start this one; it is of no use by hand. To see whether a component compiles, \
                        run `hookbox check FILE.wasm`."
)]
pub(crate) struct Compile {
    /// Seconds of processor time
    #[arg(long, value_name = "N", default_value_t = 60)]
    cpu_seconds: u64,
    /// Bytes of address space
    #[arg(long, value_name = "N", default_value_t = 2 << 30)]
    memory_bytes: u64,
}

impl Compile {
    /// Runs before there is a log or a runtime: the limits hold for everything in the process.
    pub(crate) fn execute(&self) -> ExitCode {
        if std::io::stdin().is_terminal() {
            eprintln!(
                "error: `hookbox compile` is what the host starts for itself; to see whether a component compiles, \
                 run `hookbox check FILE.wasm`"
            );
            return ExitCode::from(2);
        }
        ExitCode::from(compile_as_child(self.cpu_seconds, self.memory_bytes))
    }
}
