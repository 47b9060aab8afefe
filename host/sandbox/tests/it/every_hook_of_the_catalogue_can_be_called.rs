//! The contract's types, the generated WIT and the conversion planned from both agree, for every hook there is.

use std::sync::Arc;

use hookbox_hooks::Catalogue;
use hookbox_hooks::types::{Field, Named, Signature, ValueType};
use serde_json::{Map, Value, json};

use crate::support::{AGES, component, object, obliging, packages, plugin, sandbox};

/// A value of the type. `full` decides whether what may be absent is there.
pub(crate) fn sample(ty: &ValueType, full: bool) -> Value {
    match ty {
        ValueType::Bool => json!(true),
        ValueType::Int => json!(i64::MIN),
        ValueType::StatusCode => json!(404),
        ValueType::Count => json!(u32::MAX),
        ValueType::Float => json!(0.25),
        ValueType::Text => json!("ü🦀"),
        ValueType::Named(Named::Datetime) => json!("2026-01-02T03:04:05.678901+00:00"),
        ValueType::Named(Named::Uuid) => json!("0190a3c1-2d4e-7a10-8b1c-1f2e3d4c5b6a"),
        ValueType::Named(_) => json!("course-v1:edX+DemoX+Demo_Course"),
        ValueType::Bytes => json!("AAEC/w=="),
        ValueType::Json => json!({"any": [1, null]}),
        ValueType::List(item) if full => json!([sample(item, full), sample(item, full)]),
        ValueType::List(_) => json!([]),
        ValueType::Map(item) if full => json!({"key": sample(item, full)}),
        ValueType::Map(_) => json!({}),
        ValueType::Option(inner) if full => sample(inner, full),
        ValueType::Option(_) => Value::Null,
        ValueType::Record(record) => Value::Object(fields(&record.fields, full)),
        ValueType::Variant(_) => unreachable!("no hook takes a variant"),
    }
}

pub(crate) fn fields(fields: &[Field], full: bool) -> Map<String, Value> {
    let wanted = fields.iter().filter(|field| full || !field.may_be_absent());
    wanted.map(|field| (field.name.clone(), sample(&field.ty, full))).collect()
}

#[tokio::test]
async fn every_hook_takes_its_arguments_and_answers() {
    let catalogue = Catalogue::embedded();
    let filters: Vec<_> = catalogue.filters().iter().map(|filter| Arc::clone(&filter.signature)).collect();
    let events: Vec<_> = catalogue.events().iter().map(|event| Arc::clone(&event.signature)).collect();
    assert_eq!((filters.len(), events.len()), (43, 75));
    let generic = [
        hookbox_hooks::catalogue::any_filter(),
        hookbox_hooks::catalogue::any_event(),
        hookbox_hooks::catalogue::configure(),
    ]
    .map(Arc::clone);
    all_answer(&filters).await;
    all_answer(&events).await;
    all_answer(&generic).await;
}

async fn all_answer(signatures: &[Arc<Signature>]) {
    let resolve = packages();
    let world: String =
        signatures.iter().map(|signature| format!("export {}; ", signature.interface)).collect();
    let module = obliging(&resolve, &world);
    let bytes = component(resolve, &world, &module);
    let plugin = plugin(&sandbox(), &bytes);
    assert!(plugin.report().problems.is_empty());
    for signature in signatures {
        let function = plugin.function(signature).unwrap_or_else(|| panic!("no {}", signature.interface));
        for full in [true, false] {
            let arguments = fields(&signature.params, full);
            let answer = plugin.call(function, &arguments, Arc::default(), AGES).await;
            let proceeds = match &signature.ok {
                Some(_) if signature.interface.contains("any-filter") => continue,
                Some(_) => json!({"proceed": {}}),
                None => Value::Null,
            };
            assert_eq!(answer, Ok(Ok(proceeds)), "{}", signature.interface);
        }
    }
}

#[tokio::test]
async fn the_generic_hooks_carry_any_json() {
    let bytes = component(
        packages(),
        "export hookbox:plugin/any-filter@1.0.0;",
        r#"(module
            (memory (export "memory") 1)
            (global $free (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $free (i32.add (global.get $free) (local.get 3)))
                (i32.sub (global.get $free) (local.get 3)))
            (func (export "hookbox:plugin/any-filter@1.0.0#run-filter")
                (param $type i32) (param $type-len i32) (param $arguments i32) (param $length i32) (result i32)
                (i32.store (i32.const 8) (local.get $arguments)) ;; ok(proceed(arguments))
                (i32.store (i32.const 12) (local.get $length))
                (i32.const 0)))"#,
    );
    let plugin = plugin(&sandbox(), &bytes);
    let function = plugin.function(hookbox_hooks::catalogue::any_filter()).unwrap();
    let arguments =
        object(json!({"filter_type": "org.example.v1", "arguments": {"z": [1, {"a": null}], "b": "ü"}}));
    let answer = plugin.call(function, &arguments, Arc::default(), AGES).await.unwrap().unwrap();
    assert_eq!(answer["proceed"].to_string(), arguments["arguments"].to_string());
}
