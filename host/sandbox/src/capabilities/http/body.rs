//! Bodies that are counted while they pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

use super::exchange::{Exchange, Outcome};

/// A request's body, which ends with an error when it is too large.
pub(super) struct RequestBody {
    body: WasiBody,
    left: usize,
    exchange: Arc<Exchange>,
}

impl RequestBody {
    pub(super) fn new(body: WasiBody, exchange: Arc<Exchange>) -> Self {
        Self { body, left: exchange.body_bytes(), exchange }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(task);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            match self.left.checked_sub(size(frame)) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(self.exchange.request_too_large()))),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, which ends with an error when it is too large, pauses too long, or is not whole in time.
pub(super) struct AnswerBody {
    /// `None` after the end and after an error: the connection is not needed any more.
    body: Option<Incoming>,
    left: usize,
    pause: Duration,
    alarm: Pin<Box<Sleep>>,
    exchange: Arc<Exchange>,
}

impl AnswerBody {
    /// `pause` is how long the guest waits for the next bytes.
    pub(super) fn new(body: Incoming, pause: Option<Duration>, exchange: Arc<Exchange>) -> Self {
        let pause = pause.unwrap_or(Duration::MAX);
        let alarm = Box::pin(sleep_until(alarm(&exchange, pause)));
        Self { body: Some(body), left: exchange.body_bytes(), pause, alarm, exchange }
    }

    fn ends_with(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.body = None;
        Poll::Ready(Some(Err(error)))
    }

    fn too_large(&mut self) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let most = Error::HttpResponseBodySize(Some(self.exchange.body_bytes() as u64));
        let error = self.exchange.fail(Outcome::AnswerTooLarge, most);
        self.ends_with(error)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // A server that says beforehand that it sends too much need not send it.
        if body.size_hint().lower() > this.left as u64 {
            return this.too_large();
        }
        match Pin::new(body).poll_frame(task) {
            Poll::Ready(Some(Ok(frame))) => {
                let Some(left) = this.left.checked_sub(size(&frame)) else { return this.too_large() };
                this.left = left;
                if this.pause < Duration::MAX {
                    this.alarm.as_mut().reset(alarm(&this.exchange, this.pause));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = this.exchange.fail(Outcome::Failed, broken(&error));
                this.ends_with(error)
            }
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Pending if this.alarm.as_mut().poll(task).is_ready() => {
                let error = this.exchange.waited(Error::ConnectionReadTimeout);
                this.ends_with(error)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}

fn size(frame: &Frame<Bytes>) -> usize {
    frame.data_ref().map_or(0, Bytes::len)
}

fn alarm(exchange: &Exchange, pause: Duration) -> tokio::time::Instant {
    let deadline = exchange.deadline();
    Instant::now().checked_add(pause).map_or(deadline, |end| end.min(deadline)).into()
}

/// What the guest sees of an error of the connection.
pub(super) fn broken(error: &hyper::Error) -> Error {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(u32::try_from(super::HEAD_BYTES).ok());
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    match source.map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => Error::HttpResponseIncomplete,
        // A chunk's size that is none.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Error::HttpProtocolError,
        Some(_) => Error::ConnectionTerminated,
        None if error.is_canceled() || error.is_closed() => Error::ConnectionTerminated,
        None => Error::HttpProtocolError,
    }
}
