//! JSON to component values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_hooks::types::{Field, Record, ValueType};
use serde_json::Value;
use wasmtime::component::Val;
use wasmtime::component::types::Type;

use super::{Place, REBUILD};
use crate::problem::Problem;

/// A value that does not fit. What does not fit where is found out afterwards, off the fast path.
#[derive(Debug)]
pub(super) struct Unfit;

/// One conversion.
#[derive(Debug)]
pub(super) enum Lower {
    Bool,
    S64,
    U16,
    U32,
    F64,
    Text,
    Bytes,
    Json,
    List(Box<Lower>),
    Map(Box<Lower>),
    /// `null` is `none`.
    Option(Box<Lower>),
    /// The guest may take `none`, but the contract always has a value.
    Some(Box<Lower>),
    Record(Vec<(String, String, Source)>),
}

/// Where the value of a field or parameter comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// From JSON, or from a default when JSON leaves it out.
    Json(Lower, Option<Value>),
    /// The contract does not know it, and the guest can do without.
    None,
}

impl Source {
    pub(super) fn new(field: Option<&Field>, found: &Type, place: &Place) -> Result<Self, Problem> {
        match field {
            Some(field) => Ok(Self::Json(Lower::new(&field.ty, found, place)?, field.default.clone())),
            None if matches!(found, Type::Option(_)) => Ok(Self::None),
            None => Err(place.differs(
                "nothing of that name",
                format!("a required {}", name(found)),
                "The plugin needs a value that this host's catalogue does not have. Build it against the WIT \
                 that `hookbox wit FOLDER` writes, or run it on a newer host.",
            )),
        }
    }

    pub(super) fn lower(&self, value: Option<&Value>) -> Result<Val, Unfit> {
        match (self, value) {
            (Self::None, _) => Ok(Val::Option(None)),
            (Self::Json(lower, _), Some(value)) => lower.lower(value),
            (Self::Json(lower, Some(default)), None) => lower.lower(default),
            (Self::Json(Lower::Option(_), None), None) => Ok(Val::Option(None)),
            (Self::Json(_, None), None) => Err(Unfit),
        }
    }
}

impl Lower {
    fn new(expected: &ValueType, found: &Type, place: &Place) -> Result<Self, Problem> {
        Ok(match (expected, found) {
            (ValueType::Option(inner), Type::Option(found)) => {
                Self::Option(Box::new(Self::new(inner, &found.ty(), place)?))
            }
            (_, Type::Option(found)) => Self::Some(Box::new(Self::new(expected, &found.ty(), place)?)),
            (ValueType::Bool, Type::Bool) => Self::Bool,
            (ValueType::Int, Type::S64) => Self::S64,
            (ValueType::StatusCode, Type::U16) => Self::U16,
            (ValueType::Count, Type::U32) => Self::U32,
            (ValueType::Float, Type::Float64) => Self::F64,
            (ValueType::Text | ValueType::Named(_), Type::String) => Self::Text,
            (ValueType::Json, Type::String) => Self::Json,
            (ValueType::Bytes, Type::List(list)) if matches!(list.ty(), Type::U8) => Self::Bytes,
            (ValueType::List(item), Type::List(list)) => {
                Self::List(Box::new(Self::new(item, &list.ty(), &place.inside("item"))?))
            }
            (ValueType::Map(item), Type::List(list)) => match pair(&list.ty()) {
                Some(value) => Self::Map(Box::new(Self::new(item, &value, &place.inside("value"))?)),
                None => return Err(place.differs(expected.wit(), name(found), REBUILD)),
            },
            (ValueType::Record(record), Type::Record(found)) => Self::record(record, found, place)?,
            _ => return Err(place.differs(expected.wit(), name(found), REBUILD)),
        })
    }

    fn record(
        record: &Record,
        found: &wasmtime::component::types::Record,
        place: &Place,
    ) -> Result<Self, Problem> {
        let fields = found.fields().map(|guest| {
            let field = record.fields.iter().find(|field| field.wit == guest.name);
            let source = Source::new(field, &guest.ty, &place.inside(guest.name))?;
            let json = field.map(|field| field.name.clone()).unwrap_or_default();
            Ok((guest.name.to_owned(), json, source))
        });
        Ok(Self::Record(fields.collect::<Result<_, Problem>>()?))
    }

    fn lower(&self, value: &Value) -> Result<Val, Unfit> {
        Ok(match (self, value) {
            (Self::Bool, Value::Bool(value)) => Val::Bool(*value),
            (Self::S64, Value::Number(number)) => Val::S64(number.as_i64().ok_or(Unfit)?),
            (Self::U16, Value::Number(number)) => Val::U16(small(number)?),
            (Self::U32, Value::Number(number)) => Val::U32(small(number)?),
            (Self::F64, Value::Number(number)) => Val::Float64(number.as_f64().ok_or(Unfit)?),
            (Self::Text, Value::String(text)) => Val::String(text.clone()),
            (Self::Json, value) => Val::String(value.to_string()),
            (Self::Bytes, Value::String(text)) => {
                let bytes = STANDARD.decode(text).map_err(|_| Unfit)?;
                Val::List(bytes.into_iter().map(Val::U8).collect())
            }
            (Self::List(item), Value::Array(items)) => {
                Val::List(items.iter().map(|value| item.lower(value)).collect::<Result<_, _>>()?)
            }
            (Self::Map(item), Value::Object(entries)) => {
                let pairs = entries
                    .iter()
                    .map(|(key, value)| Ok(Val::Tuple(vec![Val::String(key.clone()), item.lower(value)?])));
                Val::List(pairs.collect::<Result<_, _>>()?)
            }
            (Self::Option(_), Value::Null) => Val::Option(None),
            (Self::Option(inner) | Self::Some(inner), value) => {
                Val::Option(Some(Box::new(inner.lower(value)?)))
            }
            (Self::Record(fields), Value::Object(object)) => {
                let fields = fields
                    .iter()
                    .map(|(wit, json, source)| Ok((wit.clone(), source.lower(object.get(json))?)));
                Val::Record(fields.collect::<Result<_, _>>()?)
            }
            _ => return Err(Unfit),
        })
    }
}

fn small<T: TryFrom<u64>>(number: &serde_json::Number) -> Result<T, Unfit> {
    number.as_u64().and_then(|number| T::try_from(number).ok()).ok_or(Unfit)
}

/// The value type of `tuple<string, T>`.
pub(super) fn pair(ty: &Type) -> Option<Type> {
    let Type::Tuple(tuple) = ty else { return None };
    let types: Vec<Type> = tuple.types().collect();
    match types.as_slice() {
        [Type::String, value] => Some(value.clone()),
        _ => None,
    }
}

/// What a component's type is called in WIT.
pub(super) fn name(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::List(_) => "list",
        Type::Map(_) => "map",
        Type::FixedLengthList(_) => "a list of fixed length",
        Type::Record(_) => "record",
        Type::Tuple(_) => "tuple",
        Type::Variant(_) => "variant",
        Type::Enum(_) => "enum",
        Type::Option(_) => "option",
        Type::Result(_) => "result",
        Type::Flags(_) => "flags",
        Type::Own(_) | Type::Borrow(_) => "a resource",
        Type::Future(_) => "future",
        Type::Stream(_) => "stream",
        Type::ErrorContext => "error-context",
    }
}
