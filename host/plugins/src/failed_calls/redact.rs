//! Taking personal data and secrets out of a kept call, by the names of fields.

use serde_json::{Map, Value};

use super::file::CallFile;

/// The fields that are redacted unless the configuration says otherwise. `*` stands for any letters. Case, dashes and
/// underscores make no difference.
pub const DEFAULT_REDACTION: &[&str] = &[
    "*password*",
    "*passwd*",
    "*secret*",
    "*token*",
    "*api_key*",
    "*private_key*",
    "*credential*",
    "*authorization*",
    "*cookie*",
    "*csrf*",
    "*session*",
    "*signature*",
    "*email*",
    "username",
    "*_username",
    "name",
    "first_name",
    "last_name",
    "full_name",
    "profile_name",
    "*phone*",
    "*address",
    "ip",
    "year_of_birth",
    "date_of_birth",
    "gender",
    "bio",
];

/// What stands in the place of a text that was taken out.
const PLACEHOLDER: &str = "redacted";
/// Texts that were taken out and are looked for in what the guest asked and said.
const TAKEN: usize = 200;
/// Letters that such a text has at least: a shorter one would be found everywhere.
const TAKEN_LETTERS: usize = 4;
/// Documents within texts of documents.
const DEPTH: usize = 3;

/// The names of the fields that are redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    name: String,
    any_before: bool,
    any_after: bool,
}

impl Default for Redaction {
    fn default() -> Self {
        Self(DEFAULT_REDACTION.iter().filter_map(|name| Pattern::parse(name)).collect())
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (any_before, rest) = text.strip_prefix('*').map_or((false, text), |rest| (true, rest));
        let (any_after, rest) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        let name = plain(rest);
        (!name.is_empty() && !name.contains('*')).then_some(Self { name, any_before, any_after })
    }

    fn fits(&self, plain: &str) -> bool {
        match (self.any_before, self.any_after) {
            (true, true) => plain.contains(&self.name),
            (true, false) => plain.ends_with(&self.name),
            (false, true) => plain.starts_with(&self.name),
            (false, false) => plain == self.name,
        }
    }
}

/// A field's name without what makes no difference.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| !matches!(letter, '_' | '-')).flat_map(char::to_lowercase).collect()
}

impl Redaction {
    /// The default names and these.
    ///
    /// # Errors
    /// A name that is none, with what one looks like.
    pub fn with(more: &[String]) -> Result<Self, String> {
        let mut all = Self::default();
        for text in more {
            let pattern = Pattern::parse(text).ok_or_else(|| {
                format!("{text:?} is no field's name: write one such as grade, with * before or after it for any letters")
            })?;
            all.0.push(pattern);
        }
        Ok(all)
    }

    fn hits(&self, name: &str) -> bool {
        let plain = plain(name);
        self.0.iter().any(|pattern| pattern.fits(&plain))
    }

    /// Takes out of a file what the names hit.
    pub(super) fn apply(&self, file: &mut CallFile) {
        let mut work = Work { names: self, taken: Vec::new(), count: 0 };
        work.object(&mut file.settings, 0);
        work.object(&mut file.arguments, 0);
        if let Some(step) = &mut file.filter {
            work.object(&mut step.extra_config, 0);
        }
        for call in &mut file.record.host_calls {
            work.rows(&call.asked, &mut call.answer);
            work.value(&mut call.asked, 0);
            work.value(&mut call.answer, 0);
        }
        work.value(&mut file.outcome.report, 0);
        // The guest's questions and last words are made of what it was given.
        work.forget(&mut file.outcome.message);
        work.forget_in(&mut file.outcome.report);
        for call in &mut file.record.host_calls {
            work.forget_in(&mut call.asked);
        }
        file.redacted = work.count;
    }
}

struct Work<'a> {
    names: &'a Redaction,
    /// Texts that were taken out.
    taken: Vec<String>,
    count: u64,
}

impl Work<'_> {
    fn object(&mut self, object: &mut Map<String, Value>, depth: usize) {
        for (name, value) in object {
            if self.names.hits(name) {
                self.take(value);
            } else {
                self.value(value, depth);
            }
        }
    }

    fn value(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::Object(object) => self.object(object, depth),
            Value::Array(items) => {
                // A header or another pair of a name and its value.
                if let [Value::String(name), second] = &mut items[..]
                    && self.names.hits(name)
                {
                    return self.take(second);
                }
                items.iter_mut().for_each(|item| self.value(item, depth));
            }
            Value::String(text) => self.text(text, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A document within a text, or an address with a query.
    fn text(&mut self, text: &mut String, depth: usize) {
        if depth < DEPTH && text.trim_start().starts_with(['{', '[']) {
            if let Ok(mut document) = serde_json::from_str::<Value>(text) {
                let before = self.count;
                self.value(&mut document, depth + 1);
                // A document of which nothing is taken stays as it is written.
                if self.count > before {
                    *text = document.to_string();
                }
            }
            return;
        }
        if let Some((address, query)) = text.split_once('?')
            && address.starts_with("http")
        {
            let before = self.count;
            let parts: Vec<String> = query.split('&').map(|part| self.query_part(part)).collect();
            if self.count > before {
                *text = format!("{address}?{}", parts.join("&"));
            }
        }
    }

    fn query_part(&mut self, part: &str) -> String {
        match part.split_once('=') {
            Some((name, value)) if self.names.hits(name) && !value.is_empty() => {
                self.keep_in_mind(value);
                format!("{name}={PLACEHOLDER}")
            }
            _ => part.to_owned(),
        }
    }

    /// Values of a key-value bucket, by their keys.
    fn rows(&mut self, asked: &Value, answer: &mut Value) {
        let keys = asked.get("keys").and_then(Value::as_array);
        let values = answer.get_mut("ok").and_then(Value::as_array_mut);
        let (Some(keys), Some(values)) = (keys, values) else { return };
        for (key, value) in keys.iter().zip(values) {
            if key.as_str().is_some_and(|key| self.names.hits(key)) {
                self.take(value);
            }
        }
    }

    /// Takes a value out, and leaves one of its type.
    fn take(&mut self, value: &mut Value) {
        match value {
            Value::Null => {}
            Value::Bool(kept) => {
                self.count += 1;
                *kept = false;
            }
            Value::Number(_) => {
                self.count += 1;
                // A float's field takes 0 too.
                *value = Value::from(0);
            }
            Value::String(text) => {
                if !text.is_empty() {
                    let text = std::mem::replace(text, PLACEHOLDER.to_owned());
                    self.keep_in_mind(&text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.take(item)),
            Value::Object(object) => object.values_mut().for_each(|field| self.take(field)),
        }
    }

    fn keep_in_mind(&mut self, text: &str) {
        self.count += 1;
        let long = text.chars().nth(TAKEN_LETTERS - 1).is_some();
        if long && self.taken.len() < TAKEN && !self.taken.iter().any(|taken| taken == text) {
            self.taken.push(text.to_owned());
        }
    }

    fn forget_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.forget(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.forget_in(item)),
            Value::Object(object) => object.values_mut().for_each(|field| self.forget_in(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Replaces what was taken out elsewhere, where it stands as a word of its own.
    fn forget(&self, text: &mut String) {
        for taken in &self.taken {
            if text.contains(taken.as_str()) {
                *text = without(text, taken);
            }
        }
    }
}

fn without(text: &str, word: &str) -> String {
    let joined = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        out.push_str(before);
        let within = joined(out.chars().next_back()) || joined(after.chars().next());
        out.push_str(if within { word } else { PLACEHOLDER });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hookbox_sandbox::HostCall;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::file::tests::file;
    use super::*;

    fn redacted(arguments: &Value) -> Value {
        let mut file = file();
        file.arguments = arguments.as_object().cloned().unwrap();
        Redaction::default().apply(&mut file);
        Value::Object(file.arguments)
    }

    #[test]
    fn fields_are_known_by_their_names_wherever_they_are() {
        let given = json!({
            "user": {"id": 7, "username": "alice", "Email": "alice@example.com", "is_active": true},
            "course_key": "course-v1:edX+DemoX+Demo",
            "course_name": "Demo",
            "nested": [{"API-Key": "k"}, {"clientSecret": {"a": [1, "x", null, true]}}],
            "headers": [["X-Auth-Token", "abc"], ["Accept", "text/html"]],
            "document": "{\"password\": \"p\", \"kept\": 1}",
            "link": "https://a.example/x?token=abc&page=2",
            "empty": {"name": "", "phone": null},
        });
        let expected = json!({
            "user": {"id": 7, "username": "redacted", "Email": "redacted", "is_active": true},
            "course_key": "course-v1:edX+DemoX+Demo",
            "course_name": "Demo",
            "nested": [{"API-Key": "redacted"}, {"clientSecret": {"a": [0, "redacted", null, false]}}],
            "headers": [["X-Auth-Token", "redacted"], ["Accept", "text/html"]],
            "document": "{\"password\":\"redacted\",\"kept\":1}",
            "link": "https://a.example/x?token=redacted&page=2",
            "empty": {"name": "", "phone": null},
        });
        assert_eq!(redacted(&given), expected);
    }

    #[test]
    fn what_was_taken_is_not_told_by_questions_and_last_words() {
        let mut file = file();
        file.arguments = json!({"username": "alice", "n": 1}).as_object().cloned().unwrap();
        file.settings = json!({"api_key": "sw0rdfish"}).as_object().cloned().unwrap();
        file.outcome.message = "no such user alice; malice is kept".into();
        file.outcome.report = json!({"message": "alice", "backtrace": ["run"]});
        file.record.host_calls = vec![
            HostCall {
                call: "key-value.get".into(),
                asked: json!({"bucket": "", "keys": ["seen:alice", "refresh_token"]}),
                answer: json!({"ok": ["3", "t0ps3cret"]}),
            },
            HostCall {
                call: "http".into(),
                asked: json!({"method": "GET", "url": "https://a.example/alice?key=sw0rdfish"}),
                answer: json!({"ok": {"status": 200, "headers": [["set-cookie", "s=1"]], "body": "{\"email\":\"e\"}"}}),
            },
        ];
        Redaction::default().apply(&mut file);
        let text = serde_json::to_string(&file).unwrap();
        for gone in ["t0ps3cret", "sw0rdfish", "s=1", "\\\"e\\\""] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert_eq!(file.outcome.message, "no such user redacted; malice is kept");
        assert_eq!(file.record.host_calls[0].asked["keys"][0], "seen:redacted");
        assert_eq!(file.record.host_calls[1].asked["url"], "https://a.example/redacted?key=redacted");
        assert_eq!(file.redacted, 5);
    }

    #[test]
    fn an_operator_names_more_fields() {
        let names = Redaction::with(&["grade".into(), "*_score".into(), "org*".into()]).unwrap();
        for (name, hit) in [
            ("grade", true),
            ("grades", false),
            ("final-score", true),
            ("orgName", true),
            ("morg", false),
            ("password", true),
        ] {
            assert_eq!(names.hits(name), hit, "{name}");
        }
        for none in ["", "*", "**", "a*b", "_"] {
            assert!(Redaction::with(&[none.to_owned()]).is_err(), "{none}");
        }
    }

    fn json_of_any_shape() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z{\\[\"?=&]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let name = prop_oneof!["[a-z_]{1,8}", Just("password".to_owned()), Just("email".to_owned())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Whether two values have one shape: the same types in the same places.
    fn same_shape(one: &Value, other: &Value) -> bool {
        match (one, other) {
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((n, a), (m, b))| n == m && same_shape(a, b))
            }
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    proptest! {
        #[test]
        fn a_value_keeps_its_shape_and_nothing_is_taken_twice(value in json_of_any_shape()) {
            let given = json!({"value": value});
            let once = redacted(&given);
            prop_assert!(same_shape(&given, &once), "{given} {once}");
            prop_assert_eq!(redacted(&once), once);
        }
    }
}
