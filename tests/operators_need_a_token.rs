//! Filters, events and the list of hooks are for operators: staff, superusers, and tokens with the scope `hooks:run`.

use serde_json::{Value, json};

use crate::support::archive::unthrottled;
use crate::support::http::{self, Answer};
use crate::support::jwt::{self, halves, now, signed, token};
use crate::support::site::run;
use crate::support::{ABOUT_URL, CATALOG_INFO, COURSE, OLD_URL, Server, Site, about, catalog_info, event};

const CSRF: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn site() -> Site {
    Site::new(jwt::AUTH)
}

/// A request with these headers and nothing that the server's helper would add.
#[track_caller]
fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    http::send(method, &format!("{}{path}", server.url()), headers, body.as_bytes()).unwrap()
}

/// One request to each guarded path, with these headers. All are answered alike but for who asks.
#[track_caller]
fn everywhere(server: &Server, headers: &[(&str, &str)]) -> Vec<(String, Answer)> {
    let show = format!("/hooks/{ABOUT_URL}");
    let filter = format!("/hooks/filters/{ABOUT_URL}");
    let json = ("content-type", "application/json");
    let cloud = ("content-type", "application/cloudevents+json");
    let requests = [
        ("GET", "/hooks", None, String::new()),
        ("GET", "/hooks/", None, String::new()),
        ("GET", &show, None, String::new()),
        ("POST", &filter, Some(json), about(OLD_URL).to_string()),
        ("POST", "/hooks/events", Some(cloud), event("1", CATALOG_INFO, &catalog_info(COURSE)).to_string()),
    ];
    let requests = requests.into_iter().map(|(method, path, media, body)| {
        let headers: Vec<_> = headers.iter().copied().chain(media).collect();
        (format!("{method} {path}"), send(server, method, path, &headers, &body))
    });
    requests.collect()
}

#[track_caller]
fn let_in(server: &Server, headers: &[(&str, &str)]) {
    for (request, answer) in everywhere(server, headers) {
        let right = if request.ends_with("/events") { 202 } else { 200 };
        assert_eq!(answer.status, right, "{request}: {answer:?}");
    }
}

#[track_caller]
fn unauthenticated(answer: &Answer, detail: &str) {
    let problem = answer.problem(401, "unauthenticated");
    assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    assert_eq!(answer.header("www-authenticate"), "JWT realm=\"api\"", "{answer:?}");
}

fn bearer(token: &str) -> String {
    format!("JWT {token}")
}

#[test]
fn without_a_token_nobody_gets_in() {
    let server = site().serve();
    for (_, answer) in everywhere(&server, &[]) {
        unauthenticated(&answer, "Authentication credentials were not provided.");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(send(&server, "GET", path, &[], "").status, 200, "{path} needs none");
    }
    // The guard stands before everything that would tell what is there.
    for (method, path) in [("POST", "/hooks/filters/none"), ("GET", "/hooks/none")] {
        unauthenticated(&send(&server, method, path, &[], "no JSON"), "Authentication");
    }
}

#[test]
fn a_token_that_is_no_good_gets_nobody_in() {
    let server = site().serve();
    let staff = json!({"administrator": true, "scopes": ["hooks:run"]});
    let with = |name: &str, value: Value| {
        let mut claims = staff.clone();
        claims[name] = value;
        token("ops", &claims)
    };
    let good = token("ops", &staff);
    let (front, signature) = halves(&good);
    let turned: String = signature.chars().rev().collect();
    let tampered = format!("{front}.{turned}");
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", front.split_once('.').unwrap().1);
    for (what, token) in [
        ("expired", with("exp", json!(now() - 1))),
        ("from the future", with("iat", json!(now() + 600))),
        ("not yet", with("nbf", json!(now() + 600))),
        ("of a newer version", with("version", json!("2.0.0"))),
        ("by another key", signed("another secret of at least 32 bytes", "ops", &staff)),
        ("tampered with", tampered),
        ("unsigned", unsigned),
        ("no token", "not.a.token".to_owned()),
    ] {
        for (request, answer) in everywhere(&server, &[("authorization", &bearer(&token))]) {
            assert_eq!(answer.status, 401, "{what}: {request}");
            unauthenticated(&answer, "Invalid token.");
        }
    }
    let nameless = with("preferred_username", json!(""));
    let answer = send(&server, "GET", "/hooks/", &[("authorization", &bearer(&nameless))], "");
    unauthenticated(&answer, "JWT must include a preferred_username or username claim!");
    let answer = send(&server, "GET", "/hooks/", &[("authorization", &format!("Bearer {good}"))], "");
    unauthenticated(&answer, "Authentication credentials were not provided.");
    let_in(&server, &[("authorization", &bearer(&good))]);
}

#[test]
fn regular_users_are_forbidden() {
    let server = site().serve();
    for (what, claims) in [
        ("no mark", json!({})),
        ("marks that say no", json!({"administrator": false, "superuser": false})),
        ("other scopes", json!({"scopes": ["hooks", "hooks:run:x", "HOOKS:RUN", "profile"]})),
        ("scopes that are no list", json!({"scopes": "hooks:run"})),
        ("staff of a restricted application", json!({"administrator": true, "is_restricted": true})),
    ] {
        let authorization = bearer(&token("regular", &claims));
        for (request, answer) in everywhere(&server, &[("authorization", &authorization)]) {
            assert_eq!(answer.status, 403, "{what}: {request}: {answer:?}");
            let problem = answer.problem(403, "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains("hooks:run"), "{problem}");
            assert_eq!(answer.header("www-authenticate"), "", "{what}");
        }
    }
}

#[test]
fn operators_get_in() {
    let server = site().serve();
    for claims in [
        json!({"administrator": true}),
        json!({"superuser": true}),
        json!({"scopes": ["profile", "hooks:run"]}),
        // The scope is what such an application was given it for.
        json!({"scopes": ["hooks:run"], "is_restricted": true}),
    ] {
        let_in(&server, &[("authorization", &bearer(&token("operator", &claims)))]);
    }
}

#[test]
fn marks_go_with_the_token_that_takes_them_away() {
    let server = site().serve();
    let status = |claims: Value| {
        let authorization = bearer(&token("ops", &claims));
        send(&server, "GET", "/hooks/", &[("authorization", &authorization)], "").status
    };
    assert_eq!(status(json!({"administrator": true})), 200);
    assert_eq!(status(json!({})), 200, "a token that says nothing leaves the mark");
    assert_eq!(status(json!({"administrator": false})), 403);
    assert_eq!(status(json!({})), 403);
}

#[test]
fn cookies_do_for_reading_and_with_the_csrf_pair_for_calling() {
    let server = site().serve();
    let staff = token("ops", &json!({"administrator": true}));
    let (front, signature) = halves(&staff);
    let split = format!("edx-jwt-cookie-header-payload={front}; edx-jwt-cookie-signature={signature}");
    let whole = format!("edx-jwt-cookie={staff}");
    for cookie in [&split, &whole] {
        for (request, answer) in everywhere(&server, &[("cookie", cookie)]) {
            if request.starts_with("GET") {
                assert_eq!(answer.status, 200, "{request}: {answer:?}");
            } else {
                unauthenticated(&answer, "Authentication credentials were not provided.");
            }
        }
        let cookie = format!("{cookie}; csrftoken={CSRF}");
        let_in(&server, &[("cookie", &cookie), ("x-csrftoken", CSRF)]);
        let other = CSRF.replace('a', "z");
        let wrong = [("cookie", cookie.as_str()), ("x-csrftoken", &other)];
        assert!(everywhere(&server, &wrong).iter().all(|(_, answer)| [200, 401].contains(&answer.status)));
        let foreign =
            [("cookie", cookie.as_str()), ("x-csrftoken", CSRF), ("origin", "https://evil.example.com")];
        for (request, answer) in everywhere(&server, &foreign) {
            assert_eq!(answer.status, if request.starts_with("GET") { 200 } else { 401 }, "{request}");
        }
    }
    let half = format!("edx-jwt-cookie-header-payload={front}");
    unauthenticated(&send(&server, "GET", "/hooks/", &[("cookie", &half)], ""), "Authentication");
    let regular = format!("edx-jwt-cookie={}", token("regular", &json!({})));
    send(&server, "GET", "/hooks/", &[("cookie", &regular)], "").problem(403, "forbidden");
}

#[test]
fn a_host_behind_a_platform_takes_its_tokens_alone() {
    let configuration =
        format!("{}audience = \"openedx\"\nissuers = [\"https://lms.example.com/oauth2\"]\n", jwt::AUTH);
    let server = Site::new(&configuration).serve();
    let get = |claims: Value| {
        let authorization = bearer(&token("ops", &claims));
        send(&server, "GET", "/hooks/", &[("authorization", &authorization)], "").status
    };
    assert_eq!(get(json!({"administrator": true})), 200);
    assert_eq!(get(json!({"administrator": true, "aud": "another"})), 401);
    assert_eq!(get(json!({"administrator": true, "iss": "https://lms.example.com"})), 401);
    assert_eq!(server.operator().split(' ').next(), Some("JWT"));
    assert_eq!(server.get("/hooks/").status, 200, "its own command knows both");
}

#[test]
fn the_command_sends_events_with_its_own_secret_or_a_given_token() {
    let site = Site::empty();
    let server = site.serve();
    let data = catalog_info(COURSE).to_string();
    let send = |variables: &[(&str, &str)]| {
        let mut command =
            site.command(&["event", "send", CATALOG_INFO, "--data", &data, "--url", server.url()]);
        command.envs(variables.iter().copied());
        run(command)
    };
    let folder = site.data();
    let beside = ("HOOKBOX_SERVER__DATA", folder.to_str().unwrap());
    send(&[beside]).exits(0).prints(&["accepted", "1 receiver"]);
    send(&[]).exits(1).explains(&["401", "Authentication credentials were not provided."]);
    assert!(!site.path().join("hookbox-data").exists(), "a question makes no secret");
    let good = site.token(&["--user", "ci", "--scope", "hooks:run"]);
    send(&[("HOOKBOX_TOKEN", &good)]).exits(0);
    let regular = site.token(&["--user", "alice"]);
    send(&[("HOOKBOX_TOKEN", &regular)]).exits(1).explains(&["403", "hooks:run"]);
}

#[test]
fn authentications_are_counted_by_how_they_went() {
    let server = Site::new(&unthrottled(jwt::AUTH)).serve();
    let staff = token("ops", &json!({"administrator": true}));
    let cookie = format!("edx-jwt-cookie={staff}");
    let nameless = bearer(&token("", &json!({})));
    for (label, header) in [
        ("success-auth-header", Some(("authorization", bearer(&staff)))),
        ("success-cookie", Some(("cookie", cookie))),
        ("not-provided", None),
        ("invalid-token", Some(("authorization", bearer("not.a.token")))),
        ("no-username", Some(("authorization", nameless))),
    ] {
        let count = || server.metric("hookbox_authentications_total", &[("result", label)]);
        let before = count();
        let headers: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for path in ["/hooks/", crate::support::archive::ROWS] {
            send(&server, "GET", path, &headers, "");
        }
        assert_eq!(count() - before, 2.0, "{label}");
    }
}
