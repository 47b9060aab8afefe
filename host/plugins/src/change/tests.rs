//! The state machine: each arrow by a table, and what holds after any sequence of changes.

mod properties;
mod table;

use serde_json::json;

use super::*;
use crate::trial::TrialKind;

pub(crate) use properties::{changes, lived};

fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(second).unwrap()
}

/// The component that is known by a letter, uploaded.
fn upload(letter: char) -> Change {
    offer(letter, Source::Upload)
}

fn offer(letter: char, source: Source) -> Change {
    Change::Install {
        digest: format!("sha256:{letter}"),
        bytes: 7,
        source,
        origin: "here".to_owned(),
        by: "ada".to_owned(),
        at: at(5),
        cases: None,
    }
}

fn accept(number: u32) -> Change {
    Change::Accept { number, version: Some("1.0".to_owned()), report: json!({"passed": number}) }
}

fn hold(number: u32) -> Change {
    Change::Hold { number, version: None, report: json!({}), reason: "wants http".to_owned() }
}

fn reject(number: u32) -> Change {
    Change::Reject { number, version: None, report: json!({}), reason: "no component".to_owned() }
}

fn quarantine(number: u32) -> Change {
    Change::Quarantine { number, reason: "its file is gone".to_owned() }
}

fn plan(release: u32, percent: f64) -> TrialPlan {
    TrialPlan {
        release,
        kind: TrialKind::Shadow,
        percent,
        rule: None,
        values: false,
        began_at: at(9),
        began_by: "ada".to_owned(),
    }
}

fn try_out(number: u32) -> Change {
    Change::BeginTrial { plan: plan(number, 10.0) }
}

/// A plugin to which this happened.
fn after(changes: impl IntoIterator<Item = Change>) -> PluginRecord {
    changes.into_iter().fold(PluginRecord::new("greeter"), |record, change| {
        let said = format!("{change:?}");
        record.after(change).unwrap_or_else(|refusal| panic!("{said}: {refusal}"))
    })
}

/// Releases 1 to `count`, each live in turn; the last one still is.
fn replaced_up_to(count: u32) -> Vec<Change> {
    let live = |number| [upload(letter(number)), accept(number), Change::Activate { number }];
    (1..=count).flat_map(live).collect()
}

fn letter(number: u32) -> char {
    char::from_u32(u32::from('a') + number - 1).unwrap()
}
