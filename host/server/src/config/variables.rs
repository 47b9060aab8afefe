//! Environment variables as a layer of the configuration. `Env` of figment finds them; their values are read here, because
//! its own reader panics or loses letters where a backslash comes after a letter outside ASCII, and nests without a bound.

use figment::providers::Env;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::{ConfigError, depth};

/// Lists and tables inside each other. More is taken as text.
const DEEPEST: usize = 32;

/// Lays the variables over what is there.
///
/// # Errors
/// A name of too many parts.
pub(super) fn over(mut layers: Figment, variables: &Env) -> Result<Figment, ConfigError> {
    for (name, text) in variables.iter() {
        depth::of_variable(name.as_str())?;
        layers = layers.merge(Variable { name: name.to_string(), text, metadata: variables.metadata() });
    }
    Ok(layers)
}

/// One variable: its key with dots, its text.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) metadata: Metadata,
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.name, read(&self.text)).into_dict();
        Ok(Profile::Default.collect(nested.unwrap_or_default()))
    }
}

/// A number, `true`, `false`, a text in quotes, a list in brackets, a table in braces; anything else is a text.
fn read(text: &str) -> Value {
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > DEEPEST {
        return Value::from(text);
    }
    let safe = in_ascii(text);
    let Ok(value) = safe.parse::<Value>();
    // What cannot be read is given back as it was.
    if value.as_str() == Some(&safe) { Value::from(text) } else { value }
}

/// The same with the letters outside ASCII that are in quotes written as `\U000000fc`.
fn in_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // What a value may begin after.
    let (mut begins, mut quoted, mut escaped) = (true, false, false);
    for letter in text.chars() {
        if quoted && !letter.is_ascii() && !escaped {
            out.push_str(&format!("\\U{:08x}", u32::from(letter)));
            continue;
        }
        out.push(letter);
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted => quoted = false,
            '"' => quoted = begins,
            _ => {}
        }
        begins = matches!(letter, '[' | '{' | ',' | '=') || (begins && letter.is_ascii_whitespace());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_quotes_may_have_any_letters() {
        for (text, value) in [
            (r#""®\n""#, "®\n"),
            (r#""pässwörter\t🦀\\""#, "pässwörter\t🦀\\"),
            (r#"ü"®\n""#, r#"ü"®\n""#),
            (r"pä\ss", r"pä\ss"),
            (r#""ü\q""#, r#""ü\q""#),
            (r#""ü\ü""#, r#""ü\ü""#),
            (r#""ü"#, r#""ü"#),
        ] {
            assert_eq!(read(text), Value::from(value), "{text}");
        }
    }

    #[test]
    fn numbers_lists_and_tables_are_what_they_look_like() {
        assert_eq!(read("5"), Value::from(5_usize));
        assert_eq!(read("true"), Value::from(true));
        assert_eq!(read("\"5\""), Value::from("5"));
        assert_eq!(read(r#"[ü, "ö\n"]"#), Value::from(vec!["ü", "ö\n"]));
        let table = read(r#"{a = "ä\\", b = [1]}"#);
        assert_eq!(table.find_ref("a").and_then(Value::as_str), Some("ä\\"));
    }

    #[test]
    fn a_tower_of_brackets_is_a_text() {
        let tower = "[".repeat(100_000);
        assert_eq!(read(&tower), Value::from(tower));
    }
}
