//! The claims that decide whether a token holds.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{NOW, authenticator, claims, get, invalid, table, token, with, without};
use crate::auth::refusal::{Reason, Refusal};
use crate::auth::{AuthTable, Claims};

fn read(claims: &Value) -> Result<Claims, Refusal> {
    read_by(&table(), claims)
}

fn read_by(table: &AuthTable, claims: &Value) -> Result<Claims, Refusal> {
    get().jwt(&token(Algorithm::HS256, claims)).sent_to(&authenticator(table))
}

#[test]
fn a_token_ends_at_exp_without_leeway() {
    assert!(read(&with("exp", json!(NOW + 1))).is_ok());
    for exp in [NOW, NOW - 1, 0] {
        assert_eq!(read(&with("exp", json!(exp))), invalid(Reason::Expired), "{exp}");
    }
}

#[test]
fn exp_is_what_python_reads_as_a_whole_number() {
    let soon = NOW + 60;
    for exp in [
        json!(soon),
        json!(NOW as f64 + 1.5),
        json!(soon.to_string()),
        json!(format!(" +{soon} ")),
        json!("1_795_373_957"),
        json!(u64::MAX),
        json!(1e300),
        json!("9".repeat(400)),
    ] {
        assert!(read(&with("exp", exp.clone())).is_ok(), "{exp}");
    }
    // Cut at the point, this is now.
    assert_eq!(read(&with("exp", json!(NOW as f64 + 0.9))), invalid(Reason::Expired));
    // True is 1, in 1970.
    for exp in [json!(true), json!(false), json!("-5"), json!(-1e300), json!(i64::MIN)] {
        assert_eq!(read(&with("exp", exp.clone())), invalid(Reason::Expired), "{exp}");
    }
    for exp in [
        json!("soon"),
        json!(""),
        json!("1.5"),
        json!("1e9"),
        json!("_1"),
        json!("1__0"),
        json!("1_"),
        json!("+-1"),
        json!("+"),
        json!("inf"),
        json!("nan"),
        json!([soon]),
        json!({}),
        json!("9".repeat(4_301)),
    ] {
        assert_eq!(read(&with("exp", exp.clone())), invalid(Reason::Unusable("exp")), "{exp}");
    }
}

#[test]
fn exp_and_iat_must_be_there() {
    for name in ["exp", "iat"] {
        assert_eq!(read(&without(name)), invalid(Reason::Missing(name)));
        assert_eq!(read(&with(name, Value::Null)), invalid(Reason::Missing(name)));
    }
}

#[test]
fn a_number_too_large_for_json_is_malformed() {
    let claims = claims().to_string().replace("2110732957", "1e999");
    let part = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let message = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(&claims));
    let key = jsonwebtoken::EncodingKey::from_secret(super::SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    assert_eq!(get().jwt(&format!("{message}.{signature}")).send(), invalid(Reason::Malformed));
}

#[test]
fn a_token_is_not_of_the_future() {
    for iat in [json!(NOW), json!(NOW as f64 + 0.9), json!(NOW.to_string()), json!(0), json!(true)] {
        assert!(read(&with("iat", iat.clone())).is_ok(), "{iat}");
        assert!(read(&with("nbf", iat.clone())).is_ok(), "nbf {iat}");
    }
    for later in [json!(NOW + 1), json!((NOW + 1).to_string()), json!(1e300)] {
        assert_eq!(read(&with("iat", later.clone())), invalid(Reason::Future("iat")), "{later}");
        assert_eq!(read(&with("nbf", later.clone())), invalid(Reason::Future("nbf")), "{later}");
    }
    assert_eq!(read(&with("iat", json!("x"))), invalid(Reason::Unusable("iat")));
    for nbf in [Value::Null, json!("x"), json!([])] {
        assert_eq!(read(&with("nbf", nbf.clone())), invalid(Reason::Unusable("nbf")), "{nbf}");
    }
}

#[test]
fn subject_and_id_are_texts_or_absent() {
    for name in ["sub", "jti"] {
        assert!(read(&without(name)).is_ok() && read(&with(name, json!(""))).is_ok());
        for value in [json!(5), Value::Null, json!([]), json!(true)] {
            assert_eq!(read(&with(name, value.clone())), invalid(Reason::Unusable(name)), "{name} {value}");
        }
    }
}

#[test]
fn the_audience_is_a_text_or_a_list_of_texts_with_ours_in_it() {
    let two = AuthTable { audience: vec!["first".into(), "openedx".into()], ..table() };
    for aud in [json!("openedx"), json!(["openedx"]), json!(["other", "openedx"])] {
        assert!(read(&with("aud", aud.clone())).is_ok(), "{aud}");
        assert!(read_by(&two, &with("aud", aud.clone())).is_ok(), "{aud}");
    }
    for aud in [
        json!("other"),
        json!("openedx2"),
        json!("Openedx"),
        json!(""),
        json!([]),
        json!(["other"]),
        json!(["openedx", 1]),
        json!(["openedx", null]),
        json!({"openedx": 1}),
        json!(1),
        json!(true),
        Value::Null,
    ] {
        assert_eq!(read(&with("aud", aud.clone())), invalid(Reason::Audience), "{aud}");
    }
    assert_eq!(read(&without("aud")), invalid(Reason::Audience));
}

#[test]
fn audience_and_issuer_are_not_checked_where_none_is_configured() {
    let open = AuthTable { audience: Vec::new(), issuers: Vec::new(), ..table() };
    for claims in
        [without("aud"), with("aud", json!(["x", 1])), without("iss"), with("iss", json!(1)), claims()]
    {
        assert!(read_by(&open, &claims).is_ok(), "{claims}");
    }
}

#[test]
fn the_issuer_is_exactly_one_of_the_configured() {
    let two = AuthTable { issuers: vec!["a".into(), "http://lms.example/oauth2".into()], ..table() };
    assert!(read(&claims()).is_ok() && read_by(&two, &claims()).is_ok());
    assert!(read_by(&two, &with("iss", json!("a"))).is_ok());
    for iss in [
        json!("http://lms.example/oauth2/"),
        json!("HTTP://lms.example/oauth2"),
        json!(["http://lms.example/oauth2"]),
        json!(""),
        Value::Null,
    ] {
        assert_eq!(read(&with("iss", iss.clone())), invalid(Reason::Issuer), "{iss}");
    }
    assert_eq!(read(&without("iss")), invalid(Reason::Issuer));
}

#[test]
fn a_newer_major_version_is_refused_and_an_unreadable_one_as_well() {
    assert!(read(&without("version")).is_ok());
    for version in ["1.2.0", "1.99.0", "0.0.1", "1.0.0-alpha.1+build.5"] {
        assert!(read(&with("version", json!(version))).is_ok(), "{version}");
    }
    for version in ["2.0.0", "10.0.0", "2.0.0-alpha"] {
        assert_eq!(read(&with("version", json!(version))), invalid(Reason::Version), "{version}");
    }
    for version in [
        json!("1"),
        json!("1.2"),
        json!("1.2.3.4"),
        json!("01.0.0"),
        json!("v1.0.0"),
        json!(" 1.0.0"),
        json!("1.0.0-"),
        json!("1..0"),
        json!(""),
        json!("99999999999999999999.0.0"),
        json!(1.2),
        Value::Null,
    ] {
        assert_eq!(
            read(&with("version", version.clone())),
            invalid(Reason::Unusable("version")),
            "{version}"
        );
    }
    let newer = AuthTable { supported_version: "2.0.0".into(), ..table() };
    assert!(read_by(&newer, &with("version", json!("2.5.0"))).is_ok());
}
