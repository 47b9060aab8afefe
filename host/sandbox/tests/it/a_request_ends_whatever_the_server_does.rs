//! A server that is slow, broken or hostile costs a plugin one request, and nobody else anything.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_sandbox::{CallFailure, Isolation, Limit, Limits, Plugin, PluginOptions, Sandbox};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, Stream};

use crate::servers::{Server, Told, admitted, deserted, gone, granted, sender, sender_with, soon};
use crate::support::{AGES, beside_a_good_one, call, options, sandbox};

/// What a request may take where the server would take for ever.
const SHORT: Duration = Duration::from_millis(400);

/// What a guest says of a request, with a good plugin called beside. Afterwards no socket leads to the server.
async fn said_beside_a_good_one(sandbox: &Sandbox, sender: &Plugin, told: &Told, server: &Server) -> String {
    let said = beside_a_good_one(sandbox, told.by(sender)).await;
    soon("no socket is left", || server.sockets() == 0).await;
    said
}

/// The same for a GET request to this server.
async fn said_of(server: &Server) -> String {
    let sandbox = sandbox();
    let sender = sender(&sandbox, &[server.grant()]);
    said_beside_a_good_one(&sandbox, &sender, &Told::get(&server.address()), server).await
}

/// The same where the request would never end by itself.
async fn said_in_time(server: &Server) -> String {
    let sandbox = sandbox();
    let limits = Limits { http_time_ms: 1_000, ..Limits::default() };
    let sender = sender_with(&sandbox, &[server.grant()], limits);
    said_beside_a_good_one(&sandbox, &sender, &Told::get(&server.address()), server).await
}

#[tokio::test]
async fn a_server_that_never_answers_ends_with_the_time() {
    assert_eq!(said_in_time(&Server::silent()).await, "HTTP-response-timeout");
}

#[tokio::test]
async fn a_server_that_drips_ends_with_the_time() {
    let server = Server::new(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
        loop {
            stream.write_all(b".")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let said = said_in_time(&server).await;
    assert!(said.starts_with("200 ") && said.contains("failed (HTTP response timeout)"), "{said}");
}

#[tokio::test]
async fn headers_that_drip_end_with_the_time() {
    let server = Server::new(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-long: ")?;
        loop {
            stream.write_all(b".")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(said_in_time(&server).await, "HTTP-response-timeout");
}

#[tokio::test]
async fn informational_answers_without_end_end_with_the_time() {
    let server = Server::new(|stream, _| {
        loop {
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")?;
        }
    });
    assert_eq!(said_in_time(&server).await, "HTTP-response-timeout");
}

#[tokio::test]
async fn a_body_that_is_said_to_be_too_large_is_not_read() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n");
    let said = said_of(&server).await;
    assert_eq!(said, "200 0 failed (HTTP response body size exceeds limit: 1048576 bytes) ");
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let server = Server::new(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunk = format!("4000\r\n{}\r\n", "z".repeat(0x4000));
        loop {
            stream.write_all(chunk.as_bytes())?;
        }
    });
    let said = said_of(&server).await;
    assert!(said.contains("failed (HTTP response body size exceeds limit: 1048576 bytes)"), "{said}");
    let length: usize = said.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(length <= 1 << 20, "{length} bytes got through");
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_whole() {
    let body = "b".repeat(1 << 20);
    let server =
        Server::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    let sandbox = sandbox();
    let sender = sender(&sandbox, &[server.grant()]);
    let said = Told::get(&server.address()).by(&sender).await;
    assert!(said.starts_with("200 1048576 closed bbb"), "{said}");
}

#[tokio::test]
async fn headers_without_end_are_cut() {
    let server = Server::new(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(b"x-more: and more and more and more\r\n")?;
        }
    });
    assert_eq!(said_of(&server).await, "HTTP-response-header-section-size");
}

#[tokio::test]
async fn an_answer_that_ends_early_is_told() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        assert_eq!(said_of(&Server::answering(answer)).await, "HTTP-response-incomplete", "{answer:?}");
    }
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!(said_of(&server).await, "200 4 failed (incomplete HTTP response) half");
}

#[tokio::test]
async fn a_connection_closed_on_one_side_ends() {
    let server = Server::new(|stream, _| {
        stream.shutdown(std::net::Shutdown::Write)?;
        gone(stream)
    });
    assert_eq!(said_of(&server).await, "HTTP-response-incomplete");
}

#[tokio::test]
async fn what_is_not_http_is_told() {
    let said = said_of(&Server::answering("SSH-2.0-OpenSSH_9.9\r\n\r\n")).await;
    assert_eq!(said, "error 35", "HTTP-protocol-error");
}

#[tokio::test]
async fn nobody_listening_is_told() {
    let sandbox = sandbox();
    let address = deserted();
    let sender = sender(&sandbox, &[format!("http:http://{address}")]);
    assert_eq!(Told::get(&address).by(&sender).await, "connection-refused");
}

#[tokio::test]
async fn a_request_body_that_is_too_large_breaks_the_request_off() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let sandbox = sandbox();
    let sender = sender(&sandbox, &[server.grant()]);
    let told = Told { method: 2, blocks: 300, ..Told::get(&server.address()) };
    assert_eq!(said_beside_a_good_one(&sandbox, &sender, &told, &server).await, "HTTP-request-body-size");
    // One that says so beforehand is not even begun.
    let header = ("content-length".to_owned(), "1048577".to_owned());
    let told = Told { header, ..told };
    let connections = server.connections();
    assert_eq!(told.by(&sender).await, "HTTP-request-body-size");
    assert_eq!(server.connections(), connections);
    assert_eq!(server.requests().len(), 0, "no request was whole");
}

#[tokio::test]
async fn the_eleventh_request_of_a_call_is_refused() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let sandbox = sandbox();
    let sender = sender(&sandbox, &[server.grant()]);
    let told = Told { times: 10, ..Told::get(&server.address()) };
    assert_eq!(told.by(&sender).await, "200 0 closed ", "the tenth is sent");
    let told = Told { times: 11, ..told };
    assert_eq!(told.by(&sender).await, "connection-limit-reached");
    assert_eq!(server.connections(), 20);
}

#[tokio::test]
async fn the_guests_own_patience_is_kept() {
    let server = Server::silent();
    let sandbox = sandbox();
    let sender = sender(&sandbox, &[server.grant()]);
    let told = Told { patience: 50, ..Told::get(&server.address()) };
    assert_eq!(said_beside_a_good_one(&sandbox, &sender, &told, &server).await, "connection-read-timeout");

    let server = Server::new(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")?;
        gone(stream)
    });
    let sender = crate::servers::sender(&sandbox, &[server.grant()]);
    let told = Told { patience: 1_000, ..Told::get(&server.address()) };
    let said = said_beside_a_good_one(&sandbox, &sender, &told, &server).await;
    assert_eq!(said, "200 4 failed (connection read timeout) half");
}

/// A plugin whose requests may take a minute, and a request to a server that never answers.
fn endless(sandbox: &Sandbox, server: &Server, then: char) -> (Plugin, Told) {
    let told = Told { times: 5, then, ..Told::get(&server.address()) };
    (sender(sandbox, &[server.grant()]), told)
}

#[tokio::test]
async fn no_request_outlives_its_call() {
    let sandbox = sandbox();
    let server = Server::silent();
    let (sender, told) = endless(&sandbox, &server, 'r');
    let start = Instant::now();
    match told.within(&sender, SHORT).await {
        Err(CallFailure::Limit(report)) => assert_eq!(report.limit, Limit::Time),
        // The request is told of the deadline a moment before the call is dropped.
        Ok(Ok(answer)) => panic!("{answer}"),
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() < AGES / 2, "{:?}", start.elapsed());
    soon("no socket is left", || server.sockets() == 0).await;
}

#[tokio::test]
async fn requests_that_a_guest_forgets_or_drops_are_closed() {
    let sandbox = sandbox();
    let server = Server::silent();
    for (then, word) in [('k', "kept"), ('d', "dropped")] {
        let (sender, told) = endless(&sandbox, &server, then);
        assert_eq!(told.by(&sender).await, word);
        soon("no socket is left", || server.sockets() == 0).await;
    }
}

#[tokio::test]
async fn requests_that_a_reused_instance_keeps_end_with_their_time() {
    let sandbox = sandbox();
    let server = Server::silent();
    let limits = Limits { http_time_ms: 1_000, http_requests: 1, ..Limits::default() };
    let isolation = Isolation::Reuse { max_calls: 1_000 };
    let admitted = admitted(&sandbox, "sends-as-told", &[server.grant()]);
    let sender = sandbox.plugin(&admitted, PluginOptions { limits, isolation, ..options() });
    let told = Told { then: 'k', ..Told::get(&server.address()) };
    assert_eq!(told.by(&sender).await, "kept");
    assert_eq!(told.by(&sender).await, "kept");
    soon("both arrive: each call has a request of its own", || server.connections() == 2).await;
    soon("no socket is left", || server.sockets() == 0).await;
}

#[tokio::test]
async fn a_plugin_has_no_more_than_64_connections() {
    let sandbox = sandbox();
    let (silent, good) = (Server::silent(), Server::answering("HTTP/1.1 204 No Content\r\n\r\n"));
    let limits = Limits { http_time_ms: 60_000, http_requests: 70, host_calls: 10_000, ..Limits::default() };
    let isolation = Isolation::Reuse { max_calls: 1_000 };
    let admitted = admitted(&sandbox, "sends-as-told", &[silent.grant(), good.grant()]);
    let sender = sandbox.plugin(&admitted, PluginOptions { limits, isolation, ..options() });
    let told = Told { times: 70, ..Told::get(&good.address()) };
    assert_eq!(told.by(&sender).await, "204 0 closed ", "each turn comes back");
    assert_eq!(good.connections(), 70);
    // The instance keeps these open, and so the next request finds none free.
    let told = Told { then: 'k', times: 64, ..Told::get(&silent.address()) };
    assert_eq!(told.by(&sender).await, "kept");
    soon("64 arrive", || silent.connections() == 64).await;
    match Told::get(&good.address()).within(&sender, SHORT).await {
        Err(CallFailure::Limit(report)) => assert_eq!(report.limit, Limit::Time),
        other => panic!("{other:?}"),
    }
    assert_eq!(good.connections(), 70);
    soon("no socket is left", || silent.sockets() == 0).await;
}

#[tokio::test]
async fn a_caller_who_goes_away_closes_the_connection() {
    let sandbox = sandbox();
    let server = Server::silent();
    let (sender, told) = endless(&sandbox, &server, 'r');
    let calling = tokio::spawn(async move { told.within(&sender, AGES * 3).await.is_ok() });
    soon("the request is there", || server.requests().len() == 1).await;
    calling.abort();
    let _ = calling.await;
    soon("no socket is left", || server.sockets() == 0).await;
    soon("the pool is empty", || sandbox.pool_use().is_none_or(|pool| pool.component_instances == 0)).await;
}

#[tokio::test]
async fn asking_for_an_answer_without_end_uses_up_the_calls_into_the_host() {
    let sandbox = sandbox();
    let server = Server::silent();
    let (sender, told) = endless(&sandbox, &server, 'b');
    match told.within(&sender, AGES).await {
        Err(CallFailure::Limit(report)) => assert_eq!(report.limit, Limit::HostCalls),
        other => panic!("{other:?}"),
    }
    soon("no socket is left", || server.sockets() == 0).await;
}

#[tokio::test]
async fn requests_that_are_never_sent_use_up_the_handles() {
    let sandbox = sandbox();
    let leaks = granted(&sandbox, "http-leaks-requests", &["http:http://192.0.2.1"], Limits::default());
    match call(&leaks, "/").await {
        Err(CallFailure::Limit(report)) => assert_eq!(report.limit, Limit::Handles),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn headers_of_a_request_are_bounded() {
    let sandbox = sandbox();
    let huge = granted(&sandbox, "http-huge-headers", &["http:http://192.0.2.1"], Limits::default());
    match call(&huge, "/").await {
        Err(CallFailure::Trap { reason, .. }) => assert!(reason.contains("size of fields"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/");
    let certificate = CertificateDer::from_pem_file(format!("{folder}certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(config).unwrap();
        let written = Stream::new(&mut tls, &mut stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        written.and_then(|()| gone(&mut stream)).is_ok() && !tls.is_handshaking()
    });
    let sandbox = sandbox();
    let sender = sender(&sandbox, &[format!("http:https://{address}")]);
    let told = Told { scheme: 1, ..Told::get(&address) };
    assert_eq!(told.by(&sender).await, "TLS-certificate-error");
    server.join().unwrap();
}
