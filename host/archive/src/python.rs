//! What Python's `int()`, `str.strip()` and `repr(float)` do with text: the Django plugin's answers depend on them.

/// The zeros of all decimal digits (general category `Nd`) of Unicode 15; each is followed by its one to nine.
const ZEROS: &[u32] = &[
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30,
    0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
    0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
    0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E950, 0x1FBF0,
];

/// Digits that `int()` reads at most.
pub const MAX_DIGITS: usize = 4_300;

/// A whole number that Python can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Int {
    /// One that a row's id can be.
    Fits(i64),
    /// One beyond 64 bits.
    Huge {
        /// Whether it is below zero.
        negative: bool,
    },
}

impl Int {
    /// The number, when a row's id can be that.
    pub fn fits(self) -> Option<i64> {
        match self {
            Self::Fits(number) => Some(number),
            Self::Huge { .. } => None,
        }
    }
}

/// What `int(text)` reads: white space around (not U+001C to U+001F, which `str.strip()` trims), a sign, digits of any script, single underscores between them.
/// `None` where Python raises `ValueError`.
pub fn int(text: &str) -> Option<Int> {
    let text = text.trim_matches(char::is_whitespace);
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let mut value: Option<i128> = Some(0);
    let mut count = 0_usize;
    let mut after_digit = false;
    for letter in digits.chars() {
        if letter == '_' {
            if !after_digit {
                return None;
            }
            after_digit = false;
            continue;
        }
        let digit = digit(letter)?;
        count += 1;
        if count > MAX_DIGITS {
            return None;
        }
        value = value.and_then(|value| value.checked_mul(10)?.checked_add(i128::from(digit)));
        after_digit = true;
    }
    if !after_digit {
        return None;
    }
    let value = value.map(|value| if negative { -value } else { value });
    let fits = value.and_then(|value| i64::try_from(value).ok());
    Some(fits.map_or(Int::Huge { negative }, Int::Fits))
}

/// What a digit of any script stands for.
fn digit(letter: char) -> Option<u32> {
    let code = u32::from(letter);
    let after = ZEROS.partition_point(|zero| *zero <= code);
    let value = code - ZEROS.get(after.checked_sub(1)?)?;
    (value < 10).then_some(value)
}

/// White space to `str.strip()`: unlike Rust's it includes U+001C to U+001F.
pub fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{1c}'..='\u{1f}')
}

/// What `text.strip()` leaves.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// What `str(number)` prints: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = format!("{number}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_reads_what_python_reads() {
        for (text, value) in [
            ("1", 1),
            ("01", 1),
            ("+1", 1),
            ("-1", -1),
            (" 1\n", 1),
            ("\t1\u{a0}", 1),
            ("1_0", 10),
            ("0_1", 1),
            ("-0", 0),
            ("١٢", 12),
            ("１", 1),
            ("𝟙", 1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(int(text), Some(Int::Fits(value)), "{text:?}");
        }
        assert_eq!(int("9223372036854775808"), Some(Int::Huge { negative: false }));
        assert_eq!(int("-9223372036854775809"), Some(Int::Huge { negative: true }));
        assert_eq!(int(&"9".repeat(MAX_DIGITS)), Some(Int::Huge { negative: false }));
    }

    #[test]
    fn int_refuses_what_python_refuses() {
        let long = "9".repeat(MAX_DIGITS + 1);
        for text in [
            "", " ", "+", "_1", "1_", "1__0", "1.0", "1e0", "0x1", "+-1", "1 2", "\u{1c}1", "1\u{1f}", "abc",
            "²", "½", "1\0", &long,
        ] {
            assert_eq!(int(text), None, "{text:?}");
        }
    }

    #[test]
    fn floats_print_as_python_prints_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (999.0, "999.0"),
            (1.5, "1.5"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e22, "1.25e+22"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e300, "1e+300"),
        ] {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn every_digit_counts_from_its_zero() {
        for zero in ZEROS {
            for value in 0..10 {
                assert_eq!(char::from_u32(zero + value).and_then(digit), Some(value));
            }
        }
        assert_eq!(digit('a'), None);
        assert_eq!(digit('\u{ff1a}'), None);
    }
}
