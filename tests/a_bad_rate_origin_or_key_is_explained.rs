//! Mistakes in `[database]`, `[archive]`, `[cors]` and `[auth]` keep the server from starting, and are explained.

use crate::support::Site;
use crate::support::site::contains_all;

#[track_caller]
fn refused(configuration: &str, texts: &[&str]) {
    let site = Site::new(configuration);
    let ran = site.run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    assert_eq!(ran.stdout, "", "it never was ready");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    contains_all(&ran.stderr, &["error: "], configuration);
    contains_all(&ran.stderr, texts, configuration);
}

#[test]
fn a_rate_that_is_none() {
    for rate in ["often", "60", "60/fortnight", "0/minute", "-1/minute", "1.5/s", "/minute", ""] {
        let configuration = format!("[archive]\nrate_limit = \"{rate}\"");
        let shown = format!("{rate:?} is not a rate");
        refused(&configuration, &["hookbox.toml", "archive.rate_limit", &shown, "60/minute", "unlimited"]);
    }
    refused("[archive]\nrate_limit = 60", &["archive.rate_limit", "expected a string, found a number"]);
    refused("[archive]\nrate = \"60/minute\"", &["archive.rate", "unknown key", "rate_limit"]);
}

#[test]
fn a_size_that_is_none() {
    refused("[archive]\nbody = \"lots\"", &["archive.body", "32MiB"]);
    refused("[database]\nmax_size = \"lots\"", &["database.max_size", "32MiB"]);
    refused("[database]\nmax_size = -1", &["database.max_size"]);
    refused("[database]\nmaxsize = \"1GiB\"", &["database.maxsize", "unknown key", "max_size"]);
}

#[test]
fn a_timeout_that_is_none() {
    refused("[database]\nbusy_timeout = \"soon\"", &["database.busy_timeout", "expected a duration"]);
    refused("[database]\nbusy_timeout = 5", &["database.busy_timeout"]);
}

#[test]
fn an_origin_that_is_none() {
    for origin in [
        "*",
        "null",
        "apps.example.com",
        "https://apps.example.com/",
        "https://apps.example.com/path",
        "ftp://apps.example.com",
        "https://user@apps.example.com",
        "https://APPS.example.com",
        "https://*.example.com",
    ] {
        let configuration = format!("[cors]\norigins = [\"{origin}\"]");
        refused(&configuration, &[&format!("{origin:?}"), "origin", "https://apps.example.com"]);
    }
    refused("[cors]\norigins = \"https://apps.example.com\"", &["cors.origins"]);
    refused("[cors]\norigin = []", &["cors.origin", "did you mean origins?"]);
    let configuration = "[auth]\ntrusted_origins = \"apps.example.com\"";
    refused(configuration, &["trusted origin", "\"apps.example.com\"", "https://apps.example.com"]);
}

#[test]
fn keys_that_cannot_be_used() {
    for (auth, texts) in [
        ("secret = \"\"", &["auth.secret", "empty", "JWT_SECRET_KEY"][..]),
        ("secret = 5", &["auth.secret", "a text in quotes"]),
        ("secret = \"s\"\nsecret_file = \"f\"", &["auth.secret", "auth.secret_file", "keep one"]),
        ("secret_file = \"none\"", &["auth.secret_file", "none", "No such file"]),
        ("secret_file = \".\"", &["auth.secret_file"]),
        (
            "secret = \"-----BEGIN PUBLIC KEY-----\"",
            &["auth.secret", "a key, not a shared secret", "auth.jwks"],
        ),
        ("jwks = \"none.json\"", &["auth.jwks", "none.json", "No such file"]),
        ("jwks = \"{\"", &["auth.jwks", "not JSON"]),
        ("jwks = '{}'", &["auth.jwks", "JWT_PUBLIC_SIGNING_JWK_SET"]),
        ("jwks = '{\"keys\": []}'", &["auth.jwks", "no RSA key"]),
        ("jwks = '{\"kty\": \"RSA\"}'", &["auth.jwks", "one key"]),
        ("jwks = '{\"keys\": [{\"kty\": \"RSA\", \"d\": \"x\"}]}'", &["auth.jwks", "keys[0]", "private key"]),
        ("jwks = '{\"keys\": [{\"kty\": \"RSA\", \"n\": \"AQAB\", \"e\": \"AQAB\"}]}'", &["keys[0]", "2048"]),
    ] {
        refused(&format!("[auth]\n{auth}"), texts);
    }
}

#[test]
fn names_that_cannot_be_what_they_are_for() {
    for (auth, texts) in [
        ("header_prefix = \"a b\"", &["auth.header_prefix", "\"a b\"", "plain name"][..]),
        ("cookie = \"a;b\"", &["auth.cookie", "plain name"]),
        ("cookie = \"\"", &["auth.cookie", "plain name"]),
        ("csrf_header = \"a b\"", &["auth.csrf_header"]),
        ("issuers = [\"\"]", &["auth.issuers", "empty", "leave the key out"]),
        ("audience = \"\"", &["auth.audience", "empty"]),
        ("supported_version = \"one\"", &["auth.supported_version", "1.2.0"]),
        (
            "claims = { administrator = \"is_stuff\" }",
            &["auth.claims.administrator", "did you mean is_staff?"],
        ),
        ("claims = { a = \"is_staff\", b = \"is_staff\" }", &["auth.claims", "a and b", "keep one"]),
        ("secrets = \"x\"", &["auth.secrets", "did you mean secret?"]),
    ] {
        refused(&format!("[auth]\n{auth}"), texts);
    }
}

#[cfg(unix)]
#[test]
fn a_made_secret_that_others_can_read_or_that_is_damaged() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    let site = Site::new("");
    let data = site.path().join("hookbox-data");
    site.run(&["token", "--user", "alice"]).exits(0);
    let secret = data.join("jwt-secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let serve = || site.run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    serve().explains(&["jwt-secret", "open to other users", "chmod 600"]);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&secret, "short\n").unwrap();
    serve().explains(&["jwt-secret", "damaged", "a new secret is made"]);
}
