use hookbox_opaque_keys::{ContentLibraryKey, CourseKey, LearningContextKey};
use proptest::prelude::*;

const GUID: &str = "519665f6223ebd6980884f2b";

/// Pieces that keys are made of, and some that break them.
const PIECES: &[&str] = &[
    "course-v1:",
    "slashes:",
    "library-v1:",
    "ccx-v1:",
    "lib:",
    "+",
    "+",
    "+",
    "/",
    ":",
    "@",
    "a",
    "b",
    "Z9",
    "_",
    "-",
    "~",
    ".",
    "%",
    " ",
    "\n",
    "é",
    "½",
    "e\u{301}",
    "😀",
    "branch@",
    "version@",
    "ccx@",
    "type@",
    "block@",
    "CCX@",
    "blo\u{212a}",
    GUID,
    "1",
    "１",
];

const SPACES: &[char] = &[' ', '\n', '\r', '\t', '\0', '\u{b}', '\u{85}', '\u{a0}', '\u{2028}', '\u{feff}'];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
}

fn id() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_~.:é学½-]{1,12}"
}

fn optional(keyword: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::option::of(value)
        .prop_map(move |value| value.map_or_else(String::new, |value| format!("+{keyword}@{value}")))
}

fn branch_and_version() -> impl Strategy<Value = String> {
    (optional("branch", id()), optional("version", "[0-9a-f]{24}"))
        .prop_map(|(branch, version)| branch + &version)
}

/// Keys in canonical form, of every kind of course key.
fn canonical() -> impl Strategy<Value = String> {
    let course =
        (id(), id(), id(), branch_and_version()).prop_map(|(o, c, r, rest)| format!("{o}+{c}+{r}{rest}"));
    prop_oneof![
        course.prop_map(|course| format!("course-v1:{course}")),
        (id(), id(), id(), branch_and_version(), "[0-9１٣]{1,5}")
            .prop_map(|(o, c, r, rest, ccx)| format!("ccx-v1:{o}+{c}+{r}{rest}+ccx@{ccx}")),
        (id(), id(), branch_and_version()).prop_map(|(o, l, rest)| format!("library-v1:{o}+{l}{rest}")),
        "[a-z0-9_.%é-]{1,8}/[a-z0-9_.%é-]{1,8}/[a-z0-9_.%é-]{0,8}",
        "[0-9a-f]{24}".prop_map(|version| format!("course-v1:version@{version}")),
    ]
}

fn prints_stably(text: &str) -> Result<(), TestCaseError> {
    if let Ok(key) = text.parse::<CourseKey>() {
        let printed = key.to_string();
        let again: CourseKey = printed.parse().expect("what is printed can be read");
        prop_assert_eq!(again.to_string(), printed);
        prop_assert_eq!(again.kind(), key.kind());
        prop_assert_eq!(LearningContextKey::from(key), text.parse::<LearningContextKey>().unwrap());
    } else if let Ok(key) = text.parse::<LearningContextKey>() {
        prop_assert_eq!(key.to_string(), text);
        prop_assert_eq!(key, text.parse::<ContentLibraryKey>().unwrap().into());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_and_prints_stably(text in any::<String>()) {
        prints_stably(&text)?;
    }

    #[test]
    fn any_mixture_of_pieces_is_read_or_refused_and_prints_stably(text in soup()) {
        prints_stably(&text)?;
    }

    #[test]
    fn a_canonical_key_is_printed_as_it_was_read(text in canonical()) {
        let key: CourseKey = text.parse().unwrap();
        prop_assert_eq!(key.to_string(), text.as_str());
        prop_assert_eq!(key.to_string().parse::<CourseKey>().unwrap(), key);
    }

    #[test]
    fn without_branch_and_version_nothing_else_is_lost(text in canonical()) {
        let key: CourseKey = text.parse().unwrap();
        match key.clone().without_branch_and_version() {
            Some(bare) => {
                prop_assert_eq!((bare.branch(), bare.version_guid()), (None, None));
                prop_assert_eq!((bare.org(), bare.course(), bare.run()), (key.org(), key.course(), key.run()));
                prop_assert_eq!((bare.kind(), bare.ccx()), (key.kind(), key.ccx()));
                prop_assert_eq!(bare.clone().without_branch_and_version(), Some(bare));
            }
            None => prop_assert_eq!(key.org(), None),
        }
    }

    #[test]
    fn a_space_or_newline_anywhere_spoils_a_course_key(
        text in canonical(),
        at in any::<prop::sample::Index>(),
        space in prop::sample::select(SPACES),
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        characters.insert(at.index(characters.len() + 1), space);
        let spoilt: String = characters.into_iter().collect();
        prop_assert!(spoilt.parse::<CourseKey>().is_err(), "{:?}", spoilt);
        prop_assert!(spoilt.parse::<LearningContextKey>().is_err(), "{:?}", spoilt);
    }

    #[test]
    fn a_content_library_may_end_each_part_in_one_newline_and_in_no_other_space(
        org in "[a-zA-Z0-9_.-]{1,8}",
        slug in "[a-zA-Z0-9_.é学½-]{1,8}",
        ends in prop::array::uniform2(prop::sample::select(vec!["", "\n", "\n\n", "\r\n", " ", "\t", "\u{2028}"])),
    ) {
        let text = format!("lib:{org}{}:{slug}{}", ends[0], ends[1]);
        let allowed = ends.iter().all(|end| matches!(*end, "" | "\n"));
        prop_assert_eq!(text.parse::<LearningContextKey>().is_ok(), allowed, "{:?}", text);
        prop_assert_eq!(text.parse::<ContentLibraryKey>().map(|key| key.to_string()).ok(), allowed.then_some(text));
    }
}

#[test]
fn a_hostile_text_of_a_megabyte_does_not_take_quadratic_time() {
    for piece in ["+", "a+", "a", "branch@", "block@a+", ":", "/", "１", "ccx@1+"] {
        for namespace in ["course-v1:", "ccx-v1:", "library-v1:", "lib:", ""] {
            let text = format!("{namespace}{}", piece.repeat(1 << 18));
            let accepted = text.parse::<LearningContextKey>().is_ok();
            assert!(!accepted, "{namespace}{piece}…");
        }
    }
}
