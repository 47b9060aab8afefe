#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Catalogue;
use crate::types::{Field, Record};

const REGISTRATION: &str = "org.openedx.learning.student.registration.completed.v1";
const ENROLLMENT: &str = "org.openedx.learning.course.enrollment.created.v1";

fn user(id: i64, name: &str) -> Value {
    json!({"id": id, "is_active": true, "pii": {"username": name, "email": format!("{name}@example.com"), "name": "N"}})
}

fn known(id: i64, name: &str) -> UserFact {
    let email = Some(format!("{name}@example.com"));
    UserFact { id, username: name.to_owned(), email, is_active: true }
}

fn event(event_type: &str) -> &'static Event {
    Catalogue::embedded().event(event_type).unwrap()
}

/// A value of a type, with users that count up.
fn example(ty: &ValueType, next: &mut i64) -> Value {
    match ty {
        ValueType::Record(record) if record.upstream == USER_DATA => {
            *next += 1;
            user(*next, &format!("user-{next}"))
        }
        ValueType::Record(record) => {
            let fields = record.fields.iter();
            fields.map(|field| (field.name.clone(), example(&field.ty, next))).collect()
        }
        ValueType::Option(inner) => example(inner, next),
        ValueType::List(item) => json!([example(item, next), example(item, next)]),
        ValueType::Map(item) => json!({"a": example(item, next)}),
        _ => Value::Null,
    }
}

#[test]
fn every_user_of_every_event_is_found_by_its_type() {
    let mut carrying = 0;
    for event in Catalogue::embedded().events() {
        let mut made = 0;
        let data = json!({&event.data.name: example(&event.data.ty, &mut made)});
        let expected: Vec<UserFact> = (1..=made).map(|id| known(id, &format!("user-{id}"))).collect();
        assert_eq!(users_in(event, &data), expected, "{}", event.event_type);
        carrying += usize::from(made > 0);
    }
    assert_eq!(carrying, 30, "events that carry users");
    let data = json!({"enrollment": {"user": user(3, "ada"), "created_by": user(9, "bob")}});
    assert_eq!(users_in(event(ENROLLMENT), &data), [known(3, "ada"), known(9, "bob")]);
}

#[test]
fn users_in_lists_and_maps_are_found_too_each_once_and_not_without_end() {
    let user_data = event(REGISTRATION).data.ty.clone();
    let team = Record {
        wit: "team".into(),
        upstream: String::new(),
        fields: vec![
            Field::new("members", ValueType::List(Box::new(user_data.clone().optional()))),
            Field::new("by_role", ValueType::Map(Box::new(user_data))),
        ],
        omit_none: false,
    };
    let event = Event {
        data: Field::new("team", ValueType::Record(Arc::new(team))),
        event_type: "org.example.team.v1".into(),
        signal: String::new(),
        module: String::new(),
        signature: Arc::clone(&event(REGISTRATION).signature),
    };
    let data = json!({"team": {"members": [user(1, "ada"), null, user(2, "bob"), user(1, "ada")], "by_role": {"staff": user(3, "eve")}}});
    assert_eq!(users_in(&event, &data), [known(1, "ada"), known(2, "bob"), known(3, "eve")]);
    let crowd: Vec<Value> = (1..=1_200).map(|id| user(id, &format!("user-{id}"))).collect();
    assert_eq!(users_in(&event, &json!({"team": {"members": crowd}})).len(), FACTS);
}

#[test]
fn who_has_no_id_or_no_name_is_nobody() {
    let of = |user: Value| users_in(event(REGISTRATION), &json!({"user": user}));
    for (key, value) in [
        ("id", json!(0)),
        ("id", json!(-1)),
        ("id", json!(i64::MAX)),
        ("id", json!("7")),
        ("id", Value::Null),
        ("is_active", json!("yes")),
        ("pii", Value::Null),
    ] {
        let mut user = user(7, "ada");
        user[key] = value;
        assert_eq!(of(user), []);
    }
    for name in ["".to_owned(), "a\u{0}".to_owned(), "x".repeat(151)] {
        assert_eq!(of(user(7, &name)), [], "{name:?}");
    }
    let mut quiet = user(7, "ada");
    quiet["pii"]["email"] = json!("");
    assert_eq!(of(quiet), [UserFact { email: None, ..known(7, "ada") }]);
    assert_eq!(users_in(event(REGISTRATION), &json!([])), []);
}

#[test]
fn a_retirement_may_name_its_user_in_some_places() {
    let both = |id, name: &str| Some(RetiredUser { id: Some(id), username: Some(name.to_owned()) });
    let just = |id| Some(RetiredUser { id: Some(id), username: None });
    let called = |name: &str| Some(RetiredUser { id: None, username: Some(name.to_owned()) });
    for (data, found) in [
        (json!({"user": user(7, "ada")}), both(7, "ada")),
        (json!({"retirement": {"user": user(7, "ada"), "by": user(1, "root")}}), both(7, "ada")),
        (json!({"user": {"id": 7}}), just(7)),
        (json!({"user": {"id": 7, "username": "ada"}}), both(7, "ada")),
        (json!({"user_id": 7}), just(7)),
        (json!({"retirement": {"user_id": 7, "username": "ada"}}), both(7, "ada")),
        (json!({"username": "ada"}), called("ada")),
        (json!({"user": {"username": "ada"}}), called("ada")),
        (json!({"reason": {"code": 1}, "retirement": {"user_id": 7}}), just(7)),
        (json!({"user_id": "7"}), None),
        (json!({"user_id": 0}), None),
        (json!({"id": 7}), None),
        (json!({"a": {"b": {"user_id": 7}}}), None),
        (json!([{"user_id": 7}]), None),
        (Value::Null, None),
    ] {
        assert_eq!(retired_in(&data), found, "{data}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let key =
        prop::sample::select(vec!["user", "id", "pii", "username", "email", "is_active", "user_id", "x"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_stands_in_the_data_a_fact_can_be_used(data in any_json()) {
        for event in Catalogue::embedded().events() {
            for fact in users_in(event, &json!({&event.data.name: data})) {
                prop_assert!(IDS.contains(&fact.id) && sound(&fact.username, USERNAME));
            }
        }
        if let Some(retired) = retired_in(&data) {
            prop_assert!(retired.id.is_some() || retired.username.is_some());
        }
    }
}
