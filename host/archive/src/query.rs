//! What a query string asks for: filters, order, page.

use hookbox_store::{Column, Filter, Order};

use crate::draft::Course;
use crate::python::{self, Int};
use crate::refusal::{BAD_CHOICE, NUL, Refusal};

/// Rows on a page unless the query says otherwise.
pub const PAGE_SIZE: u32 = 20;
/// Rows on a page at most.
pub const MAX_PAGE_SIZE: u32 = 100;

/// The order of a list that asks for none, or for nothing that is known.
pub const DEFAULT_ORDER: &[Order] = &[Order { column: Column::UpdatedAt, descending: true }];

/// A query's parameters, decoded, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    /// The value of a parameter; of several, the last.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same, where an empty value is none.
    fn filled(&self, name: &str) -> Option<&str> {
        self.last(name).filter(|value| !value.is_empty())
    }
}

/// Filters whose user still has to exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    course_id: Option<String>,
    user: Option<Result<i64, &'static str>>,
    is_archived: Option<bool>,
}

impl Filters {
    /// Reads `course_id`, `user` and `is_archived`.
    ///
    /// # Errors
    /// [`Refusal::CourseFilter`].
    pub fn read(params: &Params) -> Result<Self, Refusal> {
        let course_id = match params.filled("course_id") {
            Some(text) => Some(Course::read(text).ok_or(Refusal::CourseFilter)?.kept),
            None => None,
        };
        let user = params.filled("user").map(|text| {
            if text.contains('\0') {
                return Err(NUL);
            }
            python::int(text).and_then(Int::fits).ok_or(BAD_CHOICE)
        });
        let is_archived = params.last("is_archived").and_then(|text| match text {
            "1" => Some(true),
            "0" => Some(false),
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        });
        Ok(Self { course_id, user, is_archived })
    }

    /// The filter for the store. `owner` sees only their own rows.
    ///
    /// # Errors
    /// [`Refusal::UserFilter`], or what `exists` fails with.
    pub fn settle<E>(
        self,
        owner: Option<i64>,
        exists: impl FnOnce(i64) -> Result<bool, E>,
    ) -> Result<Filter, Refusal>
    where
        Refusal: From<E>,
    {
        let user = match self.user {
            Some(Ok(id)) if exists(id)? => Some(id),
            Some(Ok(_)) => return Err(Refusal::UserFilter(BAD_CHOICE)),
            Some(Err(message)) => return Err(Refusal::UserFilter(message)),
            None => None,
        };
        Ok(Filter { owner, course_id: self.course_id, user, is_archived: self.is_archived })
    }
}

/// Reads `ordering`: names that are not known are skipped; none left means [`DEFAULT_ORDER`].
pub fn order(params: &Params) -> Vec<Order> {
    let known: Vec<Order> = params.filled("ordering").map_or_else(Vec::new, |text| {
        text.split(',').filter_map(|term| term_of(python::strip(term))).collect()
    });
    if known.is_empty() { DEFAULT_ORDER.to_vec() } else { known }
}

fn term_of(term: &str) -> Option<Order> {
    let (name, descending) = term.strip_prefix('-').map_or((term, false), |name| (name, true));
    let column = match name {
        "course_id" => Column::CourseId,
        "user" => Column::User,
        "is_archived" => Column::IsArchived,
        "archive_date" => Column::ArchiveDate,
        "created_at" => Column::CreatedAt,
        "updated_at" => Column::UpdatedAt,
        _ => return None,
    };
    Some(Order { column, descending })
}

/// Reads `page_size`.
pub fn page_size(params: &Params) -> u32 {
    match params.last("page_size").and_then(python::int) {
        Some(Int::Fits(size)) if size > 0 => u32::try_from(size).unwrap_or(u32::MAX).min(MAX_PAGE_SIZE),
        Some(Int::Huge { negative: false }) => MAX_PAGE_SIZE,
        _ => PAGE_SIZE,
    }
}

/// Pages that so many rows fill: one at least.
pub fn pages(count: u64, size: u32) -> u64 {
    count.div_ceil(u64::from(size.max(1))).max(1)
}

/// The page that a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The page with this number.
    Number(u64),
    /// `last`.
    Last,
    /// Something that is no page.
    Nothing,
}

impl Wanted {
    /// Reads `page`; the first one when it is absent or empty.
    pub fn read(params: &Params) -> Self {
        match params.filled("page") {
            None => Self::Number(1),
            Some("last") => Self::Last,
            Some(text) => {
                let number =
                    python::int(text).and_then(Int::fits).and_then(|number| u64::try_from(number).ok());
                number.map_or(Self::Nothing, Self::Number)
            }
        }
    }

    /// Its number among so many pages.
    ///
    /// # Errors
    /// [`Refusal::InvalidPage`].
    pub fn among(self, pages: u64) -> Result<u64, Refusal> {
        match self {
            Self::Last => Ok(pages),
            Self::Number(number) if (1..=pages).contains(&number) => Ok(number),
            Self::Number(_) | Self::Nothing => Err(Refusal::InvalidPage),
        }
    }
}
