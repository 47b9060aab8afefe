use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.plugins.keys().map(String::as_str).collect()
}

#[test]
fn only_names_of_plugins_are_taken_and_what_looks_like_one_is_told() {
    let folder = folder();
    let path = folder.path();
    for name in
        ["a.wasm", "b-2.wasm", ".c.wasm.tmp", ".d.wasm", "e.wasm~", "#f.wasm#", "g.wasm.part", "README.md"]
    {
        fs::write(path.join(name), "content").unwrap();
    }
    let long = format!("{}.wasm", "x".repeat(200));
    for name in ["Upper.wasm", "under_score.wasm", "h.WASM", ".wasm-cache", "a b\n.wasm", &long] {
        fs::write(path.join(name), "content").unwrap();
    }
    fs::create_dir(path.join("folder.wasm")).unwrap();
    let listing = list(path).unwrap();
    assert_eq!(names(&listing), ["a", "b-2", "folder"]);
    assert!(listing.plugins["folder"].is_none());
    let odd: Vec<&str> = listing.odd.keys().map(String::as_str).collect();
    let cut = format!("\"{}\"", "x".repeat(80));
    let expected =
        ["\"Upper.wasm\"", "\"a b\\n.wasm\"", "\"folder.wasm\"", "\"h.WASM\"", "\"under_score.wasm\"", &cut];
    assert_eq!(odd, expected);
    for reason in listing.odd.values() {
        assert!(!reason.contains('\n'), "{reason}");
    }
}

#[test]
fn many_odd_names_are_one_mistake() {
    let folder = folder();
    for number in 0..ODD_MOST + 20 {
        fs::write(folder.path().join(format!("Odd{number}.wasm")), "").unwrap();
    }
    assert_eq!(list(folder.path()).unwrap().odd.len(), ODD_MOST);
}

#[test]
fn a_folder_that_is_not_there_is_no_empty_folder() {
    let folder = folder();
    list(&folder.path().join("nowhere")).unwrap_err();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    list(&file).unwrap_err();
    assert!(list(folder.path()).unwrap().plugins.is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_one_to_nothing_hides() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let target = folder.path().join("target");
    fs::write(&target, "content").unwrap();
    symlink(&target, folder.path().join("good.wasm")).unwrap();
    symlink(folder.path().join("nothing"), folder.path().join("bad.wasm")).unwrap();
    let listing = list(folder.path()).unwrap();
    assert_eq!(listing.plugins["good"].unwrap().component.bytes, 7);
    assert!(listing.plugins["bad"].is_none());
    assert!(listing.odd["\"bad.wasm\""].contains("link to nothing"), "{:?}", listing.odd);
}

#[test]
fn a_plugin_comes_with_its_recorded_cases() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("a.wasm"), "component").unwrap();
    let before = list(path).unwrap();
    assert_eq!((before.tests, before.plugins["a"].unwrap().cases), (None, None));
    fs::create_dir(path.join("tests")).unwrap();
    fs::write(path.join("tests/a.json"), "{}").unwrap();
    let listing = list(path).unwrap();
    assert!(listing.tests.is_some());
    let stamps = listing.plugins["a"].unwrap();
    assert_eq!(stamps.cases.unwrap().bytes, 2);
    let Reading::Whole(contents) = read(path, "a", stamps).unwrap() else { panic!() };
    assert_eq!((&*contents.component, contents.cases.as_deref()), (&b"component"[..], Some("{}")));
}

#[test]
fn cases_that_cannot_be_cases_are_refused() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("a.wasm"), "component").unwrap();
    fs::create_dir(path.join("tests")).unwrap();
    let wrong = || {
        let stamps = list(path).unwrap().plugins["a"].unwrap();
        match read(path, "a", stamps).unwrap() {
            Reading::Wrong(reason) => reason,
            other => panic!("{other:?}"),
        }
    };
    fs::write(path.join("tests/a.json"), [0xff, 0xfe]).unwrap();
    assert!(wrong().contains("UTF-8"));
    let large = fs::File::create(path.join("tests/a.json")).unwrap();
    large.set_len(CASES_BYTES + 1).unwrap();
    assert!(wrong().contains("4 MiB"));
    fs::remove_file(path.join("tests/a.json")).unwrap();
    fs::create_dir(path.join("tests/a.json")).unwrap();
    let listing = list(path).unwrap();
    assert!(listing.plugins["a"].is_none() && listing.odd["\"a.wasm\""].contains("a.json"), "{listing:?}");
}

#[test]
fn a_file_that_changed_since_it_was_listed_is_not_taken() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("a.wasm"), "component").unwrap();
    let stamps = list(path).unwrap().plugins["a"].unwrap();
    fs::write(path.join("a.wasm"), "another component").unwrap();
    assert!(matches!(read(path, "a", stamps), Ok(Reading::Changed)));
    fs::remove_file(path.join("a.wasm")).unwrap();
    assert!(matches!(read(path, "a", stamps), Ok(Reading::Changed)));
}
