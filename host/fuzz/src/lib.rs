//! Drives the fuzz tests of the other rooms. Each is an ordinary test that calls [`fuzz`]: it draws inputs until its time
//! is over, and fails with the seed that repeats the input and with the smallest input that fails too.
//!
//! `HOOKBOX_FUZZ_SECONDS` is the time of each (default 2), `HOOKBOX_FUZZ_SEED` the first seed (default: any).
//! `tests/fuzz` runs them all.

mod corpus;
mod memory;
mod mutation;

use std::cell::Cell;
use std::fmt::Display;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::str::FromStr;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

pub use corpus::{Saved, saved};
pub use memory::peak_of;
pub use mutation::{Mutation, mutate, mutations};

/// The time of a target when nobody says another: enough to notice that one is broken, in every `cargo test`.
const SECONDS: f64 = 2.0;
/// The longest that any input may take. Far more than any should.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a target did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Inputs that were tried.
    pub executions: u64,
    /// The longest that one of them took.
    pub slowest: Duration,
}

/// Whether somebody asked for fuzzing by `HOOKBOX_FUZZ_SECONDS`. Then a target runs alone in its process.
pub fn asked_for() -> bool {
    std::env::var_os("HOOKBOX_FUZZ_SECONDS").is_some()
}

/// Tries inputs until the time is over. `promise` panics when an input breaks it.
///
/// # Panics
/// A promise is broken, or an input takes longer than 20 seconds. The message has the seed.
pub fn fuzz<S: Strategy>(target: &str, inputs: &S, promise: impl Fn(S::Value)) -> Ran {
    let budget = Duration::from_secs_f64(variable("HOOKBOX_FUZZ_SECONDS").unwrap_or(SECONDS));
    let seed = variable("HOOKBOX_FUZZ_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    // A stack overflow ends the process without a word, so the seed is said first.
    println!("fuzz {target}: begins with HOOKBOX_FUZZ_SEED={seed}");
    let ran = within(budget, seed, target, inputs, promise);
    println!("fuzz {target}: {} executions, the slowest {:?}", ran.executions, ran.slowest);
    ran
}

/// One seed an input, counted up from the first, so that the seed of a failure repeats it at once.
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn within<S: Strategy>(
    budget: Duration,
    first: u64,
    target: &str,
    inputs: &S,
    promise: impl Fn(S::Value),
) -> Ran {
    let start = Instant::now();
    let slowest = Cell::new((Duration::ZERO, first));
    let mut executions = 0;
    loop {
        let seed = first.wrapping_add(executions);
        let mut runner = runner(seed);
        let outcome = runner.run(inputs, |input| {
            let begun = Instant::now();
            promise(input);
            let took = begun.elapsed();
            slowest.set(slowest.get().max((took, seed)));
            assert!(took <= PATIENCE, "the input took {took:?}");
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("fuzz {target}: HOOKBOX_FUZZ_SEED={seed} repeats this\n{error}");
        }
        executions += 1;
        if start.elapsed() >= budget {
            return Ran { executions, slowest: slowest.get().0 };
        }
    }
}

fn runner(seed: u64) -> TestRunner {
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn variable<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_seed_repeats_its_inputs() {
        let drawn = |seed| {
            let all = RefCell::new(Vec::new());
            let _ =
                within(Duration::ZERO, seed, "numbers", &(0..u64::MAX), |input| all.borrow_mut().push(input));
            all.into_inner()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn a_broken_promise_tells_its_seed_and_the_smallest_input() {
        let failed = catch_unwind(AssertUnwindSafe(|| {
            within(PATIENCE, 3, "numbers", &(0..1_000_u32), |input| assert!(input < 500, "too large"))
        }));
        let message = *failed.unwrap_err().downcast::<String>().unwrap();
        let seed = message.split_once("HOOKBOX_FUZZ_SEED=").unwrap().1.split_once(' ').unwrap().0;
        assert!(message.contains("too large") && message.contains("500"), "{message}");
        let again = catch_unwind(|| {
            within(Duration::ZERO, seed.parse().unwrap(), "numbers", &(0..1_000_u32), |input| {
                assert!(input < 500);
            })
        });
        assert!(again.is_err(), "the seed repeats the failure with its first input");
    }
}
