//! The types of arguments and answers: what Python, JSON and WIT mean by the same value.

use std::sync::Arc;

/// The type of one value that crosses the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    /// Python `bool`, WIT `bool`.
    Bool,
    /// Python `int`, WIT `s64`.
    Int,
    /// An HTTP status code, WIT `u16`.
    StatusCode,
    /// A count, WIT `u32`.
    Count,
    /// Python `float`, WIT `f64`; finite.
    Float,
    /// Python `str`, WIT `string`.
    Text,
    /// A value that Open edX holds as an object and prints as text, WIT a named `string` alias.
    Named(Named),
    /// Python `bytes`, WIT `list<u8>`; base64 text in JSON.
    Bytes,
    /// Anything at all; WIT the `json` alias, a `string` that holds one JSON document.
    Json,
    /// A list or a set, WIT `list<T>`.
    List(Box<ValueType>),
    /// A dictionary with text keys, WIT `list<tuple<string, T>>`, a JSON object.
    Map(Box<ValueType>),
    /// `T | None`, WIT `option<T>`.
    Option(Box<ValueType>),
    /// An attrs class or a projection of a model, WIT a `record`, a JSON object.
    Record(Arc<Record>),
    /// One of several cases, WIT a `variant`. In JSON the case's name, or an object with that one key.
    Variant(Arc<Variant>),
}

/// The named `string` aliases of `hookbox:plugin/types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the upstream class of the same name")]
pub enum Named {
    Datetime,
    Uuid,
    CourseKey,
    CcxLocator,
    UsageKey,
    LibraryLocatorV2,
    LibraryUsageLocatorV2,
    LibraryCollectionLocator,
    LibraryContainerLocator,
}

impl Named {
    /// The alias in WIT.
    pub fn wit(self) -> &'static str {
        match self {
            Self::Datetime => "datetime",
            Self::Uuid => "uuid",
            Self::CourseKey => "course-key",
            Self::CcxLocator => "ccx-locator",
            Self::UsageKey => "usage-key",
            Self::LibraryLocatorV2 => "library-locator-v2",
            Self::LibraryUsageLocatorV2 => "library-usage-locator-v2",
            Self::LibraryCollectionLocator => "library-collection-locator",
            Self::LibraryContainerLocator => "library-container-locator",
        }
    }
}

/// A WIT record and the JSON object it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The record's name in WIT, kebab case.
    pub wit: String,
    /// Where it comes from upstream: `openedx_events.learning.data.UserData`; empty for our own.
    pub upstream: String,
    /// The fields in upstream's order.
    pub fields: Vec<Field>,
    /// Whether `none` leaves the key out of the JSON object instead of writing `null`.
    pub omit_none: bool,
}

/// A field of a record, or a parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name in Python and JSON, snake case.
    pub name: String,
    /// The name in WIT, kebab case.
    pub wit: String,
    /// The type.
    pub ty: ValueType,
    /// What stands in when JSON leaves the field out. An `Option` needs none: it becomes `none`.
    pub default: Option<serde_json::Value>,
}

impl Field {
    /// A field that JSON must hold unless its type is an `Option`.
    pub fn new(name: &str, ty: ValueType) -> Self {
        Self { name: name.to_owned(), wit: crate::names::kebab(name), ty, default: None }
    }

    /// Whether JSON may leave the field out.
    pub fn may_be_absent(&self) -> bool {
        self.default.is_some() || matches!(self.ty, ValueType::Option(_))
    }
}

/// A WIT variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The variant's name in WIT.
    pub wit: String,
    /// The cases in order.
    pub cases: Vec<Case>,
}

/// One case of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name in JSON: upstream's class name for an exception, else the WIT name.
    pub name: String,
    /// The name in WIT, kebab case.
    pub wit: String,
    /// What the case carries.
    pub payload: Option<ValueType>,
}

/// A function that a plugin exports and the host calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The interface with its package and version: `openedx:filters/learning-…-v1@1.0.0`.
    pub interface: String,
    /// The function's name in that interface.
    pub function: &'static str,
    /// The parameters in order.
    pub params: Vec<Field>,
    /// What the success case of its `result` carries.
    pub ok: Option<ValueType>,
    /// What the failure case of its `result` carries.
    pub err: Option<ValueType>,
}

impl ValueType {
    /// `option<self>`.
    pub fn optional(self) -> Self {
        Self::Option(Box::new(self))
    }

    /// How WIT writes the type, named types by their bare name.
    pub fn wit(&self) -> String {
        match self {
            Self::Bool => "bool".into(),
            Self::Int => "s64".into(),
            Self::StatusCode => "u16".into(),
            Self::Count => "u32".into(),
            Self::Float => "f64".into(),
            Self::Text => "string".into(),
            Self::Named(named) => named.wit().into(),
            Self::Bytes => "list<u8>".into(),
            Self::Json => "json".into(),
            Self::List(item) => format!("list<{}>", item.wit()),
            Self::Map(item) => format!("list<tuple<string, {}>>", item.wit()),
            Self::Option(inner) => format!("option<{}>", inner.wit()),
            Self::Record(record) => crate::names::escaped(&record.wit),
            Self::Variant(variant) => crate::names::escaped(&variant.wit),
        }
    }

    /// What a caller who speaks JSON must send, in a word or two.
    pub fn json(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "an integer",
            Self::StatusCode => "an HTTP status code from 100 to 599",
            Self::Count => "an integer from 0 to 4294967295",
            Self::Float => "a number",
            Self::Text => "a string",
            Self::Named(Named::Datetime) => "a string with a date and time",
            Self::Named(Named::Uuid) => "a string with a UUID",
            Self::Named(_) => "a string with a key",
            Self::Bytes => "a string in base64",
            Self::Json => "any JSON value",
            Self::List(_) => "an array",
            Self::Map(_) | Self::Record(_) => "an object",
            Self::Option(inner) => inner.json(),
            Self::Variant(_) => "the name of a case, or an object with that one key",
        }
    }

    /// Calls `visit` for this type and every type inside it.
    pub fn walk(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        match self {
            Self::List(inner) | Self::Map(inner) | Self::Option(inner) => inner.walk(visit),
            Self::Record(record) => record.fields.iter().for_each(|field| field.ty.walk(visit)),
            Self::Variant(variant) => {
                variant.cases.iter().filter_map(|case| case.payload.as_ref()).for_each(|ty| ty.walk(visit));
            }
            _ => {}
        }
    }
}
