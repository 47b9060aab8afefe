//! An event receiver: posts events to a web hook, signed.
//!
//! [`settings`] says where and which, [`message`] is what is sent, [`signature`] proves who sent it, [`verdict`] is what the
//! answer means; [`post`] sends it. This file connects them to Hookbox.

pub mod message;
pub mod post;
pub mod settings;
pub mod signature;
pub mod target;
pub mod verdict;

use std::time::Duration;

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:webhook-forwarder;

        world webhook-forwarder {
            include hookbox:plugin/plugin@1.0.0;
            import wasi:clocks/wall-clock@0.2.0;
            import wasi:http/outgoing-handler@0.2.0;
            export hookbox:plugin/any-event@1.0.0;
            export hookbox:plugin/lifecycle@1.0.0;
        }
    ",
    path: [
        "../../wit/deps/wasi-config",
        "../../wit/deps/wasi-io",
        "../../wit/deps/wasi-clocks",
        "../../wit/deps/wasi-http",
        "../../wit/deps/wasi-logging",
        "../../wit/hookbox",
    ],
    generate_all,
});

use crate::exports::hookbox::plugin::any_event::{EventMetadata, Guest as Receiver, ReceiveFailure};
use crate::exports::hookbox::plugin::lifecycle;
use crate::hookbox::plugin::delivery;
use crate::message::{MEDIA_TYPE, message};
use crate::settings::Settings;
use crate::signature::signatures;
use crate::target::Target;
use crate::verdict::Verdict;
use crate::wasi::clocks::wall_clock;
use crate::wasi::config::store;
use crate::wasi::http::types::ErrorCode;
use crate::wasi::logging::logging;

struct WebhookForwarder;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(WebhookForwarder);

impl Receiver for WebhookForwarder {
    fn receive(event_type: String, data: String, metadata: EventMetadata) -> Result<(), ReceiveFailure> {
        report_panics();
        let settings = settings().map_err(ReceiveFailure::Retry)?;
        if !settings.chooses(&event_type) {
            return Ok(());
        }
        let body = message(&metadata, &data);
        let seconds = wall_clock::now().seconds;
        let headers = [
            ("content-type", MEDIA_TYPE.to_owned()),
            ("content-length", body.len().to_string()),
            ("webhook-id", metadata.id.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures(&settings.secrets, &metadata.id, seconds, &body)),
        ];
        let verdict = match post::post(&settings.target, &headers, &body) {
            Ok(answer) => answer.verdict(now()),
            Err(error) => unanswered(&error, &settings.target),
        };
        match verdict {
            Verdict::Delivered => Ok(()),
            Verdict::Retry { reason, after } => {
                if let Some(after) = after {
                    delivery::not_before(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                }
                Err(ReceiveFailure::Retry(reason))
            }
            Verdict::Reject(reason) => Err(ReceiveFailure::Reject(reason)),
        }
    }
}

impl lifecycle::Guest for WebhookForwarder {
    fn configure(settings: String) -> Result<(), String> {
        report_panics();
        Settings::from_json(&settings).map(|_| ())
    }
}

fn settings() -> Result<Settings, String> {
    let texts = store::get_all().map_err(|error| format!("cannot read the settings: {error}"))?;
    Settings::from_texts(texts)
}

/// The time since 1970.
fn now() -> Duration {
    let now = wall_clock::now();
    Duration::new(now.seconds, now.nanoseconds)
}

/// What it means that there was no answer.
fn unanswered(error: &ErrorCode, target: &Target) -> Verdict {
    let reason = match error {
        ErrorCode::HttpRequestDenied => {
            format!("the hook's origin is not granted: add {:?} to the plugin's grants", target.grant())
        }
        ErrorCode::HttpRequestBodySize(_) => {
            return Verdict::Reject("the message is larger than limits.http_body".to_owned());
        }
        ErrorCode::HttpResponseTimeout => "the hook did not answer within limits.http_time".to_owned(),
        other => format!("the hook did not answer: {other:?}"),
    };
    Verdict::Retry { reason, after: None }
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_cannot_be_reached_is_tried_again_and_the_reason_says_what_to_do() {
        let target = Target::parse("https://hooks.example.com/hush").unwrap();
        for (error, told) in [
            (ErrorCode::ConnectionRefused, "did not answer: "),
            (ErrorCode::DnsTimeout, "did not answer: "),
            (ErrorCode::HttpResponseTimeout, "limits.http_time"),
            (ErrorCode::HttpRequestDenied, "\"http:https://hooks.example.com\""),
        ] {
            let Verdict::Retry { reason, after: None } = unanswered(&error, &target) else {
                panic!("{error:?}");
            };
            assert!(reason.contains(told) && !reason.contains("hush"), "{reason}");
        }
    }

    #[test]
    fn a_message_that_may_not_be_sent_is_rejected() {
        let target = Target::parse("https://hooks.example.com").unwrap();
        let verdict = unanswered(&ErrorCode::HttpRequestBodySize(Some(1)), &target);
        assert!(matches!(verdict, Verdict::Reject(reason) if reason.contains("limits.http_body")));
    }
}
