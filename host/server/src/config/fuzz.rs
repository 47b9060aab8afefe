//! Whatever stands in the file and in the variables, it is a configuration, or a mistake that can be shown. No mistake
//! repeats a secret.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use figment::Metadata;
use hookbox_fuzz::{fuzz, mutate, mutations, saved};
use hookbox_sandbox::Grant;
use proptest::collection::vec;
use proptest::prelude::*;

use super::variables::Variable;
use super::*;

/// What no mistake may repeat. Every document of the corpus has it where secrets stand. It cannot be mistaken for a key.
const SECRET: &str = "(hunter2 of the platform)";

/// Keys whose mistakes repeat a value of theirs, cut: it has the right type, and a typing error is seen best.
const REPEATED: &[&str] = &["on_failure", "isolation", "rate_limit", "cors.origins", "grant \""];

/// What has a meaning in a configuration.
const WORDS: &[&str] = &[
    "[server]\n",
    "[auth]\n",
    "[plugins.x]\n",
    "[plugins.x.limits]\n",
    "[[filters]]\n",
    "secret = ",
    "jwks = ",
    "quarantine = ",
    "true",
    "\"\"",
    "\"\"\"",
    "'",
    "{}",
    "[",
    "]",
    "=",
    ".",
    "\n",
    "#",
    "-1",
    "nan",
    "1e400",
    "18446744073709551616",
    "9999999999999999999999d",
    "\"16EiB\"",
    "\"0s\"",
    "\u{1b}[2J",
    "\\u0000",
    "\u{202e}",
    "\r",
];
/// Variables without their prefix.
const VARIABLES: &[&str] = &[
    "AUTH",
    "AUTH__SECRET",
    "AUTH__SECRET__X",
    "AUTH__JWKS",
    "AUTH__CLAIMS",
    "SERVER",
    "SERVER__LISTEN",
    "SERVER__EVENTS_IN_FLIGHT",
    "DATABASE__MAX_SIZE",
    "ARCHIVE__RATE_LIMIT",
    "CORS__ORIGINS",
    "PLUGINS",
    "PLUGINS__SAMPLES",
    "PLUGINS__X__LIMITS__TIME",
    "PLUGINS__X__QUARANTINE",
    "FILTERS",
    "NONE__SUCH",
];
const VALUES: &[&str] = &[
    SECRET,
    "\"(hunter2 of the platform)\"",
    "{\"d\": \"(hunter2 of the platform)\"}",
    "[(hunter2 of the platform)]",
    "{secret=(hunter2 of the platform)}",
    "",
    "1",
    "true",
    "1e999",
    "[[[[[[[[[[[[[[[[[",
    "{a={a={a=[1,2,{a=",
    "\"",
    "127.0.0.1:1",
    "60/minute",
];

/// A file's text and variables.
#[derive(Debug, Clone)]
struct Given {
    file: String,
    variables: Vec<(String, String)>,
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests-data/configuration"))
}

fn files() -> Vec<String> {
    saved(folder(), ".toml").into_iter().map(|saved| String::from_utf8(saved.bytes).unwrap()).collect()
}

fn anything_given() -> impl Strategy<Value = Given> {
    let lines: Vec<String> =
        files().iter().flat_map(|file| file.lines()).map(|line| format!("{line}\n")).collect();
    let file = prop_oneof![
        4 => (prop::sample::select(files()), mutations(WORDS))
            .prop_map(|(file, changes)| String::from_utf8_lossy(&mutate(file.as_bytes(), &changes)).into_owned()),
        4 => (vec(prop::sample::select(lines), 0..12), mutations(WORDS))
            .prop_map(|(lines, changes)| String::from_utf8_lossy(&mutate(lines.concat().as_bytes(), &changes)).into_owned()),
        1 => any::<String>(),
        1 => Just(String::new()),
    ];
    let value = prop_oneof![
        4 => prop::sample::select(VALUES).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[\\[\\]{}=,a1\".]{0,16}",
    ];
    let name = prop_oneof![
        6 => prop::sample::select(VARIABLES).prop_map(str::to_owned),
        1 => "[A-Z_]{1,12}",
    ];
    (file, vec((name, value), 0..3)).prop_map(|(file, variables)| Given { file, variables })
}

fn layers(given: &Given) -> Result<Figment, ConfigError> {
    depth::of_file(&given.file)?;
    let mut figment = Figment::new().merge(Toml::string(&given.file));
    // As `Env` gives them: the process's own cannot be set while other tests run.
    for (name, text) in &given.variables {
        let name = name.to_ascii_lowercase().replace("__", ".");
        if !name.split('.').any(str::is_empty) {
            let metadata = Metadata::named("`HOOKBOX_` environment variable(s)");
            depth::of_variable(&name)?;
            figment = figment.merge(Variable { name, text: text.clone(), metadata });
        }
    }
    Ok(figment)
}

fn is_read_or_explained(given: &Given) {
    match layers(given).and_then(|layers| Config::read(&layers)) {
        Err(ConfigError(mistakes)) => {
            assert!(!mistakes.is_empty());
            mistakes.iter().for_each(|mistake| can_be_shown(mistake));
        }
        Ok(config) => {
            for table in config.plugins.plugins.values() {
                let mistakes = [
                    table.grants().err(),
                    table.limits.limits().err(),
                    table.isolation().err(),
                    table.quarantine.rule().err(),
                    table.delivery.rule().err(),
                ];
                mistakes.iter().flatten().for_each(|mistake| can_be_shown(mistake));
            }
        }
    }
}

#[track_caller]
fn can_be_shown(mistake: &str) {
    let risky =
        |letter: char| (letter.is_control() && letter != '\n') || ('\u{202a}'..='\u{202e}').contains(&letter);
    assert!(!mistake.trim().is_empty() && !mistake.contains(risky), "{mistake:?}");
    assert!(mistake.len() <= 8_192, "{} bytes", mistake.len());
    let repeats = REPEATED.iter().any(|key| mistake.contains(key));
    assert!(repeats || !mistake.contains(SECRET), "{mistake}");
}

#[test]
fn what_is_given_is_read_or_explained() {
    fuzz("configuration", &anything_given(), |given| is_read_or_explained(&given));
}

#[test]
fn what_was_found_before_stays_mended() {
    for file in files() {
        is_read_or_explained(&Given { file, variables: Vec::new() });
    }
}

#[test]
fn towers_are_read_or_explained() {
    for high in [400, 20_000] {
        towers(high);
    }
}

fn towers(high: usize) {
    for file in [
        format!("{}a = {{ {}a = 1 }}", "a.".repeat(high), "a.".repeat(high)),
        format!("[{}a]\n{}a = {{ {}a = 1 }}", "a.".repeat(high), "a.".repeat(high), "a.".repeat(high)),
        format!("server = {}", "[".repeat(high)),
        format!("server = {}", "{a = ".repeat(high)),
        format!("{}a = 1", "a.".repeat(high)),
        format!("[{}a]", "a.".repeat(high)),
        format!("[plugins.x.settings.{}a]", "a.".repeat(high)),
    ] {
        is_read_or_explained(&Given { file, variables: Vec::new() });
    }
    for (name, text) in [
        ("SERVER".to_owned(), "[".repeat(high)),
        (format!("PLUGINS__X__SETTINGS{}", "__A".repeat(high)), "1".to_owned()),
    ] {
        is_read_or_explained(&Given { file: String::new(), variables: vec![(name, text)] });
    }
}

#[test]
fn a_grant_is_read_and_written_the_same_or_explained() {
    let words = prop::sample::select(vec![
        "archive:read",
        "archive:write",
        "keyvalue",
        "clock:fine",
        "http:https://api.example.com",
        "http:http://[::1]:8080/",
        "http:https://127.0.0.1:443",
        "http:https://a_b.c-d.example.:1",
    ]);
    let signs: &[&str] =
        &["http:", "https://", "[", "]", ":", ".", "/", "@", "*", "0x7f", "::ffff:", "%", "\u{1b}", "xn--"];
    let grants = prop_oneof![
        6 => (words, mutations(signs))
            .prop_map(|(word, changes)| String::from_utf8_lossy(&mutate(word.as_bytes(), &changes)).into_owned()),
        1 => any::<String>(),
        1 => any::<String>().prop_map(|host| format!("http:https://{host}")),
    ];
    fuzz("grants", &grants, |text| match text.parse::<Grant>() {
        Ok(grant) => {
            let written = grant.to_string();
            assert_eq!(written.parse(), Ok(grant), "{written}");
            can_be_shown(&written);
        }
        Err(error) => can_be_shown(&error.to_string()),
    });
}
