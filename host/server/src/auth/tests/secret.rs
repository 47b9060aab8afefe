//! The secret: given, in a file, or made.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method};

use super::{JWKS, SECRET, get, table};
use crate::auth::{AuthError, AuthTable, Authenticator, TokenRequest};

fn bare() -> AuthTable {
    AuthTable::default()
}

fn with_data(data: &Path) -> Result<Authenticator, AuthError> {
    Authenticator::new(&bare(), Path::new("/nonexistent"), data)
}

fn token(by: &Authenticator) -> String {
    let request = TokenRequest {
        username: "alice".into(),
        user_id: None,
        email: None,
        staff: false,
        superuser: false,
        scopes: Vec::new(),
        ttl: Duration::from_secs(600),
    };
    by.sign(&request).unwrap()
}

/// Whether one takes what the other signs, at the real time.
fn trusts(one: &Authenticator, other: &Authenticator) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("JWT {}", token(other))).unwrap());
    one.authenticate(&Method::GET, &headers, None).is_ok()
}

#[test]
fn without_any_key_a_secret_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let first = with_data(&data).unwrap();
    let file = data.join("jwt-secret");
    assert_eq!(first.made_secret(), Some(file.as_path()));
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!((text.len(), text.ends_with('\n')), (44, true), "32 bytes in base64url and a line end");
    let second = with_data(&data).unwrap();
    assert_eq!((second.made_secret(), fs::read_to_string(&file).unwrap()), (None, text));
    assert!(trusts(&first, &second) && trusts(&second, &first));
    let names: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["jwt-secret"], "nothing else is left behind");
    assert!(!trusts(&first, &with_data(&folder.path().join("other")).unwrap()));
}

#[cfg(unix)]
#[test]
fn the_made_secret_is_the_hosts_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    with_data(&data).unwrap();
    let file = data.join("jwt-secret");
    assert_eq!((mode(&data), mode(&file)), (0o700, 0o600));
    for open in [0o640, 0o604, 0o660, 0o644] {
        fs::set_permissions(&file, fs::Permissions::from_mode(open)).unwrap();
        let error = with_data(&data).unwrap_err();
        assert_eq!(error.code(), "secret-exposed");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(with_data(&data).is_ok());
}

#[test]
fn several_that_start_at_once_end_with_one_secret() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let start = Barrier::new(8);
        let sites: Vec<Authenticator> = std::thread::scope(|scope| {
            let start_one = || {
                start.wait();
                with_data(&data).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start_one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(sites.iter().filter(|site| site.made_secret().is_some()).count(), 1);
        assert!(sites.iter().all(|site| trusts(site, &sites[0])));
    }
}

#[cfg(unix)]
#[test]
fn a_damaged_secret_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwt-secret");
    for content in [&b""[..], b"\n", b"short\n", b"\xff\xfe\xff"] {
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(with_data(folder.path()).unwrap_err().code(), "secret-damaged");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(with_data(folder.path()).unwrap_err().code(), "file");
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = with_data(&folder.path().join("file/data")).unwrap_err();
    assert!(matches!(error.code(), "secret-make" | "file"), "{error}");
}

#[test]
fn a_configured_key_of_any_kind_leaves_the_data_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
    for table in [
        AuthTable { secret: Some(SECRET.into()), ..bare() },
        AuthTable { secret_file: Some("secret.txt".into()), ..bare() },
        AuthTable { jwks: Some(JWKS.into()), ..bare() },
    ] {
        let site = Authenticator::new(&table, folder.path(), &folder.path().join("data")).unwrap();
        assert_eq!(site.made_secret(), None);
        assert!(!folder.path().join("data").exists());
    }
}

#[test]
fn a_file_holds_the_same_secret_as_the_key_with_or_without_line_ends() {
    let folder = tempfile::tempdir().unwrap();
    let token = super::token(jsonwebtoken::Algorithm::HS256, &super::claims());
    for end in ["", "\n", "\r\n", "\n\n"] {
        fs::write(folder.path().join("secret.txt"), format!("{SECRET}{end}")).unwrap();
        let table = AuthTable { secret: None, secret_file: Some("secret.txt".into()), ..table() };
        let site = Authenticator::new(&table, folder.path(), folder.path()).unwrap();
        assert!(get().jwt(&token).sent_to(&site).is_ok(), "{end:?}");
    }
    let missing = AuthTable { secret_file: Some("missing".into()), ..bare() };
    let error = Authenticator::new(&missing, folder.path(), folder.path()).unwrap_err();
    assert_eq!((error.code(), error.to_string().starts_with("auth.secret_file")), ("file", true));
}

#[test]
fn an_empty_secret_and_a_key_are_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let code = |secret: &str| {
        let table = AuthTable { secret: Some(secret.into()), ..bare() };
        let error = Authenticator::new(&table, folder.path(), folder.path()).unwrap_err();
        assert!(secret.is_empty() || !error.to_string().contains(secret), "{error}");
        error.code()
    };
    assert_eq!(code(""), "secret-empty");
    for key in ["-----BEGIN PUBLIC KEY-----\nMII\n", "ssh-rsa AAAA", r#"{"kty": "RSA"}"#, JWKS] {
        assert_eq!(code(key), "secret-is-key");
    }
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let table = AuthTable { secret_file: Some("empty".into()), ..bare() };
    let error = Authenticator::new(&table, folder.path(), folder.path()).unwrap_err();
    assert_eq!(error.code(), "secret-empty");
    // A short one is the operator's to choose; upstream only warns as well.
    let short = AuthTable { secret: Some("lms-secret".into()), ..bare() };
    assert!(Authenticator::new(&short, folder.path(), folder.path()).is_ok());
}
