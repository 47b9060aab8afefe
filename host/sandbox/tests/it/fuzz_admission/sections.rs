//! Components taken apart into sections and put together in another way, with lengths that hold.

use hookbox_fuzz::{Mutation, mutate, mutations};
use proptest::collection::vec;
use proptest::prelude::*;

use super::WORDS;

/// A component or module.
#[derive(Debug, Clone)]
struct Binary {
    header: Vec<u8>,
    sections: Vec<Section>,
}

#[derive(Debug, Clone)]
struct Section {
    id: u8,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Bytes(Vec<u8>),
    Binary(Binary),
}

#[derive(Debug, Clone)]
enum Edit {
    Remove,
    Repeat,
    Exchange,
    Change(Vec<Mutation>),
    /// Before it comes a section of the other component.
    Graft(u16),
}

/// One component with sections of another, left out, repeated, exchanged and changed.
pub(super) fn spliced(all: impl Strategy<Value = Vec<u8>> + Clone) -> impl Strategy<Value = Vec<u8>> {
    let edit = prop_oneof![
        1 => Just(Edit::Remove),
        1 => Just(Edit::Repeat),
        1 => Just(Edit::Exchange),
        6 => mutations(WORDS).prop_map(Edit::Change),
        2 => any::<u16>().prop_map(Edit::Graft),
    ];
    (all.clone(), all, vec((any::<u16>(), edit), 1..4)).prop_map(|(one, other, edits)| {
        let (Some(mut binary), Some(other)) = (Binary::read(&one), Binary::read(&other)) else { return one };
        for (at, edit) in edits {
            let place = usize::from(at) * binary.count() / 65_536;
            binary.edit(place, &edit, &other);
        }
        binary.bytes()
    })
}

impl Binary {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (header, mut rest) = bytes.split_at_checked(8)?;
        let mut sections = Vec::new();
        while let Some((id, after)) = rest.split_first() {
            let (length, after) = length(after)?;
            let (body, after) = after.split_at_checked(length)?;
            let nested = header[4] != 1 && matches!(id, 1 | 4);
            let inner = nested.then(|| Self::read(body)).flatten();
            let body = inner.map_or_else(|| Body::Bytes(body.to_vec()), Body::Binary);
            sections.push(Section { id: *id, body });
            rest = after;
        }
        Some(Self { header: header.to_vec(), sections })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        for section in &self.sections {
            let body = match &section.body {
                Body::Bytes(body) => body.clone(),
                Body::Binary(binary) => binary.bytes(),
            };
            bytes.push(section.id);
            bytes.extend(leb(body.len()));
            bytes.extend(body);
        }
        bytes
    }

    /// The sections, those inside others too.
    fn count(&self) -> usize {
        let inner = self.sections.iter().map(|section| match &section.body {
            Body::Bytes(_) => 1,
            Body::Binary(binary) => 1 + binary.count(),
        });
        inner.sum()
    }

    fn find(&self, mut place: usize) -> Option<Section> {
        for section in &self.sections {
            if place == 0 {
                return Some(section.clone());
            }
            place -= 1;
            if let Body::Binary(binary) = &section.body {
                match binary.find(place) {
                    Some(found) => return Some(found),
                    None => place -= binary.count(),
                }
            }
        }
        None
    }

    fn edit(&mut self, mut place: usize, edit: &Edit, other: &Self) {
        for at in 0..self.sections.len() {
            if place == 0 {
                return self.edit_here(at, edit, other);
            }
            place -= 1;
            if let Body::Binary(binary) = &mut self.sections[at].body {
                let count = binary.count();
                if place < count {
                    return binary.edit(place, edit, other);
                }
                place -= count;
            }
        }
    }

    fn edit_here(&mut self, at: usize, edit: &Edit, other: &Self) {
        match edit {
            Edit::Remove => drop(self.sections.remove(at)),
            Edit::Repeat => self.sections.insert(at, self.sections[at].clone()),
            Edit::Exchange => {
                let next = (at + 1) % self.sections.len();
                self.sections.swap(at, next);
            }
            Edit::Change(mutations) => match &mut self.sections[at].body {
                Body::Bytes(body) => *body = mutate(body, mutations),
                Body::Binary(binary) => binary.header = mutate(&binary.header, mutations),
            },
            Edit::Graft(from) => {
                let place = usize::from(*from) * other.count() / 65_536;
                self.sections.extend(other.find(place));
                self.sections[at..].rotate_right(1);
            }
        }
    }
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// A number as WebAssembly writes it.
pub(super) fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[test]
fn what_is_taken_apart_can_be_put_together() {
    for bytes in super::components() {
        // Toolchains may write longer numbers than needed, so that bytes differ once.
        let again = Binary::read(&bytes).unwrap().bytes();
        assert!(wasmparser::Validator::new().validate_all(&again).is_ok() || bytes == again);
        assert_eq!(Binary::read(&again).unwrap().bytes(), again);
    }
}
