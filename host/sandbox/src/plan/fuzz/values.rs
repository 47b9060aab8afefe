//! Arbitrary values: JSON that fits a type, JSON that fits none, and what a guest of a type may answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_hooks::types::{Field, Named, ValueType};
use proptest::collection::vec;
use proptest::num::f64;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wasmtime::component::Val;

/// Any JSON, not very large.
pub(super) fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    });
    tree.boxed()
}

fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![Just(String::new()), "[a-z]{1,3}", any::<String>()]
}

fn named(named: Named) -> BoxedStrategy<String> {
    match named {
        Named::Datetime => {
            let time = (1..=9999_u32, 1..=12_u32, 1..=28_u32, 0..24_u32, 0..60_u32, 0..60_u32);
            let end = prop::sample::select(&["", "Z", ".5", ".123456789+05:30", "-0330", "+01"][..]);
            (time, end)
                .prop_map(|((year, month, day, hour, minute, second), end)| {
                    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{end}")
                })
                .boxed()
        }
        Named::Uuid => "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}".boxed(),
        _ => text().boxed(),
    }
}

/// JSON that fits the type.
fn fitting(ty: &ValueType) -> BoxedStrategy<Value> {
    match ty {
        ValueType::Bool => any::<bool>().prop_map(Value::from).boxed(),
        ValueType::Int => {
            prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -2..3_i64].prop_map(Value::from).boxed()
        }
        ValueType::StatusCode => (100..=599_u16).prop_map(Value::from).boxed(),
        ValueType::Count => prop_oneof![any::<u32>(), Just(u32::MAX)].prop_map(Value::from).boxed(),
        ValueType::Float => {
            let whole = prop_oneof![any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from)];
            prop_oneof![(f64::NORMAL | f64::SUBNORMAL | f64::ZERO).prop_map(Value::from), whole].boxed()
        }
        ValueType::Text => text().prop_map(Value::from).boxed(),
        ValueType::Named(kind) => named(*kind).prop_map(Value::from).boxed(),
        ValueType::Bytes => vec(any::<u8>(), 0..9).prop_map(|bytes| json!(STANDARD.encode(bytes))).boxed(),
        ValueType::Json => any_json(),
        ValueType::List(item) => vec(fitting(item), 0..4).prop_map(Value::from).boxed(),
        ValueType::Map(item) => {
            let entries = vec((text(), fitting(item)), 0..4);
            entries.prop_map(|entries| Value::Object(Map::from_iter(entries))).boxed()
        }
        ValueType::Option(inner) => prop_oneof![Just(Value::Null), fitting(inner)].boxed(),
        ValueType::Record(record) => arguments(&record.fields).prop_map(Value::Object).boxed(),
        ValueType::Variant(_) => unreachable!("no hook takes a variant"),
    }
}

/// An object with a fitting value for each field; some of those that may be absent are, and there may be a key more.
pub(super) fn arguments(fields: &[Field]) -> BoxedStrategy<Map<String, Value>> {
    let values: Vec<BoxedStrategy<Option<(String, Value)>>> = fields
        .iter()
        .map(|field| {
            let name = field.name.clone();
            let there = fitting(&field.ty).prop_map(move |value| Some((name.clone(), value)));
            if field.may_be_absent() { prop_oneof![Just(None), there].boxed() } else { there.boxed() }
        })
        .collect();
    let more = prop::option::of(any_json().prop_map(|value| ("unknown".to_owned(), value)));
    (values, more).prop_map(|(values, more)| values.into_iter().chain([more]).flatten().collect()).boxed()
}

/// The object with another value at one place, or with nothing there.
pub(super) fn replaced(object: &Map<String, Value>, at: u16, value: Option<Value>) -> Map<String, Value> {
    let mut count = 0;
    let mut whole = Value::Object(object.clone());
    visit(&mut whole, &mut |_| {
        count += 1;
        false
    });
    // The first is the object itself, which stays one.
    let target = 1 + usize::from(at) * (count - 1) / 65_536;
    let mut seen = 0;
    let mut value = Some(value);
    visit(&mut whole, &mut |place| {
        let here = seen == target;
        seen += 1;
        match value.take_if(|_| here) {
            Some(Some(value)) => {
                *place = value;
                false
            }
            other => other.is_some(),
        }
    });
    match whole {
        Value::Object(object) => object,
        _ => unreachable!("it stays an object"),
    }
}

/// Visits every value, outer first; one for which `visit` says so is taken out of what holds it.
fn visit(value: &mut Value, take_out: &mut dyn FnMut(&mut Value) -> bool) -> bool {
    if take_out(value) {
        return true;
    }
    match value {
        Value::Array(items) => items.retain_mut(|item| !visit(item, take_out)),
        Value::Object(entries) => entries.retain(|_, value| !visit(value, take_out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    false
}

/// What a guest whose function answers with the type may answer.
pub(super) fn val(ty: &ValueType) -> BoxedStrategy<Val> {
    match ty {
        ValueType::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        ValueType::Int => any::<i64>().prop_map(Val::S64).boxed(),
        ValueType::StatusCode => prop_oneof![any::<u16>(), 98..602_u16].prop_map(Val::U16).boxed(),
        ValueType::Count => any::<u32>().prop_map(Val::U32).boxed(),
        ValueType::Float => f64::ANY.prop_map(Val::Float64).boxed(),
        ValueType::Text => text().prop_map(Val::String).boxed(),
        ValueType::Named(kind) => prop_oneof![4 => named(*kind), 1 => text()].prop_map(Val::String).boxed(),
        ValueType::Json => {
            let tower = (0..200_usize).prop_map(|levels| "[".repeat(levels) + &"]".repeat(levels));
            prop_oneof![
                6 => any_json().prop_map(|value| value.to_string()),
                1 => "[\\[\\]{},:\"\\\\0-9eE.a]{0,16}",
                1 => text(),
                1 => tower,
            ]
            .prop_map(Val::String)
            .boxed()
        }
        ValueType::Bytes => vec(any::<u8>().prop_map(Val::U8), 0..9).prop_map(Val::List).boxed(),
        ValueType::List(item) => vec(val(item), 0..4).prop_map(Val::List).boxed(),
        ValueType::Map(item) => {
            let pair = (text(), val(item)).prop_map(|(key, value)| Val::Tuple(vec![Val::String(key), value]));
            vec(pair, 0..4).prop_map(Val::List).boxed()
        }
        ValueType::Option(inner) => {
            let there = val(inner).prop_map(|value| Val::Option(Some(Box::new(value))));
            prop_oneof![Just(Val::Option(None)), there].boxed()
        }
        ValueType::Record(record) => {
            let fields: Vec<BoxedStrategy<(String, Val)>> = record
                .fields
                .iter()
                .map(|field| {
                    let wit = field.wit.clone();
                    val(&field.ty).prop_map(move |value| (wit.clone(), value)).boxed()
                })
                .collect();
            fields.prop_map(Val::Record).boxed()
        }
        ValueType::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| {
                let wit = case.wit.clone();
                match &case.payload {
                    None => Just(Val::Variant(wit, None)).boxed(),
                    Some(ty) => val(ty)
                        .prop_map(move |value| Val::Variant(wit.clone(), Some(Box::new(value))))
                        .boxed(),
                }
            });
            proptest::strategy::Union::new(cases).boxed()
        }
    }
}
