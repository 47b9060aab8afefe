//! What capabilities work on. The sandbox knows neither database nor rules: whoever makes it hands them in.

use std::sync::Arc;

use super::{CourseArchive, KeyValue, Resolver};
use crate::record::FailedCalls;

/// What capabilities work on. A guest that reaches for one that is not there is told that it is unavailable.
#[derive(Clone, Default)]
pub struct Services {
    /// The course archive.
    pub course_archive: Option<Arc<dyn CourseArchive>>,
    /// Rows of the plugins' own.
    pub key_value: Option<Arc<dyn KeyValue>>,
    /// Who says which addresses a name in a plugin's request has; `None` for the system.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Who keeps calls that failed; `None` when nobody does, and no call is recorded.
    pub failed_calls: Option<Arc<dyn FailedCalls>>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("course_archive", &self.course_archive.is_some())
            .field("key_value", &self.key_value.is_some())
            .field("resolver", &self.resolver.is_some())
            .field("failed_calls", &self.failed_calls.is_some())
            .finish()
    }
}
