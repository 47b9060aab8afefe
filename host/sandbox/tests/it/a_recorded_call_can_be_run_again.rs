//! A recorded call runs again elsewhere and meets the same: clocks, random bytes, rows, the archive and the answers of
//! servers. What its record lacks is unavailable, and told.

use std::sync::Arc;

use hookbox_sandbox::{
    Answer, CallContext, CallFailure, CallRecord, Grant, Granting, Isolation, Limits, Plugin, PluginOptions,
    RecordedInstance,
};
use serde_json::{Map, Value, json};

use crate::plugins_keep_rows_of_their_own::{Rows, granted as rows_granted, sandbox as sandbox_with_rows};
use crate::plugins_use_the_course_archive::{Noted, enrollment, with_archive};
use crate::servers::{Server, Told, deserted, sender, sender_with};
use crate::support::{
    AGES, admit_with, arguments, new_url, object, only_function, options, sandbox, written,
};

type Ended = Result<Answer, CallFailure>;

async fn recorded(plugin: &Plugin, arguments: &Map<String, Value>) -> (Ended, CallRecord) {
    plugin.call_recorded(only_function(plugin), arguments, Arc::new(CallContext::default()), AGES).await
}

/// Plays a record to a component in a sandbox that has nothing, after a journey through JSON.
async fn replayed(
    component: &[u8],
    arguments: &Map<String, Value>,
    record: &CallRecord,
) -> (Ended, Vec<String>) {
    let record: CallRecord = serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap();
    let sandbox = sandbox();
    let admitted = admit_with(&sandbox, component, &Granting::WhatItImports);
    let plugin = sandbox.rehearsal(&admitted, options());
    let context = Arc::new(CallContext::default());
    plugin.call_replayed(only_function(&plugin), arguments, context, AGES, record).await
}

/// The plugin that looks at everything and dies.
fn witness(isolation: Isolation) -> Plugin {
    let sandbox = sandbox_with_rows(&Arc::new(Rows::default()));
    let admitted = admit_with(&sandbox, &written("witness"), &Granting::These(&rows_granted()));
    sandbox.plugin(&admitted, PluginOptions { isolation, ..options() })
}

#[tokio::test]
async fn clocks_random_bytes_and_rows_are_as_they_were() {
    let plugin = witness(Isolation::Call);
    // Its rows are not empty when the second call is made.
    let _ = recorded(&plugin, &arguments("")).await;
    let (then, record) = recorded(&plugin, &arguments("")).await;
    let (now, divergences) = replayed(&written("witness"), &arguments(""), &record).await;
    let Err(CallFailure::Trap { message: Some(said), backtrace, .. }) = &then else { panic!("{then:?}") };
    assert!(said.ends_with("0200000000000000"), "the second call counts two: {said}");
    assert_eq!(backtrace[..2], ["testify", "run-filter"]);
    assert_eq!(now, then);
    assert_eq!(divergences, [""; 0]);
    let calls: Vec<&str> = record.host_calls.iter().map(|call| &*call.call).collect();
    assert_eq!(calls, ["wall-clock", "monotonic-clock", "key-value.increment"]);
}

#[tokio::test]
async fn two_recorded_calls_have_other_random_bytes() {
    let plugin = witness(Isolation::Call);
    let (_, one) = recorded(&plugin, &arguments("")).await;
    let (_, other) = recorded(&plugin, &arguments("")).await;
    assert_ne!(one.seed, other.seed);
}

#[tokio::test]
async fn what_the_record_lacks_is_unavailable_and_told() {
    let (_, mut record) = recorded(&witness(Isolation::Call), &arguments("")).await;
    record.host_calls.clear();
    let (now, divergences) = replayed(&written("witness"), &arguments(""), &record).await;
    let Err(CallFailure::Trap { message: Some(said), .. }) = now else { panic!("{now:?}") };
    assert_eq!(said.len(), 80);
    let told = ["wall-clock: read", "monotonic-clock: read", "key-value.increment {"];
    assert_eq!(divergences.len(), told.len(), "{divergences:?}");
    assert!(divergences.iter().zip(told).all(|(text, start)| text.starts_with(start)), "{divergences:?}");
}

#[tokio::test]
async fn what_a_server_said_is_said_again_when_it_is_gone() {
    let sandbox = sandbox();
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let plugin = sender(&sandbox, &[server.grant()]);
    let told = Told { body: "first".into(), blocks: 20, method: 2, times: 3, ..Told::get(&server.address()) };
    let (then, record) = recorded(&plugin, &arguments(&told.url())).await;
    drop(server);
    let (now, divergences) = replayed(&written("sends-as-told"), &arguments(&told.url()), &record).await;
    assert_eq!(new_url(then), "200 5 closed hello");
    assert_eq!(new_url(now), "200 5 closed hello");
    assert_eq!(divergences, [""; 0]);

    // It asks for something else, as a fixed plugin may.
    let other = Told { path: "/other".into(), ..told };
    let (now, divergences) = replayed(&written("sends-as-told"), &arguments(&other.url()), &record).await;
    assert!(new_url(now).starts_with("error "));
    assert!(
        divergences[0].starts_with("http {\"method\":\"POST\",\"url\":\"http://127.0.0.1:"),
        "{divergences:?}"
    );
}

#[tokio::test]
async fn what_went_wrong_with_a_request_goes_wrong_again() {
    let sandbox = sandbox();
    let half = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello");
    let (nobody, limits) = (deserted(), Limits { http_time_ms: 60_000, ..Limits::default() });
    let grants = [half.grant(), format!("http:http://{nobody}")];
    let plugin = sender_with(&sandbox, &grants, limits);
    for address in [half.address(), nobody] {
        let told = Told::get(&address);
        let (then, record) = recorded(&plugin, &arguments(&told.url())).await;
        let (now, divergences) = replayed(&written("sends-as-told"), &arguments(&told.url()), &record).await;
        assert_eq!(new_url(now), new_url(then));
        assert_eq!(divergences, [""; 0]);
    }
}

#[tokio::test]
async fn a_large_answer_is_cut_and_that_is_told() {
    let sandbox = sandbox();
    let large = "y".repeat(1 << 20);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{large}", large.len());
    let server = Server::answering(answer);
    let plugin = sender(&sandbox, &[server.grant()]);
    let url = Told::get(&server.address()).url();
    let (then, record) = recorded(&plugin, &arguments(&url)).await;
    assert!(new_url(then).starts_with("200 1048576 closed "));
    assert!(record.truncated);
    let bytes = serde_json::to_vec(&record).unwrap().len();
    assert!(bytes < 3 << 20, "{bytes}");
    let (now, divergences) = replayed(&written("sends-as-told"), &arguments(&url), &record).await;
    assert!(!new_url(now).contains(" closed "));
    assert!(divergences.iter().any(|text| text.contains("truncated")), "{divergences:?}");
}

#[tokio::test]
async fn an_instance_that_served_others_is_told() {
    let rows = Arc::new(Rows::default());
    let sandbox = sandbox_with_rows(&rows);
    let admitted = admit_with(&sandbox, &written("key-value"), &Granting::These(&rows_granted()));
    let isolation = Isolation::Reuse { max_calls: 10 };
    let plugin = sandbox.plugin(&admitted, PluginOptions { isolation, ..options() });
    let (_, first) = recorded(&plugin, &arguments("set||color|red")).await;
    let (then, second) = recorded(&plugin, &arguments("get||color")).await;
    assert_eq!((first.instance, second.instance), (RecordedInstance::Fresh, RecordedInstance::Reused));
    let (now, divergences) = replayed(&written("key-value"), &arguments("get||color"), &second).await;
    assert_eq!((new_url(then), new_url(now)), ("red".into(), "red".into()));
    assert_eq!(divergences, [""; 0]);
}

#[tokio::test]
async fn the_archive_answers_as_it_did() {
    let archive = Arc::new(Noted::default());
    let grants = [Grant::ArchiveWrite];
    let (_sandbox, plugin) = with_archive("archives-by-mode", &grants, Some(Arc::clone(&archive) as _));
    for (user, mode) in
        [(7, "r"), (7, "a"), (7, "r"), (7, "d"), (7, "s2026-03-04T05:06:07+00:00"), (7, "l"), (13, "a")]
    {
        let enrollment = enrollment(user, mode);
        let (then, record) = recorded(&plugin, &enrollment).await;
        let noted = archive.asked();
        let (now, divergences) = replayed(&written("archives-by-mode"), &enrollment, &record).await;
        assert_eq!(now, then, "{mode}");
        assert_eq!(divergences, [""; 0]);
        assert_eq!(archive.asked(), noted, "nobody is asked again");
    }
}

/// Records that no host wrote: whatever they hold, the call ends.
#[tokio::test]
async fn a_strange_record_is_no_more_than_a_wrong_answer() {
    let (_, record) = recorded(&witness(Isolation::Call), &arguments("")).await;
    let strange = [
        json!(null),
        json!({"ok": null}),
        json!({"ok": {"status": 99_999, "headers": [["a b", "\n"]], "body": {"base64": "?"}}}),
        json!({"ok": {"status": 7, "headers": [["a b", "\n"]], "end": "whole"}}),
        json!({"err": {"quota": {"limit": "time", "wanted": 1}}}),
        json!([u64::MAX, u32::MAX]),
        json!([[[[]]]]),
        json!("x"),
    ];
    let sender = written("sends-as-told");
    let told = arguments(&Told::get(&"127.0.0.1:9").url());
    for answer in strange {
        let mut wrong = record.clone();
        wrong.host_calls.iter_mut().for_each(|call| call.answer = answer.clone());
        let (now, _) = replayed(&written("witness"), &arguments(""), &wrong).await;
        assert!(matches!(now, Err(CallFailure::Trap { .. })), "{answer}: {now:?}");
        let mut http =
            object(json!({"call": "http", "asked": {"method": "GET", "url": "http://127.0.0.1:9/"}}));
        http.insert("answer".into(), answer.clone());
        wrong.host_calls = vec![serde_json::from_value(Value::Object(http)).unwrap()];
        let (now, _) = replayed(&sender, &told, &wrong).await;
        assert!(matches!(now, Ok(Ok(_))), "{answer}: {now:?}");
    }
}
