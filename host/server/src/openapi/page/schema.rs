//! Schemas as tables, and their types as words.

use serde_json::Value;

use super::text::escaped;
use super::{members, object, sentence, text_of};

/// The anchor of a schema of the components.
pub(super) fn anchor(name: &str) -> String {
    format!("schema-{name}")
}

/// What a schema is made of: a table of its members, or its type in a line.
pub(super) fn body(html: &mut String, schema: &Value) {
    if schema.get("properties").is_none() {
        html.push_str(&format!("<p class=\"type\">{}</p>\n", type_of(schema)));
        return;
    }
    html.push_str(
        "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Field</th><th \
                   scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n",
    );
    for (name, property) in object(&schema["properties"]) {
        let required = members(schema, "required").any(|required| required == name);
        let mark = if required { "" } else { " <span class=\"optional\">optional</span>" };
        html.push_str(&format!(
            "<tr><th scope=\"row\"><code>{}</code>{mark}</th><td>{}</td><td>{}</td></tr>\n",
            escaped(name),
            type_of(property),
            sentence(property)
        ));
    }
    html.push_str("</tbody></table></div>\n");
}

/// A type in words, with links to the schemas that it names.
pub(super) fn type_of(schema: &Value) -> String {
    if let Some(name) =
        schema.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next())
    {
        return format!("<a href=\"#{}\">{}</a>", escaped(&anchor(name)), escaped(name));
    }
    let alternatives: Vec<String> =
        ["oneOf", "anyOf", "allOf"].iter().flat_map(|kind| members(schema, kind)).map(type_of).collect();
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    let values: Vec<String> = members(schema, "enum").map(code).collect();
    if !values.is_empty() {
        return values.join(", ");
    }
    let types: Vec<String> = match schema.get("type") {
        Some(Value::Array(types)) => {
            types.iter().filter_map(Value::as_str).map(|name| one(name, schema)).collect()
        }
        Some(Value::String(name)) => vec![one(name, schema)],
        _ => vec!["anything".to_owned()],
    };
    types.join(" or ") + &limits(schema)
}

fn one(name: &str, schema: &Value) -> String {
    let format = text_of(schema, "format");
    match (name, format) {
        ("array", _) => {
            format!("list of {}", schema.get("items").map_or_else(|| "anything".to_owned(), type_of))
        }
        ("object", _) => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("object: name → {}", type_of(values)),
            _ => "object".to_owned(),
        },
        ("null" | "integer", _) | (_, "") => escaped(name),
        ("string", "date-time") => "time".to_owned(),
        (_, format) => format!("{} ({})", escaped(name), escaped(format)),
    }
}

fn limits(schema: &Value) -> String {
    let number = |member: &str| schema.get(member).map(Value::to_string);
    let range = |least: Option<String>, most: Option<String>, unit: &str| match (least, most) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", at least {least}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    };
    // That a number is not negative goes without saying.
    let least = number("minimum").filter(|least| least != "0");
    let default = schema.get("default").map(|value| format!(", otherwise {}", code(value)));
    range(number("minLength").filter(|least| least != "1"), number("maxLength"), " characters")
        + &range(least, number("maximum"), "")
        + &default.unwrap_or_default()
}

fn code(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("<code>{}</code>", escaped(&text))
}
