//! What upstream answered, case by case: `course_keys.json` and `more_keys.json` hold inputs with the results of
//! running `CourseKey.from_string` and `LearningContextKey.from_string` on them.

use hookbox_opaque_keys::{CourseKey, Kind, LearningContextKey};
use serde_json::{Value, json};

const FILES: [(&str, &str, usize); 2] = [
    ("course_keys.json", include_str!("../vectors/course_keys.json"), 101),
    ("more_keys.json", include_str!("../vectors/more_keys.json"), 110),
];

struct Case {
    input: String,
    course_key: Value,
    context_key: Value,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, text, count) in FILES {
        let file: Value = serde_json::from_str(text).unwrap();
        let list = file["cases"].as_array().unwrap();
        assert_eq!(list.len(), count, "{name}");
        for case in list {
            // One case is Python's None, which no &str is.
            let Some(input) = case["input"].as_str() else { continue };
            let course_key = case["course_key"].clone();
            let context_key = match &case["learning_context_key"] {
                Value::String(same) if same == "same" => course_key.clone(),
                other => other.clone(),
            };
            cases.push(Case { input: input.to_owned(), course_key, context_key });
        }
    }
    assert_eq!(cases.len(), 210);
    cases
}

fn of_course_key(key: &CourseKey) -> Value {
    let version = key.version_guid().map(|version| version.to_string());
    let mut fields = json!({"org": key.org(), "branch": key.branch(), "version_guid": version});
    if key.kind() == Kind::Library {
        fields["library"] = json!(key.course());
        assert_eq!(key.run(), None);
    } else {
        fields["course"] = json!(key.course());
        fields["run"] = json!(key.run());
    }
    if key.kind() == Kind::Ccx {
        fields["ccx"] = json!(key.ccx());
    } else {
        assert_eq!(key.ccx(), None);
    }
    json!({
        "ok": true,
        "class": key.class(),
        "canonical": key.to_string(),
        "deprecated": key.deprecated(),
        "fields": fields,
        "org": key.org(),
        "is_course": key.is_course(),
        "for_branch_none": key.clone().without_branch_and_version().map(|key| key.to_string()),
    })
}

fn of_context_key(key: &LearningContextKey) -> Value {
    let fields = match key {
        LearningContextKey::Course(key) => of_course_key(key)["fields"].clone(),
        LearningContextKey::ContentLibrary(key) => json!({"org": key.org(), "slug": key.slug()}),
        other => panic!("{other:?}"),
    };
    json!({
        "ok": true,
        "class": key.class(),
        "canonical": key.to_string(),
        "deprecated": key.deprecated(),
        "fields": fields,
        "org": key.org(),
        "is_course": key.is_course(),
        "for_branch_none": key.clone().without_branch_and_version().map(|key| key.to_string()),
    })
}

fn check(input: &str, ours: Option<Value>, theirs: &Value) {
    let Some(ours) = ours else {
        assert_eq!(theirs["ok"], json!(false), "{input:?} must be read: {theirs}");
        return;
    };
    for (field, value) in theirs.as_object().unwrap() {
        match field.as_str() {
            "roundtrip_same" => assert_eq!(json!(ours["canonical"] == *input), *value, "{input:?}"),
            _ => assert_eq!(ours[field], *value, "{field} of {input:?}"),
        }
    }
}

#[test]
fn every_course_key_is_read_as_upstream_reads_it() {
    for case in cases() {
        let ours = case.input.parse::<CourseKey>().ok().as_ref().map(of_course_key);
        check(&case.input, ours, &case.course_key);
    }
}

#[test]
fn every_learning_context_key_is_read_as_upstream_reads_it() {
    for case in cases() {
        let ours = case.input.parse::<LearningContextKey>().ok().as_ref().map(of_context_key);
        check(&case.input, ours, &case.context_key);
    }
}

#[test]
fn the_cases_have_every_class_and_both_verdicts() {
    let cases = cases();
    let count = |class: &str| cases.iter().filter(|case| case.context_key["class"] == *class).count();
    for class in ["CourseLocator", "LibraryLocator", "CCXLocator", "LibraryLocatorV2"] {
        assert!(count(class) >= 5, "{class}");
    }
    assert!(cases.iter().filter(|case| case.course_key["ok"] == json!(false)).count() > 100);
}
