//! Reading a file of recorded cases. Every error names its place.

use std::sync::Arc;

use hookbox_hooks::check::{check_fields, json_depth_exceeds};
use hookbox_hooks::{Catalogue, names};
use serde_json::{Map, Value};

use super::compare::shown;
use super::{CASES_BYTES, CASES_MOST, Call, Case, EventExpected, FilterExpected};

/// Letters of a case's name.
const NAME_MOST: usize = 200;
/// Nesting of the file: what the host takes from a caller, and the levels around it.
const DEPTH_MOST: usize = 70;

pub(super) fn cases(text: &str) -> Result<Vec<Case>, String> {
    if text.len() > CASES_BYTES {
        return Err(format!("the recorded cases have {} bytes, at most {CASES_BYTES} are read", text.len()));
    }
    let file: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    if json_depth_exceeds(&file, DEPTH_MOST) {
        return Err(format!("it is nested deeper than {DEPTH_MOST} levels"));
    }
    let Value::Object(mut file) = file else {
        return Err(format!("expected an object with the key `cases`, found {}", shown(&file)));
    };
    let listed = file.shift_remove("cases").ok_or("the key `cases`, a list, is missing")?;
    only(&file, "", &["cases"])?;
    let Value::Array(listed) = listed else {
        return Err(format!("cases: expected a list, found {}", shown(&listed)));
    };
    if listed.is_empty() || listed.len() > CASES_MOST {
        return Err(format!("cases: expected 1 to {CASES_MOST} cases, found {}", listed.len()));
    }
    listed.into_iter().enumerate().map(|(at, value)| case(value, &format!("cases[{at}]"))).collect()
}

fn case(value: Value, place: &str) -> Result<Case, String> {
    let mut keys = object(value, place)?;
    let name = match keys.shift_remove("name") {
        None => place.to_owned(),
        Some(Value::String(name)) if !name.trim().is_empty() && name.chars().count() <= NAME_MOST => name,
        Some(other) => {
            return Err(format!(
                "{place}.name: expected a text of 1 to {NAME_MOST} letters, found {}",
                shown(&other)
            ));
        }
    };
    let call = match (keys.shift_remove("filter"), keys.shift_remove("event")) {
        (Some(filter_type), None) => filter(&filter_type, keys, place)?,
        (None, Some(event_type)) => event(&event_type, keys, place)?,
        (Some(_), Some(_)) => return Err(format!("{place}: `filter` and `event` exclude each other")),
        (None, None) => return Err(format!("{place}: name a type with `filter` or with `event`")),
    };
    Ok(Case { name, call })
}

fn filter(filter_type: &Value, mut keys: Map<String, Value>, place: &str) -> Result<Call, String> {
    let catalogue = Catalogue::embedded();
    let types = catalogue.filters().iter().map(|filter| filter.filter_type.as_str());
    let known = filter_type.as_str().and_then(|filter_type| catalogue.filter(filter_type));
    let filter = Arc::clone(known.ok_or_else(|| unknown("filter", filter_type, types, place))?);
    let kwargs = keys.shift_remove("kwargs").ok_or_else(|| format!("{place}.kwargs: it is missing"))?;
    let kwargs = object(kwargs, &format!("{place}.kwargs"))?;
    let expect = keys.shift_remove("expect").ok_or_else(|| format!("{place}.expect: it is missing"))?;
    only(&keys, place, &["name", "filter", "kwargs", "expect"])?;
    check_fields(&filter.params, &kwargs, "kwargs").map_err(|mismatch| format!("{place}.{mismatch}"))?;
    let expect = filter_expected(expect, &format!("{place}.expect"))?;
    Ok(Call::Filter { filter, kwargs, expect })
}

fn event(event_type: &Value, mut keys: Map<String, Value>, place: &str) -> Result<Call, String> {
    let catalogue = Catalogue::embedded();
    let types = catalogue.events().iter().map(|event| event.event_type.as_str());
    let known = event_type.as_str().and_then(|event_type| catalogue.event(event_type));
    let event = Arc::clone(known.ok_or_else(|| unknown("event", event_type, types, place))?);
    let data = keys.shift_remove("data").ok_or_else(|| format!("{place}.data: it is missing"))?;
    let expect = keys.shift_remove("expect").ok_or_else(|| format!("{place}.expect: it is missing"))?;
    only(&keys, place, &["name", "event", "data", "expect"])?;
    event.check(&data).map_err(|mismatch| format!("{place}.{mismatch}"))?;
    let expect = event_expected(expect, &format!("{place}.expect"))?;
    Ok(Call::Event { event, data, expect })
}

fn filter_expected(value: Value, place: &str) -> Result<FilterExpected, String> {
    let mut keys = object(value, place)?;
    if let Some(code) = keys.shift_remove("failure") {
        only(&keys, place, &["failure"])?;
        return failure(&code, place).map(FilterExpected::Failure);
    }
    let outcome = keys.shift_remove("outcome");
    let outcome = outcome.ok_or_else(|| format!("{place}: name an `outcome` or a `failure`"))?;
    let mut taken = |key: &str| {
        keys.shift_remove(key).map_or(Ok(Map::new()), |value| object(value, &format!("{place}.{key}")))
    };
    let (expected, known) = match outcome.as_str() {
        Some("completed") => (FilterExpected::Completed { kwargs: taken("kwargs")? }, "kwargs"),
        Some("halted") => (FilterExpected::Halted { kwargs: taken("kwargs")? }, "kwargs"),
        Some("raised") => (FilterExpected::Raised { exception: taken("exception")? }, "exception"),
        _ => {
            let found = shown(&outcome);
            return Err(format!("{place}.outcome: expected completed, halted or raised, found {found}"));
        }
    };
    only(&keys, place, &["outcome", known])?;
    Ok(expected)
}

fn event_expected(value: Value, place: &str) -> Result<EventExpected, String> {
    match value {
        Value::String(receipt) => match receipt.as_str() {
            "delivered" => Ok(EventExpected::Receipt("delivered")),
            "retry" => Ok(EventExpected::Receipt("retry")),
            "rejected" => Ok(EventExpected::Receipt("rejected")),
            _ => {
                let found = shown(&Value::String(receipt));
                Err(format!("{place}: expected delivered, retry or rejected, found {found}"))
            }
        },
        other => {
            let mut keys = object(other, place)?;
            let code = keys.shift_remove("failure");
            let code =
                code.ok_or_else(|| format!("{place}: expected a text, or an object with `failure`"))?;
            only(&keys, place, &["failure"])?;
            failure(&code, place).map(EventExpected::Failure)
        }
    }
}

fn failure(code: &Value, place: &str) -> Result<String, String> {
    match code {
        Value::String(code) if !code.is_empty() => Ok(code.clone()),
        other => Err(format!(
            "{place}.failure: expected a failure's code such as \"trap\", found {}",
            shown(other)
        )),
    }
}

fn object(value: Value, place: &str) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(format!("{place}: expected an object, found {}", shown(&other))),
    }
}

/// Refuses the keys that are left.
fn only(left: &Map<String, Value>, place: &str, known: &[&str]) -> Result<(), String> {
    let Some(key) = left.keys().next() else { return Ok(()) };
    let near = names::nearest(key, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let before = if place.is_empty() { String::new() } else { format!("{place}: ") };
    let key = shown(&Value::String(key.clone()));
    Err(format!("{before}unknown key {key}: the keys are {}{hint}", known.join(", ")))
}

fn unknown<'a>(
    kind: &str,
    found: &Value,
    types: impl Iterator<Item = &'a str> + Clone,
    place: &str,
) -> String {
    let near = found.as_str().and_then(|text| names::nearest(text, types));
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("{place}.{kind}: no {kind} of the catalogue has the type {}{hint}", shown(found))
}
