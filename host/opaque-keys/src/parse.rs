//! The grammar: `OpaqueKey.from_string`, and the `URL_RE` of `BlockLocatorBase` and `CCXLocator`.
//!
//! Upstream matches a pattern with lazy and optional groups. It needs no backtracking to be answered: no part may hold
//! a `+`, and of the parts only those with a keyword hold an `@`, so the text splits in one way only.

use crate::python::{is_digit, is_word};
use crate::{ContentLibraryKey, CourseKey, Kind, LearningContextKey, Part, Problem, VersionGuid};

/// The namespace of content libraries, the only one here that course keys don't have.
pub(crate) const CONTENT_LIBRARY: &str = "lib";

pub(crate) fn context_key(text: &str) -> Result<LearningContextKey, Problem> {
    match text.split_once(':') {
        Some((CONTENT_LIBRARY, rest)) => content_library(rest).map(LearningContextKey::ContentLibrary),
        _ => course_key(text).map(LearningContextKey::Course),
    }
}

/// Upstream tries the old style for whatever is wrong in the new one. As no part of an old-style key may hold a `:`,
/// that can only succeed for a text without a namespace.
pub(crate) fn course_key(text: &str) -> Result<CourseKey, Problem> {
    let Some((namespace, rest)) = text.split_once(':') else {
        return old_style(text);
    };
    match namespace {
        "course-v1" | "slashes" => new_style(Kind::Course, rest),
        "library-v1" => new_style(Kind::Library, rest),
        "ccx-v1" => new_style(Kind::Ccx, rest),
        CONTENT_LIBRARY => Err(Problem::NotACourseKey),
        _ => Err(Problem::UnknownNamespace),
    }
}

pub(crate) fn course_run(org: &str, course: &str, run: &str) -> Result<CourseKey, Problem> {
    Ok(CourseKey {
        org: Some(checked(Part::Org, org, is_id)?),
        course: Some(checked(Part::Course, course, is_id)?),
        run: Some(checked(Part::Run, run, is_id)?),
        ..CourseKey::empty(Kind::Course)
    })
}

/// `CourseLocator._from_deprecated_string`.
fn old_style(text: &str) -> Result<CourseKey, Problem> {
    if !text.contains('/') {
        return Err(Problem::NoNamespace);
    }
    let mut parts = text.split('/');
    let (Some(org), Some(course), Some(run), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Problem::OldStyleShape);
    };
    Ok(CourseKey {
        org: Some(checked(Part::Org, org, is_old_style)?),
        course: Some(checked(Part::Course, course, is_old_style)?),
        run: Some(if run.is_empty() { String::new() } else { checked(Part::Run, run, is_old_style)? }),
        ..CourseKey::empty(Kind::OldStyleCourse)
    })
}

/// What follows the namespace of a `course-v1`, `library-v1` or `ccx-v1` key.
fn new_style(kind: Kind, text: &str) -> Result<CourseKey, Problem> {
    if text.is_empty() {
        return Err(Problem::Incomplete);
    }
    let mut key = CourseKey::empty(kind);
    let mut plain = [Part::Org, Part::Course, Part::Run].iter();
    let mut keywords = keywords(kind).iter();
    let mut any_keyword = false;
    for segment in text.split('+') {
        if segment.is_empty() {
            return Err(Problem::EmptyPart);
        }
        if let Some((keyword, value)) = segment.split_once('@') {
            any_keyword = true;
            // What is passed over here is gone: that keeps the parts in order and each to one.
            let part =
                keywords.find(|part| is_keyword(kind, **part, keyword)).ok_or(Problem::MisplacedPart)?;
            set(&mut key, *part, value)?;
        } else {
            let part = plain.next().filter(|_| !any_keyword).ok_or(Problem::MisplacedPart)?;
            set(&mut key, *part, segment)?;
        }
    }
    finished(key)
}

fn keywords(kind: Kind) -> &'static [Part] {
    match kind {
        Kind::Ccx => &[Part::Branch, Part::Version, Part::Ccx, Part::BlockType, Part::Block],
        Kind::Course | Kind::OldStyleCourse | Kind::Library => {
            &[Part::Branch, Part::Version, Part::BlockType, Part::Block]
        }
    }
}

/// `CCXLocator.URL_RE` ignores case, the others don't.
fn is_keyword(kind: Kind, part: Part, text: &str) -> bool {
    if kind == Kind::Ccx { text.chars().map(folded).eq(part.word().chars()) } else { text == part.word() }
}

/// The letter as Python's `re` compares it when it ignores case. Among the keywords' letters, three have a match
/// outside ASCII.
fn folded(letter: char) -> char {
    match letter {
        'İ' | 'ı' => 'i',
        'ſ' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    }
}

fn set(key: &mut CourseKey, part: Part, text: &str) -> Result<(), Problem> {
    match part {
        Part::Org => key.org = Some(checked(part, text, is_id)?),
        Part::Course => key.course = Some(checked(part, text, is_id)?),
        Part::Run => key.run = Some(checked(part, text, is_id)?),
        Part::Branch => key.branch = Some(checked(part, text, is_id)?),
        Part::Version => key.version = Some(version(key.kind, text)?),
        Part::Ccx => key.ccx = Some(checked(part, text, is_digit)?),
        // What points at a block within the course is checked and then forgotten.
        Part::Block if key.kind != Kind::Ccx => drop(checked(part, text, |c| is_id(c) || c == '%')?),
        Part::Block | Part::BlockType | Part::Slug => drop(checked(part, text, is_id)?),
    }
    Ok(())
}

fn version(kind: Kind, text: &str) -> Result<VersionGuid, Problem> {
    let misspelt = kind != Kind::Ccx && text.bytes().any(|byte| byte.is_ascii_uppercase());
    VersionGuid::from_hex(text).filter(|_| !misspelt).ok_or(Problem::BadVersion)
}

/// What the constructors of `CourseLocator`, `LibraryLocator` and `CCXLocator` demand of the parts together.
fn finished(mut key: CourseKey) -> Result<CourseKey, Problem> {
    if key.kind == Kind::Library {
        key.run = None;
    }
    if key.org.is_some() && key.course.is_none() {
        return Err(Problem::Incomplete);
    }
    if key.version.is_none() && !key.names_something() {
        return Err(Problem::Incomplete);
    }
    if key.kind == Kind::Ccx && key.ccx.is_none() {
        return Err(Problem::NoCcx);
    }
    Ok(key)
}

/// `LibraryLocatorV2._from_string`.
pub(crate) fn content_library(text: &str) -> Result<ContentLibraryKey, Problem> {
    match text.split_once(':') {
        Some((org, slug)) if !slug.contains(':') => content_library_parts(org, slug),
        _ => Err(Problem::ContentLibraryShape),
    }
}

pub(crate) fn content_library_parts(org: &str, slug: &str) -> Result<ContentLibraryKey, Problem> {
    // `$` also matches before a newline that ends the text.
    let before_newline = |text: &str, part, allowed: fn(char) -> bool| {
        checked(part, text.strip_suffix('\n').unwrap_or(text), allowed).map(|_| text.to_owned())
    };
    Ok(ContentLibraryKey {
        org: before_newline(org, Part::Org, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))?,
        slug: before_newline(slug, Part::Slug, |c| is_word(c) || matches!(c, '-' | '.'))?,
    })
}

fn checked(part: Part, text: &str, allowed: impl Fn(char) -> bool) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::EmptyPart);
    }
    match text.chars().find(|&character| !allowed(character)) {
        Some(character) => Err(Problem::BadCharacter { part, character }),
        None => Ok(text.to_owned()),
    }
}

/// `Locator.ALLOWED_ID_CHARS`.
fn is_id(character: char) -> bool {
    is_word(character) || matches!(character, '-' | '~' | '.' | ':')
}

/// What `CourseLocator.INVALID_CHARS_DEPRECATED` leaves.
fn is_old_style(character: char) -> bool {
    is_word(character) || matches!(character, '-' | '.' | '%')
}
