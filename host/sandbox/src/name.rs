//! The name that a component gives itself, before anybody looks at the rest of it.

use wasmparser::{ComponentName, ComponentNameSectionReader, Parser, Payload};

/// The name in a component's own name section, escaped and cut; `None` where there is none, or the bytes are no component.
/// Reads the outermost layer alone, in one pass: what is nested deeper costs nothing.
pub fn name_of(bytes: &[u8]) -> Option<String> {
    let (mut parser, mut rest) = (Parser::new(0), bytes);
    loop {
        let (used, payload) = match parser.parse(rest, true).ok()? {
            wasmparser::Chunk::Parsed { consumed, payload } => (consumed, payload),
            wasmparser::Chunk::NeedMoreData(_) => return None,
        };
        rest = rest.get(used..)?;
        match payload {
            Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } => {
                // The parser has gone past it already; the bytes are for a parser of their own.
                let size = unchecked_range.end.checked_sub(unchecked_range.start)?;
                rest = rest.get(size..)?;
            }
            Payload::CustomSection(section) if section.name() == "component-name" => {
                let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
                let names = ComponentNameSectionReader::new(reader);
                let name = names.into_iter().find_map(|part| match part {
                    Ok(ComponentName::Component { name, .. }) => Some(name),
                    _ => None,
                });
                return name.map(|name| crate::log::escape(name, 256));
            }
            Payload::End(_) => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    fn component() -> Vec<u8> {
        let prebuilt = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-plugins/prebuilt");
        std::fs::read(format!("{prebuilt}/course-about-url.wasm")).unwrap()
    }

    #[test]
    fn a_component_says_its_name() {
        assert_eq!(name_of(&component()).as_deref(), Some("course-about-url"));
    }

    #[test]
    fn bytes_without_a_name_have_none() {
        for bytes in [&b""[..], b"(component)", b"\0asm", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"] {
            assert_eq!(name_of(bytes), None);
        }
    }

    #[test]
    fn damaged_bytes_are_read_without_harm() {
        let whole = component();
        for end in (0..whole.len()).step_by(97) {
            name_of(&whole[..end]);
        }
        for at in (0..2_000).chain(whole.len() - 2_000..whole.len()) {
            for byte in [0, 1, 4, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                name_of(&damaged);
            }
        }
    }
}
