//! The functions that plugins export, as types: one a catalogued hook, and the generic ones.

use std::sync::{Arc, LazyLock};

use super::ExceptionClass;
use crate::names;
use crate::types::{Case, Field, Named, Record, Signature, ValueType, Variant};

/// The generated package of filters.
pub const FILTERS_PACKAGE: &str = "openedx:filters@1.0.0";
/// The generated package of events.
pub const EVENTS_PACKAGE: &str = "openedx:events@1.0.0";
/// The package written by hand.
const PLUGIN_PACKAGE: &str = "hookbox:plugin@1.0.0";

/// `package/interface@version` from `package@version`.
fn qualified(package: &str, interface: &str) -> String {
    match package.split_once('@') {
        Some((name, version)) => format!("{name}/{interface}@{version}"),
        None => format!("{package}/{interface}"),
    }
}

/// The function of a catalogued filter.
pub(super) fn filter(filter_type: &str, params: &[Field], exceptions: &[ExceptionClass]) -> Signature {
    let changes = Record {
        wit: "changes".into(),
        upstream: String::new(),
        fields: params
            .iter()
            .map(|param| Field { ty: param.ty.clone().optional(), ..param.clone() })
            .collect(),
        omit_none: true,
    };
    let raised = exceptions.iter().map(|exception| {
        let wit = names::class(&exception.class);
        let record = Record {
            wit: wit.clone(),
            upstream: String::new(),
            fields: exception.params.clone(),
            omit_none: false,
        };
        Case { name: exception.class.clone(), wit, payload: Some(ValueType::Record(Arc::new(record))) }
    });
    Signature {
        interface: qualified(FILTERS_PACKAGE, &names::interface(filter_type)),
        function: "run-filter",
        params: params.to_vec(),
        ok: Some(outcome(ValueType::Record(Arc::new(changes)))),
        err: Some(variant("failure", raised.chain([case("error", Some(ValueType::Text))]).collect())),
    }
}

/// The function of a catalogued event.
pub(super) fn event(event_type: &str, data: &Field) -> Signature {
    Signature {
        interface: qualified(EVENTS_PACKAGE, &names::interface(event_type)),
        function: "receive",
        params: vec![data.clone(), Field::new("metadata", event_metadata())],
        ok: None,
        err: Some(receive_failure()),
    }
}

/// `hookbox:plugin/any-filter`: a step for any type.
pub fn any_filter() -> &'static Arc<Signature> {
    static SIGNATURE: LazyLock<Arc<Signature>> = LazyLock::new(|| {
        let exception = Record {
            wit: "filter-exception".into(),
            upstream: String::new(),
            fields: vec![
                Field::new("class", ValueType::Text),
                Field::new("message", ValueType::Text),
                Field::new("redirect_to", ValueType::Text.optional()),
                Field::new("status_code", ValueType::StatusCode.optional()),
                Field::new("attributes", ValueType::Json.optional()),
            ],
            omit_none: true,
        };
        let raise = case("raise", Some(ValueType::Record(Arc::new(exception))));
        Arc::new(Signature {
            interface: qualified(PLUGIN_PACKAGE, "any-filter"),
            function: "run-filter",
            params: vec![
                Field::new("filter_type", ValueType::Text),
                Field::new("arguments", ValueType::Json),
            ],
            ok: Some(outcome(ValueType::Json)),
            err: Some(variant("failure", vec![raise, case("error", Some(ValueType::Text))])),
        })
    });
    &SIGNATURE
}

/// `hookbox:plugin/any-event`: a receiver for any type.
pub fn any_event() -> &'static Arc<Signature> {
    static SIGNATURE: LazyLock<Arc<Signature>> = LazyLock::new(|| {
        Arc::new(Signature {
            interface: qualified(PLUGIN_PACKAGE, "any-event"),
            function: "receive",
            params: vec![
                Field::new("event_type", ValueType::Text),
                Field::new("data", ValueType::Json),
                Field::new("metadata", event_metadata()),
            ],
            ok: None,
            err: Some(receive_failure()),
        })
    });
    &SIGNATURE
}

/// `hookbox:plugin/lifecycle`: the settings' check.
pub fn configure() -> &'static Arc<Signature> {
    static SIGNATURE: LazyLock<Arc<Signature>> = LazyLock::new(|| {
        Arc::new(Signature {
            interface: qualified(PLUGIN_PACKAGE, "lifecycle"),
            function: "configure",
            params: vec![Field::new("settings", ValueType::Json)],
            ok: None,
            err: Some(ValueType::Text),
        })
    });
    &SIGNATURE
}

/// The record `user` of `hookbox:plugin/types`.
pub(super) fn user() -> ValueType {
    static USER: LazyLock<Arc<Record>> = LazyLock::new(|| {
        Arc::new(Record {
            wit: "user".into(),
            upstream: "django.contrib.auth.models.User".into(),
            fields: vec![
                Field::new("id", ValueType::Int.optional()),
                Field::new("username", ValueType::Text),
                Field::new("email", ValueType::Text),
                Field::new("is_active", ValueType::Bool),
                Field::new("is_staff", ValueType::Bool),
                Field::new("is_superuser", ValueType::Bool),
            ],
            omit_none: false,
        })
    });
    ValueType::Record(Arc::clone(&USER))
}

fn event_metadata() -> ValueType {
    ValueType::Record(Arc::new(Record {
        wit: "event-metadata".into(),
        upstream: "openedx_events.data.EventsMetadata".into(),
        fields: vec![
            Field::new("id", ValueType::Named(Named::Uuid)),
            Field::new("event_type", ValueType::Text),
            Field::new("minorversion", ValueType::Int),
            Field::new("source", ValueType::Text),
            Field::new("sourcehost", ValueType::Text),
            Field::new("time", ValueType::Named(Named::Datetime)),
            Field::new("sourcelib", ValueType::List(Box::new(ValueType::Int))),
            Field::new("attempt", ValueType::Count),
        ],
        omit_none: false,
    }))
}

fn outcome(changes: ValueType) -> ValueType {
    variant("outcome", vec![case("proceed", Some(changes)), case("halt", None)])
}

fn receive_failure() -> ValueType {
    let reason = Some(ValueType::Text);
    variant("receive-failure", vec![case("retry", reason.clone()), case("reject", reason)])
}

fn variant(wit: &str, cases: Vec<Case>) -> ValueType {
    ValueType::Variant(Arc::new(Variant { wit: wit.into(), cases }))
}

fn case(name: &str, payload: Option<ValueType>) -> Case {
    Case { name: name.into(), wit: name.into(), payload }
}
