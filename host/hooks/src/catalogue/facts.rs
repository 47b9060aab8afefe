//! Reads the catalogue's JSON: Python annotations and attrs fields become types of the contract.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Event, ExceptionClass, Filter, signature};
use crate::names;
use crate::types::{Field, Named, Record, ValueType};

#[derive(Deserialize)]
struct FilterPackage {
    version: String,
    filters: Vec<FilterFacts>,
}

#[derive(Deserialize)]
struct FilterFacts {
    filter_type: String,
    class: String,
    module: String,
    params: Vec<ParamFacts>,
    strips_sensitive_form_data: bool,
    exceptions: Vec<ExceptionFacts>,
}

#[derive(Deserialize)]
struct ParamFacts {
    name: String,
    annotation: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    has_default: bool,
    #[serde(default)]
    default: Option<String>,
}

#[derive(Deserialize)]
struct ExceptionFacts {
    class: String,
    params: Vec<ParamFacts>,
}

#[derive(Deserialize)]
struct EventPackage {
    version: String,
    events: Vec<EventFacts>,
}

#[derive(Deserialize)]
struct EventFacts {
    event_type: String,
    signal: String,
    module: String,
    data: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum TypeFacts {
    Scalar { python: String },
    List { items: Box<TypeFacts> },
    Map { values: Box<TypeFacts> },
    Attrs { class: String, module: String, fields: Vec<FieldFacts> },
}

#[derive(Deserialize)]
struct FieldFacts {
    name: String,
    #[serde(rename = "type")]
    ty: TypeFacts,
    has_default: bool,
    default: Value,
}

/// Reads the filters and the version of the package they come from.
pub(super) fn filters(json: &str) -> Result<(String, Vec<Arc<Filter>>), String> {
    let package: FilterPackage =
        serde_json::from_str(json).map_err(|error| format!("filters.json: {error}"))?;
    let filters = package.filters.into_iter().map(|facts| Arc::new(filter(facts))).collect();
    Ok((package.version, filters))
}

fn filter(facts: FilterFacts) -> Filter {
    let params: Vec<Field> =
        facts.params.iter().map(|param| Field::new(&param.name, annotated(&param.name, param))).collect();
    let exceptions: Vec<ExceptionClass> = facts.exceptions.into_iter().map(exception).collect();
    let sensitive =
        facts.strips_sensitive_form_data.then(|| params.first().map(|param| param.name.clone())).flatten();
    let signature = Arc::new(signature::filter(&facts.filter_type, &params, &exceptions));
    Filter {
        filter_type: facts.filter_type,
        class: facts.class,
        module: facts.module,
        params,
        exceptions,
        sensitive,
        signature,
    }
}

fn exception(facts: ExceptionFacts) -> ExceptionClass {
    let named = facts.params.iter().filter(|param| param.kind.as_deref() != Some("VAR_KEYWORD"));
    let params = named.map(|param| {
        let ty = match (param.name.as_str(), annotated(&param.name, param)) {
            // A base exception lets the message default; a refusal without a reason helps nobody, so it is required.
            ("message", _) => ValueType::Text,
            ("status_code", _) => ValueType::StatusCode.optional(),
            (_, ty @ ValueType::Option(_)) => ty,
            (_, ty) if param.has_default => ty.optional(),
            (_, ty) => ty,
        };
        let default =
            (param.has_default && param.name != "message").then(|| match param.default.as_deref() {
                Some("''") => Value::String(String::new()),
                _ => Value::Null,
            });
        Field { default, ..Field::new(&param.name, ty) }
    });
    ExceptionClass { class: facts.class, params: params.collect() }
}

/// The type of a Python annotation. What upstream leaves open is JSON.
fn annotated(name: &str, param: &ParamFacts) -> ValueType {
    let annotation = param.annotation.as_deref().unwrap_or("Any").trim();
    let inner = annotation
        .strip_suffix("| None")
        .or_else(|| annotation.strip_prefix("Optional[").and_then(|rest| rest.strip_suffix(']')));
    match inner {
        Some(inner) => plain(name, inner.trim()).optional(),
        None => plain(name, annotation),
    }
}

fn plain(name: &str, annotation: &str) -> ValueType {
    match annotation {
        "str" => ValueType::Text,
        "int" => ValueType::Int,
        "float" => ValueType::Float,
        "bool" => ValueType::Bool,
        "datetime" => ValueType::Named(Named::Datetime),
        "CourseKey" => ValueType::Named(Named::CourseKey),
        "list" | "set" | "list[dict]" => ValueType::List(Box::new(ValueType::Json)),
        // Upstream passes a Django user untyped; the parameter's name is the only sign of it.
        "Any" if name == "user" => signature::user(),
        _ => ValueType::Json,
    }
}

/// Reads the events and the version of the package they come from.
pub(super) fn events(json: &str) -> Result<(String, Vec<Arc<Event>>), String> {
    let package: EventPackage =
        serde_json::from_str(json).map_err(|error| format!("events.json: {error}"))?;
    let events =
        package.events.into_iter().map(|facts| event(facts).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok((package.version, events))
}

fn event(facts: EventFacts) -> Result<Event, String> {
    let mut data = facts.data.into_iter();
    let (Some((key, ty)), None) = (data.next(), data.next()) else {
        return Err(format!("{}: expected exactly one data key", facts.event_type));
    };
    let ty = TypeFacts::deserialize(ty).map_err(|error| format!("{}: {error}", facts.event_type))?;
    let data = Field::new(&key, value_type(ty).map_err(|error| format!("{}: {error}", facts.event_type))?);
    let signature = Arc::new(signature::event(&facts.event_type, &data));
    Ok(Event { event_type: facts.event_type, signal: facts.signal, module: facts.module, data, signature })
}

fn value_type(facts: TypeFacts) -> Result<ValueType, String> {
    Ok(match facts {
        TypeFacts::Scalar { python } => scalar(&python)?,
        TypeFacts::List { items } => ValueType::List(Box::new(value_type(*items)?)),
        TypeFacts::Map { values } => ValueType::Map(Box::new(value_type(*values)?)),
        TypeFacts::Attrs { class, module, fields } => ValueType::Record(Arc::new(Record {
            wit: names::class(&class),
            upstream: format!("{module}.{class}"),
            fields: fields.into_iter().map(field).collect::<Result<_, _>>()?,
            omit_none: false,
        })),
    })
}

fn field(facts: FieldFacts) -> Result<Field, String> {
    let ty = value_type(facts.ty)?;
    let (ty, default) = match (&facts.default, facts.has_default) {
        (_, false) => (ty, None),
        (Value::Null, true) => (ty.optional(), None),
        (Value::Bool(_), true) => (ty, Some(facts.default)),
        (Value::String(made_by), true) => {
            let default = match made_by.as_str() {
                "factory:str" => Value::String(String::new()),
                "factory:list" => Value::Array(Vec::new()),
                // One upstream field defaults to the class `dict` itself; an empty dictionary is what it means.
                "factory:dict" | "<class 'dict'>" => Value::Object(serde_json::Map::new()),
                other => return Err(format!("field {}: unknown default {other}", facts.name)),
            };
            (ty, Some(default))
        }
        (other, true) => return Err(format!("field {}: unknown default {other}", facts.name)),
    };
    Ok(Field { default, ..Field::new(&facts.name, ty) })
}

fn scalar(python: &str) -> Result<ValueType, String> {
    let class = python.rsplit('.').next().unwrap_or(python);
    Ok(match class {
        "str" => ValueType::Text,
        "int" => ValueType::Int,
        "float" => ValueType::Float,
        "bool" => ValueType::Bool,
        "bytes" | "BinaryIO" => ValueType::Bytes,
        "datetime" => ValueType::Named(Named::Datetime),
        "UUID" => ValueType::Named(Named::Uuid),
        "CourseKey" => ValueType::Named(Named::CourseKey),
        "CCXLocator" => ValueType::Named(Named::CcxLocator),
        "UsageKey" => ValueType::Named(Named::UsageKey),
        "LibraryLocatorV2" => ValueType::Named(Named::LibraryLocatorV2),
        "LibraryUsageLocatorV2" => ValueType::Named(Named::LibraryUsageLocatorV2),
        "LibraryCollectionLocator" => ValueType::Named(Named::LibraryCollectionLocator),
        "LibraryContainerLocator" => ValueType::Named(Named::LibraryContainerLocator),
        _ => return Err(format!("unknown Python type {python}")),
    })
}
