//! The `[plugins]` and `[filters]` tables of the configuration.

mod delivery;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use hookbox_hooks::OnFailure;
use hookbox_sandbox::{Grant, Grants, Isolation, JSON_DEPTH_MOST, Limits};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::breaker::QuarantineRule;

pub use delivery::{DeliveryRule, DeliveryTable};

/// The `[plugins]` table: a table a plugin, and whether the embedded samples run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginsTable {
    /// `samples`: whether the embedded sample plugins run that do so by default. Left out: they do until the table names
    /// another plugin.
    pub samples: Option<bool>,
    /// `folder`: where plugins are installed by putting `NAME.wasm` there, relative to the configuration file's folder.
    pub folder: Option<PathBuf>,
    /// `settle`: how long a file in the folder must stay as it is before it is taken. Default half a second.
    pub settle: Option<Duration>,
    /// `poll`: how often the folder is looked at, also where the file system tells of changes. Default 2 seconds.
    pub poll: Option<Duration>,
    /// `keep_releases`: how many releases of a plugin are kept beside the live one. Default 5.
    pub keep_releases: Option<u32>,
    /// `approve_first`: whether a plugin's first release waits for approval. Default false.
    pub approve_first: bool,
    /// The plugins by name.
    pub plugins: BTreeMap<String, PluginTable>,
}

/// One plugin's table.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginTable {
    /// The component's file, relative to the configuration file's folder. Left out: the embedded sample of that name.
    pub component: Option<PathBuf>,
    /// What the plugin reads through `wasi:config/store`.
    pub settings: Map<String, Value>,
    /// Capabilities beyond those every plugin has. See [`hookbox_sandbox::Grant`] for their spelling.
    pub grants: Vec<String>,
    /// What a failed step of this plugin does.
    pub on_failure: OnFailure,
    /// How long its instances live.
    pub isolation: IsolationKind,
    /// With `isolation = "reuse"`: the most calls of one instance. Default 1,000.
    pub max_calls: Option<u32>,
    /// What its calls may use.
    pub limits: LimitsTable,
    /// When it is put aside.
    pub quarantine: QuarantineTable,
    /// On which terms it gets its events.
    pub delivery: DeliveryTable,
    /// The hooks that its generic interfaces (`any-filter`, `any-event`) get. `*`: every event of the catalogue.
    pub hooks: Vec<String>,
    /// A hook for its generic interfaces too, if it has any. Set by commands that try a component, never by a
    /// configuration, where a hook that goes nowhere is a mistake to report.
    #[serde(skip)]
    pub tried_hook: Option<String>,
}

/// `isolation`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IsolationKind {
    /// A fresh instance for every call.
    #[default]
    Call,
    /// An instance serves several calls.
    Reuse,
}

/// `limits`: what is left out keeps its default. See [`Limits`] for the meaning of each.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is documented at the field of `Limits` that it sets")]
pub struct LimitsTable {
    #[serde(with = "humantime_serde")]
    pub time: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub event_time: Option<Duration>,
    pub memory: Option<ByteSize>,
    pub table_elements: Option<usize>,
    pub answer: Option<ByteSize>,
    pub json_depth: Option<usize>,
    pub host_calls: Option<u32>,
    pub log: Option<ByteSize>,
    pub log_rate: Option<ByteSize>,
    pub handles: Option<usize>,
    pub random: Option<ByteSize>,
    pub concurrent_calls: Option<usize>,
    pub queued_calls: Option<usize>,
    pub key_value_keys: Option<u64>,
    pub key_value: Option<ByteSize>,
    pub http_requests: Option<u32>,
    pub http_body: Option<ByteSize>,
    #[serde(with = "humantime_serde")]
    pub http_time: Option<Duration>,
}

/// `quarantine`: when a plugin that keeps failing is put aside. A table, `false` for never, or `true` for the defaults.
/// What is left out keeps its default. See [`QuarantineRule`] for the meaning of each.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each is documented at the field of `QuarantineRule` that it sets")]
pub struct QuarantineTable {
    /// 0: it is never put aside.
    pub failures: Option<u32>,
    pub pause: Option<Duration>,
    pub longest_pause: Option<Duration>,
}

/// The `[filters]` table: a filter's type to its configuration in any of upstream's forms.
pub type FiltersTable = BTreeMap<String, Value>;

/// Calls of a reused instance when the configuration does not say.
const MAX_CALLS: u32 = 1_000;
/// The longest pause of a quarantine.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Releases that are kept beside the live one when the configuration does not say.
const KEEP_RELEASES: u32 = 5;

impl PluginsTable {
    /// How many releases of a plugin are kept beside the live one.
    pub fn keep(&self) -> usize {
        usize::try_from(self.keep_releases.unwrap_or(KEEP_RELEASES)).unwrap_or(usize::MAX)
    }
}

impl PluginTable {
    /// What it is granted.
    ///
    /// # Errors
    /// A grant that is none.
    pub fn grants(&self) -> Result<Grants, String> {
        let grants: Result<Vec<Grant>, _> = self.grants.iter().map(|text| text.parse()).collect();
        grants.map(Grants::new).map_err(|error| error.to_string())
    }

    /// How long instances live.
    ///
    /// # Errors
    /// `max_calls` is 0, or given without reuse.
    pub fn isolation(&self) -> Result<Isolation, String> {
        match (self.isolation, self.max_calls) {
            (IsolationKind::Call, None) => Ok(Isolation::Call),
            (IsolationKind::Call, Some(_)) => Err("max_calls needs isolation = \"reuse\"".into()),
            (IsolationKind::Reuse, Some(0)) => Err("max_calls must be at least 1".into()),
            (IsolationKind::Reuse, calls) => Ok(Isolation::Reuse { max_calls: calls.unwrap_or(MAX_CALLS) }),
        }
    }
}

impl LimitsTable {
    /// The limits with these values over the defaults.
    ///
    /// # Errors
    /// A value that no call could live with, or that the host cannot keep.
    pub fn limits(&self) -> Result<Limits, String> {
        let default = Limits::default();
        let bytes = |key: &str, value: Option<ByteSize>, default: usize| match value {
            None => Ok(default),
            Some(size) => match usize::try_from(size.as_u64()) {
                Ok(0) | Err(_) => Err(format!("limits.{key} must be at least 1 byte and fit this machine")),
                Ok(size) => Ok(size),
            },
        };
        let at_least_one = |key: &str, value: usize| match value {
            0 => Err(format!("limits.{key} must be at least 1")),
            value => Ok(value),
        };
        let milliseconds =
            |key: &str, value: Option<Duration>, default: u64| match value.map(|time| time.as_millis()) {
                None => Ok(default),
                Some(ms @ 1..=600_000) => Ok(u64::try_from(ms).unwrap_or(default)),
                Some(_) => Err(format!("limits.{key} must be from 1ms to 10m")),
            };
        let json_depth = self.json_depth.unwrap_or(default.json_depth);
        if !(1..=JSON_DEPTH_MOST).contains(&json_depth) {
            return Err(format!("limits.json_depth must be from 1 to {JSON_DEPTH_MOST}"));
        }
        Ok(Limits {
            filter_time_ms: milliseconds("time", self.time, default.filter_time_ms)?,
            event_time_ms: milliseconds("event_time", self.event_time, default.event_time_ms)?,
            memory_bytes: bytes("memory", self.memory, default.memory_bytes)?,
            table_elements: self.table_elements.unwrap_or(default.table_elements),
            answer_bytes: bytes("answer", self.answer, default.answer_bytes)?,
            json_depth,
            host_calls: self.host_calls.unwrap_or(default.host_calls),
            log_bytes: bytes("log", self.log, default.log_bytes)?,
            log_bytes_per_second: bytes("log_rate", self.log_rate, default.log_bytes_per_second)?,
            handles: at_least_one("handles", self.handles.unwrap_or(default.handles))?,
            concurrent_calls: at_least_one(
                "concurrent_calls",
                self.concurrent_calls.unwrap_or(default.concurrent_calls),
            )?,
            random_bytes: bytes("random", self.random, default.random_bytes)?,
            queued_calls: self.queued_calls.unwrap_or(default.queued_calls),
            key_value_keys: self.key_value_keys.unwrap_or(default.key_value_keys),
            key_value_bytes: self.key_value.map_or(default.key_value_bytes, |size| size.as_u64()),
            http_requests: self.http_requests.unwrap_or(default.http_requests),
            http_body_bytes: bytes("http_body", self.http_body, default.http_body_bytes)?,
            http_time_ms: milliseconds("http_time", self.http_time, default.http_time_ms)?,
        })
    }
}

impl QuarantineTable {
    /// The rule with these values over the defaults; `None` when it is switched off.
    ///
    /// # Errors
    /// A pause that is none, that is too long, or that is longer than the longest.
    pub fn rule(&self) -> Result<Option<QuarantineRule>, String> {
        let default = QuarantineRule::default();
        let within = |key: &str, pause: Duration| match pause {
            pause if (Duration::from_millis(1)..=DAY).contains(&pause) => Ok(pause),
            _ => Err(format!("quarantine.{key} must be from 1ms to 24h")),
        };
        let pause = within("pause", self.pause.unwrap_or(default.pause))?;
        let longest_pause = self.longest_pause.unwrap_or(default.longest_pause.max(pause));
        let longest_pause = within("longest_pause", longest_pause)?;
        if longest_pause < pause {
            return Err("quarantine.longest_pause must not be shorter than quarantine.pause".into());
        }
        let failures = self.failures.unwrap_or(default.failures);
        Ok((failures > 0).then_some(QuarantineRule { failures, pause, longest_pause }))
    }
}

impl<'de> Deserialize<'de> for QuarantineTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            #[serde(default)]
            failures: Option<u32>,
            #[serde(default, with = "humantime_serde")]
            pause: Option<Duration>,
            #[serde(default, with = "humantime_serde")]
            longest_pause: Option<Duration>,
        }

        struct TableOrSwitch;

        impl<'de> Visitor<'de> for TableOrSwitch {
            type Value = QuarantineTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with failures, pause and longest_pause, or false")
            }

            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<QuarantineTable, E> {
                Ok(QuarantineTable { failures: (!on).then_some(0), ..QuarantineTable::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<QuarantineTable, A::Error> {
                let Keys { failures, pause, longest_pause } =
                    Keys::deserialize(serde::de::value::MapAccessDeserializer::new(entries))?;
                Ok(QuarantineTable { failures, pause, longest_pause })
            }
        }

        deserializer.deserialize_any(TableOrSwitch)
    }
}

impl<'de> Deserialize<'de> for PluginsTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tables;

        #[derive(serde::Deserialize)]
        struct Time(#[serde(with = "humantime_serde")] Option<Duration>);

        impl<'de> Visitor<'de> for Tables {
            type Value = PluginsTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of plugins, or a key of `[plugins]` itself")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<PluginsTable, A::Error> {
                let mut table = PluginsTable::default();
                while let Some(name) = entries.next_key::<String>()? {
                    match &*name {
                        "samples" => table.samples = Some(entries.next_value()?),
                        "folder" => table.folder = Some(entries.next_value()?),
                        "settle" => table.settle = entries.next_value::<Time>()?.0,
                        "poll" => table.poll = entries.next_value::<Time>()?.0,
                        "keep_releases" => table.keep_releases = Some(entries.next_value()?),
                        "approve_first" => table.approve_first = entries.next_value()?,
                        _ => {
                            table.plugins.insert(name, entries.next_value()?);
                        }
                    }
                }
                Ok(table)
            }
        }

        deserializer.deserialize_map(Tables)
    }
}
