//! `hookbox:plugin/course-archive` and `course-archive-updates`: the course archive, for plugins that are granted it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::async_trait;

use crate::state::CallState;
use bindings::hookbox::plugin::{course_archive as reading, course_archive_updates as updates};

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../../wit/deps/wasi-config", "../../wit/deps/wasi-logging", "../../wit/hookbox"],
        inline: "
            package hookbox:host-of-the-archive;
            world archive {
                import hookbox:plugin/course-archive@1.0.0;
                import hookbox:plugin/course-archive-updates@1.0.0;
            }
        ",
        world: "hookbox:host-of-the-archive/archive",
        imports: { default: async | trappable },
        with: { "hookbox:plugin/types": crate::capabilities::bindings::hookbox::plugin::types },
    });
}

/// A user's archive status of one course. Times are ISO 8601 text with an offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveStatus {
    /// The row's id.
    pub id: i64,
    /// The course's key.
    pub course_id: String,
    /// The user's id.
    pub user: i64,
    /// Whether the course is archived.
    pub is_archived: bool,
    /// Since when.
    pub archive_date: Option<String>,
    /// When a plugin last said that the course and this status agree.
    pub last_synced: Option<String>,
    /// When the row was made.
    pub created_at: String,
    /// When the row was last written.
    pub updated_at: String,
}

/// Which statuses to list. `None` lets every value through. Nothing in it has been checked: a guest wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveQuery {
    /// The course's key.
    pub course_id: Option<String>,
    /// The user's id.
    pub user: Option<i64>,
    /// Whether the course is archived.
    pub is_archived: Option<bool>,
    /// Only rows whose id is greater.
    pub after: Option<i64>,
    /// The most rows wanted.
    pub limit: u32,
}

/// Why the archive did not do as a guest asked. The guest reads the texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveFault {
    /// The request cannot be; the text names what is wrong with it.
    #[error("{0}")]
    Invalid(String),
    /// The archive does not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// The course archive as plugins use it. Course keys and times are as a guest wrote them; `plugin` is the name of the one
/// that asks. A future is dropped when the guest's time is over.
#[async_trait]
pub trait CourseArchive: Send + Sync {
    /// A user's status of one course, if there is one.
    ///
    /// # Errors
    /// [`ArchiveFault`].
    async fn status(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
    ) -> Result<Option<ArchiveStatus>, ArchiveFault>;

    /// Statuses in the order of their ids, at most 100.
    ///
    /// # Errors
    /// [`ArchiveFault`].
    async fn statuses(&self, plugin: &str, query: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault>;

    /// Archives a course for a user, or takes it out of the archive; durable when it returns.
    ///
    /// # Errors
    /// [`ArchiveFault`]; then nothing was written.
    async fn set_archived(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
        archived: bool,
    ) -> Result<ArchiveStatus, ArchiveFault>;

    /// Writes when all statuses of a course were last synced; how many there are. Durable when it returns.
    ///
    /// # Errors
    /// [`ArchiveFault`]; then some may have been written.
    async fn set_last_synced(&self, plugin: &str, course_id: &str, time: &str) -> Result<u64, ArchiveFault>;
}

/// Links what `archive:read` grants.
pub(super) fn link_reading(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    reading::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

/// Links what `archive:write` grants beside that.
pub(super) fn link_updates(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    updates::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

/// The host's archive, and the plugin that asks it.
type Asked = (Arc<dyn CourseArchive>, Arc<str>);

impl CallState {
    /// Counts the call.
    fn archive(&mut self) -> wasmtime::Result<Result<Asked, ArchiveFault>> {
        self.count_host_call()?;
        let none = || ArchiveFault::Unavailable("there is no course archive here".to_owned());
        let archive = self.services().course_archive.clone().ok_or_else(none);
        Ok(archive.map(|archive| (archive, Arc::clone(&self.owner.name))))
    }
}

impl reading::Host for CallState {
    async fn get_status(
        &mut self,
        course_id: String,
        user: i64,
    ) -> wasmtime::Result<Result<Option<reading::ArchiveStatus>, reading::ArchiveError>> {
        let (archive, plugin) = match self.archive()? {
            Ok(asked) => asked,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let status = archive.status(&plugin, &course_id, user).await;
        Ok(status.map(|status| status.map(Into::into)).map_err(Into::into))
    }

    async fn list_statuses(
        &mut self,
        query: reading::ArchiveQuery,
    ) -> wasmtime::Result<Result<Vec<reading::ArchiveStatus>, reading::ArchiveError>> {
        let (archive, plugin) = match self.archive()? {
            Ok(asked) => asked,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let statuses = archive.statuses(&plugin, query.into()).await;
        Ok(statuses.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(Into::into))
    }
}

impl updates::Host for CallState {
    async fn set_archived(
        &mut self,
        course_id: String,
        user: i64,
        archived: bool,
    ) -> wasmtime::Result<Result<reading::ArchiveStatus, reading::ArchiveError>> {
        let (archive, plugin) = match self.archive()? {
            Ok(asked) => asked,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let status = archive.set_archived(&plugin, &course_id, user, archived).await;
        Ok(status.map(Into::into).map_err(Into::into))
    }

    async fn set_last_synced(
        &mut self,
        course_id: String,
        time: String,
    ) -> wasmtime::Result<Result<u64, reading::ArchiveError>> {
        let (archive, plugin) = match self.archive()? {
            Ok(asked) => asked,
            Err(fault) => return Ok(Err(fault.into())),
        };
        Ok(archive.set_last_synced(&plugin, &course_id, &time).await.map_err(Into::into))
    }
}

impl From<ArchiveStatus> for reading::ArchiveStatus {
    fn from(status: ArchiveStatus) -> Self {
        let ArchiveStatus {
            id,
            course_id,
            user,
            is_archived,
            archive_date,
            last_synced,
            created_at,
            updated_at,
        } = status;
        Self { id, course_id, user, is_archived, archive_date, last_synced, created_at, updated_at }
    }
}

impl From<reading::ArchiveQuery> for ArchiveQuery {
    fn from(query: reading::ArchiveQuery) -> Self {
        let reading::ArchiveQuery { course_id, user, is_archived, after, limit } = query;
        Self { course_id, user, is_archived, after, limit }
    }
}

impl From<ArchiveFault> for reading::ArchiveError {
    fn from(fault: ArchiveFault) -> Self {
        match fault {
            ArchiveFault::Invalid(text) => Self::Invalid(text),
            ArchiveFault::Unavailable(text) => Self::Unavailable(text),
        }
    }
}
