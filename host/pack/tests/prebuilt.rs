//! The components in the repository are the plugins they are said to be.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wasm_metadata::Payload;
use wit_component::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldItem, WorldKey};

const CONFIG: &str = "wasi:config/store@0.2.0-rc.1";
const LOGGING: &str = "wasi:logging/logging@0.1.0-draft";
const KEY_VALUE: [&str; 3] = [
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
];
const HTTP: [&str; 4] = [
    "wasi:io/poll@0.2.0",
    "wasi:io/streams@0.2.0",
    "wasi:http/types@0.2.0",
    "wasi:http/outgoing-handler@0.2.0",
];
const CLOCK: &str = "wasi:clocks/wall-clock@0.2.0";
const ARCHIVE: &str = "hookbox:plugin/course-archive@1.0.0";
const UPDATES: &str = "hookbox:plugin/course-archive-updates@1.0.0";
const DELIVERY: &str = "hookbox:plugin/delivery@1.0.0";
const ANY_EVENT: &str = "hookbox:plugin/any-event@1.0.0";
const LIFECYCLE: &str = "hookbox:plugin/lifecycle@1.0.0";
const ABOUT: &str = "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0";
const ENROLLMENT: &str = "openedx:filters/learning-course-enrollment-started-v1@1.0.0";
const CATALOG: &str = "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0";

#[test]
fn a_plugin_exports_its_hook_and_imports_only_what_it_uses() {
    for (name, exports, imports) in [
        ("archive-sync", vec![CATALOG], vec![ARCHIVE, UPDATES, LOGGING]),
        ("audit-log", vec![LIFECYCLE, ANY_EVENT], [&KEY_VALUE[..], &[CONFIG, LOGGING]].concat()),
        ("catalog-logger", vec![CATALOG], vec![LOGGING]),
        ("course-about-url", vec![LIFECYCLE, ABOUT], vec![CONFIG, LOGGING]),
        ("enrollment-guard", vec![LIFECYCLE, ENROLLMENT], vec![CONFIG, LOGGING]),
        ("test-course-length", vec![CATALOG], vec![LOGGING]),
        ("test-panic", vec![ABOUT], vec![LOGGING]),
        (
            "webhook-forwarder",
            vec![LIFECYCLE, ANY_EVENT],
            [&HTTP[..], &[CLOCK, CONFIG, DELIVERY, LOGGING]].concat(),
        ),
    ] {
        let DecodedWasm::Component(resolve, world) = decode(&component(name)).unwrap() else {
            panic!("{name} is not a component");
        };
        let world = &resolve.worlds[world];
        assert_eq!(interfaces(&resolve, &world.exports), names(&exports), "{name}");
        assert_eq!(interfaces(&resolve, &world.imports), names(&imports), "{name}");
    }
}

#[test]
fn a_plugin_says_who_it_is_and_is_small() {
    for (name, most) in [
        ("archive-sync", 150_000),
        ("audit-log", 150_000),
        ("catalog-logger", 150_000),
        ("course-about-url", 150_000),
        ("enrollment-guard", 150_000),
        // These keep their debug information.
        ("test-course-length", 500_000),
        ("test-panic", 500_000),
        ("webhook-forwarder", 250_000),
    ] {
        let component = component(name);
        assert!(component.len() < most, "{name} has {} bytes", component.len());

        let payload = Payload::from_binary(&component).unwrap();
        let metadata = payload.metadata();
        assert_eq!(metadata.name.as_deref(), Some(name));
        assert_eq!(metadata.version.as_ref().unwrap().to_string(), "1.0.0");
        assert_eq!(metadata.authors.as_ref().unwrap().to_string(), "Hookbox authors");
        assert_eq!(metadata.licenses.as_ref().unwrap().to_string(), "Apache-2.0");
        assert!(!metadata.description.as_ref().unwrap().to_string().is_empty());
        let source = metadata.source.as_ref().unwrap().to_string();
        assert_eq!(source, format!("urn:hookbox:guest-plugins:{name}"));
    }
}

fn component(name: &str) -> Vec<u8> {
    let prebuilt = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-plugins/prebuilt");
    fs::read(prebuilt.join(name).with_extension("wasm")).unwrap()
}

/// The interfaces that have functions. The others only name types and ask nothing of the host.
fn interfaces<'a>(
    resolve: &Resolve,
    items: impl IntoIterator<Item = (&'a WorldKey, &'a WorldItem)>,
) -> BTreeSet<String> {
    items
        .into_iter()
        .filter_map(|(_, item)| match item {
            WorldItem::Interface { id, .. } => Some(*id),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        })
        .filter(|id| !resolve.interfaces[*id].functions.is_empty())
        .map(|id| resolve.id_of(id).unwrap())
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
