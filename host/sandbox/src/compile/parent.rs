//! The host's side: starts the process, hands it the component, and believes nothing of what comes back.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use super::death::Death;
use super::frame::{self, Fault, Header, Refused};
use super::{ChildCompiler, Compiled};
use crate::admission::Metadata;

/// Threads that compile one component.
const THREADS_MOST: usize = 4;
/// Code is at most this many times as long as its component, and `CODE_BYTES`. Real components need half of that.
const CODE_GROWTH: u64 = 8;
const CODE_BYTES: u64 = 64 << 20;
/// The host holds all of it for a moment, once in its own memory and once mapped.
const CODE_BYTES_MOST: u64 = 512 << 20;
/// Bytes kept of what the process says on standard error.
const WORDS_BYTES: u64 = 4 << 10;

/// What the watching threads tell.
enum Event {
    Answer(Result<Box<(Header, Vec<u8>)>, Fault>),
    Ended,
}

/// Compiles in a process of its own, and waits for it. The process is gone when this returns.
pub(super) fn compile(compiler: &ChildCompiler, bytes: &[u8]) -> Compiled {
    let most = code_bytes_most(bytes.len());
    let (metadata, code) = match run(compiler, bytes, most) {
        Ok((header, code)) => {
            let code = match header.refused {
                None => Ok(code),
                Some(Refused::Parsing(reason)) => Err(Death::Invalid(reason)),
                Some(Refused::Compiling(reason)) => Err(Death::refused(reason)),
            };
            (header.metadata.escaped(), code)
        }
        Err(death) => (Metadata::default(), Err(death)),
    };
    Compiled { metadata, code }
}

/// What the host takes as the code of a component this long.
fn code_bytes_most(component_bytes: usize) -> u64 {
    (component_bytes as u64).saturating_mul(CODE_GROWTH).saturating_add(CODE_BYTES).min(CODE_BYTES_MOST)
}

fn run(compiler: &ChildCompiler, bytes: &[u8], most: u64) -> Result<(Header, Vec<u8>), Death> {
    let start = Instant::now();
    let mut process = Process(command(compiler).spawn().map_err(Death::NotStarted)?);
    let (stdin, stdout, stderr) = (process.0.stdin.take(), process.0.stdout.take(), process.0.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(Death::NotStarted(io::Error::other("it has no pipes")));
    };
    let id = process.0.id();
    thread::scope(|scope| {
        let (events, told) = channel();
        let ended = events.clone();
        let named = |name: &str| thread::Builder::new().name(format!("hookbox-{name}"));
        // Each of these threads ends with the process, which is gone before this scope is.
        let started = (|| {
            // The pipe stays open while the process works: its end would say that the host is gone.
            named("feeds").spawn_scoped(scope, || frame::write_component(&mut stdin, bytes))?;
            named("reads").spawn_scoped(scope, move || {
                let _ = events.send(Event::Answer(frame::read_answer(stdout, most).map(Box::new)));
            })?;
            named("waits").spawn_scoped(scope, move || wait_for_end(id, &ended))?;
            named("listens").spawn_scoped(scope, || words(stderr))
        })();
        let words = match started {
            Ok(words) => words,
            Err(error) => {
                let _ = process.end();
                return Err(Death::NotStarted(error));
            }
        };
        let left = || compiler.wall.saturating_sub(start.elapsed());
        let mut has_ended = false;
        let answer = loop {
            match told.recv_timeout(left()) {
                Ok(Event::Answer(answer)) => break Some(answer),
                // What it wrote before it ended is still to be read.
                Ok(Event::Ended) => has_ended = true,
                Err(_) => break None,
            }
        };
        let answer = match answer {
            // Only the process itself can say why.
            Some(Err(Fault::Ended)) if has_ended || told.recv_timeout(left()).is_ok() => Err(None),
            None | Some(Err(Fault::Ended)) => Err(Some(Death::Wall)),
            Some(Err(Fault::Garbage(what))) => Err(Some(Death::Garbage(what))),
            Some(Err(Fault::TooMuchCode(bytes))) => Err(Some(Death::TooMuchCode { bytes, most })),
            Some(Ok(answer)) => Ok(*answer),
        };
        let status = process.end();
        answer.map_err(|known| {
            let words = words.join().unwrap_or_default();
            match (known, status) {
                (Some(death), _) => death,
                (None, Ok(status)) => Death::of(status, &words),
                (None, Err(error)) => Death::Ended { how: error.to_string(), words: String::new() },
            }
        })
    })
}

fn command(compiler: &ChildCompiler) -> Command {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MOST);
    let mut command = Command::new(&compiler.program);
    command
        .args(&compiler.arguments)
        .args(["--cpu-seconds", &compiler.cpu_seconds.to_string()])
        .args(["--memory-bytes", &compiler.memory_bytes.to_string()])
        .env_clear()
        .env("RAYON_NUM_THREADS", threads.to_string())
        // The C library reserves addresses for each of its arenas, and addresses are what is limited.
        .env("MALLOC_ARENA_MAX", "2")
        .current_dir(Path::new("/"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // An interrupt from a terminal is the host's to answer; its end ends this process too.
        command.arg0("hookbox").process_group(0);
    }
    command
}

/// A process that ends with its owner.
struct Process(Child);

impl Process {
    /// Kills it, if it still runs, and whatever it started, and says how it ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            if let Some(id) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(id, Signal::KILL);
            }
        }
        let _ = self.0.kill();
        self.0.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Tells when the process has ended, and leaves it to be asked how.
#[cfg(unix)]
fn wait_for_end(id: u32, ended: &Sender<Event>) {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) else { return };
    while waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .is_err_and(|error| error == rustix::io::Errno::INTR)
    {}
    let _ = ended.send(Event::Ended);
}

/// A process whose output ended is taken to have ended.
#[cfg(not(unix))]
fn wait_for_end(_: u32, ended: &Sender<Event>) {
    let _ = ended.send(Event::Ended);
}

/// The first words, and the rest read and dropped, so that nobody waits for a full pipe.
fn words(mut stderr: impl Read) -> Vec<u8> {
    let mut words = Vec::new();
    let _ = stderr.by_ref().take(WORDS_BYTES).read_to_end(&mut words);
    let _ = io::copy(&mut stderr, &mut io::sink());
    words
}
