//! The document against the real routes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use hookbox_plugins::{Registry, RegistryOptions};
use hookbox_sandbox::{Sandbox, SandboxOptions};
use hookbox_store::Store;
use serde_json::Value;
use tower::ServiceExt;

use super::{document, object, operations, resolved};
use crate::app::{App, router};
use crate::archive::route::{Resource, Route, route};
use crate::auth::TokenRequest;
use crate::config::Config;
use crate::identity::HOOKS_RUN;
use crate::openapi::{DOCS, OPENAPI, admin, events, hooks};

/// A host without plugins, and a token for its hooks.
struct Host {
    router: Router,
    token: String,
    _data: tempfile::TempDir,
}

impl Host {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data = data.path().to_owned();
        let store = Store::open(&config.database_options()).unwrap();
        let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
        let options = RegistryOptions {
            sandbox: sandbox.clone(),
            store: store.clone(),
            data: data.path().to_owned(),
            samples: &[],
        };
        let registry = Registry::open(options).await.unwrap();
        let reread = Arc::new(|| Ok(Config::default()));
        let app: Arc<App> = App::new(sandbox, store, registry, &config, reread).unwrap();
        let token = app.auth.sign(&TokenRequest {
            username: "lms".into(),
            user_id: None,
            email: None,
            staff: false,
            superuser: false,
            scopes: vec![HOOKS_RUN.into()],
            ttl: Duration::from_secs(600),
        });
        Self { token: token.unwrap(), router: router(app), _data: data }
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }

    async fn status(&self, method: Method, path: &str) -> StatusCode {
        self.ask(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await.0
    }

    /// The paths of the routes, as they are written in the router.
    fn paths(&self) -> BTreeSet<String> {
        // Routers do not list their routes, but show them to whoever debugs.
        let shown = format!("{:?}", self.router);
        let (_, inside) = shown.split_once("paths: {").expect("a router that shows its paths");
        let (inside, _) = inside.split_once("} }").expect("paths that end");
        inside.split('"').filter(|piece| piece.starts_with('/')).map(str::to_owned).collect()
    }
}

/// A path that a request can have.
fn concrete(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_path_is_a_route() {
    let host = Host::new().await;
    let document = document();
    let paths = host.paths();
    assert!(paths.contains("/healthz") && paths.contains("/hooks/{hook_type}"), "{paths:?}");
    // The archive's routes take everything below a prefix; the paths in it have a test of their own.
    let in_archive = |path: &&String| path.starts_with("/sample-plugin");
    // A slash at the end is no other resource.
    let routed: BTreeSet<_> =
        paths.iter().filter(|path| !in_archive(path)).map(|path| path.trim_end_matches('/')).collect();
    let documented: BTreeSet<_> = object(&document["paths"])
        .map(|(path, _)| path)
        .filter(|path| !in_archive(path))
        .map(|path| path.trim_end_matches('/'))
        .collect();
    assert_eq!(routed, documented);
}

#[tokio::test]
async fn routes_take_the_documented_methods_and_no_others() {
    let host = Host::new().await;
    let document = document();
    for (path, item) in object(&document["paths"]).filter(|(path, _)| !path.starts_with("/sample-plugin")) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let documented = item.get(method.to_lowercase()).is_some();
            let status = host.status(method.parse().unwrap(), &concrete(path)).await;
            assert_ne!(status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(documented, status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {status}");
            if !documented {
                continue;
            }
            let open = item[method.to_lowercase()].get("security").is_none();
            assert_eq!(open, status != StatusCode::UNAUTHORIZED, "{method} {path}: {status}");
            if method == "GET" {
                assert_eq!(host.status(Method::HEAD, &concrete(path)).await, status, "HEAD {path}");
            }
        }
    }
}

#[test]
fn the_archives_paths_and_methods_are_the_documented_ones() {
    let document = document();
    let mut found = Vec::new();
    for (path, item) in object(&document["paths"]).filter(|(path, _)| path.starts_with("/sample-plugin")) {
        let Route::To { resource, suffix: None } = route(&concrete(path)) else {
            panic!("{path} is no resource")
        };
        let mut documented: BTreeSet<_> = super::METHODS
            .iter()
            .filter(|method| item.get(method).is_some())
            .map(|method| method.to_uppercase())
            .collect();
        assert!(
            documented.contains("GET") && documented.insert("HEAD".into()),
            "HEAD goes without saying: {path}"
        );
        let allowed: BTreeSet<_> = resource.allow().split(", ").map(str::to_owned).collect();
        assert_eq!(documented, allowed, "{path}");
        found.push(match resource {
            // A new resource belongs into the document, and here.
            Resource::Root => "root",
            Resource::List => "list",
            Resource::Detail(_) => "detail",
        });
    }
    assert_eq!(found, ["root", "list", "detail"]);
}

/// The documented examples of a problem's code, or of an archive's answer.
fn examples<'a>(document: &'a Value, path: &str, method: &str, status: StatusCode) -> Vec<&'a Value> {
    let response = &document["paths"][path][method]["responses"][status.as_str()];
    assert!(!response.is_null(), "{method} {path}: {status} is not documented");
    let contents = object(&resolved(document, response)["content"]);
    contents
        .flat_map(|(_, content)| {
            let named = object(&content["examples"]).map(|(_, example)| &example["value"]);
            content.get("example").into_iter().chain(named).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn what_really_goes_wrong_is_among_the_documented_problems() {
    let host = Host::new().await;
    let document = document();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70));
    let large = format!("\"{}\"", "a".repeat(2 << 20));
    let json = "application/json";
    let filters = "/hooks/filters/{filter_type}";
    let filter = format!("/hooks/filters/{}", hooks::FILTER);
    for (path, uri, media, body, code) in [
        (filters, filter.as_str(), "text/plain", "{}", "unsupported-media-type"),
        (filters, filter.as_str(), json, "{", "invalid-json"),
        (filters, filter.as_str(), json, "[]", "not-an-object"),
        (filters, filter.as_str(), json, deep.as_str(), "json-too-deep"),
        (filters, filter.as_str(), json, large.as_str(), "body-too-large"),
        (filters, filter.as_str(), json, "{}", "starting"),
        (filters, "/hooks/filters/%ff", json, "{}", "bad-path"),
        (events::PATH, events::PATH, json, large.as_str(), "body-too-large"),
        (events::PATH, events::PATH, json, "{}", "starting"),
        // The token is a service's, not a person's.
        (admin::LIFT, "/admin/api/plugins/1/lift", json, "", "forbidden"),
    ] {
        let request = Request::post(uri)
            .header(header::AUTHORIZATION, format!("JWT {}", host.token))
            .header(header::CONTENT_TYPE, media)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let (status, headers, body) = host.ask(request).await;
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        let known = examples(&document, path, "post", status);
        assert!(known.iter().any(|example| example["code"] == code), "{path}: {status} {code}");
    }
}

#[tokio::test]
async fn what_the_archive_refuses_is_documented_word_for_word() {
    let host = Host::new().await;
    let document = document();
    let list = "/sample-plugin/api/v1/course-archive-status/";
    let row = "/sample-plugin/api/v1/course-archive-status/{id}/";
    let many = format!("{list}?{}", "a&".repeat(1_001));
    let json = "application/json";
    for (method, path, uri, media, body) in [
        ("get", list, "/sample-plugin/api/v1/course-archive-status/?page=9", json, ""),
        ("get", list, "/sample-plugin/api/v1/course-archive-status/?course_id=DemoX", json, ""),
        ("get", list, "/sample-plugin/api/v1/course-archive-status/?user=nobody", json, ""),
        ("get", row, "/sample-plugin/api/v1/course-archive-status/7/", json, ""),
        ("delete", row, "/sample-plugin/api/v1/course-archive-status/x/", json, ""),
        ("post", list, list, "text/plain", "x"),
        ("post", list, list, json, "[]"),
        ("post", list, list, json, "{"),
        ("post", list, list, json, "{\"course_id\": \"DemoX\"}"),
        ("post", list, list, json, "{\"course_id\": \"course-v1:a+b+c\", \"user\": 1.5}"),
    ] {
        let request = Request::builder()
            .method(method.to_uppercase().as_str())
            .uri(uri)
            .header(header::AUTHORIZATION, format!("JWT {}", host.token))
            .header(header::CONTENT_TYPE, media)
            .body(Body::from(body))
            .unwrap();
        let (status, _, answer) = host.ask(request).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let known = examples(&document, path, method, status);
        assert!(known.contains(&&answer), "{method} {uri}: {status} {answer} is none of {known:#?}");
    }
    let (status, headers, _) = host.ask(Request::get(many).body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let media = headers[header::CONTENT_TYPE].to_str().unwrap();
    let documented = &document["paths"][list]["get"]["responses"]["400"]["content"];
    assert!(documented.get(media.split(';').next().unwrap()).is_some(), "{media}");
    let (status, headers, answer) = host.ask(Request::get(list).body(Body::empty()).unwrap()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(examples(&document, list, "get", status).contains(&&answer));
    let challenge =
        &document["components"]["responses"]["ArchiveUnauthenticated"]["headers"]["WWW-Authenticate"];
    assert_eq!(challenge["example"], headers[header::WWW_AUTHENTICATE].to_str().unwrap());
}

#[tokio::test]
async fn everybody_may_read_the_document_and_the_page() {
    let host = Host::new().await;
    let (status, headers, body) = host.ask(Request::get(OPENAPI).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let served: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(operations(&served).count(), operations(&document()).count());
    let (status, headers, body) = host.ask(Request::get(DOCS).body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(String::from_utf8(body).unwrap().starts_with("<!doctype html>"));
}
