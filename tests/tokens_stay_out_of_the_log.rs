//! No part of a token, a secret or a cookie gets into the log, however much is logged.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::archive::{ROWS, unthrottled};
use crate::support::http;
use crate::support::jwt::{self, SECRET, halves, now, signed, token};
use crate::support::site::run;
use crate::support::{ABOUT_URL, CATALOG_INFO, COURSE, OLD_URL, Server, Site, about, catalog_info};

const CSRF: &str = "Kd83hfYq0sLmZ1xW7vBn5cRt2pGj9aTe";
const OTHER_SECRET: &str = "aNoThEr-hG5fD2sA8qW1eR4tY7uI0oP3";

/// Everything that must not be seen.
#[derive(Clone)]
struct Confidential(Vec<String>);

impl Confidential {
    /// Holds a text to none of it: not even to a piece of 15 characters.
    #[track_caller]
    fn is_not_in(&self, text: &str) {
        const WINDOW: usize = 12;
        let pieces = self.0.iter().flat_map(|secret| {
            assert!(secret.is_ascii() && secret.len() > WINDOW);
            (0..=secret.len() - WINDOW).step_by(4).map(|start| &secret[start..start + WINDOW])
        });
        for piece in pieces.collect::<BTreeSet<&str>>() {
            if text.contains(piece) {
                panic!("{piece:?} is in {:?}", text.lines().find(|line| line.contains(piece)));
            }
        }
    }
}

/// One HTTP/2 request with these headers, by hand: the client of these tests speaks HTTP/1.1.
fn over_http2(address: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    fn literal(block: &mut Vec<u8>, text: &str) {
        if text.len() < 127 {
            block.push(u8::try_from(text.len()).unwrap());
        } else {
            block.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
        block.extend_from_slice(text.as_bytes());
    }
    // GET and http are in HPACK's table; the rest is spelled out.
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(":path", path), (":authority", address)].iter().chain(headers) {
        block.push(0);
        literal(&mut block, name);
        literal(&mut block, value);
    }
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&size[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let (settings, end_of_stream_and_headers) = (frame(4, 0, 0, &[]), 5);
    let request = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &settings,
        &frame(1, end_of_stream_and_headers, 1, &block),
    ];
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(&request.concat()).unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload =
            vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        if head[3] == 1 {
            return payload;
        }
    }
}

/// Sends every kind of credentials, good and bad, everywhere; answers with what was confidential in it.
fn ask_in_every_way(server: &Server) -> Confidential {
    let good = token("alice", &json!({"administrator": true, "email": "alice@example.com"}));
    let regular = token("bob", &json!({}));
    let expired = token("carol", &json!({"exp": now() - 60}));
    let foreign = signed(OTHER_SECRET, "dave", &json!({"administrator": true}));
    let strange = token("erin", &json!({"administrator": "Str4nge-V4lue-0f-A-Claim"}));
    let opaque = "0paqueT0kenWith0utAnyD0tsInIt".to_owned();
    let mut confidential = vec![SECRET.to_owned(), OTHER_SECRET.to_owned(), CSRF.to_owned()];
    confidential.extend([&good, &regular, &expired, &foreign, &strange, &opaque].map(Clone::clone));
    let confidential = Confidential(confidential);

    let filter = format!("/hooks/filters/{ABOUT_URL}");
    for token in [&good, &regular, &expired, &foreign, &strange, &opaque] {
        let (front, signature) = token.rsplit_once('.').unwrap_or((token, token));
        let csrf = ("x-csrftoken", CSRF);
        for headers in [
            vec![("authorization", format!("JWT {token}"))],
            vec![("authorization", format!("Bearer {token}"))],
            vec![("authorization", format!("JWT {token} {token}"))],
            vec![("authorization", token.clone())],
            vec![("cookie", format!("edx-jwt-cookie={token}"))],
            vec![
                (
                    "cookie",
                    format!(
                        "edx-jwt-cookie-header-payload={front}; edx-jwt-cookie-signature={signature}; csrftoken={CSRF}"
                    ),
                ),
                (csrf.0, csrf.1.to_owned()),
            ],
            vec![("cookie", format!("edx-jwt-cookie-header-payload={front}"))],
            vec![("cookie", format!("edx-jwt-cookie={token}; csrftoken={token}")), (csrf.0, token.clone())],
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let json = [&headers[..], &[("content-type", "application/json")]].concat();
            let send = |method, path: &str, headers: &[(&str, &str)], body: String| {
                let url = format!("{}{path}", server.url());
                let answer = http::send(method, &url, headers, body.as_bytes()).unwrap();
                assert!(answer.status < 500, "{answer:?}");
                confidential.is_not_in(&format!("{answer:?}"));
            };
            send("GET", ROWS, &headers, String::new());
            send("GET", "/hooks/", &headers, String::new());
            send("GET", "/sample-plugin/api/v1/", &headers, String::new());
            send("POST", ROWS, &json, json!({"course_id": COURSE}).to_string());
            send("POST", &filter, &json, about(OLD_URL).to_string());
            send("PATCH", &format!("{ROWS}1/"), &json, "no JSON".to_owned());
        }
        let authorization = format!("JWT {token}");
        let cookie = format!("edx-jwt-cookie={token}");
        for header in [("authorization", authorization.as_str()), ("cookie", &cookie)] {
            let block = over_http2(server.address(), ROWS, &[header]);
            // A status of 200 is one byte; the others are spelled out.
            assert_eq!(block[0] == 0x88, token == &good || token == &regular, "{block:?}");
        }
    }
    confidential
}

#[test]
fn a_log_at_its_loudest_holds_no_token_cookie_or_secret() {
    for format in ["text", "json"] {
        let site = Site::new(&unthrottled(jwt::AUTH));
        let server = site.serve_with(&["--log-format", format], &[("HOOKBOX_LOG", "trace")]);
        let confidential = ask_in_every_way(&server);
        let metrics = server.get("/metrics").body;
        let log = server.stop();
        assert!(
            log.contains("TRACE") && log.contains("a token is not taken"),
            "it is at its loudest:\n{log}"
        );
        confidential.is_not_in(&log);
        confidential.is_not_in(&metrics);
    }
}

#[test]
fn a_made_secret_is_nowhere_but_in_its_file() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve_with(&[], &[("HOOKBOX_LOG", "trace")]);
    let secret = std::fs::read_to_string(site.data().join("jwt-secret")).unwrap().trim().to_owned();
    let token = site.token(&["--user", "alice"]);
    let authorization = format!("JWT {token}");
    assert_eq!(server.send("GET", ROWS, &[("authorization", &authorization)], "").status, 200);
    let log = server.stop();
    assert!(log.contains("made a secret"), "{log}");
    Confidential(vec![secret, token]).is_not_in(&log);
}

#[test]
fn the_commands_log_neither() {
    let site = Site::new(&unthrottled(jwt::AUTH));
    let server = site.serve();
    let data = catalog_info(COURSE).to_string();
    let good = token("ci", &json!({"scopes": ["hooks:run"]}));
    let bad = signed(OTHER_SECRET, "ci", &json!({"scopes": ["hooks:run"]}));
    let confidential = Confidential(vec![SECRET.to_owned(), good.clone(), bad.clone()]);
    for (token, code) in [(&good, 0), (&bad, 1)] {
        let event = ["event", "send", CATALOG_INFO, "--data", &data, "--url", server.url(), "--log", "trace"];
        let mut by_variable = site.command(&event);
        by_variable.env("HOOKBOX_TOKEN", token);
        let by_argument = site.command(&[&event[..], &["--token", token]].concat());
        for command in [by_variable, by_argument] {
            let ran = run(command).exits(code);
            assert!(ran.stderr.contains("DEBUG ureq"), "it is at its loudest: {ran:?}");
            confidential.is_not_in(&format!("{}{}", ran.stdout, ran.stderr));
        }
    }
    let ran = site.run(&["token", "--user", "alice", "--log", "trace"]).exits(0);
    let (_, signature) = halves(ran.stdout.trim());
    Confidential(vec![SECRET.to_owned(), signature.to_owned()]).is_not_in(&ran.stderr);
    let ran = site.run(&["check-install", "--log", "trace"]);
    confidential.is_not_in(&format!("{}{}", ran.stdout, ran.stderr));
    let mut help = site.command(&["event", "send", "--help"]);
    help.env("HOOKBOX_TOKEN", &good);
    confidential.is_not_in(&run(help).exits(0).stdout);
}

#[test]
fn mistakes_in_the_configuration_repeat_no_secret() {
    let number = "817263549081726354";
    let public = r#"-----BEGIN PUBLIC KEY-----MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"#;
    for (secret, configuration) in [
        (number, format!("[auth]\nsecret = {number}")),
        (SECRET, format!("[auth]\nsecret = [\"{SECRET}\"]")),
        (SECRET, format!("[auth]\nsecret = \"{SECRET}\"\nsecret_file = \"x\"")),
        (SECRET, format!("[auth]\nsecret = {{ value = \"{SECRET}\" }}")),
        (public, format!("[auth]\nsecret = \"{public}\"")),
        (SECRET, format!("[auth]\njwks = '{{\"keys\": [{{\"kty\": \"RSA\", \"d\": \"{SECRET}\"}}]}}'")),
    ] {
        let site = Site::new(&configuration);
        let ran = site.run(&["serve", "--listen", "127.0.0.1:0", "--log", "trace"]).exits(1);
        ran.explains(&["auth."]);
        Confidential(vec![secret.to_owned()]).is_not_in(&ran.stderr);
    }
    // The TOML parser draws the line that it stopped at.
    for configuration in [format!("[auth]\nsecret = \"{SECRET}"), format!("[auth]\nsecret = {SECRET}")] {
        let ran = Site::new(&configuration).run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
        ran.explains(&["line 2"]);
        Confidential(vec![SECRET.to_owned()]).is_not_in(&ran.stderr);
    }
    let site = Site::empty();
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("HOOKBOX_AUTH__SECRET", number);
    let ran = run(command).exits(1);
    ran.explains(&["auth.secret", "in quotes"]);
    Confidential(vec![number.to_owned()]).is_not_in(&ran.stderr);
}
