//! Components that no toolchain would make: any names, towers of types, crowds of imports, components inside components.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::sections::leb;

/// Names that mean something to the host, or nearly.
const NAMES: &[&str] = &[
    "hookbox:plugin/any-filter@1.0.0",
    "hookbox:plugin/any-event@1.0.0",
    "hookbox:plugin/lifecycle@1.0.0",
    "hookbox:plugin/context@1.0.0",
    "hookbox:plugin/course-archive@1.0.0",
    "hookbox:plugin/types@1.0.0",
    "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0",
    "openedx:events/learning-course-enrollment-created-v1@2.0.0",
    "openedx:filters/x",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:http/outgoing-handler@0.2.0",
    "wasi:sockets/tcp@0.2.0",
    "run-filter",
    "a",
];

/// Any component of these kinds. Many are invalid.
pub(super) fn components() -> impl Strategy<Value = Vec<u8>> {
    let said = prop_oneof![
        3 => vec((name(), prop::sample::select(ITEMS)), 1..4).prop_map(|items| named(&items)),
        1 => (name(), prop::sample::select(ITEMS), 1..400_usize).prop_map(|(name, item, count)| {
            let items: Vec<_> = (0..count).map(|at| (format!("{name}{at}"), item)).collect();
            named(&items)
        }),
        1 => (name(), 1..400_usize).prop_map(|(name, count)| {
            let names: Vec<_> = (0..count).map(|at| format!("{name}{at}")).collect();
            exporting(&names)
        }),
        2 => (prop::sample::select(LEVELS), height()).prop_map(|(level, height)| tower(level, height)),
    ];
    let sections = (name(), vec(any::<u8>(), 0..32)).prop_map(|(name, more)| custom(&name, &more));
    prop_oneof![
        6 => said.prop_filter_map("text that is none", |text| wat::parse_str(text).ok()),
        1 => height().prop_map(nested),
        1 => sections,
    ]
}

/// A component that exports one interface under each of these names, as text.
pub(super) fn exporting(names: &[String]) -> String {
    let mut text = FUNCTION.replace(" (export N (instance $e))", "");
    for name in names {
        let _ = write!(text, "(export {} (instance $e))", quoted(name));
    }
    format!("(component {text})")
}

fn height() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..30_usize, 2 => 90..110_usize, 1 => 100..3_000_usize]
}

fn name() -> impl Strategy<Value = String> + Clone {
    let known = prop::sample::select(NAMES);
    prop_oneof![
        4 => known.clone().prop_map(str::to_owned),
        1 => any::<String>(),
        2 => (known.clone(), any::<char>()).prop_map(|(name, letter)| format!("{name}{letter}")),
        1 => (known, 1..3_000_usize).prop_map(|(name, count)| {
            let (before, version) = name.split_once('@').unwrap_or((name, "1.0.0"));
            format!("{before}{}@{version}", "-x".repeat(count))
        }),
        1 => (1..3_000_usize).prop_map(|count| format!("a:b/c@1.0.0-{}", "x".repeat(count))),
        1 => any::<String>().prop_map(|url| format!("url=<{url}>")),
        1 => any::<String>().prop_map(|name| format!("relative-url=<{name}>,integrity=<sha256-AAAA>")),
        1 => "unlocked-dep=<a:b@\\{>=1\\.[0-9]\\.0\\}>",
        1 => any::<String>().prop_map(|name| format!("locked-dep=<a:b@1.0.0>,integrity=<{name}>")),
    ]
}

/// A module whose function `f` fits a text or a list as its parameter and nearly anything as its result.
macro_rules! module {
    () => {
        "(core module $m (memory (export \"m\") 1) \
            (func (export \"r\") (param i32 i32 i32 i32) (result i32) (i32.const 64)) \
            (func (export \"f\") (param i32 i32) (result i32) (i32.const 0)) (func (export \"n\"))) \
         (core instance $i (instantiate $m)) "
    };
}
/// That function lifted, after its types.
const LIFT: &str = "(canon lift (core func $i \"f\") (memory $i \"m\") (realloc (func $i \"r\")))";

/// An exported interface with a function.
const FUNCTION: &str = concat!(
    module!(),
    "(func $f (canon lift (core func $i \"n\"))) (instance $e (export \"run-filter\" (func $f))) (export N (instance $e))"
);

/// What a name may stand for: `N` is the name.
const ITEMS: &[&str] = &[
    "(import N (func))",
    "(import N (func (param \"a\" string) (result string)))",
    "(import N (instance))",
    "(import N (instance (export \"run\" (func))))",
    "(import N (instance (export \"r\" (type (sub resource)))))",
    "(import N (component))",
    "(import N (core module))",
    "(import N (type (sub resource)))",
    "(import \"f\" (func (param N string)))",
    "(import \"f\" (instance (type $r (record (field N string))) (export \"r\" (type (eq $r)))))",
    "(instance $i) (export N (instance $i))",
    FUNCTION,
    concat!(
        module!(),
        "(func $f (canon lift (core func $i \"n\"))) (instance $e (export N (func $f))) \
         (export \"hookbox:plugin/any-filter@1.0.0\" (instance $e))"
    ),
    concat!(
        module!(),
        "(func $f (param N string) (result (result string (error string))) LIFT) \
         (instance $e (export \"run-filter\" (func $f))) (export \"hookbox:plugin/any-filter@1.0.0\" (instance $e))"
    ),
    concat!(
        module!(),
        "(func $f (param \"settings\" string) (result (result (error string))) LIFT) \
         (instance $e (export \"configure\" (func $f))) (export N (instance $e))"
    ),
    "(core module $m (func (export N))) (core instance $i (instantiate $m))",
    "(core module $m (import N N (func))) (core instance $i (instantiate $m))",
    "(component $c (import N (func))) (export \"c\" (component $c))",
];

fn named(items: &[(String, &str)]) -> String {
    let mut text = String::from("(component ");
    for (at, (name, item)) in items.iter().enumerate() {
        let quoted = quoted(name);
        let item = item.replace("LIFT", LIFT).replace("\"f\" (", &format!("\"f{at}\" ("));
        let item =
            item.replace(" N ", &format!(" {quoted} ")).replace("(export N)", &format!("(export {quoted})"));
        // Each item has names of its own.
        for letter in item
            .chars()
            .scan(false, |dollar, letter| Some((std::mem::replace(dollar, letter == '$'), letter)))
        {
            text.push(letter.1);
            if letter.0 {
                let _ = write!(text, "{at}");
            }
        }
    }
    text + ")"
}

/// A name as text writes it, whatever it is made of.
fn quoted(name: &str) -> String {
    let letters: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!("\"{letters}\"")
}

/// What each level of a tower makes of the one below.
const LEVELS: &[&str] = &[
    "(list $t)",
    "(option $t)",
    "(tuple $t $t)",
    "(tuple string $t)",
    "(result $t)",
    "(list (tuple string $t))",
];

fn tower(level: &str, height: usize) -> String {
    let mut text = String::from("(component (type $t0 string)");
    for at in 1..=height {
        let _ = write!(text, "(type $t{at} {})", level.replace("$t", &format!("$t{}", at - 1)));
    }
    let ty = format!("(param \"arguments\" $t{height}) (result $t{height})");
    let _ = write!(
        text,
        "(import \"own\" (func $own {ty})) (component $inside (import \"f\" (func {ty})))
         (instance (instantiate $inside (with \"f\" (func $own))))"
    );
    // A list has two core values whatever is in it.
    if level.starts_with("(list") {
        text += module!();
        let _ = write!(
            text,
            "(func $f {ty} {LIFT}) (instance $e (export \"run-filter\" (func $f)))
             (export \"hookbox:plugin/any-filter@1.0.0\" (instance $e))"
        );
    }
    text + ")"
}

/// Components inside each other.
fn nested(height: usize) -> Vec<u8> {
    const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";
    let mut bytes = HEADER.to_vec();
    for _ in 0..height {
        let mut outer = HEADER.to_vec();
        outer.push(4);
        outer.extend(leb(bytes.len()));
        outer.extend(bytes);
        bytes = outer;
    }
    bytes
}

/// A component with a section that toolchains write about themselves, and one of any name.
fn custom(name: &str, more: &[u8]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    let sections = ["component-name", "producers", "version", "description", "authors", "licenses", "source"];
    for section in sections.into_iter().chain([name]) {
        let text = |text: &str| [leb(text.len()), text.as_bytes().to_vec()].concat();
        let body = match section {
            "component-name" => [vec![0], leb(text(name).len()), text(name)].concat(),
            "producers" => [vec![1], text("language"), vec![1], text(name), text("1")].concat(),
            "version" | "description" | "authors" | "licenses" | "source" => name.as_bytes().to_vec(),
            _ => more.to_vec(),
        };
        let body = [text(section), body].concat();
        bytes.push(0);
        bytes.extend(leb(body.len()));
        bytes.extend(body);
    }
    bytes
}
