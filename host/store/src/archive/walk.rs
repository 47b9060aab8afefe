//! Statuses in the order of their ids, for whoever goes through all of them.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use super::part::Part;
use super::{BY_ID, Filter, Status, status};
use crate::error::StoreError;
use crate::job::Reads;

impl Reads<'_> {
    /// The statuses that the filter admits with an id above `after`, in the order of their ids, at most `most`.
    ///
    /// The cost does not grow with the rows before. Where the filter names a course or a user, it grows with the rows that
    /// course or user has: some 30 ms for 100,000, and 200 ms when `is_archived` leaves nearly all of them out.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn statuses_after(
        &self,
        filter: &Filter,
        after: i64,
        most: usize,
    ) -> Result<Vec<Status>, StoreError> {
        let mut found = Vec::new();
        let Some(part) = Part::of(filter) else { return Ok(found) };
        let (sql, values) = part.ids_after(after);
        let mut ids = self.connection.prepare_cached(sql)?;
        let mut by_id = self.connection.prepare_cached(BY_ID)?;
        let mut ids = ids.query(params_from_iter(values))?;
        while found.len() < most {
            let Some(row) = ids.next()? else { break };
            let status = by_id.query_row([row.get::<_, i64>(0)?], status).optional()?;
            found.extend(status.filter(|status| filter.admits(status)));
        }
        Ok(found)
    }
}

impl Part {
    /// The ids of rows among which the wanted ones are, from an index alone. It is named, because the planner would rather
    /// look into every row than sort ids. The filter has to look at what comes out.
    pub(super) fn ids_after(&self, after: i64) -> (&'static str, Vec<Value>) {
        let after = Value::Integer(after);
        match (&self.course_id, self.user, self.archived) {
            (Some(course), Some(user), _) => (
                "SELECT id FROM archive_status INDEXED BY archive_status_course
                 WHERE course_id = ? AND user_id = ? AND id > ? ORDER BY id",
                vec![Value::Text(course.clone()), Value::Integer(user), after],
            ),
            (Some(course), None, _) => (
                "SELECT id FROM archive_status INDEXED BY archive_status_course
                 WHERE course_id = ? AND id > ? ORDER BY id",
                vec![Value::Text(course.clone()), after],
            ),
            (None, Some(user), _) => (
                "SELECT id FROM archive_status INDEXED BY archive_status_user
                 WHERE user_id = ? AND id > ? ORDER BY id",
                vec![Value::Integer(user), after],
            ),
            (None, None, Some(archived)) => (
                "SELECT id FROM archive_status INDEXED BY archive_status_archived
                 WHERE is_archived = ? AND id > ? ORDER BY id",
                vec![Value::Integer(archived.into()), after],
            ),
            (None, None, None) => {
                ("SELECT id FROM archive_status NOT INDEXED WHERE id > ? ORDER BY id", vec![after])
            }
        }
    }
}
