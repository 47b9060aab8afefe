//! One request from its first check to the end of its answer: how long it may take, and what became of it.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hyper::{Method, StatusCode};
use wasmtime_wasi_http::Error;

use super::Outgoing;
use crate::capabilities::rehearsal::Effects;
use crate::grants::Origin;
use crate::limits::Limit;

/// Bytes of a method in the log.
const METHOD_BYTES: usize = 32;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was sent, and an answer began.
    Sent,
    /// Its origin is not granted.
    Denied,
    /// Its name leads to an address that is not public.
    AddressRefused,
    /// The call has sent as many as it may.
    TooMany,
    /// Its body is too large.
    RequestTooLarge,
    /// The answer's headers are too large.
    HeadTooLarge,
    /// The answer's body is too large.
    AnswerTooLarge,
    /// The time for a request is over.
    OutOfTime,
    /// A time that the guest itself set is over, or that of the call.
    Slow,
    /// It was of a rehearsal, which sends none.
    Rehearsed,
    /// Nobody answers, or what they answer is not HTTP.
    Failed,
    /// The guest dropped it, or its call ended, before there was an answer.
    Abandoned,
}

impl Outcome {
    /// Its name in metrics and in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Denied => "denied",
            Self::AddressRefused => "address-refused",
            Self::TooMany => "too-many",
            Self::RequestTooLarge | Self::HeadTooLarge | Self::AnswerTooLarge => "too-large",
            Self::OutOfTime | Self::Slow => "timeout",
            Self::Rehearsed => "rehearsed",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    /// The limit of the plugin that it ran into.
    fn limit(self) -> Option<Limit> {
        match self {
            Self::TooMany => Some(Limit::HttpRequests),
            Self::RequestTooLarge | Self::AnswerTooLarge => Some(Limit::HttpBody),
            Self::OutOfTime => Some(Limit::HttpTime),
            Self::Sent
            | Self::Denied
            | Self::AddressRefused
            | Self::HeadTooLarge
            | Self::Slow
            | Self::Rehearsed
            | Self::Failed
            | Self::Abandoned => None,
        }
    }
}

/// One request. When its last owner is gone it is counted, and logged without anything that may hold a secret: no
/// path, no headers.
pub(super) struct Exchange {
    plugin: Arc<str>,
    effects: Effects,
    method: Method,
    origin: Option<String>,
    start: Instant,
    deadline: Instant,
    /// Whether the deadline is the request's own, and not that of the call.
    own_deadline: bool,
    body_bytes: usize,
    status: OnceLock<StatusCode>,
    failure: OnceLock<Outcome>,
}

impl Exchange {
    /// A request that begins now.
    pub(super) fn new(outgoing: &Outgoing, call: Instant, method: &Method, origin: Option<&Origin>) -> Self {
        let start = Instant::now();
        let own = start.checked_add(outgoing.time).unwrap_or(call);
        Self {
            plugin: Arc::clone(&outgoing.plugin),
            effects: outgoing.effects,
            method: method.clone(),
            origin: origin.map(ToString::to_string),
            start,
            deadline: own.min(call),
            own_deadline: own < call,
            body_bytes: outgoing.body_bytes,
            status: OnceLock::new(),
            failure: OnceLock::new(),
        }
    }

    /// When its answer must be whole.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Bytes of its body, and of the answer's.
    pub(super) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Keeps that an answer began.
    pub(super) fn answered(&self, status: StatusCode) {
        let _ = self.status.set(status);
    }

    /// Keeps why it failed, and gives the error that the guest sees. The first failure counts: a later one is what
    /// came of it.
    pub(super) fn fail(&self, outcome: Outcome, error: Error) -> Error {
        if self.failure.set(outcome).is_ok() {
            if let Some(limit) = outcome.limit()
                && self.effects == Effects::Real
            {
                limit.hit(&self.plugin);
            }
            return error;
        }
        match self.failure.get() {
            Some(Outcome::RequestTooLarge) => Error::HttpRequestBodySize(Some(self.body_bytes as u64)),
            Some(Outcome::OutOfTime | Outcome::Slow) => Error::HttpResponseTimeout,
            _ => error,
        }
    }

    /// The failure of a request whose body is too large.
    pub(super) fn request_too_large(&self) -> Error {
        self.fail(Outcome::RequestTooLarge, Error::HttpRequestBodySize(Some(self.body_bytes as u64)))
    }

    /// The failure of a request that waited until now. `error` is for a time that the guest itself set.
    pub(super) fn waited(&self, error: Error) -> Error {
        if Instant::now() < self.deadline {
            return self.fail(Outcome::Slow, error);
        }
        let outcome = if self.own_deadline { Outcome::OutOfTime } else { Outcome::Slow };
        self.fail(outcome, Error::HttpResponseTimeout)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let status = self.status.get().map(StatusCode::as_u16);
        let unbroken = if status.is_some() { Outcome::Sent } else { Outcome::Abandoned };
        let result = self.failure.get().copied().unwrap_or(unbroken).name();
        metrics::counter!("hookbox_http_requests_total", "plugin" => self.plugin.to_string(), "result" => result)
            .increment(1);
        let method = self.method.as_str();
        tracing::debug!(
            plugin = &*self.plugin,
            method = method.get(..METHOD_BYTES).unwrap_or(method),
            origin = self.origin.as_deref().unwrap_or("none"),
            status,
            result,
            ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "outgoing request"
        );
    }
}
