//! What the operator sets.

use serde_json::{Map, Value};

use crate::signature::{self, Secret};
use crate::target::Target;

/// Where to post what, and how it is signed.
#[derive(Debug, PartialEq)]
pub struct Settings {
    /// Where to post.
    pub target: Target,
    /// What to sign with; at least one.
    pub secrets: Vec<Secret>,
    /// Which events to post; `None`: all that come.
    pub types: Option<Types>,
}

impl Settings {
    /// Read and check settings, a JSON object. The error is a text for the operator.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let settings: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        Self::from_texts(settings.into_iter().map(|(key, value)| match value {
            Value::String(text) => (key, text),
            other => (key, other.to_string()),
        }))
    }

    /// The same from settings as the host gives them: a string as it is, any other value as JSON.
    pub fn from_texts(texts: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let (mut target, mut secrets, mut types) = (None, Vec::new(), None);
        for (key, text) in texts {
            match key.as_str() {
                "url" => target = Some(Target::parse(&text)?),
                "secret" => {
                    for text in list("secret", &text)? {
                        secrets.push(Secret::parse(&text).map_err(|error| format!("secret: {error}"))?);
                    }
                }
                "types" => types = Some(Types::new(list("types", &text)?)?),
                _ => return Err(format!("unknown setting {key}; there are url, secret and types")),
            }
        }
        let Some(target) = target else {
            return Err("url: say where to post, such as \"https://hooks.example.com/openedx\"".to_owned());
        };
        if secrets.is_empty() {
            return Err(format!("secret: there is none; {}", signature::expected()));
        }
        Ok(Self { target, secrets, types })
    }

    /// Whether events of this type are posted.
    pub fn chooses(&self, event_type: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.match_one(event_type))
    }
}

/// Types of events: whole ones, and beginnings with a star after them.
#[derive(Debug, PartialEq)]
pub struct Types(Vec<String>);

impl Types {
    fn new(entries: Vec<String>) -> Result<Self, String> {
        if entries.is_empty() {
            return Err("types: there is none; leave types out to post all".to_owned());
        }
        for entry in &entries {
            let beginning = entry.strip_suffix('*').unwrap_or(entry);
            if entry.is_empty() || beginning.contains('*') {
                return Err(format!(
                    "types: {entry:?} is no type of an event; a star may stand at its end, as in \"org.openedx.learning.*\""
                ));
            }
        }
        Ok(Self(entries))
    }

    fn match_one(&self, event_type: &str) -> bool {
        self.0.iter().any(|entry| match entry.strip_suffix('*') {
            Some(beginning) => event_type.starts_with(beginning),
            None => event_type == entry,
        })
    }
}

/// Reads a JSON array of strings, or entries separated by commas. The error does not repeat the text.
fn list(key: &str, text: &str) -> Result<Vec<String>, String> {
    let invalid = || format!("{key}: expected a list of strings, or one string with commas");
    let entries: Vec<String> = match serde_json::from_str(text) {
        Ok(Value::Array(_)) => serde_json::from_str(text).map_err(|_| invalid())?,
        // What is left of JSON is a number, a boolean, an object or null; no list is written like that.
        Ok(_) => return Err(invalid()),
        Err(_) if text.trim_start().starts_with('[') => return Err(invalid()),
        Err(_) => text.split(',').map(str::to_owned).collect(),
    };
    Ok(entries.iter().map(|entry| entry.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const URL: &str = "https://hooks.example.com/openedx";
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn settings(types: &Value) -> Settings {
        Settings::from_json(&json!({"url": URL, "secret": SECRET, "types": types}).to_string()).unwrap()
    }

    #[test]
    fn without_types_all_events_are_chosen() {
        let settings = Settings::from_json(&json!({"url": URL, "secret": SECRET}).to_string()).unwrap();
        assert!(settings.chooses("org.openedx.learning.badge.awarded.v1") && settings.chooses(""));
    }

    #[test]
    fn types_are_whole_or_begin_alike() {
        let both = [
            settings(&json!(["org.openedx.learning.badge.*", "org.openedx.learning.auth.v1"])),
            settings(&json!("org.openedx.learning.badge.*, org.openedx.learning.auth.v1")),
        ];
        for settings in both {
            assert!(settings.chooses("org.openedx.learning.badge.awarded.v1"));
            assert!(settings.chooses("org.openedx.learning.auth.v1"));
            for other in
                ["org.openedx.learning.auth.v12", "org.openedx.learning", "org.openedx.learning.course.v1"]
            {
                assert!(!settings.chooses(other), "{other}");
            }
        }
        assert!(settings(&json!("*")).chooses("anything"));
    }

    #[test]
    fn several_secrets_sign() {
        let both = json!({"url": URL, "secret": [SECRET, OLD]}).to_string();
        assert_eq!(Settings::from_json(&both).unwrap().secrets.len(), 2);
    }

    #[test]
    fn settings_read_the_same_from_the_store_and_at_configuration() {
        let json = json!({"url": URL, "secret": [SECRET, OLD], "types": ["a.*", "b"]});
        let texts =
            [("secret", json["secret"].to_string()), ("types", "a.*,b".to_owned()), ("url", URL.to_owned())];
        let texts = texts.map(|(key, text)| (key.to_owned(), text));
        assert_eq!(Settings::from_json(&json.to_string()), Settings::from_texts(texts));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (json, named) in [
            (json!({}), "url: say where"),
            (json!({"url": URL}), "secret: there is none; a secret is whsec_"),
            (json!({"secret": SECRET}), "url: say where"),
            (json!({"url": 5, "secret": SECRET}), "url: it has no scheme"),
            (json!({"url": URL, "secret": "hush"}), "secret: a secret is whsec_"),
            (json!({"url": URL, "secret": []}), "secret: there is none"),
            (json!({"url": URL, "secret": [SECRET, "hush"]}), "secret: a secret is whsec_"),
            (json!({"url": URL, "secret": {"hush": 1}}), "secret: expected a list"),
            (json!({"url": URL, "secret": SECRET, "types": []}), "types: there is none"),
            (json!({"url": URL, "secret": SECRET, "types": "a,,b"}), "types: \"\" is no type"),
            (json!({"url": URL, "secret": SECRET, "types": ["*.v1"]}), "types: \"*.v1\" is no type"),
            (json!({"url": URL, "secret": SECRET, "type": "a"}), "unknown setting type;"),
            (json!([]), "settings: "),
        ] {
            let error = Settings::from_json(&json.to_string()).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
            assert!(!error.contains("hush") && !error.contains("MfKQ"), "{error}");
        }
    }
}
