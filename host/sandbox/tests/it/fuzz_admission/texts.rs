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
        2 => (prop::sample::select(LEVELS), height(), name()).prop_map(|(level, height, name)| tower(level, height, &name)),
    ];
    let sections = (name(), vec(any::<u8>(), 0..32)).prop_map(|(name, more)| custom(&name, &more));
    prop_oneof![
        6 => said.prop_filter_map("text that is none", |text| wat::parse_str(text).ok()),
        1 => height().prop_map(nested),
        1 => sections,
    ]
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
    "(import \"f\" (func $f)) (instance $i (export \"run-filter\" (func $f))) (export N (instance $i))",
    "(import \"f\" (func $f)) (instance $i (export N (func $f))) \
     (export \"hookbox:plugin/any-filter@1.0.0\" (instance $i))",
    "(import \"f\" (func $f (param N string) (result (result string (error string))))) \
     (instance $i (export \"run-filter\" (func $f))) (export \"hookbox:plugin/any-filter@1.0.0\" (instance $i))",
    "(core module $m (func (export N))) (core instance $i (instantiate $m))",
    "(core module $m (import N N (func))) (core instance $i (instantiate $m))",
    "(component $c (import N (func))) (export \"c\" (component $c))",
];

fn named(items: &[(String, &str)]) -> String {
    let mut text = String::from("(component ");
    for (at, (name, item)) in items.iter().enumerate() {
        let mut quoted = String::from("\"");
        for byte in name.bytes() {
            let _ = write!(quoted, "\\{byte:02x}");
        }
        quoted.push('"');
        let one = |letter: &str| format!("{letter}{at} ");
        let item = item.replace("$i)", &format!("{})", one("$i"))).replace("$i ", &one("$i"));
        let item = item.replace("$f)", &format!("{})", one("$f"))).replace("$f ", &one("$f"));
        let item = item.replace("$m)", &format!("{})", one("$m"))).replace("$m ", &one("$m"));
        let item = item.replace("$c)", &format!("{})", one("$c"))).replace("$c ", &one("$c"));
        text += &item
            .replace("\"f\"", &format!("\"f{at}\""))
            .replace(" N ", &format!(" {quoted} "))
            .replace("(export N)", &format!("(export {quoted})"));
    }
    text + ")"
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

fn tower(level: &str, height: usize, name: &str) -> String {
    let mut text = String::from("(component (type $t0 string)");
    for at in 1..=height {
        let _ = write!(text, "(type $t{at} {})", level.replace("$t", &format!("$t{}", at - 1)));
    }
    let _ = write!(
        text,
        "(type $f (func (param \"a\" $t{height}) (result $t{height})))
         (import \"own\" (func $own (type $f)))
         (instance $i (export \"run-filter\" (func $own)))
         (export \"hookbox:plugin/any-filter@1.0.0\" (instance $i))
         (component $inside (import \"f\" (func (type $f))))
         (instance (instantiate $inside (with \"f\" (func $own)))))"
    );
    let _ = name;
    text
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
