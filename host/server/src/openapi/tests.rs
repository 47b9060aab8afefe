//! The document against itself, against the code, and against another reader.

mod page;
mod router;
mod shapes;

use std::collections::HashSet;

use hookbox_archive::query::{self, Params};
use hookbox_hooks::Catalogue;
use hookbox_hooks::check::check_fields;
use serde_json::Value;

use super::{archive, events, hooks};
use crate::config::Config;

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "options", "head"];

fn document() -> Value {
    serde_json::to_value(super::document::document(&Config::default())).unwrap()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Every operation with its path and method.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    object(&document["paths"]).flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| Some((path.as_str(), *method, item.get(method)?)))
    })
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(target) => {
            document.pointer(target.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{target}"))
        }
        None => value,
    }
}

/// Calls `look` with every value in the document, and where it is.
fn walk<'a>(value: &'a Value, place: &str, look: &mut impl FnMut(&str, &'a Value)) {
    look(place, value);
    for (name, member) in object(value) {
        walk(member, &format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), look);
    }
    for (at, element) in list(value).enumerate() {
        walk(element, &format!("{place}/{at}"), look);
    }
}

#[test]
fn another_reader_takes_the_document_for_openapi_3_1() {
    let json = document();
    let spec = oas3::from_json(json.to_string()).unwrap();
    assert_eq!(spec.validate_version().unwrap().minor, 1);
    assert_eq!(spec.operations().count(), operations(&json).count());
    // What a strict reader does not know, it drops: nothing may be lost on the way through it.
    let back: Value = serde_json::to_value(&spec).unwrap();
    for (path, method, operation) in operations(&json) {
        let back = &back["paths"][path][method];
        for member in
            ["operationId", "summary", "description", "tags", "security", "requestBody", "parameters"]
        {
            let (ours, theirs) = (operation.get(member), back.get(member));
            assert_eq!(ours.is_some(), theirs.is_some(), "{method} {path} {member}");
        }
        let statuses = |operation: &Value| {
            object(&operation["responses"]).map(|(status, _)| status.clone()).collect::<Vec<_>>()
        };
        assert_eq!(statuses(operation), statuses(back), "{method} {path}");
    }
    let names =
        |of: &str| object(&json["components"][of]).map(|(name, _)| name.clone()).collect::<HashSet<_>>();
    assert_eq!(
        names("schemas"),
        object(&back["components"]["schemas"]).map(|(name, _)| name.clone()).collect()
    );
    for (name, schema) in &spec.components.as_ref().unwrap().schemas {
        schema.resolve(&spec).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_reference_leads_somewhere_and_nothing_lies_about_unused() {
    let document = document();
    let mut used = HashSet::new();
    walk(&document, "", &mut |place, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').unwrap_or_else(|| panic!("{place}: {target} is elsewhere"));
            assert!(document.pointer(target).is_some(), "{place}: nothing is at {target}");
            used.insert(target.to_owned());
        }
    });
    for kind in ["schemas", "responses"] {
        for (name, _) in object(&document["components"][kind]) {
            assert!(used.contains(&format!("/components/{kind}/{name}")), "{name} is used nowhere");
        }
    }
}

#[test]
fn every_operation_says_what_it_is_and_what_goes_wrong() {
    let document = document();
    let tags: Vec<_> = list(&document["tags"]).map(|tag| &tag["name"]).collect();
    let schemes = &document["components"]["securitySchemes"];
    let mut ids = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{place}: {id} is taken");
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{place}: {id}");
        for member in ["summary", "description"] {
            assert!(!operation[member].as_str().unwrap().is_empty(), "{place}: {member}");
        }
        assert!(!operation["summary"].as_str().unwrap().ends_with('.'), "{place}: a summary is no sentence");
        let own: Vec<_> = list(&operation["tags"]).collect();
        assert_eq!(own.len(), 1, "{place}");
        assert!(tags.contains(&own[0]), "{place}: {} is not introduced", own[0]);
        let statuses: Vec<_> = object(&operation["responses"]).map(|(status, _)| status.as_str()).collect();
        assert!(statuses.iter().any(|status| status.starts_with('2')), "{place}: no success");
        assert!(statuses.iter().any(|status| status.starts_with('4')), "{place}: no refusal");
        for (status, response) in object(&operation["responses"]) {
            let response = resolved(&document, response);
            let description = response["description"].as_str().unwrap();
            assert!(description.ends_with('.'), "{place} {status}: {description:?}");
            let headers = &response["headers"];
            if status == "401" {
                assert!(headers.get("WWW-Authenticate").is_some(), "{place}: 401 without a challenge");
            }
            if matches!(status.as_str(), "429" | "503") {
                assert!(headers.get("Retry-After").is_some(), "{place}: {status} without a time");
            }
        }
        for requirement in list(&operation["security"]).flat_map(object) {
            assert!(schemes.get(requirement.0).is_some(), "{place}: {} is no scheme", requirement.0);
        }
    }
}

#[test]
fn the_parameters_in_a_path_are_the_documented_ones() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let parameters: Vec<_> =
            list(&document["paths"][path]["parameters"]).chain(list(&operation["parameters"])).collect();
        let mut seen = HashSet::new();
        for parameter in &parameters {
            let key = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
            assert!(seen.insert(key), "{method} {path}: {key:?} twice");
            assert!(parameter.get("schema").is_some(), "{method} {path}: {key:?}");
            assert_eq!(parameter["required"].as_bool(), Some(key.0 == "path"), "{method} {path}: {key:?}");
        }
        let documented: HashSet<_> =
            seen.iter().filter(|(place, _)| *place == "path").map(|(_, name)| *name).collect();
        let written = path.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
        assert_eq!(documented, written, "{method} {path}");
    }
}

#[test]
fn the_document_names_what_the_configuration_names() {
    let mut config = Config::default();
    config.auth.header_prefix = "Pass".into();
    config.auth.cookie_signature = "half".into();
    config.archive.rate_limit = "7/hour".parse().unwrap();
    config.archive.body = bytesize::ByteSize::b(4_321);
    let document = super::document::document(&config).to_json().unwrap();
    for named in
        ["Pass <token>", "Pass realm=", "\"name\":\"half\"", "7 requests in 3600 seconds", "4321 bytes"]
    {
        assert!(document.contains(named), "{named}");
    }
}

#[test]
fn every_order_in_the_document_is_one_that_the_list_knows() {
    let order = |text: &str| query::order(&Params(vec![("ordering".into(), text.into())]));
    let nonsense = order("nonsense");
    for name in archive::ORDERINGS.iter().filter(|name| **name != "updated_at") {
        assert_ne!(order(name), nonsense, "{name}");
        assert_ne!(order(&format!("-{name}")), nonsense, "-{name}");
    }
    assert_ne!(order("updated_at"), nonsense);
    assert_eq!(order("-updated_at"), nonsense, "the order of a list that asks for none");
}

#[test]
fn the_hooks_of_the_examples_are_upstreams() {
    let catalogue = Catalogue::embedded();
    let filter = catalogue.filter(hooks::FILTER).unwrap();
    check_fields(&filter.params, hooks::arguments().as_object().unwrap(), "").unwrap();
    let example = hooks::hook();
    assert_eq!(example.interface.as_deref(), Some(filter.signature.interface.as_str()));
    assert_eq!(example.upstream, Some(format!("{}.{}", filter.module, filter.class)));
    let arguments: Vec<_> =
        example.arguments.into_iter().map(|argument| (argument.name, argument.ty)).collect();
    let params: Vec<_> = filter.params.iter().map(|param| (param.name.clone(), param.ty.wit())).collect();
    assert_eq!(arguments, params);
    let event = catalogue.event(events::EVENT).unwrap();
    event.check(&events::data()).unwrap();
}

#[test]
fn messages_of_the_django_plugin_are_as_it_writes_them() {
    let vectors = include_str!("../../../../tests/vectors/archive_api.json");
    assert!(vectors.contains(super::archive_answers::DUPLICATE));
}
