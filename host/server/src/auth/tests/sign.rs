//! Tokens of our own.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{authenticator, table};
use crate::auth::{AuthTable, Authenticator, Claims, Refusal, TokenRequest};

fn asked() -> TokenRequest {
    TokenRequest {
        username: "alice".into(),
        user_id: Some(7),
        email: Some("alice@example.com".into()),
        staff: true,
        superuser: false,
        scopes: vec!["hooks:run".into()],
        ttl: Duration::from_secs(600),
    }
}

fn said(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn taken(site: &Authenticator, token: &str) -> Result<Claims, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("JWT {token}")).unwrap());
    site.authenticate(&Method::POST, &headers, None)
}

#[test]
fn a_signed_token_says_what_was_asked_and_is_taken() {
    let site = authenticator(&table());
    let token = site.sign(&asked()).unwrap();
    let claims = taken(&site, &token).unwrap();
    assert_eq!((claims.username.as_str(), claims.user_id), ("alice", Some(7)));
    assert_eq!((claims.is_staff, claims.is_superuser), (Some(true), Some(false)));
    assert_eq!(
        (claims.email.as_deref(), claims.scopes),
        (Some("alice@example.com"), vec!["hooks:run".into()])
    );
    assert!(!claims.is_restricted && claims.filters.is_empty());
    let said = said(&token);
    assert_eq!((&said["iss"], &said["aud"]), (&json!("http://lms.example/oauth2"), &json!("openedx")));
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 600);
    assert_eq!((&said["version"], &said["sub"]), (&json!("1.2.0"), &json!("alice")));
}

#[test]
fn a_token_without_staff_takes_the_right_away_and_one_without_email_leaves_it() {
    let site = authenticator(&table());
    let plain = TokenRequest { user_id: None, email: None, staff: false, ..asked() };
    let claims = taken(&site, &site.sign(&plain).unwrap()).unwrap();
    assert_eq!((claims.is_staff, claims.is_superuser), (Some(false), Some(false)));
    assert_eq!((claims.email, claims.user_id), (None, None));
}

#[test]
fn issuer_and_audience_are_left_out_where_none_is_configured() {
    let open = authenticator(&AuthTable { issuers: Vec::new(), audience: Vec::new(), ..table() });
    let token = open.sign(&asked()).unwrap();
    assert!(said(&token).get("iss").is_none() && said(&token).get("aud").is_none());
    assert!(taken(&open, &token).is_ok());
    assert!(taken(&authenticator(&table()), &token).is_err());
}

#[test]
fn flags_are_written_under_the_mapped_claims() {
    let claims = [("boss".to_owned(), "is_staff".to_owned())].into();
    let site = authenticator(&AuthTable { claims, ..table() });
    let plain = TokenRequest { email: None, ..asked() };
    let said = said(&site.sign(&plain).unwrap());
    assert_eq!((&said["boss"], said.get("administrator")), (&json!(true), None));
    for (request, attribute) in [
        (TokenRequest { superuser: true, ..plain.clone() }, "is_superuser"),
        (TokenRequest { email: Some("a@b".into()), ..plain }, "email"),
    ] {
        let error = site.sign(&request).unwrap_err();
        assert_eq!(error.code(), "attribute-unmapped");
        assert!(error.to_string().contains(attribute), "{error}");
    }
}

#[test]
fn public_keys_cannot_sign() {
    let site = authenticator(&AuthTable { secret: None, ..table() });
    let error = site.sign(&asked()).unwrap_err();
    assert_eq!(error.code(), "cannot-sign");
    assert!(error.to_string().contains("auth.secret"), "{error}");
}

#[test]
fn what_would_not_verify_is_not_signed() {
    let site = authenticator(&table());
    for request in [
        TokenRequest { username: String::new(), ..asked() },
        TokenRequest { username: "a".repeat(151), ..asked() },
        TokenRequest { username: "a\0".into(), ..asked() },
        TokenRequest { user_id: Some(0), ..asked() },
        TokenRequest { email: Some("a".repeat(255)), ..asked() },
        TokenRequest { ttl: Duration::from_millis(999), ..asked() },
        TokenRequest { ttl: Duration::MAX, ..asked() },
    ] {
        assert_eq!(site.sign(&request).unwrap_err().code(), "token-request", "{request:?}");
    }
    let long = TokenRequest { ttl: Duration::from_secs(100 * 365 * 86_400), ..asked() };
    assert!(taken(&site, &site.sign(&long).unwrap()).is_ok());
}
