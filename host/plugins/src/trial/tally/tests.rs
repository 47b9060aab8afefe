//! The rule decides once, and as an operator with paper would.

use proptest::prelude::*;

use super::*;

fn ended() -> impl Strategy<Value = Ended> {
    prop_oneof![
        3 => Just(Ended::Equal),
        3 => Just(Ended::Answered),
        1 => Just(Ended::Different),
        1 => Just(Ended::Failed),
        1 => Just(Ended::LeftOut),
    ]
}

proptest! {
    #[test]
    fn it_decides_once_as_an_operator_with_paper_would(
        calls in prop::collection::vec(ended(), 0..60),
        most in 0u64..40,
        differences in 0u64..6,
        shadow: bool,
    ) {
        let kind = if shadow { TrialKind::Shadow } else { TrialKind::Canary };
        let rule = TrialRule { calls: most, differences };
        let mut tally = Tally::default();
        let mut expected = None;
        let mut decided = None;
        let (mut made, mut wrong) = (0, 0);
        for ended in &calls {
            let counted = *ended != Ended::LeftOut;
            made += u64::from(counted);
            wrong += u64::from(*ended == Ended::Failed || (shadow && *ended == Ended::Different));
            if counted && expected.is_none() {
                expected = if wrong > differences {
                    Some(TrialEnd::RollBack)
                } else {
                    (made >= most).then_some(TrialEnd::Promote)
                };
            }
            if let Some(end) = tally.count(*ended, None, kind, Some(rule)) {
                prop_assert_eq!(decided.replace(end), None, "decided twice");
            }
            prop_assert_eq!(decided, expected);
        }
        let counts = tally.counts();
        let answered = calls.iter().filter(|ended| **ended == Ended::Answered).count() as u64;
        prop_assert_eq!(counts.calls, made);
        prop_assert_eq!(counts.calls, answered + counts.equal + counts.different + counts.failed);
        prop_assert_eq!(counts.calls + counts.left_out, calls.len() as u64);
    }

    #[test]
    fn without_a_rule_or_once_closed_nothing_is_decided(calls in prop::collection::vec(ended(), 0..30)) {
        let rule = TrialRule { calls: 1, differences: 0 };
        let (mut open, mut closed) = (Tally::default(), Tally::default());
        closed.close();
        for ended in calls {
            prop_assert_eq!(open.count(ended, None, TrialKind::Shadow, None), None);
            prop_assert_eq!(closed.count(ended, None, TrialKind::Shadow, Some(rule)), None);
        }
    }
}

#[test]
fn the_latest_twenty_examples_stay() {
    let mut tally = Tally::default();
    for number in 0..50 {
        let at = time::OffsetDateTime::UNIX_EPOCH;
        let example = TrialExample { hook: number.to_string(), at, differences: Vec::new() };
        tally.count(Ended::Different, Some(example), TrialKind::Shadow, None);
    }
    let hooks: Vec<_> = tally.examples().into_iter().map(|example| example.hook).collect();
    let expected: Vec<_> = (30..50).rev().map(|number| number.to_string()).collect();
    assert_eq!(hooks, expected);
}
