//! For arbitrary types, and for every hook: JSON that fits becomes values of the plugin's types and the same JSON again,
//! JSON that does not is told with its place, and whatever a guest answers is JSON of the contract's type or refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod types;
mod values;

use std::sync::{Arc, LazyLock};

use hookbox_fuzz::fuzz;
use hookbox_hooks::Catalogue;
use hookbox_hooks::catalogue::{any_event, any_filter, configure};
use hookbox_hooks::check::check_fields;
use hookbox_hooks::types::{Field, Signature, ValueType};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

use self::types::{Tweak, function, signatures, tweaks};
use self::values::{any_json, arguments, replaced, val};
use super::{FunctionPlan, Lift, Place};
use crate::limits::JSON_DEPTH_MOST;

/// One function, how a guest has it, and what crosses.
#[derive(Debug, Clone)]
struct Crossing {
    contract: Arc<Signature>,
    /// The guest's own idea of the types: the contract's when nothing was tweaked.
    guest: Signature,
    /// Arguments that fit.
    arguments: Map<String, Value>,
    /// The same with one place replaced.
    wrong: Map<String, Value>,
    answer: Val,
}

fn crossings(signatures: impl Strategy<Value = Arc<Signature>>) -> impl Strategy<Value = Crossing> {
    let tweaks = prop_oneof![Just(Vec::new()), vec(tweaks(), 1..4)];
    (signatures, tweaks).prop_flat_map(|(contract, tweaks)| crossing(contract, &tweaks))
}

fn crossing(contract: Arc<Signature>, tweaks: &[Tweak]) -> impl Strategy<Value = Crossing> + use<> {
    let guest = tweaks.iter().fold((*contract).clone(), |guest, tweak| tweak.of_signature(&guest));
    let side = |ty: &Option<ValueType>| {
        ty.as_ref().map_or(Just(None).boxed(), |ty| val(ty).prop_map(|val| Some(Box::new(val))).boxed())
    };
    let answer = prop_oneof![
        side(&guest.ok).prop_map(|val| Val::Result(Ok(val))),
        side(&guest.err).prop_map(|val| Val::Result(Err(val))),
    ];
    let fitting = arguments(&contract.params);
    (fitting, any::<u16>(), prop::option::of(any_json()), answer).prop_map(
        move |(arguments, at, value, answer)| {
            let wrong = replaced(&arguments, at, value);
            Crossing { contract: Arc::clone(&contract), guest: guest.clone(), arguments, wrong, answer }
        },
    )
}

/// What comes back when a value goes to the guest and back.
fn returned(ty: &ValueType, value: &Value) -> Value {
    match (ty, value) {
        (ValueType::Option(_), Value::Null) => Value::Null,
        (ValueType::Option(inner), value) => returned(inner, value),
        (ValueType::Float, Value::Number(number)) => {
            Number::from_f64(number.as_f64().unwrap()).unwrap().into()
        }
        (ValueType::List(item), Value::Array(items)) => {
            items.iter().map(|value| returned(item, value)).collect()
        }
        (ValueType::Map(item), Value::Object(entries)) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), returned(item, value)));
            Value::Object(entries.collect())
        }
        (ValueType::Record(record), Value::Object(object)) => {
            let mut back = Map::new();
            for field in &record.fields {
                let value = argument(field, object);
                // An option inside an option keeps `null` apart from nothing; JSON does not.
                if !(record.omit_none && value.is_null() && matches!(field.ty, ValueType::Option(_))) {
                    back.insert(field.name.clone(), value);
                }
            }
            Value::Object(back)
        }
        (_, value) => value.clone(),
    }
}

fn argument(field: &Field, object: &Map<String, Value>) -> Value {
    let value = object.get(&field.name).or(field.default.as_ref());
    value.map_or(Value::Null, |value| returned(&field.ty, value))
}

/// Whether a value has the type that the guest declares; the engine gives up on one that has not.
fn is_of(value: &Val, ty: &Type) -> bool {
    match (value, ty) {
        (Val::Bool(_), Type::Bool)
        | (Val::S64(_), Type::S64)
        | (Val::U8(_), Type::U8)
        | (Val::U16(_), Type::U16)
        | (Val::U32(_), Type::U32)
        | (Val::Float64(_), Type::Float64)
        | (Val::String(_), Type::String)
        | (Val::Option(None), Type::Option(_)) => true,
        (Val::Option(Some(value)), Type::Option(ty)) => is_of(value, &ty.ty()),
        (Val::List(values), Type::List(ty)) => values.iter().all(|value| is_of(value, &ty.ty())),
        (Val::Tuple(values), Type::Tuple(ty)) => {
            values.len() == ty.types().len()
                && values.iter().zip(ty.types()).all(|(value, ty)| is_of(value, &ty))
        }
        (Val::Record(values), Type::Record(ty)) => {
            values.len() == ty.fields().len()
                && values
                    .iter()
                    .zip(ty.fields())
                    .all(|((name, value), field)| name == field.name && is_of(value, &field.ty))
        }
        _ => false,
    }
}

fn holds(crossing: &Crossing) {
    let Crossing { contract, guest, arguments, wrong, answer } = crossing;
    let exact = guest == &**contract;
    let found = function(guest);
    let plan = match FunctionPlan::new(contract, &found) {
        Ok(plan) => plan,
        Err(problems) => {
            assert!(!exact, "the contract's own types are refused: {problems:?}");
            assert!(!problems.is_empty());
            for problem in &problems {
                assert!(problem.place.is_some() && problem.interface.is_some(), "{problem:?}");
                assert!(problem.to_string().len() < 4_096, "{problem}");
            }
            return;
        }
    };
    assert_eq!(check_fields(&contract.params, arguments, ""), Ok(()), "the arguments fit");
    let lowered = plan.lower(arguments).unwrap();
    assert_eq!(lowered.len(), found.params().len());
    for (value, (name, ty)) in lowered.iter().zip(found.params()) {
        assert!(is_of(value, &ty), "{name}: {value:?} is not of {ty:?}");
    }
    if exact {
        for ((field, value), (name, ty)) in contract.params.iter().zip(lowered).zip(found.params()) {
            let lift = Lift::new(&field.ty, &ty, &Place(name.to_owned())).unwrap();
            assert_eq!(lift.lift(value, JSON_DEPTH_MOST).unwrap(), argument(field, arguments), "{name}");
        }
    }
    match plan.lower(wrong) {
        Ok(values) => {
            let types = found.params();
            assert!(values.iter().zip(types).all(|(value, (_, ty))| is_of(value, &ty)), "{values:?}");
        }
        Err(mismatch) => {
            assert_eq!(check_fields(&contract.params, wrong, ""), Err(mismatch.clone()));
            let first = contract.params.iter().any(|field| mismatch.path.starts_with(&field.name));
            assert!(first, "{mismatch} names no parameter");
        }
    }
    match plan.lift(answer.clone(), JSON_DEPTH_MOST) {
        Ok(lifted) => {
            let (ty, value) = match &lifted {
                Ok(value) => (&contract.ok, value),
                Err(value) => (&contract.err, value),
            };
            match ty {
                Some(ty) => assert_eq!(ty.check(value, "answer"), Ok(()), "{value}"),
                None => assert_eq!(value, &Value::Null),
            }
        }
        Err(super::Unfit::Wrong(mismatch)) => {
            assert!(mismatch.path.starts_with("ok") || mismatch.path.starts_with("err"), "{mismatch}");
        }
        Err(super::Unfit::TooDeep) => {}
    }
}

/// Every function that a plugin may export.
static HOOKS: LazyLock<Vec<Arc<Signature>>> = LazyLock::new(|| {
    let hooks = Catalogue::embedded().hooks().map(|hook| Arc::clone(hook.signature()));
    hooks.chain([any_filter(), any_event(), configure()].map(Arc::clone)).collect()
});

#[test]
fn every_hook_carries_what_fits_and_tells_what_does_not() {
    fuzz("json-of-hooks", &crossings(prop::sample::select(&**HOOKS)), |crossing| holds(&crossing));
}

#[test]
fn arbitrary_types_carry_what_fits_and_tell_what_does_not() {
    fuzz("json-of-any-type", &crossings(signatures()), |crossing| holds(&crossing));
}
