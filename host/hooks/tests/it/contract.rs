//! The checked-in WIT is what the generator prints, and every package is sound.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hookbox_hooks::{Catalogue, wit};
use wit_parser::Resolve;

fn wit_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

#[test]
fn the_checked_in_packages_are_what_the_generator_prints() {
    let files = wit::generate(Catalogue::embedded());
    for file in &files {
        let path = wit_folder().join(&file.path);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, file.text,
            "{} is stale: cargo run -p hookbox-hooks --example generate-wit",
            file.path
        );
    }
    let printed: BTreeSet<String> = files.into_iter().map(|file| file.path).collect();
    for folder in ["openedx-filters", "openedx-events"] {
        for entry in std::fs::read_dir(wit_folder().join(folder)).unwrap() {
            let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
            assert!(printed.contains(&path), "{path} is not generated any more: remove it");
        }
    }
}

#[test]
fn every_package_parses_and_holds_one_interface_a_hook() {
    let mut resolve = Resolve::default();
    let wasi = ["wasi-io", "wasi-clocks", "wasi-config", "wasi-http", "wasi-logging"];
    let folders = wasi.map(|folder| format!("deps/{folder}"));
    let ours = ["hookbox", "openedx-filters", "openedx-events"].map(str::to_owned);
    for folder in folders.into_iter().chain(ours) {
        let pushed = resolve.push_dir(wit_folder().join(&folder));
        pushed.unwrap_or_else(|error| panic!("wit/{folder}: {error:?}"));
    }
    let interfaces: BTreeSet<String> =
        resolve.interfaces.iter().filter_map(|(id, _)| resolve.id_of(id)).collect();
    let catalogue = Catalogue::embedded();
    assert_eq!((catalogue.filters().len(), catalogue.events().len()), (43, 75));
    for hook in catalogue.hooks() {
        let interface = &hook.signature().interface;
        assert!(interfaces.contains(interface), "{} has no interface {interface}", hook.hook_type());
    }
}

#[test]
fn no_exception_can_be_raised_without_a_message() {
    for filter in Catalogue::embedded().filters() {
        for exception in &filter.exceptions {
            let message = exception.params.first().unwrap();
            assert_eq!(message.name, "message", "{}.{}", filter.class, exception.class);
            assert!(!message.may_be_absent(), "{}.{}", filter.class, exception.class);
        }
    }
}
