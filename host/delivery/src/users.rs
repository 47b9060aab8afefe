//! Users stay in step: what events say of the platform's users is written down together with the event that says it.

use std::collections::BTreeSet;

use hookbox_hooks::users::{RetiredUser, UserFact, retired_in, users_in};
use hookbox_hooks::{Catalogue, ReceivedEvent};
use hookbox_store::{NewEvent, StoreError, Told, ToldUser, Writes};
use uuid::Uuid;

/// Counts what events said of users, by what came of it.
pub(crate) const FACTS: &str = "hookbox_user_facts_total";

/// Which events the users' table follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Whether events that carry users keep them up to date. Default: yes.
    pub users: bool,
    /// The types of events that tell of a user's retirement, also such as no catalogue has. Default: none.
    pub retired_by: BTreeSet<String>,
}

impl Default for Following {
    fn default() -> Self {
        Self { users: true, retired_by: BTreeSet::new() }
    }
}

/// What an event says of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Who they are.
    Users(Vec<UserFact>),
    /// Who is there no more; `None` where the event names nobody.
    Retired(Option<RetiredUser>),
}

impl Following {
    /// What an event says of users. Looks at the event alone, for before the store's job.
    pub(crate) fn said_by(&self, event: &ReceivedEvent) -> Said {
        let event_type = &event.metadata.event_type;
        if self.retired_by.contains(event_type) {
            return Said::Retired(retired_in(&event.data));
        }
        let known = self.users.then(|| Catalogue::embedded().event(event_type)).flatten();
        Said::Users(known.map(|known| users_in(known, &event.data)).unwrap_or_default())
    }
}

/// What came of what events said, to be counted once it is committed.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "count it when the job is committed"]
pub(crate) struct Tally(Vec<&'static str>);

impl Tally {
    /// Adds another event's.
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Counts it all.
    pub(crate) fn count(self) {
        for result in self.0 {
            metrics::counter!(FACTS, "result" => result).increment(1);
        }
    }
}

/// Brings the users in line with what a new event says: part of the job that writes the event down. What cannot be applied
/// is logged and keeps no event out.
///
/// # Errors
/// The database cannot be written, and so cannot the event.
pub(crate) fn keep_in_step(writes: &Writes<'_>, event: &NewEvent, said: &Said) -> Result<Tally, StoreError> {
    // A sender whose clock is ahead must not silence those that speak later.
    let at = event.time.min(event.received_at);
    let mut tally = Tally::default();
    match said {
        Said::Users(facts) => {
            for fact in facts {
                let told = writes.tell_user(&told(fact), at);
                if matches!(told, Ok(Told::Moved)) {
                    tracing::info!(
                        user = fact.id,
                        "a user has the platform's id now, and so have the user's rows"
                    );
                }
                tally.0.push(kept(event, told.map(Told::code))?);
            }
        }
        Said::Retired(Some(user)) => {
            let gone = writes.retire_user(user.id, user.username.as_deref(), at);
            if matches!(gone, Ok(true)) {
                tracing::info!(user = user.id, "a user was retired; the user's rows are deleted");
            }
            tally.0.push(kept(event, gone.map(|gone| if gone { "removed" } else { "not-known" }))?);
        }
        Said::Retired(None) => {
            let (event_type, id) = (&*event.event_type, Uuid::from_bytes(event.id));
            tracing::warn!(event_type, %id, "an event that tells of a retirement names no user");
            tally.0.push("unread");
        }
    }
    Ok(tally)
}

/// The result's name. An error that only this has is told and left behind.
fn kept(event: &NewEvent, done: Result<&'static str, StoreError>) -> Result<&'static str, StoreError> {
    match done {
        Err(error @ (StoreError::Duplicate | StoreError::NoSuchUser | StoreError::Internal { .. })) => {
            let (event_type, id) = (&*event.event_type, Uuid::from_bytes(event.id));
            tracing::error!(event_type, %id, %error, "what an event says of a user could not be written down");
            Ok("failed")
        }
        done => done,
    }
}

fn told(fact: &UserFact) -> ToldUser {
    let UserFact { id, username, email, is_active } = fact.clone();
    ToldUser { id, username, email, is_active }
}

#[cfg(test)]
mod tests;
