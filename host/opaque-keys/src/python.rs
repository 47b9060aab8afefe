//! Python's own idea of letters and digits, which decides what a key may contain.
//!
//! Rust's nearest equivalents differ from it by thousands of code points, and by others in each Unicode version: the
//! combining marks that `char::is_alphanumeric` and a Rust regex's `\w` let through are no letters to Python, and `½`
//! is. The tables here are those of Python 3.12, Unicode 15.0.

use crate::word_table::{DIGIT, WORD};

/// Whether Python's `\w` matches the character in a `str` pattern.
///
/// ```
/// use hookbox_opaque_keys::python::is_word;
/// assert!(is_word('é') && is_word('学') && is_word('½') && is_word('_'));
/// assert!(!is_word('\u{301}') && !is_word('😀') && !is_word('-'));
/// ```
pub fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    within(WORD, character)
}

/// Whether Python's `\d` matches the character in a `str` pattern: a decimal digit of any script.
///
/// ```
/// use hookbox_opaque_keys::python::is_digit;
/// assert!(is_digit('7') && is_digit('７') && is_digit('٣'));
/// assert!(!is_digit('²') && !is_digit('½'));
/// ```
pub fn is_digit(character: char) -> bool {
    within(DIGIT, character)
}

fn within(ranges: &[(u32, u32)], character: char) -> bool {
    let point = u32::from(character);
    let after = ranges.partition_point(|&(first, _)| first <= point);
    after > 0 && point <= ranges[after - 1].1
}
