//! The sample `webhook-forwarder` posts the chosen events to a hook, signed so that the hook knows who sent them, and does
//! with a delivery what the hook's answer asks for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::support::{CATALOG_INFO, COURSE, Server, Site, catalog_info, event};

/// A secret: the numbers from 0 to 31.
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ID: &str = "7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a10";
const DELETED: &str = "org.openedx.content_authoring.xblock.deleted.v1";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a hook was sent.
#[derive(Debug)]
struct Posted {
    /// The request's first line.
    first: String,
    /// Its headers, names in lower case.
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    at: Instant,
}

/// A hook on this machine that gives these answers, one a request, and the last one to all that follow.
fn hook(answers: &[&str]) -> (SocketAddr, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter().peekable();
        let mut answer = String::new();
        while let Ok((stream, _)) = listener.accept() {
            answer = answers.next().unwrap_or(answer);
            let posted = take(stream, &answer);
            if sender.send(posted).is_err() {
                break;
            }
        }
    });
    (address, receiver)
}

fn take(mut stream: TcpStream, answer: &str) -> Posted {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.remove(0);
    let header = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers: BTreeMap<String, String> = lines.iter().map(header).collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let at = Instant::now();
    stream.write_all(answer.as_bytes()).unwrap();
    Posted { first, headers, body, at }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// The sample, without a component of its own, posting to that hook.
fn site(hook: SocketAddr, settings: &str) -> Site {
    Site::new(&format!(
        "[plugins]\nsamples = false\n[plugins.webhook-forwarder]\ngrants = [\"http:http://{hook}\"]\n\
         hooks = [\"{CATALOG_INFO}\", \"{DELETED}\"]\n\
         limits = {{ event_time = \"50s\", http_time = \"40s\" }}\n\
         [plugins.webhook-forwarder.settings]\nurl = \"http://{hook}/openedx?site=1\"\n{settings}\n"
    ))
}

fn signed(hook: SocketAddr) -> Site {
    site(hook, &format!("secret = \"{SECRET}\""))
}

/// A change of a course's catalogue information, with every attribute that Open edX sets.
fn change() -> Value {
    let mut event = event(ID, CATALOG_INFO, &catalog_info(COURSE));
    event["time"] = json!("2026-01-02T03:04:05.678901+00:00");
    event["sourcehost"] = json!("cms-1");
    event["minorversion"] = json!(1);
    event["sourcelib"] = json!("11.2.0");
    event
}

#[track_caller]
fn accepted(server: &Server, event: &Value) {
    assert_eq!(server.post_event(event).json(202)["accepted"][0]["receivers"], 1);
}

/// The value of `webhook-signature` for [`SECRET`], whose bytes are the numbers from 0 to 31.
fn signature(posted: &Posted) -> String {
    let key = EncodingKey::from_secret(&(0..32).collect::<Vec<u8>>());
    let mut signed =
        format!("{}.{}.", posted.headers["webhook-id"], posted.headers["webhook-timestamp"]).into_bytes();
    signed.extend(&posted.body);
    let signature = jsonwebtoken::crypto::sign(&signed, &key, Algorithm::HS256).unwrap();
    // A web token's base64 has two letters of its own, and no padding.
    format!("v1,{}=", signature.replace('-', "+").replace('_', "/"))
}

#[track_caller]
fn next(posts: &Receiver<Posted>) -> Posted {
    posts.recv_timeout(PATIENCE).expect("a request")
}

#[test]
fn an_event_is_posted_whole_and_signed() {
    let (hook, posts) = hook(&[&answer("204 No Content", "", "")]);
    let server = signed(hook).serve();
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    accepted(&server, &change());
    let posted = next(&posts);
    assert_eq!(posted.first, "POST /openedx?site=1 HTTP/1.1");
    let header = |name: &str| posted.headers[name].as_str();
    assert_eq!(header("host"), hook.to_string());
    assert_eq!(header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(header("webhook-id"), ID);
    let stamped: u64 = header("webhook-timestamp").parse().unwrap();
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((before..=after).contains(&stamped), "{stamped} in {before}..={after}");
    assert_eq!(header("webhook-signature"), signature(&posted));
    let mut expected = change();
    expected["datacontenttype"] = json!("application/json");
    assert_eq!(serde_json::from_slice::<Value>(&posted.body).unwrap(), expected);

    // What is posted is what this host takes itself.
    let body = String::from_utf8(posted.body).unwrap();
    let taken = server.send("POST", "/hooks/events", &[("content-type", header("content-type"))], body);
    assert_eq!(taken.json(202)["accepted"][0]["id"], ID);
    let outcome = [("plugin", "webhook-forwarder"), ("outcome", "delivered")];
    server.until("the delivery is counted", |server| server.metric("hookbox_calls_total", &outcome) > 0.0);
}

#[test]
fn only_the_chosen_types_are_posted() {
    let (hook, posts) = hook(&[&answer("200 OK", "", "thanks")]);
    let settings = format!("secret = \"{SECRET}\"\ntypes = [\"org.openedx.content_authoring.course.*\"]");
    let server = site(hook, &settings).serve();
    let block = json!({"xblock_info": {"usage_key": "block-v1:edX+DemoX+Demo_Course+type@html+block@1", "block_type": "html"}});
    accepted(&server, &event("7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a11", DELETED, &block));
    let outcome = [("plugin", "webhook-forwarder"), ("hook", DELETED), ("outcome", "delivered")];
    server.until("the other type is passed over", |server| {
        server.metric("hookbox_calls_total", &outcome) == 1.0
    });
    accepted(&server, &change());
    assert_eq!(next(&posts).headers["webhook-id"], ID, "the first request of all");
}

#[test]
fn what_a_hook_refuses_is_rejected_with_its_words() {
    let moved = answer("308 Permanent Redirect", "location: https://elsewhere.example.com/\r\n", "");
    let (hook, posts) = hook(&[&answer("422 Unprocessable Entity", "", "no such\nsite"), &moved]);
    let server = signed(hook).serve();
    for (id, told) in [
        ("7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a11", "the hook answered 422"),
        ("7a2bd6de-3b4a-4f1d-9c3e-0d6b7c1f2a12", "the hook answered 308: redirects are not followed"),
    ] {
        accepted(&server, &event(id, CATALOG_INFO, &catalog_info(COURSE)));
        assert_eq!(next(&posts).headers["webhook-id"], id);
        server.logs(1, &["receiver rejected the event", "plugin=\"webhook-forwarder\"", id, told]);
    }
    assert!(server.log().contains("no such site"), "{}", server.log());
}

#[test]
fn what_may_pass_is_to_be_tried_again() {
    let (hook, posts) = hook(&[&answer("503 Service Unavailable", "retry-after: 3600\r\n", "later")]);
    let server = signed(hook).serve();
    accepted(&server, &change());
    next(&posts);
    server.logs(
        1,
        &["receiver asks to try again", "plugin=\"webhook-forwarder\"", ID, "the hook answered 503", "later"],
    );

    let (gone, posts) = self::hook(&[""]);
    let server = signed(gone).serve();
    accepted(&server, &change());
    next(&posts);
    server.logs(1, &["receiver asks to try again", ID, "the hook did not answer"]);
}

/// Needs deliveries that are tried again.
#[test]
fn a_hook_that_asks_for_a_pause_gets_the_event_after_it() {
    let busy = answer("429 Too Many Requests", "retry-after: 2\r\n", "");
    let (hook, posts) = hook(&[&busy, &answer("200 OK", "", "")]);
    let server = signed(hook).serve();
    accepted(&server, &change());
    let (first, second) = (next(&posts), next(&posts));
    // The pause begins when the attempt has ended, which is after the hook read the first request.
    assert!(second.at.duration_since(first.at) >= Duration::from_secs(2), "{first:?} {second:?}");
    assert_eq!(second.body, first.body);
    assert_eq!(second.headers["webhook-id"], ID);
    assert_eq!(second.headers["webhook-signature"], signature(&second), "signed anew");
    assert_ne!(second.headers["webhook-timestamp"], first.headers["webhook-timestamp"]);
}

#[test]
fn settings_that_cannot_be_keep_the_server_from_starting_and_no_secret_is_told() {
    let hook = SocketAddr::from(([127, 0, 0, 1], 9));
    for (settings, told) in [
        ("", "secret: there is none"),
        ("secret = \"hush\"", "secret: a secret is whsec_"),
        (&*format!("secret = \"{SECRET}\"\ntypes = []"), "types: there is none"),
        (&*format!("secret = \"{SECRET}\"\nurls = \"x\""), "unknown setting urls"),
    ] {
        let ran = site(hook, settings).run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
        ran.explains(&["plugins.webhook-forwarder", told]);
        assert!(!ran.stderr.contains("hush") && !ran.stderr.contains(SECRET), "{}", ran.stderr);
    }
    let ran = Site::new("[plugins.webhook-forwarder]").run(&["serve", "--listen", "127.0.0.1:0"]).exits(1);
    ran.explains(&["plugins.webhook-forwarder", "wasi:http/outgoing-handler", "http:https://HOST"]);
}

#[test]
fn a_refused_message_is_sent_again_at_a_desk_with_the_secret_that_was_taken_out() {
    let (address, posted) = hook(&[&answer("404 Not Found", "", "no such hook")]);
    let configured = format!("secret = \"{SECRET}\"\n[failed_calls]\nkeep = 5");
    let site = site(address, &configured);
    let server = site.serve();
    accepted(&server, &change());
    posted.recv_timeout(PATIENCE).unwrap();
    let dead = || {
        let event = server.get(&format!("/admin/api/events/{ID}")).json(200);
        event["deliveries"][0].clone()
    };
    server.until("it is a dead letter", |_| dead()["state"] == "dead");
    let attempt = &dead()["history"][0];
    assert_eq!(attempt["outcome"], "rejected", "{attempt}");
    let path = site.data().join("failed-calls").join(attempt["report"]["replay"].as_str().unwrap());
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&SECRET[6..20]), "the secret is in the file");

    // Without the secret it ends elsewhere, and nobody takes that for the same.
    let path = path.to_str().unwrap();
    let without = site.run_on_data(&["replay", path]).exits(1);
    without.prints(&["fails in another way than it did then", "--setting"]);
    let setting = format!("secret={SECRET}");
    let with = site.run_on_data(&["replay", path, "--setting", &setting]).exits(0);
    with.prints(&["the hook answered 404", "reproduced"]);
    site.run_on_data(&["replay", path, "--setting", "secret"]).exits(2).explains(&["NAME=VALUE"]);
}
