//! The breaker as many calls share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hookbox_hooks::Mismatch;
use tokio::task::{JoinSet, yield_now};

use super::*;

fn rule(failures: u32, pause: Duration) -> QuarantineRule {
    QuarantineRule { failures, pause, longest_pause: Duration::from_secs(3_600) }
}

fn circuit(failures: u32, pause: Duration) -> Circuit {
    Circuit::new("tried", Some(rule(failures, pause)))
}

fn exit() -> CallFailure {
    CallFailure::Exit { status: 1 }
}

fn fail(circuit: &Circuit, failure: &CallFailure) {
    circuit.admit().expect("the call runs").ended(Some(failure));
}

/// A circuit whose plugin is put aside and due for a trial.
fn due() -> Circuit {
    let circuit = circuit(1, Duration::from_nanos(1));
    fail(&circuit, &exit());
    assert!(circuit.quarantine().is_some());
    circuit
}

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn only_what_is_the_plugins_fault_puts_it_aside() {
    let mismatch = || Mismatch { path: "url".into(), expected: "a string".into(), found: "nothing".into() };
    let trap = CallFailure::Trap {
        reason: "unreachable".into(),
        function: None,
        location: None,
        message: None,
        backtrace: Vec::new(),
    };
    for (failure, counts) in [
        (trap, true),
        (exit(), true),
        (CallFailure::Answer(mismatch()), true),
        (CallFailure::Argument(mismatch()), false),
        (CallFailure::Overloaded { detail: "no turn".into() }, false),
        (CallFailure::Internal { detail: "a bug".into() }, false),
    ] {
        let circuit = circuit(2, LONG);
        fail(&circuit, &exit());
        fail(&circuit, &failure);
        assert_eq!(circuit.quarantine().is_some(), counts, "{failure:?}");
        if !counts {
            // It is no success either: the row goes on.
            fail(&circuit, &exit());
            assert!(circuit.quarantine().is_some(), "{failure:?}");
        }
    }
}

#[test]
fn an_answer_begins_the_row_anew() {
    let circuit = circuit(3, LONG);
    for _ in 0..4 {
        fail(&circuit, &exit());
        fail(&circuit, &exit());
        circuit.admit().expect("it runs").ended(None);
    }
    assert!(circuit.quarantine().is_none());
    for _ in 0..3 {
        fail(&circuit, &exit());
    }
    assert!(circuit.quarantine().is_some());
    assert!(circuit.admit().is_err(), "its calls fail at once");
}

#[test]
fn without_a_rule_it_is_never_put_aside() {
    let circuit = Circuit::new("tried", None);
    for _ in 0..1_000 {
        fail(&circuit, &exit());
    }
    assert!(circuit.quarantine().is_none() && circuit.rule().is_none());
}

#[test]
fn a_caller_that_hangs_up_gives_the_trial_to_the_next() {
    let circuit = due();
    for _ in 0..3 {
        let trial = circuit.admit().expect("a trial");
        assert!(circuit.admit().is_err(), "one at a time");
        drop(trial);
    }
    let trial = circuit.admit().expect("a trial");
    trial.ended(Some(&CallFailure::Overloaded { detail: "no turn".into() }));
    circuit.admit().expect("a trial that did not run leaves its place").ended(None);
    assert!(circuit.quarantine().is_none());
}

#[test]
fn lifting_ends_it_and_what_ran_before_is_not_counted() {
    let circuit = circuit(1, LONG);
    assert!(!circuit.lift(), "nothing to lift");
    let old = circuit.admit().expect("it runs");
    fail(&circuit, &exit());
    assert!(circuit.lift());
    assert!(!circuit.lift(), "it is lifted already");
    old.ended(Some(&exit()));
    assert!(circuit.quarantine().is_none(), "a call from before says nothing of the plugin now");
    fail(&circuit, &exit());
    assert!(circuit.quarantine().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_calls_at_once_one_is_on_trial() {
    let circuit = Arc::new(due());
    let on_trial = Arc::new(AtomicU32::new(0));
    let trials = Arc::new(AtomicU32::new(0));
    let mut calls = JoinSet::new();
    for number in 0..200u32 {
        let (circuit, on_trial, trials) = (Arc::clone(&circuit), Arc::clone(&on_trial), Arc::clone(&trials));
        calls.spawn(async move {
            for turn in 0..50 {
                let Ok(trial) = circuit.admit() else {
                    yield_now().await;
                    continue;
                };
                assert_eq!(on_trial.fetch_add(1, Ordering::SeqCst), 0, "two trials at once");
                trials.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                on_trial.fetch_sub(1, Ordering::SeqCst);
                // Some callers leave, some calls find no room; none of that ends the quarantine.
                match (number + turn) % 2 {
                    0 => drop(trial),
                    _ => trial.ended(Some(&CallFailure::Overloaded { detail: "no turn".into() })),
                }
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("no call panicked");
    }
    assert!(trials.load(Ordering::SeqCst) > 0);
    assert!(circuit.quarantine().is_some());
    circuit.admit().expect("the place is free").ended(None);
    assert!(circuit.quarantine().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failures_at_once_put_it_aside_once() {
    let circuit = Arc::new(circuit(5, LONG));
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let circuit = Arc::clone(&circuit);
        calls.spawn(async move {
            if let Ok(call) = circuit.admit() {
                yield_now().await;
                call.ended(Some(&exit()));
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("no call panicked");
    }
    let told = circuit.quarantine().expect("it is put aside");
    assert_eq!(told.failures, 5, "what ran on is not counted");
}
