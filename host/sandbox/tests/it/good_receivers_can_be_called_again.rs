//! Deliveries come again: the sample receivers make no second effect of a second attempt, and say when to try again and
//! when not to.

use std::sync::Arc;
use std::time::Duration;

use hookbox_hooks::catalogue::any_event;
use hookbox_sandbox::{
    CallContext, DeliveryWishes, Grant, Granting, Grants, Limits, Plugin, PluginOptions, Sandbox, Settings,
};
use serde_json::{Value, json};

use crate::plugins_keep_rows_of_their_own::{self as rows, Rows};
use crate::servers::Server;
use crate::support::{AGES, admit_with, host_log, object, only_function, options, prebuilt, sandbox};

const TYPE: &str = "org.openedx.learning.course.enrollment.created.v1";

fn metadata(number: u32, attempt: u32) -> Value {
    json!({
        "id": format!("0190a3c1-2d4e-7a10-8b1c-{number:012}"),
        "event_type": TYPE,
        "minorversion": 0, "source": "openedx/lms/web", "sourcehost": "",
        "time": "2026-01-02T03:04:05+00:00", "sourcelib": [], "attempt": attempt,
    })
}

/// Why a receiver did not take an event: `{"retry": reason}` or `{"reject": reason}`.
type Refusal = Value;

/// Hands over the event of this number; gives the pause that the receiver wants, too.
async fn receive(
    plugin: &Plugin,
    number: u32,
    attempt: u32,
    data: &Value,
) -> (Result<(), Refusal>, Option<Duration>) {
    let arguments = object(json!({"event_type": TYPE, "data": data, "metadata": metadata(number, attempt)}));
    let delivery = Some(DeliveryWishes::default());
    let context = Arc::new(CallContext { delivery, ..CallContext::default() });
    let function = plugin.function(any_event()).expect("a generic receiver");
    let answer = plugin.call(function, &arguments, Arc::clone(&context), AGES).await.unwrap();
    let not_before = context.delivery.as_ref().and_then(DeliveryWishes::not_before);
    (answer.map(|_| ()), not_before)
}

fn receiver(
    sandbox: &Sandbox,
    name: &str,
    grants: impl IntoIterator<Item = Grant>,
    settings: Value,
) -> Plugin {
    let grants = Grants::new(grants);
    let admitted = admit_with(sandbox, &prebuilt(name), &Granting::These(&grants));
    let limits = Limits { http_time_ms: 60_000, ..Limits::default() };
    let settings = Settings::new(object(settings));
    sandbox.plugin(&admitted, PluginOptions { settings, limits, ..options() })
}

fn audit_log(rows: &Arc<Rows>) -> Plugin {
    receiver(&rows::sandbox(rows), "audit-log", [Grant::KeyValue], json!({"fields": "id"}))
}

/// The lines of the audit log so far, each as the object that it is.
fn lines() -> Vec<Value> {
    let log = host_log();
    let begin = log
        .lines()
        .filter(|line| line.contains("context=\"audit\""))
        .filter_map(|line| line.find('{').map(|at| &line[at..]));
    begin.map(|line| serde_json::Deserializer::from_str(line).into_iter().next().unwrap().unwrap()).collect()
}

#[tokio::test]
async fn an_event_is_counted_once_however_often_it_is_delivered() {
    let rows: Arc<Rows> = Arc::default();
    let plugin = audit_log(&rows);
    plugin.try_out().await.unwrap();
    let deliver = async |number, attempt| {
        assert_eq!(receive(&plugin, number, attempt, &json!({})).await, (Ok(()), None));
        lines().pop().unwrap()
    };
    let counted = |line: &Value| line["count"].as_u64();
    for number in 1..=70 {
        assert_eq!(counted(&deliver(number, 1).await), Some(number.into()));
    }
    let again = deliver(70, 2).await;
    assert_eq!((counted(&again), &again["attempt"]), (None, &json!(2)), "{again}");
    assert_eq!(counted(&deliver(7, 3).await), None, "the 64th before the end");
    assert_eq!(counted(&deliver(6, 2).await), Some(71), "one that is forgotten");
    // A first attempt of which nothing was written down.
    assert_eq!(counted(&deliver(72, 2).await), Some(72));
    assert_eq!(counted(&deliver(72, 3).await), None);
    assert_eq!(lines().len(), 75, "each attempt has its line");
}

#[tokio::test]
async fn a_count_that_cannot_be_written_is_tried_again_and_the_line_is_there() {
    let plugin = audit_log(&Arc::new(Rows::unavailable()));
    let (answer, not_before) = receive(&plugin, 1, 1, &json!({})).await;
    let told = answer.unwrap_err()["retry"].as_str().unwrap().to_owned();
    assert!(told.contains(&format!("cannot count {TYPE}")) && told.contains("unavailable"), "{told}");
    assert_eq!(not_before, None, "the host's own pause will do");
    assert_eq!(lines(), [json!({"id": "0190a3c1-2d4e-7a10-8b1c-000000000001"})]);
}

#[tokio::test]
async fn an_archive_that_is_not_there_is_asked_again() {
    let plugin = receiver(&sandbox(), "archive-sync", [Grant::ArchiveWrite], json!({}));
    let event = object(json!({
        "catalog_info": {
            "course_key": "course-v1:edX+DemoX+Demo_Course",
            "name": "Demo",
            "schedule_data": {"start": "2026-01-02T03:04:05+00:00", "pacing": "self"},
        },
        "metadata": metadata(1, 1),
    }));
    let answer = plugin.call(only_function(&plugin), &event, Arc::default(), AGES).await.unwrap();
    assert!(answer.as_ref().unwrap_err()["retry"].is_string(), "{answer:?}");
}

/// The forwarder with that origin granted, posting to that address.
fn forwarder(sandbox: &Sandbox, grant: &str, url: &str) -> Plugin {
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let settings = json!({"url": url, "secret": secret});
    receiver(sandbox, "webhook-forwarder", [grant.parse().unwrap()], settings)
}

#[tokio::test]
async fn a_hook_says_when_it_wants_to_be_asked_again() {
    let sandbox = sandbox();
    let day = Duration::from_secs(24 * 60 * 60);
    for (status, headers, said, pause) in [
        ("429 Too Many Requests", "retry-after: 120\r\n", "slow", Some(Duration::from_secs(120))),
        ("503 Service Unavailable", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n", "", Some(day)),
        ("503 Service Unavailable", "retry-after: Fri, 02 Jan 2026 03:05:05 GMT\r\n", "", None),
        ("500 Internal Server Error", "retry-after: soon\r\n", "", None),
        ("408 Request Timeout", "", "", None),
    ] {
        let length = said.len();
        let hook = Server::answering(format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{said}"
        ));
        let plugin = forwarder(&sandbox, &hook.grant(), &format!("http://{}/hook", hook.address()));
        let (answer, not_before) = receive(&plugin, 1, 1, &json!({})).await;
        let told = answer.unwrap_err()["retry"].as_str().unwrap().to_owned();
        assert!(told.contains(&status[..3]) && told.contains(said), "{status}: {told}");
        assert_eq!(not_before, pause, "{status} {headers}");
    }
}

#[tokio::test]
async fn a_large_event_arrives_whole_and_one_that_is_too_large_is_rejected() {
    let sandbox = sandbox();
    let hook = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let plugin = forwarder(&sandbox, &hook.grant(), &format!("http://{}", hook.address()));
    let data = json!({"text": "é".repeat(500 << 10)});
    assert_eq!(receive(&plugin, 1, 1, &data).await, (Ok(()), None));
    let [request] = &hook.requests()[..] else { panic!("one request") };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["data"], data);

    let data = json!({"text": "x".repeat(1 << 20)});
    let (answer, _) = receive(&plugin, 1, 1, &data).await;
    assert_eq!(answer, Err(json!({"reject": "the message is larger than limits.http_body"})));
}

#[tokio::test]
async fn a_hook_that_does_not_answer_is_tried_again() {
    let sandbox = sandbox();
    let silent = Server::new(|_, _| Ok(()));
    let url = format!("http://{}", silent.address());
    for (grant, told) in [
        (silent.grant(), "the hook did not answer".to_owned()),
        ("http:https://example.com".to_owned(), format!("add \"{}\" to the plugin's grants", silent.grant())),
    ] {
        let plugin = forwarder(&sandbox, &grant, &url);
        let (answer, not_before) = receive(&plugin, 1, 1, &json!({})).await;
        let reason = answer.unwrap_err()["retry"].as_str().unwrap().to_owned();
        assert!(reason.contains(&told), "{reason}");
        assert_eq!(not_before, None);
    }
}
