//! The statements about plugins that are longer than their use.

pub(super) const PLUGINS: &str =
    "SELECT name, standing, revision, next_number, approved, offers, trial FROM plugin ORDER BY name";

pub(super) const RELEASES: &str =
    "SELECT plugin, number, digest, bytes, version, source, origin, installed_at, installed_by, state, reason,
            report, cases
     FROM plugin_release ORDER BY plugin, number";

pub(super) const AUDIT: &str =
    "SELECT id, at, actor, action, outcome, plugin, release, digest, generation, detail FROM audit
     WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

pub(super) const AUDIT_OF_PLUGIN: &str =
    "SELECT id, at, actor, action, outcome, plugin, release, digest, generation, detail FROM audit
     WHERE plugin = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";

pub(super) const RECORD: &str =
    "INSERT INTO audit (at, actor, action, outcome, plugin, release, digest, generation, detail)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) const SAVE_PLUGIN: &str =
    "INSERT INTO plugin (name, standing, revision, next_number, approved, offers, trial)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
     ON CONFLICT (name) DO UPDATE SET
       standing = excluded.standing, revision = excluded.revision, next_number = excluded.next_number,
       approved = excluded.approved, offers = excluded.offers, trial = excluded.trial
     WHERE (standing, revision, next_number, approved, offers, trial) IS NOT
           (excluded.standing, excluded.revision, excluded.next_number, excluded.approved, excluded.offers,
            excluded.trial)";

pub(super) const SAVE_RELEASE: &str =
    "INSERT INTO plugin_release (plugin, number, digest, bytes, version, source, origin, installed_at, installed_by,
                                 state, reason, report, cases)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
     ON CONFLICT (plugin, number) DO UPDATE SET
       digest = excluded.digest, bytes = excluded.bytes, version = excluded.version, source = excluded.source,
       origin = excluded.origin, installed_at = excluded.installed_at, installed_by = excluded.installed_by,
       state = excluded.state, reason = excluded.reason, report = excluded.report, cases = excluded.cases
     WHERE (digest, bytes, version, source, origin, installed_at, installed_by, state, reason, report, cases) IS NOT
           (excluded.digest, excluded.bytes, excluded.version, excluded.source, excluded.origin,
            excluded.installed_at, excluded.installed_by, excluded.state, excluded.reason, excluded.report,
            excluded.cases)";

/// What is asked of the plugins by a check: each says what it found wrong, a row a problem.
pub(crate) const QUESTIONS: &[&str] = &[
    "SELECT 'plugin_release: plugin ' || plugin || ': ' || count(*) || ' releases are ' || state
     FROM plugin_release WHERE state IN ('live', 'disabled')
     GROUP BY plugin, state HAVING count(*) > 1 LIMIT 100",
    "SELECT 'plugin_release: plugin ' || plugin || ': release ' || number || ' is ' || state || ', the plugin is '
            || standing
     FROM plugin_release JOIN plugin ON name = plugin
     WHERE state = 'live' AND standing <> 'enabled' OR state = 'disabled' AND standing <> 'disabled' LIMIT 100",
    "SELECT 'plugin: plugin ' || name || ': the next release has the number ' || next_number || ', there is a release '
            || max(number)
     FROM plugin JOIN plugin_release ON plugin = name
     GROUP BY name, next_number HAVING max(number) >= next_number LIMIT 100",
];

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::*;
    use crate::connection::configure;
    use crate::schema::{STEPS, migrate};

    #[test]
    fn a_page_of_the_trail_is_a_step_of_an_index_for_all_and_for_one_plugin() {
        let mut connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        migrate(&mut connection, "memory".as_ref(), STEPS).unwrap();
        let plan = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> Vec<String> {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            statement.query_map(params, |row| row.get(3)).unwrap().map(Result::unwrap).collect()
        };
        let all = plan(AUDIT, params![9, 2]);
        assert_eq!(all, ["SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)"]);
        let one = plan(AUDIT_OF_PLUGIN, params![9, 2, "p"]);
        assert_eq!(one, ["SEARCH audit USING INDEX audit_plugin (plugin=? AND rowid<?)"]);
    }
}
