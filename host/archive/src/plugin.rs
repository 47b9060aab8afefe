//! What a plugin may do with the archive: the rules are those of a request by staff, the questions are a plugin's own.

use hookbox_store::{Filter, Status, StoreError, Synced, Timestamp};

use crate::draft::{Course, Wanted};
use crate::rules;
use crate::service::Archive;

/// Statuses in one list at most.
pub const MOST_LISTED: u32 = 100;
/// Statuses that one transaction marks as synced at most. On a small machine that takes some 50 ms, the longest that
/// another write waits for it.
pub const MOST_SYNCED: u32 = 2_000;
/// Characters of a wrong value that a message repeats.
const SHOWN: usize = 100;

/// Why the archive did not do as a plugin asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginRefusal {
    /// The text is no course key.
    #[error("course-id {given:?}: {}", .messages.join(" "))]
    Course {
        /// The text, cut.
        given: String,
        /// What is wrong, in the REST API's words.
        messages: Vec<String>,
    },
    /// Nobody has this id.
    #[error("user {user}: no such user; the host knows a user from their first request with a token")]
    NoSuchUser {
        /// The id.
        user: i64,
    },
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PluginRefusal {
    /// A stable name for reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Course { .. } => "invalid-course-id",
            Self::NoSuchUser { .. } => "no-such-user",
            Self::Store(error) => error.code(),
        }
    }
}

/// Which statuses a plugin wants listed. What is `None` lets every value through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginQuery {
    /// The course, as a plugin spells it.
    pub course_id: Option<String>,
    /// The user's id.
    pub user: Option<i64>,
    /// Whether the course is archived.
    pub is_archived: Option<bool>,
    /// Only greater ids.
    pub after: Option<i64>,
    /// How many; [`MOST_LISTED`] at most.
    pub limit: u32,
}

/// Reads a course key as a plugin gives it, by the rules for a body's `course_id`.
///
/// # Errors
/// [`PluginRefusal::Course`].
pub fn course(text: &str) -> Result<Course, PluginRefusal> {
    Course::given(text)
        .map_err(|messages| PluginRefusal::Course { given: text.chars().take(SHOWN).collect(), messages })
}

impl Archive {
    /// A user's status of a course, if there is one. A user whom nobody has heard of has none.
    ///
    /// # Errors
    /// [`PluginRefusal`]: the course key, or the store.
    pub async fn status_of(&self, course_id: &str, user: i64) -> Result<Option<Status>, PluginRefusal> {
        let course = course(course_id)?;
        self.store.read(move |reads| Ok(reads.status_of(&course.kept, user)?)).await
    }

    /// Statuses in the order of their ids.
    ///
    /// # Errors
    /// [`PluginRefusal`]: the course key, or the store.
    pub async fn statuses_after(&self, query: &PluginQuery) -> Result<Vec<Status>, PluginRefusal> {
        let course = query.course_id.as_deref().map(course).transpose()?;
        let filter = Filter {
            owner: None,
            course_id: course.map(|course| course.kept),
            user: query.user,
            is_archived: query.is_archived,
        };
        // Below every id there can be.
        let after = query.after.unwrap_or(i64::MIN);
        let most = query.limit.min(MOST_LISTED) as usize;
        self.store.read(move |reads| Ok(reads.statuses_after(&filter, after, most)?)).await
    }

    /// Archives a course for a user, or takes it out of the archive, as a PATCH of `is_archived` does, or, where there is
    /// no status, a POST. It is durable when this returns.
    ///
    /// # Errors
    /// [`PluginRefusal`]: the course key, the user, or the store. Then nothing is written.
    pub async fn set_archived(
        &self,
        course_id: &str,
        user: i64,
        archived: bool,
    ) -> Result<Status, PluginRefusal> {
        let course = course(course_id)?;
        self.store
            .write(move |writes| {
                if !writes.user_exists(user)? {
                    return Err(PluginRefusal::NoSuchUser { user });
                }
                let now = Timestamp::now();
                if let Some(current) = writes.status_of(&course.kept, user)? {
                    let wanted = Wanted { course: None, user: None, is_archived: Some(archived) };
                    let next = rules::changed(&current, &wanted, now);
                    writes.update_status(&next)?;
                    return Ok(next);
                }
                let new = rules::created_in(&course, user, archived, now);
                Ok(writes.insert_status(&new)?)
            })
            .await
    }

    /// Marks statuses of a course as synced, [`MOST_SYNCED`] at most: those of the users after `after`, by id. They are
    /// durable when this returns. Nothing else of them changes, `updated_at` neither: a learner's newest rows come first in
    /// lists, and a sync is nothing a learner did.
    ///
    /// # Errors
    /// The store.
    pub async fn sync_some(
        &self,
        course: &Course,
        time: Timestamp,
        after: Option<i64>,
    ) -> Result<Synced, StoreError> {
        let course_id = course.kept.clone();
        self.store.write(move |writes| writes.set_last_synced(&course_id, time, after, MOST_SYNCED)).await
    }
}

#[cfg(test)]
mod tests;
