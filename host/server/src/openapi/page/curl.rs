//! Examples as commands for a shell.

use serde_json::Value;

use super::operation::Operation;
use super::{members, object, text_of};
use crate::openapi::events::{BINARY, PREFIX};

/// What the commands take for granted.
pub(super) const SETTING: &str =
    "export HOOKBOX=http://127.0.0.1:8000\nexport TOKEN=$(hookbox token --user ada --staff)";

/// One command for each media type of the body, or one without. With each, the media type.
pub(super) fn commands(operation: &Operation<'_>) -> Vec<(Option<String>, String)> {
    let contents: Vec<_> = object(&operation.operation["requestBody"]["content"]).collect();
    if contents.is_empty() {
        return vec![(None, command(operation, None))];
    }
    let mut commands = Vec::with_capacity(contents.len());
    for (media, content) in contents {
        commands.push((Some(media.clone()), command(operation, Some((media, &content["example"])))));
    }
    commands
}

fn command(operation: &Operation<'_>, body: Option<(&str, &Value)>) -> String {
    let mut lines = Vec::new();
    let method = operation.method.to_ascii_uppercase();
    let method = match (method.as_str(), body) {
        ("GET", _) | ("POST", Some(_)) => String::new(),
        (other, _) => format!("-X {other} "),
    };
    lines.push(format!("curl {method}\"$HOOKBOX{}\"", address(operation)));
    if operation.needs_login() {
        lines.push(format!("-H \"Authorization: {} $TOKEN\"", operation.page.prefix));
    }
    let Some((media, example)) = body else { return lines.join(" \\\n  ") };
    match media {
        "application/x-www-form-urlencoded" => lines.extend(fields("--data-urlencode", example)),
        "multipart/form-data" => lines.extend(fields("-F", example)),
        binary @ ("application/wasm" | "application/octet-stream") => {
            lines.push(format!("-H {}", quoted(&format!("Content-Type: {binary}"))));
            lines.push(format!("--data-binary {}", quoted(example.as_str().unwrap_or_default())));
        }
        json => {
            lines.push(format!("-H {}", quoted(&format!("Content-Type: {json}"))));
            for parameter in operation.parameters().filter(|_| json == BINARY) {
                if let (true, Some(value)) =
                    (text_of(parameter, "name").starts_with(PREFIX), shown(parameter))
                {
                    lines.push(format!("-H {}", quoted(&format!("{}: {value}", text_of(parameter, "name")))));
                }
            }
            lines.push(format!("-d {}", quoted(&example.to_string())));
        }
    }
    lines.join(" \\\n  ")
}

/// The path and query with the parameters' examples, safe between double quotes.
fn address(operation: &Operation<'_>) -> String {
    let mut path = operation.path.to_owned();
    let mut query = String::new();
    for parameter in operation.parameters() {
        let Some(value) = shown(parameter) else { continue };
        let name = text_of(parameter, "name");
        match text_of(parameter, "in") {
            "path" => path = path.replace(&format!("{{{name}}}"), &encoded(&value)),
            // A row's own filters only hide it.
            "query" if !operation.path.contains("{id}") => {
                query.push(if query.is_empty() { '?' } else { '&' });
                query.push_str(&format!("{name}={}", encoded(&value)));
            }
            _ => {}
        }
    }
    path + &query
}

/// A parameter's example as a request holds it.
fn shown(parameter: &Value) -> Option<String> {
    match parameter.get("example")? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(_) => {
            let parts: Vec<&str> = members(parameter, "example").filter_map(Value::as_str).collect();
            Some(parts.join(","))
        }
        other => Some(other.to_string()),
    }
}

fn encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PLAIN: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b',');
    utf8_percent_encode(text, PLAIN).to_string()
}

fn fields<'a>(option: &'a str, example: &'a Value) -> impl Iterator<Item = String> + 'a {
    object(example).map(move |(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{option} {}", quoted(&format!("{name}={value}")))
    })
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_text_as_one_word() {
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
    }

    #[test]
    fn nothing_in_an_address_means_anything_to_a_shell() {
        assert_eq!(encoded("course-v1:a+b \"$(x)\"`"), "course-v1:a%2Bb%20%22%24%28x%29%22%60");
    }
}
