//! Which courses their learners have archived. All SQL about that is here and in the modules below.

mod audit;
mod lists;
mod part;
mod seek;
#[cfg(test)]
mod tests;
mod walk;

use rusqlite::{Row, params};

use crate::error::StoreError;
use crate::job::{Reads, Writes};
use crate::time::Timestamp;

pub(crate) use audit::QUESTIONS;

/// Whether a user has archived a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Never given to another row.
    pub id: i64,
    /// The course's key, as it was written; ASCII case does not tell two apart.
    pub course_id: String,
    /// The user's id.
    pub user: i64,
    /// Whether the course is archived.
    pub is_archived: bool,
    /// Since when.
    pub archive_date: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row was last written.
    pub updated_at: Timestamp,
    /// When the course's data last came from the platform.
    pub last_synced: Option<Timestamp>,
}

/// A status to insert. The fields are those of [`Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// The course's key.
    pub course_id: String,
    /// The user's id.
    pub user: i64,
    /// Whether the course is archived.
    pub is_archived: bool,
    /// Since when.
    pub archive_date: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row was last written.
    pub updated_at: Timestamp,
}

/// Which statuses are meant: those that fit every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this user's rows are visible.
    pub owner: Option<i64>,
    /// Only this course's. ASCII case is ignored.
    pub course_id: Option<String>,
    /// Only this user's, among the visible ones.
    pub user: Option<i64>,
    /// Only those that are archived, or are not.
    pub is_archived: Option<bool>,
}

/// What [`Writes::set_last_synced`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synced {
    /// How many statuses it changed.
    pub rows: u64,
    /// The user to go on after; `None` when the course has no more.
    pub next: Option<i64>,
}

/// What statuses can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The course's key, ASCII case ignored.
    CourseId,
    /// The user's id.
    User,
    /// Those that are not archived come first.
    IsArchived,
    /// Those without one come first.
    ArchiveDate,
    /// When the row was made.
    CreatedAt,
    /// When the row was last written.
    UpdatedAt,
}

/// A column to order by. Descending turns the column round, also what comes first above, but not the ids that break ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// The column.
    pub column: Column,
    /// Greatest first.
    pub descending: bool,
}

impl Filter {
    /// Whether a row is one of those that are meant.
    pub fn admits(&self, status: &Status) -> bool {
        self.owner.is_none_or(|owner| owner == status.user)
            && self.user.is_none_or(|user| user == status.user)
            && self.is_archived.is_none_or(|archived| archived == status.is_archived)
            && self.course_id.as_ref().is_none_or(|course| course.eq_ignore_ascii_case(&status.course_id))
    }
}

/// One status by its id.
const BY_ID: &str =
    "SELECT id, course_id, user_id, is_archived, archive_date, created_at, updated_at, last_synced
     FROM archive_status WHERE id = ?1";

impl Reads<'_> {
    /// The status with this id, if the filter admits it.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn status(&self, id: i64, filter: &Filter) -> Result<Option<Status>, StoreError> {
        let status = self.first(BY_ID, [id], status)?;
        Ok(status.filter(|status| filter.admits(status)))
    }

    /// The one status that a user can have for a course. ASCII case of the course's key is ignored.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn status_of(&self, course_id: &str, user: i64) -> Result<Option<Status>, StoreError> {
        self.first(
            "SELECT id, course_id, user_id, is_archived, archive_date, created_at, updated_at, last_synced
             FROM archive_status WHERE course_id = ?1 AND user_id = ?2",
            params![course_id, user],
            status,
        )
    }
}

impl Writes<'_> {
    /// Inserts a status.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the user has one for the course, ASCII case ignored; [`StoreError::NoSuchUser`].
    pub fn insert_status(&self, new: &NewStatus) -> Result<Status, StoreError> {
        self.execute(
            "INSERT INTO archive_status (course_id, user_id, is_archived, archive_date, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                new.course_id,
                new.user,
                new.is_archived,
                new.archive_date,
                new.created_at,
                new.updated_at
            ],
        )?;
        Ok(Status {
            id: self.connection.last_insert_rowid(),
            course_id: new.course_id.clone(),
            user: new.user,
            is_archived: new.is_archived,
            archive_date: new.archive_date,
            created_at: new.created_at,
            updated_at: new.updated_at,
            last_synced: None,
        })
    }

    /// Changes the status with this id to these values; whether there is one.
    ///
    /// # Errors
    /// Those of [`Writes::insert_status`].
    pub fn update_status(&self, status: &Status) -> Result<bool, StoreError> {
        let changed = self.execute(
            "UPDATE archive_status SET course_id = ?2, user_id = ?3, is_archived = ?4, archive_date = ?5,
             created_at = ?6, updated_at = ?7, last_synced = ?8 WHERE id = ?1",
            params![
                status.id,
                status.course_id,
                status.user,
                status.is_archived,
                status.archive_date,
                status.created_at,
                status.updated_at,
                status.last_synced
            ],
        )?;
        Ok(changed > 0)
    }

    /// Deletes a status; whether there was one.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn delete_status(&self, id: i64) -> Result<bool, StoreError> {
        Ok(self.execute("DELETE FROM archive_status WHERE id = ?1", [id])? > 0)
    }

    /// Notes that a course's data came from the platform, in at most `most` statuses of the course: those of the users that
    /// come next after `after`, by id. Their `updated_at` stays: nobody wrote them. Costs what it changes, however many
    /// statuses the course has.
    ///
    /// # Errors
    /// The database could not be written.
    pub fn set_last_synced(
        &self,
        course_id: &str,
        time: Timestamp,
        after: Option<i64>,
        most: u32,
    ) -> Result<Synced, StoreError> {
        let after = after.unwrap_or(i64::MIN);
        let (found, last) = self
            .first(
                "SELECT count(*), max(user_id) FROM (SELECT user_id FROM archive_status
                 WHERE course_id = ?1 AND user_id > ?2 ORDER BY user_id LIMIT ?3)",
                params![course_id, after, most],
                |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Option<i64>>(1)?)),
            )?
            .unwrap_or_default();
        let Some(last) = last else { return Ok(Synced { rows: 0, next: None }) };
        let rows = self.execute(
            "UPDATE archive_status SET last_synced = ?4 WHERE course_id = ?1 AND user_id > ?2 AND user_id <= ?3",
            params![course_id, after, last, time],
        )?;
        Ok(Synced { rows: rows as u64, next: (found == most).then_some(last) })
    }
}

fn status(row: &Row<'_>) -> rusqlite::Result<Status> {
    Ok(Status {
        id: row.get(0)?,
        course_id: row.get(1)?,
        user: row.get(2)?,
        is_archived: row.get(3)?,
        archive_date: row.get(4)?,
        created_at: row.get(5)?,
        updated_at: row.get(6)?,
        last_synced: row.get(7)?,
    })
}
