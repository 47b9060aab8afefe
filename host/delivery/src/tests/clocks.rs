//! Clocks that are set.

use std::sync::Arc;
use std::time::Duration;

use hookbox_store::Timestamp;

use super::support::{Fakes, Journal, Manual, START, at_once, quick, retry};
use crate::clock::{Clock, after, before};
use crate::{DeliveryOptions, Outcome, Policy};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn fails_once(fakes: &Fakes, policy: Policy) {
    fakes.plugin("a", policy, |_, attempt| at_once(if attempt == 1 { retry() } else { Outcome::Delivered }));
}

async fn manual(fakes: Fakes) -> Journal {
    Journal::with(fakes, DeliveryOptions::default(), Some(Arc::new(Manual::default()))).await
}

#[tokio::test]
async fn a_clock_that_is_set_back_for_years_delays_no_retry_for_years() {
    let fakes = Fakes::new();
    fails_once(&fakes, Policy { pause: Duration::from_secs(60), ..Policy::default() });
    let journal = manual(fakes).await;
    journal.accept([1]).await;
    journal.fakes.called("a", 1).await;
    journal.until("a", |counts| counts.open == 1).await;
    journal.time.set(0);
    journal.until_advancing("a", Duration::from_secs(1), |counts| counts.delivered == 1).await;
    assert!(journal.time.wall_seconds() < 24 * 60 * 60);
}

#[tokio::test]
async fn a_clock_that_is_set_forward_makes_retries_early_and_no_dead_letters() {
    let fakes = Fakes::new();
    let terms = Policy { pause: Duration::from_secs(3600), ..Policy::default() };
    fakes.plugin("a", terms, |_, attempt| at_once(if attempt <= 3 { retry() } else { Outcome::Delivered }));
    let journal = manual(fakes).await;
    journal.accept([1]).await;
    journal.fakes.called("a", 1).await;
    // Beyond the horizon, by the time of day.
    journal.time.set(START + 10 * 86_400_000_000);
    let step = Duration::from_secs(60);
    journal.until_advancing("a", step, |counts| counts.delivered == 1 || counts.dead == 1).await;
    assert_eq!(journal.row(1, "a").await.attempts, 4);
    assert_eq!(journal.counts("a").await.dead, 0);
}

#[tokio::test]
async fn a_clock_that_is_set_forward_empties_no_journal() {
    let fakes = Fakes::new();
    fakes.plugin("a", quick(), |_, _| at_once(Outcome::Delivered));
    let journal = manual(fakes).await;
    journal.accept(1..=5).await;
    journal.until("a", |counts| counts.delivered == 5).await;
    journal.time.set(START + 3650 * 86_400_000_000);
    // A look of the retention goes by, and another event is delivered.
    journal.time.advance(Duration::from_secs(120));
    journal.accept([6]).await;
    journal.until("a", |counts| counts.delivered == 6).await;
    journal.time.advance(8 * DAY);
    journal.until_advancing("a", Duration::from_secs(60), |counts| counts.delivered < 6).await;
}

#[test]
fn time_that_did_not_go_by_is_not_counted() {
    let time = Arc::new(Manual::default());
    let clock = Clock::new(Arc::<Manual>::clone(&time));
    let began = clock.now();
    let minute = Duration::from_secs(60);
    time.advance(minute);
    assert_eq!(clock.elapsed(began, clock.now()), minute);
    time.set(clock.now().as_micros() + 86_400_000_000);
    time.advance(minute);
    let now = clock.now();
    assert_eq!(clock.elapsed(began, now), 2 * minute);
    assert_eq!(clock.elapsed(before(now, minute), now), minute);
    assert_eq!(clock.settled(), after(began, 2 * minute));
    time.set(0);
    assert_eq!(clock.elapsed(began, clock.now()), Duration::ZERO);
    assert_eq!(clock.settled(), Timestamp::from_micros(0));
}
