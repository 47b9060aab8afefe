//! Whose turn it is among deliveries with the same key.

use std::collections::BTreeSet;

use rusqlite::{Row, params};

use super::DeliveryState;
use crate::error::StoreError;
use crate::job::Writes;

/// The keys, each of a receiver, whose deliveries changed.
#[derive(Default)]
pub(super) struct Keys(BTreeSet<(i64, String)>);

impl Keys {
    pub(super) fn note(&mut self, receiver: i64, key: Option<String>) {
        self.0.extend(key.map(|key| (receiver, key)));
    }
}

pub(super) const FIRST_OF_KEY: &str = "SELECT event, state FROM delivery INDEXED BY delivery_order
     WHERE receiver = ?1 AND order_key = ?2 AND ended_at IS NULL ORDER BY event LIMIT 1";

pub(super) const TURN_OF_KEY: &str = "SELECT event, state FROM delivery INDEXED BY delivery_turn
     WHERE receiver = ?1 AND order_key = ?2 AND ended_at IS NULL AND state <> 'held'";

const SET_WAITING: &str = "UPDATE delivery SET state = ?3 WHERE receiver = ?1 AND event = ?2";

impl Writes<'_> {
    /// Makes the earliest open delivery of each key the one that is ready, unless one of the key runs. All deliveries that
    /// came back have to be held before.
    pub(super) fn settle(&self, keys: &Keys) -> Result<(), StoreError> {
        for (receiver, key) in &keys.0 {
            let turn = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, DeliveryState>(1)?));
            let Some((first, DeliveryState::Held)) =
                self.first(FIRST_OF_KEY, params![receiver, key], turn)?
            else {
                continue;
            };
            match self.first(TURN_OF_KEY, params![receiver, key], turn)? {
                Some((_, DeliveryState::Running)) => continue,
                Some((later, _)) => {
                    self.execute(SET_WAITING, params![receiver, later, DeliveryState::Held])?;
                }
                None => {}
            }
            self.execute(SET_WAITING, params![receiver, first, DeliveryState::Ready])?;
        }
        Ok(())
    }
}
