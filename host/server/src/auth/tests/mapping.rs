//! What a good token says about its user.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{authenticator, get, invalid, table, token, with, without};
use crate::auth::refusal::{Reason, Refusal};
use crate::auth::{AuthTable, Claims};

fn read(claims: &Value) -> Result<Claims, Refusal> {
    get().jwt(&token(Algorithm::HS256, claims)).send()
}

fn named(preferred: Value, other: Value) -> Result<String, Refusal> {
    let mut claims = with("preferred_username", preferred);
    claims["username"] = other;
    read(&claims).map(|claims| claims.username)
}

#[test]
fn the_preferred_username_goes_before_the_username() {
    assert_eq!(named(json!("alice"), json!("bob")), Ok("alice".into()));
    for nothing in [Value::Null, json!(""), json!(0), json!(false), json!([])] {
        assert_eq!(named(nothing.clone(), json!("bob")), Ok("bob".into()), "{nothing}");
        assert_eq!(named(nothing.clone(), nothing.clone()), Err(Refusal::NoUsername), "{nothing}");
    }
    assert_eq!(read(&without("preferred_username")), Err(Refusal::NoUsername));
}

#[test]
fn a_username_is_a_text_that_an_account_can_have() {
    assert_eq!(named(json!("é".repeat(150)), Value::Null), Ok("é".repeat(150)));
    for name in
        [json!(5), json!(["alice"]), json!({"a": 1}), json!(true), json!("a".repeat(151)), json!("a\0")]
    {
        let refused = invalid(Reason::Unusable("preferred_username"));
        assert_eq!(named(name.clone(), json!("bob")), refused, "{name}");
    }
}

#[test]
fn a_claim_sets_its_attribute_and_an_absent_one_leaves_it() {
    for flag in [true, false] {
        assert_eq!(read(&with("administrator", json!(flag))).unwrap().is_staff, Some(flag));
        assert_eq!(read(&with("superuser", json!(flag))).unwrap().is_superuser, Some(flag));
    }
    for absent in [without("administrator"), with("administrator", Value::Null)] {
        assert_eq!(read(&absent).unwrap().is_staff, None);
    }
    assert_eq!(read(&without("superuser")).unwrap().is_superuser, None);
    assert_eq!(read(&without("email")).unwrap().email, None);
    assert_eq!(read(&with("email", json!(""))).unwrap().email.as_deref(), Some(""));
}

#[test]
fn a_mapped_claim_of_another_kind_is_refused() {
    for value in [json!("true"), json!(1), json!(0), json!([]), json!({})] {
        let refused = invalid(Reason::Attribute("is_staff"));
        assert_eq!(read(&with("administrator", value.clone())), refused, "{value}");
    }
    for value in [json!(1), json!(true), json!(["a"]), json!("a".repeat(255))] {
        assert_eq!(read(&with("email", value.clone())), invalid(Reason::Attribute("email")), "{value}");
    }
}

#[test]
fn the_mapping_is_configuration() {
    let claims = [("is_boss".to_owned(), "is_staff".to_owned())].into();
    let site = authenticator(&AuthTable { claims, ..table() });
    let mut said = with("is_boss", json!(true));
    said["administrator"] = json!("not looked at");
    let read = get().jwt(&token(Algorithm::HS256, &said)).sent_to(&site).unwrap();
    assert_eq!((read.is_staff, read.is_superuser, read.email), (Some(true), None, None));
}

#[test]
fn the_users_id_is_a_positive_whole_number_or_nothing() {
    for (value, id) in [
        (json!(7), Some(7)),
        (json!(i64::MAX), Some(i64::MAX)),
        (json!(0), None),
        (json!(-7), None),
        (json!("7"), None),
        (json!(7.5), None),
        (json!(u64::MAX), None),
        (json!(true), None),
        (Value::Null, None),
    ] {
        assert_eq!(read(&with("user_id", value.clone())).unwrap().user_id, id, "{value}");
    }
}

#[test]
fn unreadable_scopes_grant_nothing_and_unreadable_filters_are_refused() {
    let claims = read(&with("scopes", json!(["hooks:run", "x"]))).unwrap();
    assert!(claims.has_scope("hooks:run") && !claims.has_scope("hooks") && !claims.has_scope(""));
    for scopes in [Value::Null, json!("hooks:run"), json!([1]), json!(["hooks:run", 1])] {
        assert_eq!(read(&with("scopes", scopes.clone())).unwrap().scopes, Vec::<String>::new(), "{scopes}");
    }
    assert_eq!(read(&without("scopes")).unwrap().scopes, Vec::<String>::new());
    assert_eq!(read(&without("filters")).unwrap().filters, Vec::<String>::new());
    assert_eq!(read(&with("filters", json!(["a:b"]))).unwrap().filters, ["a:b"]);
    for filters in [Value::Null, json!("user:me"), json!([1])] {
        assert_eq!(
            read(&with("filters", filters.clone())),
            invalid(Reason::Unusable("filters")),
            "{filters}"
        );
    }
}

#[test]
fn a_token_is_restricted_when_python_says_so() {
    for value in [json!(true), json!(1), json!("no"), json!([0]), json!({"a": 1})] {
        assert!(read(&with("is_restricted", value.clone())).unwrap().is_restricted, "{value}");
    }
    for value in [json!(false), json!(0), json!(0.0), json!(""), Value::Null, json!([]), json!({})] {
        assert!(!read(&with("is_restricted", value.clone())).unwrap().is_restricted, "{value}");
    }
    assert!(!read(&without("is_restricted")).unwrap().is_restricted);
}
