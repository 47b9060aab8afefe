//! Counts and pages of statuses.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params, params_from_iter};

use super::part::Part;
use super::{BY_ID, Column, Filter, Order, Status, status};
use crate::error::StoreError;
use crate::job::Reads;

/// A page that begins before this many rows is found by stepping over them.
const NEAR: u64 = 512;

/// Rows from `offset` on in a list, at most `limit`.
#[derive(Clone, Copy)]
struct Page {
    offset: u64,
    limit: u32,
}

impl Reads<'_> {
    /// How many statuses the filter admits. Costs the same however many they are, unless the filter names a course: then it
    /// grows with the course's rows.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn count_statuses(&self, filter: &Filter) -> Result<u64, StoreError> {
        Part::of(filter).map_or(Ok(0), |part| self.count(&part))
    }

    /// A page of the statuses that the filter admits: at most `limit`, after the first `offset` in this order. Nulls come first
    /// where a column ascends and last where it descends; ties are broken by ascending id. A column that is named again is
    /// ignored.
    ///
    /// In the order of `updated_at`, of all users and courses, the cost does not grow with `offset`. In others it does, by the
    /// steps of an index, up to the middle of the list and down again.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn statuses(
        &self,
        filter: &Filter,
        order: &[Order],
        offset: u64,
        limit: u32,
    ) -> Result<Vec<Status>, StoreError> {
        let Some(part) = Part::of(filter) else { return Ok(Vec::new()) };
        let ids = self.ids(&part, order, Page { offset, limit })?;
        let mut statement = self.connection.prepare_cached(BY_ID)?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(statement.query_row([id], status).optional()?);
        }
        Ok(rows)
    }

    fn count(&self, part: &Part) -> Result<u64, StoreError> {
        let archived = [part.archived.unwrap_or(false), part.archived.unwrap_or(true)];
        let count = if part.course_id.is_some() {
            let (conditions, values) = part.conditions(None);
            let sql = format!("SELECT count(*) FROM archive_status {} WHERE {conditions}", part.index(None));
            self.first(&sql, params_from_iter(values), |row| row.get(0))
        } else if let Some(user) = part.user {
            self.first(
                "SELECT sum(rows) FROM archive_count WHERE user_id = ?1 AND is_archived BETWEEN ?2 AND ?3",
                params![user, archived[0], archived[1]],
                |row| row.get(0),
            )
        } else {
            self.first(
                "SELECT sum(CASE ?3 WHEN 0 THEN undated WHEN 1 THEN rows - undated ELSE rows END)
                 FROM archive_total WHERE is_archived BETWEEN ?1 AND ?2",
                params![archived[0], archived[1], part.dated],
                |row| row.get(0),
            )
        };
        Ok(count?.flatten().unwrap_or(0))
    }

    /// The ids of a page's rows, in order.
    fn ids(&self, part: &Part, order: &[Order], page: Page) -> Result<Vec<i64>, StoreError> {
        let terms = part.terms(order);
        let Some((first, rest)) = terms.split_first() else { return self.walked(part, &terms, page) };
        let descending = first.descending;
        match first.column {
            // A column with two values makes two lists, one behind the other, each in the order of the rest.
            Column::IsArchived => {
                let list = |archived| (Part { archived: Some(archived), ..part.clone() }, rest);
                self.joined([list(descending), list(!descending)], page)
            }
            // The rows without a date would otherwise all be sorted by what comes next.
            Column::ArchiveDate if part.is_general() && part.dated.is_none() => {
                let list =
                    |dated| (Part { dated: Some(dated), ..part.clone() }, if dated { &*terms } else { rest });
                self.joined([list(descending), list(!descending)], page)
            }
            _ => self.walked(part, &terms, page),
        }
    }

    /// A page of two lists, one behind the other.
    fn joined(&self, lists: [(Part, &[Order]); 2], page: Page) -> Result<Vec<i64>, StoreError> {
        let mut ids = Vec::new();
        let Page { mut offset, mut limit } = page;
        for (part, order) in lists {
            let rows = self.count(&part)?;
            if offset >= rows {
                offset -= rows;
                continue;
            }
            ids.extend(self.ids(&part, order, Page { offset, limit })?);
            limit -= u32::try_from(rows - offset).map_or(limit, |left| left.min(limit));
            offset = 0;
            if limit == 0 {
                break;
            }
        }
        Ok(ids)
    }

    /// A page of one list.
    fn walked(&self, part: &Part, terms: &[Order], page: Page) -> Result<Vec<i64>, StoreError> {
        let mut place = None;
        if page.offset >= NEAR && part.is_general() {
            let total = self.count(part)?;
            if page.offset >= total {
                return Ok(Vec::new());
            }
            place = self.seek(part, terms.first().copied(), page.offset, total)?;
        }
        let (bound, offset) = match &place {
            Some((bound, offset)) => (Some(bound), *offset),
            None => (None, page.offset),
        };
        let (_, mut values) = part.conditions(bound);
        values.push(Value::Integer(page.limit.into()));
        values.push(Value::Integer(i64::try_from(offset).unwrap_or(i64::MAX)));
        let sql = part.statement(terms, bound);
        let collect = |statement: &mut rusqlite::Statement<'_>| {
            statement.query_map(params_from_iter(values), |row| row.get(0))?.collect::<Result<_, _>>()
        };
        // There are too many orders by several columns to keep a statement for each.
        Ok(match terms.len() {
            0 | 1 => collect(&mut *self.connection.prepare_cached(&sql)?)?,
            _ => collect(&mut self.connection.prepare(&sql)?)?,
        })
    }
}
