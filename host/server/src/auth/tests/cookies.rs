//! Tokens in cookies, and the CSRF pair that writing with them needs.

use axum::http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use super::{CSRF, Request, authenticator, expired, get, good, invalid, post, table, token, with};
use crate::auth::csrf::Csrf;
use crate::auth::refusal::{Reason, Refusal};
use crate::auth::{AuthTable, Source};

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The secret as Django's forms show it: a mask, and the secret moved by it.
fn masked(secret: &str, mask: &str) -> String {
    let place = |letter: u8| LETTERS.iter().position(|known| *known == letter).unwrap();
    let pairs = secret.bytes().zip(mask.bytes());
    let moved = pairs.map(|(letter, by)| char::from(LETTERS[(place(letter) + place(by)) % LETTERS.len()]));
    mask.chars().chain(moved).collect()
}

fn another() -> String {
    token(jsonwebtoken::Algorithm::RS512, &with("preferred_username", json!("bob")))
}

#[test]
fn split_cookies_and_a_whole_one_are_taken_for_reading() {
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
        for request in [get().split(&good()), get().whole(&good())] {
            let claims = Request { method: method.clone(), ..request }.send().unwrap();
            assert_eq!((claims.username.as_str(), claims.source), ("alice", Source::Cookie));
            assert_eq!(claims.source.label(), "success-cookie");
        }
    }
}

#[test]
fn split_cookies_go_before_a_whole_one_and_half_of_them_do_not_count() {
    assert_eq!(get().whole(&another()).split(&good()).send().unwrap().username, "alice");
    let (front, signature) = good().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let halves = [("edx-jwt-cookie-header-payload", front), ("edx-jwt-cookie-signature", signature)];
    for (name, half) in &halves {
        assert_eq!(get().cookie(name, half).send(), Err(Refusal::NotProvided), "{name}");
        assert_eq!(get().cookie(name, half).whole(&another()).send().unwrap().username, "bob");
    }
    let empty = get().cookie(halves[0].0, &halves[0].1).cookie(halves[1].0, "");
    assert_eq!(empty.send(), Err(Refusal::NotProvided));
}

#[test]
fn cookies_are_read_as_django_reads_them() {
    let good = good();
    let line = |text: String| get().header("cookie", text).send().map(|claims| claims.username);
    let alice = Ok("alice".to_owned());
    assert_eq!(line(format!("a=b;  edx-jwt-cookie = {good} ;c")), alice);
    assert_eq!(line(format!("edx-jwt-cookie=\"{good}\"")), alice);
    assert_eq!(line(format!("edx-jwt-cookie=x; edx-jwt-cookie={good}")), alice);
    assert_eq!(line(format!("edx-jwt-cookie={good}; edx-jwt-cookie=x")), Err(Refusal::NotProvided));
    assert_eq!(line(format!("EDX-JWT-COOKIE={good}")), Err(Refusal::NotProvided));
    let with_bytes = get().header("cookie", b"other=\xff\xfe").whole(&good);
    assert!(with_bytes.send().is_ok());
}

#[test]
fn anything_wrong_with_a_cookie_is_forgiven() {
    let nameless = token(jsonwebtoken::Algorithm::RS512, &with("preferred_username", json!("")));
    for bad in ["x", "a.b.c", "\"", expired().as_str(), nameless.as_str()] {
        assert_eq!(get().whole(bad).send(), Err(Refusal::NotProvided), "{bad}");
    }
}

#[test]
fn the_names_are_configuration_and_impersonation_goes_first() {
    let site = authenticator(&AuthTable {
        cookie: "w".into(),
        cookie_header_payload: "hp".into(),
        cookie_signature: "s".into(),
        impersonation_cookie: Some("imp".into()),
        csrf_cookie: "cc".into(),
        csrf_header: "X-CC".into(),
        ..table()
    });
    let name = |request: Request| request.sent_to(&site).map(|claims| claims.username);
    assert_eq!(name(get().cookie("w", &good())), Ok("alice".into()));
    assert_eq!(name(get().cookie("w", &good()).cookie("imp", &another())), Ok("bob".into()));
    assert_eq!(name(get().cookie("w", &good()).cookie("imp", "")), Ok("alice".into()));
    assert_eq!(name(get().whole(&good())), Err(Refusal::NotProvided));
    let writing = post().cookie("w", &good()).cookie("cc", CSRF).header("x-cc", CSRF);
    assert_eq!(name(writing), Ok("alice".into()));
    assert_eq!(name(post().cookie("w", &good()).csrf()), Err(Refusal::NotProvided));
}

#[test]
fn writing_with_cookies_needs_the_csrf_pair() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = Request { method: method.clone(), ..get().split(&good()) };
        assert_eq!(request.send(), Err(Refusal::NotProvided), "{method}");
        assert!(request.csrf().send().is_ok(), "{method}");
    }
}

#[test]
fn a_header_that_repeats_the_cookie_counts_as_the_cookie() {
    let both = post().jwt(&good()).split(&good());
    assert_eq!(both.send(), Err(Refusal::NotProvided));
    assert_eq!(both.csrf().send().unwrap().source, Source::Cookie);
    assert_eq!(get().jwt(&expired()).whole(&expired()).send(), Err(Refusal::NotProvided));
    assert_eq!(post().jwt(&good()).split(&another()).send().unwrap().source, Source::Header);
    assert_eq!(get().jwt(&expired()).whole(&good()).send(), invalid(Reason::Expired));
}

/// Runs the check alone, which tells its reasons.
fn check(request: &Request) -> Result<(), Reason> {
    let cookies = crate::auth::Cookies::of(&request.headers);
    Csrf::new(&table()).unwrap().check(&request.method, &request.headers, &cookies, None)
}

#[test]
fn plain_and_masked_tokens_match_in_every_pairing() {
    let mask = "9876543210ZYXWVUTSRQPONMLKJIHGFE";
    let other_mask = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF";
    let forms = [CSRF.to_owned(), masked(CSRF, mask), masked(CSRF, other_mask)];
    for cookie in &forms {
        for header in &forms {
            let request = post().cookie("csrftoken", cookie).header("x-csrftoken", header);
            assert_eq!(check(&request), Ok(()), "{cookie} {header}");
        }
    }
    let wrong = masked("bbcdefghijklmnopqrstuvwxyz012345", mask);
    for header in [wrong.as_str(), &CSRF.to_uppercase()] {
        let request = post().cookie("csrftoken", CSRF).header("x-csrftoken", header);
        assert_eq!(check(&request), Err(Reason::CsrfHeader), "{header}");
    }
}

#[test]
fn a_csrf_token_of_the_wrong_form_matches_nothing() {
    for bad in ["", "a", &CSRF[1..], &format!("{CSRF}a"), &"-".repeat(32), &"é".repeat(16), &CSRF.repeat(3)]
    {
        let pair = post().header("cookie", format!("csrftoken={bad}")).header("x-csrftoken", bad);
        assert_eq!(check(&pair), Err(Reason::CsrfCookie), "{bad}");
        let header = post().cookie("csrftoken", CSRF).header("x-csrftoken", bad);
        assert_eq!(check(&header), Err(Reason::CsrfHeader), "{bad}");
    }
    assert_eq!(check(&post().header("x-csrftoken", CSRF)), Err(Reason::CsrfCookie));
    assert_eq!(check(&post().cookie("csrftoken", CSRF)), Err(Reason::CsrfHeader));
    let twice = post().csrf().header("x-csrftoken", CSRF);
    assert_eq!(check(&twice), Err(Reason::CsrfHeader));
}

#[test]
fn an_origin_must_be_this_host_or_a_trusted_one() {
    let from =
        |origin: &'static str| post().csrf().header("host", "hooks.example:8000").header("origin", origin);
    for own in ["http://hooks.example:8000", "https://hooks.example:8000", "https://HOOKS.example:8000"] {
        assert_eq!(check(&from(own)), Ok(()), "{own}");
    }
    for foreign in [
        "null",
        "",
        "https://hooks.example",
        "https://hooks.example:8000.evil.example",
        "https://evil.example",
        "ftp://hooks.example:8000",
        "hooks.example:8000",
        "https://apps.example",
    ] {
        assert_eq!(check(&from(foreign)), Err(Reason::Origin), "{foreign}");
    }
    assert_eq!(check(&post().csrf()), Ok(()), "without the header there is nothing to check");
    assert_eq!(check(&post().csrf().header("origin", "https://a.example")), Err(Reason::Origin), "no host");
    let two = from("https://hooks.example:8000").header("origin", "https://evil.example");
    assert_eq!(check(&two), Err(Reason::Origin));
    let reading = get().header("origin", "https://evil.example");
    assert_eq!(check(&reading), Ok(()));
}

#[test]
fn further_origins_can_be_trusted() {
    let origins = vec!["https://apps.example".into(), "https://*.staging.example".into()];
    let mut site = authenticator(&AuthTable { trusted_origins: origins, ..table() });
    let from = |origin: &'static str| {
        post().split(&good()).csrf().header("host", "hooks.example").header("origin", origin)
    };
    for trusted in ["https://apps.example", "https://a.staging.example", "https://staging.example"] {
        assert!(from(trusted).sent_to(&site).is_ok(), "{trusted}");
    }
    for foreign in [
        "http://apps.example",
        "https://apps.example:8443",
        "http://a.staging.example",
        "https://evilstaging.example",
        "https://late.example",
    ] {
        assert_eq!(from(foreign).sent_to(&site), Err(Refusal::NotProvided), "{foreign}");
    }
    site.trust_origins(vec!["https://late.example".into()]).unwrap();
    assert!(from("https://late.example").sent_to(&site).is_ok());
    for wrong in
        ["*", "https://", "apps.example", "https://apps.example/", "https://a*.example", "https://*", "://x"]
    {
        let error = site.trust_origins(vec![wrong.into()]).unwrap_err();
        assert_eq!(error.code(), "origin", "{wrong}");
    }
    // The token in the header is not the browser's doing: no origin matters.
    let header = post().jwt(&good()).header("host", "h").header("origin", "https://evil.example");
    assert!(header.sent_to(&site).is_ok());
}

#[test]
fn an_empty_whole_cookie_is_a_bad_token_that_was_shown() {
    let site = authenticator(&table());
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_static("edx-jwt-cookie="));
    let answer = site.authenticate(&Method::GET, &headers, None);
    assert!(matches!(answer, Err(Refusal::InvalidToken { .. })), "{answer:?}");
    headers.insert("cookie", HeaderValue::from_static("edx-jwt-cookie-signature="));
    assert_eq!(site.authenticate(&Method::GET, &headers, None).err(), Some(Refusal::NotProvided));
}
