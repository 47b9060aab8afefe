//! What host and compiling process say to each other. The host: eight bytes of length and the component. The process:
//! [`MAGIC`], four bytes of length, that much JSON (a [`Header`]), and the code. Numbers are little-endian.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::admission::Metadata;

/// What an answer begins with.
const MAGIC: &[u8; 8] = b"hookbox1";
/// Bytes of a header. Its texts are cut far below this.
const HEADER_BYTES: u32 = 64 << 10;

/// What the answer says of the component.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Who the component says it is.
    pub(super) metadata: Metadata,
    /// Why there is no code.
    pub(super) refused: Option<Refused>,
    /// Bytes of code that follow.
    pub(super) length: u64,
}

/// Which step refused the component, and why.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Refused {
    /// It is not sound.
    Parsing(String),
    /// The compiler does not take it.
    Compiling(String),
}

/// A stream that does not hold what it should.
#[derive(Debug)]
pub(super) enum Fault {
    /// It ended early, or failed.
    Ended,
    /// It holds something else.
    Garbage(&'static str),
    /// It announces more code than there may be.
    TooMuchCode(u64),
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

pub(super) fn write_component(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

pub(super) fn read_component(mut from: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > most as u64 {
        return Err(io::Error::other("it is longer than a component may be"));
    }
    exactly(from, length)
}

pub(super) fn write_answer(mut to: impl Write, header: &Header, code: &[u8]) -> io::Result<()> {
    let json = serde_json::to_vec(header)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    to.write_all(MAGIC)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&json)?;
    to.write_all(code)?;
    to.flush()
}

/// Reads an answer with at most this many bytes of code. Whoever wrote it is not trusted.
pub(super) fn read_answer(mut from: impl Read, most: u64) -> Result<(Header, Vec<u8>), Fault> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(Fault::Garbage("no answer at all"));
    }
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > HEADER_BYTES {
        return Err(Fault::Garbage("an answer with too long a header"));
    }
    let json = exactly(&mut from, length.into())?;
    let header: Header =
        serde_json::from_slice(&json).map_err(|_| Fault::Garbage("an answer with another header"))?;
    if header.length > most {
        return Err(Fault::TooMuchCode(header.length));
    }
    if header.refused.is_some() != (header.length == 0) {
        return Err(Fault::Garbage("an answer that contradicts itself"));
    }
    let code = exactly(&mut from, header.length)?;
    Ok((header, code))
}

/// Takes memory for what is there, not for what is announced.
fn exactly(from: impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn answer(header: &Header, code: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_answer(&mut bytes, header, code).unwrap();
        bytes
    }

    #[test]
    fn a_component_arrives_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        write_component(&mut bytes, b"component").unwrap();
        assert_eq!(read_component(&bytes[..], 9).unwrap(), b"component");
        assert!(read_component(&bytes[..], 8).is_err());
        for cut in 0..bytes.len() {
            assert!(read_component(&bytes[..cut], 9).is_err());
        }
    }

    #[test]
    fn an_answer_is_whole_bounded_and_consistent() {
        let sound = answer(&Header { length: 4, ..Header::default() }, b"code");
        assert_eq!(read_answer(&sound[..], 4).unwrap().1, b"code");
        assert!(matches!(read_answer(&sound[..], 3), Err(Fault::TooMuchCode(4))));
        for cut in 0..sound.len() {
            assert!(matches!(read_answer(&sound[..cut], 4), Err(Fault::Ended)));
        }
        let announced = answer(&Header { length: u64::MAX, ..Header::default() }, b"");
        assert!(matches!(read_answer(&announced[..], u64::MAX), Err(Fault::Ended)));
        let neither = answer(&Header::default(), b"");
        assert!(matches!(read_answer(&neither[..], 4), Err(Fault::Garbage(_))));
        let refused = Some(Refused::Parsing("no".into()));
        let both = answer(&Header { refused, length: 4, ..Header::default() }, b"code");
        assert!(matches!(read_answer(&both[..], 4), Err(Fault::Garbage(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_a_fault(bytes: Vec<u8>, at in 0_usize..60, flip: u8) {
            let _ = read_answer(&bytes[..], 1_000);
            let mut damaged = answer(&Header { length: 4, ..Header::default() }, b"code");
            let at = at % damaged.len();
            damaged[at] ^= flip;
            let _ = read_answer(&damaged[..], 1_000);
        }
    }
}
