//! What holds after any sequence of changes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::record::{Release, Standing};

/// Any changes, with few components and numbers, so that they meet.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let sources =
        prop::sample::select(vec![Source::Upload, Source::Folder, Source::Configuration, Source::Sample]);
    let install = (1u32..8, sources.clone(), prop::option::of("[a-z]{0,3}"), 0u32..3).prop_map(
        |(component, source, cases, who)| Change::Install {
            digest: format!("sha256:{}", letter(component)),
            bytes: u64::from(component),
            source,
            origin: format!("place {who}"),
            by: format!("user {who}"),
            at: at(i64::from(who)),
            cases,
        },
    );
    let grants =
        prop::collection::vec(prop::sample::select(vec!["keyvalue", "archive:read", "http:a"]), 0..3);
    let share = prop::sample::select(vec![0.5, 10.0, 33.3, 100.0, 0.0, f64::NAN]);
    let number = prop_oneof![3 => 1u32..4, 1 => 1u32..10];
    let change = prop_oneof![
        6 => install,
        6 => number.clone().prop_map(accept),
        2 => number.clone().prop_map(hold),
        2 => number.clone().prop_map(reject),
        6 => number.clone().prop_map(|number| Change::Activate { number }),
        1 => grants.prop_map(|grants| Change::Approve { grants: grants.into_iter().map(str::to_owned).collect() }),
        1 => Just(Change::Disable),
        3 => number.clone().prop_map(quarantine),
        1 => Just(Change::Remove),
        1 => sources.prop_map(|source| Change::Withdraw { source }),
        4 => (number, share).prop_map(|(number, share)| Change::BeginTrial { plan: plan(number, share) }),
        1 => Just(Change::EndTrial),
        1 => (0usize..5).prop_map(|keep| Change::Prune { keep }),
    ];
    prop::collection::vec(change, 0..80)
}

/// A plugin to which as much of this happened as could.
pub(crate) fn lived(changes: &[Change]) -> PluginRecord {
    changes
        .iter()
        .fold(PluginRecord::new("greeter"), |record, change| record.after(change.clone()).unwrap_or(record))
}

fn in_state(record: &PluginRecord, state: ReleaseState) -> Vec<&Release> {
    record.releases.iter().filter(|release| release.state == state).collect()
}

/// What is true of every record.
fn holds(record: &PluginRecord) -> Result<(), TestCaseError> {
    let (live, disabled) = (in_state(record, ReleaseState::Live), in_state(record, ReleaseState::Disabled));
    prop_assert!(live.len() + disabled.len() <= 1);
    prop_assert!(live.is_empty() || record.standing == Standing::Enabled);
    prop_assert!(disabled.is_empty() || record.standing == Standing::Disabled);
    if record.standing == Standing::Removed {
        prop_assert!(record.releases.iter().all(|release| release.state == ReleaseState::Removed));
        prop_assert!(record.approved.is_empty());
    }
    prop_assert!(record.releases.is_sorted_by(|one, next| one.number < next.number));
    prop_assert!(record.releases.iter().all(|release| (1..record.next_number).contains(&release.number)));
    let digests: BTreeSet<&str> = record.releases.iter().map(|release| &*release.digest).collect();
    prop_assert_eq!(digests.len(), record.releases.len());
    let approved: BTreeSet<&String> = record.approved.iter().collect();
    prop_assert_eq!(approved.len(), record.approved.len());
    prop_assert!(!record.offers.contains_key(&Source::Upload));
    if let Some(plan) = &record.trial {
        let tried = record.release(plan.release).map(|release| release.state);
        prop_assert!(matches!(tried, Some(ReleaseState::Checked | ReleaseState::Replaced)), "{tried:?}");
        prop_assert_eq!(live.len(), 1);
    }
    for release in &record.releases {
        let says_why = matches!(
            release.state,
            ReleaseState::NeedsApproval | ReleaseState::Rejected | ReleaseState::Quarantined
        );
        prop_assert_eq!(release.reason.is_some(), says_why, "{}", release.state);
    }
    Ok(())
}

/// Pruning drops the oldest of each kind and nothing that is at work.
fn pruned(before: &PluginRecord, after: &PluginRecord, keep: usize) -> Result<(), TestCaseError> {
    let tried = before.trial.as_ref().map(|plan| plan.release);
    let at_work = |release: &Release| {
        matches!(release.state, ReleaseState::Live | ReleaseState::Disabled) || tried == Some(release.number)
    };
    let can_return = |release: &Release| {
        matches!(release.state, ReleaseState::Checked | ReleaseState::Replaced | ReleaseState::Quarantined)
    };
    let newest = before.releases.last().map(|release| release.number);
    for release in &before.releases {
        let newer = before.releases.iter().filter(|other| {
            other.number > release.number
                && !at_work(other)
                && Some(other.number) != newest
                && can_return(other) == can_return(release)
        });
        let stays = at_work(release) || newest == Some(release.number) || newer.count() < keep;
        prop_assert_eq!(after.release(release.number), stays.then_some(release));
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_a_record_makes_sense(changes in changes()) {
        let mut record = PluginRecord::new("greeter");
        // The digest that had each number first; the releases that passed admission since their bytes came.
        let mut numbers: BTreeMap<u32, String> = BTreeMap::new();
        let mut passed: BTreeSet<u32> = BTreeSet::new();
        for change in changes {
            let before = record.clone();
            let result = record.after(change.clone());
            prop_assert_eq!(&record, &before);
            let Ok(after) = result else { continue };
            holds(&after)?;
            let same = PluginRecord { revision: before.revision, ..after.clone() };
            prop_assert_eq!(after.revision, before.revision + u64::from(same != before));

            prop_assert!(after.next_number >= before.next_number);
            for release in &after.releases {
                if let Some(digest) = numbers.get(&release.number) {
                    prop_assert_eq!(&release.digest, digest, "number {} came back", release.number);
                } else {
                    prop_assert!(numbers.last_key_value().is_none_or(|(last, _)| *last < release.number));
                    numbers.insert(release.number, release.digest.clone());
                }
            }
            match change {
                Change::Accept { number, .. } => drop(passed.insert(number)),
                Change::Prune { keep } => pruned(&before, &after, keep)?,
                _ => {
                    let kept: Vec<u32> = before.releases.iter().map(|release| release.number).collect();
                    prop_assert!(kept.iter().all(|number| after.release(*number).is_some()), "{change:?}");
                }
            }
            passed.retain(|number| {
                after.release(*number).is_some_and(|release| {
                    !matches!(release.state, ReleaseState::Installed | ReleaseState::Removed)
                })
            });
            if let Some(live) = after.live() {
                prop_assert!(passed.contains(&live.number), "release {} was not accepted", live.number);
            }
            record = after;
        }
    }

    #[test]
    fn the_same_changes_make_the_same_record(changes in changes()) {
        prop_assert_eq!(lived(&changes), lived(&changes));
    }

    #[test]
    fn what_changes_nothing_once_changes_nothing_twice(changes in changes(), last in changes()) {
        let record = lived(&changes);
        for change in last {
            if matches!(change, Change::EndTrial | Change::Activate { .. } | Change::BeginTrial { .. } | Change::Quarantine { .. } | Change::Accept { .. }) {
                continue;
            }
            if let Ok(once) = record.after(change.clone()) {
                prop_assert_eq!(once.after(change), Ok(once));
            }
        }
    }
}

/// The sequences reach what the properties are about.
#[test]
fn the_sequences_reach_every_state_and_a_trial() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let (mut states, mut trials) = (BTreeSet::new(), 0);
    for _ in 0..500 {
        let record = lived(&changes().new_tree(&mut runner).unwrap().current());
        states.extend(record.releases.iter().map(|release| release.state.name()));
        trials += u32::from(record.trial.is_some());
    }
    assert_eq!(states.len(), 9, "{states:?}");
    assert!(trials > 5, "{trials}");
}
