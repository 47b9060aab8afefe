//! Recorded cases: calls with the answers that they should have, that a plugin's author ships beside the component.

mod compare;
mod read;
mod run;

use std::collections::BTreeSet;
use std::sync::Arc;

use hookbox_hooks::{Event, Filter};
use hookbox_sandbox::Plugin;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::generation::LivePlugin;

/// The most bytes of a file of recorded cases.
pub const CASES_BYTES: usize = 1 << 20;
/// The most cases of a file.
const CASES_MOST: usize = 200;

/// Recorded cases, read and checked against the catalogue.
#[derive(Debug, Clone)]
pub struct Cases {
    cases: Vec<Case>,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseReport {
    /// Its name, or its place in the file.
    pub case: String,
    /// Whether the answer was the recorded one.
    pub passed: bool,
    /// Each place where it was not: expected and found.
    pub differences: Vec<String>,
}

#[derive(Debug, Clone)]
struct Case {
    name: String,
    call: Call,
}

#[derive(Debug, Clone)]
enum Call {
    Filter { filter: Arc<Filter>, kwargs: Map<String, Value>, expect: FilterExpected },
    Event { event: Arc<Event>, data: Value, expect: EventExpected },
}

/// How a step should end. Keys that the file does not name are not compared.
#[derive(Debug, Clone, PartialEq)]
enum FilterExpected {
    Completed { kwargs: Map<String, Value> },
    Halted { kwargs: Map<String, Value> },
    Raised { exception: Map<String, Value> },
    Failure(String),
}

/// How a delivery should end.
#[derive(Debug, Clone, PartialEq)]
enum EventExpected {
    /// The code of a receipt: `delivered`, `retry` or `rejected`.
    Receipt(&'static str),
    Failure(String),
}

impl Cases {
    /// Reads the file's text: at most [`CASES_BYTES`] and 200 cases, of hooks of the catalogue.
    ///
    /// # Errors
    /// What is wrong with it, with the place.
    pub fn parse(text: &str) -> Result<Self, String> {
        read::cases(text).map(|cases| Self { cases })
    }

    /// The types of the hooks that they call.
    pub fn types(&self) -> BTreeSet<String> {
        let types = self.cases.iter().map(|case| match &case.call {
            Call::Filter { filter, .. } => filter.filter_type.clone(),
            Call::Event { event, .. } => event.event_type.clone(),
        });
        types.collect()
    }

    /// Runs them all on a plugin alone, one after the other, within 30 seconds altogether. `hooks` are the types that its
    /// generic interfaces get.
    pub async fn run_on(&self, plugin: &Plugin, hooks: &BTreeSet<String>) -> Vec<CaseReport> {
        run::all(&self.cases, plugin, hooks).await
    }

    /// Runs them all on a plugin that is not live yet.
    pub(crate) async fn run(&self, plugin: &LivePlugin) -> Vec<CaseReport> {
        self.run_on(&plugin.plugin, &plugin.hooks).await
    }
}

#[cfg(test)]
mod tests;
