//! Requests of a call that is on tape.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Sent, Work};
use crate::record::{BodyEnd, HttpAnswer, Tape, TextOrBytes};

/// What a record says of a request. Its body and headers are the guest's own, and are not kept.
pub(super) fn asked<B>(request: &Request<B>) -> Value {
    json!({"method": request.method().as_str(), "url": request.uri().to_string()})
}

/// Takes down what became of a request; its body while the guest reads it.
pub(super) fn record(tape: Arc<Tape>, request: usize, sent: Sent) -> Sent {
    let (response, work) = match sent {
        Ok(sent) => sent,
        Err(error) => {
            tape.answered(request, &Err(name(&error)));
            return Err(error);
        }
    };
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), TextOrBytes(value.as_bytes().to_vec()))
    };
    let headers = response.headers().iter().map(header).collect();
    let (body, end) = (TextOrBytes(Vec::new()), BodyEnd::Unread);
    let head = HttpAnswer { status: response.status().as_u16(), headers, body, end };
    tape.answered(request, &Ok(head));
    Ok((response.map(|body| RecordedBody { body, tape, request }.boxed_unsync()), work))
}

/// Answers a request from the tape. Nothing is sent.
pub(super) fn play(tape: &Arc<Tape>, request: Request<WasiBody>) -> Sent {
    let answer = tape.play::<HttpAnswer, String>("http", &asked(&request));
    // As the server would, the tape takes the request's body, so that a guest is not kept waiting while it writes.
    let work: Work = Box::new(async move {
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        Ok(())
    });
    let answer = match answer {
        None => return Err(Error::DestinationUnavailable),
        Some(Err(error)) => return Err(named(&error)),
        Some(Ok(answer)) => answer,
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| Error::HttpProtocolError)?;
    for (name, TextOrBytes(value)) in answer.headers {
        // What no server could have said is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    let TextOrBytes(bytes) = answer.body;
    let body = PlayedBody {
        bytes: Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty()),
        end: Some(answer.end),
        tape: Arc::clone(tape),
    };
    Ok((response.map(|()| body.boxed_unsync()), work))
}

/// A body that is taken down while it is read.
struct RecordedBody {
    body: WasiBody,
    tape: Arc<Tape>,
    request: usize,
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(task);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.tape.body(self.request, bytes);
                }
                if self.body.is_end_stream() {
                    self.tape.body_end(self.request, BodyEnd::Whole);
                }
            }
            Poll::Ready(Some(Err(error))) => self.tape.body_end(self.request, BodyEnd::Error(name(error))),
            Poll::Ready(None) => self.tape.body_end(self.request, BodyEnd::Whole),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// A body from a record.
struct PlayedBody {
    bytes: Option<Bytes>,
    /// `None` once it was told.
    end: Option<BodyEnd>,
    tape: Arc<Tape>,
}

impl Body for PlayedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let error = match self.end.take() {
            None | Some(BodyEnd::Whole) => return Poll::Ready(None),
            Some(BodyEnd::Error(error)) => named(&error),
            Some(BodyEnd::Unread | BodyEnd::Truncated) => {
                self.tape.diverge("http: the record has no more of an answer's body".to_owned());
                Error::ConnectionTerminated
            }
        };
        Poll::Ready(Some(Err(error)))
    }
}

/// An error's name: that of its variant.
fn name(error: &Error) -> String {
    let text = format!("{error:?}");
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The error of a name, as far as guests see errors: what comes with some of them is left out.
fn named(name: &str) -> Error {
    match name {
        "HttpRequestBodySize" => Error::HttpRequestBodySize(None),
        "DnsTimeout" => Error::DnsTimeout,
        "DnsError" => Error::DnsError { rcode: None, info_code: None },
        "DestinationNotFound" => Error::DestinationNotFound,
        "DestinationUnavailable" => Error::DestinationUnavailable,
        "DestinationIpProhibited" => Error::DestinationIpProhibited,
        "DestinationIpUnroutable" => Error::DestinationIpUnroutable,
        "ConnectionRefused" => Error::ConnectionRefused,
        "ConnectionTerminated" => Error::ConnectionTerminated,
        "ConnectionTimeout" => Error::ConnectionTimeout,
        "ConnectionReadTimeout" => Error::ConnectionReadTimeout,
        "ConnectionWriteTimeout" => Error::ConnectionWriteTimeout,
        "ConnectionLimitReached" => Error::ConnectionLimitReached,
        "TlsProtocolError" => Error::TlsProtocolError,
        "TlsCertificateError" => Error::TlsCertificateError,
        "HttpRequestDenied" => Error::HttpRequestDenied,
        "HttpRequestMethodInvalid" => Error::HttpRequestMethodInvalid,
        "HttpRequestUriInvalid" => Error::HttpRequestUriInvalid,
        "HttpResponseIncomplete" => Error::HttpResponseIncomplete,
        "HttpResponseHeaderSectionSize" => Error::HttpResponseHeaderSectionSize(None),
        "HttpResponseBodySize" => Error::HttpResponseBodySize(None),
        "HttpResponseTimeout" => Error::HttpResponseTimeout,
        "HttpProtocolError" => Error::HttpProtocolError,
        other => Error::InternalError(Some(crate::log::escape(other, 128))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_by_its_name() {
        for error in [
            Error::ConnectionRefused,
            Error::HttpRequestBodySize(Some(7)),
            Error::DnsError { rcode: Some("x".into()), info_code: None },
            Error::HttpResponseTimeout,
        ] {
            assert_eq!(name(&named(&name(&error))), name(&error));
        }
        assert_eq!(name(&named("Nonsense")), "InternalError");
    }
}
