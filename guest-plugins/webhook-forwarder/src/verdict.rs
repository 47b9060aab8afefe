//! What an answer means for the delivery.

use std::time::{Duration, SystemTime};

/// The most bytes of an answer's body that are looked at.
pub const BODY_BYTES: usize = 300;

/// What is to become of a delivery.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The hook has the event.
    Delivered,
    /// Try again, where it said so not before this has passed.
    Retry {
        reason: String,
        /// How long the hook wants to be left alone.
        after: Option<Duration>,
    },
    /// Trying again will not help.
    Reject(String),
}

/// What the hook said.
#[derive(Debug)]
pub struct Answer {
    /// The status, such as 503.
    pub status: u16,
    /// The header `retry-after`.
    pub retry_after: Option<String>,
    /// The first bytes of the body; none of an answer with a status of success.
    pub body: Vec<u8>,
}

impl Answer {
    /// What it means. `now` is the time since 1970.
    pub fn verdict(&self, now: Duration) -> Verdict {
        match self.status {
            200..=299 => Verdict::Delivered,
            408 | 429 | 500.. => Verdict::Retry {
                reason: self.told(),
                after: self.retry_after.as_deref().and_then(|text| retry_after(text, now)),
            },
            300..=399 => Verdict::Reject(format!("{}: redirects are not followed", self.told())),
            _ => Verdict::Reject(self.told()),
        }
    }

    /// The status and how the body begins, in one line.
    fn told(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let words: Vec<&str> = body.split_whitespace().collect();
        match words.is_empty() {
            true => format!("the hook answered {}", self.status),
            false => format!("the hook answered {}, {:?}", self.status, words.join(" ")),
        }
    }
}

/// How long to wait by a header `retry-after`: seconds, or a date. `None`: it is neither.
fn retry_after(text: &str, now: Duration) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that are too many mean a long time, which the host cuts.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let date = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02T03:04:05Z.
    const NOW: Duration = Duration::from_secs(1_767_323_045);

    fn verdict(status: u16, retry_after: Option<&str>, body: &str) -> Verdict {
        let retry_after = retry_after.map(str::to_owned);
        Answer { status, retry_after, body: body.as_bytes().to_vec() }.verdict(NOW)
    }

    #[test]
    fn a_status_of_success_is_delivered() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(verdict(status, Some("5"), ""), Verdict::Delivered, "{status}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504, 599, 999] {
            let reason = format!("the hook answered {status}");
            assert_eq!(verdict(status, None, ""), Verdict::Retry { reason, after: None }, "{status}");
        }
    }

    #[test]
    fn everything_else_is_rejected_with_what_the_hook_said() {
        for status in [400, 401, 403, 404, 405, 407, 409, 410, 413, 422, 425, 428, 430, 499] {
            let reason = format!("the hook answered {status}, \"no such \\\"hook\\\"\"");
            assert_eq!(verdict(status, Some("5"), " no such\r\n\"hook\" "), Verdict::Reject(reason));
        }
        for status in [301, 302, 303, 304, 307, 308] {
            let reason = format!("the hook answered {status}: redirects are not followed");
            assert_eq!(verdict(status, None, "\n"), Verdict::Reject(reason));
        }
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let after = |text| match verdict(503, Some(text), "") {
            Verdict::Retry { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        };
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Fri, 02 Jan 2026 03:05:05 GMT", Some(60)),
            ("Friday, 02-Jan-26 03:05:05 GMT", Some(60)),
            ("Fri Jan  2 03:05:05 2026", Some(60)),
            ("Fri, 02 Jan 2026 03:03:05 GMT", Some(0)),
            ("Fri, 02 Jan 1970 03:03:05 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Fri, 31 Feb 2026 03:03:05 GMT", None),
        ] {
            assert_eq!(after(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn a_body_that_is_no_text_is_shown_all_the_same() {
        let answer = Answer { status: 400, retry_after: None, body: b"a\xff\x1b[2J".to_vec() };
        let reason = "the hook answered 400, \"a\u{fffd}\\u{1b}[2J\"".to_owned();
        assert_eq!(answer.verdict(NOW), Verdict::Reject(reason));
    }
}
