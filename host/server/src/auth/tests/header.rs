//! The `Authorization` header and the token's own header.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::{JWKS, authenticator, claims, expired, get, good, invalid, post, table, token, with_header};
use crate::auth::refusal::{Reason, Refusal};
use crate::auth::{AuthTable, Source};

#[test]
fn the_prefix_is_taken_in_any_case_and_writing_needs_no_csrf_token() {
    for prefix in ["JWT", "jwt", "Jwt"] {
        let claims = post().authorization(format!("{prefix} {}", good())).send().unwrap();
        assert_eq!((claims.username.as_str(), claims.source), ("alice", Source::Header));
        assert_eq!(claims.source.label(), "success-auth-header");
    }
}

#[test]
fn another_scheme_hides_the_cookies() {
    for header in ["Bearer x", "Basic x", "JWTX x", " x", "Bearer ", " "] {
        assert_eq!(
            get().authorization(header).whole(&good()).send(),
            Err(Refusal::NotProvided),
            "{header:?}"
        );
    }
}

#[test]
fn a_header_that_is_not_two_words_leaves_it_to_the_cookies() {
    let three = format!("JWT {} x", good());
    let double = format!("JWT  {}", good());
    for header in ["", "JWT", "JWT ", "Bearer", three.as_str(), double.as_str(), "JWT\tx"] {
        let request = get().authorization(header);
        assert_eq!(request.send(), Err(Refusal::NotProvided), "{header:?}");
        assert_eq!(request.whole(&good()).send().unwrap().source, Source::Cookie, "{header:?}");
    }
}

#[test]
fn bytes_that_are_no_text_leave_it_to_the_cookies() {
    let request = get().authorization(b"JWT \xff\xfe");
    assert_eq!(request.send(), Err(Refusal::NotProvided));
    assert!(request.whole(&good()).send().is_ok());
    assert_eq!(get().authorization("JWT é.é.é").send(), invalid(Reason::Malformed));
}

#[test]
fn several_headers_are_one_with_commas() {
    let twice = get().jwt(&good()).jwt(&good());
    assert_eq!(twice.send(), Err(Refusal::NotProvided));
    let token_and_word = get().jwt(&good()).authorization("x");
    assert_eq!(token_and_word.send(), invalid(Reason::Malformed));
}

#[test]
fn a_bad_header_is_final_beside_good_cookies() {
    assert_eq!(get().jwt(&expired()).whole(&good()).send(), invalid(Reason::Expired));
    assert_eq!(get().jwt("garbage").split(&good()).send(), invalid(Reason::Malformed));
}

#[test]
fn three_algorithms_are_taken_and_no_other() {
    for algorithm in [Algorithm::RS256, Algorithm::RS512, Algorithm::HS256] {
        assert!(get().jwt(&token(algorithm, &claims())).send().is_ok(), "{algorithm:?}");
    }
    for algorithm in [
        Algorithm::RS384,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::HS384,
        Algorithm::HS512,
    ] {
        let request = get().jwt(&token(algorithm, &claims()));
        assert_eq!(request.send(), invalid(Reason::Algorithm), "{algorithm:?}");
    }
    for header in
        [json!({"alg": "none"}), json!({"alg": "hs256"}), json!({"alg": ""}), json!({}), json!({"alg": 1})]
    {
        assert_eq!(
            get().jwt(&with_header(&header, &claims())).send(),
            invalid(Reason::Algorithm),
            "{header}"
        );
    }
    let signed = with_header(&json!({"alg": "none"}), &claims());
    let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
    assert_eq!(get().jwt(&unsigned).send(), invalid(Reason::Algorithm));
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // The classical confusion: HS256 with the text of the public keys.
    let key = EncodingKey::from_secret(JWKS.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(), &key).unwrap();
    assert_eq!(get().jwt(&token).send(), invalid(Reason::Signature));
}

#[test]
fn a_key_id_chooses_nothing_but_must_be_a_text() {
    let header = |kid| json!({"alg": "HS256", "kid": kid});
    assert!(get().jwt(&with_header(&header(json!("no such key")), &claims())).send().is_ok());
    let token = with_header(&header(json!(7)), &claims());
    assert_eq!(get().jwt(&token).send(), invalid(Reason::Header));
}

#[test]
fn every_key_is_tried_and_no_foreign_one() {
    // The signer is the second key of the set. With the set cut to its first key nothing verifies.
    let mut jwks: serde_json::Value = serde_json::from_str(JWKS).unwrap();
    jwks["keys"].as_array_mut().unwrap().truncate(1);
    let site = authenticator(&AuthTable { jwks: Some(jwks.to_string()), ..table() });
    assert!(get().jwt(&good()).send().is_ok());
    assert_eq!(get().jwt(&good()).sent_to(&site), invalid(Reason::Signature));
}

#[test]
fn without_a_secret_hs256_does_not_verify_and_without_keys_rs512_does_not() {
    let public = authenticator(&AuthTable { secret: None, ..table() });
    let shared = authenticator(&AuthTable { jwks: None, ..table() });
    let (hs256, rs512) = (get().jwt(&token(Algorithm::HS256, &claims())), get().jwt(&good()));
    assert_eq!((hs256.sent_to(&public), hs256.sent_to(&shared).is_ok()), (invalid(Reason::Signature), true));
    assert_eq!((rs512.sent_to(&shared), rs512.sent_to(&public).is_ok()), (invalid(Reason::Signature), true));
}

#[test]
fn what_a_header_declares_critical_is_not_supported() {
    for header in [
        json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        json!({"alg": "HS256", "crit": ["exp"], "exp": 1}),
        json!({"alg": "HS256", "b64": false}),
    ] {
        assert_eq!(get().jwt(&with_header(&header, &claims())).send(), invalid(Reason::Header), "{header}");
    }
}

#[test]
fn a_changed_token_does_not_verify() {
    let token = token(Algorithm::HS256, &claims());
    let (front, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = front.split_once('.').unwrap();
    for changed in
        [format!("{header}.{payload}A.{signature}"), format!("{header}.{payload}.{}", &signature[4..])]
    {
        assert!(matches!(get().jwt(&changed).send(), Err(Refusal::InvalidToken { .. })), "{changed}");
    }
    assert!(get().jwt(&token).send().is_ok());
}

#[test]
fn segments_are_canonical_base64url() {
    let token = token(Algorithm::HS256, &claims());
    // 32 bytes of signature are 43 letters; the last holds two bits that must be zero.
    let last = token.chars().next_back().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let loose = format!("{}{next}", &token[..token.len() - 1]);
    assert_eq!(get().jwt(&loose).send(), invalid(Reason::Malformed));
    assert!(get().jwt(&format!("{token}=")).send().is_ok(), "some issuers pad");
    for padded in [format!("{token}=="), format!("{token}==="), format!("={token}")] {
        assert_eq!(get().jwt(&padded).send(), invalid(Reason::Malformed), "{padded}");
    }
}

#[test]
fn garbage_is_malformed() {
    for text in ["x", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", "W10.e30.AA", "!!!.e30.AA"] {
        assert!(matches!(get().jwt(text).send(), Err(Refusal::InvalidToken { .. })), "{text}");
    }
    // A good signature over a payload that is no object.
    for payload in [json!([]), json!("text"), json!(null)] {
        let token = with_header(&json!({"alg": "HS256"}), &payload);
        assert_eq!(get().jwt(&token).send(), invalid(Reason::Malformed), "{payload}");
    }
}

#[test]
fn refusals_say_upstreams_words_and_never_the_token() {
    assert_eq!(Refusal::NotProvided.detail(), "Authentication credentials were not provided.");
    assert_eq!(Refusal::NoUsername.detail(), "JWT must include a preferred_username or username claim!");
    let refusal = get().jwt(&expired()).send().unwrap_err();
    assert_eq!((refusal.detail(), refusal.label()), ("Invalid token.", "invalid-token"));
    assert_eq!(refusal.to_string(), "it has expired");
    assert!(!format!("{refusal:?}").contains("eyJ"));
}
