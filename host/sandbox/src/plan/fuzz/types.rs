//! Arbitrary types of the contract, a guest's own idea of them, and the engine's types for both.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use hookbox_hooks::types::{Case, Field, Named, Record, Signature, ValueType, Variant};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem};

/// Functions of arbitrary types. No hook takes a variant, some answer with one.
pub(super) fn signatures() -> impl Strategy<Value = Arc<Signature>> {
    let side = prop::option::weighted(0.9, types());
    (vec((types(), any::<bool>()), 0..4), side.clone(), side).prop_map(|(params, ok, err)| {
        let params = params.into_iter().map(|(ty, default)| (without_variants(&ty), default));
        Arc::new(Signature {
            interface: "test:fuzz/any@1.0.0".into(),
            function: "run",
            params: fields(params.collect()),
            ok,
            err,
        })
    })
}

fn types() -> impl Strategy<Value = ValueType> + Clone {
    let leaf = prop::sample::select(vec![
        ValueType::Bool,
        ValueType::Int,
        ValueType::StatusCode,
        ValueType::Count,
        ValueType::Float,
        ValueType::Text,
        ValueType::Named(Named::Datetime),
        ValueType::Named(Named::Uuid),
        ValueType::Named(Named::CourseKey),
        ValueType::Bytes,
        ValueType::Json,
    ]);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let record = (vec((inner.clone(), any::<bool>()), 1..5), any::<bool>());
        let cases = vec(prop::option::of(inner.clone()), 1..4);
        prop_oneof![
            inner.clone().prop_map(|item| ValueType::List(Box::new(item))),
            inner.clone().prop_map(|item| ValueType::Map(Box::new(item))),
            inner.prop_map(ValueType::optional),
            record.prop_map(|(types, omit_none)| {
                let record =
                    Record { wit: "r".into(), upstream: String::new(), fields: fields(types), omit_none };
                ValueType::Record(Arc::new(record))
            }),
            cases.prop_map(|cases| {
                let cases = cases.into_iter().zip('a'..).map(|(payload, letter)| Case {
                    name: format!("Case{letter}"),
                    wit: format!("case-{letter}"),
                    payload,
                });
                ValueType::Variant(Arc::new(Variant { wit: "v".into(), cases: cases.collect() }))
            }),
        ]
    })
}

/// Fields of these types; those with `true` have a default.
fn fields(types: Vec<(ValueType, bool)>) -> Vec<Field> {
    let named = types.into_iter().zip('a'..).map(|((ty, default), letter)| {
        let default = default.then(|| plain(&ty)).flatten();
        Field { default, ..Field::new(&format!("key_{letter}"), ty) }
    });
    named.collect()
}

/// Some value of the type.
fn plain(ty: &ValueType) -> Option<Value> {
    Some(match ty {
        ValueType::Bool => json!(true),
        ValueType::Int | ValueType::Count => json!(7),
        ValueType::StatusCode => json!(404),
        ValueType::Float => json!(0.5),
        ValueType::Text | ValueType::Json => json!("ü"),
        ValueType::List(_) => json!([]),
        ValueType::Map(_) => json!({}),
        _ => return None,
    })
}

fn without_variants(ty: &ValueType) -> ValueType {
    match ty {
        ValueType::Variant(_) => ValueType::Text,
        other => inside(other, &mut without_variants),
    }
}

/// The type with another for each one directly inside.
fn inside(ty: &ValueType, other: &mut dyn FnMut(&ValueType) -> ValueType) -> ValueType {
    match ty {
        ValueType::List(item) => ValueType::List(Box::new(other(item))),
        ValueType::Map(item) => ValueType::Map(Box::new(other(item))),
        ValueType::Option(inner) => other(inner).optional(),
        ValueType::Record(record) => {
            let mut record = (**record).clone();
            for field in &mut record.fields {
                let ty = other(&field.ty);
                if ty != field.ty {
                    field.default = None;
                    field.ty = ty;
                }
            }
            ValueType::Record(Arc::new(record))
        }
        ValueType::Variant(variant) => {
            let mut variant = (**variant).clone();
            for case in &mut variant.cases {
                case.payload = case.payload.as_ref().map(&mut *other);
            }
            ValueType::Variant(Arc::new(variant))
        }
        leaf => leaf.clone(),
    }
}

/// How a guest's types differ from the contract's, and where, in parts of 65,536.
#[derive(Debug, Clone)]
pub(super) struct Tweak {
    at: u16,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    /// A field or case fewer, or a parameter.
    Fewer,
    /// A field more that the contract does not know, or a case, or a parameter.
    More(ValueType),
    Optional,
    Required,
    Other(ValueType),
}

pub(super) fn tweaks() -> impl Strategy<Value = Tweak> + Clone {
    let leaf = prop::sample::select(vec![ValueType::Bool, ValueType::Text, ValueType::Count.optional()]);
    let change = prop_oneof![
        3 => Just(Change::Fewer),
        3 => leaf.clone().prop_map(|ty| Change::More(ty.optional())),
        1 => leaf.clone().prop_map(Change::More),
        2 => Just(Change::Optional),
        2 => Just(Change::Required),
        1 => leaf.prop_map(Change::Other),
    ];
    (any::<u16>(), change).prop_map(|(at, change)| Tweak { at, change })
}

impl Tweak {
    /// The signature with the change.
    pub(super) fn of_signature(&self, signature: &Signature) -> Signature {
        let mut tweaked = signature.clone();
        let mut count = 1;
        for ty in every_type(signature) {
            ty.walk(&mut |_| count += 1);
        }
        let Some(mut at) = (usize::from(self.at) * count / 65_536).checked_sub(1) else {
            match &self.change {
                Change::Fewer => drop(tweaked.params.pop()),
                Change::More(ty) if tweaked.params.iter().all(|param| param.wit != "more") => {
                    tweaked.params.push(Field::new("more", ty.clone()));
                }
                _ => {}
            }
            return tweaked;
        };
        let mut ty = |ty: &ValueType| self.of(ty, &mut at);
        for field in &mut tweaked.params {
            field.ty = ty(&field.ty);
        }
        tweaked.ok = tweaked.ok.as_ref().map(&mut ty);
        tweaked.err = tweaked.err.as_ref().map(&mut ty);
        tweaked
    }

    /// The type with the change at the place that `at` counts down to.
    fn of(&self, ty: &ValueType, at: &mut usize) -> ValueType {
        let here = *at == 0;
        *at = at.wrapping_sub(1);
        if !here {
            return inside(ty, &mut |ty| self.of(ty, at));
        }
        match (&self.change, ty) {
            (Change::Fewer, ValueType::Record(record)) if record.fields.len() > 1 => {
                let mut record = (**record).clone();
                record.fields.remove(0);
                ValueType::Record(Arc::new(record))
            }
            (Change::More(more), ValueType::Record(record))
                if record.fields.iter().all(|field| field.wit != "more") =>
            {
                let mut record = (**record).clone();
                record.fields.push(Field::new("more", more.clone()));
                ValueType::Record(Arc::new(record))
            }
            (Change::Fewer, ValueType::Variant(variant)) if variant.cases.len() > 1 => {
                let mut variant = (**variant).clone();
                variant.cases.remove(0);
                ValueType::Variant(Arc::new(variant))
            }
            (Change::More(more), ValueType::Variant(variant))
                if variant.cases.iter().all(|case| case.wit != "more") =>
            {
                let mut variant = (**variant).clone();
                variant.cases.push(Case {
                    name: "More".into(),
                    wit: "more".into(),
                    payload: Some(more.clone()),
                });
                ValueType::Variant(Arc::new(variant))
            }
            (Change::Optional, ty) => ty.clone().optional(),
            (Change::Required, ValueType::Option(inner)) => (**inner).clone(),
            (Change::Other(other), _) => other.clone(),
            (_, ty) => ty.clone(),
        }
    }
}

fn every_type(signature: &Signature) -> impl Iterator<Item = &ValueType> {
    signature.params.iter().map(|field| &field.ty).chain(&signature.ok).chain(&signature.err)
}

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| crate::engine::build(crate::engine::Code::Compiles).unwrap().0);

/// The function as a component has it. Importing it costs no code to compile.
pub(super) fn function(signature: &Signature) -> ComponentFunc {
    let mut text = Text::default();
    let mut params = String::new();
    for field in &signature.params {
        let ty = text.name(&field.ty);
        let _ = write!(params, "(param \"{}\" {ty})", field.wit);
    }
    let ok = signature.ok.as_ref().map(|ty| text.name(ty)).unwrap_or_default();
    let err = signature.err.as_ref().map(|ty| format!("(error {})", text.name(ty))).unwrap_or_default();
    let text = format!(
        "(component (import \"test:fuzz/any\" (instance {}
            (export \"run\" (func {params} (result (result {ok} {err})))))))",
        text.types
    );
    let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let component = Component::new(&ENGINE, bytes).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    let ty = component.component_type();
    let Some((_, import)) = ty.imports(&ENGINE).next() else { panic!("it imports an interface") };
    let ComponentItem::ComponentInstance(instance) = import.ty else { panic!("it imports an instance") };
    match instance.get_export(&ENGINE, "run").map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(function)) => function,
        _ => panic!("it imports a function"),
    }
}

/// Types in WebAssembly's text format. Records and variants need names.
#[derive(Default)]
struct Text {
    types: String,
    named: usize,
}

impl Text {
    fn name(&mut self, ty: &ValueType) -> String {
        match ty {
            ValueType::Bool => "bool".into(),
            ValueType::Int => "s64".into(),
            ValueType::StatusCode => "u16".into(),
            ValueType::Count => "u32".into(),
            ValueType::Float => "f64".into(),
            ValueType::Text | ValueType::Named(_) | ValueType::Json => "string".into(),
            ValueType::Bytes => "(list u8)".into(),
            ValueType::List(item) => format!("(list {})", self.name(item)),
            ValueType::Map(item) => format!("(list (tuple string {}))", self.name(item)),
            ValueType::Option(inner) => format!("(option {})", self.name(inner)),
            ValueType::Record(record) => {
                let fields = record.fields.iter();
                let fields: String = fields
                    .map(|field| format!("(field \"{}\" {})", field.wit, self.name(&field.ty)))
                    .collect();
                self.define(&format!("(record {fields})"))
            }
            ValueType::Variant(variant) => {
                let mut cases = String::new();
                for case in &variant.cases {
                    let payload = case.payload.as_ref().map(|ty| self.name(ty)).unwrap_or_default();
                    let _ = write!(cases, "(case \"{}\" {payload})", case.wit);
                }
                self.define(&format!("(variant {cases})"))
            }
        }
    }

    fn define(&mut self, ty: &str) -> String {
        let at = self.named;
        self.named += 1;
        let _ = writeln!(self.types, "(type $own{at} {ty}) (export \"t{at}\" (type $t{at} (eq $own{at})))");
        format!("$t{at}")
    }
}
