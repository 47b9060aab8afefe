use std::collections::{BTreeSet, HashSet};

use hookbox_opaque_keys::{ContentLibraryKey, CourseKey, Kind, LearningContextKey, VersionGuid};

fn course_key(text: &str) -> CourseKey {
    text.parse().unwrap()
}

#[test]
fn the_two_styles_of_the_same_course_are_two_keys() {
    let (new, old) = (course_key("course-v1:org+c+r"), course_key("org/c/r"));
    assert_ne!(new, old);
    assert_eq!(HashSet::from([new.clone(), old.clone()]).len(), 2);
    assert_eq!((new.org(), new.course(), new.run()), (old.org(), old.course(), old.run()));
    assert_eq!((new.deprecated(), old.deprecated()), (false, true));
    assert_eq!((new.kind().namespace(), old.kind().namespace()), (Some("course-v1"), None));
}

#[test]
fn an_alias_and_a_forgotten_block_make_the_same_key() {
    let key = course_key("course-v1:a+b+c");
    assert_eq!(course_key("slashes:a+b+c"), key);
    assert_eq!(course_key("course-v1:a+b+c+type@problem+block@x"), key);
    assert_eq!(CourseKey::new("a", "b", "c").unwrap(), key);
}

#[test]
fn case_and_composition_of_letters_tell_keys_apart() {
    assert_ne!(course_key("course-v1:A+b+c"), course_key("course-v1:a+b+c"));
    assert_ne!(course_key("course-v1:\u{fb01}+b+c"), course_key("course-v1:fi+b+c"));
    assert_ne!(course_key("ccx-v1:a+b+c+ccx@1"), course_key("ccx-v1:a+b+c+ccx@01"));
}

#[test]
fn what_is_not_printed_still_counts_when_keys_are_compared() {
    let whole = course_key("course-v1:a+b+version@519665f6223ebd6980884f2b");
    let printed = course_key(&whole.to_string());
    assert_eq!(printed.to_string(), whole.to_string());
    assert_ne!(printed, whole);
}

#[test]
fn without_branch_and_version_the_course_is_left() {
    let key = course_key("ccx-v1:a+b+c+branch@draft+version@519665f6223ebd6980884f2b+ccx@7");
    assert_eq!(key.without_branch_and_version(), Some(course_key("ccx-v1:a+b+c+ccx@7")));
    assert_eq!(course_key("a/b/").without_branch_and_version(), Some(course_key("a/b/")));
    for nothing_left in
        ["course-v1:version@519665f6223ebd6980884f2b", "course-v1:a+b+version@519665f6223ebd6980884f2b"]
    {
        assert_eq!(course_key(nothing_left).without_branch_and_version(), None, "{nothing_left}");
    }
}

#[test]
fn parts_cannot_smuggle_in_other_parts() {
    for (org, course, run) in [("a", "b", "c+branch@x"), ("a+b", "c", "d"), ("", "b", "c"), ("a", "b", "c\n")]
    {
        assert!(CourseKey::new(org, course, run).is_err(), "{org} {course} {run}");
    }
    assert!(ContentLibraryKey::new("org:slug", "x").is_err());
    assert_eq!(ContentLibraryKey::new("org", "slug").unwrap().to_string(), "lib:org:slug");
}

#[test]
fn a_content_library_is_a_learning_context_and_no_course_key() {
    let key: LearningContextKey = "lib:org:slug".parse().unwrap();
    assert_eq!(key.as_course_key(), None);
    assert!(!key.is_course());
    assert_eq!(key, "lib:org:slug".parse::<ContentLibraryKey>().unwrap().into());
    let course: LearningContextKey = course_key("course-v1:a+b+c").into();
    assert!(course.is_course());
    assert_eq!(course.as_course_key().map(CourseKey::kind), Some(Kind::Course));
}

#[test]
fn keys_have_an_order() {
    let keys = ["library-v1:a+b", "course-v1:b+b+c", "a/b/c", "course-v1:a+b+c"].map(course_key);
    let sorted: Vec<String> = BTreeSet::from(keys).iter().map(ToString::to_string).collect();
    assert_eq!(sorted, ["course-v1:a+b+c", "course-v1:b+b+c", "a/b/c", "library-v1:a+b"]);
}

#[test]
fn a_version_is_twelve_bytes_in_hexadecimal() {
    let version: VersionGuid = "519665F6223EBD6980884F2B".parse().unwrap();
    assert_eq!(version.to_string(), "519665f6223ebd6980884f2b");
    assert_eq!(VersionGuid::from(*version.as_bytes()), version);
    for wrong in [
        "",
        "519665f6223ebd6980884f2",
        "519665f6223ebd6980884f2b0",
        "519665f6223ebd6980884f2g",
        "é19665f6223ebd6980884f2",
    ] {
        assert_eq!(wrong.parse::<VersionGuid>().unwrap_err().code(), "key-bad-version", "{wrong}");
    }
}
