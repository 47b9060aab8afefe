//! Changes to bytes and texts that a parser should survive.

use proptest::collection::vec;
use proptest::prelude::*;

/// One change. Places are fractions of the length of 65,536 parts, so that they mean something for every input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// One bit is turned.
    Flip(u16, u8),
    /// One byte is another.
    Set(u16, u8),
    /// These bytes are put in.
    Insert(u16, Vec<u8>),
    /// So many bytes are left out.
    Remove(u16, u8),
    /// So many bytes from the first place are there again at the second.
    Repeat(u16, u16, u8),
    /// The rest is left out.
    Cut(u16),
}

/// A few changes; often just one. `words` are put in as they are: what the format gives a meaning.
pub fn mutations(words: &'static [&'static str]) -> impl Strategy<Value = Vec<Mutation>> + Clone {
    let place = any::<u16>();
    let few = prop_oneof![
        Just(vec![0x00]),
        Just(vec![0xff]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        vec(any::<u8>(), 1..8),
        any::<char>().prop_map(|letter| letter.to_string().into_bytes()),
    ];
    let word = prop::sample::select(if words.is_empty() { &[""] } else { words })
        .prop_map(|word| word.as_bytes().to_vec());
    let one = prop_oneof![
        4 => (place, 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        4 => (place, any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        3 => (place, few).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        4 => (place, word).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        3 => (place, 1..32_u8).prop_map(|(at, count)| Mutation::Remove(at, count)),
        2 => (place, place, 1..64_u8).prop_map(|(from, to, count)| Mutation::Repeat(from, to, count)),
        1 => place.prop_map(Mutation::Cut),
    ];
    prop_oneof![Just(Vec::new()), vec(one.clone(), 1..2), vec(one, 1..6)]
}

/// The bytes with the changes, one after the other.
pub fn mutate(bytes: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for mutation in mutations {
        let length = bytes.len();
        let place = |at: u16| usize::from(at) * length / 65_536;
        let span = |at: u16, count: u8| place(at)..(place(at) + usize::from(count)).min(length);
        match mutation {
            Mutation::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(place(*at)) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Mutation::Set(at, new) => {
                if let Some(byte) = bytes.get_mut(place(*at)) {
                    *byte = *new;
                }
            }
            Mutation::Insert(at, new) => drop(bytes.splice(place(*at)..place(*at), new.iter().copied())),
            Mutation::Remove(at, count) => drop(bytes.drain(span(*at, *count))),
            Mutation::Repeat(from, to, count) => {
                let again = bytes[span(*from, *count)].to_vec();
                drop(bytes.splice(place(*to)..place(*to), again));
            }
            Mutation::Cut(at) => bytes.truncate(place(*at)),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_change_is_too_much_for_any_length() {
        let all = [
            Mutation::Flip(65_535, 7),
            Mutation::Set(65_535, 0),
            Mutation::Repeat(65_535, 0, 63),
            Mutation::Insert(65_535, vec![1, 2]),
            Mutation::Remove(65_535, 31),
            Mutation::Cut(65_535),
        ];
        for length in 0..4 {
            for first in &all {
                let _ = mutate(&vec![9; length], &[std::slice::from_ref(first), &all].concat());
            }
        }
    }

    #[test]
    fn a_change_is_made_where_it_says() {
        let change = |mutation| mutate(b"abcd", &[mutation]);
        assert_eq!(change(Mutation::Set(16_384, b'x')), b"axcd");
        assert_eq!(change(Mutation::Insert(32_768, b"--".to_vec())), b"ab--cd");
        assert_eq!(change(Mutation::Remove(16_384, 2)), b"ad");
        assert_eq!(change(Mutation::Repeat(0, 49_152, 2)), b"abcabd");
        assert_eq!(change(Mutation::Cut(32_768)), b"ab");
    }
}
