//! Plugins of a running server, over its admin API.

use std::fmt::Write as _;

use hookbox_plugins::{ReleaseRef, Rows, Then, TrialEnd, TrialKind};
use serde_json::{Value, json};

use super::{Answer, Change, Upload};
use crate::commands::client::{Client, Request};

pub(super) const PLUGINS: &str = "/admin/api/plugins";
pub(super) const JSON: &str = "application/json";

/// A plugin's path.
pub(super) fn path(name: &str) -> String {
    format!("{PLUGINS}/{}", in_path(name))
}

/// A name as a part of a path. Only letters, digits and dashes are in names that exist; the rest is for the server to
/// refuse, and must not lead elsewhere.
pub(super) fn in_path(name: &str) -> String {
    let mut part = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            part.push(char::from(byte));
        } else {
            let _ = write!(part, "%{byte:02X}");
        }
    }
    part
}

pub(super) fn ask(client: &Client, path: &str) -> anyhow::Result<Answer> {
    send(client, &Request { method: "GET", path, ..Request::default() })
}

pub(super) fn release(client: &Client, name: &str, release: &ReleaseRef) -> anyhow::Result<Answer> {
    ask(client, &format!("{}/releases/{}", path(name), in_path(&release.to_string())))
}

pub(super) fn post(client: &Client, path: &str) -> anyhow::Result<Answer> {
    send(client, &Request { method: "POST", path, media: Some(JSON), ..Request::default() })
}

pub(super) fn change(
    client: &Client,
    plugin: &str,
    change: Change,
    if_match: Option<u64>,
) -> anyhow::Result<Answer> {
    let plugin = path(plugin);
    let (method, path, body) = match change {
        Change::Install(upload) => return install(client, &plugin, upload, if_match),
        Change::Activate(release) => {
            ("POST", format!("{plugin}/activate"), json!({"release": named(&release)}))
        }
        Change::RollBack(None) => ("POST", format!("{plugin}/rollback"), json!({})),
        Change::RollBack(Some(release)) => {
            ("POST", format!("{plugin}/rollback"), json!({"release": named(&release)}))
        }
        Change::Disable => ("POST", format!("{plugin}/disable"), json!({})),
        Change::Enable => ("POST", format!("{plugin}/enable"), json!({})),
        Change::Remove(rows) => {
            let rows = match rows {
                Rows::Keep => "keep",
                Rows::Delete => "delete",
            };
            ("DELETE", format!("{plugin}?rows={rows}"), Value::Null)
        }
        Change::Approve(approval) => {
            let mut body = json!({"grants": approval.grants});
            if let Some(release) = &approval.release {
                body["release"] = named(release);
            }
            ("POST", format!("{plugin}/approve"), body)
        }
        Change::Try(release, request) => {
            let mut body = serde_json::to_value(request)?;
            body["release"] = named(&release);
            ("POST", format!("{plugin}/trial"), body)
        }
        Change::EndTrial(TrialEnd::Promote) => ("POST", format!("{plugin}/promote"), json!({})),
        Change::EndTrial(TrialEnd::RollBack) => ("DELETE", format!("{plugin}/trial"), Value::Null),
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let media = (!body.is_empty()).then_some(JSON);
    send(client, &Request { method, path: &path, media, if_match, body: body.as_bytes() })
}

fn install(client: &Client, plugin: &str, upload: Upload, if_match: Option<u64>) -> anyhow::Result<Answer> {
    let mut query = match upload.then {
        Then::Activate => "then=activate".to_owned(),
        Then::Keep => "then=keep".to_owned(),
        Then::Try(request) => {
            let kind = match request.kind {
                TrialKind::Shadow => "shadow",
                TrialKind::Canary => "canary",
            };
            let mut query = format!("then={kind}&percent={}&values={}", request.percent, request.values);
            if let Some(rule) = request.rule {
                let _ = write!(query, "&calls={}&differences={}", rule.calls, rule.differences);
            }
            query
        }
    };
    if let Some(sha256) = &upload.sha256 {
        let _ = write!(query, "&sha256={}", in_path(sha256));
    }
    let (media, body) = match upload.cases {
        None => ("application/wasm".to_owned(), upload.component),
        Some(cases) => multipart(&upload.component, &cases),
    };
    let path = format!("{plugin}?{query}");
    send(client, &Request { method: "PUT", path: &path, media: Some(&media), if_match, body: &body })
}

/// A component and its recorded cases as one body, with its media type.
fn multipart(component: &[u8], cases: &str) -> (String, Vec<u8>) {
    let boundary = format!("hookbox-{}", uuid::Uuid::new_v4().simple());
    let mut body = Vec::with_capacity(component.len() + cases.len() + 512);
    for (name, media, content) in
        [("component", "application/wasm", component), ("cases", JSON, cases.as_bytes())]
    {
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
             content-type: {media}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A release as the API takes it: a number, or a text.
fn named(release: &ReleaseRef) -> Value {
    match release {
        ReleaseRef::Number(number) => json!(number),
        ReleaseRef::Digest(_) | ReleaseRef::Version(_) => json!(release.to_string()),
    }
}

pub(super) fn send(client: &Client, request: &Request<'_>) -> anyhow::Result<Answer> {
    let (status, answer) = client.send(request)?;
    if (200..300).contains(&status) {
        return Ok(Answer::Done(answer));
    }
    Ok(Answer::Refused { problem: answer, by: client.answered(request.path, status)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert_eq!(path("course-about-url"), "/admin/api/plugins/course-about-url");
        assert_eq!(path("../x?y#z %"), "/admin/api/plugins/%2E%2E%2Fx%3Fy%23z%20%25");
    }

    #[test]
    fn a_release_is_a_number_or_a_text() {
        for (text, json) in
            [("3", json!(3)), ("1.2.0", json!("1.2.0")), ("ABCDEF12", json!("sha256:abcdef12"))]
        {
            assert_eq!(named(&text.parse().unwrap()), json);
        }
    }

    #[test]
    fn a_component_travels_with_its_cases_unchanged() {
        let (media, body) = multipart(b"\0asm\r\n--x", "{\"cases\": []}");
        let boundary = media.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8(body).unwrap();
        let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
        assert_eq!((parts.len(), parts[0], parts[3]), (4, "", "--\r\n"));
        assert!(parts[1].contains("name=\"component\"") && parts[1].ends_with("\r\n\r\n\0asm\r\n--x\r\n"));
        assert!(parts[2].contains("name=\"cases\"") && parts[2].ends_with("\r\n\r\n{\"cases\": []}\r\n"));
    }
}
