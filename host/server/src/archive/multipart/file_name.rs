//! What Django keeps of an uploaded file's name. Of HTML's entities only numbers, the five of XML and those of `/`, `\`
//! and `.` are read: a name matters only in whether anything is left of it.

use encoding_rs::WINDOWS_1252;

/// Whether anything is left of a file's name without folders and what cannot be printed.
pub(super) fn is_file_name(name: &str) -> bool {
    let name = unescaped(name);
    let name: String =
        name.rsplit(['/', '\\']).next().unwrap_or_default().chars().filter(printable).collect();
    !["", ".", ".."].contains(&name.as_str())
}

/// Rust escapes in its debugging output what Python's `isprintable` denies, quotes aside.
fn printable(letter: &char) -> bool {
    // Marks are escaped only where they follow nothing.
    let text: String = ['a', *letter].into_iter().collect();
    matches!(letter, '"' | '\'') || text.escape_debug().nth(1) == Some(*letter)
}

/// Text with HTML's references replaced, as `html.unescape`.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match numbered(rest).or_else(|| named(rest)) {
            Some((letter, length)) => {
                plain.extend(letter);
                rest = &rest[length..];
            }
            None => plain.push('&'),
        }
    }
    plain + rest
}

/// A reference by number, what it stands for and its length.
fn numbered(text: &str) -> Option<(Option<char>, usize)> {
    let digits = text.strip_prefix('#')?;
    let (digits, radix) = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let (digits, rest) = digits.split_at(digits.find(|l: char| !l.is_digit(radix)).unwrap_or(digits.len()));
    if digits.is_empty() {
        return None;
    }
    let rest = rest.strip_prefix(';').unwrap_or(rest);
    // A number beyond 32 bits is beyond all characters, too.
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    let letter = match (code, u8::try_from(code)) {
        (0, _) => Some('\u{fffd}'),
        (0x0d, _) => Some('\r'),
        (_, Ok(byte @ 0x80..=0x9f)) => WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next(),
        (1..=8 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef, _) => None,
        _ if code <= 0x0010_ffff && code & 0xfffe == 0xfffe => None,
        _ => Some(char::from_u32(code).unwrap_or('\u{fffd}')),
    };
    Some((letter, text.len() - rest.len()))
}

/// A reference by name, what it stands for and its length.
fn named(text: &str) -> Option<(Option<char>, usize)> {
    const NAMES: &[(&str, char)] = &[
        ("amp;", '&'),
        ("lt;", '<'),
        ("gt;", '>'),
        ("quot;", '"'),
        ("apos;", '\''),
        ("sol;", '/'),
        ("bsol;", '\\'),
        ("period;", '.'),
        // Old names do without their end.
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
    ];
    let (name, letter) = NAMES.iter().find(|(name, _)| text.starts_with(name))?;
    Some((Some(*letter), name.len()))
}
