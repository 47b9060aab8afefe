//! Schemas against values: the examples, and what the real types are serialised to.

use hookbox_plugins::{MissingView, StepFailure, StepOutcome, StepReport};
use hookbox_sandbox::CallFailure;
use serde_json::{Value, json};

use super::{document, list, object, operations, resolved};
use crate::events::{Accepted, EventsAccepted};
use crate::openapi::{admin, archive, hooks};

/// What of a value a schema does not admit, with its place. Knows the keywords that the document uses and no others.
fn misfits(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    let mut found = Vec::new();
    for (keyword, rule) in object(schema) {
        match keyword.as_str() {
            "type" => {
                let types: Vec<_> = match rule {
                    Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                    other => other.as_str().into_iter().collect(),
                };
                if !types.iter().any(|name| is(value, name)) {
                    found.push(format!("{place}: {value} is no {types:?}"));
                }
            }
            "properties" => {
                for (name, member) in object(value) {
                    if let Some(schema) = rule.get(name) {
                        found.extend(misfits(document, schema, member, &format!("{place}.{name}")));
                    }
                }
            }
            "required" if value.is_object() => {
                let missing = list(rule).filter_map(Value::as_str).filter(|name| value.get(name).is_none());
                found.extend(missing.map(|name| format!("{place}: {name} is missing")));
            }
            "additionalProperties" if rule.is_object() => {
                let known = |name: &str| schema["properties"].get(name).is_some();
                for (name, member) in object(value).filter(|(name, _)| !known(name)) {
                    found.extend(misfits(document, rule, member, &format!("{place}.{name}")));
                }
            }
            "items" => {
                for (at, element) in list(value).enumerate() {
                    found.extend(misfits(document, rule, element, &format!("{place}[{at}]")));
                }
            }
            "enum" if !list(rule).any(|known| known == value) => {
                found.push(format!("{place}: {value} is none of {rule}"));
            }
            "oneOf" => {
                let fits: Vec<_> =
                    list(rule).filter(|one| misfits(document, one, value, place).is_empty()).collect();
                if fits.len() != 1 {
                    found.push(format!("{place}: {value} fits {} of {rule}", fits.len()));
                }
            }
            "minimum" if value.is_number() && value.as_f64() < rule.as_f64() => {
                found.push(format!("{place}: {value} is below {rule}"));
            }
            "maximum" if value.is_number() && value.as_f64() > rule.as_f64() => {
                found.push(format!("{place}: {value} is above {rule}"));
            }
            "minLength" | "maxLength" => {
                let length = value.as_str().unwrap_or_default().chars().count() as u64;
                let limit = rule.as_u64().unwrap();
                if (keyword == "minLength" && length < limit) || (keyword == "maxLength" && length > limit) {
                    found.push(format!("{place}: {length} characters"));
                }
            }
            "format" if rule == "date-time" => {
                let sound = value.is_null()
                    || value.as_str().is_some_and(|text| text.ends_with('Z') && text.len() >= 20);
                if !sound {
                    found.push(format!("{place}: {value} is no time"));
                }
            }
            "required"
            | "additionalProperties"
            | "enum"
            | "minimum"
            | "maximum"
            | "format"
            | "description"
            | "title"
            | "default"
            | "propertyNames"
            | "example" => {}
            other => panic!("{place}: teach this test the keyword {other}"),
        }
    }
    found
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

/// Members that a value has and its schema does not name, at any depth.
fn unnamed(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    let mut found = Vec::new();
    if let (Some(members), Some(named)) = (value.as_object(), schema.get("properties")) {
        for (name, member) in members {
            let place = format!("{place}.{name}");
            match named.get(name) {
                Some(schema) => found.extend(unnamed(document, schema, member, &place)),
                None => found.push(place),
            }
        }
    }
    if let Some(items) = schema.get("items") {
        let inside = list(value).enumerate();
        found.extend(
            inside.flat_map(|(at, element)| unnamed(document, items, element, &format!("{place}[{at}]"))),
        );
    }
    found
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}

#[test]
fn every_example_is_what_its_schema_says() {
    let document = document();
    let mut seen = 0;
    let mut wrong = Vec::new();
    let mut look = |place: &str, media: &str, content: &Value| {
        let named = object(&content["examples"]).map(|(_, example)| &example["value"]);
        for example in content.get("example").into_iter().chain(named) {
            seen += 1;
            wrong.extend(misfits(&document, &content["schema"], example, &format!("{place} {media}")));
        }
    };
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        for (media, content) in object(&operation["requestBody"]["content"]) {
            assert!(content.get("example").is_some(), "{place} {media}: commands need one example");
            look(&place, media, content);
        }
        for (status, response) in object(&operation["responses"]) {
            for (media, content) in object(&resolved(&document, response)["content"]) {
                look(&format!("{place} {status}"), media, content);
                let example = content.get("example").is_some() || content.get("examples").is_some();
                let whole = path == crate::openapi::OPENAPI || media == "text/html";
                assert!(example || whole, "{place} {status}: no example");
                assert!(is_json(media) || media.starts_with("text/"), "{place} {status}: {media}");
            }
        }
        for parameter in list(&operation["parameters"]) {
            look(&format!("{place} {}", parameter["name"]), "", parameter);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 100, "only {seen} examples were looked at");
}

#[test]
fn the_schemas_name_what_the_real_types_write() {
    let document = document();
    let failure = |failure| StepFailure::Call(failure);
    let trap = CallFailure::Trap {
        reason: "unreachable".into(),
        function: None,
        location: None,
        message: None,
        backtrace: Vec::new(),
    };
    let report = |outcome, failure| StepReport {
        plugin: "a".into(),
        version: None,
        digest: "sha256:0".into(),
        outcome,
        changed: vec!["url".into()],
        microseconds: 1,
        failure,
        replay: Some("a.json".into()),
    };
    let mut hook = hooks::hook();
    hook.like = Some("another".into());
    hook.upstream = None;
    hook.interface = None;
    hook.missing = vec![MissingView { plugin: "b".into(), reason: "it is disabled".into() }];
    let mut event = hooks::hook();
    event.kind = "event";
    event.fail_silently = None;
    let mut list = hooks::hooks();
    list.plugins[0].version = None;
    list.plugins[0].description = None;
    let accepted = Accepted {
        id: "1".into(),
        ce_id: Some("x".into()),
        event_type: "t".into(),
        receivers: 0,
        duplicate: Some(true),
    };
    let mut waiting = admin::plugin();
    let mut nothing = admin::changed("unchanged");
    nothing.release = None;
    let rule = waiting.live.take().unwrap().quarantine_rule;
    waiting.trial = None;
    let values = [
        ("ArchiveStatus", json!(archive::row(true))),
        ("ArchiveStatus", json!(archive::row(false))),
        ("StepReport", json!(report(StepOutcome::Proceeded, None))),
        ("StepReport", json!(report(StepOutcome::Halted, None))),
        ("StepReport", json!(report(StepOutcome::Raised, None))),
        ("StepReport", json!(report(StepOutcome::Skipped, Some(failure(trap.clone()))))),
        ("StepReport", json!(report(StepOutcome::Failed, Some(StepFailure::Error("no".into()))))),
        ("StepFailure", json!(failure(trap))),
        ("StepFailure", json!(StepFailure::Quarantined(hooks::quarantine().into()))),
        ("Quarantine", json!(hooks::quarantine())),
        ("QuarantineRule", json!(rule)),
        ("PluginList", json!(admin::plugins())),
        ("PluginOverview", json!(admin::plugin())),
        ("PluginOverview", json!(waiting)),
        ("ReleaseInFull", json!(admin::in_full())),
        ("Changed", json!(admin::changed("live"))),
        ("Changed", json!(nothing)),
        ("Reloaded", json!(admin::reloaded(Some(1)))),
        ("Reloaded", json!(admin::reloaded(None))),
        ("AuditPage", json!(admin::page())),
        ("Lifted", json!(admin::lifted())),
        ("EventList", json!(admin::events::page())),
        ("KeptEventInFull", json!(admin::events::in_full())),
        ("EventsSummary", json!(admin::events::standing())),
        ("EventsBulkDone", json!(admin::events::bulk(true))),
        ("ReplayList", json!(admin::events::all_replays())),
        ("Replay", json!(admin::events::replay("done"))),
        ("ReplayCount", json!(admin::events::count())),
        ("FailedCallList", json!(admin::calls())),
        ("HookView", json!(hook)),
        ("HookView", json!(event)),
        ("HookList", json!(list)),
        ("EventsAccepted", json!(EventsAccepted { accepted: vec![accepted] })),
    ];
    for (name, value) in values {
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no {name}");
        let wrong = misfits(&document, schema, &value, name);
        assert!(wrong.is_empty(), "{wrong:#?}");
        let unnamed = unnamed(&document, schema, &value, name);
        assert!(unnamed.is_empty(), "the schemas leave out {unnamed:?}");
    }
}

#[test]
fn a_schema_names_nothing_that_its_type_does_not_write() {
    let document = document();
    let row = json!(archive::row(true));
    let hooks = json!(hooks::hooks());
    let plugin = &hooks["plugins"][0];
    let detail = json!(admin::plugin());
    let quarantine = json!(hooks::quarantine());
    let reloaded = json!(admin::reloaded(Some(1)));
    for (name, value) in [
        ("ArchiveStatus", &row),
        ("PluginView", plugin),
        ("PluginLimits", &plugin["limits"]),
        ("Quarantine", &quarantine),
        ("LastFailure", &quarantine["last_failure"]),
        ("PluginOverview", &detail),
        ("Attention", &detail["attention"]),
        ("Trial", &detail["trial"]),
        ("TrialRule", &detail["trial"]["rule"]),
        ("TrialCounts", &detail["trial"]["counts"]),
        ("TrialExample", &detail["trial"]["examples"][0]),
        ("Difference", &detail["trial"]["examples"][0]["differences"][0]),
        ("Release", &detail["releases"][0]),
        ("ReleaseInFull", &json!(admin::in_full())),
        ("Changed", &json!(admin::changed("live"))),
        ("Reloaded", &reloaded),
        ("PluginChange", &reloaded["plugins"][0]),
        ("HookChange", &reloaded["hooks"][0]),
        ("AuditEntry", &json!(admin::page().entries[0])),
        ("QuarantineRule", &detail["quarantine_rule"]),
        ("PluginDelivery", &detail["delivery"]),
        ("PluginIsolation", &detail["isolation"]),
        ("PluginLimit", &detail["limits"][0]),
        ("HookTaken", &detail["hooks"][0]),
        ("KeptEvent", &json!(admin::events::page().events[0])),
        ("KeptEventInFull", &json!(admin::events::in_full())),
        ("EventDelivery", &json!(admin::events::in_full().deliveries[0])),
        ("EventsSummary", &json!(admin::events::standing())),
        ("ReceiverSummary", &json!(admin::events::standing().receivers[0])),
        ("EventsBulkDone", &json!(admin::events::bulk(true))),
        ("Replay", &json!(admin::events::replay("done"))),
        ("HookList", &hooks),
        ("TakerView", &hooks["hooks"][0]["plugins"][0]),
        ("HookArgument", &hooks["hooks"][0]["arguments"][0]),
        ("FailedCallList", &json!(admin::calls())),
        ("FailedCall", &json!(admin::calls().calls[0])),
    ] {
        for (member, _) in object(&document["components"]["schemas"][name]["properties"]) {
            assert!(value.get(member).is_some(), "{name} has no {member}");
        }
    }
}

#[test]
fn this_file_finds_what_does_not_fit() {
    let document = document();
    let wrong = |name: &str, value: Value| {
        let schema = &document["components"]["schemas"][name];
        !misfits(&document, schema, &value, "").is_empty()
    };
    let mut row = json!(archive::row(false));
    assert!(!wrong("ArchiveStatus", row.clone()));
    row["id"] = json!("1");
    assert!(wrong("ArchiveStatus", row.clone()));
    row["id"] = json!(1);
    row["updated_at"] = Value::Null;
    assert!(wrong("ArchiveStatus", row.clone()));
    assert!(wrong("Detail", json!({})));
    assert!(wrong("FieldErrors", json!({"course_id": "no list"})));
    assert!(wrong("StepFailure", json!({"code": 1, "message": ""})));
    assert!(wrong("FilterOutcome", json!("Completed")));
    let more = json!({"detail": "", "more": 1});
    assert_eq!(unnamed(&document, &document["components"]["schemas"]["Detail"], &more, ""), [".more"]);
}
