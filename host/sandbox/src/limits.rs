//! What a call may use. Every limit is a field with its unit in the name; [`Limit`] names the one that bound.

use std::time::Duration;

use serde::Serialize;

/// The limits of one plugin's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Wall-clock milliseconds of one filter step, from making the instance to reading its answer.
    /// Configuration: `time`. Default 100.
    pub filter_time_ms: u64,
    /// Wall-clock milliseconds of one event delivery. Configuration: `event_time`. Default 5,000.
    pub event_time_ms: u64,
    /// Bytes of all linear memories of an instance together. Configuration: `memory`. Default 64 MiB.
    pub memory_bytes: usize,
    /// Elements of all tables of an instance together; one table has no more than 100,000, however high this is.
    /// Configuration: `table_elements`. Default 20,000.
    pub table_elements: usize,
    /// Bytes of values that one crossing from guest to host may carry: an answer, or the arguments of one host
    /// call. Configuration: `answer`. Default 4 MiB.
    pub answer_bytes: usize,
    /// Levels of nesting in a JSON document that a guest answers with; at most 127, however high this is.
    /// Configuration: `json_depth`. Default 64.
    pub json_depth: usize,
    /// Calls from the guest into the host in one call. Configuration: `host_calls`. Default 1,000.
    pub host_calls: u32,
    /// Bytes of log lines in one call. Configuration: `log`. Default 16 KiB.
    pub log_bytes: usize,
    /// Resources (streams, pollables) that a guest holds at once. Configuration: `handles`. Default 256.
    pub handles: usize,
    /// Calls of this plugin that run at once; more wait their turn within their time.
    /// Configuration: `concurrent_calls`. Default 32.
    pub concurrent_calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            filter_time_ms: 100,
            event_time_ms: 5_000,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            answer_bytes: 4 << 20,
            json_depth: 64,
            host_calls: 1_000,
            log_bytes: 16 << 10,
            handles: 256,
            concurrent_calls: 32,
        }
    }
}

impl Limits {
    /// The time of one filter step.
    pub fn filter_time(&self) -> Duration {
        Duration::from_millis(self.filter_time_ms)
    }

    /// The time of one event delivery.
    pub fn event_time(&self) -> Duration {
        Duration::from_millis(self.event_time_ms)
    }
}

/// Bytes of stack a guest may use. One number for the engine, because compiled code is checked against it.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// Bytes of the fiber that runs a guest and the host functions it calls. At least 1 MiB more than the guest's share.
pub(crate) const ASYNC_STACK_BYTES: usize = 2 << 20;
/// Levels of JSON that the host's parser takes.
pub(crate) const JSON_DEPTH_MOST: usize = 127;
/// Values in a JSON document that a guest answers with: as a tree each takes 100 bytes and more, as text two.
pub(crate) const JSON_VALUES: usize = 200_000;
/// Bytes of a component, as installed.
pub const COMPONENT_BYTES: usize = 64 << 20;

/// A limit that ended a call, or cut what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// [`Limits::filter_time_ms`] or [`Limits::event_time_ms`].
    Time,
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::table_elements`].
    TableElements,
    /// The guest's stack.
    Stack,
    /// [`Limits::answer_bytes`].
    AnswerBytes,
    /// [`Limits::json_depth`].
    JsonDepth,
    /// [`Limits::host_calls`].
    HostCalls,
    /// [`Limits::log_bytes`]: the call goes on, its further lines are dropped.
    LogBytes,
    /// [`Limits::handles`].
    Handles,
}

impl Limit {
    /// The limit's name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Memory => "memory",
            Self::TableElements => "table-elements",
            Self::Stack => "stack",
            Self::AnswerBytes => "answer-bytes",
            Self::JsonDepth => "json-depth",
            Self::HostCalls => "host-calls",
            Self::LogBytes => "log-bytes",
            Self::Handles => "handles",
        }
    }
}
