use hookbox_opaque_keys::{ContentLibraryKey, CourseKey, InvalidKey, LearningContextKey, Part, Problem};

fn course_error(text: &str) -> InvalidKey {
    text.parse::<CourseKey>().unwrap_err()
}

#[test]
fn each_mistake_has_its_code() {
    for (text, code) in [
        ("", "key-no-namespace"),
        ("a+b+c", "key-no-namespace"),
        ("block-v1:a+b+c+type@t+block@b", "key-unknown-namespace"),
        ("COURSE-V1:a+b+c", "key-unknown-namespace"),
        ("lib:org:slug", "key-not-a-course-key"),
        ("a/b", "key-old-style-shape"),
        ("a//c", "key-empty-part"),
        ("a/b/c d", "key-bad-character"),
        ("course-v1:", "key-incomplete"),
        ("course-v1:a+b", "key-incomplete"),
        ("course-v1:a+b+c+", "key-empty-part"),
        ("course-v1:a+b+c+branch@", "key-empty-part"),
        ("course-v1:a b+c+d", "key-bad-character"),
        ("course-v1:a+b+c+d", "key-misplaced-part"),
        ("course-v1:a+b+c+ccx@1", "key-misplaced-part"),
        ("course-v1:a+b+c+version@519665F6223EBD6980884F2B", "key-bad-version"),
        ("library-v1:a", "key-incomplete"),
        ("ccx-v1:a+b+c", "key-no-ccx"),
    ] {
        assert_eq!(course_error(text).code(), code, "{text:?}");
    }
    for text in ["lib:org", "lib:org:slug:x"] {
        let error = text.parse::<LearningContextKey>().unwrap_err();
        assert_eq!(error.code(), "key-content-library-shape", "{text}");
    }
    assert_eq!("a/b/c".parse::<ContentLibraryKey>().unwrap_err().code(), "key-not-a-content-library");
}

#[test]
fn the_first_wrong_character_is_named_with_its_part() {
    let error = course_error("course-v1:a+b c+d'e");
    assert_eq!(error.problem(), Problem::BadCharacter { part: Part::Course, character: ' ' });
    assert_eq!(
        error.to_string(),
        "\"course-v1:a+b c+d'e\" is not a valid key: ' ' is not allowed in its course \
         (a `+` in a URL's query is written %2B)"
    );
}

#[test]
fn neither_a_long_nor_a_hostile_text_is_repeated_as_it_is() {
    let error = course_error(&format!("course-v1:{}", "\u{10ffff}".repeat(100_000))).to_string();
    assert!(error.len() < 1_000, "{} bytes", error.len());
    let error = course_error("course-v1:a+b+c\n2026-01-01 forged \u{1b}[31m line").to_string();
    assert!(error.chars().all(|character| !character.is_control()), "{error:?}");
}
