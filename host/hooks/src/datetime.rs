//! Points in time as Python prints and reads them.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// A date-time as text gave it: the local reading, and the offset when the text has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// The reading of the clock, cut to microseconds as Python's `datetime` holds it.
    pub local: PrimitiveDateTime,
    /// The offset from UTC; `None` for a naive date-time.
    pub offset: Option<UtcOffset>,
}

impl DateTime {
    /// Reads an ISO 8601 date-time: `2026-01-02T03:04:05.678901+00:00`.
    ///
    /// A space may stand for the `T`, the fraction may have any number of digits and is cut to microseconds, the
    /// offset may be `Z`, `+01:00`, `+0100`, `+01`, or left out. Years are 1 to 9999, Python's range. A leap
    /// second is refused, as Python does.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Cursor(text.as_bytes());
        let year = i32::from(rest.number(4)?);
        rest.expect(b"-")?;
        let month = Month::try_from(u8::try_from(rest.number(2)?).ok()?).ok()?;
        rest.expect(b"-")?;
        let day = u8::try_from(rest.number(2)?).ok()?;
        rest.expect(b"Tt ")?;
        let hour = u8::try_from(rest.number(2)?).ok()?;
        rest.expect(b":")?;
        let minute = u8::try_from(rest.number(2)?).ok()?;
        rest.expect(b":")?;
        let second = u8::try_from(rest.number(2)?).ok()?;
        let micros = if rest.expect(b".,").is_some() { rest.fraction()? } else { 0 };
        let offset = if rest.0.is_empty() { None } else { Some(rest.offset()?) };
        if year == 0 {
            return None;
        }
        let date = Date::from_calendar_date(year, month, day).ok()?;
        let time = Time::from_hms_micro(hour, minute, second, micros).ok()?;
        Some(Self { local: PrimitiveDateTime::new(date, time), offset })
    }

    /// The same instant in UTC; `None` when the text had no offset, or when UTC leaves Python's years.
    pub fn utc(self) -> Option<OffsetDateTime> {
        let utc = self.local.assume_offset(self.offset?).checked_to_offset(UtcOffset::UTC)?;
        (1..=9999).contains(&utc.year()).then_some(utc)
    }
}

/// The instant as Python's `datetime.isoformat()` prints it in UTC: `2026-01-02T03:04:05.678901+00:00`.
///
/// Microseconds appear only when they are not zero; finer digits are cut.
pub fn isoformat(instant: OffsetDateTime) -> String {
    let utc = instant.checked_to_offset(UtcOffset::UTC).unwrap_or(instant);
    let (year, month, day) = utc.to_calendar_date();
    let (hour, minute, second, micros) = utc.to_hms_micro();
    let month = u8::from(month);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00")
}

/// What is still to be read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Exactly that many digits, at most four.
    fn number(&mut self, digits: usize) -> Option<u16> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = tail;
        Some(head.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
    }

    /// One of these bytes.
    fn expect(&mut self, any_of: &[u8]) -> Option<u8> {
        let (first, tail) = self.0.split_first()?;
        any_of.contains(first).then(|| {
            self.0 = tail;
            *first
        })
    }

    /// One digit or more; the first six are microseconds.
    fn fraction(&mut self) -> Option<u32> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, tail) = self.0.split_at(length);
        self.0 = tail;
        let six = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
        (length > 0).then(|| six.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    /// An offset that ends the text.
    fn offset(&mut self) -> Option<UtcOffset> {
        let seconds = match self.expect(b"Zz+-")? {
            b'Z' | b'z' => 0,
            sign => {
                let hours = i32::from(self.number(2)?);
                let minutes = match self.expect(b":") {
                    None if self.0.is_empty() => 0,
                    _ => i32::from(self.number(2)?),
                };
                if hours > 23 || minutes > 59 {
                    return None;
                }
                (hours * 3600 + minutes * 60) * if sign == b'-' { -1 } else { 1 }
            }
        };
        if self.0.is_empty() { UtcOffset::from_whole_seconds(seconds).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn every_form_that_python_prints_is_read() {
        for text in [
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05.678901",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T03:04:05.678901-03:30",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.1+0530",
            "2024-02-29T23:59:59.123456789+01",
        ] {
            assert!(DateTime::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for text in [
            "",
            "2026-01-02",
            "2026-01-02T03:04",
            "0000-01-02T03:04:05",
            "2025-02-29T03:04:05",
            "2026-13-02T03:04:05",
            "2026-01-02T24:00:00",
            "2026-12-31T23:59:60Z",
            "2026-01-02T03:04:05.",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05+1:00",
            "2026-01-02T03:04:05+01:",
            "2026-01-02T03:04:05Zulu",
            "+026-01-02T03:04:05",
            "٢٠٢٦-01-02T03:04:05",
        ] {
            assert!(DateTime::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_instant_is_printed_in_utc_with_microseconds_only_when_there_are_some() {
        let print = |text| isoformat(DateTime::parse(text).unwrap().utc().unwrap());
        assert_eq!(print("2026-01-02T05:04:05+02:00"), "2026-01-02T03:04:05+00:00");
        assert_eq!(print("2026-01-02T03:04:05.6789019Z"), "2026-01-02T03:04:05.678901+00:00");
        assert_eq!(print("2026-01-02T03:04:05.000001Z"), "2026-01-02T03:04:05.000001+00:00");
    }

    #[test]
    fn an_instant_outside_pythons_years_in_utc_is_refused() {
        assert!(DateTime::parse("0001-01-01T00:00:00+01:00").unwrap().utc().is_none());
        assert!(DateTime::parse("9999-12-31T23:30:00-01:00").unwrap().utc().is_none());
    }
}
