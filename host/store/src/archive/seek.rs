//! Where a page far down a list begins, without stepping over all rows before it.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::part::{Bound, Part, Walk};
use super::{Column, Order};
use crate::error::StoreError;
use crate::job::Reads;

/// A run of rows whose `updated_at` lies from `start` to `last`: a block or a shelf. The schema tells how they are kept.
struct Run {
    start: i64,
    last: i64,
    /// How many rows are older than the run's.
    older: u64,
    /// How many rows it has.
    rows: u64,
}

/// The two kinds of run, each as its statement from the oldest and from the newest.
const SHELVES: [&str; 2] = [
    "SELECT start, open, archived FROM archive_shelf WHERE start BETWEEN ?1 AND ?2 ORDER BY start",
    "SELECT start, open, archived FROM archive_shelf WHERE start BETWEEN ?1 AND ?2 ORDER BY start DESC",
];
const BLOCKS: [&str; 2] = [
    "SELECT start, open, archived FROM archive_block WHERE start BETWEEN ?1 AND ?2 ORDER BY start",
    "SELECT start, open, archived FROM archive_block WHERE start BETWEEN ?1 AND ?2 ORDER BY start DESC",
];

impl Reads<'_> {
    /// A place in the list, at or before the row that comes after `offset` others of its `total`, and how many rows are between
    /// the two. `None`: nothing is known that is nearer than the list's beginning.
    pub(super) fn seek(
        &self,
        part: &Part,
        first: Option<Order>,
        offset: u64,
        total: u64,
    ) -> Result<Option<(Bound, u64)>, StoreError> {
        let descending = first.is_some_and(|first| first.descending);
        let column = first.map(|first| first.column);
        let rank = if descending { total - 1 - offset } else { offset };
        if column == Some(Column::UpdatedAt) && part.is_general() && part.dated.is_none() {
            let all = Run { start: i64::MIN, last: i64::MAX, older: 0, rows: total };
            let Some(shelf) = self.run_in(&all, SHELVES, part.archived, rank)? else { return Ok(None) };
            let Some(block) = self.run_in(&shelf, BLOCKS, part.archived, rank)? else { return Ok(None) };
            let (time, before) = match descending {
                true => (block.last, (block.older + block.rows).saturating_sub(rank + 1)),
                false => (block.start, rank.saturating_sub(block.older)),
            };
            let bound = Bound { column: "updated_at", descending, value: Value::Integer(time) };
            return Ok(Some((bound, before)));
        }
        let Some(walk) = part.walk(column) else { return Ok(None) };
        let index = part.index(column);
        let Some((value, id)) = self.row_at(part, &walk, index, rank, total)? else { return Ok(None) };
        let before = self.ties_before(part, &walk, index, &value, id, descending)?;
        Ok(Some((Bound { column: walk.column, descending, value }, before)))
    }

    /// The run within another that holds the row with so many older ones. Archived or other rows alone count where that is
    /// asked for. Adds up counts from the nearer end.
    fn run_in(
        &self,
        outer: &Run,
        statements: [&str; 2],
        archived: Option<bool>,
        rank: u64,
    ) -> Result<Option<Run>, StoreError> {
        let below = rank.saturating_sub(outer.older);
        let from_newest = below >= outer.rows / 2;
        // How many rows must be passed for the wanted one to be among them.
        let wanted = if from_newest { outer.rows.saturating_sub(below) } else { below + 1 };
        let mut statement = self.connection.prepare_cached(statements[usize::from(from_newest)])?;
        let mut runs = statement.query([outer.start, outer.last])?;
        let (mut passed, mut last) = (0, outer.last);
        while let Some(run) = runs.next()? {
            let start: i64 = run.get(0)?;
            let rows: u64 = match archived {
                None => run.get::<_, u64>(1)? + run.get::<_, u64>(2)?,
                Some(false) => run.get(1)?,
                Some(true) => run.get(2)?,
            };
            if passed + rows < wanted {
                passed += rows;
                last = start.saturating_sub(1);
                continue;
            }
            if from_newest {
                let older = outer.older + outer.rows.saturating_sub(passed + rows);
                return Ok(Some(Run { start, last, older, rows }));
            }
            let last = match runs.next()? {
                Some(next) => next.get::<_, i64>(0)?.saturating_sub(1),
                None => outer.last,
            };
            return Ok(Some(Run { start, last, older: outer.older + passed, rows }));
        }
        Ok(None)
    }

    /// The first column and the id of the row that an index has after so many others, stepping from the nearer end.
    fn row_at(
        &self,
        part: &Part,
        walk: &Walk,
        index: &str,
        rank: u64,
        total: u64,
    ) -> Result<Option<(Value, i64)>, StoreError> {
        let Walk { column, ties, turned } = walk;
        let (order, steps) = match rank < total / 2 {
            true => (format!("{column}{ties}"), rank),
            false => (format!("{column} DESC{turned}"), total - 1 - rank),
        };
        let (conditions, mut values) = part.conditions(None);
        values.push(Value::Integer(i64::try_from(steps).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT {column}, id FROM archive_status {index} WHERE {conditions} ORDER BY {order} LIMIT 1 OFFSET ?"
        );
        self.first(&sql, params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// How many rows of the same value an index has before the one with this id, going in the list's direction.
    fn ties_before(
        &self,
        part: &Part,
        walk: &Walk,
        index: &str,
        value: &Value,
        id: i64,
        descending: bool,
    ) -> Result<u64, StoreError> {
        let Walk { column, ties, turned } = walk;
        let ties = if descending { turned } else { ties };
        if ties.is_empty() {
            return Ok(0);
        }
        let (conditions, mut values) = part.conditions(None);
        values.push(value.clone());
        let sql = format!(
            "SELECT id FROM archive_status {index} WHERE {conditions} AND {column} = ? ORDER BY {column}{ties}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut before = 0;
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(0)? == id {
                break;
            }
            before += 1;
        }
        Ok(before)
    }
}
