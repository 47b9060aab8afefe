//! What an operator grants a plugin beyond what every plugin has.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::admission::unversioned;

/// One capability that an operator grants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grant {
    /// `archive:read`: read the archive statuses of every user.
    ArchiveRead,
    /// `archive:write`: change archive statuses; reading comes with it.
    ArchiveWrite,
    /// `keyvalue`: keep rows of its own in the host's database, within its quota.
    KeyValue,
    /// `http:https://api.example.com`: send requests to this origin.
    Http(Origin),
    /// `clock:fine`: see time in nanoseconds instead of milliseconds.
    FineClock,
}

impl Grant {
    /// Whether it is the one that a capability needs.
    fn is_for(&self, capability: Capability) -> bool {
        match capability {
            Capability::ArchiveRead => *self == Self::ArchiveRead,
            Capability::ArchiveWrite => *self == Self::ArchiveWrite,
            Capability::KeyValue => *self == Self::KeyValue,
            Capability::Http => matches!(self, Self::Http(_)),
        }
    }
}

/// Where a plugin may send requests: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether it is `https`.
    pub secure: bool,
    /// A name in lower case, or an address.
    pub host: Host,
    /// The port; the scheme's own when the grant names none.
    pub port: u16,
}

/// The host of an [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, resolved for each request. What it resolves to must be a public address, or be granted by address.
    Name(String),
    /// An address, also one that is not public.
    Address(IpAddr),
}

/// A grant that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("grant {given:?}: {reason}")]
pub struct GrantError {
    /// What was given, cut.
    pub given: String,
    /// What is wrong, and what a grant looks like.
    pub reason: String,
}

/// The spellings, for messages.
const SPELLINGS: &str = "archive:read, archive:write, keyvalue, clock:fine, or http: with an origin such as \
                         http:https://api.example.com";

impl Origin {
    /// Reads `scheme://host[:port]`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("write the origin as https://HOST, https://HOST:PORT, or the same with http"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@', '*']) {
            return Err("an origin has a scheme, a host and a port: no path, no user, no wildcard");
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (address, after) = bracketed.split_once(']').ok_or("the bracket is not closed")?;
                let address: Ipv6Addr = address.parse().map_err(|_| "no IPv6 address in the brackets")?;
                (Host::Address(address.into()), after.strip_prefix(':').or(after.is_empty().then_some("")))
            }
            None => {
                let (host, port) =
                    rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
                (Host::parse(host)?, Some(port.unwrap_or_default()))
            }
        };
        let standard = if secure { 443 } else { 80 };
        let port = match port.ok_or("after the host comes :PORT or nothing")? {
            "" if rest.ends_with(':') => return Err("there is no port after the colon"),
            "" => standard,
            port => match port.parse() {
                Ok(0) | Err(_) => return Err("the port must be from 1 to 65535"),
                Ok(port) => port,
            },
        };
        Ok(Self { secure, host, port })
    }
}

impl Host {
    /// Reads a name or an address without brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        // A resolver may read a name whose last label is a number as an address, such as 127.1 or 0x7f000001.
        let number = |label: &str| {
            label.bytes().all(|byte| byte.is_ascii_digit())
                || label
                    .strip_prefix("0x")
                    .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        if name.len() > 253 || !name.split('.').all(label) || name.rsplit('.').next().is_some_and(number) {
            return Err("the host must be a name of letters, digits, dashes and dots, or an address");
        }
        Ok(Self::Name(name))
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let error = |reason: String| GrantError { given: text.chars().take(200).collect(), reason };
        match text {
            "archive:read" => Ok(Self::ArchiveRead),
            "archive:write" => Ok(Self::ArchiveWrite),
            "keyvalue" => Ok(Self::KeyValue),
            "clock:fine" => Ok(Self::FineClock),
            _ => match text.strip_prefix("http:") {
                Some(origin) => {
                    Origin::parse(origin).map(Self::Http).map_err(|reason| error(reason.to_owned()))
                }
                None => Err(error(format!("a grant is one of {SPELLINGS}"))),
            },
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "https://" } else { "http://" })?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        if self.port == if self.secure { 443 } else { 80 } { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArchiveRead => f.write_str("archive:read"),
            Self::ArchiveWrite => f.write_str("archive:write"),
            Self::KeyValue => f.write_str("keyvalue"),
            Self::Http(origin) => write!(f, "http:{origin}"),
            Self::FineClock => f.write_str("clock:fine"),
        }
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All that one plugin is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// These grants, each once.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        let mut kept: Vec<Grant> = Vec::new();
        for grant in grants {
            if !kept.contains(&grant) {
                kept.push(grant);
            }
        }
        Self(kept)
    }

    /// The grants with these spellings. One for requests is left with an origin that no request can have.
    pub(crate) fn wanted(spellings: &[&str]) -> Self {
        let nowhere = Origin { secure: true, host: Host::Name(String::new()), port: 0 };
        let read = |text: &&str| match text.parse() {
            Ok(Grant::Http(_)) | Err(_) => Grant::Http(nowhere.clone()),
            Ok(grant) => grant,
        };
        Self::new(spellings.iter().map(read))
    }

    /// The grants, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Those that a component with these imports has no use for. Such a grant does no harm now, and is there for
    /// whatever the component becomes.
    pub fn unused<'a>(&'a self, imports: &'a [String]) -> impl Iterator<Item = &'a Grant> {
        let imports = || imports.iter().map(|import| unversioned(import));
        self.iter().filter(move |grant| match grant {
            Grant::FineClock => !imports().any(|import| import.starts_with("wasi:clocks/")),
            grant => imports().filter_map(Capability::of).all(|capability| !grant.is_for(capability)),
        })
    }

    /// The origins that requests may go to.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.0.iter().filter_map(|grant| match grant {
            Grant::Http(origin) => Some(origin),
            _ => None,
        })
    }

    /// Whether time is seen in nanoseconds.
    pub(crate) fn fine_clock(&self) -> bool {
        self.0.contains(&Grant::FineClock)
    }

    /// Whether a capability is granted.
    pub(crate) fn allow(&self, capability: Capability) -> bool {
        let included = capability == Capability::ArchiveRead && self.0.contains(&Grant::ArchiveWrite);
        included || self.0.iter().any(|grant| grant.is_for(capability))
    }
}

/// What interfaces are linked for a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    ArchiveRead,
    ArchiveWrite,
    KeyValue,
    Http,
}

impl Capability {
    /// The capability that an interface belongs to; `None` for one that needs no grant, or that nobody offers.
    pub(crate) fn of(interface: &str) -> Option<Self> {
        match interface {
            "hookbox:plugin/course-archive" => Some(Self::ArchiveRead),
            "hookbox:plugin/course-archive-updates" => Some(Self::ArchiveWrite),
            "wasi:keyvalue/store" | "wasi:keyvalue/atomics" | "wasi:keyvalue/batch" => Some(Self::KeyValue),
            "wasi:http/types" | "wasi:http/outgoing-handler" => Some(Self::Http),
            _ => None,
        }
    }

    /// The grant that links it, as an operator writes it.
    pub(crate) fn grant(self) -> &'static str {
        match self {
            Self::ArchiveRead => "archive:read",
            Self::ArchiveWrite => "archive:write",
            Self::KeyValue => "keyvalue",
            Self::Http => "http:https://HOST",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_grant_is_printed_as_it_is_read() {
        for text in [
            "archive:read",
            "archive:write",
            "keyvalue",
            "clock:fine",
            "http:https://api.example.com",
            "http:http://api.example.com:8080",
            "http:http://127.0.0.1:9000",
            "http:https://[::1]:8443",
        ] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        for (text, same) in [
            ("http:https://API.example.com:443/", "http:https://api.example.com"),
            ("http:http://example.com.:80", "http:http://example.com"),
        ] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), same);
        }
    }

    #[test]
    fn what_is_no_grant_says_what_one_looks_like() {
        for text in [
            "",
            "archive",
            "archive:delete",
            "http:",
            "http:api.example.com",
            "http:ftp://example.com",
            "http:https://",
            "http:https://example.com/path",
            "http:https://user@example.com",
            "http:https://*.example.com",
            "http:https://example.com:0",
            "http:https://example.com:",
            "http:https://example.com:65536",
            "http:https://[::1",
            "http:https://[::1]8443",
            "http:https://127.1",
            "http:https://0x7f000001",
            "http:https://exa mple.com",
            "http:https://-a.example",
            "http:https://ex\u{e4}mple.com",
        ] {
            let error = text.parse::<Grant>().expect_err(text).to_string();
            assert!(error.starts_with("grant \""), "{error}");
        }
    }

    #[test]
    fn writing_the_archive_includes_reading_it() {
        let grants = Grants::new([Grant::ArchiveWrite, Grant::ArchiveWrite]);
        assert_eq!(grants.iter().count(), 1);
        assert!(grants.allow(Capability::ArchiveRead) && grants.allow(Capability::ArchiveWrite));
        let grants = Grants::new([Grant::ArchiveRead]);
        assert!(grants.allow(Capability::ArchiveRead) && !grants.allow(Capability::ArchiveWrite));
        assert!(!grants.allow(Capability::Http) && !grants.fine_clock());
    }

    #[test]
    fn a_grant_is_unused_when_nothing_that_needs_it_is_imported() {
        let all = ["archive:read", "archive:write", "keyvalue", "clock:fine", "http:https://a.example"];
        let grants = Grants::new(all.map(|text| text.parse().unwrap()));
        for (imports, unused) in [
            (&[][..], &all[..]),
            (
                &["hookbox:plugin/course-archive@1.0.0"],
                &["archive:write", "keyvalue", "clock:fine", "http:https://a.example"],
            ),
            (
                &["hookbox:plugin/course-archive-updates@1.0.0", "wasi:clocks/wall-clock@0.2.0"],
                &["archive:read", "keyvalue", "http:https://a.example"],
            ),
            (
                &["wasi:keyvalue/atomics@0.2.0-draft2", "wasi:http/outgoing-handler@0.2.0"],
                &["archive:read", "archive:write", "clock:fine"],
            ),
        ] {
            let imports: Vec<String> = imports.iter().map(|import| (*import).to_owned()).collect();
            let found: Vec<String> = grants.unused(&imports).map(ToString::to_string).collect();
            assert_eq!(found, unused, "{imports:?}");
        }
    }

    #[test]
    fn what_is_granted_to_look_at_a_component_is_an_origin_that_no_request_has() {
        let grants = Grants::wanted(&["http:https://HOST"]);
        assert!(grants.allow(Capability::Http));
        for origin in grants.origins() {
            assert!(Origin::parse(&origin.to_string()).is_err(), "{origin}");
            let anywhere = |text: &str| Origin::parse(text).is_ok_and(|other| other == *origin);
            assert!(!["https://", "https://:0", "https://host", "https://HOST:0"].into_iter().any(anywhere));
        }
    }
}
