//! From a request to the events in it, in whichever form they were sent.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hookbox_hooks::ReceivedEvent;
use hookbox_hooks::cloudevents::{CloudEventError, ContentMode, parse_batch, parse_binary, parse_structured};
use time::OffsetDateTime;

use crate::problem::Problem;

/// What the headers of the binary form begin with.
const PREFIX: &str = "ce-";

/// The events of a request.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<ReceivedEvent>, Problem> {
    read_at(headers, body, OffsetDateTime::now_utc()).map_err(|error| broken(&error))
}

fn read_at(
    headers: &HeaderMap,
    body: &[u8],
    received_at: OffsetDateTime,
) -> Result<Vec<ReceivedEvent>, CloudEventError> {
    match ContentMode::of(content_type(headers)?)? {
        ContentMode::Structured => parse_structured(body, received_at).map(|event| vec![event]),
        ContentMode::Batch => parse_batch(body, received_at),
        ContentMode::Binary => {
            let ours = |name: &HeaderName| name.as_str().starts_with(PREFIX) || *name == header::CONTENT_TYPE;
            let ours = headers.iter().filter(|(name, _)| ours(name));
            let text = ours.map(|(name, value)| Ok((name.as_str(), text(name, value)?)));
            let text = text.collect::<Result<Vec<_>, CloudEventError>>()?;
            parse_binary(text, body, received_at).map(|event| vec![event])
        }
    }
}

/// The one `Content-Type`. With two, nobody knows which one the sender's own machine would go by.
fn content_type(headers: &HeaderMap) -> Result<Option<&str>, CloudEventError> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => {
            Err(CloudEventError::AttributeRepeated { attribute: "datacontenttype".to_owned() })
        }
        (value, _) => value.map(|value| text(&header::CONTENT_TYPE, value)).transpose(),
    }
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, CloudEventError> {
    value.to_str().map_err(|_| {
        let attribute = name.as_str().strip_prefix(PREFIX).unwrap_or("datacontenttype");
        CloudEventError::AttributeInvalid {
            attribute: attribute.chars().take(60).collect(),
            expected: "visible ASCII, other letters percent-encoded as UTF-8",
            found: "other bytes".to_owned(),
        }
    })
}

/// What is wrong with what was sent: 415 for its media type, else 400, with the place.
pub(crate) fn broken(error: &CloudEventError) -> Problem {
    let status =
        if error.is_of_media_type() { StatusCode::UNSUPPORTED_MEDIA_TYPE } else { StatusCode::BAD_REQUEST };
    let mut problem = Problem::new(status, error.code(), error.to_string());
    if let Some(mismatch) = error.mismatch() {
        problem = problem
            .with("path", &mismatch.path)
            .with("expected", &mismatch.expected)
            .with("found", &mismatch.found);
    }
    match error.index() {
        Some(index) => problem.with("index", index),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(headers: &[(&'static str, &'static [u8])]) -> Result<usize, &'static str> {
        let sound: [(&str, &[u8]); 4] =
            [("ce-specversion", b"1.0"), ("ce-id", b"1"), ("ce-source", b"s"), ("ce-type", b"t")];
        let mut all = HeaderMap::new();
        for (name, value) in sound.iter().chain(headers) {
            all.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        let read = read_at(&all, b"{}", OffsetDateTime::UNIX_EPOCH);
        read.map(|events| events.len()).map_err(|error| error.code())
    }

    #[test]
    fn a_header_of_the_events_that_is_no_text_is_refused_and_others_do_not_matter() {
        assert_eq!(code(&[("ce-subject", b"caf%C3%A9"), ("x-other", b"caf\xe9")]), Ok(1));
        assert_eq!(code(&[("ce-subject", b"caf\xe9")]), Err("cloudevents-attribute-invalid"));
        assert_eq!(code(&[("ce-subject", "café".as_bytes())]), Err("cloudevents-attribute-invalid"));
        assert_eq!(code(&[("content-type", b"application/json\xe9")]), Err("cloudevents-attribute-invalid"));
    }

    #[test]
    fn no_header_of_the_events_comes_twice() {
        assert_eq!(code(&[("ce-type", b"t")]), Err("cloudevents-attribute-repeated"));
        assert_eq!(
            code(&[("ce-subject", b"a"), ("ce-subject", b"a")]),
            Err("cloudevents-attribute-repeated")
        );
        let json: &[u8] = b"application/cloudevents+json";
        assert_eq!(
            code(&[("content-type", json), ("content-type", b"application/json")]),
            Err("cloudevents-attribute-repeated")
        );
    }

    #[test]
    fn a_problem_says_where() {
        let error =
            parse_batch(br#"[{"specversion": "1.0", "id": 7, "data": {}}]"#, OffsetDateTime::UNIX_EPOCH);
        let body = broken(&error.unwrap_err()).body();
        assert_eq!((&body["status"], &body["index"]), (&400.into(), &0.into()));
        assert_eq!((&body["path"], &body["found"]), (&"id".into(), &"the number 7".into()));
        let format = CloudEventError::UnsupportedFormat { found: "application/cloudevents+avro".into() };
        assert_eq!(broken(&format).body()["status"], 415);
    }
}
