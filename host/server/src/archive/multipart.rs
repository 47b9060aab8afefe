//! The parts of a form, as Django's `MultiPartParser` reads them.
//!
//! A parser of our own, for exactness: what a part is, where it ends, which of its headers count and what is skipped
//! in silence all differ between Django and the crates that follow RFC 7578. Django is lenient in its own way, and its
//! answers are the promise here.

mod base64;
mod file_name;

use std::ops::Range;

use hookbox_archive::body::Value;
use hookbox_archive::python;

use self::base64::{from_base64, is_base64};
use self::file_name::is_file_name;
use super::charset::Charset;
use super::content::{Header, MAX_FIELDS};
use super::fault::Fault;

/// Files of a form, at most.
const MAX_FILES: usize = 100;

/// Bytes that a part's header may have.
const MAX_HEADER: usize = 1_024;

/// Bytes that Django reads at once. What is left of a part that it skips is a further part from there on.
const READ: usize = 64 * 1_024;

/// Names and values: first all text, then all files, so that of one name the file counts.
///
/// # Errors
/// [`Fault::Malformed`] for a header that does not end and for a file that is not its base64, [`Fault::BadRequest`]
/// for too many fields or files.
pub(super) fn pairs(bytes: &[u8], boundary: &str, charset: Charset) -> Result<Vec<(String, Value)>, Fault> {
    let separator = format!("--{boundary}");
    let mut stream = Stream { bytes, at: 0, read: 0 };
    let (mut texts, mut files) = (Vec::new(), Vec::new());
    let (mut text_count, mut file_count) = (0, 0);
    // A file counts once something follows its end.
    let mut open_file = None;
    while stream.fill() {
        let mut part = Part { stream: &mut stream, separator: separator.as_bytes(), done: false };
        let head = Head::read(&mut part)?;
        files.extend(open_file.take().map(|name| (name, Value::File)));
        if head.file_name.is_none() {
            text_count += 1;
            // Before the first boundary and after the last one there is a part without a name each.
            if text_count > MAX_FIELDS + 2 {
                return Err(Fault::BadRequest("The form has more than 1000 fields."));
            }
        }
        let Some(name) = head.name else { continue };
        let name = charset.lossy(name.trim_matches(is_space).as_bytes());
        let Some(file_name) = head.file_name else {
            let end = part.by_ref().last().map_or(head.content.end, |piece| piece.end);
            let content = &bytes[head.content.start..end];
            let decoded = head.base64.then(|| from_base64(content)).flatten();
            let text = charset.lossy(decoded.as_deref().unwrap_or(content));
            texts.push((name, Value::Text(text.as_str().into())));
            continue;
        };
        file_count += 1;
        if file_count > MAX_FILES {
            return Err(Fault::BadRequest("The form has more than 100 files."));
        }
        if !is_file_name(&charset.lossy(file_name.as_bytes())) {
            continue;
        }
        let content = std::iter::once(head.content).chain(part);
        if !head.base64 {
            content.for_each(drop);
        } else if !is_base64(content.map(|piece| &bytes[piece])) {
            return Err(refused("Could not decode base64 data."));
        }
        open_file = Some(name);
    }
    texts.append(&mut files);
    Ok(texts)
}

fn refused(reason: &str) -> Fault {
    Fault::Malformed(format!("Multipart form parse error - {reason}"))
}

/// The body as Django reads it. What lies between the two positions is read, and nobody's yet.
struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    read: usize,
}

impl Stream<'_> {
    /// Reads on when nothing is left. Whether there is anything.
    fn fill(&mut self) -> bool {
        if self.at == self.read {
            self.read = self.bytes.len().min(self.read + READ);
        }
        self.at < self.read
    }
}

/// A part: positions of its bytes, in pieces that follow each other.
struct Part<'s, 'a> {
    stream: &'s mut Stream<'a>,
    separator: &'s [u8],
    done: bool,
}

impl Iterator for Part<'_, '_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.done {
            return None;
        }
        let Self { stream, separator, done } = self;
        // A boundary with the line ends around it is not to be taken for content when only its beginning is read.
        let held_back = separator.len() + 6;
        let start = stream.at;
        while stream.at - start <= held_back {
            if !stream.fill() {
                *done = true;
                break;
            }
            stream.at = stream.read;
        }
        let piece = &stream.bytes[start..stream.at];
        if piece.is_empty() {
            return None;
        }
        if let Some(end) = find(piece, separator) {
            stream.at = start + end + separator.len();
            *done = true;
            let content = &piece[..end];
            let content = content.strip_suffix(b"\n").unwrap_or(content);
            let content = content.strip_suffix(b"\r").unwrap_or(content);
            return Some(start..start + content.len());
        }
        if piece.len() <= held_back {
            *done = true;
        } else {
            stream.at -= held_back;
        }
        Some(start..stream.at)
    }
}

fn find(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

/// What a part says of itself. Without a name it is skipped.
#[derive(Debug, Default)]
struct Head {
    name: Option<String>,
    file_name: Option<String>,
    base64: bool,
    /// What of the content is read with the header.
    content: Range<usize>,
}

impl Head {
    fn read(part: &mut Part<'_, '_>) -> Result<Self, Fault> {
        let Some(Range { start, mut end }) = part.next() else { return Ok(Self::default()) };
        while end - start < MAX_HEADER {
            let Some(piece) = part.next() else { break };
            end = piece.end;
        }
        let bytes = part.stream.bytes;
        let header = &bytes[start..end.min(start + MAX_HEADER)];
        let Some(length) = find(header, b"\r\n\r\n") else {
            return if header.len() < MAX_HEADER {
                Ok(Self::default())
            } else {
                Err(refused("Request max total header size exceeded."))
            };
        };
        let mut head = Self { content: start + length + 4..end, ..Self::default() };
        let mut rest = &header[..length];
        loop {
            let end = find(rest, b"\r\n");
            head.see(&rest[..end.unwrap_or(rest.len())]);
            let Some(end) = end else { return Ok(head) };
            rest = &rest[end + 2..];
        }
    }

    /// Takes in one line. The last one of a name counts, and what is no header is passed over.
    fn see(&mut self, line: &[u8]) {
        let Some(header) = std::str::from_utf8(line).ok().and_then(Header::read) else { return };
        match header.main.split_once(':') {
            Some(("content-disposition", _)) => {
                self.name = header.parameter("name").map(str::to_owned);
                self.file_name =
                    header.parameter("filename").filter(|name| !name.is_empty()).map(str::to_owned);
            }
            Some(("content-transfer-encoding", encoding)) => {
                self.base64 = python::strip(encoding) == "base64";
            }
            _ => {}
        }
    }
}

/// White space to `bytes.strip()` and `bytes.split()`.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &[u8]) -> String {
        match pairs(body, "X", Charset::Utf8) {
            Ok(pairs) => {
                let shown = pairs.iter().map(|(name, value)| match value {
                    Value::Text(text) => format!("{name}={}", text.text),
                    other => format!("{name}:{}", other.type_name()),
                });
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(Fault::Malformed(detail)) => detail,
            Err(other) => format!("{other:?}"),
        }
    }

    /// One part with these lines of header, and an end.
    fn one(header: &str, content: &str) -> String {
        shown(format!("--X\r\n{header}\r\n\r\n{content}\r\n--X--\r\n").as_bytes())
    }

    #[test]
    fn a_boundary_is_wherever_its_bytes_are() {
        const D: &str = "Content-Disposition: form-data; name";
        for (body, parts) in [
            (format!("--X\r\n{D}=a\r\n\r\nb\r\n--X--"), "a=b"),
            (format!("--X\n{D}=a\r\n\r\nb--X"), "a=b"),
            (format!("--X\r\n{D}=a\r\n\r\nb--X"), "a=b"),
            (format!("--X\r\n{D}=a\r\n\r\nb\n\r\n\r--X"), "a=b\n\r\n"),
            (format!("--X\r\n{D}=a\r\n\r\nb\r\n\r\n--X"), "a=b\r\n"),
            (format!("--X\r\n{D}=a\r\n\r\nb\r\n"), "a=b\r\n"),
            (format!("--X--\r\n{D}=a\r\n\r\nb\r\n--X--\r\n{D}=c\r\n\r\nd"), "a=b c=d"),
            (format!("{D}=a\r\n\r\nb"), "a=b"),
            (format!("--X {D}=a\r\n\r\nb"), "a=b"),
            (format!("--X; {D}=a\r\n\r\nb"), ""),
            (format!("--Xrest: of the line\r\n{D}=a\r\n\r\nb"), "a=b"),
            ("nothing".to_owned(), ""),
        ] {
            assert_eq!(shown(body.as_bytes()), parts, "{body:?}");
        }
    }

    #[test]
    fn a_header_says_what_a_part_is() {
        for (header, parts) in [
            ("CONTENT-DISPOSITION: anything; NAME=a", "a=1"),
            ("Content-Disposition: form-data; name=\" a \"", "a=1"),
            ("Content-Disposition: form-data; name=a; name=b", "b=1"),
            ("Content-Disposition: form-data; name*=utf-8''course%5Fid", "course_id=1"),
            ("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b", "b=1"),
            ("Content-Disposition: form-data", ""),
            ("no header\r\nContent-Disposition: form-data; name=a", "a=1"),
            ("Content-Disposition : form-data; name=a", ""),
            ("Content-Disposition: form-data; name=a; filename=\"\"", "a=1"),
            ("Content-Disposition: form-data; name=a; filename=f", "a:InMemoryUploadedFile"),
            ("Content-Disposition: form-data; name=a; filename*=utf-8''f", "a:InMemoryUploadedFile"),
            ("Content-Disposition: form-data; name=a; filename=\"dir/..\"", ""),
            ("Content-Disposition: form-data; name=a; filename=\"f/\"", ""),
        ] {
            assert_eq!(one(header, "1"), parts, "{header:?}");
        }
        let broken = b"--X\r\nContent-Disposition: a; name=\xff\r\n\r\n1\r\n--X";
        assert_eq!(shown(broken), "");
    }

    #[test]
    fn a_header_has_an_end_within_its_first_bytes() {
        let refused = "Multipart form parse error - Request max total header size exceeded.";
        assert_eq!(shown(&b"x".repeat(MAX_HEADER - 1)), "");
        assert_eq!(shown(&b"x".repeat(MAX_HEADER)), refused);
        let header = |length: usize| {
            let line = "Content-Disposition: form-data; name=a\r\nx:";
            shown(format!("{line}{}\r\n\r\n1", "y".repeat(length - line.len())).as_bytes())
        };
        assert_eq!(header(MAX_HEADER - 4), "a=1");
        assert_eq!(header(MAX_HEADER - 3), refused);
    }

    #[test]
    fn a_file_counts_when_something_follows_and_comes_last() {
        let file = "--X\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n1\r\n";
        let text = "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
        assert_eq!(shown(format!("{file}--X").as_bytes()), "");
        assert_eq!(shown(file.as_bytes()), "");
        assert_eq!(shown(format!("{file}--X-").as_bytes()), "a:InMemoryUploadedFile");
        assert_eq!(shown(format!("{file}{text}").as_bytes()), "a=1\r\n a:InMemoryUploadedFile");
    }

    #[test]
    fn base64_is_decoded() {
        const CODED: &str = "\r\nContent-Transfer-Encoding: BASE64 ";
        let text = format!("Content-Disposition: form-data; name=a{CODED}");
        for (content, decoded) in [
            ("dHJ1ZQ==", "a=true"),
            ("d!H\r\nJ1ZQ==dHJ1", "a=true"),
            ("dHJ1ZQ", "a=dHJ1ZQ"),
            ("=dHJ1", "a=tru"),
            ("", "a="),
        ] {
            assert_eq!(one(&text, content), decoded, "{content:?}");
        }
        let file = format!("Content-Disposition: form-data; name=a; filename=f{CODED}");
        for (content, sound) in [("dH\r\n J1", true), ("", true), ("dHJ", false), ("d!!!", false)] {
            let refused = "Multipart form parse error - Could not decode base64 data.";
            let shown = if sound { "a:InMemoryUploadedFile" } else { refused };
            assert_eq!(one(&file, content), shown, "{content:?}");
        }
    }

    #[test]
    fn file_names_are_cleaned() {
        for yes in
            ["f", "/dir/f", "C:\\f", "...", "&amp;", "&#47;f", "&lt", "\"", "\\x", "é", "e\u{301}", "\u{301}"]
        {
            assert!(is_file_name(yes), "{yes:?}");
        }
        for no in [
            "",
            ".",
            "..",
            "a/",
            "a\\",
            "a/\\..",
            "&#46;",
            "&#x2E;.",
            "a&#47",
            "a&sol;",
            "\u{7}",
            "\u{200b}",
            "\u{a0}",
            "&#1;",
            "&#x85;\u{85}",
        ] {
            assert_eq!(is_file_name(no), no == "&#x85;\u{85}", "{no:?}");
        }
    }

    #[test]
    fn fields_and_files_are_counted() {
        let parts = |count: usize, file: &str| {
            let part = format!("--X\r\nContent-Disposition: form-data; name=a{file}\r\n\r\n1\r\n");
            pairs(format!("{}--X--", part.repeat(count)).as_bytes(), "X", Charset::Utf8)
        };
        assert_eq!(parts(MAX_FIELDS, "").unwrap().len(), MAX_FIELDS);
        assert!(matches!(parts(MAX_FIELDS + 1, ""), Err(Fault::BadRequest(_))));
        assert_eq!(parts(MAX_FILES, "; filename=f").unwrap().len(), MAX_FILES);
        assert!(matches!(parts(MAX_FILES + 1, "; filename=f"), Err(Fault::BadRequest(_))));
    }

    #[test]
    fn parts_may_be_longer_than_one_read() {
        for length in READ - 150..READ + 10 {
            let content = "y".repeat(length);
            assert_eq!(one("Content-Disposition: form-data; name=a", &content), format!("a={content}"));
        }
        // What is skipped is skipped up to the end of a read.
        let long = one("x: y", &"y".repeat(2 * READ));
        assert_eq!(long, "Multipart form parse error - Request max total header size exceeded.");
    }
}
