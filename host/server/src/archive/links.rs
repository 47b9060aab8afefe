//! Absolute links, as Django and the REST framework build them.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::http::{Uri, header};
use hookbox_archive::query::Params;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::content::MAX_FIELDS;
use super::fault::Fault;

/// What stays as it is in a form-encoded query.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');
/// What stays as it is in a redirect's path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What stays as it is in a redirect's query: also what is encoded already.
const QUERY: &AsciiSet =
    &PATH.remove(b'#').remove(b'%').remove(b'[').remove(b']').remove(b'=').remove(b';').remove(b'?');

/// Scheme and host that the client used. Forwarded headers are not believed.
///
/// # Errors
/// [`Fault::BadRequest`] for a host that is none: it would end up in links.
pub(crate) fn base(parts: &Parts) -> Result<String, Fault> {
    let authority = || parts.uri.authority().map(axum::http::uri::Authority::as_str);
    let host = match parts.headers.get(header::HOST) {
        Some(host) => host.to_str().unwrap_or_default(),
        None => authority().unwrap_or("localhost"),
    };
    if is_host(host) { Ok(format!("http://{host}")) } else { Err(Fault::BadRequest("Invalid Host header.")) }
}

/// A name or an address, with an optional port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let sound = address.split_once(':').is_some_and(|(_, rest)| !rest.is_empty())
                && address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
            if !sound {
                return false;
            }
            (None, rest)
        }
        None => host.find(':').map_or((Some(host), ""), |at| (Some(&host[..at]), &host[at..])),
    };
    let name_is_sound = name.is_none_or(|name| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    });
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    name_is_sound && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
}

/// A query's parameters.
///
/// # Errors
/// [`Fault::BadRequest`] when there are more than [`MAX_FIELDS`].
pub(crate) fn params(uri: &Uri) -> Result<Params, Fault> {
    let query = uri.query().unwrap_or_default();
    if query.bytes().filter(|byte| *byte == b'&').count() >= MAX_FIELDS {
        return Err(Fault::BadRequest("The query has more than 1000 parameters."));
    }
    Ok(Params(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
}

/// A link to another page of the same list: parameters sorted by name, the values of each in their order, `page` left
/// out for the first page.
pub(crate) fn to_page(base: &str, path: &str, params: &Params, page: u64) -> String {
    let mut sorted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &params.0 {
        sorted.entry(name).or_default().push(value);
    }
    let number = page.to_string();
    if page == 1 {
        sorted.remove("page");
    } else {
        sorted.insert("page", vec![&number]);
    }
    let pairs = sorted.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let query: Vec<String> = pairs.map(|(name, value)| format!("{}={}", form(name), form(value))).collect();
    let path = utf8_percent_encode(path, PATH);
    if query.is_empty() { format!("{base}{path}") } else { format!("{base}{path}?{}", query.join("&")) }
}

fn form(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

/// Where a path without its last slash leads.
pub(crate) fn with_slash(path: &str, uri: &Uri) -> String {
    let path = utf8_percent_encode(path, PATH);
    match uri.query().filter(|query| !query.is_empty()) {
        Some(query) => format!("{path}/?{}", utf8_percent_encode(query, QUERY)),
        None => format!("{path}/"),
    }
}

/// A path, decoded. Bytes that are not UTF-8 stay encoded.
pub(crate) fn decoded(path: &str) -> String {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(percent_encoding::percent_encode_byte(*byte));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_rewritten_as_the_rest_framework_rewrites_them() {
        let link = |query: &str, page: u64| {
            let uri: Uri = format!("/list/?{query}").parse().unwrap();
            to_page("http://h", "/list/", &params(&uri).unwrap(), page)
        };
        for (query, page, expected) in [
            ("page=2", 1, "http://h/list/"),
            ("page=2", 3, "http://h/list/?page=3"),
            ("page_size=1&page=2&a=b%20c", 3, "http://h/list/?a=b+c&page=3&page_size=1"),
            ("b=2&a=1&b=1", 2, "http://h/list/?a=1&b=2&b=1&page=2"),
            ("x", 2, "http://h/list/?page=2&x="),
            ("x=%ff&y=%2c~*", 2, "http://h/list/?page=2&x=%EF%BF%BD&y=%2C~%2A"),
            ("page=1&page=2", 2, "http://h/list/?page=2"),
            ("course_id=course-v1%3aa%2Bb%2bc", 2, "http://h/list/?course_id=course-v1%3Aa%2Bb%2Bc&page=2"),
        ] {
            assert_eq!(link(query, page), expected, "{query}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for yes in ["localhost", "127.0.0.1:8000", "lms.example.com", "[::1]:80"] {
            assert!(is_host(yes), "{yes}");
        }
        for no in
            ["", "a b", "a/b", "evil.com/x", ":80", "a:b", "[::1", "[x]", "a:1:2", "<script>", "user@host"]
        {
            assert!(!is_host(no), "{no}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_query_and_encodes_what_is_not() {
        let uri: Uri = "/list?a=1&b=%2b+{}|".parse().unwrap();
        assert_eq!(with_slash("/li st", &uri), "/li%20st/?a=1&b=%2b+%7B%7D%7C");
        assert_eq!(with_slash("/list", &Uri::from_static("/list?")), "/list/");
    }

    #[test]
    fn broken_utf8_in_a_path_stays_encoded() {
        assert_eq!(decoded("/a%20%C3%A9%ff/"), "/a é%FF/");
    }
}
