//! From the engine's error to a report that an author can act on.

use std::time::{Duration, Instant};

use wasmtime::{FrameInfo, FrameSymbol, PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::failure::{CallFailure, LimitReport};
use crate::limits::Limit;
use crate::log::Finished;
use crate::state::CallState;

/// Places of a guest's call stack in a report.
const FRAMES: usize = 16;

/// Milliseconds since the call began.
pub(crate) fn used_ms(deadline: Instant, time: Duration) -> u64 {
    let over = Instant::now().saturating_duration_since(deadline);
    let left = deadline.saturating_duration_since(Instant::now());
    u64::try_from((time + over).saturating_sub(left).as_millis()).unwrap_or(u64::MAX)
}

/// Turns the engine's error into the failure a caller can act on.
pub(crate) fn explain(
    error: &wasmtime::Error,
    state: &CallState,
    finished: Finished,
    time: Duration,
) -> CallFailure {
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return CallFailure::Exit { status: exit.0 };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return CallFailure::Overloaded { detail: error.to_string() };
    }
    let reason = format!("{:#}", error.root_cause());
    let died = Death::new(error.downcast_ref::<WasmBacktrace>(), finished);
    if let Some((limit, used)) = limit(error, &reason, state, time) {
        return died.at_limit(LimitReport::new(limit, used, &state.owner.limits, time));
    }
    if state.starved {
        let most = state.owner.memory.most_bytes();
        let detail = format!(
            "of the {most} bytes of memory that all plugins together may have (`server.guest_memory`), too little is left"
        );
        return CallFailure::Overloaded { detail };
    }
    CallFailure::Trap {
        reason: crate::log::escape(&reason, 512),
        function: died.function,
        location: died.location,
        message: died.message,
        backtrace: died.backtrace,
    }
}

/// The limit that is behind an error, with what was used or wanted.
fn limit(
    error: &wasmtime::Error,
    reason: &str,
    state: &CallState,
    time: Duration,
) -> Option<(Limit, Option<u64>)> {
    let trap = error.downcast_ref::<Trap>().copied();
    let refused = state.refused.map(|(which, wanted)| (which, Some(wanted)));
    match (trap, refused) {
        // These end the call by themselves, so that whatever came after is their doing.
        (_, Some((Limit::HostCalls | Limit::RandomBytes, _))) => return refused,
        (Some(Trap::Interrupt), _) => return Some((Limit::Time, Some(used_ms(state.deadline, time)))),
        (Some(Trap::StackOverflow), _) => return Some((Limit::Stack, None)),
        // The guest was refused memory and did not get over it.
        (_, Some(_)) => return refused,
        _ => {}
    }
    if reason.contains("fuel allocated for hostcalls has been exhausted") {
        return Some((Limit::AnswerBytes, None));
    }
    let full = error.downcast_ref::<wasmtime::component::ResourceTableError>().is_some();
    (full || reason.contains("handle limit")).then_some((Limit::Handles, None))
}

/// Where a guest was when it ended, and what it said.
struct Death {
    function: Option<String>,
    location: Option<String>,
    message: Option<String>,
    backtrace: Vec<String>,
}

impl Death {
    fn new(backtrace: Option<&WasmBacktrace>, finished: Finished) -> Self {
        let places: Vec<Place> =
            backtrace.map(WasmBacktrace::frames).unwrap_or_default().iter().flat_map(places).collect();
        // What the language itself did to end the guest says nothing of why.
        let own = places.iter().position(|place| !place.is_machinery()).unwrap_or(0);
        let places = places.get(own..).unwrap_or_default();
        Self {
            function: places.first().map(|place| place.function.clone()),
            location: places.first().and_then(|place| place.location.clone()),
            message: finished.last_words,
            backtrace: places.iter().map(|place| place.function.clone()).take(FRAMES).collect(),
        }
    }

    fn at_limit(self, report: LimitReport) -> CallFailure {
        CallFailure::Limit(Box::new(LimitReport {
            function: self.function,
            location: self.location,
            message: self.message,
            backtrace: self.backtrace,
            ..report
        }))
    }
}

/// A place in a guest's code: a function on its stack, or one that was inlined there.
struct Place {
    function: String,
    /// `file:line`, where the component has debug information.
    location: Option<String>,
}

impl Place {
    /// Whether it belongs to the language's own library, such as its panic machinery, and not to the plugin.
    fn is_machinery(&self) -> bool {
        const NAMES: [&str; 9] =
            ["rust_panic", "__rust", "core::", "<core::", "std::", "<std::", "alloc::", "<alloc::", "abort"];
        const FILES: [&str; 4] = ["/library/core/", "/library/std/", "/library/alloc/", "/rustc/"];
        NAMES.iter().any(|start| self.function.starts_with(start))
            || self.location.as_ref().is_some_and(|file| FILES.iter().any(|folder| file.contains(folder)))
    }
}

/// The places of a frame, innermost first. Debug information knows what was inlined, but only a function's last name;
/// the name section has the whole name of the function that is really there.
fn places(frame: &FrameInfo) -> Vec<Place> {
    let escaped = |name: &str| crate::log::escape(&without_hashes(name), 256);
    let whole = frame.func_name().map(escaped);
    let Some((outer, inlined)) = frame.symbols().split_last() else {
        return whole.map(|function| Place { function, location: None }).into_iter().collect();
    };
    let name = |symbol: &FrameSymbol| symbol.name().map(escaped);
    let mut places: Vec<Place> = inlined
        .iter()
        .filter_map(|symbol| Some(Place { function: name(symbol)?, location: location(symbol) }))
        .collect();
    if let Some(function) = whole.or_else(|| name(outer)) {
        places.push(Place { function, location: location(outer) });
    }
    places
}

/// A function's name as its author wrote it. Linkers demangle Rust's names and leave the compiler's hashes in:
/// `plugin[d730ca44a121e5f3]::rule`, or `plugin::rule::h02e7bfb2bdb4a0f5` in the older form.
fn without_hashes(name: &str) -> String {
    let is_hash = |text: &str| text.len() >= 15 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let name = match name.rsplit_once("::h") {
        Some((path, hash)) if is_hash(hash) => path,
        _ => &name,
    };
    let mut parts = name.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((hash, rest)) if is_hash(hash) => plain.push_str(rest),
            _ => {
                plain.push('[');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn location(symbol: &FrameSymbol) -> Option<String> {
    let file = crate::log::escape(symbol.file()?, 256);
    Some(symbol.line().map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
}

#[cfg(test)]
mod tests {
    use super::without_hashes;

    #[test]
    fn names_lose_the_compiler_s_hashes_and_nothing_else() {
        for (name, plain) in [
            ("plugin[d730ca44a121e5f3]::rule", "plugin::rule"),
            (
                "<plugin[d730ca44a121e5f3]::Rule as core[30ca44a121e5f3d]::Fn>::call",
                "<plugin::Rule as core::Fn>::call",
            ),
            ("plugin::rule::h02e7bfb2bdb4a0f5", "plugin::rule"),
            ("_ZN6plugin4rule17h02e7bfb2bdb4a0f5E", "plugin::rule"),
            ("first::<[u8]>", "first::<[u8]>"),
            ("run-filter", "run-filter"),
        ] {
            assert_eq!(without_hashes(name), plain);
        }
    }
}
