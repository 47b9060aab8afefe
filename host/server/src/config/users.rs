//! `[users]`: how the users' table keeps up with the platform.

use std::collections::BTreeSet;

use hookbox_delivery::Following;
use hookbox_hooks::Catalogue;
use serde::Deserialize;

/// `[users]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsersTable {
    /// Whether events that carry users keep the table up to date. Default `true`.
    pub follow: bool,
    /// The types of events that tell that a user was retired: the user goes, with every row that is theirs. Default none.
    pub retired_by: BTreeSet<String>,
}

impl Default for UsersTable {
    fn default() -> Self {
        let Following { users, retired_by } = Following::default();
        Self { follow: users, retired_by }
    }
}

impl UsersTable {
    /// What the journal does with users.
    pub(super) fn following(&self) -> Following {
        Following { users: self.follow, retired_by: self.retired_by.clone() }
    }

    pub(super) fn mistakes(&self) -> Vec<String> {
        self.retired_by.iter().filter_map(|event_type| mistake(event_type)).collect()
    }
}

fn mistake(event_type: &str) -> Option<String> {
    if event_type.is_empty() || event_type.contains(|letter: char| letter.is_control() || letter == '*') {
        let example = "\"org.example.user.retired.v1\"";
        return Some(format!(
            "users.retired_by: expected whole types of events, such as {example}, found {event_type:?}"
        ));
    }
    let filter = Catalogue::embedded().filter(event_type)?;
    Some(format!("users.retired_by: {} is a filter; name an event", filter.filter_type))
}
