//! Whether counters agree with rows, and rows with one another.

use rusqlite::Connection;

use crate::{archive, events, key_value, plugins};

/// What each family of tables asks, and the first version of the schema that can answer.
const FAMILIES: &[(u32, &[&str])] =
    &[(1, archive::QUESTIONS), (2, key_value::QUESTIONS), (3, plugins::QUESTIONS), (4, events::QUESTIONS)];

/// What is wrong in a database whose schema has this version; empty when all is well.
pub(crate) fn audit(connection: &Connection, version: u32) -> rusqlite::Result<Vec<String>> {
    let mut problems = Vec::new();
    let families = FAMILIES.iter().filter(|(since, _)| *since <= version);
    for question in families.flat_map(|(_, questions)| *questions) {
        let mut statement = connection.prepare(question)?;
        for problem in statement.query_map([], |row| row.get(0))? {
            problems.push(problem?);
        }
    }
    Ok(problems)
}
