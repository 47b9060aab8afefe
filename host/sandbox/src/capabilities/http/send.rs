//! A request's way to the server and back.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Uri};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{AnswerBody, RequestBody, broken};
use super::exchange::{Exchange, Outcome};
use super::resolve::addresses;
use super::{HEAD_BYTES, HEADERS, Outgoing, Sent, Work, connect};
use crate::grants::Origin;

/// What a request says of its sender unless the guest says something else.
const AGENT: &str = concat!("hookbox/", env!("CARGO_PKG_VERSION"));

/// Sends one request over a connection of its own. Redirects, cookies and packed bodies are the guest's to handle.
pub(super) async fn send(
    outgoing: Arc<Outgoing>,
    exchange: Arc<Exchange>,
    origin: &Origin,
    request: Request<WasiBody>,
    options: RequestOptions,
    warned: &AtomicBool,
) -> Sent {
    let request = addressed(request, origin, &exchange)?;
    let until = within(options.connect_timeout, &exchange);
    let connecting = async {
        let addresses = addresses(&outgoing, origin, &exchange, warned).await?;
        let turn = Arc::clone(&outgoing.connections).acquire_owned().await;
        let turn = turn.map_err(|_| exchange.fail(Outcome::Failed, Error::DestinationUnavailable))?;
        // Addresses share the time, and so may use it up before the clock below does.
        let stream = connect::connect(origin, &addresses, until).await;
        stream.map(|stream| (stream, turn)).map_err(|error| match error {
            Error::ConnectionTimeout if Instant::now() >= until => exchange.waited(error),
            error => exchange.fail(Outcome::Failed, error),
        })
    };
    let connected = timeout_at(until.into(), connecting)
        .await
        .map_err(|_| exchange.waited(Error::ConnectionTimeout))??;
    let until = within(options.first_byte_timeout, &exchange);
    timeout_at(until.into(), exchange_on(connected, request, options.between_bytes_timeout, &exchange))
        .await
        .map_err(|_| exchange.waited(Error::ConnectionReadTimeout))?
}

/// The request as it goes over the wire: the path alone, for the host that was checked.
fn addressed(
    request: Request<WasiBody>,
    origin: &Origin,
    exchange: &Arc<Exchange>,
) -> Result<Request<RequestBody>, Error> {
    let invalid = || exchange.fail(Outcome::Denied, Error::HttpRequestUriInvalid);
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    head.uri = Uri::builder().path_and_query(path).build().map_err(|_| invalid())?;
    let text = origin.to_string();
    let (_, host) = text.split_once("://").ok_or_else(invalid)?;
    head.headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| invalid())?);
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    head.headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(Request::from_parts(head, RequestBody::new(body, Arc::clone(exchange))))
}

/// The moment until which something may take that the guest gives this time.
fn within(time: Option<Duration>, exchange: &Exchange) -> Instant {
    let deadline = exchange.deadline();
    let end = time.and_then(|time| Instant::now().checked_add(time));
    end.map_or(deadline, |end| end.min(deadline))
}

/// Sends the request and waits for the head of the answer.
async fn exchange_on(
    (stream, turn): (Box<dyn connect::Stream>, OwnedSemaphorePermit),
    request: Request<RequestBody>,
    pause: Option<Duration>,
    exchange: &Arc<Exchange>,
) -> Sent {
    let failed = |error: &hyper::Error| {
        let outcome = if error.is_parse_too_large() { Outcome::HeadTooLarge } else { Outcome::Failed };
        exchange.fail(outcome, broken(error))
    };
    let mut client = http1::Builder::new();
    client.max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let (mut sender, connection) =
        client.handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let mut connection = Some(Box::pin(connection));
    let answer = {
        let mut answer = pin!(sender.send_request(request));
        poll_fn(|task| {
            if let Poll::Ready(answer) = answer.as_mut().poll(task) {
                return Poll::Ready(answer);
            }
            // Nothing moves unless the connection is polled.
            let Some(Poll::Ready(ended)) = connection.as_mut().map(|work| work.as_mut().poll(task)) else {
                return answer.as_mut().poll(task);
            };
            connection = None;
            match ended {
                Ok(()) => answer.as_mut().poll(task),
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
        .map_err(|error| failed(&error))?
    };
    exchange.answered(answer.status());
    let answer = answer.map(|body| AnswerBody::new(body, pause, Arc::clone(exchange)).boxed_unsync());
    let exchange = Arc::clone(exchange);
    let work: Work = Box::new(async move {
        let _turn = turn;
        // What goes wrong here is told by the body. It ends with the time also when nobody reads.
        if let Some(connection) = connection
            && timeout_at(exchange.deadline().into(), connection).await.is_err()
        {
            exchange.waited(Error::HttpResponseTimeout);
        }
        Ok(())
    });
    Ok((answer, work))
}
