//! How lists are found, in SQLite's own words and steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::{Connection, params_from_iter};

use super::part::{Bound, Part};
use super::{Column, Filter, NewStatus, Order};
use crate::audit::audit;
use crate::connection::configure;
use crate::job::{Reads, Writes};
use crate::schema::{SCHEMA_VERSION, STEPS, migrate};
use crate::time::Timestamp;
use crate::users::NewUser;

const COLUMNS: [Column; 6] = [
    Column::CourseId,
    Column::User,
    Column::IsArchived,
    Column::ArchiveDate,
    Column::CreatedAt,
    Column::UpdatedAt,
];

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    configure(&connection).unwrap();
    migrate(&mut connection, "memory".as_ref(), STEPS).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection
}

/// What SQLite says it would do for a list.
fn plan(connection: &Connection, part: &Part, order: &[Order], bound: Option<&Bound>) -> String {
    let (_, mut values) = part.conditions(bound);
    values.extend([20.into(), 0.into()]);
    let sql = format!("EXPLAIN QUERY PLAN {}", part.statement(&part.terms(order), bound));
    let mut statement = connection.prepare(&sql).unwrap();
    let lines = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

fn part(filter: &Filter) -> Part {
    Part::of(filter).unwrap()
}

fn by(column: Column, descending: bool) -> Order {
    Order { column, descending }
}

#[test]
fn no_list_in_the_order_of_one_column_sorts_more_than_ties() {
    let connection = database();
    let everything = part(&Filter::default());
    let archived = part(&Filter { is_archived: Some(true), ..Filter::default() });
    let dated = Part { dated: Some(true), ..everything.clone() };
    let undated = Part { dated: Some(false), ..everything.clone() };
    for column in COLUMNS.into_iter().filter(|column| *column != Column::IsArchived) {
        for descending in [false, true] {
            for part in [&everything, &archived, &dated] {
                let plan = plan(&connection, part, &[by(column, descending)], None);
                assert!(plan.contains("USING") && !plan.contains("FOR ORDER BY"), "{column:?}: {plan}");
            }
        }
    }
    // What the order by is_archived and by archive_date are put together from, and the order of no column at all.
    for part in [&everything, &archived, &undated] {
        let plan = plan(&connection, part, &[], None);
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
    assert_eq!(
        plan(&connection, &everything, &[by(Column::UpdatedAt, true)], None),
        "SCAN archive_status USING COVERING INDEX archive_status_updated"
    );
    assert_eq!(
        plan(&connection, &archived, &[by(Column::UpdatedAt, true)], None),
        "SEARCH archive_status USING COVERING INDEX archive_status_archived_updated (is_archived=?)"
    );
    let owners = part(&Filter { owner: Some(1), ..Filter::default() });
    assert_eq!(
        plan(&connection, &owners, &[by(Column::UpdatedAt, true)], None),
        "SEARCH archive_status USING COVERING INDEX archive_status_user (user_id=?)"
    );
}

#[test]
fn a_place_in_a_list_is_sought_not_scanned() {
    let connection = database();
    for (part, archived) in [
        (part(&Filter::default()), ""),
        (part(&Filter { is_archived: Some(false), ..Filter::default() }), "is_archived=? AND "),
    ] {
        for descending in [false, true] {
            let bound = Bound { column: "updated_at", descending, value: 5.into() };
            let plan = plan(&connection, &part, &[by(Column::UpdatedAt, descending)], Some(&bound));
            let sign = if descending { '<' } else { '>' };
            assert!(plan.contains(&format!("({archived}updated_at{sign}?)")), "{plan}");
        }
    }
}

#[test]
fn a_walk_by_id_reads_ids_from_an_index() {
    let connection = database();
    let of = |course: Option<&str>, user, is_archived| {
        part(&Filter { course_id: course.map(str::to_owned), user, is_archived, ..Filter::default() })
    };
    for (part, plan) in [
        (of(None, None, None), "SEARCH archive_status USING INTEGER PRIMARY KEY (rowid>?)"),
        (
            of(None, None, Some(true)),
            "SEARCH archive_status USING COVERING INDEX archive_status_archived (is_archived=? AND rowid>?)",
        ),
        (
            of(Some("c"), None, Some(true)),
            "SEARCH archive_status USING COVERING INDEX archive_status_course (course_id=?); USE TEMP B-TREE FOR ORDER BY",
        ),
        (
            of(None, Some(1), Some(true)),
            "SEARCH archive_status USING COVERING INDEX archive_status_user (user_id=?); USE TEMP B-TREE FOR ORDER BY",
        ),
        (
            of(Some("c"), Some(1), None),
            "SEARCH archive_status USING COVERING INDEX archive_status_course (course_id=? AND user_id=? AND rowid>?)",
        ),
    ] {
        let (sql, values) = part.ids_after(7);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>().join("; "), plan);
    }
}

/// Many users, each with a few rows, in the order of time.
fn fill(writes: &Writes<'_>, rows: i64) {
    for number in 0..rows {
        if number % 10 == 0 {
            let user = NewUser {
                id: Some(number / 10 + 1),
                username: format!("user-{number}"),
                email: String::new(),
                is_active: true,
                is_staff: false,
                is_superuser: false,
            };
            writes.insert_user(&user).unwrap();
        }
        let time = Timestamp::from_micros(number);
        let is_archived = number % 3 == 0;
        let status = NewStatus {
            course_id: format!("course-{}", number % 1_000),
            user: number / 10 + 1,
            is_archived,
            archive_date: is_archived.then_some(time),
            created_at: time,
            updated_at: time,
        };
        writes.insert_status(&status).unwrap();
    }
}

/// How many steps SQLite's machine makes for this.
fn steps(connection: &mut Connection, run: impl FnOnce(&Reads<'_>)) -> u64 {
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    connection.progress_handler(1, Some(count)).unwrap();
    run(&Reads::new(connection));
    connection.progress_handler(0, None::<fn() -> bool>).unwrap();
    steps.load(Ordering::Relaxed)
}

#[test]
fn counts_and_deep_pages_do_not_cost_more_the_more_rows_there_are() {
    const ROWS: i64 = 70_000;
    let mut connection = database();
    connection.execute_batch("BEGIN").unwrap();
    fill(&Writes::new(&connection), ROWS);
    connection.execute_batch("COMMIT").unwrap();
    assert_eq!(audit(&connection, SCHEMA_VERSION).unwrap(), Vec::<String>::new());
    let runs = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert!((250..280).contains(&runs("archive_block")), "{}", runs("archive_block"));
    assert!((3..=4).contains(&runs("archive_shelf")), "{}", runs("archive_shelf"));

    for is_archived in [None, Some(false), Some(true)] {
        let filter = Filter { is_archived, ..Filter::default() };
        let all = Reads::new(&connection).count_statuses(&filter).unwrap();
        let counting = steps(&mut connection, |reads| {
            reads.count_statuses(&filter).unwrap();
        });
        assert!(counting < 100, "{counting}");
        for descending in [false, true] {
            for offset in (0..all).step_by(997) {
                let order = [by(Column::UpdatedAt, descending)];
                let listing = steps(&mut connection, |reads| {
                    reads.statuses(&filter, &order, offset, 20).unwrap();
                });
                // Stepping over the rows would take three steps each.
                assert!(listing < 6_000, "{listing} steps for {offset}, {is_archived:?}");
            }
        }
    }
    let counting = steps(&mut connection, |reads| {
        reads.count_statuses(&Filter { owner: Some(77), ..Filter::default() }).unwrap();
    });
    assert!(counting < 100, "{counting}");
}

#[test]
fn each_statement_of_a_list_is_prepared_once() {
    let mut connection = database();
    fill(&Writes::new(&connection), 5_000);
    // SQLite asks for permission when it prepares a statement, and only then.
    let prepared = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&prepared);
    let allow = move |_: AuthContext<'_>| {
        counter.fetch_add(1, Ordering::Relaxed);
        Authorization::Allow
    };
    connection.authorizer(Some(allow)).unwrap();
    let reads = Reads::new(&connection);
    let order = [by(Column::UpdatedAt, true)];
    let list = |offset| {
        reads.statuses(&Filter::default(), &order, offset, 20).unwrap();
        prepared.load(Ordering::Relaxed)
    };
    let (near, middle, far) = (list(0), list(2_000), list(4_000));
    assert!(near > 0 && near < middle && middle < far);
    assert_eq!([list(20), list(1_500), list(4_500)], [far; 3]);
}

/// A column of numbers.
fn numbers(connection: &Connection, sql: &str) -> Vec<i64> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_shelf_whose_rows_leave_stays_in_order_and_goes_with_the_last() {
    let connection = database();
    connection.execute_batch("BEGIN").unwrap();
    fill(&Writes::new(&connection), 40_000);
    let shelves = numbers(&connection, "SELECT start FROM archive_shelf ORDER BY start");
    let [_, shelf] = shelves[..] else { panic!("{shelves:?}") };
    let later =
        "UPDATE archive_status SET updated_at = -updated_at WHERE updated_at >= ?1 AND updated_at < ?2";

    // Its first block is empty, and rows may come back into it.
    connection.execute(later, [shelf, shelf + 600]).unwrap();
    assert_eq!(audit(&connection, SCHEMA_VERSION).unwrap(), Vec::<String>::new());
    connection.execute("UPDATE archive_status SET updated_at = ?1 WHERE id = 1", [shelf + 3]).unwrap();
    assert_eq!(audit(&connection, SCHEMA_VERSION).unwrap(), Vec::<String>::new());

    connection.execute(later, [shelf, i64::MAX]).unwrap();
    assert_eq!(audit(&connection, SCHEMA_VERSION).unwrap(), Vec::<String>::new());
    assert!(!numbers(&connection, "SELECT start FROM archive_shelf").contains(&shelf));
    assert!(!numbers(&connection, "SELECT start FROM archive_block").contains(&shelf));

    connection.execute("DELETE FROM users", []).unwrap();
    assert_eq!(audit(&connection, SCHEMA_VERSION).unwrap(), Vec::<String>::new());
    assert_eq!(numbers(&connection, "SELECT start FROM archive_shelf"), [i64::MIN]);
    assert_eq!(numbers(&connection, "SELECT start FROM archive_block"), [i64::MIN]);
}

#[test]
fn rows_of_one_time_are_in_one_block_and_others_are_not() {
    let connection = database();
    connection.execute_batch("BEGIN").unwrap();
    fill(&Writes::new(&connection), 2_000);
    connection.execute("UPDATE archive_status SET updated_at = 5000", []).unwrap();
    connection.execute("UPDATE archive_status SET updated_at = 5000 + id WHERE id > 600", []).unwrap();
    assert_eq!(audit(&connection, SCHEMA_VERSION).unwrap(), Vec::<String>::new());
    assert_eq!(numbers(&connection, "SELECT open + archived FROM archive_block WHERE start = 5000"), [600]);
    let greatest = numbers(&connection, "SELECT max(open + archived) FROM archive_block WHERE start > 5000");
    assert!(greatest[0] < 512, "{greatest:?}");
}
