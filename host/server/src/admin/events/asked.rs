//! What operators ask of the journal: read, checked, and made a selection of.

mod words;

use hookbox_store::{DeliveryState, Selection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use words::{EventRef, Names};
use words::{OPEN, moment, states, types, uuid};

/// Events of a page, unless another number is asked for.
const LIMIT: u32 = 50;
/// The most events of a page.
pub(crate) const LIMIT_MOST: u32 = 500;

/// Which page of which events.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsAsked {
    /// States of a delivery; `open` stands for `ready`, `held` and `running`.
    pub state: Names,
    /// Event types.
    #[serde(rename = "type")]
    pub types: Names,
    /// The receiver.
    pub plugin: Option<String>,
    /// The course.
    pub course: Option<String>,
    /// The sender.
    pub source: Option<String>,
    /// Received at this time or later; RFC 3339.
    pub from: Option<String>,
    /// Received before this time; RFC 3339.
    pub to: Option<String>,
    /// The UUID.
    pub id: Option<String>,
    /// Events with a lower number: the `next` of the page before.
    pub before: Option<i64>,
    /// The most events of the page.
    pub limit: u32,
}

impl Default for EventsAsked {
    fn default() -> Self {
        Self {
            state: Names::default(),
            types: Names::default(),
            plugin: None,
            course: None,
            source: None,
            from: None,
            to: None,
            id: None,
            before: None,
            limit: LIMIT,
        }
    }
}

/// Which deliveries are to be retried or discarded. At least one criterion, or `all`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventsBulkRequest)]
#[serde(deny_unknown_fields, default)]
pub struct BulkAsked {
    /// One event: its number, or its UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub event: Option<EventRef>,
    /// States of the delivery. Left out: dead letters, and to discard those that wait, too. `open` stands for those that
    /// wait.
    #[serde(skip_serializing_if = "Names::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub state: Names,
    /// Event types.
    #[serde(rename = "type", skip_serializing_if = "Names::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub types: Names,
    /// The receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub plugin: Option<String>,
    /// The course.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub course: Option<String>,
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub source: Option<String>,
    /// Received at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    pub from: Option<String>,
    /// Received before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    pub to: Option<String>,
    /// Whether all are meant, where nothing else says which.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub all: bool,
    /// Whether to count only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub dry_run: bool,
    /// The `next` of the answer before, where that told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub after: Option<i64>,
}

/// Which past events a plugin is to get. At least one criterion, or `all`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayRequest)]
#[serde(deny_unknown_fields)]
pub struct ReplayAsked {
    /// The plugin that gets them.
    pub plugin: String,
    /// One event: its number, or its UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub event: Option<EventRef>,
    /// Event types. Those that the plugin does not receive are left out.
    #[serde(rename = "type", default, skip_serializing_if = "Names::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    pub types: Names,
    /// The course.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub course: Option<String>,
    /// The sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub source: Option<String>,
    /// Received at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    pub from: Option<String>,
    /// Received before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, format = DateTime)]
    pub to: Option<String>,
    /// Whether all are meant, where nothing else says which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub all: bool,
    /// Events a second. Left out: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, required = false)]
    pub rate: Option<f64>,
    /// Whether to count only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub dry_run: bool,
    /// With `dry_run`: the `next` of the answer before, where that told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub after: Option<i64>,
}

/// What a bulk change does to the deliveries that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bulk {
    Retry,
    Discard,
}

impl EventsAsked {
    pub(super) fn selection(&self) -> Result<Selection, String> {
        if !(1..=LIMIT_MOST).contains(&self.limit) {
            return Err(format!("limit must be from 1 to {LIMIT_MOST}"));
        }
        let id = self.id.as_deref().map(uuid).transpose()?;
        Ok(Selection {
            states: states(&self.state)?,
            plugin: self.plugin.clone(),
            types: types(&self.types)?,
            course: self.course.clone(),
            source: self.source.clone(),
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            id: id.map(Uuid::into_bytes),
            seq: None,
        })
    }
}

impl BulkAsked {
    /// All that it says but which event.
    pub(super) fn selection(&self, bulk: Bulk) -> Result<Selection, String> {
        let selection = Selection {
            states: bulk.states(&self.state)?,
            plugin: self.plugin.clone(),
            types: types(&self.types)?,
            course: self.course.clone(),
            source: self.source.clone(),
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            id: None,
            seq: None,
        };
        let told = Selection { states: states(&self.state)?, ..selection.clone() };
        chosen(&told, self.event.is_some() || self.all)?;
        Ok(selection)
    }
}

impl ReplayAsked {
    /// All that it says but which event.
    pub(super) fn selection(&self) -> Result<Selection, String> {
        let selection = Selection {
            types: types(&self.types)?,
            course: self.course.clone(),
            source: self.source.clone(),
            from: moment("from", self.from.as_deref())?,
            to: moment("to", self.to.as_deref())?,
            ..Selection::default()
        };
        chosen(&selection, self.event.is_some() || self.all)?;
        Ok(selection)
    }
}

impl Bulk {
    /// The states whose deliveries it changes.
    fn states(self, asked: &Names) -> Result<Vec<DeliveryState>, String> {
        use DeliveryState::{Dead, Discarded, Held, Ready, Running};

        let (changes, all): (&[DeliveryState], &[DeliveryState]) = match self {
            Self::Retry => (&[Dead], &[Dead, Discarded]),
            Self::Discard => (&[Dead, Ready, Held], &[Dead, Ready, Held]),
        };
        if asked.is_empty() {
            return Ok(changes.to_vec());
        }
        // Of those that are open, what runs runs on.
        let open = asked.0.iter().any(|name| name == OPEN);
        let mut wanted = states(asked)?;
        wanted.retain(|state| !(open && *state == Running));
        match wanted.iter().find(|state| !all.contains(state)) {
            None => Ok(wanted),
            Some(other) => Err(format!(
                "state: what is {} cannot be {}; those that can be are {}",
                other.name(),
                match self {
                    Self::Retry => "retried (an event is given again with a replay)",
                    Self::Discard => "discarded",
                },
                all.iter().map(|state| state.name()).collect::<Vec<_>>().join(", "),
            )),
        }
    }
}

/// Keeps a change from everything there is when nobody said so.
fn chosen(selection: &Selection, said: bool) -> Result<(), String> {
    if said || *selection != Selection::default() {
        return Ok(());
    }
    Err("say which events: by event, state, type, plugin, course, source, from or to; or \"all\": true"
        .to_owned())
}

#[cfg(test)]
mod tests;
