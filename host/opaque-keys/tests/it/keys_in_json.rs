#![cfg(feature = "serde")]

use std::collections::BTreeMap;

use hookbox_opaque_keys::{ContentLibraryKey, CourseKey, LearningContextKey, VersionGuid};
use serde_json::{from_value, json, to_value};

#[test]
fn a_key_is_a_string_in_json() {
    for text in ["course-v1:a+b+c", "a/b/c", "library-v1:a+b", "ccx-v1:a+b+c+ccx@1"] {
        let key: CourseKey = from_value(json!(text)).unwrap();
        assert_eq!(to_value(&key).unwrap(), json!(text));
        let key: LearningContextKey = from_value(json!(text)).unwrap();
        assert_eq!(to_value(&key).unwrap(), json!(text));
    }
    let library: ContentLibraryKey = from_value(json!("lib:org:slug")).unwrap();
    assert_eq!(to_value(&library).unwrap(), json!("lib:org:slug"));
    let version: VersionGuid = from_value(json!("519665f6223ebd6980884f2b")).unwrap();
    assert_eq!(to_value(version).unwrap(), json!("519665f6223ebd6980884f2b"));
}

#[test]
fn a_key_can_be_the_key_of_an_object() {
    let by_course: BTreeMap<CourseKey, u32> = from_value(json!({"course-v1:a+b+c": 1, "a/b/c": 2})).unwrap();
    assert_eq!(by_course[&"a/b/c".parse().unwrap()], 2);
    assert_eq!(to_value(by_course).unwrap(), json!({"course-v1:a+b+c": 1, "a/b/c": 2}));
}

#[test]
fn what_is_no_key_is_refused_with_its_reason() {
    let error = from_value::<CourseKey>(json!("course-v1:a+b")).unwrap_err().to_string();
    assert!(error.contains("it needs org, course and run"), "{error}");
    assert!(from_value::<CourseKey>(json!(7)).is_err());
    assert!(from_value::<CourseKey>(json!(null)).is_err());
    assert!(from_value::<CourseKey>(json!("lib:org:slug")).is_err());
}
