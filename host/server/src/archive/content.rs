//! A request's content: JSON, a form, or several parts, in the charset that it names.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use encoding_rs::Encoding;
use futures::stream;
use hookbox_archive::body::{Body, Fields, Value, read_json};

use super::fault::Fault;
use super::media::{MediaType, text_of};

/// Fields of a form, and parameters of a query, at most.
pub(crate) const MAX_FIELDS: usize = 1_000;

/// Reads a body by the media type that the request names.
///
/// # Errors
/// [`Fault::Media`] for a type that is none of the three, [`Fault::Malformed`] for content that is not of its type.
pub(crate) async fn read(headers: &HeaderMap, bytes: Bytes) -> Result<Body, Fault> {
    let named = text_of(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let media = MediaType::read(&named);
    let charset = Charset::named(media.parameter("charset"));
    if bytes.is_empty() {
        let form = !media.admits("application", "json")
            && (media.admits("application", "x-www-form-urlencoded")
                || media.admits("multipart", "form-data"));
        return Ok(Body::Fields(Fields { form, ..Fields::default() }));
    }
    if media.admits("application", "json") {
        let refused = |reason: String| Fault::Malformed(format!("JSON parse error - {reason}"));
        let text = charset.strict(&bytes).ok_or_else(|| refused("the text is not in its charset".into()))?;
        return read_json(&text).map_err(|error| refused(error.to_string()));
    }
    if media.admits("application", "x-www-form-urlencoded") {
        return Ok(Body::Fields(Fields::of_form(url_encoded(&bytes, charset)?)));
    }
    if media.admits("multipart", "form-data") {
        let pairs = parts(bytes, media.parameter("boundary"), charset).await?;
        return Ok(Body::Fields(Fields::of_form(pairs)));
    }
    Err(Fault::Media(named))
}

fn too_many() -> Fault {
    Fault::Malformed(format!("the form has more than {MAX_FIELDS} fields"))
}

/// Pairs of a form; pieces without `=` are names with an empty value.
fn url_encoded(bytes: &[u8], charset: Charset) -> Result<Vec<(String, Value)>, Fault> {
    if bytes.iter().filter(|byte| **byte == b'&').count() >= MAX_FIELDS {
        return Err(too_many());
    }
    let decoded = |text: &[u8]| {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
        charset.lossy(&bytes)
    };
    let pieces = bytes.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
    Ok(pieces
        .map(|piece| {
            let at = piece.iter().position(|byte| *byte == b'=');
            let (name, value) = at.map_or((piece, &b""[..]), |at| (&piece[..at], &piece[at + 1..]));
            (decoded(name), Value::Text(decoded(value).as_str().into()))
        })
        .collect())
}

/// The parts of a multipart body. Like Django's parser it takes what is there of a body that ends too soon.
async fn parts(
    bytes: Bytes,
    boundary: Option<&str>,
    charset: Charset,
) -> Result<Vec<(String, Value)>, Fault> {
    let refused = |boundary: &str| {
        Fault::Malformed(format!("Multipart form parse error - Invalid boundary in multipart: {boundary}"))
    };
    let boundary = boundary.ok_or_else(|| refused("None"))?;
    let sound = (1..=201).contains(&boundary.len())
        && boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !boundary.ends_with(' ');
    if !sound {
        return Err(refused(boundary));
    }
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut multipart = multer::Multipart::new(whole, boundary);
    let (mut values, mut files) = (Vec::new(), Vec::new());
    while let Ok(Some(field)) = multipart.next_field().await {
        let Some(name) = field.name().map(str::to_owned) else { continue };
        let file = field.file_name().map(|name| !name.is_empty());
        let Ok(content) = field.bytes().await else { break };
        match file {
            None => values.push((name, Value::Text(charset.lossy(&content).as_str().into()))),
            Some(true) => files.push((name, Value::File)),
            Some(false) => {}
        }
        if values.len() + files.len() > MAX_FIELDS {
            return Err(too_many());
        }
    }
    // Files come after all text: of one name, the file counts.
    values.append(&mut files);
    Ok(values)
}

/// How bytes are text.
#[derive(Debug, Clone, Copy)]
enum Charset {
    Utf8,
    Latin1,
    Ascii,
    Other(&'static Encoding),
}

impl Charset {
    /// The charset of this name; UTF-8 for none, and for one that nobody knows.
    fn named(name: Option<&str>) -> Self {
        let Some(name) = name else { return Self::Utf8 };
        // Python's names and codecs, where the Web's differ.
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "l1" => Self::Latin1,
            "ascii" | "us-ascii" | "646" => Self::Ascii,
            "utf8" => Self::Utf8,
            other => match Encoding::for_label(other.as_bytes()) {
                Some(encoding) if encoding != encoding_rs::UTF_8 => Self::Other(encoding),
                _ => Self::Utf8,
            },
        }
    }

    /// The text, when every byte has a meaning.
    fn strict(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
            Self::Ascii if !bytes.is_ascii() => None,
            Self::Latin1 | Self::Ascii => Some(bytes.iter().copied().map(char::from).collect()),
            Self::Other(encoding) => {
                // UTF-16 without further name is told apart by its byte order mark.
                let (encoding, bytes) = match Encoding::for_bom(bytes) {
                    Some((found, length)) if encoding == encoding_rs::UTF_16LE => (found, &bytes[length..]),
                    _ => (encoding, bytes),
                };
                encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Into::into)
            }
        }
    }

    /// The text, with U+FFFD for what has no meaning.
    fn lossy(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Latin1 => bytes.iter().copied().map(char::from).collect(),
            Self::Ascii => bytes
                .iter()
                .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' })
                .collect(),
            Self::Other(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}
