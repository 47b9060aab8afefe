//! What Python makes of JSON values, where a token's meaning depends on it.

use serde_json::Value;

/// The longest text of digits that Python reads as a number.
const DIGITS: usize = 4_300;

/// Python's `int()` of a JSON value, as a float: numbers are cut at the point, texts of digits are read, booleans
/// are 0 and 1. Digits of other scripts are not taken.
pub(super) fn int(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Number(number) => number.as_f64().map(f64::trunc),
        Value::String(text) => {
            let text = text.trim();
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            // One underscore may stand between two digits.
            let grouped = digits
                .split('_')
                .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
            (grouped && digits.len() <= DIGITS).then(|| text.replace('_', "").parse().ok()).flatten()
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What Python takes for true.
pub(super) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}
