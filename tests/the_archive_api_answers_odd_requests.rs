//! Requests at the edges that the recorded cases do not reach, as a differential run against the Django plugin found
//! them: cookies, spelled methods, pages of Django's own, forms in parts.

use serde_json::Value;

use crate::support::raw::{Raw, exchange};
use crate::support::{Server, Site};

const LIST: &str = "/sample-plugin/api/v1/course-archive-status/";
const CSRF: &str = "abcdefghijklmnopqrstuvwxyzABCDEF";

struct Odd {
    server: Server,
    token: String,
}

impl Odd {
    fn new() -> Self {
        let site = Site::new("[plugins]\nsamples = false\n[archive]\nrate_limit = \"unlimited\"\n");
        let server = site.serve();
        let token = site.token(&["--user", "alice", "--user-id", "1"]);
        Self { server, token }
    }

    fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        let (method, path) = line.split_once(' ').unwrap();
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.replace("TOKEN", &self.token)))
            .collect();
        exchange(self.server.address(), method, path, &headers, Some(body.as_bytes()))
    }

    /// The same with the token in the header.
    fn shown(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        self.send(line, &[&[("Authorization", "JWT TOKEN")], headers].concat(), body)
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const COOKIES: (&str, &str) = ("Cookie", "edx-jwt-cookie=TOKEN; csrftoken=abcdefghijklmnopqrstuvwxyzABCDEF");

#[test]
fn answers_to_cookies_vary_by_cookie() {
    let odd = Odd::new();
    let by_cookie = odd.send(&format!("GET {LIST}"), &[COOKIES], "");
    assert_eq!((by_cookie.status, by_cookie.header("vary")), (200, Some("Cookie")), "{}", by_cookie.text());
    let missing = odd.send(&format!("GET {LIST}1/"), &[COOKIES], "");
    assert_eq!((missing.status, missing.header("vary")), (404, Some("Cookie")));
    let shown = odd.shown(&format!("GET {LIST}"), &[], "");
    assert_eq!((shown.status, shown.header("vary")), (200, None));
    let format = odd.send("GET /sample-plugin/api/v1/.xml", &[], "");
    assert_eq!((format.status, format.header("vary")), (404, None));
    let empty = odd.send("GET /sample-plugin/api/v1/", &[("Cookie", "edx-jwt-cookie=")], "");
    assert_eq!((empty.status, empty.header("vary")), (401, None), "{}", empty.text());
    assert_eq!(empty.json(401)["detail"], "Invalid token.");
}

#[test]
fn a_form_may_hold_the_csrf_token_and_must_be_readable() {
    let odd = Odd::new();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let course = "course_id=course-v1%3Aa%2Bb%2Bc";
    let post = format!("POST {LIST}");
    let without = odd.send(&post, &[COOKIES, form], course);
    assert_eq!(without.json(401)["detail"], "Authentication credentials were not provided.");
    let wrong =
        odd.send(&post, &[COOKIES, form, ("X-CSRFToken", CSRF)], &format!("{course}&csrfmiddlewaretoken=x"));
    assert_eq!(wrong.status, 401, "the form's own token goes before the header");
    let with = odd.send(&post, &[COOKIES, form], &format!("{course}&csrfmiddlewaretoken={CSRF}"));
    assert_eq!(with.json(201)["course_id"], "course-v1:a+b+c");
    let put = format!("PUT {LIST}1/");
    let put = odd.send(&put, &[COOKIES, form], &format!("{course}&csrfmiddlewaretoken={CSRF}"));
    assert_eq!(put.status, 401, "only a POST is looked into");
    // A body that cannot be read is no login at all, with cookies; with the header it is what it is.
    let broken = odd.send(&post, &[COOKIES, JSON, ("X-CSRFToken", CSRF)], "{");
    assert_eq!((broken.status, broken.header("vary")), (401, Some("Cookie")));
    assert_eq!(odd.shown(&post, &[JSON], "{").status, 400);
}

#[test]
fn methods_may_be_spelled_in_small_letters() {
    let odd = Odd::new();
    let body = "{\"course_id\":\"course-v1:a+b+c\"}";
    let id = odd.shown(&format!("post {LIST}"), &[JSON], body).json(201)["id"].clone();
    let patched = odd.shown(&format!("patch {LIST}{id}/"), &[JSON], "{\"is_archived\":true}");
    assert_eq!(patched.json(200)["is_archived"], true);
    let refused = odd.shown(&format!("puT {LIST}"), &[JSON], body);
    assert_eq!(refused.json(405)["detail"], "Method \"PUT\" not allowed.");
}

#[test]
fn what_django_refuses_before_the_api_is_a_page() {
    let odd = Odd::new();
    let many = "a&".repeat(1_000);
    let fields = "a=1&".repeat(1_001);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for answer in [
        odd.send(&format!("GET {LIST}?{many}"), &[("Accept", "text/html")], ""),
        odd.shown(&format!("POST {LIST}"), &[form], &fields),
        odd.shown(&format!("GET {LIST}"), &[("Host", "a_b")], ""),
        odd.shown(&format!("GET {}", LIST.trim_end_matches('/')), &[("Host", "a:x")], ""),
        odd.shown("GET /sample-plugin/api/v1/nothing/here", &[("Host", "[:]")], ""),
    ] {
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!((answer.header("allow"), answer.header("vary")), (None, None));
    }
    let elsewhere = odd.shown("GET //Sample-Plugin/api/v1/", &[], "");
    assert_eq!((elsewhere.status, elsewhere.header("content-type")), (404, Some("text/html; charset=utf-8")));
}

#[test]
fn parts_are_read_as_django_reads_them() {
    let odd = Odd::new();
    let parts = ("Content-Type", "multipart/form-data; boundary=X");
    let post = |number: u32, more: &str| {
        let body = format!(
            "--X\r\nContent-Disposition: form-data; name=\"course_id\"\r\n\r\ncourse-v1:parts+c+{number}{more}"
        );
        odd.shown(&format!("POST {LIST}"), &[parts], &body)
    };
    let part =
        |name: &str, value: &str| format!("\r\n--X\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}");
    let told = |answer: Raw, status: u16, member: &str, expected: Value| {
        assert_eq!(answer.json(status)[member], expected, "{}", answer.text());
    };
    told(post(1, "\r\n--X--\r\n"), 201, "course_id", "course-v1:parts+c+1".into());
    told(post(2, ""), 201, "course_id", "course-v1:parts+c+2".into());
    told(post(3, &part("name=\"is_archived\"", "yes\r\n--X--\r\n")), 201, "is_archived", true.into());
    told(
        post(4, &part("name=\"course_id\"; filename=\"f.txt\"", "x\r\n--X--\r\n")),
        400,
        "course_id",
        serde_json::json!(["Not a valid string."]),
    );
    told(
        post(5, &part("name=\"user\"; filename=\"\"", "\r\n--X--\r\n")),
        403,
        "detail",
        "You do not have permission to create records for other users.".into(),
    );
    let no_boundary = odd.shown(&format!("POST {LIST}"), &[("Content-Type", "multipart/form-data")], "x");
    let detail = no_boundary.json(400)["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("Multipart form parse error - "), "{detail}");
}
