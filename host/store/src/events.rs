//! Accepted events, their deliveries and the attempts that were made. All SQL about them is here and in the modules below;
//! what counts them is kept by triggers.
//!
//! Statements that step through many rows name their index: the planner prefers a key that gives the order to an index that
//! leaves rows out, and statistics may change its mind at any time.

mod accept;
mod audit;
mod bulk;
mod claim;
mod counts;
mod ends;
mod order;
mod prune;
mod read;
mod replay;
mod rows;
#[cfg(test)]
mod tests;
mod types;
mod walk;

use crate::error::StoreError;
use crate::job::Reads;

pub(crate) use audit::QUESTIONS;
pub use types::{
    Added, After, AttemptEnd, AttemptRecord, AttemptRow, BulkPart, Claimed, DeliveryRow, DeliveryState,
    EventPage, EventRow, EventTotals, Keep, NewDelivery, NewEvent, ReceiverCounts, ReplayPart, ReplayRow,
    Selection, StoredEvent, Total,
};

impl Reads<'_> {
    /// The number that stands for a plugin in the rows; `None` where it never received anything.
    fn receiver(&self, plugin: &str) -> Result<Option<i64>, StoreError> {
        self.first("SELECT id FROM receiver WHERE plugin = ?1", [plugin], |row| row.get(0))
    }
}
