//! How Open edX's names become WIT's.

const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// What every hook type of the platform itself begins with.
const PREFIX: &str = "org.openedx.";

/// The interface a hook's type is known by: the type without `org.openedx.`, in kebab case.
///
/// ```
/// let name = hookbox_hooks::names::interface("org.openedx.learning.course_about.page.url.requested.v1");
/// assert_eq!(name, "learning-course-about-page-url-requested-v1");
/// ```
pub fn interface(hook_type: &str) -> String {
    hook_type.strip_prefix(PREFIX).unwrap_or(hook_type).replace(['.', '_'], "-")
}

/// The part of Open edX a hook's type belongs to: `learning`, `content-authoring`, …
pub fn domain(hook_type: &str) -> String {
    let rest = hook_type.strip_prefix(PREFIX).unwrap_or(hook_type);
    kebab(rest.split('.').next().unwrap_or(rest))
}

/// A Python snake-case name in kebab case.
pub fn kebab(snake: &str) -> String {
    snake.trim_matches('_').to_lowercase().replace('_', "-")
}

/// A Python class name in kebab case. `XBlock` counts as one word.
///
/// ```
/// use hookbox_hooks::names::class;
/// assert_eq!(class("DuplicatedXBlockData"), "duplicated-xblock-data");
/// assert_eq!(class("ORASubmissionData"), "ora-submission-data");
/// ```
pub fn class(name: &str) -> String {
    let letters: Vec<char> = name.replace("XBlock", "Xblock").chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let starts_word = at > 0
            && letter.is_uppercase()
            && (letters[at - 1].is_lowercase()
                || letters.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if starts_word {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The name as WIT source writes it: keywords take a `%`.
pub fn escaped(wit: &str) -> String {
    if KEYWORDS.contains(&wit) { format!("%{wit}") } else { wit.to_owned() }
}

/// The candidate nearest to `name`, when one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A likeness is at most what the lengths leave; a name of any length from outside costs no more than this.
    let letters = name.chars().count();
    let may_be = |candidate: &&str| {
        let others = candidate.chars().count();
        letters.min(others) * 10 >= letters.max(others) * 6
    };
    candidates
        .into_iter()
        .filter(may_be)
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_is_compared_only_with_what_it_may_be_like() {
        assert_eq!(nearest("abc", ["abcde", "abcdef"]), Some("abcde"));
        assert_eq!(nearest("abcde", ["abc"]), Some("abc"));
        // Compared with each letter by letter, this would take hours.
        let long = "x".repeat(4 << 20);
        assert_eq!(nearest(&long, ["x".repeat(2 << 20).as_str(), "xx"]), None);
    }
}
