//! Each arrow, and what the arrows leave alone.

use super::*;
use crate::record::{Release, Standing};

/// How release 1 stands, and how it stands after each change; `-` where the change is refused. `tried` is a checked release
/// on trial.
const ARROWS: &str = "
from           | install     accept  hold           reject   activate quarantine  try   end-trial disable     remove
installed      | installed   checked needs-approval rejected -        -           -     -         installed   removed
checked        | installed   -       -              -        live     -           tried -         checked     removed
tried          | tried       -       -              -        live     -           -     checked   checked     removed
needs-approval | installed   checked needs-approval rejected -        -           -     -         needs-approval removed
live           | live        -       -              -        -        quarantined -     -         disabled    removed
disabled       | disabled    -       -              -        live     -           -     -         disabled    removed
quarantined    | installed   checked -              -        live     -           -     -         quarantined removed
replaced       | installed   -       -              -        live     -           tried -         replaced    removed
rejected       | installed   checked needs-approval rejected -        -           -     -         rejected    removed
removed        | installed   -       -              -        -        -           -     -         -           removed
";

/// A plugin whose release 1 stands so. Where that leaves room for a live one, release 2 is.
fn standing(state: &str) -> PluginRecord {
    let activate = |number| Change::Activate { number };
    let live = [upload('a'), accept(1), activate(1)];
    let beside = [upload('b'), accept(2), activate(2)];
    let first = |change: Option<Change>| [vec![upload('a')], change.into_iter().collect(), beside.to_vec()];
    let changes: Vec<Change> = match state {
        "installed" => first(None).concat(),
        "checked" => first(Some(accept(1))).concat(),
        "tried" => [first(Some(accept(1))).concat(), vec![try_out(1)]].concat(),
        "needs-approval" => first(Some(hold(1))).concat(),
        "rejected" => first(Some(reject(1))).concat(),
        "live" => live.to_vec(),
        "disabled" => [&live[..], &[Change::Disable]].concat(),
        "quarantined" => [&live[..], &[quarantine(1)], &beside].concat(),
        "replaced" => [&live[..], &beside].concat(),
        "removed" => [&live[..], &[Change::Remove]].concat(),
        _ => panic!("{state}"),
    };
    after(changes)
}

fn change(name: &str) -> Change {
    match name {
        "install" => upload('a'),
        "accept" => accept(1),
        "hold" => hold(1),
        "reject" => reject(1),
        "activate" => Change::Activate { number: 1 },
        "quarantine" => quarantine(1),
        "try" => try_out(1),
        "end-trial" => Change::EndTrial,
        "disable" => Change::Disable,
        "remove" => Change::Remove,
        _ => panic!("{name}"),
    }
}

fn stands(record: &PluginRecord) -> &'static str {
    match record.trial {
        Some(TrialPlan { release: 1, .. }) => "tried",
        _ => record.release(1).unwrap().state.name(),
    }
}

#[test]
fn every_arrow_leads_where_the_table_says() {
    let mut rows = ARROWS.trim().lines();
    let changes: Vec<&str> = rows.next().unwrap().split_whitespace().skip(2).collect();
    let mut seen = 0;
    for row in rows {
        let mut cells = row.split_whitespace();
        let from = cells.next().unwrap();
        let record = standing(from);
        assert_eq!(stands(&record), from);
        for (name, expected) in changes.iter().zip(cells.skip(1)) {
            let found = record.after(change(name));
            let found = found.as_ref().map_or("-", stands);
            assert_eq!(found, expected, "{name} of a release that is {from}");
            seen += 1;
        }
    }
    assert_eq!(seen, 10 * 10);
}

#[test]
fn every_change_of_a_release_names_one_that_is_not_there() {
    let record = after(replaced_up_to(2));
    for change in [accept(3), hold(3), reject(3), quarantine(3), try_out(3), Change::Activate { number: 3 }] {
        let refusal = record.after(change).unwrap_err();
        assert_eq!(refusal.code(), "unknown-release");
        assert_eq!(refusal.to_string(), "plugin greeter has no release 3");
    }
}

#[test]
fn a_refusal_says_how_the_release_stands_and_what_to_do() {
    let said = |state, name| standing(state).after(change(name)).unwrap_err().to_string();
    assert_eq!(
        said("needs-approval", "activate"),
        "release 1 of greeter is needs-approval: approve what it wants first"
    );
    assert_eq!(said("live", "activate"), "release 1 of greeter is live: it takes calls already");
    assert_eq!(said("removed", "disable"), "plugin greeter is removed: install a component for it first");
    assert_eq!(said("disabled", "try"), "release 1 of greeter is disabled: enable the plugin first");
}

#[test]
fn the_live_release_is_replaced_by_the_next_and_can_come_back() {
    let record = after(replaced_up_to(2));
    let states = |record: &PluginRecord| -> Vec<&str> {
        record.releases.iter().map(|release| release.state.name()).collect()
    };
    assert_eq!(states(&record), ["replaced", "live"]);
    let back = record.after(Change::Activate { number: 1 }).unwrap();
    assert_eq!(states(&back), ["live", "replaced"]);
    let disabled = back.after(Change::Disable).unwrap();
    assert_eq!((states(&disabled), disabled.standing), (vec!["disabled", "replaced"], Standing::Disabled));
    let other = disabled.after(Change::Activate { number: 2 }).unwrap();
    assert_eq!((states(&other), other.standing), (vec!["replaced", "live"], Standing::Enabled));
}

#[test]
fn a_plugin_is_enabled_by_activation_and_by_coming_back_alone() {
    let removed = after([upload('a'), Change::Remove]);
    assert_eq!(removed.standing, Standing::Removed);
    assert_eq!(removed.after(upload('a')).unwrap().standing, Standing::Enabled);
    assert_eq!(removed.after(upload('b')).unwrap().standing, Standing::Enabled);
    let disabled = after([upload('a'), Change::Disable]);
    for change in [upload('b'), accept(1), hold(1), Change::Approve { grants: Vec::new() }] {
        assert_eq!(disabled.after(change).unwrap().standing, Standing::Disabled);
    }
}

#[test]
fn the_same_bytes_are_the_same_release_with_the_cases_that_came_last() {
    let with_cases = |cases: Option<&str>| {
        let Change::Install { digest, bytes, source, origin, at, .. } = upload('a') else { panic!() };
        let (by, cases) = ("bob".to_owned(), cases.map(str::to_owned));
        Change::Install { digest, bytes, source, origin, by, at, cases }
    };
    let record = after([upload('a'), reject(1), with_cases(Some("cases"))]);
    let Release { number, installed_by, reason, report, cases, .. } = &record.releases[0];
    assert_eq!((*number, &**installed_by, reason, cases.as_deref()), (1, "ada", &None, Some("cases")));
    assert_eq!(*report, Value::Null);
    assert_eq!(record.after(with_cases(None)).unwrap().releases[0].cases, None);

    let live = after(replaced_up_to(1));
    let again = live.after(with_cases(Some("cases"))).unwrap();
    assert_eq!(again, live, "those of a live release are what admission saw");
}

#[test]
fn the_source_that_offered_last_is_noted_also_for_a_live_release() {
    let live = after(replaced_up_to(1));
    let offered = live.after(offer('a', Source::Folder)).unwrap();
    assert_eq!((offered.releases[0].source, offered.revision), (Source::Folder, live.revision + 1));
    assert_eq!(offered.offers, [(Source::Folder, "sha256:a".to_owned())].into());
    assert_eq!(offered.after(offer('a', Source::Folder)).unwrap(), offered);
    let gone = offered.after(Change::Withdraw { source: Source::Folder }).unwrap();
    assert!(gone.offers.is_empty());
    assert_eq!(gone.releases, offered.releases);
    assert_eq!(gone.after(Change::Withdraw { source: Source::Folder }).unwrap(), gone);
    assert!(live.offers.is_empty(), "an upload is no offer");
}

#[test]
fn removing_forgets_what_was_approved_and_not_what_was_offered() {
    let grants = || Change::Approve { grants: vec!["keyvalue".to_owned(), "archive:read".to_owned()] };
    let approved = after([offer('a', Source::Folder), grants()]);
    assert_eq!(approved.approved, ["keyvalue", "archive:read"]);
    assert_eq!(approved.after(grants()).unwrap(), approved);
    let removed = approved.after(Change::Remove).unwrap();
    assert!(removed.approved.is_empty());
    assert_eq!(removed.offers, approved.offers);
    assert_eq!(removed.after(grants()).unwrap_err().code(), "plugin-state");
    assert_eq!(removed.after(Change::Remove).unwrap(), removed);
}

#[test]
fn a_failure_keeps_the_version_that_was_known() {
    let version = |change| after([upload('a'), change]).releases[0].version.clone();
    assert_eq!(version(accept(1)).as_deref(), Some("1.0"));
    assert_eq!(version(reject(1)), None);
    let again = after([upload('a'), accept(1), upload('a'), reject(1)]);
    assert_eq!(again.releases[0].version.as_deref(), Some("1.0"));
}

#[test]
fn a_trial_needs_a_share_a_live_release_and_no_other_trial() {
    let record = after(replaced_up_to(3));
    for percent in [0.0, -1.0, 100.1, f64::NAN, f64::INFINITY] {
        let refusal = record.after(Change::BeginTrial { plan: plan(1, percent) }).unwrap_err();
        assert_eq!(refusal.code(), "plugin-state", "{percent}");
    }
    let tried = record.after(try_out(1)).unwrap();
    assert_eq!(
        tried.after(try_out(2)).unwrap_err().to_string(),
        "plugin greeter has a trial that runs: end it first"
    );
    for ending in
        [Change::EndTrial, Change::Disable, quarantine(3), Change::Activate { number: 2 }, Change::Remove]
    {
        assert_eq!(tried.after(ending).unwrap().trial, None);
    }
    let alone = after([upload('a'), accept(1)]);
    assert!(alone.after(try_out(1)).unwrap_err().to_string().contains("no live release"));
}

#[test]
fn broken_uploads_push_out_no_release_to_roll_back_to() {
    let mut record = after(replaced_up_to(4));
    for number in 5..15 {
        record = record.after(upload(letter(number))).unwrap().after(reject(number)).unwrap();
        record = record.after(Change::Prune { keep: 2 }).unwrap();
    }
    let left: Vec<_> = record.releases.iter().map(|release| (release.number, release.state.name())).collect();
    assert_eq!(
        left,
        [(2, "replaced"), (3, "replaced"), (4, "live"), (12, "rejected"), (13, "rejected"), (14, "rejected")]
    );
    assert_eq!(record.next_number, 15);
}

#[test]
fn pruning_to_nothing_leaves_what_is_at_work_and_the_newest() {
    let numbers = |record: &PluginRecord| -> Vec<u32> {
        record
            .after(Change::Prune { keep: 0 })
            .unwrap()
            .releases
            .iter()
            .map(|release| release.number)
            .collect()
    };
    let mut record = after(replaced_up_to(5));
    assert_eq!(numbers(&record), [5]);
    record = record.after(Change::Activate { number: 3 }).unwrap().after(try_out(2)).unwrap();
    assert_eq!(numbers(&record), [2, 3, 5]);
    assert_eq!(numbers(&record.after(Change::Disable).unwrap()), [3, 5]);
}

#[test]
fn numbers_end_with_a_refusal() {
    let mut record = after(replaced_up_to(1));
    record.next_number = u32::MAX;
    assert!(record.after(upload('b')).unwrap_err().to_string().contains("used up its numbers"));
    assert!(record.after(upload('a')).is_ok());
}
