//! A request's content: JSON, a form, or several parts, in the charset that it names.

use axum::http::{HeaderMap, header};
use hookbox_archive::body::{Body, Fields, Value, read_json};
use hookbox_archive::python;

use super::charset::Charset;
use super::fault::Fault;
use super::media::{MediaType, text_of};
use super::{form, multipart};

/// Fields of a form, and parameters of a query, at most.
pub(crate) const MAX_FIELDS: usize = 1_000;

/// What a request holds.
#[derive(Debug)]
pub(crate) struct Content {
    /// The fields that the rules read.
    pub(crate) body: Body,
    /// `csrfmiddlewaretoken` of a form, of several the last.
    pub(crate) csrf_token: Option<String>,
}

impl From<Body> for Content {
    fn from(body: Body) -> Self {
        Self { body, csrf_token: None }
    }
}

/// Reads a body by the media type that the request names.
///
/// # Errors
/// [`Fault::Media`] for a type that is none of the three, [`Fault::Malformed`] for content that is not of its type,
/// [`Fault::BadRequest`] for a form of too many fields or files.
pub(crate) fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Content, Fault> {
    let named = text_of(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let media = MediaType::read(&named);
    if bytes.is_empty() {
        let form = !media.admits("application", "json")
            && (media.admits("application", "x-www-form-urlencoded")
                || media.admits("multipart", "form-data"));
        return Ok(Body::Fields(Fields { form, ..Fields::default() }).into());
    }
    let header = Header::read(&named).unwrap_or_default();
    let charset = Charset::named(header.parameter("charset"));
    if media.admits("application", "json") {
        let refused = |reason: String| Fault::Malformed(format!("JSON parse error - {reason}"));
        let text = charset.streamed(bytes).ok_or_else(|| refused("the text is not in its charset".into()))?;
        return Ok(read_json(&text).map_err(|error| refused(error.to_string()))?.into());
    }
    let pairs = if media.admits("application", "x-www-form-urlencoded") {
        let pairs = form::pairs(bytes, charset)?;
        pairs.into_iter().map(|(name, value)| (name, Value::Text(value.as_str().into()))).collect()
    } else if media.admits("multipart", "form-data") {
        let refused = |reason: String| Fault::Malformed(format!("Multipart form parse error - {reason}"));
        let boundary = boundary(&named, &header).map_err(refused)?;
        multipart::pairs(bytes, boundary, charset)?
    } else {
        return Err(Fault::Media(named));
    };
    // A type with a wildcard is read as a form, and yet has no token.
    let exact = ["application/x-www-form-urlencoded", "multipart/form-data"].contains(&header.main.as_str());
    let token = pairs.iter().rev().find_map(|(name, value)| match value {
        Value::Text(token) if exact && name == "csrfmiddlewaretoken" => Some(token.text.clone()),
        _ => None,
    });
    Ok(Content { body: Body::Fields(Fields::of_form(pairs)), csrf_token: token })
}

/// What stands between parts. Other than the choice of a parser, this looks at the header's own letters.
fn boundary<'a>(named: &str, header: &'a Header) -> Result<&'a str, String> {
    if !named.starts_with("multipart/") {
        return Err(format!("Invalid Content-Type: {named}"));
    }
    if !named.is_ascii() {
        return Err(format!("Invalid non-ASCII Content-Type in multipart: {named}"));
    }
    let boundary = header.parameter("boundary");
    let sound = |boundary: &&str| {
        (1..=201).contains(&boundary.len())
            && boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            && !boundary.ends_with(' ')
    };
    boundary
        .filter(sound)
        .ok_or_else(|| format!("Invalid boundary in multipart: {}", boundary.unwrap_or("None")))
}

/// A header with parameters, read as Django does with Python's `email`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Header {
    /// What stands before the parameters, in small letters.
    pub(super) main: String,
    parameters: Vec<(String, String)>,
}

impl Header {
    /// Reads a header. `None` when an extended parameter (RFC 2231) is in no known charset.
    pub(super) fn read(line: &str) -> Option<Self> {
        if !line.contains(';') {
            return Some(Self { main: python::strip(line).to_lowercase(), parameters: Vec::new() });
        }
        let mut pieces = pieces(line).map(|piece| match piece.split_once('=') {
            Some((name, value)) => (python::strip(name).to_lowercase(), python::strip(value)),
            None => (python::strip(piece).to_owned(), ""),
        });
        let main = pieces.next()?.0.to_lowercase();
        let mut parameters = Vec::new();
        let mut extended: Vec<(String, Vec<Section>)> = Vec::new();
        for (name, value) in pieces {
            let value = unquoted(value);
            let Some((base, number)) = section(&name) else {
                parameters.push((name, value));
                continue;
            };
            let section = Section { number, value, encoded: name.ends_with('*') };
            match extended.iter_mut().find(|(known, _)| known == base) {
                Some((_, sections)) => sections.push(section),
                None => extended.push((base.to_owned(), vec![section])),
            }
        }
        for (name, sections) in extended {
            parameters.push((name, joined(sections)?));
        }
        Some(Self { main, parameters })
    }

    /// A parameter's value; of several, the last.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it has no other parameters than this.
    pub(super) fn has_only(&self, name: &str) -> bool {
        self.parameters.iter().all(|(known, _)| known == name)
    }
}

/// A piece of an extended parameter. Sorted by its number, which has no leading zeros and compares by length first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Section {
    number: Option<(usize, String)>,
    value: String,
    encoded: bool,
}

/// Splits at semicolons that are not quoted.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut before) = (false, ';');
    line.split(move |letter| {
        quoted ^= letter == '"' && before != '\\';
        before = letter;
        letter == ';' && !quoted
    })
}

/// Removes quotes, or angle brackets.
fn unquoted(text: &str) -> String {
    let within = |first, last| text.strip_prefix(first).and_then(|text: &str| text.strip_suffix(last));
    match (within('"', '"'), within('<', '>')) {
        (Some(inner), _) => inner.replace("\\\\", "\\").replace("\\\"", "\""),
        (None, Some(inner)) => inner.to_owned(),
        (None, None) => text.to_owned(),
    }
}

/// The name and the number of `name*`, `name*0` or `name*0*`.
fn section(name: &str) -> Option<(&str, Option<(usize, String)>)> {
    let (base, rest) = name.split_once('*')?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if base.is_empty() || !base.bytes().all(word) {
        return None;
    }
    if rest.is_empty() {
        return Some((base, None));
    }
    let digits = rest.strip_suffix('*').unwrap_or(rest);
    let number = digits.trim_start_matches('0').to_owned();
    let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then_some((base, Some((number.len(), number))))
}

/// The value of an extended parameter. Without a charset it is ASCII.
fn joined(mut sections: Vec<Section>) -> Option<String> {
    // Django fails when some have a number and some have none.
    if sections.iter().any(|section| section.number.is_none() != sections[0].number.is_none()) {
        return None;
    }
    sections.sort();
    let decoded = |section: &Section| {
        if section.encoded { form::unquoted(&section.value, Charset::Latin1) } else { section.value.clone() }
    };
    let value: String = sections.iter().map(decoded).collect();
    if !sections.iter().any(|section| section.encoded) {
        return Some(value);
    }
    let mut parts = value.splitn(3, '\'');
    let (charset, text) = match (parts.next(), parts.next(), parts.next()) {
        (Some(""), Some(_), Some(text)) => return Some(unquoted(text)),
        (Some(charset), Some(_), Some(text)) => (Charset::known(charset)?, text),
        _ => (Charset::Ascii, value.as_str()),
    };
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match (u8::try_from(letter), u32::from(letter)) {
            (Ok(byte), _) => bytes.push(byte),
            (Err(_), code @ ..=0xffff) => bytes.extend(format!("\\u{code:04x}").bytes()),
            (Err(_), code) => bytes.extend(format!("\\U{code:08x}").bytes()),
        }
    }
    Some(charset.lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(media: &str, body: &[u8]) -> Result<Content, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media.parse().unwrap());
        read(&headers, body)
    }

    fn course(media: &str, body: &[u8]) -> String {
        match reading(media, body) {
            Ok(Content { body: Body::Fields(Fields { course_id: Some(Value::Text(text)), .. }), .. }) => {
                text.text
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn json_is_read_in_its_charset() {
        for (charset, body) in [
            ("utf-8", "{\"course_id\":\"é\"}".as_bytes()),
            ("utf-8", b"{\"course_id\":\"\xc3\xa9\"}\xc3"),
            ("utf-8-sig", b"\xef\xbb\xbf{\"course_id\":\"\xc3\xa9\"}"),
            ("latin-1", b"{\"course_id\":\"\xe9\"}"),
            ("replacement", b"{\"course_id\":\"\xc3\xa9\"}"),
        ] {
            assert_eq!(
                course(&format!("application/json; charset={charset}"), body),
                "é",
                "{charset} {body:?}"
            );
        }
        for (charset, body) in [
            ("utf-8", &b"\xc3"[..]),
            ("utf-8", b"\xef\xbb\xbf{}"),
            ("utf-8", b"{\"a\":\"\xff\"}"),
            ("utf-16", b"{\0}\0"),
            ("utf-16-le", b"\xff\xfe{\0}\0"),
        ] {
            let read = reading(&format!("application/json; charset={charset}"), body);
            assert!(matches!(read, Err(Fault::Malformed(_))), "{charset} {body:?}");
        }
    }

    #[test]
    fn a_boundary_is_read_as_django_does() {
        let body = b"--X\r\nContent-Disposition: form-data; name=course_id\r\n\r\na\r\n--X--";
        for media in [
            "multipart/form-data; boundary=X",
            "multipart/Form-Data; BOUNDARY=\"X\"",
            "multipart/*; boundary=X",
            "multipart/form-data; boundary*=utf-8''X",
            "multipart/form-data; boundary=Y; boundary=X",
            "multipart/form-data; boundary=<X>",
        ] {
            assert_eq!(course(media, body), "a", "{media}");
        }
        for (media, reason) in [
            ("Multipart/Form-Data; boundary=X", "Invalid Content-Type: Multipart/Form-Data; boundary=X"),
            ("*/form-data; boundary=X", "Invalid Content-Type: */form-data; boundary=X"),
            ("multipart/form-data", "Invalid boundary in multipart: None"),
            ("multipart/form-data; boundary=", "Invalid boundary in multipart: "),
            ("multipart/form-data; boundary=\"X \"", "Invalid boundary in multipart: X "),
        ] {
            let Err(Fault::Malformed(detail)) = reading(media, body) else { panic!("{media}") };
            assert_eq!(detail, format!("Multipart form parse error - {reason}"));
        }
        assert!(matches!(reading("text/plain", body), Err(Fault::Media(_))));
    }

    #[test]
    fn a_form_has_a_token() {
        let form = "application/x-www-form-urlencoded";
        for (media, token) in [(form, Some("b")), ("*/x-www-form-urlencoded", None)] {
            let content = reading(media, b"csrfmiddlewaretoken=a&csrfmiddlewaretoken=b").unwrap();
            assert_eq!(content.csrf_token.as_deref(), token, "{media}");
        }
        let part = b"--X\r\nContent-Disposition: a; name=csrfmiddlewaretoken\r\n\r\nc\r\n--X--";
        let content = reading("multipart/form-data; boundary=X", part).unwrap();
        assert_eq!(content.csrf_token.as_deref(), Some("c"));
        let json = reading("application/json", b"{\"csrfmiddlewaretoken\":\"a\"}").unwrap();
        assert_eq!(json.csrf_token, None);
    }

    #[test]
    fn a_body_without_bytes_has_no_fields() {
        for (media, form) in
            [("application/json", false), ("multipart/form-data", true), ("text/plain", false)]
        {
            let empty = Body::Fields(Fields { form, ..Fields::default() });
            assert_eq!(reading(media, b"").unwrap().body, empty, "{media}");
        }
    }

    #[test]
    fn parameters_are_read_as_pythons_email_does() {
        for (line, value) in [
            ("a; NAME=b", Some("b")),
            ("a; name=b; name=c", Some("c")),
            ("a; name=\" b;\\\"c \"", Some(" b;\"c ")),
            ("a; name = b ", Some("b")),
            ("a; name=<b>", Some("b")),
            ("a; name", Some("")),
            ("a; name*=utf-8''course%5Fid", Some("course_id")),
            ("a; name*=utf-8'en'%C3%A9; name=b", Some("é")),
            ("a; name*=latin-1''%E9", Some("é")),
            ("a; name*=%E9b", Some("\u{fffd}b")),
            ("a; name*=''<b>", Some("b")),
            ("a; name*1=c; name*0=b", Some("bc")),
            ("a; name*10=d; name*2*=c; name*0*=utf-8''b", Some("bcd")),
            ("a", None),
        ] {
            let header = Header::read(line).unwrap();
            assert_eq!((header.main.as_str(), header.parameter("name")), ("a", value), "{line}");
        }
        for line in ["a; name*=nobodys''b", "a; name*=b; name*0=c"] {
            assert_eq!(Header::read(line), None, "{line}");
        }
    }
}
