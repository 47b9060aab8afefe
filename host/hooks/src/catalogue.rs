//! The hooks that Open edX defines: every public filter and event, read from the catalogue's facts.

mod facts;
mod signature;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::types::{Field, Signature};

pub use signature::{EVENTS_PACKAGE, FILTERS_PACKAGE, any_event, any_filter, configure};

/// One public filter.
#[derive(Debug)]
pub struct Filter {
    /// `org.openedx.learning.course.enrollment.started.v1`.
    pub filter_type: String,
    /// Upstream's class.
    pub class: String,
    /// Upstream's module.
    pub module: String,
    /// The pipeline's arguments, in order.
    pub params: Vec<Field>,
    /// The exceptions its steps may raise.
    pub exceptions: Vec<ExceptionClass>,
    /// The argument whose passwords no step may see, when there is one (`SensitiveDataManagementMixin`).
    pub sensitive: Option<String>,
    /// The function that a plugin exports for it.
    pub signature: Arc<Signature>,
}

/// An exception class nested in a filter.
#[derive(Debug)]
pub struct ExceptionClass {
    /// Its name, unique within its filter only.
    pub class: String,
    /// The parameters of its constructor; `message` is always the first.
    pub params: Vec<Field>,
}

/// One public event.
#[derive(Debug)]
pub struct Event {
    /// `org.openedx.content_authoring.course.catalog_info.changed.v1`.
    pub event_type: String,
    /// Upstream's signal: `COURSE_CATALOG_INFO_CHANGED`.
    pub signal: String,
    /// Upstream's module.
    pub module: String,
    /// The one key of its data, and that key's type.
    pub data: Field,
    /// The function that a plugin exports for it.
    pub signature: Arc<Signature>,
}

/// Every public filter and event of one version of Open edX.
#[derive(Debug)]
pub struct Catalogue {
    /// The version of openedx-filters that the filters come from.
    pub filters_version: String,
    /// The version of openedx-events that the events come from.
    pub events_version: String,
    filters: Vec<Arc<Filter>>,
    events: Vec<Arc<Event>>,
    by_type: HashMap<String, Hook>,
}

/// A hook of either kind.
#[derive(Debug, Clone)]
pub enum Hook {
    /// A filter: steps change its arguments or stop it.
    Filter(Arc<Filter>),
    /// An event: receivers hear of it.
    Event(Arc<Event>),
}

impl Hook {
    /// The hook's type.
    pub fn hook_type(&self) -> &str {
        match self {
            Self::Filter(filter) => &filter.filter_type,
            Self::Event(event) => &event.event_type,
        }
    }

    /// The function that a plugin exports for it.
    pub fn signature(&self) -> &Arc<Signature> {
        match self {
            Self::Filter(filter) => &filter.signature,
            Self::Event(event) => &event.signature,
        }
    }
}

static EMBEDDED: LazyLock<Catalogue> = LazyLock::new(|| {
    let filters = include_str!("../../../wit/catalog/filters.json");
    let events = include_str!("../../../wit/catalog/events.json");
    #[expect(
        clippy::expect_used,
        reason = "the facts are compiled in, and every test of this crate reads them"
    )]
    Catalogue::from_json(filters, events).expect("the embedded catalogue is sound")
});

impl Catalogue {
    /// The catalogue this build carries.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Reads the facts of both packages.
    ///
    /// # Errors
    /// Says which fact could not be understood.
    pub fn from_json(filters: &str, events: &str) -> Result<Self, String> {
        let (filters_version, filters) = facts::filters(filters)?;
        let (events_version, events) = facts::events(events)?;
        let by_type = filters
            .iter()
            .cloned()
            .map(Hook::Filter)
            .chain(events.iter().cloned().map(Hook::Event))
            .map(|hook| (hook.hook_type().to_owned(), hook))
            .collect();
        Ok(Self { filters_version, events_version, filters, events, by_type })
    }

    /// All filters, in the order of the catalogue.
    pub fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
    }

    /// All events, in the order of the catalogue.
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// All hooks, filters first.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> + '_ {
        let events = self.events.iter().cloned().map(Hook::Event);
        self.filters.iter().cloned().map(Hook::Filter).chain(events)
    }

    /// The filter of that type.
    pub fn filter(&self, filter_type: &str) -> Option<&Arc<Filter>> {
        match self.by_type.get(filter_type) {
            Some(Hook::Filter(filter)) => Some(filter),
            _ => None,
        }
    }

    /// The event of that type.
    pub fn event(&self, event_type: &str) -> Option<&Arc<Event>> {
        match self.by_type.get(event_type) {
            Some(Hook::Event(event)) => Some(event),
            _ => None,
        }
    }

    /// The hook of that type, whatever its kind.
    pub fn hook(&self, hook_type: &str) -> Option<&Hook> {
        self.by_type.get(hook_type)
    }
}
