//! `wasi:http`: requests to the origins that are granted, to public addresses unless others are granted by address.
//!
//! A request takes this way: its authority is read strictly and held against the grants ([`allow`]), its name is
//! resolved once and every address checked ([`resolve`], [`address`]), one of these very addresses is connected to
//! ([`connect`]), and the exchange is bounded in time and size ([`send`], [`body`]). What became of it is counted and
//! logged ([`exchange`]). In a call on tape, [`taped`] stands beside all of that.

mod address;
mod allow;
mod body;
mod connect;
mod exchange;
mod resolve;
mod send;
mod taped;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, header};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use self::exchange::{Exchange, Outcome};
use super::Services;
use super::rehearsal::Effects;
use crate::grants::{Grants, Origin};
use crate::limits::Limits;
use crate::record::Tape;
use crate::state::{CallState, Owner};

pub use resolve::{Resolver, Resolving};

/// Bytes of a request's headers as the host keeps them, and of an answer's as they come. A guest that adds more to a
/// request traps.
const HEAD_BYTES: usize = 32 << 10;
/// Headers of an answer.
const HEADERS: usize = 100;
/// Bytes that a guest may write to a request's body at a time.
const WRITE_BYTES: usize = 16 << 10;
/// Writes to a request's body that are kept until the server takes them.
const WRITES: usize = 4;

/// Connections of one plugin at a time: each holds a file handle. A request waits for one within its time.
const CONNECTIONS: usize = 64;

/// Links both interfaces.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    let options = LinkOptions::default();
    outgoing_handler::add_to_linker::<CallState, WasiHttp>(linker, CallState::http)?;
    types::add_to_linker::<CallState, WasiHttp>(linker, &(&options).into(), CallState::http)
}

/// What a plugin may send: made once for each.
pub(crate) struct Outgoing {
    plugin: Arc<str>,
    origins: Vec<Origin>,
    effects: Effects,
    requests: u32,
    body_bytes: usize,
    time: Duration,
    resolver: Arc<dyn Resolver>,
    connections: Arc<Semaphore>,
}

impl Outgoing {
    /// Reads grants and limits.
    pub(crate) fn configure(
        plugin: &Arc<str>,
        limits: &Limits,
        grants: &Grants,
        services: &Services,
        effects: Effects,
    ) -> Self {
        let origins: Vec<Origin> = grants.origins().cloned().collect();
        if origins.iter().any(|origin| origin.secure) {
            connect::prepare();
        }
        Self {
            plugin: Arc::clone(plugin),
            origins,
            effects,
            requests: limits.http_requests,
            body_bytes: limits.http_body_bytes,
            time: limits.http_time(),
            resolver: services.resolver.clone().unwrap_or_else(|| Arc::new(resolve::System::new())),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }
}

/// The state of `wasi:http` in one call.
pub(crate) struct CallHttp {
    context: WasiHttpCtx,
    hooks: Hooks,
}

impl CallHttp {
    fn prepare(owner: &Owner, deadline: Instant, tape: Option<Arc<Tape>>) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(HEAD_BYTES);
        let outgoing = Arc::clone(&owner.http);
        Self { context, hooks: Hooks { outgoing, deadline, tape, requests: 0, warned: Arc::default() } }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        // As with the rest of WASI: a guest whose budget is spent goes on until the next tick.
        let _ = self.count_host_call();
        let (owner, deadline, tape) = (&self.owner, self.deadline, &self.tape);
        let call = self.http.get_or_insert_with(|| CallHttp::prepare(owner, deadline, tape.clone()));
        WasiHttpCtxView { hooks: &mut call.hooks, table: &mut self.table, ctx: &mut call.context }
    }
}

/// What a request ends in: its answer and the work that goes on while the body is read.
type Sent = Result<(Response<WasiBody>, Work), Error>;
/// Keeps a connection going.
type Work = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// One call's requests.
struct Hooks {
    outgoing: Arc<Outgoing>,
    /// When the call ends.
    deadline: Instant,
    /// What takes the call down, or plays it.
    tape: Option<Arc<Tape>>,
    requests: u32,
    /// Whether the log has a warning about this call's requests already.
    warned: Arc<AtomicBool>,
}

impl Hooks {
    /// Whether a request may be tried at all. Nothing of it has left the host yet.
    fn check<B>(
        &self,
        request: &Request<B>,
        origin: Result<Origin, Error>,
        exchange: &Exchange,
    ) -> Result<Origin, Error> {
        let outgoing = &self.outgoing;
        if self.requests > outgoing.requests {
            return Err(exchange.fail(Outcome::TooMany, Error::ConnectionLimitReached));
        }
        let origin = origin.map_err(|error| exchange.fail(Outcome::Denied, error))?;
        if !outgoing.origins.contains(&origin) {
            if !self.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    plugin = &*outgoing.plugin,
                    "a request to {origin} is refused: add \"http:{origin}\" to the plugin's grants if you trust it with that"
                );
            }
            return Err(exchange.fail(Outcome::Denied, Error::HttpRequestDenied));
        }
        // It asks a proxy for a tunnel, and what went through it would be none of this.
        if request.method() == Method::CONNECT {
            return Err(exchange.fail(Outcome::Denied, Error::HttpRequestMethodInvalid));
        }
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > outgoing.body_bytes) {
            return Err(exchange.request_too_large());
        }
        match outgoing.effects {
            Effects::Real => Ok(origin),
            Effects::Rehearsed => Err(exchange.fail(Outcome::Rehearsed, Error::ConnectionRefused)),
        }
    }
}

impl WasiHttpHooks for Hooks {
    fn is_supported_scheme(&mut self, _scheme: &Scheme) -> bool {
        // No other scheme is ever granted, and what is not granted is counted and told in one place.
        true
    }

    fn set_host_header(&mut self) -> bool {
        // It is made of the origin that was checked, when the request is sent.
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let taped = match self.tape.clone() {
            Some(tape) if tape.plays() => return Box::new(async move { taped::play(&tape, request) }),
            Some(tape) => tape.request(taped::asked(&request)).map(|at| (tape, at)),
            None => None,
        };
        self.requests = self.requests.saturating_add(1);
        let origin = allow::origin(request.uri());
        let exchange = Exchange::new(&self.outgoing, self.deadline, request.method(), origin.as_ref().ok());
        let checked = self.check(&request, origin, &exchange);
        let (outgoing, warned) = (Arc::clone(&self.outgoing), Arc::clone(&self.warned));
        let sending = async move {
            let (exchange, options) = (Arc::new(exchange), options.unwrap_or_default());
            send::send(outgoing, exchange, &checked?, request, options, &warned).await
        };
        match taped {
            None => Box::new(sending),
            Some((tape, at)) => Box::new(async move { taped::record(tape, at, sending.await) }),
        }
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        WRITES
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        WRITE_BYTES
    }
}
