//! Pages on configured origins may call the archive API, with the user's cookies; no other page may.

use serde_json::json;

use crate::support::archive::{ROWS, unthrottled};
use crate::support::http;
use crate::support::jwt::{self, halves, token};
use crate::support::raw::{Raw, exchange};
use crate::support::{Server, Site};

const PAGE: &str = "https://apps.example.com";
const STRANGER: &str = "https://evil.example.com";
const CSRF: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn site() -> Site {
    Site::new(&unthrottled(&format!(
        "{}[cors]\norigins = [\"{PAGE}\", \"http://localhost:1997\"]\n",
        jwt::AUTH
    )))
}

#[track_caller]
fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Raw {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    exchange(server.address(), method, path, &headers, body.map(str::as_bytes))
}

/// What lets a page read the answer.
fn readable(answer: &Raw) -> (Option<&str>, Option<&str>) {
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-credentials"))
}

const MINE: (Option<&str>, Option<&str>) = (Some(PAGE), Some("true"));

#[test]
fn a_browser_that_asks_first_is_told() {
    let server = site().serve();
    let asked = [
        ("origin", PAGE),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "content-type,x-csrftoken"),
    ];
    for path in [ROWS, "/sample-plugin/api/v1/course-archive-status/7/", "/sample-plugin/api/v1/"] {
        let answer = ask(&server, "OPTIONS", path, &asked, None);
        // It carries no credentials: browsers send none with the question.
        assert_eq!(answer.status, 204, "{path}: {}", answer.text());
        assert_eq!(readable(&answer), MINE);
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(["PATCH", "PUT", "DELETE"].iter().all(|method| methods.contains(method)), "{methods}");
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type,x-csrftoken"));
        assert!(answer.header("access-control-max-age").is_some());
    }
    let strange = [("origin", STRANGER), asked[1], asked[2]];
    let answer = ask(&server, "OPTIONS", ROWS, &strange, None);
    assert_eq!((answer.status, readable(&answer)), (401, (None, None)), "an answer like to any OPTIONS");
    assert_eq!(answer.header("access-control-allow-methods"), None);
}

#[test]
fn a_page_reads_and_writes_with_cookies() {
    let server = site().serve();
    let alice = token("alice", &json!({"user_id": 1}));
    let (front, signature) = halves(&alice);
    let cookie = format!(
        "edx-jwt-cookie-header-payload={front}; edx-jwt-cookie-signature={signature}; csrftoken={CSRF}"
    );
    let read = |origin| ask(&server, "GET", ROWS, &[("origin", origin), ("cookie", &cookie)], None);
    let answer = read(PAGE);
    assert_eq!((answer.json(200)["count"].as_u64(), readable(&answer)), (Some(0), MINE));
    assert!(answer.header("vary").unwrap().contains("Origin"), "{:?}", answer.headers);
    assert!(answer.header("access-control-expose-headers").unwrap().contains("Retry-After"));
    let answer = read("http://localhost:1997");
    assert_eq!(readable(&answer).0, Some("http://localhost:1997"));
    for stranger in [STRANGER, "http://apps.example.com", "https://apps.example.com:444", "null"] {
        let answer = read(stranger);
        assert_eq!(readable(&answer), (None, None), "{stranger}");
        assert!(answer.all("vary").join(", ").contains("Origin"), "a cache keeps the two apart");
    }

    let write = |origin, csrf| {
        let headers = [
            ("origin", origin),
            ("cookie", cookie.as_str()),
            ("x-csrftoken", csrf),
            ("content-type", "application/json"),
        ];
        let body = json!({"course_id": "course-v1:edX+DemoX+2026"}).to_string();
        ask(&server, "POST", ROWS, &headers, Some(&body))
    };
    let refused = write(STRANGER, CSRF);
    assert_eq!((refused.status, readable(&refused)), (401, (None, None)));
    let refused = write(PAGE, "zbcdefghijklmnopqrstuvwxyz012345");
    assert_eq!((refused.status, readable(&refused)), (401, MINE), "a refusal can be read as well");
    let created = write(PAGE, CSRF);
    assert_eq!((created.status, readable(&created)), (201, MINE), "{}", created.text());
    assert_eq!(read(PAGE).json(200)["count"], 1, "only that one was done");
}

#[test]
fn every_kind_of_answer_can_be_read() {
    let server = site().serve();
    let alice = format!("JWT {}", token("alice", &json!({})));
    let from = ("origin", PAGE);
    let mine = ("authorization", alice.as_str());
    for (method, path, headers, status) in [
        ("GET", ROWS, vec![from], 401),
        ("GET", "/sample-plugin/api/v1/course-archive-status/7/", vec![from, mine], 404),
        ("DELETE", ROWS, vec![from, mine], 405),
        ("GET", ROWS, vec![from, mine, ("accept", "text/html")], 406),
        ("GET", "/sample-plugin/api/v1/course-archive-status", vec![from, mine], 301),
        ("GET", "/sample-plugin/nothing/", vec![from, mine], 404),
        ("OPTIONS", ROWS, vec![from, mine], 200),
    ] {
        let answer = ask(&server, method, path, &headers, None);
        assert_eq!((answer.status, readable(&answer)), (status, MINE), "{method} {path}");
        let vary = answer.all("vary").join(", ");
        assert!(vary.contains("Origin"), "{method} {path}: {vary}");
    }
}

#[test]
fn hooks_are_not_for_pages() {
    let server = site().serve();
    let staff = format!("JWT {}", token("ops", &json!({"administrator": true})));
    let headers = [("origin", PAGE), ("authorization", staff.as_str())];
    for path in ["/hooks/", "/metrics", "/healthz"] {
        let answer = ask(&server, "GET", path, &headers, None);
        assert_eq!((answer.status, readable(&answer)), (200, (None, None)), "{path}");
    }
    let asked = [("origin", PAGE), ("access-control-request-method", "POST")];
    let answer = ask(&server, "OPTIONS", "/hooks/events", &asked, None);
    assert!(answer.status >= 400 && readable(&answer) == (None, None), "{answer:?}");
}

#[test]
fn without_configured_origins_no_page_may() {
    let site = Site::new(&unthrottled(jwt::AUTH));
    let server = site.serve();
    let alice = format!("JWT {}", token("alice", &json!({})));
    let url = format!("{}{ROWS}", server.url());
    let answer = http::send("GET", &url, &[("origin", PAGE), ("authorization", &alice)], b"").unwrap();
    assert_eq!(answer.status, 200, "nobody but browsers looks at origins");
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), ("", ""));
    let asked = [("origin", PAGE), ("access-control-request-method", "PATCH")];
    assert_eq!(ask(&server, "OPTIONS", ROWS, &asked, None).status, 401);
}
