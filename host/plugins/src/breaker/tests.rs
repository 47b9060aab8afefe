//! The breaker against a plain model of it.

use proptest::prelude::*;

use super::*;

/// What the breaker must do, written another way: as what an operator would keep on paper.
#[derive(Debug, Default)]
struct Paper {
    /// Failures in a row.
    failures: u32,
    /// Failed trials of this quarantine; `None` while there is none.
    trials: Option<u32>,
    /// Milliseconds when the next trial may be made.
    until: u64,
    /// The call on trial.
    on_trial: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    /// This many milliseconds pass.
    Wait(u64),
    /// A call asks to run.
    Call,
    /// One of the running calls ends.
    End(usize, Ending),
    /// An operator lifts the quarantine.
    Lift,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Answer,
    Failure,
    Nothing,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let ending =
        prop_oneof![3 => Just(Ending::Failure), 2 => Just(Ending::Answer), 1 => Just(Ending::Nothing)];
    let event = prop_oneof![
        2 => (0u64..400).prop_map(Event::Wait),
        4 => Just(Event::Call),
        4 => (any::<prop::sample::Index>(), ending).prop_map(|(at, end)| Event::End(at.index(64), end)),
        1 => Just(Event::Lift),
    ];
    prop::collection::vec(event, 0..200)
}

fn failure() -> CallFailure {
    CallFailure::Exit { status: 1 }
}

proptest! {
    #[test]
    fn it_does_what_an_operator_with_paper_would(
        events in events(),
        failures in 1u32..5,
        pause in 1u64..200,
        longest in 1u64..1_000,
    ) {
        let longest = longest.max(pause);
        let rule = QuarantineRule {
            failures,
            pause: Duration::from_millis(pause),
            longest_pause: Duration::from_millis(longest),
        };
        let start = Moment::now();
        let moment = |now: u64| start.after(Duration::from_millis(now));
        let mut breaker = Breaker::new(rule);
        let mut paper = Paper::default();
        let mut now = 0;
        // Calls in flight: the ticket, and whether the state has not changed since.
        let mut calls: Vec<(Ticket, bool, usize)> = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            match event {
                Event::Wait(milliseconds) => now += milliseconds,
                Event::Lift => {
                    prop_assert_eq!(breaker.lift(), paper.trials.is_some());
                    paper = Paper::default();
                    calls.iter_mut().for_each(|call| call.1 = false);
                }
                Event::Call => {
                    let runs = paper.trials.is_none() || (paper.on_trial.is_none() && now >= paper.until);
                    match breaker.admit(moment(now).at) {
                        Ok(ticket) => {
                            prop_assert!(runs, "{paper:?}");
                            if paper.trials.is_some() {
                                paper.on_trial = Some(number);
                            }
                            calls.push((ticket, true, number));
                        }
                        Err(told) => {
                            prop_assert!(!runs, "{paper:?}");
                            prop_assert_eq!(told.failures, paper.failures);
                            prop_assert_eq!(told.until, moment(paper.until).utc);
                        }
                    }
                }
                Event::End(at, ending) if !calls.is_empty() => {
                    let (ticket, current, number) = calls.swap_remove(at % calls.len());
                    let on_trial = paper.on_trial == Some(number);
                    let heard = current && (on_trial || paper.trials.is_none());
                    let change = match ending {
                        Ending::Answer => breaker.succeeded(ticket),
                        Ending::Failure => breaker.failed(ticket, moment(now), &failure()),
                        Ending::Nothing => {
                            breaker.abandoned(ticket);
                            None
                        }
                    };
                    if !heard {
                        prop_assert_eq!(change, None);
                        continue;
                    }
                    if on_trial {
                        paper.on_trial = None;
                    }
                    match ending {
                        Ending::Nothing => prop_assert_eq!(change, None),
                        Ending::Answer => {
                            prop_assert_eq!(change.is_some(), on_trial);
                            paper = Paper::default();
                        }
                        Ending::Failure => {
                            paper.failures += 1;
                            let trials = match paper.trials {
                                Some(failed) => Some(failed + 1),
                                None => (paper.failures >= failures).then_some(0),
                            };
                            prop_assert_eq!(change.is_some(), trials.is_some());
                            if let Some(failed) = trials {
                                let length = pause.saturating_mul(1 << failed.min(40)).min(longest);
                                paper.until = now + length;
                                paper.trials = trials;
                                // Calls that began before it was put aside are not heard any more.
                                calls.iter_mut().for_each(|call| call.1 = false);
                            }
                        }
                    }
                }
                Event::End(..) => {}
            }
            prop_assert_eq!(breaker.quarantine().is_some(), paper.trials.is_some());
            prop_assert_eq!(breaker.failures(), paper.failures);
        }
    }
}

#[test]
fn pauses_double_up_to_the_longest_and_begin_small_after_a_success() {
    let rule =
        QuarantineRule { failures: 1, pause: Duration::from_secs(1), longest_pause: Duration::from_secs(5) };
    let start = Moment::now();
    let mut breaker = Breaker::new(rule);
    let mut now = start;
    for round in 0..2 {
        for seconds in [1, 2, 4, 5, 5] {
            let ticket = breaker.admit(now.at).expect("a trial");
            breaker.failed(ticket, now, &failure()).expect("it is put aside");
            let almost = now.after(Duration::from_millis(seconds * 1_000 - 1));
            assert!(breaker.admit(almost.at).is_err(), "round {round}: {seconds} s are not over");
            now = now.after(Duration::from_secs(seconds));
        }
        let ticket = breaker.admit(now.at).expect("a trial");
        assert!(breaker.admit(now.at).is_err(), "one trial at a time");
        assert_eq!(breaker.succeeded(ticket), Some(Change::Recovered));
        assert_eq!(breaker.failures(), 0);
    }
}

#[test]
fn what_is_told_keeps_the_first_moment_and_the_last_failure() {
    let rule = QuarantineRule { failures: 2, ..QuarantineRule::default() };
    let start = Moment::now();
    let mut breaker = Breaker::new(rule);
    let mut fail = |now: Moment, status| {
        let ticket = breaker.admit(now.at).expect("it runs");
        breaker.failed(ticket, now, &CallFailure::Exit { status })
    };
    assert_eq!(fail(start, 1), None);
    assert!(matches!(fail(start, 2), Some(Change::PutAside(_))));
    let later = start.after(Duration::from_secs(7));
    let Some(Change::Prolonged(told)) = fail(later, 3) else { panic!("the trial failed") };
    assert_eq!((told.since, told.failures), (start.utc, 3));
    assert_eq!(told.until, later.after(Duration::from_secs(2)).utc);
    assert_eq!(told.last_failure.code, "exit");
    assert!(told.last_failure.message.contains("status 3"), "{told:?}");
}
