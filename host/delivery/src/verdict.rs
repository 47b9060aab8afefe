//! What becomes of a delivery after an attempt.

use std::time::Duration;

use hookbox_store::{After, AttemptRecord, Timestamp};
use rand::Rng;
use serde_json::{Map, Value};

use crate::backoff;
use crate::clock::after;
use crate::policy::Policy;
use crate::receivers::{Outcome, Receipt};

/// The longest reason that is kept, in bytes.
const REASON_BYTES: usize = 4096;
/// The longest report that is kept, in bytes of JSON. A longer one is left out.
const REPORT_BYTES: usize = 64 << 10;

/// How often a delivery was tried, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// Which attempt this was, from 1.
    pub(crate) attempt: u32,
    /// Failed attempts that count, before this one.
    pub(crate) failures: u32,
    /// How long it is since the first attempt began.
    pub(crate) elapsed: Duration,
}

/// What becomes of a delivery after an attempt that ended `now`, and what is written down of it.
pub(crate) fn verdict(
    receipt: &Receipt,
    tried: Tried,
    policy: &Policy,
    now: Timestamp,
    rng: &mut impl Rng,
) -> (After, Option<AttemptRecord>) {
    let then = match &receipt.outcome {
        Outcome::Delivered => After::Delivered,
        Outcome::PutAside { .. } => After::Untouched,
        Outcome::Rejected { .. } => After::Dead { reason: "rejected" },
        Outcome::NotReceived => After::Dead { reason: "not-received" },
        Outcome::Overloaded { .. } => {
            let times = tried.attempt.saturating_sub(tried.failures).saturating_sub(1);
            After::Again { due_at: after(now, backoff::no_room(times, rng)), counts: false }
        }
        Outcome::Retry { .. } | Outcome::Failed { .. } => {
            let failures = tried.failures.saturating_add(1);
            if failures >= policy.attempts {
                After::Dead { reason: "attempts" }
            } else if tried.elapsed >= policy.horizon {
                After::Dead { reason: "horizon" }
            } else {
                let wish = receipt.not_before;
                let pause = backoff::pause(policy.pause, policy.longest_pause, failures, wish, rng);
                After::Again { due_at: after(now, pause), counts: true }
            }
        }
    };
    (then, record(receipt))
}

fn record(receipt: &Receipt) -> Option<AttemptRecord> {
    let mut record = AttemptRecord {
        outcome: name(&receipt.outcome).to_owned(),
        digest: receipt.digest.clone(),
        ..AttemptRecord::default()
    };
    match &receipt.outcome {
        Outcome::Delivered | Outcome::PutAside { .. } => return None,
        Outcome::NotReceived => {}
        Outcome::Retry { reason } | Outcome::Rejected { reason } | Outcome::Overloaded { reason } => {
            record.reason = Some(cut(reason));
        }
        Outcome::Failed { code, reason, report } => {
            record.code = Some((*code).to_owned());
            record.reason = Some(cut(reason));
            record.report = Some(report.to_string()).filter(|text| text.len() <= REPORT_BYTES);
        }
    }
    if let Some(name) = &receipt.replay {
        record.report = Some(with_replay(record.report, name));
    }
    Some(record)
}

/// A report that names the kept call, too.
fn with_replay(report: Option<String>, name: &str) -> String {
    let report = report.and_then(|text| serde_json::from_str(&text).ok());
    let mut report: Map<String, Value> = report.unwrap_or_default();
    report.insert("replay".to_owned(), Value::from(name));
    Value::Object(report).to_string()
}

/// A stable name, for attempts and metrics.
pub(crate) fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Retry { .. } => "retry",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Failed { .. } => "failed",
        Outcome::Overloaded { .. } => "overloaded",
        Outcome::PutAside { .. } => "put-aside",
        Outcome::NotReceived => "not-received",
    }
}

fn cut(reason: &str) -> String {
    match reason.len() {
        0..=REASON_BYTES => reason.to_owned(),
        _ => format!("{}…", reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn receipt(outcome: Outcome) -> Receipt {
        Receipt { outcome, release: Some(3), digest: Some("sha256:a".into()), not_before: None, replay: None }
    }

    fn retry() -> Outcome {
        Outcome::Retry { reason: "later".into() }
    }

    fn tried(attempt: u32, failures: u32) -> Tried {
        Tried { attempt, failures, elapsed: Duration::ZERO }
    }

    fn said(receipt: &Receipt, tried: Tried) -> (After, Option<AttemptRecord>) {
        verdict(receipt, tried, &Policy::default(), NOW, &mut StdRng::seed_from_u64(7))
    }

    fn pause(then: &After) -> Duration {
        match then {
            After::Again { due_at, .. } => crate::clock::since(NOW, *due_at).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_last_failure_that_counts_makes_a_dead_letter() {
        let receipt = receipt(retry());
        assert!(matches!(said(&receipt, tried(20, 14)).0, After::Again { counts: true, .. }));
        let (then, record) = said(&receipt, tried(20, 15));
        assert_eq!(then, After::Dead { reason: "attempts" });
        let record = record.unwrap();
        assert_eq!((&*record.outcome, record.reason.as_deref()), ("retry", Some("later")));
        assert_eq!(record.digest.as_deref(), Some("sha256:a"));
        let once = Policy { attempts: 0, ..Policy::default() };
        let then = verdict(&receipt, tried(1, 0), &once, NOW, &mut StdRng::seed_from_u64(1)).0;
        assert_eq!(then, After::Dead { reason: "attempts" });
    }

    #[test]
    fn a_failure_behind_the_horizon_makes_a_dead_letter() {
        let late = Tried { elapsed: Policy::default().horizon, ..tried(2, 1) };
        assert_eq!(said(&receipt(retry()), late).0, After::Dead { reason: "horizon" });
        assert_eq!(said(&receipt(Outcome::Delivered), late).0, After::Delivered);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause() {
        let wish = |pause| Receipt { not_before: Some(pause), ..receipt(retry()) };
        assert_eq!(pause(&said(&wish(90 * SECOND), tried(1, 0)).0), 90 * SECOND);
        assert_eq!(pause(&said(&wish(Duration::MAX), tried(1, 0)).0), backoff::LONGEST_WISH);
        assert!(pause(&said(&wish(Duration::ZERO), tried(1, 0)).0) <= SECOND);
    }

    #[test]
    fn no_room_counts_against_nobody_and_a_rejection_ends_it() {
        let (then, record) = said(&receipt(Outcome::Overloaded { reason: "slots".into() }), tried(9, 8));
        assert!(matches!(then, After::Again { counts: false, .. }));
        assert!(pause(&then) <= SECOND);
        assert_eq!(record.unwrap().outcome, "overloaded");
        let (then, record) = said(&receipt(Outcome::Rejected { reason: "no".into() }), tried(1, 0));
        assert_eq!((then, record.unwrap().outcome), (After::Dead { reason: "rejected" }, "rejected".into()));
        assert_eq!(
            said(&receipt(Outcome::NotReceived), tried(1, 0)).0,
            After::Dead { reason: "not-received" }
        );
        let aside = receipt(Outcome::PutAside { pause: SECOND });
        assert_eq!(said(&aside, tried(1, 0)), (After::Untouched, None));
    }

    #[test]
    fn what_is_kept_of_an_attempt_has_a_bound() {
        let failed = |bytes: usize| Outcome::Failed {
            code: "trap",
            reason: "é".repeat(bytes),
            report: json!({"backtrace": "x".repeat(bytes)}),
        };
        let record = said(&receipt(failed(100_000)), tried(1, 0)).1.unwrap();
        assert!(record.reason.unwrap().len() <= REASON_BYTES + 3);
        assert_eq!((record.code.as_deref(), record.report), (Some("trap"), None));
        let kept = |outcome| {
            let kept = Receipt { replay: Some("a.json".into()), ..receipt(outcome) };
            said(&kept, tried(1, 0)).1.unwrap().report
        };
        assert_eq!(kept(failed(REPORT_BYTES)).as_deref(), Some(r#"{"replay":"a.json"}"#));
        assert_eq!(kept(failed(1)).as_deref(), Some(r#"{"backtrace":"x","replay":"a.json"}"#));
        assert_eq!(kept(retry()).as_deref(), Some(r#"{"replay":"a.json"}"#));
        assert!(said(&receipt(failed(10)), tried(1, 0)).1.unwrap().report.unwrap().contains("backtrace"));
    }
}
