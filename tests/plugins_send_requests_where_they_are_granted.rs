//! A plugin's request goes where an operator lets it go. Without a grant the plugin does not start, and with one for
//! somewhere else it is told no.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use crate::support::guest::written;
use crate::support::{ABOUT_URL, Server, Site, about, steps};

/// A server on this machine that gives everybody this answer and nothing more, for as long as the tests run.
fn answering(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).and_then(|_| stream.write_all(&answer));
                // Until the other side has enough.
                let _ = stream.read(&mut request);
            });
        }
    });
    address
}

/// One that greets everybody.
fn greeter() -> SocketAddr {
    answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
}

fn asking(grants: &str, limits: &str) -> Site {
    let configuration =
        format!("[plugins.asks]\ncomponent = \"asks.wasm\"\n{grants}\nlimits = {{ time = \"60s\"{limits} }}");
    Site::new(&configuration).with("asks.wasm", written("sends-as-told"))
}

/// What the step answers that sends so many GET requests there.
fn said(server: &Server, to: SocketAddr, path: &str, times: u32) -> String {
    let told = format!("0\n0\n{to}\n{path}\nauthorization\nBearer hush\n\n0\n{times}\nr\n0");
    let answer = server.filter(ABOUT_URL, &about(&told)).json(200);
    assert_eq!(steps(&answer), [("asks", "proceeded")], "{answer}");
    answer["kwargs"]["url"].as_str().unwrap().to_owned()
}

#[test]
fn a_step_answers_with_what_a_granted_origin_said() {
    let (granted, other) = (greeter(), greeter());
    let site = asking(&format!("grants = [\"http:http://{granted}\"]"), ", http_time = \"30s\"");
    let server = site.serve_with(&["--log", "debug"], &[]);
    assert_eq!(said(&server, granted, "/token?secret=hush", 1), "200 5 closed hello");
    // 15 is HTTP-request-denied, 11 connection-limit-reached.
    assert_eq!(said(&server, other, "/token?secret=hush", 1), "error 15");
    assert_eq!(said(&server, granted, "/", 11), "error 11");

    let results =
        |result| server.metric("hookbox_http_requests_total", &[("plugin", "asks"), ("result", result)]);
    server.until("every request is counted", |_| results("sent") == 11.0);
    assert_eq!((results("denied"), results("too-many")), (1.0, 1.0));
    let limit = &[("plugin", "asks"), ("limit", "http-requests")];
    assert_eq!(server.metric("hookbox_limit_hits_total", limit), 1.0);
    let origin = format!("origin=\"http://{granted}\"");
    server.logs(11, &["outgoing request", &origin, "status=200", "result=\"sent\""]);
    let log = server.log();
    assert!(log.contains(&format!("add \"http:http://{other}\" to the plugin's grants")), "{log}");
    assert!(!log.contains("hush"), "a path or a header is in the log:\n{log}");
}

#[test]
fn without_a_grant_the_server_does_not_start_and_names_it() {
    for grants in ["", "grants = [\"keyvalue\"]"] {
        let ran = asking(grants, "").run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
        ran.explains(&["plugins.asks", "wasi:http/outgoing-handler", "http:https://HOST", "`grants`"]);
    }
}

#[test]
fn a_request_that_reaches_a_limit_is_counted() {
    let large = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: 2048\r\n\r\n{}", "x".repeat(2_048)));
    let silent = answering("");
    let grants = format!("grants = [\"http:http://{large}\", \"http:http://{silent}\"]");
    let server = asking(&grants, ", http_body = \"1KiB\", http_time = \"2s\"").serve();
    let said_large = said(&server, large, "/", 1);
    assert!(
        said_large.starts_with("200 0 failed (HTTP response body size exceeds limit: 1024"),
        "{said_large}"
    );
    assert_eq!(said(&server, silent, "/", 1), "error 33", "HTTP-response-timeout");
    for (limit, result) in [("http-body", "too-large"), ("http-time", "timeout")] {
        let hits = server.metric("hookbox_limit_hits_total", &[("plugin", "asks"), ("limit", limit)]);
        let requests =
            server.metric("hookbox_http_requests_total", &[("plugin", "asks"), ("result", result)]);
        assert_eq!((hits, requests), (1.0, 1.0), "{limit}");
    }
}
