//! Printing: JSON for programs, lines for people.

use std::io::{ErrorKind, Read, Write};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

/// Prints one JSON document.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    text(&serde_json::to_string_pretty(value)?)
}

/// Prints text and a newline. A reader that has seen enough (`| head`) is no error.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Reads a JSON argument: the document itself, `@FILE`, or `-` for standard input.
pub(crate) fn json_argument(name: &str, given: &str) -> anyhow::Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("{name} {file}"))?,
        None if given == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .with_context(|| format!("{name} from standard input"))?;
            text
        }
        None => given.to_owned(),
    };
    serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"))
}
