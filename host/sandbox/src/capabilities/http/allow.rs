//! Which origin a request is for.

use hyper::Uri;
use hyper::http::uri::Scheme;
use wasmtime_wasi_http::Error;

use crate::grants::Origin;

/// The origin of a request, read as an operator's grant is: a name or an address with an optional port, no user, no
/// other spelling of an address.
///
/// # Errors
/// The scheme is one that nobody can grant, or the authority is not of that form.
pub(super) fn origin(uri: &Uri) -> Result<Origin, Error> {
    let scheme = uri.scheme().filter(|scheme| **scheme == Scheme::HTTP || **scheme == Scheme::HTTPS);
    let scheme = scheme.ok_or(Error::HttpRequestDenied)?;
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    Origin::parse(&format!("{scheme}://{authority}")).map_err(|_| Error::HttpRequestUriInvalid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::grants::{Grant, Grants};

    /// Whether a grant lets a request for this address through.
    fn passes(grant: &str, uri: &str) -> bool {
        let grants = Grants::new([grant.parse::<Grant>().unwrap()]);
        uri.parse()
            .ok()
            .and_then(|uri| origin(&uri).ok())
            .is_some_and(|origin| grants.origins().any(|granted| *granted == origin))
    }

    #[test]
    fn a_request_passes_when_scheme_host_and_port_are_those_of_a_grant() {
        for (grant, uri) in [
            ("http:https://api.example.com", "https://api.example.com/v1?x=1"),
            ("http:https://api.example.com", "https://API.Example.COM:443/"),
            ("http:https://api.example.com", "https://api.example.com./"),
            ("http:http://api.example.com:8080", "http://api.example.com:8080/"),
            ("http:http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
            ("http:https://[::1]:8443", "https://[::1]:8443/"),
            ("http:https://[::1]:8443", "https://[0:0:0:0:0:0:0:1]:8443/"),
        ] {
            assert!(passes(grant, uri), "{grant} lets {uri} through");
        }
    }

    #[test]
    fn every_other_request_does_not() {
        for (grant, uri) in [
            ("http:https://api.example.com", "http://api.example.com/"),
            ("http:https://api.example.com", "http://api.example.com:443/"),
            ("http:https://api.example.com", "https://api.example.com:8443/"),
            ("http:https://api.example.com", "https://example.com/"),
            ("http:https://api.example.com", "https://api.example.com.evil.example/"),
            ("http:https://api.example.com", "https://evil-api.example.com/"),
            ("http:https://api.example.com", "https://user@api.example.com/"),
            ("http:https://api.example.com", "https://api.example.com@evil.example/"),
            ("http:https://api.example.com", "https://evil.example/api.example.com"),
            ("http:https://api.example.com", "https://api.example.com../"),
            ("http:https://api.example.com", "https://api.example.com:/"),
            ("http:https://api.example.com", "https://api.example.com:0443x/"),
            ("http:https://api.example.com", "ftp://api.example.com/"),
            ("http:http://127.0.0.1", "http://127.1/"),
            ("http:http://127.0.0.1", "http://2130706433/"),
            ("http:http://127.0.0.1", "http://0x7f000001/"),
            ("http:http://127.0.0.1", "http://0x7f.0.0.1/"),
            ("http:http://127.0.0.1", "http://0177.0.0.1/"),
            ("http:http://127.0.0.1", "http://127.0.0.1./"),
            ("http:http://127.0.0.1", "http://[::ffff:127.0.0.1]/"),
            ("http:http://127.0.0.1", "http://[127.0.0.1]/"),
            ("http:http://127.0.0.1", "http://localhost/"),
            ("http:http://[fe80::1]", "http://[fe80::1%25eth0]/"),
        ] {
            assert!(!passes(grant, uri), "{grant} lets {uri} through");
        }
    }
}
