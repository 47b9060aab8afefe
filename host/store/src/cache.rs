//! The users that were asked for lately.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

use crate::users::User;

/// How many users are kept.
const USERS: usize = 4096;
/// How long one is kept: another process could have changed it.
const LIFE: Duration = Duration::from_secs(30);

/// Users by name. What this process writes is forgotten at once.
pub(crate) struct UserCache(Mutex<State>);

struct State {
    /// Grows with every change to a user, so that what was read before one is not kept after it.
    version: u64,
    users: LruCache<String, (Arc<User>, Instant)>,
}

impl UserCache {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { version: 0, users: LruCache::new(USERS) }))
    }

    /// The user with this name, or else the version to give [`UserCache::keep`] with what is then read.
    pub(crate) fn get(&self, username: &str, now: Instant) -> Result<Arc<User>, u64> {
        let mut state = self.state();
        match state.users.get(username) {
            Some((user, read)) if now.saturating_duration_since(*read) < LIFE => Ok(Arc::clone(user)),
            _ => Err(state.version),
        }
    }

    /// Keeps a user that was read after [`UserCache::get`] told this version, unless one has changed since.
    pub(crate) fn keep(&self, user: &Arc<User>, version: u64, read: Instant) {
        let mut state = self.state();
        if state.version == version {
            state.users.insert(user.username.clone(), (Arc::clone(user), read));
        }
    }

    /// Forgets the users with these ids, whose changes have been committed.
    pub(crate) fn forget(&self, ids: &[i64]) {
        if ids.is_empty() {
            return;
        }
        let mut state = self.state();
        state.version += 1;
        state.users.retain(|_, (user, _)| !ids.contains(&user.id));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: i64, username: &str) -> Arc<User> {
        let email = format!("{username}@example.com");
        Arc::new(User {
            id,
            username: username.to_owned(),
            email,
            is_active: true,
            is_staff: false,
            is_superuser: false,
        })
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (cache, now) = (UserCache::new(), Instant::now());
        let version = cache.get("ada", now).unwrap_err();
        cache.forget(&[7]);
        cache.keep(&user(1, "ada"), version, now);
        assert!(cache.get("ada", now).is_err());
    }

    #[test]
    fn a_change_forgets_that_user_and_no_other() {
        let (cache, now) = (UserCache::new(), Instant::now());
        cache.keep(&user(1, "ada"), 0, now);
        cache.keep(&user(2, "bob"), 0, now);
        cache.forget(&[1]);
        assert!(cache.get("ada", now).is_err());
        assert_eq!(cache.get("bob", now), Ok(user(2, "bob")));
    }

    #[test]
    fn users_are_forgotten_in_time_and_beyond_a_number() {
        let (cache, now) = (UserCache::new(), Instant::now());
        cache.keep(&user(1, "ada"), 0, now);
        assert!(cache.get("ada", now + LIFE).is_err());
        (0..=4096).for_each(|id| cache.keep(&user(id, &format!("user-{id}")), 0, now));
        assert!(cache.get("ada", now).is_err());
        assert!(cache.get("user-4096", now).is_ok());
        assert_eq!(cache.state().users.len(), USERS);
    }
}
