//! The words that operators name events with: states, times, numbers and UUIDs.

use std::fmt;

use hookbox_store::{DeliveryState, Timestamp};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Letters of what was asked for that are told back.
const TOLD: usize = 80;

/// Several names: a list, or one text with commas between them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl Names {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrText;

        impl<'de> Visitor<'de> for ListOrText {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of names, or names with commas between them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Names, E> {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                Ok(Names(names.map(str::to_owned).collect()))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Names, E> {
                Ok(Names::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Names, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element::<String>()? {
                    all.push(name);
                }
                Ok(Names(all))
            }
        }

        deserializer.deserialize_any(ListOrText)
    }
}

/// One event: its number in order of arrival, or its UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventRef {
    /// Its number.
    Number(i64),
    /// Its UUID. Two senders may have given the same.
    Id(Uuid),
}

impl std::str::FromStr for EventRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(number) = text.parse::<i64>().ok().filter(|number| *number > 0) {
            return Ok(Self::Number(number));
        }
        uuid(text)
            .map(Self::Id)
            .map_err(|_| format!("{:?} is neither an event's number nor its UUID", cut(text)))
    }
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Id(id) => id.hyphenated().fmt(f),
        }
    }
}

impl Serialize for EventRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Id(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for EventRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an event's number or its UUID")]
        enum NumberOrText {
            Number(i64),
            Text(String),
        }

        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) if number > 0 => Ok(Self::Number(number)),
            NumberOrText::Number(_) => Err(serde::de::Error::custom("events are numbered from 1")),
            NumberOrText::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// All states that wait or run.
pub(super) const OPEN: &str = "open";

pub(super) fn states(names: &Names) -> Result<Vec<DeliveryState>, String> {
    let mut found = Vec::new();
    for name in &names.0 {
        let before = found.len();
        let named = |state: &DeliveryState| match name.as_str() {
            OPEN => state.is_open(),
            name => state.name() == name,
        };
        found.extend(DeliveryState::ALL.into_iter().filter(named));
        if found.len() == before {
            let known = DeliveryState::ALL.map(DeliveryState::name).join(", ");
            return Err(format!("state: {:?} is none of {known}, {OPEN}", cut(name)));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Whole types. A pattern would match none, and look as if there were none.
pub(super) fn types(names: &Names) -> Result<Vec<String>, String> {
    match names.0.iter().find(|name| name.contains('*')) {
        Some(name) => Err(format!("type: {:?} is no whole type of an event; name each", cut(name))),
        None => Ok(names.0.clone()),
    }
}

pub(super) fn moment(key: &str, text: Option<&str>) -> Result<Option<Timestamp>, String> {
    let Some(text) = text else { return Ok(None) };
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| format!("{key}: {:?} is no time such as 2026-11-22T19:43:22Z", cut(text)))?;
    let micros = moment.unix_timestamp_nanos().div_euclid(1_000);
    Ok(Some(Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))))
}

pub(super) fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| format!("id: {:?} is no UUID", cut(text)))
}

fn cut(text: &str) -> String {
    text.chars().take(TOLD).collect()
}
