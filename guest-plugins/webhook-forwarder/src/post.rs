//! One request through `wasi:http`.

use crate::target::Target;
use crate::verdict::{Answer, BODY_BYTES};
use crate::wasi::http::outgoing_handler::handle;
use crate::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};

/// The most bytes of one `blocking-write-and-flush`.
const PORTION: usize = 4_096;
/// The most readings of an answer's body: whoever sends it letter by letter has said enough.
const READINGS: usize = 16;

/// Post a body there, and give what the hook answered.
pub fn post(target: &Target, headers: &[(&str, String)], body: &str) -> Result<Answer, ErrorCode> {
    let future = send(target, headers, body.as_bytes())?;
    let response = loop {
        match future.get() {
            // The inner error is for asking twice.
            Some(answer) => break answer.unwrap_or(Err(ErrorCode::InternalError(None)))?,
            None => future.subscribe().block(),
        }
    };
    let status = response.status();
    let retry_after = response.headers().get("retry-after").into_iter().next();
    let retry_after = retry_after.map(|value| String::from_utf8_lossy(&value).into_owned());
    let body = if (200..300).contains(&status) { Vec::new() } else { beginning(&response) };
    Ok(Answer { status, retry_after, body })
}

fn send(
    target: &Target,
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<FutureIncomingResponse, ErrorCode> {
    let unsent = |what: &str| ErrorCode::InternalError(Some(format!("the request has no {what}")));
    let entries: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    let fields = Fields::from_list(&entries).map_err(|_| unsent("headers"))?;
    let request = OutgoingRequest::new(fields);
    let scheme = if target.https { Scheme::Https } else { Scheme::Http };
    request.set_method(&Method::Post).map_err(|()| unsent("method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| unsent("scheme"))?;
    request.set_authority(Some(&target.authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request.set_path_with_query(Some(&target.path)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    let outgoing = request.body().map_err(|()| unsent("body"))?;
    let stream = outgoing.write().map_err(|()| unsent("body"))?;
    let future = handle(request, None)?;
    // A hook may answer before it has read all; what it says then counts, and not that it stopped listening.
    let whole = body.chunks(PORTION).all(|portion| stream.blocking_write_and_flush(portion).is_ok());
    drop(stream);
    if whole {
        let _ = OutgoingBody::finish(outgoing, None);
    }
    Ok(future)
}

/// The first bytes of an answer's body, as far as they come.
fn beginning(response: &IncomingResponse) -> Vec<u8> {
    let mut read = Vec::new();
    let Ok(body) = response.consume() else {
        return read;
    };
    let Ok(stream) = body.stream() else {
        return read;
    };
    for _ in 0..READINGS {
        let left = BODY_BYTES - read.len();
        match stream.blocking_read(left as u64) {
            Ok(bytes) if left > 0 => read.extend(bytes),
            _ => break,
        }
    }
    read
}
