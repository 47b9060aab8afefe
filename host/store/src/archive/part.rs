//! The rows that a list is made of, as SQL.

use rusqlite::types::Value;

use super::{Column, Filter, Order};

/// Rows that a list is made of.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) user: Option<i64>,
    pub(super) course_id: Option<String>,
    pub(super) archived: Option<bool>,
    /// Only those with an `archive_date`, or without. Asked for by nobody, but lists are put together from both.
    pub(super) dated: Option<bool>,
}

/// Where in a list to begin: its first column has this value, or comes later.
pub(super) struct Bound {
    pub(super) column: &'static str,
    pub(super) descending: bool,
    pub(super) value: Value,
}

/// An index whose rows come in the order of a list's first column.
pub(super) struct Walk {
    pub(super) column: &'static str,
    /// The order of rows that tie in that column, when it ascends.
    pub(super) ties: &'static str,
    /// The same, turned round.
    pub(super) turned: &'static str,
}

impl Part {
    /// `None`: no row can be meant.
    pub(super) fn of(filter: &Filter) -> Option<Self> {
        let user = match (filter.owner, filter.user) {
            (Some(owner), Some(user)) if owner != user => return None,
            (owner, user) => owner.or(user),
        };
        Some(Self { user, course_id: filter.course_id.clone(), archived: filter.is_archived, dated: None })
    }

    /// Whether these are of all users and courses.
    pub(super) fn is_general(&self) -> bool {
        self.user.is_none() && self.course_id.is_none()
    }

    /// The columns that tell these rows apart, each once.
    pub(super) fn terms(&self, order: &[Order]) -> Vec<Order> {
        let mut terms: Vec<Order> = Vec::new();
        for term in order {
            let constant = match term.column {
                Column::CourseId => self.course_id.is_some(),
                Column::User => self.user.is_some(),
                Column::IsArchived => self.archived.is_some(),
                Column::ArchiveDate => self.dated == Some(false),
                Column::CreatedAt | Column::UpdatedAt => false,
            };
            if !constant && terms.iter().all(|known| known.column != term.column) {
                terms.push(*term);
            }
        }
        terms
    }

    /// The index to use, so that the choice does not hang on SQLite's guesses. A user's and a course's rows are few and sorted
    /// as needed; others come in the order of the first column.
    pub(super) fn index(&self, first: Option<Column>) -> &'static str {
        if self.course_id.is_some() {
            return "INDEXED BY archive_status_course";
        }
        if self.user.is_some() {
            return "INDEXED BY archive_status_user";
        }
        match first {
            Some(Column::UpdatedAt) if self.archived.is_some() => {
                "INDEXED BY archive_status_archived_updated"
            }
            Some(Column::UpdatedAt) => "INDEXED BY archive_status_updated",
            Some(Column::CreatedAt) => "INDEXED BY archive_status_created",
            Some(Column::ArchiveDate) => "INDEXED BY archive_status_archive_date",
            Some(Column::CourseId) => "INDEXED BY archive_status_course",
            Some(Column::User) => "INDEXED BY archive_status_user",
            None if self.dated.is_some() => "INDEXED BY archive_status_archive_date",
            None if self.archived.is_some() => "INDEXED BY archive_status_archived",
            Some(Column::IsArchived) | None => "NOT INDEXED",
        }
    }

    /// How the index of [`Part::index`] orders these rows, where that is the list's order up to ties.
    pub(super) fn walk(&self, first: Option<Column>) -> Option<Walk> {
        let (column, ties, turned) = match first {
            Some(Column::UpdatedAt) => ("updated_at", ", id DESC", ", id"),
            Some(Column::CreatedAt) => ("created_at", ", id", ", id DESC"),
            Some(Column::ArchiveDate) => ("archive_date", ", id", ", id DESC"),
            Some(Column::CourseId) => ("course_id", ", user_id", ", user_id DESC"),
            Some(Column::User) => ("user_id", ", updated_at DESC, id", ", updated_at, id DESC"),
            None => ("id", "", ""),
            Some(Column::IsArchived) => return None,
        };
        self.is_general().then_some(Walk { column, ties, turned })
    }

    /// The conditions, and their values in order.
    pub(super) fn conditions(&self, bound: Option<&Bound>) -> (String, Vec<Value>) {
        let mut texts = Vec::new();
        let mut values = Vec::new();
        let mut compare = |text: String, value| {
            texts.push(text);
            values.push(value);
        };
        if let Some(course) = &self.course_id {
            compare("course_id = ?".to_owned(), Value::Text(course.clone()));
        }
        if let Some(user) = self.user {
            compare("user_id = ?".to_owned(), Value::Integer(user));
        }
        if let Some(archived) = self.archived {
            compare("is_archived = ?".to_owned(), Value::Integer(archived.into()));
        }
        if let Some(Bound { column, descending, value }) = bound {
            let sign = if *descending { "<=" } else { ">=" };
            compare(format!("{column} {sign} ?"), value.clone());
        }
        match self.dated {
            None => {}
            Some(true) => texts.push("archive_date IS NOT NULL".to_owned()),
            Some(false) => texts.push("archive_date IS NULL".to_owned()),
        }
        let text = if texts.is_empty() { "TRUE".to_owned() } else { texts.join(" AND ") };
        (text, values)
    }

    /// The statement for a page's ids. It takes the values of [`Part::conditions`], how many rows and how many to step over.
    pub(super) fn statement(&self, terms: &[Order], bound: Option<&Bound>) -> String {
        let index = self.index(terms.first().map(|term| term.column));
        let (conditions, _) = self.conditions(bound);
        let mut order = String::new();
        for term in terms {
            order.push_str(match term.column {
                Column::CourseId => "course_id",
                Column::User => "user_id",
                Column::IsArchived => "is_archived",
                Column::ArchiveDate => "archive_date",
                Column::CreatedAt => "created_at",
                Column::UpdatedAt => "updated_at",
            });
            order.push_str(if term.descending { " DESC, " } else { ", " });
        }
        format!(
            "SELECT id FROM archive_status {index} WHERE {conditions} ORDER BY {order}id LIMIT ? OFFSET ?"
        )
    }
}
