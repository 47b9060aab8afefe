//! The kit of hostile components: the texts of `tests/evil/`, each with the outcome that a host must give it.
//!
//! A text's first lines say what it does, how it must end, and its world:
//!
//! ```text
//! ;; Loops for ever in the call.
//! ;; outcome: fails time
//! ;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
//! ```
//!
//! [`attacks`] reads them all; `cargo run -p hookbox-hostile -- FOLDER` writes them as `.wasm` files with a `kit.json` that
//! names each file's outcome, so that other hosts can be tried with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use serde::Serialize;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// How an attack must end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "when", content = "code", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is refused before anything of it runs, for this problem.
    Refused(String),
    /// It fails with this code when an instance is made and its settings are checked, before it takes calls.
    Canary(String),
    /// A call fails with this code.
    Fails(String),
    /// A call is answered: what it tried has no effect.
    Answers,
}

impl FromStr for Outcome {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text.split_once(' ') {
            Some(("refused", code)) => Self::Refused(code.to_owned()),
            Some(("canary", code)) => Self::Canary(code.to_owned()),
            Some(("fails", code)) => Self::Fails(code.to_owned()),
            None if text == "answers" => Self::Answers,
            _ => bail!("outcome {text:?}: write `refused CODE`, `canary CODE`, `fails CODE` or `answers`"),
        })
    }
}

/// One hostile component.
#[derive(Debug, Clone, Serialize)]
pub struct Attack {
    /// Its file's name without the ending.
    pub name: String,
    /// What it does, in a sentence.
    pub sentence: String,
    /// How it must end.
    pub outcome: Outcome,
    /// The interfaces it imports and exports, as items of a world: `export openedx:filters/…;`.
    pub world: Vec<String>,
    /// The grants it needs, as an operator writes them.
    pub grants: Vec<String>,
    /// Its text.
    #[serde(skip)]
    pub text: String,
}

impl Attack {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)?;
        let mut lines = text.lines().map_while(|line| line.strip_prefix(";; "));
        let sentence = lines.next().context("the first line says what it does")?.to_owned();
        let (mut outcome, mut world, mut grants) = (None, Vec::new(), Vec::new());
        for line in lines {
            match line.split_once(' ') {
                Some(("outcome:", how)) => outcome = Some(how.parse()?),
                Some(("grants:", these)) => grants.extend(these.split(' ').map(str::to_owned)),
                Some(("import" | "export", _)) => world.push(line.to_owned()),
                _ => bail!("line {line:?} is none of `outcome:`, `grants:`, `import` and `export`"),
            }
        }
        let name = path.file_stem().and_then(|name| name.to_str()).context("its name is no text")?;
        let outcome = outcome.context("no line says its outcome")?;
        Ok(Self { name: name.to_owned(), sentence, outcome, world, grants, text })
    }

    /// The component.
    ///
    /// # Errors
    /// The text is no WebAssembly, or does not fit its world.
    pub fn component(&self) -> anyhow::Result<Vec<u8>> {
        component(&self.text)
    }
}

/// The component of a text whose first lines `;; import …;` and `;; export …;` are its world. What every plugin may import
/// needs no line.
///
/// # Errors
/// The text is no WebAssembly, or does not fit its world.
pub fn component(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut binary = wat::parse_str(text)?;
    // A component's version field is not a module's.
    if binary.get(4..8) != Some([1, 0, 0, 0].as_slice()) {
        return Ok(binary);
    }
    let lines = text.lines().map_while(|line| line.strip_prefix(";; "));
    let items: String =
        lines.filter(|line| line.starts_with("import ") || line.starts_with("export ")).collect();
    let world = format!("package test:guest; world guest {{ include hookbox:plugin/plugin@1.0.0; {items} }}");
    let mut resolve = packages()?;
    let package = resolve.push_str("world.wit", &world)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut binary, &resolve, world, StringEncoding::UTF8)?;
    // What no validator lets through is the host's to find.
    ComponentEncoder::default().validate(false).module(&binary)?.encode()
}

/// The component of the text with this name in `tests/evil/`, or among the other guests of the sandbox's tests.
///
/// # Errors
/// There is no such text, or [`component`] makes nothing of it.
pub fn written(name: &str) -> anyhow::Result<Vec<u8>> {
    let folders = ["tests/evil", "host/sandbox/tests/guests"];
    let paths = folders.map(|folder| root().join(folder).join(name).with_extension("wat"));
    let path = paths.iter().find(|path| path.exists()).with_context(|| format!("there is no {name}"))?;
    component(&fs::read_to_string(path)?).with_context(|| path.display().to_string())
}

/// All attacks, by name.
///
/// # Errors
/// A file that says less than it must.
pub fn attacks() -> anyhow::Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    for entry in fs::read_dir(root().join("tests/evil"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wat") {
            attacks.push(Attack::read(&path).with_context(|| path.display().to_string())?);
        }
    }
    attacks.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(attacks)
}

/// The folders of `wit/` with a package each, in an order that has each after those it uses.
pub const WIT_FOLDERS: [&str; 9] = [
    "deps/wasi-io",
    "deps/wasi-clocks",
    "deps/wasi-config",
    "deps/wasi-http",
    "deps/wasi-keyvalue",
    "deps/wasi-logging",
    "hookbox",
    "openedx-filters",
    "openedx-events",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The contract's packages, and the parts of WASI that attacks use: what links by structure needs no more.
///
/// # Errors
/// A folder of `wit/` that cannot be read.
pub fn packages() -> anyhow::Result<Resolve> {
    let mut resolve = Resolve::default();
    for folder in WIT_FOLDERS {
        resolve.push_dir(root().join("wit").join(folder))?;
    }
    resolve.push_str("wasi.wit", include_str!("wasi.wit"))?;
    Ok(resolve)
}
