//! `[auth]` and its mistakes.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde_json::{Value, json};

use super::{JWKS, SECRET, authenticator, get, good, table};
use crate::auth::{AuthError, AuthTable, Authenticator};

fn read(toml: &str) -> Result<AuthTable, String> {
    Figment::from(Toml::string(toml)).extract().map_err(|error| error.to_string())
}

fn mistake(table: &AuthTable) -> AuthError {
    let folder = tempfile::tempdir().unwrap();
    Authenticator::new(table, folder.path(), folder.path()).unwrap_err()
}

#[test]
fn an_empty_table_has_the_platforms_names() {
    let table = read("").unwrap();
    assert_eq!(table, AuthTable::default());
    assert_eq!((table.header_prefix.as_str(), table.cookie.as_str()), ("JWT", "edx-jwt-cookie"));
    assert_eq!((table.csrf_cookie.as_str(), table.csrf_header.as_str()), ("csrftoken", "X-CSRFToken"));
    assert_eq!(table.claims["administrator"], "is_staff");
}

#[test]
fn lists_of_one_may_be_texts_and_unknown_keys_are_told() {
    let table = read("audience = 'openedx'\nissuers = ['a', 'b']\ntrusted_origins = 'https://a.b'").unwrap();
    assert_eq!((table.audience, table.issuers.len()), (vec!["openedx".to_owned()], 2));
    assert!(read("audiences = 'x'").unwrap_err().contains("audience"));
    assert!(read("audience = 5").unwrap_err().contains("a text or a list of texts"));
    assert!(read("issuers = ['a', 5]").is_err());
}

#[test]
fn a_secret_that_is_no_text_is_refused_without_being_repeated() {
    assert_eq!(read("secret = 'abc'").unwrap().secret.as_deref(), Some("abc"));
    for value in
        [json!(8_412_345), json!(-8_412_345), json!(84_123.45), json!(true), json!(["8412345"]), json!({})]
    {
        let table = json!({ "secret": value });
        let error =
            Figment::from(Serialized::defaults(table)).extract::<AuthTable>().unwrap_err().to_string();
        assert!(error.contains("a text in quotes") && !error.contains("84"), "{error}");
    }
}

#[test]
fn neither_secrets_nor_keys_are_printed() {
    let table = table();
    let modulus =
        &serde_json::from_str::<Value>(JWKS).unwrap()["keys"][1]["n"].as_str().unwrap()[..40].to_owned();
    for text in [format!("{table:?}"), format!("{table:#?}"), format!("{:?}", authenticator(&table))] {
        assert!(!text.contains(SECRET) && !text.contains(modulus.as_str()), "{text}");
        assert!(text.contains("[set]"), "{text}");
    }
    assert!(format!("{:?}", AuthTable::default()).contains("secret: None"));
}

#[test]
fn names_must_be_plain() {
    let wrong: [(&str, AuthTable); 8] = [
        ("header_prefix", AuthTable { header_prefix: String::new(), ..table() }),
        ("header_prefix", AuthTable { header_prefix: "JWT Token".into(), ..table() }),
        ("cookie", AuthTable { cookie: "a=b".into(), ..table() }),
        ("cookie_header_payload", AuthTable { cookie_header_payload: "a;b".into(), ..table() }),
        ("cookie_signature", AuthTable { cookie_signature: " ".into(), ..table() }),
        ("impersonation_cookie", AuthTable { impersonation_cookie: Some(String::new()), ..table() }),
        ("csrf_cookie", AuthTable { csrf_cookie: "é".into(), ..table() }),
        ("csrf_header", AuthTable { csrf_header: "a b".into(), ..table() }),
    ];
    for (key, table) in wrong {
        let error = mistake(&table);
        assert_eq!(error.code(), "name");
        assert!(error.to_string().starts_with(&format!("auth.{key}:")), "{error}");
    }
}

#[test]
fn an_empty_audience_or_issuer_is_no_check_that_looks_like_one() {
    for table in [
        AuthTable { audience: vec![String::new()], ..table() },
        AuthTable { issuers: vec!["a".into(), String::new()], ..table() },
    ] {
        assert_eq!(mistake(&table).code(), "empty");
    }
}

#[test]
fn a_mapping_names_known_attributes_once() {
    let claims = |pairs: &[(&str, &str)]| AuthTable {
        claims: pairs.iter().map(|(claim, attribute)| ((*claim).into(), (*attribute).into())).collect(),
        ..table()
    };
    let error = mistake(&claims(&[("administrator", "is_staf")]));
    assert_eq!((error.code(), error.to_string().ends_with("did you mean is_staff?")), ("attribute", true));
    let error = mistake(&claims(&[("administrator", "wholly_else")]));
    assert!(error.to_string().ends_with("known: is_staff, is_superuser, email"), "{error}");
    let error = mistake(&claims(&[("a", "email"), ("b", "email")]));
    assert_eq!(error.to_string(), "auth.claims: a and b are both mapped to email; keep one");
    assert_eq!(error.code(), "attribute-twice");
}

#[test]
fn other_mistakes_are_told() {
    let two = AuthTable { secret_file: Some("x".into()), ..table() };
    assert_eq!(mistake(&two).code(), "secret-twice");
    let version = AuthTable { supported_version: "1.2".into(), ..table() };
    assert_eq!(mistake(&version).code(), "version");
    let origin = AuthTable { trusted_origins: vec!["*".into()], ..table() };
    assert_eq!(mistake(&origin).code(), "origin");
}

#[test]
fn a_key_set_is_a_document_or_a_path_from_the_configurations_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), JWKS).unwrap();
    let table = |jwks: &str| AuthTable { jwks: Some(jwks.into()), ..table() };
    for jwks in ["keys.json", &format!("\n {JWKS}"), folder.path().join("keys.json").to_str().unwrap()] {
        let site = Authenticator::new(&table(jwks), folder.path(), Path::new("/nonexistent")).unwrap();
        assert!(get().jwt(&good()).sent_to(&site).is_ok(), "{jwks}");
    }
    let error = mistake(&table("missing.json"));
    assert_eq!((error.code(), error.to_string().contains("auth.jwks")), ("file", true));
}

#[test]
fn a_key_set_without_a_usable_public_key_is_refused() {
    let number = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
    let rsa = |bytes| json!({"kty": "RSA", "n": number(bytes), "e": "AQAB"});
    let set = |key: Value| json!({ "keys": [key] }).to_string();
    let mut private = rsa(256);
    private["d"] = json!("secret-part");
    let mut encrypting = rsa(256);
    encrypting["use"] = json!("enc");
    for (jwks, words) in [
        ("{".to_owned(), "not JSON"),
        ("{}".to_owned(), "no list under"),
        (r#"{"keys": {}}"#.to_owned(), "no list under"),
        (r#"{"keys": []}"#.to_owned(), "no RSA key"),
        (r#"{"keys": [5]}"#.to_owned(), "keys[0] is not an object"),
        (rsa(256).to_string(), "this is one key"),
        (set(json!({"kty": "oct", "k": "c2VjcmV0"})), "no RSA key"),
        (set(json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})), "no RSA key"),
        (set(encrypting), "no RSA key"),
        (set(json!({"kty": "RSA", "n": "!", "e": "AQAB"})), "needs \"n\" and \"e\""),
        (set(json!({"kty": "RSA", "n": number(256)})), "needs \"n\" and \"e\""),
        (set(json!({"kty": "RSA", "n": "AAAA", "e": "AQAB"})), "0 bits"),
        (set(rsa(128)), "1024 bits"),
        (set(rsa(1025)), "8200 bits"),
        (set(private), "private key"),
    ] {
        let error = mistake(&AuthTable { jwks: Some(jwks.clone()), ..table() });
        assert!(error.to_string().contains(words), "{jwks}: {error}");
        assert!(!error.to_string().contains("secret-part"), "{error}");
        assert_eq!(error.code(), "jwks");
    }
    let mixed = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, rsa(256)]}).to_string();
    authenticator(&AuthTable { jwks: Some(mixed), ..table() });
}
