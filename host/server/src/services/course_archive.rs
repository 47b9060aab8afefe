//! The course archive for plugins: the archive's rules, times as text, a line in the log and a count for each write.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use hookbox_archive::Archive;
use hookbox_archive::plugin::{self, PluginQuery, PluginRefusal};
use hookbox_hooks::datetime::{DateTime, isoformat};
use hookbox_sandbox::{ArchiveFault, ArchiveQuery, ArchiveStatus, CourseArchive, async_trait};
use hookbox_store::{Status, StoreError, Timestamp};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::complaints::Complaints;
use super::turns::{Shares, Turns};
use crate::telemetry::ARCHIVE_PLUGIN_WRITES;

/// Characters of a wrong time that a message repeats.
const SHOWN: usize = 100;
/// Writes of one plugin that may be on their way at once, those of guests that are gone among them: far fewer than the
/// database lets wait.
const WRITES: u32 = 16;

/// The archive that this host keeps, for its plugins.
pub(super) struct HostArchive {
    archive: Archive,
    /// A list may read many rows: one at a time, so that there are readers left for everybody else.
    lists: Arc<Turns>,
    /// Marking a course as synced writes many rows: one part at a time.
    syncs: Arc<Turns>,
    writes: Shares,
    complaints: Complaints,
}

impl HostArchive {
    pub(super) fn new(archive: Archive) -> Self {
        Self {
            archive,
            lists: Arc::default(),
            syncs: Arc::default(),
            writes: Shares::new(WRITES),
            complaints: Complaints::default(),
        }
    }

    /// What a guest is told. What ails the database is for the log.
    fn fault(&self, plugin: &str, refusal: PluginRefusal) -> ArchiveFault {
        let PluginRefusal::Store(error) = refusal else {
            return ArchiveFault::Invalid(refusal.to_string());
        };
        self.complaints.tell(plugin, &error, "the archive cannot answer a plugin");
        ArchiveFault::Unavailable(format!("the archive's database does not answer: {}", error.code()))
    }
}

#[async_trait]
impl CourseArchive for HostArchive {
    async fn status(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
    ) -> Result<Option<ArchiveStatus>, ArchiveFault> {
        let status = self.archive.status_of(course_id, user).await;
        status.map(|status| status.map(shown)).map_err(|refusal| self.fault(plugin, refusal))
    }

    async fn statuses(&self, plugin: &str, query: ArchiveQuery) -> Result<Vec<ArchiveStatus>, ArchiveFault> {
        let ArchiveQuery { course_id, user, is_archived, after, limit } = query;
        let query = PluginQuery { course_id, user, is_archived, after, limit };
        let (archive, turns, name) = (self.archive.clone(), Arc::clone(&self.lists), plugin.to_owned());
        // The turn is held until the rows are read, also when the guest's time ends before.
        let listed = apart(|guest| async move {
            let _turn = turns.of(&name).await;
            if guest.gone() { Ok(Vec::new()) } else { archive.statuses_after(&query).await }
        });
        let listed = listed.await.unwrap_or(Err(StoreError::Closed.into()));
        let shown = |statuses: Vec<Status>| statuses.into_iter().map(shown).collect();
        listed.map(shown).map_err(|refusal| self.fault(plugin, refusal))
    }

    async fn set_archived(
        &self,
        plugin: &str,
        course_id: &str,
        user: i64,
        archived: bool,
    ) -> Result<ArchiveStatus, ArchiveFault> {
        let what = if archived { "archive" } else { "unarchive" };
        let (archive, name, course_id) = (self.archive.clone(), plugin.to_owned(), course_id.to_owned());
        let share = self.writes.of(plugin, 1).await;
        // A write on its way is noted, also when the guest's time ends before it does.
        let written = apart(|_| async move {
            let _share = share;
            let written = archive.set_archived(&course_id, user, archived).await;
            if let Ok(Status { id, course_id: course, .. }) = &written {
                tracing::info!(plugin = name, what, course, user, id, "a plugin wrote to the course archive");
                count(&name, what);
            }
            written
        });
        let written = written.await.unwrap_or(Err(StoreError::Closed.into()));
        written.map(shown).map_err(|refusal| self.fault(plugin, refusal))
    }

    async fn set_last_synced(&self, plugin: &str, course_id: &str, time: &str) -> Result<u64, ArchiveFault> {
        let course = plugin::course(course_id).map_err(|refusal| self.fault(plugin, refusal))?;
        let moment = read_time(time)?;
        let (archive, turns, name) = (self.archive.clone(), Arc::clone(&self.syncs), plugin.to_owned());
        let synced = apart(|guest| async move {
            let (mut rows, mut after) = (0, None);
            let outcome = loop {
                let _turn = turns.of(&name).await;
                if guest.gone() {
                    break Ok(false);
                }
                match archive.sync_some(&course, moment, after).await {
                    Ok(part) => {
                        rows += part.rows;
                        after = part.next;
                    }
                    Err(error) => break Err(error),
                }
                if after.is_none() {
                    break Ok(true);
                }
            };
            let (what, complete) = ("set-last-synced", outcome == Ok(true));
            if complete || rows > 0 {
                let course = &course.kept;
                let name = &name;
                tracing::info!(
                    plugin = name,
                    what,
                    course,
                    rows,
                    complete,
                    "a plugin wrote to the course archive"
                );
                count(name, what);
            }
            outcome.map(|_| rows)
        });
        let synced = synced.await.unwrap_or(Err(StoreError::Closed));
        synced.map_err(|error| self.fault(plugin, error.into()))
    }
}

/// Whether the guest still waits for an answer.
struct Guest(oneshot::Sender<()>);

impl Guest {
    fn gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// Does something in a task of its own, which goes on when the guest no longer waits. `None`: it ended in a panic.
async fn apart<T, F>(work: impl FnOnce(Guest) -> F) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (guest, _waits) = oneshot::channel();
    tokio::spawn(work(Guest(guest))).await.ok()
}

fn count(plugin: &str, what: &'static str) {
    metrics::counter!(ARCHIVE_PLUGIN_WRITES, "plugin" => plugin.to_owned(), "what" => what).increment(1);
}

fn read_time(text: &str) -> Result<Timestamp, ArchiveFault> {
    let wrong = || {
        let given: String = text.chars().take(SHOWN).collect();
        let help = "write an ISO 8601 time with an offset, such as 2026-01-02T03:04:05.678901+00:00";
        ArchiveFault::Invalid(format!("time {given:?}: {help}"))
    };
    let moment = DateTime::parse(text).and_then(DateTime::utc).ok_or_else(wrong)?;
    let micros = moment.unix_timestamp_nanos().div_euclid(1_000);
    i64::try_from(micros).map(Timestamp::from_micros).map_err(|_| wrong())
}

fn text(time: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.as_micros()) * 1_000);
    // What is kept came from a clock or from a text of the years that there are texts for.
    isoformat(moment.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

fn shown(status: Status) -> ArchiveStatus {
    ArchiveStatus {
        id: status.id,
        course_id: status.course_id,
        user: status.user,
        is_archived: status.is_archived,
        archive_date: status.archive_date.map(text),
        last_synced: status.last_synced.map(text),
        created_at: text(status.created_at),
        updated_at: text(status.updated_at),
    }
}
