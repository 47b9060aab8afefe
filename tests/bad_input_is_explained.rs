//! Whatever a caller sends, the answer says what was wrong with it, in a form that programs read; and the server goes on.

use serde_json::{Value, json};

use crate::support::{
    ABOUT_URL, CATALOG_INFO, COURSE, NEW_URL, OLD_URL, Server, Site, about, catalog_info, event,
};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const STRUCTURED: &[(&str, &str)] = &[("content-type", "application/cloudevents+json")];
const BATCH: &[(&str, &str)] = &[("content-type", "application/cloudevents-batch+json")];

/// One request that cannot be answered, and what must be said of it.
struct Bad {
    what: &'static str,
    method: &'static str,
    path: String,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    /// Parts of `detail`.
    says: &'static [&'static str],
    /// Members of the answer.
    members: Value,
}

fn about_path() -> String {
    format!("/hooks/filters/{ABOUT_URL}")
}

fn to_filter(
    what: &'static str,
    body: impl Into<Vec<u8>>,
    status: u16,
    code: &'static str,
    says: &'static [&'static str],
) -> Bad {
    Bad {
        what,
        method: "POST",
        path: about_path(),
        headers: JSON,
        body: body.into(),
        status,
        code,
        says,
        members: json!({}),
    }
}

fn to_events(
    what: &'static str,
    body: &Value,
    status: u16,
    code: &'static str,
    says: &'static [&'static str],
) -> Bad {
    let body = body.to_string().into_bytes();
    Bad {
        what,
        method: "POST",
        path: "/hooks/events".into(),
        headers: STRUCTURED,
        body,
        status,
        code,
        says,
        members: json!({}),
    }
}

fn to_path(
    what: &'static str,
    method: &'static str,
    path: &str,
    status: u16,
    code: &'static str,
    says: &'static [&'static str],
) -> Bad {
    Bad {
        what,
        method,
        path: path.into(),
        headers: JSON,
        body: b"{}".to_vec(),
        status,
        code,
        says,
        members: json!({}),
    }
}

impl Bad {
    fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members[name] = value.into();
        self
    }
}

/// So many arrays, one in the other, as the value of an argument.
fn nested(levels: usize) -> Vec<u8> {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    format!(r#"{{"url": "/", "org": "edX", "extra": {open}{close}}}"#).into_bytes()
}

/// An event without one of its members.
fn without(member: &str) -> Value {
    let mut event = event("1", CATALOG_INFO, &catalog_info(COURSE));
    event.as_object_mut().unwrap().shift_remove(member);
    event
}

fn bad_filter_calls() -> Vec<Bad> {
    let fine = about(OLD_URL).to_string();
    vec![
        to_filter("no content type", fine.clone(), 415, "unsupported-media-type", &["application/json"])
            .headers(&[]),
        to_filter("a form", "url=x", 415, "unsupported-media-type", &["application/json"])
            .headers(&[("content-type", "application/x-www-form-urlencoded")]),
        to_filter("text", fine, 415, "unsupported-media-type", &[])
            .headers(&[("content-type", "text/plain")]),
        to_filter("no body", "", 400, "invalid-json", &["line 1"]),
        to_filter("no JSON", "{\"url\": ", 400, "invalid-json", &["not JSON", "line 1 column 8"]),
        to_filter("two documents", "{} {}", 400, "invalid-json", &["trailing"]),
        to_filter("no UTF-8", &b"{\"url\": \"\xff\"}"[..], 400, "invalid-json", &[]),
        to_filter("a list", "[]", 422, "not-an-object", &["a JSON object", "an array"]),
        to_filter("null", "null", 422, "not-an-object", &["null"]),
        to_filter(
            "a missing argument",
            r#"{"url": "/"}"#,
            422,
            "argument",
            &["org: expected a string, found nothing"],
        )
        .member("path", "org"),
        to_filter(
            "an argument of another type",
            r#"{"url": 5, "org": "edX"}"#,
            422,
            "argument",
            &["url", "the number 5"],
        )
        .member("path", "url")
        .member("expected", "a string"),
        to_filter(
            "null for an argument",
            r#"{"url": null, "org": "edX"}"#,
            422,
            "argument",
            &["url", "null"],
        )
        .member("found", "null"),
        to_filter("deep nesting", nested(70), 422, "json-too-deep", &["64"]),
        to_filter("very deep nesting", nested(3_000), 400, "invalid-json", &["recursion limit"]),
        to_filter("a large body", vec![b' '; 9_000], 413, "body-too-large", &["server.body"]),
        to_path(
            "a filter that is not there",
            "POST",
            "/hooks/filters/org.openedx.learning.course_about.page.url.request.v1",
            404,
            "unknown-filter",
            &["course_about.page.url.request.v1", "did you mean"],
        )
        .member("nearest", ABOUT_URL),
        to_path(
            "a filter like no other",
            "POST",
            "/hooks/filters/xyz",
            404,
            "unknown-filter",
            &["\"xyz\"", "GET /hooks/"],
        ),
        to_path(
            "an event called as a filter",
            "POST",
            &format!("/hooks/filters/{CATALOG_INFO}"),
            404,
            "unknown-filter",
            &[],
        ),
        to_path("a type that is no text", "POST", "/hooks/filters/%ff", 400, "bad-path", &["UTF-8"]),
    ]
}

fn bad_events() -> Vec<Bad> {
    let mut ill_typed = event("1", CATALOG_INFO, &catalog_info(COURSE));
    ill_typed["data"]["catalog_info"]["schedule_data"]["start"] = json!("tomorrow");
    let mut incomplete = event("1", CATALOG_INFO, &catalog_info(COURSE));
    incomplete["data"]["catalog_info"].as_object_mut().unwrap().shift_remove("course_key");
    let deep: Value = serde_json::from_slice(&nested(70)).unwrap();
    vec![
        to_events("no id", &without("id"), 400, "cloudevents-attribute-missing", &["id"]),
        to_events("no source", &without("source"), 400, "cloudevents-attribute-missing", &["source"]),
        to_events("no type", &without("type"), 400, "cloudevents-attribute-missing", &["type"]),
        to_events(
            "no specversion",
            &without("specversion"),
            400,
            "cloudevents-attribute-missing",
            &["specversion"],
        ),
        to_events("no data", &without("data"), 400, "cloudevents-data-missing", &["data"]),
        to_events("a list as an event", &json!([]), 400, "cloudevents-not-an-object", &["an array"]),
        to_events("an event as a batch", &without(""), 400, "cloudevents-not-a-batch", &["an object"])
            .headers(BATCH),
        to_events(
            "no id in a batch",
            &json!([without(""), without("id")]),
            400,
            "cloudevents-attribute-missing",
            &["event 1"],
        )
        .headers(BATCH),
        to_events(
            "data of another type",
            &ill_typed,
            422,
            "event-data",
            &["data.catalog_info.schedule_data.start"],
        )
        .member("path", "data.catalog_info.schedule_data.start"),
        to_events("incomplete data", &incomplete, 422, "event-data", &["found nothing"])
            .member("path", "data.catalog_info.course_key"),
        to_events("deep data", &event("1", CATALOG_INFO, &deep), 422, "json-too-deep", &["64"]),
        to_events(
            "an event that is not there",
            &event("1", "org.openedx.content_authoring.course.catalog_info.change.v1", &json!({})),
            404,
            "unknown-event",
            &["did you mean"],
        )
        .member("nearest", CATALOG_INFO),
        to_events(
            "a filter posted as an event",
            &event("1", ABOUT_URL, &about(OLD_URL)),
            404,
            "unknown-event",
            &[],
        ),
        to_events("no JSON", &Value::Null, 400, "cloudevents-not-an-object", &["null"]),
        to_events(
            "binary without attributes",
            &catalog_info(COURSE),
            400,
            "cloudevents-attribute-missing",
            &[],
        )
        .headers(JSON),
        to_events(
            "another format",
            &without(""),
            415,
            "cloudevents-format-unsupported",
            &["cloudevents+avro"],
        )
        .headers(&[("content-type", "application/cloudevents+avro")]),
        Bad {
            body: vec![b' '; 9_000],
            ..to_events("a large body", &Value::Null, 413, "body-too-large", &["server.body"])
        },
    ]
}

fn bad_paths() -> Vec<Bad> {
    vec![
        to_path("GET of a filter", "GET", &about_path(), 405, "method-not-allowed", &["Allow"]),
        to_path("DELETE of a filter", "DELETE", &about_path(), 405, "method-not-allowed", &[]),
        to_path("GET of events", "GET", "/hooks/events", 405, "method-not-allowed", &[]),
        to_path("POST to the overview", "POST", "/hooks/", 405, "method-not-allowed", &[]),
        to_path("an unknown path", "GET", "/admin", 404, "not-found", &["/admin"]),
        to_path("the root", "GET", "/", 404, "not-found", &[]),
        to_path(
            "an unknown hook",
            "GET",
            "/hooks/org.openedx.learning.course_about.page.url.request.v1",
            404,
            "unknown-hook",
            &["did you mean"],
        )
        .member("nearest", ABOUT_URL),
        to_path("a hook that is no text", "GET", "/hooks/%ff", 400, "bad-path", &["UTF-8"]),
    ]
}

/// Sends each, holds the answer to its row, and the server to its work.
fn all_are_explained(server: &Server, bad: Vec<Bad>) {
    for bad in bad {
        let what = bad.what;
        let answer = server.send(bad.method, &bad.path, bad.headers, bad.body);
        assert_eq!((answer.status, what), (bad.status, what), "{answer:?}");
        let problem = answer.problem(bad.status, bad.code);
        let detail = problem["detail"].as_str().unwrap();
        for part in bad.says {
            assert!(detail.contains(part), "{what}: no {part:?} in {detail:?}");
        }
        for (name, value) in bad.members.as_object().unwrap() {
            assert_eq!(problem[name], *value, "{what}: {problem}");
        }
        if bad.status == 405 {
            let allowed = if bad.path == "/hooks/" { "GET" } else { "POST" };
            assert!(answer.header("allow").contains(allowed), "{what}: {answer:?}");
        }
    }
    let answer = server.filter(ABOUT_URL, &about(OLD_URL)).json(200);
    assert_eq!(answer["kwargs"]["url"], NEW_URL);
    assert_eq!(server.get("/healthz").body, "ok\n");
    assert!(!server.log().contains("panic"), "{}", server.log());
}

fn server() -> Server {
    Site::new("[server]\nbody = \"8KiB\"\n").serve()
}

#[test]
fn of_a_filter_call() {
    all_are_explained(&server(), bad_filter_calls());
}

#[test]
fn of_an_event() {
    let server = server();
    all_are_explained(&server, bad_events());
    assert_eq!(server.metric("hookbox_events_accepted_total", &[]), 0.0);
}

#[test]
fn of_a_path() {
    all_are_explained(&server(), bad_paths());
}

#[test]
fn json_in_other_clothes_is_json() {
    let server = server();
    for content_type in
        ["application/json; charset=utf-8", "Application/JSON", "application/vnd.example+json"]
    {
        let answer =
            server.send("POST", &about_path(), &[("content-type", content_type)], about(OLD_URL).to_string());
        assert_eq!(answer.json(200)["kwargs"]["url"], NEW_URL, "{content_type}");
    }
}
