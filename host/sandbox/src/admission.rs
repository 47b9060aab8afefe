//! Whether bytes may become a plugin, and what they would do. Nothing of the component runs here.

use hookbox_hooks::names;
use hookbox_hooks::types::Signature;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasm_metadata::Payload;
use wasmtime::Engine;
use wasmtime::component::types::{self, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use crate::capabilities::OFFERED;
use crate::digest::Digest;
use crate::engine::{
    CORE_INSTANCES_PER_COMPONENT, MEMORIES_PER_COMPONENT, TABLE_ELEMENTS, TABLES_PER_COMPONENT,
};
use crate::grants::{Capability, Grants};
use crate::limits::COMPONENT_BYTES;
use crate::plan::FunctionPlan;
use crate::problem::{Problem, ProblemCode};

/// What a component says and does, and what is wrong with it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub bytes: usize,
    /// Who it says it is.
    pub metadata: Metadata,
    /// The interfaces it exports, at most 256.
    pub exports: Vec<Export>,
    /// The interfaces it imports, at most 256.
    pub imports: Vec<String>,
    /// The grants that its imports need, as an operator writes them: `keyvalue`.
    pub grants: Vec<&'static str>,
    /// Why it is refused; empty when it is admitted. At most 100 are told.
    pub problems: Vec<Problem>,
}

/// Imports and exports that a report lists.
const LISTED: usize = 256;
/// Problems that a report tells.
const PROBLEMS: usize = 100;
/// Bytes of a name in a report.
const SHOWN_NAME_BYTES: usize = 256;

impl Report {
    /// Makes it fit to be shown: names are the component's own words, of any length and with any characters, and there
    /// may be any number of them.
    pub(crate) fn shown(mut self) -> Self {
        self.problems.truncate(PROBLEMS);
        self.imports.truncate(LISTED);
        self.exports.truncate(LISTED);
        self.problems.iter_mut().for_each(Problem::escape);
        for name in self.imports.iter_mut().chain(self.exports.iter_mut().map(|export| &mut export.interface))
        {
            *name = crate::log::escape(name, SHOWN_NAME_BYTES);
        }
        self
    }
}

/// The standard component metadata.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// The component's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// One sentence.
    pub description: Option<String>,
    /// Who wrote it.
    pub authors: Option<String>,
    /// An SPDX licence expression.
    pub licenses: Option<String>,
    /// Where its source is.
    pub source: Option<String>,
}

/// An exported interface.
#[derive(Debug, Clone, Serialize)]
pub struct Export {
    /// Its name with package and version.
    pub interface: String,
    /// What it is to the host.
    pub role: Role,
}

/// What an export is to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A hook of the contract, or its lifecycle.
    Hook,
    /// Something the host does not call.
    Unused,
    /// A hook that does not match the contract.
    Refused,
}

/// The functions of the contract, by interface.
#[derive(Debug, Clone)]
pub struct Contract {
    signatures: Vec<Arc<Signature>>,
}

impl Contract {
    /// A contract of these functions.
    pub fn new(signatures: impl IntoIterator<Item = Arc<Signature>>) -> Self {
        Self { signatures: signatures.into_iter().collect() }
    }

    fn find(&self, interface: &str) -> Option<&Arc<Signature>> {
        self.signatures.iter().find(|signature| unversioned(&signature.interface) == unversioned(interface))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| unversioned(&signature.interface))
    }
}

/// What a component is granted when it is admitted.
#[derive(Debug, Clone, Copy)]
pub enum Granting<'a> {
    /// These grants; an import that needs another is refused.
    These(&'a Grants),
    /// Whatever its imports need, but no origin for requests: for looking at a component, not for serving it.
    WhatItImports,
}

/// An admitted component's function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) plan: FunctionPlan,
    pub(crate) index: ComponentExportIndex,
}

/// An interface's name without its version.
pub(crate) fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

fn major(interface: &str) -> &str {
    interface.split_once('@').map_or("", |(_, version)| version.split('.').next().unwrap_or(version))
}

/// Looks at the bytes alone: size and kind. Whether they are sound is for [`vet`].
pub(crate) fn inspect(bytes: &[u8]) -> Report {
    let mut report = Report {
        digest: Digest::of(bytes),
        bytes: bytes.len(),
        metadata: Metadata::default(),
        exports: Vec::new(),
        imports: Vec::new(),
        grants: Vec::new(),
        problems: Vec::new(),
    };
    if let Err(problem) = kind(bytes) {
        report.problems.push(problem);
    }
    report
}

/// Parses all of a component, which costs what its author wants it to cost; gives who it says it is.
pub(crate) fn vet(bytes: &[u8]) -> Result<Metadata, String> {
    wasmparser::Validator::new().validate_all(bytes).map_err(|error| error.to_string())?;
    Payload::from_binary(bytes).map(|payload| metadata(&payload)).map_err(|error| format!("{error:#}"))
}

/// Who a component says it is that was vetted before.
pub(crate) fn metadata_of(bytes: &[u8]) -> Metadata {
    Payload::from_binary(bytes).map(|payload| metadata(&payload)).unwrap_or_default()
}

fn kind(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.len() > COMPONENT_BYTES {
        let help = "Strip debug information, or make the plugin smaller.";
        let most = format!("at most {COMPONENT_BYTES} bytes");
        return Err(Problem::new(ProblemCode::TooLarge, most, format!("{} bytes", bytes.len()), help));
    }
    if Engine::detect_precompiled(bytes).is_some() {
        let help = "Install the .wasm it was compiled from; the host compiles it itself.";
        let found = "native code compiled ahead of time (.cwasm)";
        return Err(Problem::new(ProblemCode::Precompiled, "a WebAssembly component", found, help));
    }
    if !bytes.starts_with(b"\0asm") {
        let found = match bytes {
            [] => "an empty file",
            [b'(', ..] => "text that may be WebAssembly's text format",
            _ => "bytes that are no WebAssembly",
        };
        let help = "Give the .wasm file that the plugin's build made.";
        return Err(Problem::new(ProblemCode::NotWasm, "a WebAssembly component", found, help));
    }
    if wasmparser::Parser::is_core_wasm(bytes) {
        let help = "Make a component of it: `wasm-tools component new`, `cargo component`, or a target such as \
                    wasm32-wasip2.";
        return Err(Problem::new(ProblemCode::CoreModule, "a WebAssembly component", "a core module", help));
    }
    Ok(())
}

/// Why the bytes are no component.
pub(crate) fn invalid(reason: &str) -> Problem {
    let help =
        "The file is damaged, cut short, or uses WebAssembly that this host does not run. Build it again.";
    let found = crate::log::escape(reason, 512);
    Problem::new(ProblemCode::Invalid, "a sound WebAssembly component", found, help)
}

/// Why the engine does not take a component whose bytes are sound.
pub(crate) fn not_compiled(reason: &str) -> Problem {
    let found = crate::log::escape(reason, 512);
    // The engine has no type for this; a test holds its words.
    if found.contains("in the pooling allocator") || found.contains("pooling allocator requirements") {
        let most = format!(
            "at most {CORE_INSTANCES_PER_COMPONENT} core instances, {MEMORIES_PER_COMPONENT} memories and \
             {TABLES_PER_COMPONENT} tables of {TABLE_ELEMENTS} elements"
        );
        let help = "Link the plugin's modules into fewer, or leave parts out.";
        return Problem::new(ProblemCode::TooComplex, most, found, help);
    }
    let help = "The engine refuses it. Build it without experimental WebAssembly features.";
    Problem::new(ProblemCode::Invalid, "a component to compile", found, help)
}

fn metadata(payload: &Payload) -> Metadata {
    let said = payload.metadata();
    let metadata = Metadata {
        name: said.name.clone(),
        version: said.version.as_ref().map(ToString::to_string),
        description: said.description.as_ref().map(ToString::to_string),
        authors: said.authors.as_ref().map(ToString::to_string),
        licenses: said.licenses.as_ref().map(ToString::to_string),
        source: said.source.as_ref().map(ToString::to_string),
    };
    metadata.escaped()
}

impl Metadata {
    /// The same with every text escaped and cut. Doing it twice changes nothing more.
    pub(crate) fn escaped(self) -> Self {
        let text = |value: Option<String>| value.map(|text| crate::log::escape(&text, 512));
        Self {
            name: text(self.name),
            version: text(self.version),
            description: text(self.description),
            authors: text(self.authors),
            licenses: text(self.licenses),
            source: text(self.source),
        }
    }
}

/// Imports that a component may have, and exports: the whole contract is a tenth of that. Each costs the host time and a
/// line of the report.
const INTERFACES: usize = 1_000;
/// Bytes of the name of one; the contract's longest has about a hundred.
const NAME_BYTES: usize = 200;

/// Refuses a component with more imports or exports, or longer names of them, than anybody would read.
pub(crate) fn count_interfaces(engine: &Engine, component: &Component) -> Result<(), Problem> {
    let ty = component.component_type();
    let (imports, exports) = (ty.imports(engine), ty.exports(engine));
    let counts = (imports.len(), exports.len());
    let longest = imports.chain(exports).map(|(name, _)| name.len()).max().unwrap_or_default();
    if counts.0 <= INTERFACES && counts.1 <= INTERFACES && longest <= NAME_BYTES {
        return Ok(());
    }
    let most =
        format!("at most {INTERFACES} imports and {INTERFACES} exports, with names of {NAME_BYTES} bytes");
    let found = format!("{} imports and {} exports, with names of {longest} bytes", counts.0, counts.1);
    let help = "Import and export interfaces instead of single functions.";
    Err(Problem::new(ProblemCode::TooComplex, most, found, help))
}

/// Matches exports and imports of a compiled component against the contract; gives the functions to call.
pub(crate) fn match_contract(
    engine: &Engine,
    component: &Component,
    contract: &Contract,
    report: &mut Report,
) -> Vec<Function> {
    let ty = component.component_type();
    for (name, item) in ty.imports(engine) {
        report.imports.push(name.to_owned());
        if let Some(capability) = Capability::of(unversioned(name)) {
            if !report.grants.contains(&capability.grant()) {
                report.grants.push(capability.grant());
            }
        } else if report.problems.len() < PROBLEMS
            && !OFFERED.contains(&unversioned(name))
            && !only_types(engine, &item.ty)
        {
            report.problems.push(unknown_import(name));
        }
    }
    let mut functions = Vec::new();
    for (name, item) in ty.exports(engine) {
        if report.problems.len() >= PROBLEMS {
            break;
        }
        let role = match export(engine, component, contract, name, &item.ty) {
            Ok(Some(function)) => {
                functions.push(function);
                Role::Hook
            }
            Ok(None) => Role::Unused,
            Err(problems) => {
                report.problems.extend(problems);
                Role::Refused
            }
        };
        report.exports.push(Export { interface: name.to_owned(), role });
    }
    let hooks = functions.iter().filter(|function| function.plan.signature.function != "configure").count();
    if hooks == 0 && report.problems.is_empty() {
        let help = "Export at least one interface of openedx:filters, openedx:events, hookbox:plugin/any-filter or \
                    hookbox:plugin/any-event. `hookbox hooks list` names them all.";
        report.problems.push(Problem::new(ProblemCode::NoHooks, "an exported hook", "none", help));
    }
    functions
}

/// Holds what the component imports against what it is granted; gives the grants to link.
pub(crate) fn match_grants(granting: &Granting<'_>, report: &mut Report) -> Grants {
    let grants = match granting {
        Granting::These(grants) => (*grants).clone(),
        Granting::WhatItImports => return Grants::wanted(&report.grants),
    };
    for import in &report.imports {
        let Some(capability) = Capability::of(unversioned(import)) else { continue };
        if !grants.allow(capability) {
            let help = format!(
                "If you trust the plugin with it, add {:?} to `grants` in the plugin's table.",
                capability.grant()
            );
            let expected = format!("the grant {}", capability.grant());
            let mut problem = Problem::new(ProblemCode::NotGranted, expected, "no such grant", help);
            problem.grant = Some(capability.grant());
            report.problems.push(problem.of(import));
        }
    }
    grants
}

/// An interface of types alone asks for nothing: it only gives names to what the exports use.
fn only_types(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
        }
        ComponentItem::Type(_) => true,
        _ => false,
    }
}

fn export(
    engine: &Engine,
    component: &Component,
    contract: &Contract,
    name: &str,
    item: &ComponentItem,
) -> Result<Option<Function>, Vec<Problem>> {
    let ComponentItem::ComponentInstance(instance) = item else {
        return Ok(None);
    };
    let Some(signature) = contract.find(name) else {
        let ours = ["openedx:", "hookbox:"].iter().any(|package| name.starts_with(package));
        // `hookbox:plugin/types` and the like hold no functions: a toolchain may export them beside a hook.
        let callable =
            instance.exports(engine).any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
        return if ours && callable { Err(vec![unknown_hook(name, contract)]) } else { Ok(None) };
    };
    if major(name) != major(&signature.interface) {
        let help = "Build the plugin against the WIT that `hookbox wit FOLDER` writes.";
        let problem = Problem::new(ProblemCode::HookVersion, &signature.interface, name, help);
        return Err(vec![problem.of(name)]);
    }
    let index = component
        .get_export_index(None, name)
        .and_then(|instance| component.get_export_index(Some(&instance), signature.function));
    match (function(engine, instance, signature.function), index) {
        (Some(found), Some(index)) => {
            Ok(Some(Function { plan: FunctionPlan::new(signature, &found)?, index }))
        }
        _ => {
            let help = "Build the plugin against the WIT that `hookbox wit FOLDER` writes.";
            let expected = format!("a function {}", signature.function);
            Err(vec![Problem::new(ProblemCode::MissingFunction, expected, "none", help).of(name)])
        }
    }
}

fn function(
    engine: &Engine,
    instance: &types::ComponentInstance,
    name: &str,
) -> Option<types::ComponentFunc> {
    match instance.get_export(engine, name)?.ty {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    }
}

fn unknown_hook(name: &str, contract: &Contract) -> Problem {
    let near = names::nearest(unversioned(name), contract.names());
    let help = match near {
        Some(near) => format!("Did you mean {near}? `hookbox hooks list` names them all."),
        None => "`hookbox hooks list` names all hooks; for one in no catalogue export hookbox:plugin/any-filter or \
                 hookbox:plugin/any-event."
            .to_owned(),
    };
    Problem::new(ProblemCode::UnknownHook, "an interface of the contract", "one it does not have", help)
        .of(name)
}

fn unknown_import(name: &str) -> Problem {
    let plain = unversioned(name);
    let help = match plain.split(['/', ':']).take(2).collect::<Vec<_>>().as_slice() {
        ["wasi", "sockets"] => {
            "Plugins get no sockets. Componentize Python with --stub-wasi, or leave networking out."
                .to_owned()
        }
        _ => match names::nearest(plain, OFFERED.iter().copied()) {
            Some(near) => format!("Did you mean {near}?"),
            None => format!("The host offers {}.", OFFERED.join(", ")),
        },
    };
    Problem::new(ProblemCode::UnknownImport, "an interface the host offers", "one it does not offer", help)
        .of(name)
}
