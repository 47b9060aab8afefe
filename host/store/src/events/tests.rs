//! How events and deliveries are found, in SQLite's own words.

use rusqlite::Connection;

use super::{accept, bulk, claim, counts, ends, order, prune, replay, rows, walk};
use crate::connection::configure;
use crate::schema::{STEPS, migrate};

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    configure(&connection).unwrap();
    migrate(&mut connection, "memory".as_ref(), STEPS).unwrap();
    connection
}

/// What SQLite says it would do for a statement, whether or not an index has all that is asked for.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![1; statement.parameter_count()];
    let lines = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3));
    lines.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; ").replace("COVERING ", "")
}

const BY_SEQ: &str = "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)";

#[test]
fn what_is_due_is_the_beginning_of_an_index() {
    let connection = database();
    let index = "SEARCH delivery USING INDEX delivery_ready";
    assert_eq!(plan(&connection, claim::AT_ONCE), format!("{index} (receiver=? AND due_at=?)"));
    assert_eq!(plan(&connection, claim::DUE), format!("{index} (receiver=? AND due_at>? AND due_at<?)"));
    assert_eq!(plan(&connection, claim::FAR), format!("{index} (receiver=? AND due_at>?)"));
    assert_eq!(plan(&connection, claim::NEXT_DUE), format!("{index} (receiver=?)"));
    let running = plan(&connection, ends::RUNNING);
    assert_eq!(running, "SCAN delivery USING INDEX delivery_running");
}

#[test]
fn whose_turn_it_is_is_one_step_of_an_index() {
    let connection = database();
    let open = "USING INDEX delivery_order (receiver=? AND order_key=?)";
    assert_eq!(plan(&connection, order::FIRST_OF_KEY), format!("SEARCH delivery {open}"));
    assert_eq!(
        plan(&connection, order::TURN_OF_KEY),
        "SEARCH delivery USING INDEX delivery_turn (receiver=? AND order_key=?)"
    );
    assert!(plan(&connection, accept::ADD_DELIVERY).contains("delivery_order (receiver=? AND order_key=?)"));
}

#[test]
fn a_list_steps_through_the_index_of_what_it_selects() {
    let connection = database();
    assert_eq!(plan(&connection, walk::ALL), "SEARCH event USING INTEGER PRIMARY KEY (rowid<?)");
    assert_eq!(plan(&connection, walk::OPEN), "SEARCH event USING INDEX event_open (seq<?)");
    assert_eq!(plan(&connection, walk::WITH_LETTERS), "SEARCH event USING INDEX event_letter (seq<?)");
    let of_deliveries = [
        (walk::RUNNING, "INDEX delivery_running (event<?)"),
        (walk::OF_PLUGIN, "PRIMARY KEY (receiver=? AND event<?)"),
        (walk::OPEN_OF_PLUGIN, "INDEX delivery_open (receiver=? AND event<?)"),
        (walk::DEAD_OF_PLUGIN, "INDEX delivery_dead (receiver=? AND event<?)"),
    ];
    for (sql, index) in of_deliveries {
        assert_eq!(plan(&connection, sql), format!("SEARCH delivery USING {index}; {BY_SEQ}"));
    }
    assert_eq!(
        plan(&connection, replay::UPWARDS),
        "SEARCH event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    );
    assert!(plan(&connection, rows::DELIVERIES).contains("USING INDEX delivery_event (event=?)"));
}

#[test]
fn no_statement_about_many_sorts_or_scans_them() {
    let connection = database();
    for (sql, index) in [
        (bulk::WAITING, "delivery_open (receiver=?)"),
        (bulk::WAITING_OF_TYPE, "delivery_open (receiver=?)"),
        (counts::OLDEST_OPEN, "delivery_open (receiver=?)"),
        (prune::OLDEST_DONE, "event_done"),
        (prune::OLDEST_DEAD, "event_dead"),
    ] {
        let plan = plan(&connection, sql);
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    assert!(plan(&connection, counts::OPEN_TYPES).contains("delivery_open (receiver=?)"));
}

/// SQLite makes a table for `IN` and a list with every statement that might evaluate it: most of its cost.
#[test]
fn a_delivery_is_changed_without_a_table_made_for_it() {
    let connection = database();
    let program = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let parameters = vec![1; statement.parameter_count()];
        let lines = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get(1));
        lines.unwrap().map(Result::unwrap).collect()
    };
    let event =
        "INSERT INTO event (id, source, type, time, received_at, minorversion, sourcehost, sourcelib, bytes)
                 VALUES (?1, 's', 't', 1, 1, 0, 'h', '[]', 0)";
    let ended = "UPDATE delivery SET state = 'delivered', ended_at = ?3 WHERE receiver = ?1 AND event = ?2";
    for sql in [event, ended, accept::ADD_DELIVERY] {
        let program = program(sql);
        assert!(!program.iter().any(|step| step == "OpenEphemeral"), "{sql}");
    }
}
