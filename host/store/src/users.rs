//! The platform's users, as far as tokens and events have named them. All SQL about them is here.

mod told;

pub use told::{Told, ToldUser};

use rusqlite::{Row, params};

use crate::error::StoreError;
use crate::job::{Reads, Writes};

/// A user of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The platform's id where it was known, see [`Writes::insert_user`].
    pub id: i64,
    /// Unique; upper and lower case are told apart.
    pub username: String,
    /// Empty when it is not known.
    pub email: String,
    /// Whether the account is active.
    pub is_active: bool,
    /// Whether the user sees and edits everything.
    pub is_staff: bool,
    /// The same, with Django's stronger word.
    pub is_superuser: bool,
}

/// A user to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The wanted id. `None` takes the next one.
    pub id: Option<i64>,
    /// Unique; upper and lower case are told apart.
    pub username: String,
    /// Empty when it is not known.
    pub email: String,
    /// Whether the account is active.
    pub is_active: bool,
    /// Whether the user sees and edits everything.
    pub is_staff: bool,
    /// The same, with Django's stronger word.
    pub is_superuser: bool,
}

/// Ids that can be wanted. SQLite counts on from the greatest there was, so a greater one could use up all ids at once.
const WANTED_IDS: std::ops::RangeInclusive<i64> = 1..=(1 << 53);

impl Reads<'_> {
    /// The user with this name.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn user_by_name(&self, username: &str) -> Result<Option<User>, StoreError> {
        self.first(
            "SELECT id, username, email, is_active, is_staff, is_superuser FROM users WHERE username = ?1",
            [username],
            user,
        )
    }

    /// The user with this id.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn user_by_id(&self, id: i64) -> Result<Option<User>, StoreError> {
        self.first(
            "SELECT id, username, email, is_active, is_staff, is_superuser FROM users WHERE id = ?1",
            [id],
            user,
        )
    }

    /// Whether there is a user with this id.
    ///
    /// # Errors
    /// The database could not be read.
    pub fn user_exists(&self, id: i64) -> Result<bool, StoreError> {
        Ok(self.first("SELECT 1 FROM users WHERE id = ?1", [id], |_| Ok(()))?.is_some())
    }
}

impl Writes<'_> {
    /// Inserts a user. A wanted id that is taken, or is not within 1 and 2^53, is replaced by the next one: greater than every id
    /// there has been. A wanted id is given even if a user with it was deleted before: the platform says who it is.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the name is taken.
    pub fn insert_user(&self, new: &NewUser) -> Result<User, StoreError> {
        let wanted = new.id.filter(|id| WANTED_IDS.contains(id));
        self.execute(
            "INSERT INTO users (id, username, email, is_active, is_staff, is_superuser)
             VALUES (CASE WHEN EXISTS (SELECT 1 FROM users WHERE id = ?1) THEN NULL ELSE ?1 END, ?2, ?3, ?4, ?5, ?6)",
            params![wanted, new.username, new.email, new.is_active, new.is_staff, new.is_superuser],
        )?;
        let id = self.connection.last_insert_rowid();
        if wanted == Some(id) {
            self.execute("UPDATE users SET id_known = 1 WHERE id = ?1", [id])?;
            // Whoever the platform lets in again is there again.
            self.execute("DELETE FROM user_retired WHERE id = ?1", [id])?;
        }
        Ok(User {
            id,
            username: new.username.clone(),
            email: new.email.clone(),
            is_active: new.is_active,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
        })
    }

    /// Changes the user with this id to these values; whether there is one.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when another user has the name.
    pub fn update_user(&self, user: &User) -> Result<bool, StoreError> {
        self.changed_users.borrow_mut().push(user.id);
        let changed = self.execute(
            "UPDATE users SET username = ?2, email = ?3, is_active = ?4, is_staff = ?5, is_superuser = ?6 WHERE id = ?1",
            params![user.id, user.username, user.email, user.is_active, user.is_staff, user.is_superuser],
        )?;
        Ok(changed > 0)
    }

    /// Deletes a user and every row that is theirs; whether there was one. An event about them makes them anew, see
    /// [`Writes::retire_user`].
    ///
    /// # Errors
    /// The database could not be written.
    pub fn delete_user(&self, id: i64) -> Result<bool, StoreError> {
        self.changed_users.borrow_mut().push(id);
        Ok(self.execute("DELETE FROM users WHERE id = ?1", [id])? > 0)
    }
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        is_active: row.get(3)?,
        is_staff: row.get(4)?,
        is_superuser: row.get(5)?,
    })
}
