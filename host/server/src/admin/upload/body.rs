//! Reading what is sent: no more than is allowed, and from nobody for ever.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::{HeaderMap, StatusCode, header};
use hookbox_sandbox::COMPONENT_BYTES;
use tokio::time::Instant;

use crate::problem::Problem;

/// Bytes of the largest file of recorded cases.
pub(super) const CASES_BYTES: usize = 1 << 20;

/// What was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) component: Vec<u8>,
    pub(super) cases: Option<String>,
}

/// How slow a sender may be.
pub(super) struct Pace {
    /// Without a byte.
    idle: Duration,
    /// When everything must be there.
    end: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(Duration::from_secs(60), Duration::from_secs(5 * 60))
    }
}

impl Pace {
    fn new(idle: Duration, whole: Duration) -> Self {
        Self { idle, end: Instant::now() + whole }
    }

    /// Waits for the next piece.
    async fn next<T>(&self, piece: impl Future<Output = T>) -> Result<T, Problem> {
        let until = self.end.min(Instant::now() + self.idle);
        tokio::time::timeout_at(until, piece).await.map_err(|_| too_slow())
    }
}

/// The length that a request says its body has.
pub(super) fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that is the component.
pub(super) async fn alone(mut body: Body, length: Option<usize>, pace: &Pace) -> Result<Vec<u8>, Problem> {
    let mut component = Pile::new("component", COMPONENT_BYTES);
    component.expect(length.unwrap_or(0))?;
    while let Some(piece) = pace.next(next_piece(&mut body)).await? {
        component.add(&piece.map_err(|error| unreadable(&error.to_string()))?)?;
    }
    Ok(component.bytes)
}

async fn next_piece(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
            // What is no data is a trailer, and tells nothing here.
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

/// A form with the component, and perhaps its cases.
pub(super) async fn form(mut form: Multipart, pace: &Pace) -> Result<Sent, Problem> {
    let (mut component, mut cases) = (None, None);
    while let Some(field) = pace.next(form.next_field()).await?.map_err(|error| cut_short(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let (part, most) = match name.as_str() {
            "component" => (&mut component, COMPONENT_BYTES),
            "cases" => (&mut cases, CASES_BYTES),
            _ => {
                let name: String = name.chars().take(80).collect();
                return Err(bad_form(&format!(
                    "there is no part {name:?}; the parts are component and cases"
                )));
            }
        };
        if part.is_some() {
            return Err(bad_form(&format!("the part {name} is there twice")));
        }
        let name = if most == CASES_BYTES { "cases" } else { "component" };
        *part = Some(read(field, Pile::new(name, most), pace).await?);
    }
    let component = component.ok_or_else(|| bad_form("the part component is missing"))?;
    let cases = match cases.map(String::from_utf8) {
        None => None,
        Some(Ok(text)) => Some(text),
        Some(Err(_)) => return Err(bad_form("the part cases is not UTF-8")),
    };
    Ok(Sent { component, cases })
}

async fn read(mut field: Field<'_>, mut pile: Pile, pace: &Pace) -> Result<Vec<u8>, Problem> {
    while let Some(piece) = pace.next(field.chunk()).await?.map_err(|error| cut_short(&error))? {
        pile.add(&piece)?;
    }
    Ok(pile.bytes)
}

/// Bytes up to a limit.
struct Pile {
    bytes: Vec<u8>,
    what: &'static str,
    most: usize,
}

impl Pile {
    fn new(what: &'static str, most: usize) -> Self {
        Self { bytes: Vec::new(), what, most }
    }

    /// Makes room for what is announced, when that is not too much already.
    fn expect(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes > self.most {
            return Err(too_large(self.what, self.most));
        }
        self.bytes.reserve_exact(bytes);
        Ok(())
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Problem> {
        if piece.len() > self.most - self.bytes.len() {
            return Err(too_large(self.what, self.most));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

/// 415.
pub(super) fn unsupported() -> Problem {
    let detail = "send the component as application/wasm or application/octet-stream, or as the part component of \
                  multipart/form-data";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
}

/// 413.
pub(super) fn too_large(what: &str, most: usize) -> Problem {
    let detail = format!("the {what} has more than {most} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}

/// 400 for a form that is none, or another one.
pub(super) fn bad_form(detail: &str) -> Problem {
    let detail: String = detail.chars().take(400).collect();
    Problem::new(StatusCode::BAD_REQUEST, "bad-form", detail)
}

fn cut_short(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large("body", super::BODY_BYTES);
    }
    unreadable(&error.body_text())
}

fn unreadable(detail: &str) -> Problem {
    let detail: String = detail.chars().take(400).collect();
    Problem::new(StatusCode::BAD_REQUEST, "body-unreadable", detail)
}

/// 408.
fn too_slow() -> Problem {
    let detail =
        "the component did not arrive in time: 60 seconds went by without a byte, or five minutes in all";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "upload-too-slow", detail)
}

/// What may be wrong with what is sent, a list for each status.
pub(crate) fn problems() -> [Vec<Problem>; 5] {
    [
        vec![
            super::query::bad("percent must be above 0 and at most 100"),
            bad_form("the part component is missing"),
            unreadable("the connection ended before the body did"),
        ],
        vec![too_slow()],
        vec![too_large("component", COMPONENT_BYTES)],
        vec![unsupported()],
        vec![super::busy()],
    ]
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequest;
    use axum::http::Request;

    use super::*;

    fn parts(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, content) in parts {
            body.extend(
                format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n")
                    .bytes(),
            );
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(b"--b--\r\n");
        body
    }

    async fn sent(body: Vec<u8>) -> Result<Sent, &'static str> {
        let request = Request::put("/").header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
        let multipart = Multipart::from_request(request.body(Body::from(body)).unwrap(), &()).await.unwrap();
        form(multipart, &Pace::default()).await.map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn a_form_has_the_component_and_perhaps_its_cases() {
        let both = sent(parts(&[("cases", b"{}"), ("component", b"\0asm")])).await;
        assert_eq!(both, Ok(Sent { component: b"\0asm".to_vec(), cases: Some("{}".into()) }));
        let one = sent(parts(&[("component", b"\0asm")])).await;
        assert_eq!(one, Ok(Sent { component: b"\0asm".to_vec(), cases: None }));
    }

    #[tokio::test]
    async fn a_form_with_something_else_is_refused() {
        assert_eq!(sent(parts(&[("cases", b"{}")])).await, Err("bad-form"));
        assert_eq!(sent(parts(&[("component", b"a"), ("component", b"b")])).await, Err("bad-form"));
        assert_eq!(sent(parts(&[("component", b"a"), ("more", b"b")])).await, Err("bad-form"));
        assert_eq!(sent(parts(&[("component", b"a"), ("cases", b"\xff")])).await, Err("bad-form"));
        let mut cut = parts(&[("component", b"a")]);
        cut.truncate(cut.len() - 8);
        assert_eq!(sent(cut).await, Err("body-unreadable"));
        let large = vec![b' '; CASES_BYTES + 1];
        assert_eq!(sent(parts(&[("cases", &large)])).await, Err("body-too-large"));
    }

    #[tokio::test]
    async fn a_sender_that_stops_is_not_waited_for() {
        let (moment, long) = (Duration::from_millis(1), Duration::from_secs(60));
        for pace in [Pace::new(moment, long), Pace::new(long, moment)] {
            let nothing = pace.next(std::future::pending::<()>()).await;
            assert_eq!(nothing.unwrap_err().code(), "upload-too-slow");
        }
    }

    #[tokio::test]
    async fn no_more_is_taken_than_a_component_may_have() {
        let pace = Pace::default();
        let announced = alone(Body::empty(), Some(COMPONENT_BYTES + 1), &pace).await;
        assert_eq!(announced.unwrap_err().code(), "body-too-large");
        let mut pile = Pile::new("component", 4);
        assert!(pile.add(b"1234").is_ok());
        assert_eq!(pile.add(b"5").unwrap_err().code(), "body-too-large");
        assert_eq!(alone(Body::from("1234"), Some(4), &pace).await.unwrap(), b"1234");
    }
}
