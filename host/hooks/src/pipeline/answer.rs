//! What one step answered, read from the JSON that its result was lifted to.

use serde_json::{Map, Value};

use crate::catalogue::{ExceptionClass, Filter, any_filter};
use crate::check::{Mismatch, describe};
use crate::types::{Signature, ValueType};

/// Where a mismatch in the success case stands, by the variant's name in WIT.
const OUTCOME: &str = "outcome";
/// Where a mismatch in the failure case stands.
const FAILURE: &str = "failure";

/// What one step answered.
#[derive(Debug, Clone, PartialEq)]
pub enum StepAnswer {
    /// Go on with these arguments replaced or added. Python's `return {…}`.
    Proceed(Map<String, Value>),
    /// Stop; no later step runs. Python's `return None`.
    Halt,
    /// Raise one of the filter's exceptions. Python's `raise Filter.PreventSomething(…)`.
    Raise(FilterException),
    /// Any other error, in the step's words. Python's `raise` of any other exception.
    Error(String),
}

/// An exception that ends a pipeline (openedx_filters exceptions.py `OpenEdxFilterException`).
#[derive(Debug, Clone, PartialEq)]
pub struct FilterException {
    /// The class, unique within its filter only.
    pub class: String,
    /// Why, for people.
    pub message: String,
    /// Where to send the user; empty for nowhere.
    pub redirect_to: String,
    /// The HTTP status the platform should answer with, when the step chose one.
    pub status_code: Option<u16>,
    /// The class's further attributes. Those that the step left out hold upstream's default.
    pub attributes: Map<String, Value>,
}

impl FilterException {
    /// An exception with upstream's defaults: no redirect, no status code, no further attributes.
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            message: message.into(),
            redirect_to: String::new(),
            status_code: None,
            attributes: Map::new(),
        }
    }

    /// The exception as one object: `class`, `message`, `redirect_to`, `status_code` (a number or `null`), then the
    /// further attributes. One of those that bears one of the four names is left out.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("class".into(), self.class.as_str().into());
        object.insert("message".into(), self.message.as_str().into());
        object.insert("redirect_to".into(), self.redirect_to.as_str().into());
        object.insert("status_code".into(), self.status_code.into());
        for (name, value) in &self.attributes {
            object.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        Value::Object(object)
    }

    /// Takes the constructor's parameters. One that is missing or `null` has its default.
    fn from_fields(class: &ExceptionClass, mut fields: Map<String, Value>) -> Self {
        let mut exception = Self::new(&class.class, "");
        for param in &class.params {
            let given = fields.shift_remove(&param.name).filter(|value| !value.is_null());
            let value = given.or_else(|| param.default.clone()).unwrap_or_default();
            exception.set(&param.name, value);
        }
        exception
    }

    /// Sets one attribute, as `setattr` does. A value of another type than the three fixed attributes have is
    /// dropped; checked answers hold none.
    fn set(&mut self, name: &str, value: Value) {
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            ("redirect_to", Value::String(text)) => self.redirect_to = text,
            ("status_code", Value::Number(code)) => {
                self.status_code = code.as_u64().and_then(|code| u16::try_from(code).ok());
            }
            ("message" | "redirect_to" | "status_code", _) => {}
            (_, value) => {
                self.attributes.insert(name.to_owned(), value);
            }
        }
    }
}

impl StepAnswer {
    /// The step's own words about its failure; `None` when it did not fail.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            Self::Proceed(_) | Self::Halt | Self::Raise(_) => None,
        }
    }
}

impl Filter {
    /// Understands what a step of this filter answered. `lifted` is the WIT `result` as JSON: on success
    /// `{"proceed": {the arguments to replace}}` or `"halt"`, on failure `{"<exception class>": {its fields}}` or
    /// `{"error": "text"}`.
    ///
    /// # Errors
    /// The first place where the answer does not fit this filter's contract. The path begins with `outcome` or
    /// `failure`. `null` fits an argument only when the argument itself may be `None`.
    pub fn answer(&self, lifted: Result<Value, Value>) -> Result<StepAnswer, Mismatch> {
        let lifted = checked(&self.signature, lifted)?;
        match lifted.map(case) {
            Ok((name, _)) if name == "halt" => Ok(StepAnswer::Halt),
            Ok((_, Value::Object(changes))) => {
                self.refuse_nulls(&changes)?;
                Ok(StepAnswer::Proceed(changes))
            }
            Ok((_, other)) => Err(Mismatch::new(OUTCOME, "an outcome", describe(&other))),
            Err(value) => match case(value) {
                (_, Value::String(text)) => Ok(StepAnswer::Error(text)),
                (name, Value::Object(fields)) => match self.exception(&name) {
                    Some(class) => Ok(StepAnswer::Raise(FilterException::from_fields(class, fields))),
                    None => Err(Mismatch::new(FAILURE, "one of the filter's exceptions", "another")),
                },
                (_, other) => Err(Mismatch::new(FAILURE, "a failure", describe(&other))),
            },
        }
    }

    /// The exception class of that name.
    fn exception(&self, class: &str) -> Option<&ExceptionClass> {
        self.exceptions.iter().find(|exception| exception.class == class)
    }

    /// The record `changes` makes every field optional, so its check lets `null` pass everywhere.
    fn refuse_nulls(&self, changes: &Map<String, Value>) -> Result<(), Mismatch> {
        let nullable = |ty: &ValueType| matches!(ty, ValueType::Option(_) | ValueType::Json);
        let wrong = self
            .params
            .iter()
            .find(|param| changes.get(&param.name).is_some_and(Value::is_null) && !nullable(&param.ty));
        match wrong {
            Some(param) => {
                Err(Mismatch::new(&format!("{OUTCOME}.proceed.{}", param.name), param.ty.json(), "null"))
            }
            None => Ok(()),
        }
    }
}

/// Understands what a step behind `hookbox:plugin/any-filter` answered: on success `{"proceed": {…}}` or `"halt"`,
/// on failure `{"raise": {class, message, redirect_to, status_code, attributes}}` or `{"error": "text"}`.
///
/// `filter` is the catalogued filter that was called, if it is one. Attributes of its exception classes that the
/// step left out get upstream's default. What the step proceeds with is as free as in Python and not checked
/// against the filter's arguments.
///
/// # Errors
/// The first place where the answer does not fit the generic contract.
pub fn any_filter_answer(
    lifted: Result<Value, Value>,
    filter: Option<&Filter>,
) -> Result<StepAnswer, Mismatch> {
    let lifted = checked(any_filter(), lifted)?;
    match lifted.map(case) {
        Ok((name, _)) if name == "halt" => Ok(StepAnswer::Halt),
        Ok((_, Value::Object(changes))) => Ok(StepAnswer::Proceed(changes)),
        Ok((_, other)) => Err(Mismatch::new("outcome.proceed", "an object", describe(&other))),
        Err(value) => match case(value) {
            (_, Value::String(text)) => Ok(StepAnswer::Error(text)),
            (_, Value::Object(fields)) => any_exception(fields, filter).map(StepAnswer::Raise),
            (_, other) => Err(Mismatch::new(FAILURE, "a failure", describe(&other))),
        },
    }
}

fn any_exception(
    mut fields: Map<String, Value>,
    filter: Option<&Filter>,
) -> Result<FilterException, Mismatch> {
    let class = match fields.shift_remove("class") {
        Some(Value::String(class)) if !class.is_empty() => class,
        _ => {
            return Err(Mismatch::new("failure.raise.class", "the name of a class", "an empty string"));
        }
    };
    let mut exception = FilterException::new(class, "");
    let attributes = match fields.shift_remove("attributes") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(attributes)) => attributes,
        Some(other) => {
            return Err(Mismatch::new("failure.raise.attributes", "an object", describe(&other)));
        }
    };
    for (name, value) in fields {
        exception.set(&name, value);
    }
    exception.attributes = attributes;
    if let Some(class) = filter.and_then(|filter| filter.exception(&exception.class)) {
        for param in &class.params {
            let fixed = matches!(param.name.as_str(), "message" | "redirect_to" | "status_code");
            if let (false, Some(default)) = (fixed, &param.default) {
                exception.attributes.entry(param.name.as_str()).or_insert_with(|| default.clone());
            }
        }
    }
    Ok(exception)
}

/// The result, once both sides' types are found to hold.
fn checked(signature: &Signature, lifted: Result<Value, Value>) -> Result<Result<Value, Value>, Mismatch> {
    let (value, ty, path) = match &lifted {
        Ok(value) => (value, &signature.ok, OUTCOME),
        Err(value) => (value, &signature.err, FAILURE),
    };
    ty.as_ref().map_or(Ok(()), |ty| ty.check(value, path))?;
    Ok(lifted)
}

/// A variant's case and what it carries. Only for values that were checked.
fn case(value: Value) -> (String, Value) {
    match value {
        Value::String(name) => (name, Value::Null),
        Value::Object(object) => object.into_iter().next().unwrap_or_default(),
        other => (String::new(), other),
    }
}

#[cfg(test)]
mod tests;
