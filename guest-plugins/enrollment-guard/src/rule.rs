//! Who may enroll.

use std::fmt;

use serde_json::{Map, Value};

/// The setting that lists the enrollment modes that are open.
pub const MODES: &str = "modes";
/// The setting that lists the e-mail domains that may enroll.
pub const EMAIL_DOMAINS: &str = "email_domains";

/// Who may enroll. `None` allows all.
#[derive(Debug, PartialEq)]
pub struct Rule {
    /// The enrollment modes that are open.
    pub modes: Option<List>,
    /// The domains that a user's e-mail address may have.
    pub email_domains: Option<List>,
}

impl Rule {
    /// Read and check settings, a JSON object. The error is a text for the operator.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let settings: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        let mut rule = Self { modes: None, email_domains: None };
        for (key, value) in settings {
            let list = match key.as_str() {
                MODES => &mut rule.modes,
                EMAIL_DOMAINS => &mut rule.email_domains,
                _ => {
                    return Err(format!("unknown setting {key}; there are {MODES} and {EMAIL_DOMAINS}"));
                }
            };
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            *list = Some(List::parse(&key, &text)?);
        }
        Ok(rule)
    }

    /// Whether a user with this address may enroll in this mode. The error is a text for the user.
    pub fn check(&self, mode: &str, email: &str) -> Result<(), String> {
        if let Some(modes) = &self.modes
            && !modes.0.iter().any(|open| open == mode)
        {
            return Err(format!("Enrollment in mode {mode} is not open; open modes: {modes}."));
        }
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        if let Some(domains) = &self.email_domains
            && !domains.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain))
        {
            return Err(format!("Enrollment is not open to this e-mail address; open domains: {domains}."));
        }
        Ok(())
    }
}

/// The entries of one setting: at least one, none of them empty.
#[derive(Debug, PartialEq)]
pub struct List(Vec<String>);

impl List {
    /// Read a setting's text: a JSON array of strings, or entries separated by commas.
    pub fn parse(key: &str, text: &str) -> Result<Self, String> {
        let invalid = || format!("{key}: expected a list of strings, or one string with commas, not {text}");
        let entries: Vec<String> = match serde_json::from_str(text) {
            Ok(Value::Array(_)) => serde_json::from_str(text).map_err(|_| invalid())?,
            // What is left of JSON is a number, a boolean, an object or null; no list is written like that.
            Ok(_) => return Err(invalid()),
            Err(_) if text.trim_start().starts_with('[') => return Err(invalid()),
            Err(_) => text.split(',').map(str::to_owned).collect(),
        };
        let entries: Vec<String> = entries.iter().map(|entry| entry.trim().to_owned()).collect();
        if entries.iter().any(String::is_empty) || entries.is_empty() {
            return Err(format!("{key}: an entry is empty, or there is none; leave {key} out to allow all"));
        }
        Ok(Self(entries))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Rule {
        Rule::from_json(json).unwrap()
    }

    #[test]
    fn without_settings_everyone_enrolls() {
        let rule = rule("{}");
        assert_eq!(rule.check("audit", "ada@example.com"), Ok(()));
        assert_eq!(rule.check("", ""), Ok(()));
    }

    #[test]
    fn a_mode_that_is_not_listed_is_refused_with_those_that_are() {
        for settings in
            [r#"{"modes": "verified, professional"}"#, r#"{"modes": ["verified", "professional"]}"#]
        {
            let rule = rule(settings);
            assert_eq!(rule.check("verified", ""), Ok(()));
            assert_eq!(
                rule.check("audit", "").unwrap_err(),
                "Enrollment in mode audit is not open; open modes: verified, professional."
            );
            assert!(rule.check("Verified", "").is_err(), "modes are exact");
        }
    }

    #[test]
    fn a_domain_is_compared_whole_and_without_case() {
        let rule = rule(r#"{"email_domains": ["Example.edu", "uni.test"]}"#);
        assert_eq!(rule.check("audit", "ada@EXAMPLE.EDU"), Ok(()));
        assert_eq!(rule.check("audit", "\"a@b\"@uni.test"), Ok(()));
        for email in ["ada@sub.example.edu", "ada@notexample.edu", "ada@uni.test@evil.test", "uni.test", ""] {
            assert_eq!(
                rule.check("audit", email).unwrap_err(),
                "Enrollment is not open to this e-mail address; open domains: Example.edu, uni.test.",
                "{email}"
            );
        }
    }

    #[test]
    fn a_setting_reads_the_same_from_the_store_and_at_configuration() {
        assert_eq!(List::parse(MODES, r#"["audit","honor"]"#), List::parse(MODES, " audit ,honor"));
        let from_json = rule(r#"{"modes": ["audit", "honor"]}"#);
        assert_eq!(from_json.modes, List::parse(MODES, "audit,honor").ok());
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (json, named) in [
            (r#"{"mode": "audit"}"#, "unknown setting mode;"),
            (r#"{"modes": 5}"#, "modes: expected"),
            (r#"{"modes": null}"#, "modes: expected"),
            (r#"{"modes": ["audit", 5]}"#, "modes: expected"),
            (r#"{"modes": "[audit"}"#, "modes: expected"),
            (r#"{"modes": ""}"#, "modes: an entry is empty"),
            (r#"{"modes": []}"#, "modes: an entry is empty"),
            (r#"{"email_domains": "a.test,,b.test"}"#, "email_domains: an entry is empty"),
            ("[]", "settings: "),
        ] {
            let error = Rule::from_json(json).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}
