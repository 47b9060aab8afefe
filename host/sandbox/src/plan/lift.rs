//! Component values to JSON. What comes from a guest is not trusted: every value is checked on its way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_hooks::Mismatch;
use hookbox_hooks::types::{Named, ValueType};
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

use super::lower::{name, pair};
use super::{Place, REBUILD};
use crate::limits::{JSON_DEPTH_MOST, JSON_VALUES};
use crate::problem::Problem;

/// An answer that does not become JSON.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// A value that does not mean what the contract says.
    Wrong(Mismatch),
    /// JSON that nests deeper than it may.
    TooDeep,
}

/// One conversion.
#[derive(Debug)]
pub(super) enum Lift {
    Bool,
    S64,
    StatusCode,
    U32,
    F64,
    Text,
    Named(Named),
    Bytes,
    Json,
    List(Box<Lift>),
    Map(Box<Lift>),
    /// `none` is `null`.
    Option(Box<Lift>),
    /// The guest's fields in their order; `None` is one the contract does not know.
    Record {
        fields: Vec<Option<(String, Lift)>>,
        omit_none: bool,
    },
    /// The guest's case, its name in JSON, what it carries.
    Variant(Vec<(String, String, Option<Lift>)>),
}

impl Lift {
    pub(super) fn new(expected: &ValueType, found: &Type, place: &Place) -> Result<Self, Problem> {
        Ok(match (expected, found) {
            (ValueType::Option(inner), Type::Option(found)) => {
                Self::Option(Box::new(Self::new(inner, &found.ty(), place)?))
            }
            // A guest that always has a value serves where one is optional.
            (ValueType::Option(inner), found) => Self::new(inner, found, place)?,
            (ValueType::Bool, Type::Bool) => Self::Bool,
            (ValueType::Int, Type::S64) => Self::S64,
            (ValueType::StatusCode, Type::U16) => Self::StatusCode,
            (ValueType::Count, Type::U32) => Self::U32,
            (ValueType::Float, Type::Float64) => Self::F64,
            (ValueType::Text, Type::String) => Self::Text,
            (ValueType::Named(named), Type::String) => Self::Named(*named),
            (ValueType::Json, Type::String) => Self::Json,
            (ValueType::Bytes, Type::List(list)) if matches!(list.ty(), Type::U8) => Self::Bytes,
            (ValueType::List(item), Type::List(list)) => {
                Self::List(Box::new(Self::new(item, &list.ty(), &place.inside("item"))?))
            }
            (ValueType::Map(item), Type::List(list)) => match pair(&list.ty()) {
                Some(value) => Self::Map(Box::new(Self::new(item, &value, &place.inside("value"))?)),
                None => return Err(place.differs(expected.wit(), name(found), REBUILD)),
            },
            (ValueType::Record(record), Type::Record(found)) => {
                for field in record.fields.iter().filter(|field| !field.may_be_absent()) {
                    if !found.fields().any(|guest| guest.name == field.wit) {
                        return Err(place.inside(&field.wit).differs(field.ty.wit(), "nothing", REBUILD));
                    }
                }
                let fields = found.fields().map(|guest| {
                    let known = record.fields.iter().find(|field| field.wit == guest.name);
                    known
                        .map(|field| {
                            let lift = Self::new(&field.ty, &guest.ty, &place.inside(guest.name))?;
                            Ok((field.name.clone(), lift))
                        })
                        .transpose()
                });
                Self::Record { fields: fields.collect::<Result<_, Problem>>()?, omit_none: record.omit_none }
            }
            (ValueType::Variant(variant), Type::Variant(found)) => {
                let cases = found.cases().map(|guest| {
                    let place = place.inside(guest.name);
                    let Some(case) = variant.cases.iter().find(|case| case.wit == guest.name) else {
                        let known: Vec<&str> = variant.cases.iter().map(|case| case.wit.as_str()).collect();
                        return Err(place.differs(
                            format!("one of {}", known.join(", ")),
                            guest.name,
                            REBUILD,
                        ));
                    };
                    let payload = match (&case.payload, guest.ty) {
                        (Some(expected), Some(found)) => Some(Self::new(expected, &found, &place)?),
                        (None, None) => None,
                        (expected, found) => {
                            let expected = expected.as_ref().map_or("nothing".into(), ValueType::wit);
                            return Err(place.differs(
                                expected,
                                found.map_or("nothing", |ty| name(&ty)),
                                REBUILD,
                            ));
                        }
                    };
                    Ok((guest.name.to_owned(), case.name.clone(), payload))
                });
                Self::Variant(cases.collect::<Result<_, Problem>>()?)
            }
            _ => return Err(place.differs(expected.wit(), name(found), REBUILD)),
        })
    }

    pub(super) fn lift(&self, value: Val, depth: usize) -> Result<Value, Unfit> {
        Ok(match (self, value) {
            (Self::Bool, Val::Bool(value)) => Value::Bool(value),
            (Self::S64, Val::S64(value)) => value.into(),
            (Self::U32, Val::U32(value)) => value.into(),
            (Self::StatusCode, Val::U16(code)) => match code {
                100..=599 => code.into(),
                _ => {
                    return Err(wrong("an HTTP status code from 100 to 599", format!("the number {code}")));
                }
            },
            (Self::F64, Val::Float64(value)) => Value::Number(
                Number::from_f64(value).ok_or_else(|| wrong("a finite number", value.to_string()))?,
            ),
            (Self::Text, Val::String(text)) => Value::String(text),
            (Self::Named(named), Val::String(text)) => {
                let value = Value::String(text);
                ValueType::Named(*named).check(&value, "").map_err(Unfit::Wrong)?;
                value
            }
            (Self::Json, Val::String(text)) => json(&text, depth)?,
            (Self::Bytes, Val::List(bytes)) => {
                let bytes = bytes.into_iter().map(|byte| if let Val::U8(byte) = byte { byte } else { 0 });
                Value::String(STANDARD.encode(bytes.collect::<Vec<u8>>()))
            }
            (Self::List(item), Val::List(values)) => {
                let items = values.into_iter().enumerate();
                let items = items.map(|(at, value)| {
                    item.lift(value, depth).map_err(|inner| within(&format!("[{at}]"), inner))
                });
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            (Self::Map(item), Val::List(pairs)) => {
                let mut object = Map::new();
                for pair in pairs {
                    let Val::Tuple(pair) = pair else { continue };
                    if let Ok([Val::String(key), value]) = <[Val; 2]>::try_from(pair) {
                        let value = item.lift(value, depth).map_err(|inner| within(&key, inner))?;
                        object.insert(key, value);
                    }
                }
                Value::Object(object)
            }
            (Self::Option(_), Val::Option(None)) => Value::Null,
            (Self::Option(inner), Val::Option(Some(value))) => inner.lift(*value, depth)?,
            (Self::Record { fields, omit_none }, Val::Record(values)) => {
                let mut object = Map::with_capacity(fields.len());
                for (field, (_, value)) in fields.iter().zip(values) {
                    let Some((name, lift)) = field else { continue };
                    if *omit_none && matches!(value, Val::Option(None)) {
                        continue;
                    }
                    let value = lift.lift(value, depth).map_err(|inner| within(name, inner))?;
                    object.insert(name.clone(), value);
                }
                Value::Object(object)
            }
            (Self::Variant(cases), Val::Variant(case, payload)) => {
                let Some((_, name, lift)) = cases.iter().find(|(wit, ..)| *wit == case) else {
                    return Err(wrong("a case of the contract", case));
                };
                match (lift, payload) {
                    (Some(lift), Some(payload)) => {
                        let value = lift.lift(*payload, depth).map_err(|inner| within(name, inner))?;
                        Value::Object(Map::from_iter([(name.clone(), value)]))
                    }
                    _ => Value::String(name.clone()),
                }
            }
            _ => return Err(wrong("a value of its declared type", "another")),
        })
    }
}

/// Parses a guest's JSON after its levels and values were counted: the parser itself never sees a tower, and a text
/// of many tiny values never becomes a tree of forty times its size.
fn json(text: &str, depth: usize) -> Result<Value, Unfit> {
    let (mut open, mut values, mut in_text, mut escaped) = (0_usize, 1_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                open += 1;
                if open > depth.min(JSON_DEPTH_MOST) {
                    return Err(Unfit::TooDeep);
                }
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    if values > JSON_VALUES {
        return Err(wrong(format!("JSON of at most {JSON_VALUES} values"), format!("{values}")));
    }
    serde_json::from_str(text)
        .map_err(|error| wrong("one JSON document", format!("text that is none: {error}")))
}

fn wrong(expected: impl Into<String>, found: impl Into<String>) -> Unfit {
    Unfit::Wrong(Mismatch { path: String::new(), expected: expected.into(), found: found.into() })
}

/// The same as seen from one level further out.
pub(super) fn within(name: &str, inner: Unfit) -> Unfit {
    let Unfit::Wrong(mut inner) = inner else {
        return inner;
    };
    let dot = if inner.path.is_empty() || inner.path.starts_with('[') { "" } else { "." };
    inner.path = format!("{name}{dot}{}", inner.path);
    Unfit::Wrong(inner)
}
