//! A rehearsal: a plugin's calls see what is there and change nothing.
//!
//! What a call writes to its key-value rows it reads again, and is forgotten when the call ends. The archive is read as it
//! is; writes to it are answered as if they were done. No request leaves: every server looks as if it were down.

mod rows;

use std::sync::Arc;

use wasmtime_wasi::async_trait;

use self::rows::RehearsedRows;
use super::{ArchiveFault, ArchiveQuery, ArchiveStatus, CourseArchive, Services};

/// Whether what a plugin does has effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effects {
    /// It has.
    Real,
    /// It only looks so to the plugin.
    Rehearsed,
}

/// When a rehearsed write was made, for the plugin that made it. The same in every call, so that what a plugin answers
/// with can be compared.
const REHEARSED_AT: &str = "1970-01-01T00:00:00.000000+00:00";
/// The id of a status that a rehearsal would have made. No real one has it.
const REHEARSED_ID: i64 = 0;
/// Statuses of a course that a rehearsal counts: one page.
const COUNTED: u32 = 100;

impl Services {
    /// The same for one rehearsed call.
    pub(crate) fn rehearsed(&self) -> Self {
        let archive = self.course_archive.clone();
        let rows = self.key_value.clone();
        Self {
            course_archive: archive
                .map(|real| -> Arc<dyn CourseArchive> { Arc::new(RehearsedArchive { real }) }),
            key_value: rows.map(|real| -> Arc<dyn super::KeyValue> { Arc::new(RehearsedRows::new(real)) }),
            resolver: self.resolver.clone(),
            failed_calls: None,
        }
    }
}

/// The course archive of a rehearsal.
struct RehearsedArchive {
    real: Arc<dyn CourseArchive>,
}

#[async_trait]
impl CourseArchive for RehearsedArchive {
    async fn status(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
    ) -> Result<Option<ArchiveStatus>, ArchiveFault> {
        self.real.status(plugin, course_id, user).await
    }

    async fn statuses(&self, plugin: &str, query: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault> {
        self.real.statuses(plugin, query).await
    }

    async fn set_archived(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
        archived: bool,
    ) -> Result<ArchiveStatus, ArchiveFault> {
        let at = || REHEARSED_AT.to_owned();
        let archive_date = archived.then(at);
        Ok(match self.real.status(plugin, course_id, user).await? {
            Some(status) if status.is_archived == archived => status,
            Some(status) => ArchiveStatus { is_archived: archived, archive_date, updated_at: at(), ..status },
            None => ArchiveStatus {
                id: REHEARSED_ID,
                course_id: course_id.to_owned(),
                user,
                is_archived: archived,
                archive_date,
                last_synced: None,
                created_at: at(),
                updated_at: at(),
            },
        })
    }

    async fn set_last_synced(&self, plugin: &str, course_id: &str, _time: &str) -> Result<u64, ArchiveFault> {
        let course_id = Some(course_id.to_owned());
        let query = ArchiveQuery { course_id, limit: COUNTED, ..ArchiveQuery::default() };
        let found = self.real.statuses(plugin, query).await?.len() as u64;
        if found < u64::from(COUNTED) {
            return Ok(found);
        }
        Err(ArchiveFault::Unavailable(
            "this is a rehearsal, and the course has too many statuses for one".into(),
        ))
    }
}

#[cfg(test)]
mod tests;
