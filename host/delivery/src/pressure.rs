//! How much waits, so that more can be refused.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use hookbox_store::{EventTotals, ReceiverCounts, Store};

use crate::accept::AcceptError;
use crate::policy::DeliveryOptions;

/// What waits. Kept up by what the engine writes, and read again regularly: operators' changes go around it.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    deliveries: AtomicI64,
    bytes: AtomicI64,
    /// On their way into the journal.
    coming: AtomicI64,
}

/// Room for some deliveries that are on their way.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    pressure: &'a Pressure,
    deliveries: i64,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.pressure.coming.fetch_sub(self.deliveries, Relaxed);
    }
}

impl Pressure {
    /// What the journal itself says.
    pub(crate) fn set(&self, counts: &[ReceiverCounts], totals: &EventTotals) {
        let open = counts.iter().fold(0_u64, |sum, counts| sum.saturating_add(counts.open));
        self.deliveries.store(signed(open), Relaxed);
        self.bytes.store(signed(totals.open.bytes), Relaxed);
    }

    /// Deliveries were made or, where the number is negative, ended.
    pub(crate) fn add(&self, deliveries: i64, bytes: i64) {
        self.deliveries.fetch_add(deliveries, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Deliveries that wait.
    pub(crate) fn waiting(&self) -> u64 {
        unsigned(self.deliveries.load(Relaxed).saturating_add(self.coming.load(Relaxed)))
    }

    /// Room for so many more. Where there seems to be none, the journal is asked.
    pub(crate) async fn room(
        &self,
        deliveries: usize,
        store: &Store,
        options: &DeliveryOptions,
    ) -> Result<Room<'_>, AcceptError> {
        let coming = i64::try_from(deliveries).unwrap_or(i64::MAX >> 1);
        self.coming.fetch_add(coming, Relaxed);
        let room = Room { pressure: self, deliveries: coming };
        if self.check(coming, options).is_err() {
            let read = store.read(|reads| Ok((reads.receiver_counts()?, reads.event_totals()?)));
            let (counts, totals) = read.await.map_err(AcceptError::Store)?;
            self.set(&counts, &totals);
            self.check(coming, options)?;
        }
        Ok(room)
    }

    /// What is larger than all the room there is may come when nothing else waits: else it never could.
    fn check(&self, own: i64, options: &DeliveryOptions) -> Result<(), AcceptError> {
        let own = unsigned(own);
        let waiting = self.waiting().saturating_sub(own);
        if waiting > 0 && waiting.saturating_add(own) > options.backlog {
            return Err(AcceptError::Backlog { waiting, most: options.backlog });
        }
        let bytes = unsigned(self.bytes.load(Relaxed));
        if bytes >= options.backlog_bytes {
            return Err(AcceptError::Full { bytes, most: options.backlog_bytes });
        }
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX >> 1)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pressure: &Pressure, own: i64, backlog: u64) -> bool {
        pressure.coming.fetch_add(own, Relaxed);
        let options = DeliveryOptions { backlog, ..DeliveryOptions::default() };
        let refused = pressure.check(own, &options).is_err();
        pressure.coming.fetch_sub(own, Relaxed);
        refused
    }

    #[test]
    fn there_is_room_for_as_much_as_may_wait_and_for_what_could_never_come_else() {
        let pressure = Pressure::default();
        assert!(!refused(&pressure, 10, 10) && !refused(&pressure, 11, 10));
        pressure.add(1, 0);
        assert!(!refused(&pressure, 9, 10) && refused(&pressure, 10, 10));
        pressure.add(9, 0);
        assert!(!refused(&pressure, 0, 10) && refused(&pressure, 1, 10));
        // Counts that lag behind never turn round.
        pressure.add(-50, -50);
        assert_eq!(pressure.waiting(), 0);
        assert!(!refused(&pressure, 10, 10));
    }
}
