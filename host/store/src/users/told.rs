//! What the platform says of its users in events.

use rusqlite::{Row, params};

use super::WANTED_IDS;
use crate::error::StoreError;
use crate::job::Writes;
use crate::time::Timestamp;

/// A user as an event describes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldUser {
    /// The platform's id.
    pub id: i64,
    /// Unique; upper and lower case are told apart.
    pub username: String,
    /// `None` where the event does not say.
    pub email: Option<String>,
    /// Whether the account is active.
    pub is_active: bool,
}

/// What an event's word about a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The user was not known before.
    Made,
    /// The name, the address or the account's state is another now.
    Updated,
    /// The user has the id now that the platform knows them by, and so have the user's rows. Another name or address may
    /// have come with it.
    Moved,
    /// Everything was so already.
    Unchanged,
    /// A later event has spoken already.
    Late,
    /// The user was retired.
    Retired,
    /// The id or the name is none.
    Unusable,
}

impl Told {
    /// A stable name, for metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Updated => "updated",
            Self::Moved => "moved",
            Self::Unchanged => "unchanged",
            Self::Late => "late",
            Self::Retired => "retired",
            Self::Unusable => "unusable",
        }
    }
}

/// A row of `users` with what is known of its id.
struct Known {
    id: i64,
    username: String,
    email: String,
    is_active: bool,
    id_known: bool,
    told_at: Option<Timestamp>,
}

impl Known {
    /// Whether a later event has spoken of the user.
    fn is_ahead_of(&self, at: Timestamp) -> bool {
        self.told_at.is_some_and(|told_at| told_at > at)
    }

    /// Whether the row has all of this already.
    fn says(&self, user: &ToldUser) -> bool {
        self.username == user.username
            && self.is_active == user.is_active
            && user.email.as_ref().is_none_or(|email| *email == self.email)
    }
}

impl Writes<'_> {
    /// Brings the users in line with what an event of that time says of one. Marks such as `is_staff` stay: tokens say
    /// those. Nobody's rows go to another person, and none are lost:
    ///
    /// - A user with an id that was made up, because only a token without one named them, gets the platform's id. The
    ///   user's rows follow.
    /// - A made-up id that turns out to be somebody else's is left to them; its holder, with all rows, gets a new one.
    /// - A known id under another name is a renamed user.
    /// - A name that events gave to one id and now give to another is taken from the first one, which keeps its rows and is
    ///   called `#ID` until an event says more.
    ///
    /// # Errors
    /// The database could not be written. What this did is undone then, but not what the job did before.
    pub fn tell_user(&self, user: &ToldUser, at: Timestamp) -> Result<Told, StoreError> {
        if !WANTED_IDS.contains(&user.id) || user.username.is_empty() {
            return Ok(Told::Unusable);
        }
        match self.known_by_id(user.id)? {
            Some(known) if known.is_ahead_of(at) => Ok(Told::Late),
            // What nearly all events say.
            Some(known) if known.says(user) => {
                self.execute(
                    "UPDATE users SET told_at = ?2, id_known = 1 WHERE id = ?1",
                    params![user.id, at],
                )?;
                Ok(Told::Unchanged)
            }
            known => self.part(|| self.learn(user, known, at)),
        }
    }

    /// Deletes a user whom the platform retired, with every row that is theirs. An event that still speaks of the user
    /// changes nothing from now on. Whether there was one.
    ///
    /// `username` finds a user whose id was never told. An id that was made up is nobody's but by that name.
    ///
    /// # Errors
    /// The database could not be written. What this did is undone then, but not what the job did before.
    pub fn retire_user(
        &self,
        id: Option<i64>,
        username: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = id.filter(|id| WANTED_IDS.contains(id));
        self.part(|| {
            let by_id = id.map(|id| self.known_by_id(id)).transpose()?.flatten();
            let by_id = by_id.filter(|known| known.id_known || Some(known.username.as_str()) == username);
            let by_name = username.map(|name| self.known_by_name(name)).transpose()?.flatten();
            // Another account that events told of may have the name by now.
            let by_name =
                by_name.filter(|known| id.is_none() || id == Some(known.id) || known.told_at.is_none());
            let mut there_was_one = false;
            for known in by_id.iter().chain(&by_name) {
                there_was_one |= self.delete_user(known.id)?;
                if known.id_known {
                    self.never_again(known.id, at)?;
                }
            }
            if let Some(id) = id {
                self.never_again(id, at)?;
            }
            Ok(there_was_one)
        })
    }

    fn never_again(&self, id: i64, at: Timestamp) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO user_retired (id, retired_at) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
            params![id, at],
        )?;
        Ok(())
    }

    fn learn(&self, user: &ToldUser, holder: Option<Known>, at: Timestamp) -> Result<Told, StoreError> {
        let retired = "SELECT 1 FROM user_retired WHERE id = ?1";
        if self.first(retired, [user.id], |_| Ok(()))?.is_some() {
            return Ok(Told::Retired);
        }
        let namesake = self.known_by_name(&user.username)?.filter(|known| known.id != user.id);
        if namesake.as_ref().is_some_and(|known| known.is_ahead_of(at)) {
            return Ok(Told::Late);
        }
        let stranger = |known: &Known| !known.id_known && known.username != user.username;
        let holder = match holder {
            Some(known) if stranger(&known) => {
                self.move_user(known.id, None)?;
                None
            }
            holder => holder,
        };
        let moved = match (&namesake, &holder) {
            (None, _) => false,
            (Some(namesake), _) if namesake.told_at.is_some() => {
                self.changed_users.borrow_mut().push(namesake.id);
                let unnamed = format!("#{}", namesake.id);
                self.execute("UPDATE users SET username = ?2 WHERE id = ?1", params![namesake.id, unnamed])?;
                false
            }
            (Some(namesake), None) => {
                self.move_user(namesake.id, Some(user.id))?;
                true
            }
            // Both are the same person: known by id from before, and made anew by a token with the new name.
            (Some(namesake), Some(holder)) => {
                self.merge_user(namesake.id, holder.id)?;
                true
            }
        };
        if holder.is_none() && !moved {
            self.execute(
                "INSERT INTO users (id, username, email, is_active, is_staff, is_superuser, id_known, told_at)
                 VALUES (?1, ?2, ?3, ?4, 0, 0, 1, ?5)",
                params![user.id, user.username, user.email.as_deref().unwrap_or_default(), user.is_active, at],
            )?;
            return Ok(Told::Made);
        }
        self.changed_users.borrow_mut().push(user.id);
        self.execute(
            "UPDATE users SET username = ?2, email = coalesce(?3, email), is_active = ?4, id_known = 1, told_at = ?5
              WHERE id = ?1",
            params![user.id, user.username, user.email, user.is_active, at],
        )?;
        Ok(if moved { Told::Moved } else { Told::Updated })
    }

    /// Gives a user, with all rows, another id: the wanted one, which is free, or the next.
    fn move_user(&self, from: i64, to: Option<i64>) -> Result<(), StoreError> {
        self.changed_users.borrow_mut().push(from);
        // The name passes from row to row, as it is unique. No control character is part of a platform's name.
        let marked = "UPDATE users SET username = char(1) || username WHERE id = ?1";
        self.execute(marked, [from])?;
        self.execute(
            "INSERT INTO users (id, username, email, is_active, is_staff, is_superuser, told_at)
             SELECT ?2, substr(username, 2), email, is_active, is_staff, is_superuser, told_at FROM users WHERE id = ?1",
            params![from, to],
        )?;
        let to = self.connection.last_insert_rowid();
        self.execute("UPDATE archive_status SET user_id = ?2 WHERE user_id = ?1", [from, to])?;
        self.execute("DELETE FROM users WHERE id = ?1", [from])?;
        Ok(())
    }

    /// Gives the rows of one user to another, who is the same person, and deletes the first. Where both have a row of a
    /// course, the one that was changed last stays. So do the marks of the first, which newer tokens set.
    fn merge_user(&self, from: i64, to: i64) -> Result<(), StoreError> {
        self.changed_users.borrow_mut().push(from);
        self.execute(
            "UPDATE users SET (is_staff, is_superuser) = (SELECT is_staff, is_superuser FROM users WHERE id = ?1)
              WHERE id = ?2",
            [from, to],
        )?;
        for (loser, winner) in [(from, to), (to, from)] {
            self.execute(
                "DELETE FROM archive_status AS mine WHERE user_id = ?1 AND EXISTS (
                   SELECT 1 FROM archive_status AS other
                    WHERE other.course_id = mine.course_id AND other.user_id = ?2
                      AND other.updated_at >= mine.updated_at)",
                [loser, winner],
            )?;
        }
        self.execute("UPDATE archive_status SET user_id = ?2 WHERE user_id = ?1", [from, to])?;
        self.execute("DELETE FROM users WHERE id = ?1", [from])?;
        Ok(())
    }

    fn known_by_id(&self, id: i64) -> Result<Option<Known>, StoreError> {
        self.first(
            "SELECT id, username, email, is_active, id_known, told_at FROM users WHERE id = ?1",
            [id],
            known,
        )
    }

    fn known_by_name(&self, username: &str) -> Result<Option<Known>, StoreError> {
        self.first(
            "SELECT id, username, email, is_active, id_known, told_at FROM users WHERE username = ?1",
            [username],
            known,
        )
    }
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        id: row.get(0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        is_active: row.get(3)?,
        id_known: row.get(4)?,
        told_at: row.get(5)?,
    })
}
