//! Plugins, their releases, the generation's number and the audit trail.
#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method is not general enough over the lifetime of what it reads"
)]

use std::path::Path;

use hookbox_store::{
    AuditQuery, NewAuditEntry, PluginRow, ReleaseRow, SCHEMA_VERSION, StoreError, Timestamp, backup, check,
};
use rusqlite::Connection;

use crate::support::{Place, assert_sound};

fn plugin(name: &str) -> PluginRow {
    PluginRow {
        name: name.to_owned(),
        standing: "enabled".to_owned(),
        revision: 1,
        next_number: 100,
        approved: r#"["keyvalue"]"#.to_owned(),
        offers: r#"{"folder":"sha256:1"}"#.to_owned(),
        trial: None,
    }
}

fn release(number: u32, state: &str) -> ReleaseRow {
    ReleaseRow {
        number,
        digest: format!("sha256:{number}"),
        bytes: 18_000_000,
        version: Some("1.0.0".to_owned()),
        source: "folder".to_owned(),
        origin: "plugins/greeter.wasm".to_owned(),
        installed_at: Timestamp::from_micros(-5),
        installed_by: "ada".to_owned(),
        state: state.to_owned(),
        reason: Some("because\0of this".to_owned()),
        report: r#"{"imports":[]}"#.to_owned(),
        cases: None,
    }
}

fn entry(plugin: Option<&str>, action: &str) -> NewAuditEntry {
    NewAuditEntry {
        at: Timestamp::from_micros(7),
        actor: "ada".to_owned(),
        action: action.to_owned(),
        outcome: "done".to_owned(),
        plugin: plugin.map(str::to_owned),
        release: Some(3),
        digest: Some("sha256:3".to_owned()),
        generation: Some(9),
        detail: "{}".to_owned(),
    }
}

async fn save(place: &Place, plugin: &PluginRow, releases: &[ReleaseRow]) -> Result<(), StoreError> {
    let (plugin, releases) = (plugin.clone(), releases.to_vec());
    place.store.write(move |writes| writes.save_plugin(&plugin, &releases)).await
}

/// Ids of the entries that a query finds.
async fn ids(place: &Place, query: AuditQuery) -> Vec<i64> {
    place.read(move |reads| reads.audit(&query)).await.iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn plugins_come_back_with_their_releases_by_name_and_number() {
    let place = Place::new();
    assert!(place.read(|reads| reads.plugins()).await.is_empty());
    let greeter = vec![release(2, "live"), release(10, "checked"), release(1, "replaced")];
    save(&place, &plugin("greeter"), &greeter).await.unwrap();
    let alone = PluginRow { trial: Some("{}".to_owned()), standing: "removed".to_owned(), ..plugin("alone") };
    save(&place, &alone, &[]).await.unwrap();
    let found = place.read(|reads| reads.plugins()).await;
    let sorted = vec![release(1, "replaced"), release(2, "live"), release(10, "checked")];
    assert_eq!(found, [(alone, Vec::new()), (plugin("greeter"), sorted)]);
    assert_sound(place.path());
}

#[tokio::test]
async fn saving_again_changes_what_changed_and_drops_what_is_gone() {
    let place = Place::new();
    save(&place, &plugin("greeter"), &[release(1, "live"), release(2, "checked")]).await.unwrap();
    save(&place, &plugin("other"), &[release(1, "live")]).await.unwrap();
    let mut next = plugin("greeter");
    next.revision = 2;
    // The digest of a release that went comes back under another number.
    let back = ReleaseRow { digest: "sha256:1".to_owned(), ..release(3, "live") };
    let releases = [release(2, "replaced"), back];
    save(&place, &next, &releases).await.unwrap();
    let found = place.read(|reads| reads.plugins()).await;
    assert_eq!(found, [(next, releases.to_vec()), (plugin("other"), vec![release(1, "live")])]);
}

#[tokio::test]
async fn rows_that_are_so_already_are_not_written() {
    let place = Place::new();
    let releases = [release(1, "replaced"), release(2, "live")];
    save(&place, &plugin("greeter"), &releases).await.unwrap();
    let trigger = "CREATE TRIGGER no_update BEFORE UPDATE ON plugin_release WHEN OLD.number = 1
                   BEGIN SELECT raise(ABORT, 'written again'); END";
    Connection::open(place.path()).unwrap().execute_batch(trigger).unwrap();
    let releases = [release(1, "replaced"), release(2, "replaced"), release(3, "live")];
    save(&place, &plugin("greeter"), &releases).await.unwrap();
    let changed = save(&place, &plugin("greeter"), &[release(1, "live")]).await.unwrap_err();
    assert!(changed.to_string().contains("written again"), "{changed}");
}

#[tokio::test]
async fn words_and_numbers_that_make_no_sense_are_refused_and_nothing_stays() {
    let place = Place::new();
    let twice = |change: fn(&mut ReleaseRow)| {
        let mut other = release(2, "checked");
        change(&mut other);
        vec![release(1, "live"), other]
    };
    for releases in [
        twice(|it| it.state = "sleeping".to_owned()),
        twice(|it| it.source = "moon".to_owned()),
        twice(|it| it.report = "{".to_owned()),
        twice(|it| it.number = 0),
        twice(|it| it.digest = String::new()),
        twice(|it| it.bytes = u64::MAX),
    ] {
        assert_eq!(save(&place, &plugin("greeter"), &releases).await.unwrap_err().code(), "internal");
    }
    let same_digest = twice(|it| it.digest = "sha256:1".to_owned());
    assert_eq!(save(&place, &plugin("greeter"), &same_digest).await, Err(StoreError::Duplicate));
    let standing = PluginRow { standing: "asleep".to_owned(), ..plugin("greeter") };
    assert_eq!(save(&place, &standing, &[]).await.unwrap_err().code(), "internal");
    assert!(place.read(|reads| reads.plugins()).await.is_empty());
}

#[tokio::test]
async fn the_generation_s_number_is_the_last_one_written() {
    let place = Place::new();
    assert_eq!(place.read(|reads| reads.generation_number()).await, 0);
    for number in [1, 2, 4_000_000_000] {
        place.write(move |writes| writes.set_generation_number(number)).await;
        assert_eq!(place.read(|reads| reads.generation_number()).await, number);
    }
}

#[tokio::test]
async fn the_trail_is_read_page_by_page_from_its_end() {
    let place = Place::new();
    let names = [Some("a"), Some("b"), None, Some("a"), Some("b"), Some("a")];
    let written = place.write(move |writes| {
        names.iter().map(|name| writes.record(&entry(*name, "install"))).collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(written.await, [1, 2, 3, 4, 5, 6]);
    let query =
        |plugin: Option<&str>, before, limit| AuditQuery { plugin: plugin.map(str::to_owned), before, limit };
    assert_eq!(ids(&place, query(None, None, 4)).await, [6, 5, 4, 3]);
    assert_eq!(ids(&place, query(None, Some(3), 4)).await, [2, 1]);
    assert_eq!(ids(&place, query(Some("a"), None, 2)).await, [6, 4]);
    assert_eq!(ids(&place, query(Some("a"), Some(4), 2)).await, [1]);
    assert_eq!(ids(&place, query(Some("c"), None, 2)).await, [0; 0]);
    assert_eq!(ids(&place, AuditQuery::default()).await, [0; 0]);
    let third = place.read(move |reads| reads.audit(&query(None, Some(4), 1))).await;
    assert_eq!(third[0].entry, entry(None, "install"));
}

#[tokio::test]
async fn the_latest_entries_stay_and_their_ids_never_come_back() {
    let place = Place::new();
    let all = || AuditQuery { limit: 99, ..AuditQuery::default() };
    assert_eq!(place.write(|writes| writes.prune_audit(0)).await, 0);
    for _ in 0..5 {
        place.write(|writes| writes.record(&entry(None, "install"))).await;
    }
    // An entry of a job that fails leaves no gap.
    let failed = place.store.write(|writes| {
        writes.record(&entry(None, "install"))?;
        Err::<(), _>(StoreError::Closed)
    });
    failed.await.unwrap_err();
    assert_eq!(place.write(|writes| writes.record(&entry(None, "install"))).await, 6);
    assert_eq!(place.write(|writes| writes.prune_audit(u64::MAX)).await, 0);
    assert_eq!(place.write(|writes| writes.prune_audit(2)).await, 4);
    assert_eq!(ids(&place, all()).await, [6, 5]);
    assert_eq!(place.write(|writes| writes.prune_audit(0)).await, 2);
    assert_eq!(place.write(|writes| writes.record(&entry(None, "install"))).await, 7);
}

#[tokio::test]
async fn the_check_sees_plugins_that_contradict_themselves() {
    for (sql, expected) in [
        ("UPDATE plugin_release SET state = 'live'", "plugin greeter: 2 releases are live"),
        ("UPDATE plugin SET standing = 'removed'", "release 2 is live, the plugin is removed"),
        (
            "UPDATE plugin_release SET state = 'disabled' WHERE number = 1",
            "release 1 is disabled, the plugin is enabled",
        ),
        ("UPDATE plugin SET next_number = 2", "the next release has the number 2, there is a release 2"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM plugin",
            "plugin_release: row 1 refers to a row of plugin that is missing",
        ),
    ] {
        let place = Place::new();
        save(&place, &plugin("greeter"), &[release(1, "replaced"), release(2, "live")]).await.unwrap();
        assert_sound(place.path());
        Connection::open(place.path()).unwrap().execute_batch(sql).unwrap();
        let problems = check(place.path()).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{sql}: {problems:?}");
    }
}

#[tokio::test]
async fn a_backup_holds_plugins_and_what_was_done_to_them() {
    let place = Place::new();
    save(&place, &plugin("greeter"), &[release(1, "live")]).await.unwrap();
    place.write(|writes| writes.record(&entry(Some("greeter"), "install"))).await;
    let copy = place.folder.path().join("copy.db");
    backup(place.path(), &copy, |_, _| {}).unwrap();
    let tables = |path: &Path| {
        let report = check(path).unwrap();
        assert_eq!((report.schema_version, report.problems), (SCHEMA_VERSION, Vec::new()));
        report.tables
    };
    assert_eq!(tables(&copy), tables(&place.path()));
    assert_eq!(["plugin", "plugin_release", "audit"].map(|table| tables(&copy)[table]), [1, 1, 1]);
}
