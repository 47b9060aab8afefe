//! Keys inside keys without a bound. The TOML reader bounds lists and tables inside each other, and overflows the stack
//! at a key of thousands of parts.

use super::ConfigError;

/// Parts of a key.
const PARTS: usize = 500;

/// Refuses a text in which a key has more parts than anybody means.
///
/// # Errors
/// The line.
pub(super) fn of_file(text: &str) -> Result<(), ConfigError> {
    let (mut dots, mut line) = (0_usize, 1_usize);
    for letter in text.chars() {
        match letter {
            '.' => dots += 1,
            '\n' => (dots, line) = (0, line + 1),
            // What ends a key, or the value before it.
            '=' | ',' | '{' | '}' | '[' | ']' => dots = 0,
            _ => {}
        }
        if dots >= PARTS {
            return Err(mistake(&format!("line {line}")));
        }
    }
    Ok(())
}

/// Refuses a variable whose key has more parts than anybody means.
///
/// # Errors
/// The variable's first letters.
pub(super) fn of_variable(key: &str) -> Result<(), ConfigError> {
    if key.split('.').count() <= PARTS {
        return Ok(());
    }
    let begins: String = key.chars().take(40).collect();
    Err(mistake(&format!("the `HOOKBOX_` variable that begins with {begins:?}")))
}

fn mistake(place: &str) -> ConfigError {
    ConfigError(vec![format!("{place}: a key has at most {PARTS} parts")])
}
