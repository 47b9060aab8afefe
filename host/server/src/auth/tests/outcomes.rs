//! What `edx-drf-extensions` answered to the same requests, case by case.

use std::collections::BTreeSet;

use axum::http::header;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{
    NOW, Request, authenticator, claims, expired, get, good, post, table, token, with, with_header, without,
};
use crate::auth::Refusal;

const OUTCOMES: &str = include_str!("../../../tests-data/jwt_outcomes.json");

/// Cases that need what this host does not have.
const INAPPLICABLE: &[(&str, &str)] = &[
    ("cookie POST no csrf + same session user", "there are no Django sessions: 401 instead of their 403"),
    ("expired cookie, session same user", "there are no Django sessions to fall back to"),
    ("expired cookie, session other user", "there are no Django sessions to contradict the cookie"),
];

/// Cases where upstream refuses (403) after it has authenticated: permissions are the routes' business.
const REFUSED_LATER: &[&str] = &["restricted: wrong org", "unrestricted non-staff other"];

/// The request of a case.
fn request(name: &str) -> Option<Request> {
    let rs512 = |claims: &Value| get().jwt(&token(Algorithm::RS512, claims));
    let other = |algorithm| get().jwt(&token(algorithm, &claims()));
    let restricted = || {
        let mut claims = with("is_restricted", json!(true));
        claims["scopes"] = json!(["grades:read"]);
        claims["filters"] = json!(["content_org:edX", "user:me"]);
        rs512(&claims)
    };
    Some(match name {
        "no credentials" | "no credentials, jwt+session" | "public view no creds" => get(),
        "RS512 valid" | "administrator false demotes" | "unrestricted non-staff other" => get().jwt(&good()),
        "RS384" => other(Algorithm::RS384),
        "HS512 same secret" => other(Algorithm::HS512),
        "alg none" => get().jwt(&with_header(&json!({"alg": "none", "typ": "JWT"}), &claims())),
        "prefix only" => get().authorization("JWT"),
        "prefix + space" => get().authorization("JWT "),
        "three parts" => get().authorization(format!("JWT {} more", good())),
        "two dots garbage" | "garbage on public view" => get().jwt("a.b.c"),
        "expired" => get().jwt(&expired()),
        "exp == current second (JWT_LEEWAY=1)" => rs512(&with("exp", json!(NOW))),
        "missing exp" => rs512(&without("exp")),
        "missing iat" => rs512(&without("iat")),
        "iat +1s" => rs512(&with("iat", json!(NOW + 1))),
        "nbf in future" => rs512(&with("nbf", json!(NOW + 100))),
        "exp float" => rs512(&with("exp", json!(1_795_373_957.5))),
        "iss mismatch" => rs512(&with("iss", json!("http://lms.example/oauth2/"))),
        "aud missing" => rs512(&without("aud")),
        "aud null" => rs512(&with("aud", Value::Null)),
        "jti int" => rs512(&with("jti", json!(5))),
        "username claim fallback" => {
            let mut claims = without("preferred_username");
            claims["username"] = json!("alice");
            rs512(&claims)
        }
        "administrator absent keeps" => rs512(&without("administrator")),
        "version missing" => rs512(&without("version")),
        "version 2.0.0" => rs512(&with("version", json!("2.0.0"))),
        "filters/is_restricted absent -> defaults" => {
            let mut claims = without("filters");
            claims.as_object_mut().unwrap().shift_remove("is_restricted");
            rs512(&claims)
        }
        "restricted: wrong org" | "restricted: user:me filter, ?username=alice" => restricted(),
        "cookie POST no csrf (jwt only)" => post().split(&good()),
        "header + cookie POST no csrf" => {
            let another = token(Algorithm::RS512, &with("user_id", json!(8)));
            post().jwt(&good()).split(&another)
        }
        "identical header + cookie POST no csrf" => post().jwt(&good()).split(&good()),
        "whole edx-jwt-cookie sent directly" => get().whole(&good()),
        "expired cookie, public view" => get().split(&expired()),
        "Bearer header, valid cookie" => get().authorization("Bearer abc").split(&good()),
        "Basic header (2 parts), valid cookie" => get().authorization("Basic abc").split(&good()),
        _ => return None,
    })
}

fn recorded() -> Vec<Value> {
    serde_json::from_str(OUTCOMES).unwrap()
}

#[test]
fn every_recorded_request_ends_as_upstream() {
    let authenticator = authenticator(&table());
    let mut seen = BTreeSet::new();
    for case in recorded() {
        let name = case["name"].as_str().unwrap();
        assert!(seen.insert(name.to_owned()), "{name} is there twice");
        let Some(request) = request(name) else {
            assert!(INAPPLICABLE.iter().any(|(known, _)| *known == name), "{name} is not accounted for");
            continue;
        };
        assert_eq!(request.method.as_str(), case["method"], "{name}");
        let answer = request.sent_to(&authenticator);
        match case["status"].as_u64() {
            Some(401) => {
                let refusal = answer.expect_err(name);
                assert_eq!(refusal.detail(), case["body"]["detail"], "{name}");
                assert_eq!(authenticator.challenge().to_str().unwrap(), case["www_authenticate"], "{name}");
            }
            // A public view's answer to nobody.
            Some(200) if case["body"]["auth"] == "NoneType" => {
                assert_eq!(answer, Err(Refusal::NotProvided), "{name}");
            }
            Some(200) => {
                let body = &case["body"];
                let said = &body["claims"];
                let claims = answer.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
                assert_eq!(claims.username, body["user"], "{name}");
                assert_eq!(json!(claims.email), body["email"], "{name}");
                assert_eq!(json!(claims.is_staff), said["administrator"], "{name}");
                assert_eq!(json!(claims.is_superuser), said["superuser"], "{name}");
                assert_eq!(json!(claims.user_id), said["user_id"], "{name}");
                assert_eq!(json!(claims.scopes), said["scopes"], "{name}");
                assert_eq!(json!(claims.filters), said["filters"], "{name}");
                assert_eq!(json!(claims.is_restricted), said["is_restricted"], "{name}");
            }
            Some(403) => {
                assert!(REFUSED_LATER.contains(&name), "{name}");
                let claims = answer.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
                assert_eq!(claims.is_restricted, name.starts_with("restricted"), "{name}");
            }
            status => panic!("{name}: unknown status {status:?}"),
        }
    }
    assert_eq!(seen.len(), 42);
    for (name, _) in INAPPLICABLE {
        assert!(seen.contains(*name), "{name} is no longer recorded");
    }
}

#[test]
fn the_recorded_claims_are_taken_as_they_are() {
    let authenticator = authenticator(&table());
    let claims = recorded().into_iter().map(|case| case["body"]["claims"].clone()).filter(Value::is_object);
    for claims in claims {
        let request = get().jwt(&token(Algorithm::RS512, &claims));
        assert!(request.sent_to(&authenticator).is_ok(), "{claims}");
    }
}

#[test]
fn the_challenge_has_the_configured_prefix() {
    let site = authenticator(&super::AuthTable { header_prefix: "Bearer".into(), ..table() });
    assert_eq!(site.challenge(), "Bearer realm=\"api\"");
    let request = get().authorization(format!("bearer {}", good()));
    assert!(request.headers.contains_key(header::AUTHORIZATION) && request.sent_to(&site).is_ok());
}
