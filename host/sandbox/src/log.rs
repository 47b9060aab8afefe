//! What a guest says: stdout, stderr and `wasi:logging` become lines of the host's log, escaped and bounded.

mod rate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capabilities::rehearsal::Effects;
use crate::limits::Limit;
use rate::Passage;

pub(crate) use rate::LogRate;

/// Bytes of one line after escaping.
const LINE_BYTES: usize = 2_048;
/// Bytes kept of what a guest said last, for the report of its death.
const LAST_WORDS_BYTES: usize = 1_024;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The lines of one call. Cheap to clone; all clones share one budget.
#[derive(Debug, Clone)]
pub(crate) struct CallLog(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    plugin: Arc<str>,
    rate: Arc<LogRate>,
    effects: Effects,
    left: usize,
    cut: bool,
    pending: [Vec<u8>; 2],
    last_words: String,
}

impl CallLog {
    pub(crate) fn new(plugin: Arc<str>, rate: Arc<LogRate>, budget_bytes: usize, effects: Effects) -> Self {
        let pending = [Vec::new(), Vec::new()];
        Self(Arc::new(Mutex::new(Lines {
            plugin,
            rate,
            effects,
            left: budget_bytes,
            cut: false,
            pending,
            last_words: String::new(),
        })))
    }

    /// Starts over with a whole budget, for the next call of the same instance.
    pub(crate) fn begin(&self, budget_bytes: usize) {
        let mut lines = self.lines();
        lines.left = budget_bytes;
        lines.cut = false;
        lines.pending.iter_mut().for_each(Vec::clear);
        lines.last_words.clear();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one message of `wasi:logging`.
    pub(crate) fn message(&self, level: Level, context: &str, message: &str) {
        let mut lines = self.lines();
        if level == Level::Critical {
            lines.keep_last_words(message);
        }
        lines.emit(level, context, message);
    }

    /// Takes bytes of a stream; each whole line is written.
    pub(crate) fn bytes(&self, stream: Stream, bytes: &[u8]) {
        let mut lines = self.lines();
        for chunk in bytes.split_inclusive(|byte| *byte == b'\n') {
            let pending = &mut lines.pending[stream as usize];
            // A line without an end may not fill the host's memory; what is beyond would be cut anyway.
            let room = LINE_BYTES.saturating_sub(pending.len());
            pending.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.ends_with(b"\n") {
                lines.flush(stream);
            }
        }
    }

    /// Ends the call: writes unfinished lines and gives what the guest said last, if anything.
    pub(crate) fn finish(&self) -> Finished {
        let mut lines = self.lines();
        lines.flush(Stream::Stdout);
        lines.flush(Stream::Stderr);
        let last_words = std::mem::take(&mut lines.last_words);
        Finished { last_words: (!last_words.is_empty()).then_some(last_words) }
    }
}

/// What is left to say about a call's log when the call is over.
pub(crate) struct Finished {
    /// The end of stderr or of the last critical message.
    pub(crate) last_words: Option<String>,
}

impl Lines {
    fn flush(&mut self, stream: Stream) {
        let bytes = std::mem::take(&mut self.pending[stream as usize]);
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return;
        }
        match stream {
            Stream::Stdout => self.emit(Level::Info, "stdout", text),
            Stream::Stderr => {
                self.keep_last_words(text);
                self.emit(Level::Warn, "stderr", text);
            }
        }
    }

    fn keep_last_words(&mut self, text: &str) {
        if !self.last_words.is_empty() {
            self.last_words.push_str(" | ");
        }
        self.last_words.push_str(&escape(text, LAST_WORDS_BYTES));
        let excess = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
        if excess > 0 {
            let start = (excess..self.last_words.len()).find(|at| self.last_words.is_char_boundary(*at));
            self.last_words.drain(..start.unwrap_or(0));
        }
    }

    fn emit(&mut self, level: Level, context: &str, message: &str) {
        if self.cut {
            return;
        }
        let context = escape(context, 64);
        let message = escape(message, LINE_BYTES);
        let cost = context.len() + message.len() + 1;
        let plugin = &*self.plugin;
        let context = (!context.is_empty()).then_some(context);
        if self.effects == Effects::Rehearsed {
            // Nobody waits for what a rehearsal has to say: it is there for those who look.
            self.cut = cost > self.left;
            self.left = self.left.saturating_sub(cost);
            tracing::debug!(target: "hookbox::plugin", plugin, context, rehearsal = true, "{message}");
            return;
        }
        if cost > self.left {
            self.cut = true;
            Limit::LogBytes.hit(plugin);
            tracing::warn!(target: "hookbox::plugin", plugin, "log limit of this call reached: its further lines are dropped");
            return;
        }
        self.left -= cost;
        match self.rate.take(cost) {
            Passage::Passes { dropped: 0 } => {}
            Passage::Passes { dropped } => {
                tracing::warn!(target: "hookbox::plugin", plugin, dropped, "lines of this plugin were dropped");
            }
            Passage::FirstDropped => {
                Limit::LogRate.hit(plugin);
                tracing::warn!(target: "hookbox::plugin", plugin, "log rate reached: lines of this plugin are dropped until time has passed");
                return;
            }
            Passage::Dropped => return,
        }
        match level {
            Level::Trace => tracing::trace!(target: "hookbox::plugin", plugin, context, "{message}"),
            Level::Debug => tracing::debug!(target: "hookbox::plugin", plugin, context, "{message}"),
            Level::Info => tracing::info!(target: "hookbox::plugin", plugin, context, "{message}"),
            Level::Warn => tracing::warn!(target: "hookbox::plugin", plugin, context, "{message}"),
            Level::Error | Level::Critical => {
                tracing::error!(target: "hookbox::plugin", plugin, context, "{message}");
            }
        }
    }
}

/// Makes every character visible that could move a cursor, end a line or reorder text, then cuts at `most` bytes.
pub fn escape(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for letter in text.chars() {
        let risky = letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if risky {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
        if out.len() > most {
            while out.len() > most.saturating_sub(3) {
                out.pop();
            }
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn quiet(budget_bytes: usize) -> CallLog {
        CallLog::new("p".into(), Arc::new(LogRate::new(1 << 20)), budget_bytes, Effects::Real)
    }

    #[test]
    fn escapes_before_it_cuts() {
        assert_eq!(escape("a\u{1b}[2Jb\nc", 100), "a\\u{1b}[2Jb\\nc");
        assert_eq!(escape("\u{202e}", 100), "\\u{202e}");
        let cut = escape(&"\n".repeat(100), 21);
        assert!(cut.len() <= 21 && cut.ends_with('…'), "{cut}");
    }

    #[test]
    fn keeps_the_end_of_what_was_said() {
        let log = quiet(1 << 20);
        log.bytes(Stream::Stderr, b"first\nthe last line");
        assert_eq!(log.finish().last_words.unwrap(), "first | the last line");
    }

    #[test]
    fn a_flood_is_cut_once_the_budget_is_spent() {
        let log = quiet(100);
        for _ in 0..1_000 {
            log.message(Level::Info, "", "0123456789");
        }
        assert!(log.lines().cut);
        let endless = quiet(100);
        for _ in 0..1_000 {
            endless.bytes(Stream::Stdout, &[b'x'; 4_096]);
        }
        assert!(endless.lines().pending[0].len() <= LINE_BYTES);
    }
}
