//! What a call may use. Every limit is a field with its unit in the name; [`Limit`] names the one that bound.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Wall-clock milliseconds of one filter step, from waiting for its turn to reading its answer.
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
    /// Levels of nesting in a JSON document that a guest answers with; at most 120.
    /// Configuration: `json_depth`. Default 64.
    pub json_depth: usize,
    /// Calls from the guest into the host in one call. Configuration: `host_calls`. Default 1,000.
    pub host_calls: u32,
    /// Bytes of log lines in one call. Configuration: `log`. Default 16 KiB.
    pub log_bytes: usize,
    /// Bytes of log lines that all calls of the plugin together write in a second; ten seconds' worth may be saved
    /// up. Configuration: `log_rate`. Default 64 KiB.
    pub log_bytes_per_second: usize,
    /// Resources (streams, pollables) that a guest holds at once. Configuration: `handles`. Default 256.
    pub handles: usize,
    /// Bytes of random data in one call. Configuration: `random`. Default 64 KiB.
    pub random_bytes: usize,
    /// Calls of this plugin that run at once; more wait their turn within their time.
    /// Configuration: `concurrent_calls`. Default 32.
    pub concurrent_calls: usize,
    /// Calls of this plugin that wait for their turn; more are refused at once.
    /// Configuration: `queued_calls`. Default 256.
    pub queued_calls: usize,
    /// Keys that the plugin may keep. Configuration: `key_value_keys`. Default 10,000.
    pub key_value_keys: u64,
    /// Bytes that the plugin may keep: names of buckets, keys and values together. Configuration: `key_value`. Default 16 MiB.
    pub key_value_bytes: u64,
    /// Requests that one call may send. Configuration: `http_requests`. Default 10.
    pub http_requests: u32,
    /// Bytes of one request's body, and of one answer's. Configuration: `http_body`. Default 1 MiB.
    pub http_body_bytes: usize,
    /// Milliseconds from sending a request to the end of its answer, within the call's own time.
    /// Configuration: `http_time`. Default 3,000.
    pub http_time_ms: u64,
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
            log_bytes_per_second: 64 << 10,
            handles: 256,
            random_bytes: 64 << 10,
            concurrent_calls: 32,
            queued_calls: 256,
            key_value_keys: 10_000,
            key_value_bytes: 16 << 20,
            http_requests: 10,
            http_body_bytes: 1 << 20,
            http_time_ms: 3_000,
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

    /// The time of one request that the plugin sends.
    pub fn http_time(&self) -> Duration {
        Duration::from_millis(self.http_time_ms)
    }

    /// Each limit as its configuration spells it, with its value in the field's unit.
    pub fn listed(&self) -> [(&'static str, u64, &'static str); 18] {
        let size = |size: usize| size as u64;
        [
            ("time", self.filter_time_ms, "ms"),
            ("event_time", self.event_time_ms, "ms"),
            ("memory", size(self.memory_bytes), "bytes"),
            ("table_elements", size(self.table_elements), "table elements"),
            ("answer", size(self.answer_bytes), "bytes"),
            ("json_depth", size(self.json_depth), "levels of JSON"),
            ("host_calls", self.host_calls.into(), "calls into the host"),
            ("log", size(self.log_bytes), "bytes"),
            ("log_rate", size(self.log_bytes_per_second), "bytes per second"),
            ("handles", size(self.handles), "open resources"),
            ("random", size(self.random_bytes), "bytes"),
            ("concurrent_calls", size(self.concurrent_calls), "calls at a time"),
            ("queued_calls", size(self.queued_calls), "calls waiting"),
            ("key_value_keys", self.key_value_keys, "keys"),
            ("key_value", self.key_value_bytes, "bytes"),
            ("http_requests", self.http_requests.into(), "requests"),
            ("http_body", size(self.http_body_bytes), "bytes"),
            ("http_time", self.http_time_ms, "ms"),
        ]
    }
}

/// Bytes of stack a guest may use. One number for the engine, because compiled code is checked against it.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// Bytes of the fiber that runs a guest and the host functions it calls. At least 1 MiB more than the guest's share.
pub(crate) const ASYNC_STACK_BYTES: usize = 2 << 20;
/// The most that [`Limits::json_depth`] can be: the host's parser itself goes no deeper than 127.
pub const JSON_DEPTH_MOST: usize = 120;
/// Values in a JSON document that a guest answers with: as a tree each takes 100 bytes and more, as text two.
pub(crate) const JSON_VALUES: usize = 200_000;
/// Bytes of a component, as installed.
pub const COMPONENT_BYTES: usize = 64 << 20;

/// A limit that ended a call, or cut what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// [`Limits::log_bytes_per_second`]: calls go on, lines are dropped until time has passed.
    LogRate,
    /// [`Limits::handles`].
    Handles,
    /// [`Limits::random_bytes`].
    RandomBytes,
    /// [`Limits::queued_calls`]: the call was refused before it began.
    QueuedCalls,
    /// [`Limits::key_value_keys`]: the guest is told, its call goes on.
    KeyValueKeys,
    /// [`Limits::key_value_bytes`]: the guest is told, its call goes on.
    KeyValueBytes,
    /// [`Limits::http_requests`]: the guest is told, its call goes on.
    HttpRequests,
    /// [`Limits::http_body_bytes`]: the guest is told, its call goes on.
    HttpBody,
    /// [`Limits::http_time_ms`]: the guest is told, its call goes on.
    HttpTime,
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
            Self::LogRate => "log-rate",
            Self::Handles => "handles",
            Self::RandomBytes => "random-bytes",
            Self::QueuedCalls => "queued-calls",
            Self::KeyValueKeys => "key-value-keys",
            Self::KeyValueBytes => "key-value-bytes",
            Self::HttpRequests => "http-requests",
            Self::HttpBody => "http-body",
            Self::HttpTime => "http-time",
        }
    }

    /// Counts that it bound.
    pub(crate) fn hit(self, plugin: &str) {
        metrics::counter!("hookbox_limit_hits_total", "plugin" => plugin.to_owned(), "limit" => self.name())
            .increment(1);
    }

    /// The setting that raises it, what it is now, and its unit. `time` is what the call had.
    pub(crate) fn bound(self, limits: &Limits, time: Duration) -> Bound {
        let bound = |setting: &'static str| {
            let (_, allowed, unit) =
                limits.listed().into_iter().find(|(key, ..)| *key == setting).unwrap_or((setting, 0, ""));
            Bound { setting: Some(setting), allowed, unit }
        };
        match self {
            Self::Time => {
                let allowed = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                let event = allowed == limits.event_time_ms && allowed != limits.filter_time_ms;
                Bound { setting: Some(if event { "event_time" } else { "time" }), allowed, unit: "ms" }
            }
            Self::Stack => Bound { setting: None, allowed: WASM_STACK_BYTES as u64, unit: "bytes" },
            Self::JsonDepth => {
                let most = bound("json_depth");
                Bound { allowed: most.allowed.min(JSON_DEPTH_MOST as u64), ..most }
            }
            Self::Memory => bound("memory"),
            Self::TableElements => bound("table_elements"),
            Self::AnswerBytes => bound("answer"),
            Self::HostCalls => bound("host_calls"),
            Self::LogBytes => bound("log"),
            Self::LogRate => bound("log_rate"),
            Self::Handles => bound("handles"),
            Self::RandomBytes => bound("random"),
            Self::QueuedCalls => bound("queued_calls"),
            Self::KeyValueKeys => bound("key_value_keys"),
            Self::KeyValueBytes => bound("key_value"),
            Self::HttpRequests => bound("http_requests"),
            Self::HttpBody => bound("http_body"),
            Self::HttpTime => bound("http_time"),
        }
    }
}

/// Where a limit stands, and how an operator moves it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// The key below `limits`; `None` for one that is the same for every plugin.
    pub(crate) setting: Option<&'static str>,
    /// What is allowed.
    pub(crate) allowed: u64,
    /// In what unit.
    pub(crate) unit: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_listed_once() {
        let limits = Limits::default();
        let fields = serde_json::to_value(&limits).unwrap_or_default();
        let listed = limits.listed();
        let values: Vec<u64> = fields
            .as_object()
            .map(|fields| fields.values().filter_map(serde_json::Value::as_u64).collect())
            .unwrap_or_default();
        assert_eq!(values, listed.map(|(_, value, _)| value), "in the order of the fields");
    }
}
