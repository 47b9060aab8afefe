//! The rules, run inside one transaction of the store a request.

use hookbox_store::{Filter, Reads, Status, Store, StoreError, Timestamp, User, Writes};

use crate::body::Body;
use crate::draft::{Draft, Wanted, Write};
use crate::python;
use crate::query::{self, Filters, Params};
use crate::refusal::{Act, DUPLICATE, Invalid, Refusal};
use crate::row::Row;
use crate::rules;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user's id.
    pub id: i64,
    /// Whether they see and edit everybody's rows: staff and superusers do.
    pub sees_all: bool,
}

impl From<&User> for Caller {
    fn from(user: &User) -> Self {
        Self { id: user.id, sees_all: user.is_staff || user.is_superuser }
    }
}

impl Caller {
    fn owner(self) -> Option<i64> {
        (!self.sees_all).then_some(self.id)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Rows on all pages.
    pub count: u64,
    /// This page's number, from 1.
    pub number: u64,
    /// How many pages there are.
    pub pages: u64,
    /// This page's rows.
    pub rows: Vec<Row>,
}

/// The course archive, on a store.
#[derive(Clone)]
pub struct Archive {
    pub(crate) store: Store,
}

impl Archive {
    /// The archive that this store keeps.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// One page of the rows that the caller may see and the query lets through.
    ///
    /// # Errors
    /// [`Refusal`]: a filter, the page, or the store.
    pub async fn list(&self, caller: Caller, params: &Params) -> Result<Page, Refusal> {
        let filters = Filters::read(params)?;
        let (size, order) = (query::page_size(params), query::order(params));
        let wanted = query::Wanted::read(params);
        self.store
            .read(move |reads| {
                let filter = filters.settle(caller.owner(), |id| reads.user_exists(id))?;
                let count = reads.count_statuses(&filter)?;
                let pages = query::pages(count, size);
                let number = wanted.among(pages)?;
                let offset = (number - 1) * u64::from(size);
                let rows = reads.statuses(&filter, &order, offset, size)?;
                Ok(Page { count, number, pages, rows: rows.into_iter().map(Row::from).collect() })
            })
            .await
    }

    /// The row with this id, as the path spells it.
    ///
    /// # Errors
    /// [`Refusal`]: a filter, no such row, or the store.
    pub async fn retrieve(&self, caller: Caller, id: &str, params: &Params) -> Result<Row, Refusal> {
        let filters = Filters::read(params)?;
        let id = python::int(id);
        self.store.read(move |reads| find(reads, caller, id, filters).map(Row::from)).await
    }

    /// Creates a row. It is durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`]: the body, the permission, or the store.
    pub async fn create(&self, caller: Caller, body: &Body) -> Result<Row, Refusal> {
        let draft = Draft::read(body, Write::Create).map_err(Refusal::Invalid)?;
        self.store
            .write(move |writes| {
                let refused = refusal_for_another(&draft, caller, Act::Create);
                let wanted = settle(writes, draft)?;
                let now = Timestamp::now();
                let new = rules::created(&wanted, caller.id, now).ok_or_else(required)?;
                if writes.status_of(&new.course_id, new.user)?.is_some() {
                    return Err(duplicate());
                }
                refused?;
                let status = writes.insert_status(&new).map_err(unique)?;
                Ok(echo(status, &wanted))
            })
            .await
    }

    /// Replaces (PUT) or patches a row. The change is durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`]: a filter, no such row, the body, the permission, or the store.
    pub async fn update(
        &self,
        caller: Caller,
        id: &str,
        params: &Params,
        body: &Body,
        write: Write,
    ) -> Result<Row, Refusal> {
        let filters = Filters::read(params)?;
        let id = python::int(id);
        let draft = Draft::read(body, write).map_err(Refusal::Invalid);
        self.store
            .write(move |writes| {
                let current = find(writes, caller, id, filters)?;
                let draft = draft?;
                let refused = refusal_for_another(&draft, caller, Act::Update);
                let mut wanted = settle(writes, draft)?;
                if write == Write::Replace {
                    wanted.user = wanted.user.or(Some(caller.id));
                }
                let next = rules::changed(&current, &wanted, Timestamp::now());
                let holder = writes.status_of(&next.course_id, next.user)?;
                if holder.is_some_and(|holder| holder.id != next.id) {
                    return Err(duplicate());
                }
                refused?;
                writes.update_status(&next).map_err(unique)?;
                Ok(echo(next, &wanted))
            })
            .await
    }

    /// Deletes a row. It is gone for good when this returns.
    ///
    /// # Errors
    /// [`Refusal`]: a filter, no such row, or the store.
    pub async fn delete(&self, caller: Caller, id: &str, params: &Params) -> Result<(), Refusal> {
        let filters = Filters::read(params)?;
        let id = python::int(id);
        self.store
            .write(move |writes| {
                let status = find(writes, caller, id, filters)?;
                writes.delete_status(status.id)?;
                Ok(())
            })
            .await
    }
}

/// The row with this id that the caller may see and the filters let through.
fn find(
    reads: &Reads<'_>,
    caller: Caller,
    id: Option<python::Int>,
    filters: Filters,
) -> Result<Status, Refusal> {
    let filter: Filter = filters.settle(caller.owner(), |user| reads.user_exists(user))?;
    let id = id.ok_or(Refusal::NotAnId)?;
    let Some(id) = id.fits() else { return Err(Refusal::NoMatch) };
    reads.status(id, &filter)?.ok_or(Refusal::NoMatch)
}

/// The checks that need the users.
fn settle(reads: &Writes<'_>, draft: Draft) -> Result<Wanted, Refusal> {
    draft.settle(|id| reads.user_exists(id))?.map_err(Refusal::Invalid)
}

fn refusal_for_another(draft: &Draft, caller: Caller, act: Act) -> Result<(), Refusal> {
    if !caller.sees_all && draft.names_another(caller.id) { Err(Refusal::ForAnother(act)) } else { Ok(()) }
}

/// The answer to a write repeats the canonical key; what is kept has neither branch nor version.
fn echo(status: Status, wanted: &Wanted) -> Row {
    let mut row = Row::from(status);
    if let Some(course) = &wanted.course {
        row.course_id.clone_from(&course.canonical);
    }
    row
}

fn duplicate() -> Refusal {
    Refusal::Invalid(Invalid::whole(DUPLICATE))
}

fn required() -> Refusal {
    Refusal::Invalid(Invalid::one("course_id", "This field is required."))
}

/// The table's own unique rule has the last word.
fn unique(error: StoreError) -> Refusal {
    match error {
        StoreError::Duplicate => duplicate(),
        other => Refusal::Store(other),
    }
}
