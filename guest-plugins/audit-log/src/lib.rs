//! An event receiver: writes a line for each event, and counts the events of each type.
//!
//! This file connects the parts to Hookbox: [`fields`] finds what a line says, [`line`] writes it, [`recent`] keeps an event
//! that comes again from being counted twice.

pub mod fields;
pub mod line;
pub mod recent;

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:audit-log;

        world audit-log {
            include hookbox:plugin/plugin@1.0.0;
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            export hookbox:plugin/any-event@1.0.0;
            export hookbox:plugin/lifecycle@1.0.0;
        }
    ",
    path: [
        "../../wit/deps/wasi-config",
        "../../wit/deps/wasi-keyvalue",
        "../../wit/deps/wasi-logging",
        "../../wit/hookbox",
    ],
    generate_all,
});

use crate::exports::hookbox::plugin::any_event::{EventMetadata, Guest as Receiver, ReceiveFailure};
use crate::exports::hookbox::plugin::lifecycle;
use crate::fields::{FIELDS, Fields};
use crate::wasi::config::store as settings;
use crate::wasi::keyvalue::{atomics, batch, store};
use crate::wasi::logging::logging;

/// The bucket with a number for each type.
const COUNTS: &str = "counts";
/// The bucket with the ids of the events that were counted last.
const RECENT: &str = "recent";

struct AuditLog;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(AuditLog);

impl Receiver for AuditLog {
    fn receive(event_type: String, data: String, metadata: EventMetadata) -> Result<(), ReceiveFailure> {
        report_panics();
        let fields = chosen().map_err(ReceiveFailure::Retry)?;
        let data = serde_json::from_str(&data)
            .map_err(|error| ReceiveFailure::Reject(format!("the data cannot be read: {error}")))?;
        let counted = count(&event_type, &metadata);
        // The line comes whatever became of the count: a trail with an event twice is better than one without it.
        let count = counted.as_ref().ok().copied().flatten();
        logging::log(logging::Level::Info, "audit", &line::line(&fields, &metadata, &data, count));
        counted
            .map(|_| ())
            .map_err(|error| ReceiveFailure::Retry(format!("cannot count {event_type}: {error}")))
    }
}

impl lifecycle::Guest for AuditLog {
    fn configure(settings: String) -> Result<(), String> {
        report_panics();
        Fields::from_json(&settings).map(|_| ())
    }
}

/// The fields that the operator chose, or the usual ones.
fn chosen() -> Result<Fields, String> {
    let text = settings::get(FIELDS).map_err(|error| format!("cannot read the setting {FIELDS}: {error}"))?;
    text.map_or_else(|| Ok(Fields::default()), |text| Fields::parse(&text))
}

/// Counts an event. Gives how many of its type there are now; `None` when this one was counted before.
fn count(event_type: &str, metadata: &EventMetadata) -> Result<Option<u64>, store::Error> {
    let recent = store::open(RECENT)?;
    if metadata.attempt > 1 {
        let rows = batch::get_many(&recent, &recent::places(event_type))?;
        if rows.iter().flatten().any(|(_, id)| *id == metadata.id.as_bytes()) {
            return Ok(None);
        }
    }
    let count = atomics::increment(&store::open(COUNTS)?, event_type, 1)?;
    recent.set(&recent::place(event_type, count), metadata.id.as_bytes())?;
    Ok(Some(count))
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}
