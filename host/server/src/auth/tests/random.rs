//! Nothing that a client sends panics.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NOW, authenticator, claims, good, table, token};
use crate::auth::{Authenticator, Refusal};

static SITE: LazyLock<Authenticator> = LazyLock::new(|| authenticator(&table()));

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["authorization", "cookie", "origin", "host", "x-csrftoken"])
}

/// Bytes, texts with the separators that matter, and parts of good values.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "(JWT|jwt|Bearer)?[ .=;\",a-zA-Z0-9é-]{0,60}".prop_map(String::into_bytes),
        "(edx-jwt-cookie(-header-payload|-signature)?|csrftoken)=[\".a-zA-Z0-9 ;=]{0,70}"
            .prop_map(String::into_bytes),
        (0_usize..900).prop_map(|cut| {
            let text = format!("JWT {}", good());
            text.as_bytes()[..cut.min(text.len())].to_vec()
        }),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[0-9_+ .-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_headers_are_answered(
        headers in prop::collection::vec((name(), value()), 0..6),
        method in prop::sample::select(vec![Method::GET, Method::POST]),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(HeaderName::from_static(name), value);
            }
        }
        let answer = SITE.authenticate_at(&method, &map, NOW);
        // Nobody guesses a signature; only the whole good token is one.
        if let Ok(claims) = answer {
            prop_assert_eq!(claims.username, "alice");
        }
    }

    #[test]
    fn arbitrary_claims_are_answered(
        name in prop::sample::select(vec![
            "aud", "exp", "iat", "nbf", "iss", "preferred_username", "username", "scopes", "version", "sub", "jti",
            "filters", "is_restricted", "user_id", "email", "administrator", "superuser",
        ]),
        value in json_value(),
        now in prop_oneof![Just(NOW), any::<u64>()],
    ) {
        let mut claims = claims();
        claims[name] = value;
        let mut map = HeaderMap::new();
        let header = format!("JWT {}", token(Algorithm::HS256, &claims));
        map.insert("authorization", HeaderValue::from_str(&header).unwrap());
        let answer = SITE.authenticate_at(&Method::GET, &map, now);
        prop_assert_ne!(answer, Err(Refusal::NotProvided), "a token in the header is final");
    }

    #[test]
    fn arbitrary_signed_payloads_are_answered(header in json_value(), payload in json_value()) {
        let token = super::with_header(&header, &payload);
        let mut map = HeaderMap::new();
        map.insert("authorization", HeaderValue::from_str(&format!("JWT {token}")).unwrap());
        prop_assert!(SITE.authenticate_at(&Method::GET, &map, NOW).is_err());
    }
}
