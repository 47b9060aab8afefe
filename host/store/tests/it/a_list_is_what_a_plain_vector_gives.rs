//! Random writes, then every kind of list, compared with a vector that is filtered and sorted.

use std::cmp::Ordering;

use hookbox_store::{Column, Filter, NewStatus, Order, Reads, Status, StoreError, Timestamp, Writes};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::support::{Place, anyone, assert_sound, by, new_status, new_user};

const USERS: i64 = 12;
/// Enough rows for several blocks.
const CROWD: i64 = 3_000;

#[derive(Debug, Clone)]
enum Change {
    Insert(NewStatus),
    Update { pick: prop::sample::Index, to: NewStatus },
    Delete(prop::sample::Index),
    DeleteUser(i64),
    Sync(String, Timestamp),
}

#[derive(Debug, Clone)]
struct List {
    filter: Filter,
    order: Vec<Order>,
    offset: prop::sample::Index,
    limit: u32,
}

fn course() -> impl Strategy<Value = String> {
    (0..400_u32, any::<bool>())
        .prop_map(|(number, upper)| if upper { format!("C_{number}") } else { format!("c_{number}") })
}

/// Times that jump both ways, often the same.
fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => 0..CROWD,
        2 => select(vec![7, CROWD / 2, CROWD / 2 + 1]),
        1 => CROWD..CROWD * 2,
        1 => select(vec![i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX]),
    ]
    .prop_map(Timestamp::from_micros)
}

fn status() -> impl Strategy<Value = NewStatus> {
    (course(), 1..=USERS, any::<bool>(), prop::option::of(time()), time(), time()).prop_map(
        |(course_id, user, is_archived, archive_date, created_at, updated_at)| NewStatus {
            course_id,
            user,
            is_archived,
            archive_date,
            created_at,
            updated_at,
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => status().prop_map(Change::Insert),
        8 => (any::<prop::sample::Index>(), status()).prop_map(|(pick, to)| Change::Update { pick, to }),
        4 => any::<prop::sample::Index>().prop_map(Change::Delete),
        1 => (1..=USERS).prop_map(Change::DeleteUser),
        1 => (course(), time()).prop_map(|(course, time)| Change::Sync(course, time)),
    ]
}

fn list() -> impl Strategy<Value = List> {
    let column = select(vec![
        Column::CourseId,
        Column::User,
        Column::IsArchived,
        Column::ArchiveDate,
        Column::CreatedAt,
        Column::UpdatedAt,
    ]);
    let order = (column, any::<bool>()).prop_map(|(column, descending)| by(column, descending));
    let user = || prop::option::weighted(0.2, 1..=USERS + 1);
    let filter =
        (user(), prop::option::weighted(0.2, course()), user(), prop::option::weighted(0.3, any::<bool>()))
            .prop_map(|(owner, course_id, user, is_archived)| Filter { owner, course_id, user, is_archived });
    (filter, prop::collection::vec(order, 0..4), any::<prop::sample::Index>(), 0..60_u32)
        .prop_map(|(filter, order, offset, limit)| List { filter, order, offset, limit })
}

/// The vector that stands for the table.
#[derive(Default)]
struct Model {
    rows: Vec<Status>,
    next_id: i64,
    gone: Vec<i64>,
}

impl Model {
    fn taken(&self, course: &str, user: i64, but: i64) -> bool {
        self.rows
            .iter()
            .any(|row| row.id != but && row.user == user && row.course_id.eq_ignore_ascii_case(course))
    }

    fn verdict(&self, course: &str, user: i64, but: i64) -> Result<(), StoreError> {
        if self.taken(course, user, but) {
            return Err(StoreError::Duplicate);
        }
        if self.gone.contains(&user) { Err(StoreError::NoSuchUser) } else { Ok(()) }
    }

    fn insert(&mut self, new: &NewStatus) -> Result<Status, StoreError> {
        self.verdict(&new.course_id, new.user, 0)?;
        self.next_id += 1;
        let status = filled(self.next_id, new, None);
        self.rows.push(status.clone());
        Ok(status)
    }

    fn update(&mut self, status: &Status) -> Result<bool, StoreError> {
        self.verdict(&status.course_id, status.user, status.id)?;
        let row = self.rows.iter_mut().find(|row| row.id == status.id);
        Ok(row.map(|row| *row = status.clone()).is_some())
    }

    fn retain(&mut self, keep: impl Fn(&Status) -> bool) -> bool {
        let before = self.rows.len();
        self.rows.retain(keep);
        self.rows.len() < before
    }

    fn list(&self, filter: &Filter, order: &[Order]) -> Vec<&Status> {
        let mut rows: Vec<_> = self.rows.iter().filter(|row| filter.admits(row)).collect();
        rows.sort_by(|a, b| {
            let terms = order.iter().map(|term| match term.descending {
                true => compare(term.column, b, a),
                false => compare(term.column, a, b),
            });
            terms.fold(Ordering::Equal, Ordering::then).then(a.id.cmp(&b.id))
        });
        rows
    }
}

fn compare(column: Column, a: &Status, b: &Status) -> Ordering {
    match column {
        Column::CourseId => a.course_id.to_ascii_lowercase().cmp(&b.course_id.to_ascii_lowercase()),
        Column::User => a.user.cmp(&b.user),
        Column::IsArchived => a.is_archived.cmp(&b.is_archived),
        Column::ArchiveDate => a.archive_date.cmp(&b.archive_date),
        Column::CreatedAt => a.created_at.cmp(&b.created_at),
        Column::UpdatedAt => a.updated_at.cmp(&b.updated_at),
    }
}

fn filled(id: i64, new: &NewStatus, last_synced: Option<Timestamp>) -> Status {
    Status {
        id,
        course_id: new.course_id.clone(),
        user: new.user,
        is_archived: new.is_archived,
        archive_date: new.archive_date,
        created_at: new.created_at,
        updated_at: new.updated_at,
        last_synced,
    }
}

/// Rows to begin with: every user's, in an order of time that is not that of the ids.
fn crowd() -> impl Iterator<Item = NewStatus> {
    (0..CROWD).map(|number| {
        let time = number * 7_919 % CROWD;
        let is_archived = number % 3 == 0;
        NewStatus {
            is_archived,
            archive_date: is_archived.then_some(Timestamp::from_micros(time / 2)),
            ..new_status(&format!("c_{}", number / USERS), number % USERS + 1, time / 3)
        }
    })
}

/// Applies a change to the table and to the vector, and holds the two answers against each other.
fn apply(writes: &Writes<'_>, model: &mut Model, change: &Change) -> Result<(), TestCaseError> {
    match change {
        Change::Insert(new) => prop_assert_eq!(writes.insert_status(new), model.insert(new)),
        Change::Update { pick, to } if !model.rows.is_empty() => {
            let old = pick.get(&model.rows);
            let status = filled(old.id, to, old.last_synced);
            prop_assert_eq!(writes.update_status(&status), model.update(&status));
        }
        Change::Delete(pick) if !model.rows.is_empty() => {
            let id = pick.get(&model.rows).id;
            prop_assert_eq!(writes.delete_status(id), Ok(model.retain(|row| row.id != id)));
        }
        Change::DeleteUser(user) => {
            prop_assert_eq!(writes.delete_user(*user), Ok(!model.gone.contains(user)));
            model.retain(|row| row.user != *user);
            model.gone.push(*user);
        }
        Change::Sync(course, time) => {
            let rows = model.rows.iter_mut().filter(|row| row.course_id.eq_ignore_ascii_case(course));
            let synced = rows.map(|row| row.last_synced = Some(*time)).count() as u64;
            let (mut rows, mut after) = (0, None);
            loop {
                let part = writes.set_last_synced(course, *time, after, 2).unwrap();
                prop_assert!(part.rows <= 2);
                rows += part.rows;
                after = part.next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(rows, synced);
        }
        Change::Update { .. } | Change::Delete(_) => {}
    }
    Ok(())
}

fn compare_list(reads: &Reads<'_>, model: &Model, list: &List) -> Result<(), TestCaseError> {
    let List { filter, order, offset, limit } = list;
    let expected = model.list(filter, order);
    prop_assert_eq!(reads.count_statuses(filter), Ok(expected.len() as u64), "{:?}", filter);
    let offset = offset.index(expected.len() + 3);
    let expected: Vec<_> = expected.into_iter().skip(offset).take(*limit as usize).cloned().collect();
    prop_assert_eq!(reads.statuses(filter, order, offset as u64, *limit), Ok(expected));
    let expected = model.list(filter, &[]);
    let after = expected.get(offset).map_or(0, |row| row.id - 1);
    let expected: Vec<_> =
        expected.into_iter().filter(|row| row.id > after).take(*limit as usize).cloned().collect();
    prop_assert_eq!(reads.statuses_after(filter, after, *limit as usize), Ok(expected));
    Ok(())
}

/// Fills a store and a model alike.
fn crowded(runtime: &Runtime) -> (Place, Model) {
    let place = Place::new();
    let model = runtime.block_on(place.write(|writes| {
        let mut model = Model::default();
        for user in 1..=USERS {
            writes.insert_user(&new_user(&format!("user-{user}")))?;
        }
        for new in crowd() {
            assert_eq!(writes.insert_status(&new)?, model.insert(&new)?);
        }
        Ok(model)
    }));
    (place, model)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_list_is_what_a_plain_vector_gives(
        changes in prop::collection::vec(change(), 0..400),
        lists in prop::collection::vec(list(), 60),
    ) {
        let runtime = Runtime::new().unwrap();
        let (place, mut model) = crowded(&runtime);
        let (model, applied) = runtime.block_on(place.write(move |writes| {
            let applied = changes.iter().try_for_each(|change| apply(writes, &mut model, change));
            Ok((model, applied))
        }));
        applied?;
        runtime.block_on(place.read(move |reads| {
            Ok(lists.iter().try_for_each(|list| compare_list(reads, &model, list)))
        }))?;
        assert_sound(place.path());
    }
}

/// Every order of one column, with and without the filter by `is_archived`, at every depth.
#[test]
fn every_order_is_right_at_every_depth() {
    let runtime = Runtime::new().unwrap();
    let (place, model) = crowded(&runtime);
    runtime.block_on(place.read(move |reads| {
        let columns = [
            Column::CourseId,
            Column::User,
            Column::IsArchived,
            Column::ArchiveDate,
            Column::CreatedAt,
            Column::UpdatedAt,
        ];
        for column in columns {
            for (descending, is_archived) in
                [(false, None), (true, None), (false, Some(false)), (true, Some(true)), (true, Some(false))]
            {
                let filter = Filter { is_archived, ..anyone() };
                let order = [by(column, descending)];
                let expected: Vec<_> = model.list(&filter, &order).into_iter().cloned().collect();
                for offset in (0..expected.len() + 60).step_by(37) {
                    let page = reads.statuses(&filter, &order, offset as u64, 40)?;
                    let wanted: Vec<_> = expected.iter().skip(offset).take(40).cloned().collect();
                    assert_eq!(page, wanted, "{column:?} {descending} {is_archived:?} from {offset}");
                }
            }
        }
        Ok(())
    }));
}

#[tokio::test]
async fn a_clock_that_goes_backwards_spoils_no_list() {
    let place = Place::new();
    let user = place.user("ada").await.id;
    // Forwards, then one from far in the future, then backwards past the beginning, then the same time again and again.
    let times: Vec<i64> = (0..2_000)
        .chain([1_000_000])
        .chain((-2_000..2_000).rev())
        .chain(std::iter::repeat_n(500, 2_000))
        .collect();
    let rows = times.len() as u64;
    let ids = place
        .write(move |writes| {
            let statuses = times.iter().enumerate().map(|(number, time)| {
                let status = writes.insert_status(&new_status(&format!("c_{number}"), user, *time))?;
                Ok((std::cmp::Reverse(*time), status.id))
            });
            let mut ids = statuses.collect::<Result<Vec<_>, StoreError>>()?;
            ids.sort_unstable();
            Ok(ids)
        })
        .await;
    for offset in (0..rows).step_by(501) {
        let order = by(Column::UpdatedAt, true);
        let page = place.read(move |reads| reads.statuses(&anyone(), &[order], offset, 30)).await;
        let page: Vec<_> = page.iter().map(|status| status.id).collect();
        let wanted: Vec<_> = ids.iter().skip(offset as usize).take(30).map(|(_, id)| *id).collect();
        assert_eq!(page, wanted, "from {offset}");
    }
    assert_sound(place.path());
}

#[tokio::test]
async fn what_was_written_last_comes_first_and_only_its_owner_sees_it() {
    let place = Place::new();
    let (ada, bob) = (place.user("ada").await.id, place.user("bob").await.id);
    let (first, second) = place
        .write(move |writes| {
            Ok((
                writes.insert_status(&new_status("c_1", ada, 1))?,
                writes.insert_status(&new_status("c_1", bob, 2))?,
            ))
        })
        .await;
    let (all, own, others, hidden) = place
        .read(move |reads| {
            let order = [by(Column::UpdatedAt, true)];
            let ada = Filter { owner: Some(ada), ..anyone() };
            let bobs_for_ada = Filter { user: Some(bob), ..ada.clone() };
            Ok((
                reads.statuses(&anyone(), &order, 0, 20)?,
                reads.statuses(&ada, &order, 0, 20)?,
                reads.count_statuses(&bobs_for_ada)?,
                reads.status(second.id, &ada)?,
            ))
        })
        .await;
    assert_eq!(all.iter().map(|status| status.id).collect::<Vec<_>>(), [first.id + 1, first.id]);
    assert_eq!(own, [first]);
    assert_eq!((others, hidden), (0, None));
}
