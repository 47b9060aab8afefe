//! What one user may ask of the archive API: so many requests, so large, so deep; and what is counted of it.

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::raw::{Raw, exchange};
use crate::support::{Server, Site};

const ROOT: &str = "/sample-plugin/api/v1/";
const COURSE: &str = "course-v1:edX+DemoX+2026";

fn throttled(rate: &str) -> Site {
    Site::new(&format!("[plugins]\nsamples = false\n[archive]\nrate_limit = \"{rate}\"\n"))
}

/// A body of any bytes.
#[track_caller]
fn post(server: &Server, person: &Person, media: &str, body: &[u8]) -> Raw {
    let headers = [("authorization", person.authorization.as_str()), ("content-type", media)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    exchange(server.address(), "POST", ROWS, &headers, Some(body))
}

#[test]
fn a_user_has_so_many_requests_and_others_have_theirs() {
    let site = throttled("5/day");
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let bob = Person::new(&site, "bob", 2, &["--staff"]);
    // Any request that is let through counts, whatever becomes of it.
    let id = alice.post(&server, &json!({"course_id": COURSE})).json(201)["id"].clone();
    assert_eq!(alice.post(&server, &json!({})).status, 400);
    assert_eq!(alice.get(&server, &row(&json!(999))).status, 404);
    assert_eq!(alice.ask(&server, "DELETE", ROWS, &Value::Null).status, 405);
    assert_eq!(alice.get(&server, &row(&id)).status, 200);
    for (method, path) in
        [("GET", ROWS.to_owned()), ("GET", row(&id)), ("DELETE", row(&id)), ("OPTIONS", row(&id))]
    {
        let answer = alice.ask(&server, method, &path, &Value::Null);
        let body = answer.json(429);
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=86_400).contains(&seconds), "{seconds}");
        let detail = format!("Request was throttled. Expected available in {seconds} seconds.");
        assert_eq!(body, json!({"detail": detail}));
    }
    assert_eq!(alice.get(&server, ROOT).status, 200, "the root is free");
    assert_eq!(bob.get(&server, &row(&id)).json(200)["user"], 1, "nothing was deleted");
    for _ in 1..5 {
        assert_eq!(bob.get(&server, ROWS).status, 200);
    }
    assert_eq!(bob.get(&server, ROWS).status, 429, "staff as well");
    assert_eq!(bob.get(&server, "/hooks/").status, 200, "hooks are another matter");
    for _ in 0..7 {
        assert_eq!(server.get(ROWS).status, 401, "nobody in particular is not throttled");
    }
}

#[test]
fn a_window_ends() {
    let site = throttled("1/second");
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let statuses = || alice.get(&server, ROWS).status;
    server.until("a request is one too many", |_| statuses() == 429);
    server.until("the window has ended", |_| statuses() == 200);
}

#[test]
fn the_default_is_sixty_a_minute() {
    let site = Site::new("[plugins]\nsamples = false\n");
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let let_through = (0..200).take_while(|_| alice.get(&server, ROWS).status == 200).count();
    // A slow machine may let a part of the window pass meanwhile.
    assert!((60..120).contains(&let_through), "{let_through}");
}

#[test]
fn an_unlimited_user_is_not_throttled() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    assert!((0..100).all(|_| alice.get(&server, ROWS).status == 200));
}

#[test]
fn large_bodies_are_read_and_larger_ones_refused() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let json_of = |course: &str, size: usize| {
        let head = format!("{{\"course_id\":\"{course}\",\"ignored\":\"");
        let padding = "x".repeat(size - head.len() - 2);
        format!("{head}{padding}\"}}").into_bytes()
    };
    let answer = post(&server, &alice, "application/json", &json_of("course-v1:edX+Three+MB", 3_000_000));
    assert_eq!(answer.json(201)["course_id"], "course-v1:edX+Three+MB");
    let limit = 10 * 1024 * 1024;
    let answer = post(&server, &alice, "application/json", &json_of("course-v1:edX+Ten+MiB", limit));
    assert_eq!(answer.status, 201, "exactly as many as are allowed: {}", answer.text());
    for media in ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let answer = post(&server, &alice, media, &json_of("course-v1:edX+Too+Large", limit + 1));
        let body = answer.json(413);
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains("10485760 bytes") && detail.contains("archive.body"), "{detail}");
    }
    assert_eq!(alice.all(&server).len(), 2, "the server goes on, and the refused one left nothing");
}

#[test]
fn the_bodies_limit_is_configured() {
    let site = Site::new(&unthrottled("body = \"2KiB\"\n"));
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let body = |size: usize| json!({"course_id": COURSE, "ignored": "x".repeat(size)}).to_string();
    let answer = post(&server, &alice, "application/json", body(3_000).as_bytes());
    assert!(answer.json(413)["detail"].as_str().unwrap().contains("2048 bytes"), "{}", answer.text());
    assert_eq!(post(&server, &alice, "application/json", body(1_000).as_bytes()).status, 201);
    // Without a length in front it is as large as it turns out to be.
    let chunk = format!("{:x}\r\n{}\r\n", 3_000, "x".repeat(3_000));
    let headers = [
        ("authorization", alice.authorization.as_str()),
        ("content-type", "application/json"),
        ("transfer-encoding", "chunked"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let chunks = format!("{chunk}0\r\n\r\n");
    let answer = exchange(server.address(), "POST", ROWS, &headers, Some(chunks.as_bytes()));
    assert_eq!(answer.status, 413, "{}", answer.text());
}

#[test]
fn nesting_is_bounded() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let nested = |course: &str, levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{\"course_id\":\"{course}\",\"ignored\":{open}{close}}}")
    };
    let sound = nested("course-v1:edX+Deep+1", 900);
    assert_eq!(post(&server, &alice, "application/json", sound.as_bytes()).status, 201);
    for body in
        [nested(COURSE, 1_001), nested(COURSE, 1_000_000), "[".repeat(2_000_000), "{\"a\":".repeat(500_000)]
    {
        let answer = post(&server, &alice, "application/json", body.as_bytes());
        let refusal = answer.json(400);
        let detail = refusal["detail"].as_str().unwrap();
        assert!(detail.starts_with("JSON parse error - "), "{detail}");
        assert!(detail.len() < 200, "it is not repeated: {} characters", detail.len());
    }
    assert_eq!(alice.all(&server).len(), 1);
}

#[test]
fn requests_are_counted_by_what_they_asked_and_got() {
    let site = throttled("7/day");
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let id = alice.post(&server, &json!({"course_id": COURSE})).json(201)["id"].clone();
    alice.post(&server, &json!({"course_id": COURSE})).json(400);
    alice.get(&server, ROWS).json(200);
    alice.patch(&server, &id, &json!({"is_archived": true})).json(200);
    assert_eq!(alice.ask(&server, "PUT", ROWS, &Value::Null).status, 405);
    assert_eq!(alice.delete(&server, &id).status, 204);
    alice.get(&server, &row(&id)).json(404);
    alice.get(&server, ROWS).json(429);
    server.get(ROWS).json(401);
    server.get(ROOT).json(200);
    for (resource, method, status) in [
        ("list", "POST", "201"),
        ("list", "POST", "400"),
        ("list", "GET", "200"),
        ("detail", "PATCH", "200"),
        ("list", "PUT", "405"),
        ("detail", "DELETE", "204"),
        ("detail", "GET", "404"),
        ("list", "GET", "429"),
        ("list", "GET", "401"),
        ("root", "GET", "200"),
    ] {
        let labels = [("resource", resource), ("method", method), ("status", status)];
        let count = server.metric("hookbox_archive_requests_total", &labels);
        assert_eq!(count, 1.0, "{labels:?}");
    }
    assert_eq!(server.metric("hookbox_archive_requests_total", &[]), 10.0, "and nothing else");
    assert_eq!(server.metric("hookbox_archive_request_seconds_count", &[]), 10.0);
    let text = server.get("/metrics").body;
    assert!(!text.contains("alice") && !text.contains(&row(&id)), "no label of a user's or a row's: {text}");
}

#[test]
fn a_method_that_nobody_knows_makes_no_series_of_its_own() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::new(&site, "alice", 1, &[]);
    let headers = [("authorization".to_owned(), alice.authorization.clone())];
    for method in ["BREW", "FROB", "TRACE"] {
        assert_eq!(exchange(server.address(), method, ROWS, &headers, None).status, 405);
    }
    assert_eq!(server.metric("hookbox_archive_requests_total", &[("method", "other")]), 3.0);
}
