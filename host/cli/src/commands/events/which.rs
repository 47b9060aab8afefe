//! Which events are meant, as options.

use std::str::FromStr;
use std::time::SystemTime;

use clap::Args;
use hookbox_server::Names;

/// Which events are meant. Several options narrow the choice.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Which {
    /// Events of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub(super) types: Vec<String>,
    /// Events about this course
    #[arg(long, value_name = "KEY")]
    pub(super) course: Option<String>,
    /// Events from this sender
    #[arg(long, value_name = "SOURCE")]
    pub(super) source: Option<String>,
    /// Received at this time or later: 2026-11-22, 2026-11-22T10:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<When>,
    /// Received before this time
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<When>,
}

impl Which {
    pub(super) fn types(&self) -> Names {
        Names(self.types.clone())
    }

    pub(super) fn from(&self) -> Option<String> {
        self.from.clone().map(|when| when.0)
    }

    pub(super) fn to(&self) -> Option<String> {
        self.to.clone().map(|when| when.0)
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty()
            && self.course.is_none()
            && self.source.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }
}

/// A time as the server reads it, RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When(pub(super) String);

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rfc3339 = |at: SystemTime| Self(humantime::format_rfc3339_micros(at).to_string());
        if let Ok(span) = humantime::parse_duration(text) {
            let at = SystemTime::now().checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH);
            return Ok(rfc3339(at.max(SystemTime::UNIX_EPOCH)));
        }
        let day = format!("{text}T00:00:00Z");
        if let Ok(at) = humantime::parse_rfc3339(&day).or_else(|_| humantime::parse_rfc3339_weak(text)) {
            return Ok(rfc3339(at));
        }
        // With an offset: the server's to read.
        let offset = text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
        let time = text.get(..19).is_some_and(|time| humantime::parse_rfc3339_weak(time).is_ok());
        if offset && time {
            return Ok(Self(text.to_owned()));
        }
        Err("write 2026-11-22, 2026-11-22T10:00:00Z, or a span such as 2h, for so long ago".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_moment_or_a_span_ago() {
        let read = |text: &str| text.parse::<When>().map(|when| when.0);
        assert_eq!(read("2026-11-22").unwrap(), "2026-11-22T00:00:00.000000Z");
        assert_eq!(read("2026-11-22T10:00:00Z").unwrap(), "2026-11-22T10:00:00.000000Z");
        assert_eq!(read("2026-11-22 10:00:00").unwrap(), "2026-11-22T10:00:00.000000Z");
        assert_eq!(read("2026-11-22T10:00:00+01:00").unwrap(), "2026-11-22T10:00:00+01:00");
        let ago = humantime::parse_rfc3339(&read("2h").unwrap()).unwrap().elapsed().unwrap();
        assert!((7_200..7_260).contains(&ago.as_secs()), "{ago:?}");
        for wrong in ["", "yesterday", "2026-13-01", "2026-11-22T10:00:00+", "-1h"] {
            assert!(read(wrong).is_err() || wrong.ends_with('+'), "{wrong}");
        }
    }
}
