//! Passwords that no step may see (openedx_filters utils.py `SensitiveDataManagementMixin`).

use serde_json::{Map, Value};

use crate::catalogue::Filter;

/// The keys of a form that hold passwords.
pub const SENSITIVE_KEYS: [&str; 7] = [
    "password",
    "newpassword",
    "new_password",
    "oldpassword",
    "old_password",
    "new_password1",
    "new_password2",
];

/// Takes the passwords out of the argument that may hold some, before the first step runs. Answers with what was
/// taken; nothing for every filter but `StudentRegistrationRequested`.
pub fn set_aside_passwords(filter: &Filter, kwargs: &mut Map<String, Value>) -> Map<String, Value> {
    let mut aside = Map::new();
    if let Some(form) = form(filter, kwargs) {
        for key in SENSITIVE_KEYS {
            if let Some(value) = form.shift_remove(key) {
                aside.insert(key.to_owned(), value);
            }
        }
    }
    aside
}

/// Puts the passwords back after the last step. They win over whatever a step put in their place. When a step
/// replaced the whole argument by something that is no object, they are dropped.
pub fn put_back_passwords(filter: &Filter, kwargs: &mut Map<String, Value>, aside: Map<String, Value>) {
    if let Some(form) = form(filter, kwargs) {
        form.extend(aside);
    }
}

fn form<'a>(filter: &Filter, kwargs: &'a mut Map<String, Value>) -> Option<&'a mut Map<String, Value>> {
    kwargs.get_mut(filter.sensitive.as_deref()?)?.as_object_mut()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use serde_json::json;

    use super::*;
    use crate::Catalogue;

    fn registration() -> &'static Filter {
        Catalogue::embedded().filter("org.openedx.learning.student.registration.requested.v1").unwrap()
    }

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else {
            return Map::new();
        };
        object
    }

    #[test]
    fn no_step_sees_a_password_and_none_is_lost() {
        let mut form = object(json!({"username": "a", "email": "a@example.com"}));
        for key in SENSITIVE_KEYS {
            form.insert(key.to_owned(), json!(format!("secret {key}")));
        }
        let before = object(json!({"form_data": form}));
        let mut kwargs = before.clone();
        let aside = set_aside_passwords(registration(), &mut kwargs);
        assert_eq!(
            serde_json::to_string(&kwargs).unwrap(),
            r#"{"form_data":{"username":"a","email":"a@example.com"}}"#
        );
        put_back_passwords(registration(), &mut kwargs, aside);
        assert_eq!(kwargs, before);
    }

    #[test]
    fn the_original_password_wins_over_a_steps() {
        let mut kwargs = object(json!({"form_data": {"password": "mine"}}));
        let aside = set_aside_passwords(registration(), &mut kwargs);
        kwargs.insert("form_data".into(), json!({"password": "theirs", "old_password": "added"}));
        put_back_passwords(registration(), &mut kwargs, aside);
        assert_eq!(
            Value::Object(kwargs),
            json!({"form_data": {"password": "mine", "old_password": "added"}})
        );
    }

    #[test]
    fn a_form_that_is_no_object_is_left_alone() {
        let mut kwargs = object(json!({"form_data": {"password": "mine"}}));
        let aside = set_aside_passwords(registration(), &mut kwargs);
        kwargs.insert("form_data".into(), json!(null));
        put_back_passwords(registration(), &mut kwargs, aside);
        assert_eq!(Value::Object(kwargs), json!({"form_data": null}));
        assert!(set_aside_passwords(registration(), &mut Map::new()).is_empty());
    }

    #[test]
    fn other_filters_keep_their_arguments_as_they_are() {
        let login = Catalogue::embedded().filter("org.openedx.learning.student.login.requested.v1").unwrap();
        let mut kwargs = object(json!({"form_data": {"password": "p"}, "user": {"password": "p"}}));
        let before = kwargs.clone();
        assert!(set_aside_passwords(login, &mut kwargs).is_empty());
        assert_eq!(kwargs, before);
    }
}
