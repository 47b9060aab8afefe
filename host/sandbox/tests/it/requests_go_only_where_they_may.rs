//! A plugin's requests reach the origins it is granted and nothing else, whatever names resolve to, servers answer, or
//! the guest writes into a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hookbox_sandbox::{Granting, Limits, Sandbox, Services};

use crate::servers::{Names, Server, Told, sender, sender_with, unchunked};
use crate::support::{admit_with, host_log, options, sandbox, sandbox_with, written};

/// A small good answer.
const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A sandbox for which names are these.
fn sandbox_that_resolves(names: &Arc<Names>) -> Sandbox {
    sandbox_with(Services { resolver: Some(Arc::clone(names) as _), ..Services::default() })
}

#[tokio::test]
async fn a_granted_request_arrives_whole_and_so_does_its_answer() {
    let sandbox = sandbox();
    let server = Server::answering(HELLO);
    let plugin = sender(&sandbox, &[server.grant()]);
    let header = ("X-Asked-By".to_owned(), "Ada".to_owned());
    let told = Told { path: "/v1/courses?page=2".into(), header, ..Told::get(&server.address()) };
    assert_eq!(told.by(&plugin).await, "200 5 closed hello");
    let [request] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert!(request.starts_with("GET /v1/courses?page=2 HTTP/1.1\r\n"), "{request}");
    let lines: Vec<String> = request.lines().map(str::to_ascii_lowercase).collect();
    for line in [
        format!("host: {}", server.address()),
        format!("user-agent: hookbox/{}", env!("CARGO_PKG_VERSION")),
        "connection: close".to_owned(),
        "x-asked-by: ada".to_owned(),
    ] {
        assert_eq!(lines.iter().filter(|sent| **sent == line).count(), 1, "{line}: {request}");
    }
    assert!(!request.to_ascii_lowercase().contains("cookie"), "{request}");
}

#[tokio::test]
async fn a_granted_body_arrives_whole_and_so_does_a_large_answer() {
    let sandbox = sandbox();
    let large = "y".repeat(900 << 10);
    let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{large}", large.len());
    let server = Server::answering(answer);
    let plugin = sender(&sandbox, &[server.grant()]);
    let told = Told { method: 2, body: "first ".into(), blocks: 100, ..Told::get(&server.address()) };
    let said = told.by(&plugin).await;
    assert!(said.starts_with(&format!("201 {} closed yyyy", large.len())), "{said}");
    let requests = server.requests();
    assert!(requests[0].starts_with("POST / HTTP/1.1\r\n"), "{}", &requests[0][..100]);
    assert_eq!(unchunked(&requests[0]), format!("first {}", "x".repeat(100 * 4_096)));
}

#[tokio::test]
async fn an_agent_of_the_plugins_own_is_kept() {
    let sandbox = sandbox();
    let server = Server::answering(HELLO);
    let plugin = sender(&sandbox, &[server.grant()]);
    let told = Told { header: ("User-Agent".into(), "mine/1".into()), ..Told::get(&server.address()) };
    told.by(&plugin).await;
    let request = server.requests()[0].to_ascii_lowercase();
    assert!(request.contains("user-agent: mine/1\r\n") && !request.contains("hookbox/"), "{request}");
}

#[tokio::test]
async fn what_is_not_granted_is_refused_without_a_connection() {
    let sandbox = sandbox();
    let (granted, other) = (Server::answering(HELLO), Server::answering(HELLO));
    let plugin = sender(&sandbox, &[granted.grant()]);
    let port = granted.address().port();
    let there = Told::get(&granted.address());
    let authority = |authority: String| Told { authority, ..there.clone() };
    for (told, error) in [
        (authority(other.address().to_string()), "HTTP-request-denied"),
        (authority(format!("localhost:{port}")), "HTTP-request-denied"),
        (authority(format!("[::ffff:127.0.0.1]:{port}")), "HTTP-request-denied"),
        (authority("127.0.0.1".into()), "HTTP-request-denied"),
        (Told { scheme: 1, ..there.clone() }, "HTTP-request-denied"),
        (Told { scheme: 2, ..there.clone() }, "HTTP-request-denied"),
        (Told { method: 5, ..there.clone() }, "HTTP-request-method-invalid"),
        (authority(format!("127.1:{port}")), "HTTP-request-URI-invalid"),
        (authority(format!("2130706433:{port}")), "HTTP-request-URI-invalid"),
        (authority(format!("0x7f000001:{port}")), "HTTP-request-URI-invalid"),
        (authority(format!("0177.0.0.1:{port}")), "HTTP-request-URI-invalid"),
        (authority(format!("user@127.0.0.1:{port}")), "HTTP-request-URI-invalid"),
        (authority(format!("user:secret@{}", granted.address())), "HTTP-request-URI-invalid"),
    ] {
        assert_eq!(told.by(&plugin).await, error, "{}", told.url());
    }
    assert_eq!((granted.connections(), other.connections()), (0, 0));
    let log = host_log();
    let advice = format!("add \"http:http://{}\" to the plugin's grants", other.address());
    assert_eq!(log.matches(&advice).count(), 1, "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn a_component_that_is_only_looked_at_sends_nothing() {
    let sandbox = sandbox();
    let server = Server::answering(HELLO);
    let admitted = admit_with(&sandbox, &written("sends-as-told"), &Granting::WhatItImports);
    let plugin = sandbox.plugin(&admitted, options());
    let there = Told::get(&server.address());
    assert_eq!(there.by(&plugin).await, "HTTP-request-denied");
    for authority in [":0", "host:0", "HOST"] {
        let said = Told { scheme: 1, authority: authority.into(), ..there.clone() }.by(&plugin).await;
        let refusals = ["HTTP-request-denied", "HTTP-request-URI-invalid"];
        assert!(refusals.contains(&said.as_str()), "{authority:?}: {said}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_refusal_is_told_once_a_call() {
    let sandbox = sandbox();
    let server = Server::answering(HELLO);
    let plugin = sender(&sandbox, &["http:http://192.0.2.1"]);
    let told = Told { times: 5, ..Told::get(&server.address()) };
    assert_eq!(told.by(&plugin).await, "HTTP-request-denied");
    assert_eq!(host_log().matches("is refused").count(), 1, "{}", host_log());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let sandbox = sandbox();
    let elsewhere = Server::answering(HELLO);
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address()
    );
    let server = Server::answering(answer);
    // Not even where it leads to another granted origin.
    let plugin = sender(&sandbox, &[server.grant(), elsewhere.grant()]);
    assert_eq!(Told::get(&server.address()).by(&plugin).await, "302 0 closed ");
    assert_eq!((server.connections(), elsewhere.connections()), (1, 0));
}

#[tokio::test]
async fn a_packed_answer_is_not_unpacked() {
    let sandbox = sandbox();
    let server =
        Server::answering("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nPACK");
    let plugin = sender(&sandbox, &[server.grant()]);
    assert_eq!(Told::get(&server.address()).by(&plugin).await, "200 4 closed PACK");
}

#[tokio::test]
async fn a_name_that_leads_to_an_address_that_is_not_public_is_refused() {
    let server = Server::answering(HELLO);
    let port = server.address().port();
    for addresses in [
        &["127.0.0.1"][..],
        &["169.254.169.254"],
        &["10.0.0.7"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        // One good address beside it does not make it good.
        &["93.184.215.14", "127.0.0.1"],
    ] {
        let names = Names::new("api.example.com", addresses);
        let sandbox = sandbox_that_resolves(&names);
        let plugin = sender(&sandbox, &[format!("http:http://api.example.com:{port}")]);
        let said = Told::get(&format!("api.example.com:{port}")).by(&plugin).await;
        assert_eq!(said, "destination-IP-prohibited", "{addresses:?}");
        assert_eq!(names.asked.load(Ordering::SeqCst), 1);
        let log = host_log();
        assert!(log.contains("which is not public"), "{log}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn it_is_reached_when_that_address_and_port_are_granted_too() {
    let server = Server::answering(HELLO);
    let port = server.address().port();
    let names = Names::new("api.example.com", &["127.0.0.1"]);
    let sandbox = sandbox_that_resolves(&names);
    let plugin = sender(&sandbox, &[format!("http:http://api.example.com:{port}"), server.grant()]);
    let told = Told::get(&format!("API.example.com.:{port}"));
    assert_eq!(told.by(&plugin).await, "200 5 closed hello");
    assert_eq!(
        names.asked.load(Ordering::SeqCst),
        1,
        "a name is resolved once, and what was checked is used"
    );
    let request = server.requests()[0].to_ascii_lowercase();
    assert!(request.contains(&format!("host: api.example.com:{port}\r\n")), "{request}");

    let other_port = [format!("http:http://api.example.com:{port}"), "http:http://127.0.0.1:1".to_owned()];
    let plugin = sender(&sandbox, &other_port);
    assert_eq!(told.by(&plugin).await, "destination-IP-prohibited");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_the_systems_own_resolver_says_is_checked_too() {
    let sandbox = sandbox();
    let server = Server::answering(HELLO);
    let authority = format!("localhost:{}", server.address().port());
    let plugin = sender(&sandbox, &[format!("http:http://{authority}")]);
    assert_eq!(Told::get(&authority).by(&plugin).await, "destination-IP-prohibited");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told() {
    let sandbox = sandbox_that_resolves(&Names::new("other.example.com", &[]));
    let plugin = sender(&sandbox, &["http:http://api.example.com", "http:http://other.example.com"]);
    assert_eq!(Told::get(&"api.example.com").by(&plugin).await, "DNS-error");
    assert_eq!(Told::get(&"other.example.com").by(&plugin).await, "DNS-error");
}

#[tokio::test]
async fn a_request_cannot_be_forged() {
    let sandbox = sandbox();
    let server = Server::answering(HELLO);
    let plugin = sender_with(&sandbox, &[server.grant()], Limits { http_requests: 100, ..Limits::default() });
    let there = Told::get(&server.address());
    let header = |name: &str, value: &str| Told { header: (name.into(), value.into()), ..there.clone() };
    // 0 is invalid-syntax, 1 is forbidden.
    for (told, said) in [
        (header("Host", "internal.example.com"), "header 1"),
        (header("hOsT", "internal.example.com"), "header 1"),
        (header("Transfer-Encoding", "chunked"), "header 1"),
        (header("Connection", "keep-alive"), "header 1"),
        (header("Upgrade", "websocket"), "header 1"),
        (header("Proxy-Authorization", "x"), "header 1"),
        (header("X-A", "a\r\rEvil: yes"), "header 0"),
        (header("X-A", "a\u{0}b"), "header 0"),
        (header("X-A: b\rEvil", "yes"), "header 0"),
        (header("X A", "yes"), "header 0"),
        (Told { path: "/ HTTP/1.1\rHost: internal.example.com\r\r".into(), ..there.clone() }, "invalid 3"),
        (Told { path: "http://internal.example.com/".into(), ..there.clone() }, "invalid 3"),
        (Told { path: "@internal.example.com/".into(), ..there.clone() }, "invalid 3"),
        (Told { authority: "a b".into(), ..there.clone() }, "invalid 2"),
        (header("Content-Length", "5"), "HTTP-request-body-size"),
    ] {
        assert_eq!(told.by(&plugin).await, said, "{:?}", told.url());
    }
    assert_eq!(server.connections(), 0);

    // A body longer than it says ends where it says.
    let told = Told {
        method: 2,
        body: "fiveGET /second HTTP/1.1\rHost: internal.example.com\r\r".into(),
        ..header("Content-Length", "4")
    };
    told.by(&plugin).await;
    for request in server.requests() {
        assert!(request.ends_with("\r\n\r\nfive") && !request.contains("second"), "{request}");
    }
    // An empty path, and one that is a query alone, are paths all the same.
    for (path, line) in [("", "GET / HTTP/1.1\r\n"), ("?a=b", "GET /?a=b HTTP/1.1\r\n")] {
        let told = Told { path: path.into(), ..there.clone() };
        assert_eq!(told.by(&plugin).await, "200 5 closed hello");
        let requests = server.requests();
        assert!(requests.last().unwrap().starts_with(line), "{requests:?}");
    }
}
