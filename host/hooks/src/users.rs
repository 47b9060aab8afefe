//! Users in an event's data: who they are, and who is there no more.

use serde_json::{Map, Value};

use crate::catalogue::Event;
use crate::types::ValueType;

/// Upstream's class for a user in an event: `id`, `is_active`, and `pii` with `username`, `email` and `name`.
const USER_DATA: &str = "openedx_events.learning.data.UserData";
/// Facts taken from one event. None of the catalogue's has more than two users; a type of another version may have a list.
const FACTS: usize = 1_000;
/// The platform's limits of a username and an email address, in characters (Django's `AbstractUser`).
const USERNAME: usize = 150;
const EMAIL: usize = 254;
/// Ids that are taken, as far as every reader of JSON can count.
const IDS: std::ops::RangeInclusive<i64> = 1..=(1 << 53);

/// What an event says about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFact {
    /// The platform's id; from 1.
    pub id: i64,
    /// Never empty.
    pub username: String,
    /// `None` where the event leaves it empty.
    pub email: Option<String>,
    /// Whether the account is active.
    pub is_active: bool,
}

/// Every user in an event's data, wherever its type has one, each once. A user without an id or a name says nothing: an
/// anonymous visitor, or one whom the sender did not want to name.
pub fn users_in(event: &Event, data: &Value) -> Vec<UserFact> {
    let mut facts = Vec::new();
    if let Some(value) = data.get(&event.data.name) {
        look(&event.data.ty, value, &mut facts);
    }
    facts
}

fn look(ty: &ValueType, value: &Value, facts: &mut Vec<UserFact>) {
    match (ty, value) {
        (ValueType::Record(record), Value::Object(object)) if record.upstream == USER_DATA => {
            if let Some(fact) = fact(object)
                && facts.len() < FACTS
                && !facts.contains(&fact)
            {
                facts.push(fact);
            }
        }
        (ValueType::Record(record), Value::Object(object)) => {
            for field in &record.fields {
                if let Some(value) = object.get(&field.name) {
                    look(&field.ty, value, facts);
                }
            }
        }
        (ValueType::Option(inner), value) => look(inner, value, facts),
        (ValueType::List(item), Value::Array(values)) if has_users(item) => {
            values.iter().for_each(|value| look(item, value, facts));
        }
        (ValueType::Map(item), Value::Object(values)) if has_users(item) => {
            values.values().for_each(|value| look(item, value, facts));
        }
        _ => {}
    }
}

/// Whether values of a type can hold a user: a long list that cannot is not gone through.
fn has_users(ty: &ValueType) -> bool {
    match ty {
        ValueType::Record(record) => {
            record.upstream == USER_DATA || record.fields.iter().any(|field| has_users(&field.ty))
        }
        ValueType::Option(inner) | ValueType::List(inner) | ValueType::Map(inner) => has_users(inner),
        _ => false,
    }
}

fn fact(user: &Map<String, Value>) -> Option<UserFact> {
    let pii = user.get("pii")?.as_object()?;
    let email = pii.get("email").and_then(Value::as_str);
    Some(UserFact {
        id: id(user.get("id"))?,
        username: username(pii.get("username"))?,
        email: email.filter(|email| sound(email, EMAIL)).map(str::to_owned),
        is_active: user.get("is_active")?.as_bool()?,
    })
}

/// Who is there no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredUser {
    /// The platform's id, where the event tells it.
    pub id: Option<i64>,
    /// The name, where the event tells it.
    pub username: Option<String>,
}

/// The user whom an event that tells of a retirement is about. The event may be of any type, as upstream has none for that:
/// in its data, or in an object right below it, `user` (or that object itself) has upstream's form of a user, or an `id` or
/// a `username`, or there is a `user_id` or a `username`. The first of these counts.
pub fn retired_in(data: &Value) -> Option<RetiredUser> {
    let data = data.as_object()?;
    let below = data.values().filter_map(Value::as_object);
    std::iter::once(data).chain(below).find_map(|place| {
        let user = place.get("user").and_then(Value::as_object);
        user.and_then(|user| named(user, "id")).or_else(|| named(place, "user_id"))
    })
}

fn named(user: &Map<String, Value>, id_key: &str) -> Option<RetiredUser> {
    let pii = user.get("pii").and_then(Value::as_object);
    let username =
        username(user.get("username")).or_else(|| pii.and_then(|pii| username(pii.get("username"))));
    let id = id(user.get(id_key));
    (id.is_some() || username.is_some()).then_some(RetiredUser { id, username })
}

fn id(value: Option<&Value>) -> Option<i64> {
    value?.as_i64().filter(|id| IDS.contains(id))
}

fn username(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|name| sound(name, USERNAME)).map(str::to_owned)
}

/// Whether a text can be a name or an address of the platform's.
fn sound(text: &str, most: usize) -> bool {
    !text.is_empty() && !text.contains(char::is_control) && text.chars().nth(most).is_none()
}

#[cfg(test)]
mod tests;
