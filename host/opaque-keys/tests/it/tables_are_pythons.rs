use std::collections::HashSet;

use hookbox_opaque_keys::python::{is_digit, is_word};
use serde_json::Value;

/// Compares a table with what Python's `re` matched, over every character there is.
fn compare(file: &str, count: usize, ours: fn(char) -> bool) {
    let file: Value = serde_json::from_str(file).unwrap();
    let ranges: Vec<(u32, u32)> = serde_json::from_value(file["ranges"].clone()).unwrap();
    let theirs: HashSet<u32> = ranges.into_iter().flat_map(|(first, last)| first..=last).collect();
    let mut matched = 0;
    for character in '\0'..=char::MAX {
        assert_eq!(ours(character), theirs.contains(&character.into()), "{character:?}");
        matched += usize::from(ours(character));
    }
    assert_eq!(matched, count);
    assert_eq!(file["count"], count);
}

#[test]
fn a_word_character_is_what_python_takes_for_one() {
    compare(include_str!("../vectors/word_ranges.json"), 137_936, is_word);
}

#[test]
fn a_digit_is_what_python_takes_for_one() {
    compare(include_str!("../vectors/digit_ranges.json"), 680, is_digit);
}
