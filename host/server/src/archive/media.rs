//! Media types: what a client accepts, and what it says that its body is.

use axum::http::{HeaderMap, HeaderName, header};
use hookbox_archive::python;

use super::content::Header;

/// A media type with its parameters.
#[derive(Debug)]
pub(crate) struct MediaType {
    main: String,
    sub: String,
    header: Header,
}

impl MediaType {
    /// Reads a header's value leniently: whatever is there has some meaning.
    pub(crate) fn read(text: &str) -> Self {
        let full = text.split(';').next().unwrap_or_default().trim().to_lowercase();
        let (main, sub) = full.split_once('/').unwrap_or((&full, ""));
        let header = Header::read(text).unwrap_or_default();
        Self { main: main.to_owned(), sub: sub.to_owned(), header }
    }

    /// A parameter's value; of several, the last.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.header.parameter(name)
    }

    /// Whether it is, or admits, this type. Its parameters play no part.
    pub(crate) fn admits(&self, main: &str, sub: &str) -> bool {
        (self.main == "*" || self.main == main) && (self.sub == "*" || self.sub == sub)
    }

    /// The more specific one is tried first.
    fn precedence(&self) -> u8 {
        if self.main == "*" {
            0
        } else if self.sub == "*" {
            1
        } else if self.header.has_only("q") {
            2
        } else {
            3
        }
    }
}

/// A header's text; bytes beyond ASCII are read as Latin-1, as WSGI does.
pub(crate) fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// How JSON is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// Spaces a level; 0 is compact.
    pub(crate) indent: u8,
}

/// Whether the client takes JSON, and how it wants it written. `None` when it takes none.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<Layout> {
    let Some(accept) = text_of(headers, &header::ACCEPT) else { return Some(Layout::default()) };
    let mut best: Option<MediaType> = None;
    for range in accept.split(',') {
        let range = MediaType::read(range.trim());
        let better = best.as_ref().is_none_or(|best| range.precedence() > best.precedence());
        if better && range.admits("application", "json") {
            best = Some(range);
        }
    }
    let indent = best?.parameter("indent").and_then(python::int).map_or(0, |indent| match indent {
        python::Int::Fits(indent) => u8::try_from(indent.clamp(0, 8)).unwrap_or_default(),
        python::Int::Huge { negative } => {
            if negative {
                0
            } else {
                8
            }
        }
    });
    Some(Layout { indent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(accept: &str) -> Option<u8> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        accepted(&headers).map(|layout| layout.indent)
    }

    #[test]
    fn json_must_be_acceptable() {
        assert_eq!(accepted(&HeaderMap::new()), Some(Layout { indent: 0 }));
        for yes in [
            "application/json",
            "APPLICATION/JSON",
            "*/*",
            "application/*",
            "*/json",
            "*/*;q=0",
            "text/html, */*;q=0.1",
            "application/json; version=2",
            "application/json;charset=latin-1",
        ] {
            assert_eq!(layout(yes), Some(0), "{yes}");
        }
        for no in [
            "",
            "text/html",
            "application/xml",
            "*",
            "json",
            "application/",
            "application/jsonp",
            "text/json",
        ] {
            assert_eq!(layout(no), None, "{no}");
        }
    }

    #[test]
    fn the_most_specific_range_says_the_indent() {
        for (accept, indent) in [
            ("application/json; indent=4", 4),
            ("application/json; indent=99", 8),
            ("application/json; indent=0", 0),
            ("application/json; indent=-3", 0),
            ("application/json; indent=x", 0),
            ("application/json; indent=\"2\"", 2),
            ("*/*; indent=3", 3),
            ("application/json; indent*=4", 4),
            ("application/json; indent*=utf-8''4", 4),
            ("application/json, */*; indent=4", 0),
            ("text/html, application/json; q=0.1; indent=4, */*", 4),
        ] {
            assert_eq!(layout(accept), Some(indent), "{accept}");
        }
    }

    #[test]
    fn parameters_may_be_quoted() {
        let media = MediaType::read("Multipart/Form-Data; boundary=\"a;b\\\"c\"; Charset=UTF-8");
        assert!(media.admits("multipart", "form-data"));
        assert_eq!(media.parameter("boundary"), Some("a;b\"c"));
        assert_eq!(media.parameter("charset"), Some("UTF-8"));
    }
}
