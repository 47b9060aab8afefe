//! How JSON becomes the values of one function and back, planned once from the contract's types and the component's
//! own. A plugin built against an older catalogue has fewer fields: they are left out. One built against a newer
//! catalogue has more: they are `none` where they may be.

#[cfg(test)]
mod fuzz;
mod lift;
mod lower;

use std::sync::Arc;

use hookbox_hooks::Mismatch;
use hookbox_hooks::check::check_fields;
use hookbox_hooks::types::Signature;
use serde_json::{Map, Value};
use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, Type};

use lift::Lift;
pub(crate) use lift::Unfit;
use lower::Source;

use crate::problem::{Problem, ProblemCode};

/// A function of the contract as this component has it.
#[derive(Debug)]
pub(crate) struct FunctionPlan {
    pub(crate) signature: Arc<Signature>,
    params: Vec<(String, Source)>,
    ok: Option<Lift>,
    err: Option<Lift>,
}

/// Where in a function's types a difference is.
#[derive(Debug, Clone)]
pub(crate) struct Place(String);

impl Place {
    fn inside(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    fn differs(&self, expected: impl Into<String>, found: impl Into<String>, help: &str) -> Problem {
        let mut problem = Problem::new(ProblemCode::TypeMismatch, expected, found, help);
        problem.place = Some(self.0.clone());
        problem
    }
}

const REBUILD: &str = "Build the plugin against the WIT that `hookbox wit FOLDER` writes.";

impl FunctionPlan {
    /// Matches the component's function against the contract's.
    ///
    /// # Errors
    /// Every difference that no conversion can bridge.
    pub(crate) fn new(signature: &Arc<Signature>, found: &ComponentFunc) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut params = Vec::new();
        for (name, ty) in found.params() {
            let place = Place(format!("parameter {name}"));
            let source = match signature.params.iter().find(|param| param.wit == name) {
                Some(param) => Source::new(Some(param), &ty, &place),
                None => Source::new(None, &ty, &place),
            };
            match source {
                Ok(source) => {
                    let json = signature.params.iter().find(|param| param.wit == name);
                    params.push((json.map_or_else(|| name.to_owned(), |param| param.name.clone()), source));
                }
                Err(problem) => problems.push(problem),
            }
        }
        let results: Vec<Type> = found.results().collect();
        let (mut ok, mut err) = (None, None);
        match results.as_slice() {
            [Type::Result(result)] => {
                for (side, expected, found, lift) in [
                    ("result ok", &signature.ok, result.ok(), &mut ok),
                    ("result err", &signature.err, result.err(), &mut err),
                ] {
                    let place = Place(side.to_owned());
                    match (expected, found) {
                        (Some(expected), Some(found)) => match Lift::new(expected, &found, &place) {
                            Ok(plan) => *lift = Some(plan),
                            Err(problem) => problems.push(problem),
                        },
                        (None, None) => {}
                        (expected, found) => problems.push(place.differs(
                            expected.as_ref().map_or("nothing".into(), hookbox_hooks::types::ValueType::wit),
                            found.map_or("nothing", |ty| lower::name(&ty)),
                            REBUILD,
                        )),
                    }
                }
            }
            other => problems.push(Place("result".into()).differs(
                "one result",
                other.first().map_or("nothing", lower::name),
                REBUILD,
            )),
        }
        if problems.is_empty() {
            Ok(Self { signature: Arc::clone(signature), params, ok, err })
        } else {
            let named = |problem: Problem| problem.of(&signature.interface).function(signature.function);
            Err(problems.into_iter().map(named).collect())
        }
    }

    /// The function's arguments from a JSON object.
    ///
    /// # Errors
    /// The first argument that is missing or of another type.
    pub(crate) fn lower(&self, arguments: &Map<String, Value>) -> Result<Vec<Val>, Mismatch> {
        let lowered = self.params.iter().map(|(name, source)| source.lower(arguments.get(name)));
        lowered.collect::<Result<_, lower::Unfit>>().map_err(|lower::Unfit| self.misfit(arguments))
    }

    fn misfit(&self, arguments: &Map<String, Value>) -> Mismatch {
        let found = check_fields(&self.signature.params, arguments, "");
        found.err().unwrap_or_else(|| Mismatch {
            path: "arguments".into(),
            expected: "values of the plugin's own types".into(),
            found: "a value its types have no room for".into(),
        })
    }

    /// The function's answer as JSON.
    ///
    /// # Errors
    /// The first place that does not mean what the contract says.
    pub(crate) fn lift(&self, answer: Val, depth: usize) -> Result<Result<Value, Value>, Unfit> {
        let side = |lift: &Option<Lift>, value: Option<Box<Val>>, name: &str| match (lift, value) {
            (Some(lift), Some(value)) => lift.lift(*value, depth).map_err(|inner| lift::within(name, inner)),
            _ => Ok(Value::Null),
        };
        match answer {
            Val::Result(Ok(value)) => side(&self.ok, value, "ok").map(Ok),
            Val::Result(Err(value)) => side(&self.err, value, "err").map(Err),
            _ => Err(Unfit::Wrong(Mismatch {
                path: "answer".into(),
                expected: "a result".into(),
                found: "another type".into(),
            })),
        }
    }
}
