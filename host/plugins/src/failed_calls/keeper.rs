//! Who keeps failed calls: a folder with the newest of them, written off the calls' way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hookbox_sandbox::{FailedCall, FailedCalls};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::file::{CallFile, FILE_BYTES, HookCalled};
use super::redact::Redaction;

/// Calls that wait to be written; more are dropped.
const QUEUE: usize = 16;
/// Calls that are kept in a second: a plugin that fails all the time fails in the same way.
const A_SECOND: u32 = 10;
/// How often is looked for calls that are too old, while none fail.
const LOOK: Duration = Duration::from_secs(60);
/// How the names of files end, and how a file is named while it is written.
const SUFFIX: &str = ".json";
const UNFINISHED: (&str, &str) = (".keep-", ".tmp");
/// Letters of a hook's type in a name.
const HOOK_LETTERS: usize = 80;
/// Letters of a name.
const NAME_LETTERS: usize = 200;

/// What is kept, and of what.
#[derive(Debug, Clone)]
pub struct FailedCallOptions {
    /// The data folder.
    pub data: PathBuf,
    /// How many calls are kept; at least 1.
    pub keep: usize,
    /// Bytes of all of them together.
    pub bytes: u64,
    /// How long one is kept.
    pub age: Duration,
    /// Fields whose values are taken out.
    pub redaction: Redaction,
    /// The plugins whose calls are kept; `None` for all.
    pub plugins: Option<Vec<String>>,
}

/// A kept call in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedCallView {
    /// Its name, under which it can be fetched.
    pub name: String,
    /// Its file's bytes.
    pub bytes: u64,
    /// When it was kept. UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub kept_at: OffsetDateTime,
    /// The plugin.
    pub plugin: String,
    /// The version its component names.
    pub version: Option<String>,
    /// The component's digest.
    pub digest: String,
    /// What was called.
    pub hook: HookCalled,
    /// How it ended: the stable name.
    pub code: String,
}

/// Keeps failed calls in `failed-calls/` of the data folder. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct FailedCallKeeper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: FailedCallOptions,
    folder: PathBuf,
    /// What is there, by name: in the order of time.
    kept: Mutex<BTreeMap<String, FailedCallView>>,
    queue: Mutex<Queue>,
    counter: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// `None` once it is finished.
    calls: Option<SyncSender<(String, CallFile)>>,
    writer: Option<JoinHandle<()>>,
    /// The second that is counted, and the calls in it.
    second: i64,
    in_it: u32,
}

impl FailedCallKeeper {
    /// Makes the folder where it is not there, for this user alone, looks at what is in it, and begins to keep. Blocks.
    ///
    /// # Errors
    /// The folder cannot be made or read, or there is no thread to write with.
    pub fn open(options: FailedCallOptions) -> io::Result<Self> {
        let folder = options.data.join("failed-calls");
        let kept = prepare(&folder).map_err(|error| placed(&folder, &error))?;
        let (calls, queued) = sync_channel(QUEUE);
        let inner = Arc::new(Inner {
            options,
            folder,
            kept: Mutex::new(kept),
            queue: Mutex::default(),
            counter: AtomicU64::new(0),
        });
        inner.prune(OffsetDateTime::now_utc());
        let work = Arc::clone(&inner);
        let writer =
            std::thread::Builder::new().name("failed-calls".into()).spawn(move || work.write(&queued))?;
        *lock(&inner.queue) = Queue { calls: Some(calls), writer: Some(writer), ..Queue::default() };
        Ok(Self(inner))
    }

    /// How many calls are kept.
    pub fn most(&self) -> usize {
        self.0.options.keep
    }

    /// The kept calls, the newest first.
    pub fn list(&self) -> Vec<FailedCallView> {
        lock(&self.0.kept).values().rev().cloned().collect()
    }

    /// A kept call's file as it is; `None` when there is none of that name. Blocks.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        // Only what the folder is known to hold: a name is no path.
        if !lock(&self.0.kept).contains_key(name) {
            return Ok(None);
        }
        match read(&self.0.folder.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes what waits and keeps nothing more. Blocks.
    pub fn finish(&self) {
        let writer = {
            let mut queue = lock(&self.0.queue);
            queue.calls = None;
            queue.writer.take()
        };
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl FailedCalls for FailedCallKeeper {
    fn wants(&self, plugin: &str) -> bool {
        let plugins = self.0.options.plugins.as_ref();
        plugins.is_none_or(|plugins| plugins.iter().any(|name| name == plugin))
    }

    fn keep(&self, call: FailedCall<'_>) -> Option<String> {
        let now = OffsetDateTime::now_utc();
        let mut queue = lock(&self.0.queue);
        let calls = queue.calls.clone()?;
        if !queue.takes(now.unix_timestamp()) {
            count("dropped");
            return None;
        }
        drop(queue);
        let file = CallFile::of(call, now);
        let name = name(&file, self.0.counter.fetch_add(1, Ordering::Relaxed));
        match calls.try_send((name.clone(), file)) {
            Ok(()) => Some(name),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                count("dropped");
                None
            }
        }
    }
}

impl Queue {
    /// Whether a call of this second is taken.
    fn takes(&mut self, second: i64) -> bool {
        if self.second != second {
            (self.second, self.in_it) = (second, 0);
        }
        self.in_it = self.in_it.saturating_add(1);
        self.in_it <= A_SECOND
    }
}

impl Inner {
    fn write(&self, queued: &Receiver<(String, CallFile)>) {
        loop {
            match queued.recv_timeout(LOOK) {
                Ok((name, file)) => self.take(&name, file),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.prune(OffsetDateTime::now_utc());
        }
    }

    fn take(&self, name: &str, mut file: CallFile) {
        self.options.redaction.apply(&mut file);
        match self.write_one(name, &file) {
            Ok(()) => count("kept"),
            Err(error) => {
                count("failed");
                tracing::warn!(plugin = file.plugin, name, "a failed call could not be kept: {error}");
            }
        }
    }

    fn write_one(&self, name: &str, file: &CallFile) -> io::Result<()> {
        let content = serde_json::to_vec_pretty(file)?;
        if content.len() > FILE_BYTES {
            return Err(io::Error::other(format!(
                "it takes {} bytes, at most {FILE_BYTES} may be",
                content.len()
            )));
        }
        let (prefix, suffix) = UNFINISHED;
        let mut unfinished =
            tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(&self.folder)?;
        unfinished.write_all(&content)?;
        unfinished.persist_noclobber(self.folder.join(name)).map_err(|error| error.error)?;
        lock(&self.kept).insert(name.to_owned(), view(name, content.len() as u64, Short::of(file)));
        Ok(())
    }

    /// Removes the oldest, until what is left is no more and no older than may be.
    fn prune(&self, now: OffsetDateTime) {
        loop {
            let oldest = {
                let mut kept = lock(&self.kept);
                let bytes: u64 = kept.values().map(|call| call.bytes).sum();
                let many = kept.len() > self.options.keep;
                // The newest stays, however large it is.
                let large = bytes > self.options.bytes && kept.len() > 1;
                let oldest = kept.values().next().map(|call| call.kept_at);
                let old = oldest.is_some_and(|at| now - at > self.options.age);
                if !(many || large || old) {
                    return;
                }
                kept.pop_first()
            };
            if let Some((name, _)) = oldest
                && let Err(error) = fs::remove_file(self.folder.join(&name))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(name, "a kept call could not be removed: {error}");
            }
        }
    }
}

/// What a list tells of a file.
#[derive(Deserialize)]
struct Short {
    #[serde(with = "time::serde::rfc3339")]
    kept_at: OffsetDateTime,
    plugin: String,
    version: Option<String>,
    digest: String,
    hook: HookCalled,
    outcome: ShortOutcome,
}

#[derive(Deserialize)]
struct ShortOutcome {
    code: String,
}

impl Short {
    fn of(file: &CallFile) -> Self {
        Self {
            kept_at: file.kept_at,
            plugin: file.plugin.clone(),
            version: file.version.clone(),
            digest: file.digest.clone(),
            hook: file.hook.clone(),
            outcome: ShortOutcome { code: file.outcome.code.clone() },
        }
    }
}

fn view(name: &str, bytes: u64, short: Short) -> FailedCallView {
    let Short { kept_at, plugin, version, digest, hook, outcome } = short;
    FailedCallView {
        name: name.to_owned(),
        bytes,
        kept_at,
        plugin,
        version,
        digest,
        hook,
        code: outcome.code,
    }
}

/// Makes the folder, throws away what a crash left half written, and says what is there. Files of other forms are left alone.
fn prepare(folder: &Path) -> io::Result<BTreeMap<String, FailedCallView>> {
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    folders.create(folder)?;
    let mut kept = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            fs::remove_file(entry.path())?;
            continue;
        }
        if !name.ends_with(SUFFIX) || !entry.file_type()?.is_file() {
            continue;
        }
        let content = read(&entry.path())?;
        if let Ok(short) = serde_json::from_slice::<Short>(&content) {
            kept.insert(name.clone(), view(&name, content.len() as u64, short));
        }
    }
    Ok(kept)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// `20261123T110000123Z-plugin-hook-000001.json`: in the order of time, and nothing that a file's name cannot have.
fn name(file: &CallFile, number: u64) -> String {
    let (date, time) = (file.kept_at.date(), file.kept_at.time());
    let at = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    );
    let hook = file.hook.hook_type.strip_prefix("org.openedx.").unwrap_or(&file.hook.hook_type);
    let safe = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' => letter,
        _ => '_',
    };
    let hook: String = hook.chars().take(HOOK_LETTERS).map(safe).collect();
    let plugin: String = file.plugin.chars().take(NAME_LETTERS - HOOK_LETTERS).collect();
    format!("{at}-{plugin}-{hook}-{number:06}{SUFFIX}")
}

fn placed(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn count(result: &'static str) {
    metrics::counter!("hookbox_failed_calls_total", "result" => result).increment(1);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
