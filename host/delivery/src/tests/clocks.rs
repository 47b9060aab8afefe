//! Clocks that are set.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookbox_store::{ReceiverCounts, Timestamp};

use super::support::{Fakes, Journal, Manual, START, at_once, counts, events, open, quick, retry, sound};
use crate::clock::{Clock, after, before};
use crate::{Delivery, DeliveryOptions, Outcome, Policy};

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

/// One process of its own over a journal, with a clock of its own that begins so many seconds after [`START`].
async fn process(folder: &Path, fakes: &Fakes, seconds: i64) -> (Delivery<Fakes>, Arc<Manual>) {
    let time = Arc::new(Manual::default());
    time.set(START + seconds * 1_000_000);
    let options = DeliveryOptions::default();
    let delivery = Delivery::with_time(open(folder), fakes.clone(), options, Arc::<Manual>::clone(&time));
    delivery.start().await.unwrap();
    (delivery, time)
}

/// A journal on whose only event the first attempt failed, and whose process has ended.
async fn failed_once(policy: Policy, then: Outcome) -> (tempfile::TempDir, Fakes) {
    let (folder, fakes) = (tempfile::tempdir().unwrap(), Fakes::new());
    fakes.plugin("a", policy, move |_, attempt| at_once(if attempt == 1 { retry() } else { then.clone() }));
    let (delivery, _) = process(folder.path(), &fakes, 0).await;
    delivery.accept(events([1])).await.unwrap();
    fakes.called("a", 1).await;
    assert!(delivery.stop(Duration::from_secs(60)).await);
    assert_eq!(counts(delivery.store(), "a").await.open, 1);
    (folder, fakes)
}

async fn ended(delivery: &Delivery<Fakes>) -> ReceiverCounts {
    let began = std::time::Instant::now();
    loop {
        let counts = counts(delivery.store(), "a").await;
        if counts.open == 0 {
            return counts;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{counts:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn hourly() -> Policy {
    let hour = Duration::from_secs(3600);
    Policy { pause: hour, longest_pause: hour, ..Policy::default() }
}

#[tokio::test]
async fn a_clock_that_was_set_back_between_two_processes_delays_nothing_longer_than_a_pause() {
    let (folder, fakes) = failed_once(hourly(), Outcome::Delivered).await;
    // Further back than any pause goes: it is due at once.
    let (delivery, _) = process(folder.path(), &fakes, -3 * 86_400).await;
    assert_eq!(ended(&delivery).await.delivered, 1);
    assert!(delivery.stop(Duration::from_secs(60)).await);
    sound(folder.path());
}

#[tokio::test]
async fn a_clock_that_was_set_back_between_two_processes_brings_no_event_to_its_horizon() {
    let short = Policy { horizon: Duration::from_secs(1), ..hourly() };
    let (folder, fakes) = failed_once(short, retry()).await;
    let (delivery, time) = process(folder.path(), &fakes, -3 * 86_400).await;
    fakes.called("a", 2).await;
    // The second attempt ended before the first began, as the clock has it.
    while delivery.event(1).await.unwrap().unwrap().row.deliveries[0].failures < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(counts(delivery.store(), "a").await.open, 1);
    time.advance(DAY);
    fakes.called("a", 3).await;
    assert!(delivery.stop(Duration::from_secs(60)).await);
    sound(folder.path());
}

#[tokio::test]
async fn a_clock_that_was_set_forward_between_two_processes_makes_retries_early() {
    let (folder, fakes) = failed_once(hourly(), Outcome::Delivered).await;
    let (delivery, _) = process(folder.path(), &fakes, 86_400 / 2).await;
    assert_eq!(ended(&delivery).await.delivered, 1);
    assert!(delivery.stop(Duration::from_secs(60)).await);

    // Beyond the horizon, one more failure is the last; what is taken is taken.
    for (then, reason) in [(retry(), Some("horizon")), (Outcome::Delivered, None)] {
        let (folder, fakes) = failed_once(hourly(), then).await;
        let (delivery, _) = process(folder.path(), &fakes, 10 * 86_400).await;
        ended(&delivery).await;
        let row = delivery.event(1).await.unwrap().unwrap().row;
        assert_eq!((row.deliveries[0].attempts, row.deliveries[0].reason.as_deref()), (2, reason));
        assert!(delivery.stop(Duration::from_secs(60)).await);
        sound(folder.path());
    }
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
