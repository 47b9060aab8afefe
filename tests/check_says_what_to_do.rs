//! `hookbox check` says whether a component fits, and if not: which interface and function, what was expected, what was
//! found, and what to do.

use crate::support::Site;
use crate::support::guest::{ABOUT_INTERFACE, of_world, sample, written};
use crate::support::site::contains_all;

const ABOUT: &str = "learning-course-about-page-url-requested-v1";
const RIGHT: &str = "record changes { url: option<string>, org: option<string> } variant outcome { proceed(changes), halt }
    variant failure { error(string) } run-filter: func(url: string, org: string) -> result<outcome, failure>;";

/// A component that exports one interface of `openedx:filters` as somebody else wrote it.
fn exporting(interface: &str, version: &str, items: &str, function: &str, core_type: &str) -> Vec<u8> {
    let package = format!("package openedx:filters@{version}; interface {interface} {{ {items} }}");
    let export = format!("openedx:filters/{interface}@{version}");
    let module = format!("(func (export \"{export}#{function}\") {core_type} unreachable)");
    of_world(&[&package], &format!("export {export};"), &module)
}

/// The type of the core function behind `run-filter(url: string, org: string)`.
const CORE_TYPE: &str = "(param i32 i32 i32 i32) (result i32)";

/// The filter with a number where the contract has the url's text.
fn with_a_number() -> Vec<u8> {
    let items = RIGHT.replace("func(url: string, org", "func(url: u32, org");
    exporting(ABOUT, "1.0.0", &items, "run-filter", "(param i32 i32 i32) (result i32)")
}

/// The filter, with an import that no host offers.
fn with_a_shuttle() -> Vec<u8> {
    let filters = format!("package openedx:filters@1.0.0; interface {ABOUT} {{ {RIGHT} }}");
    let packages = [&*filters, "package moon:base; interface shuttle { fly: func(); }"];
    let module = format!(
        "(import \"moon:base/shuttle\" \"fly\" (func)) (func (export \"{ABOUT_INTERFACE}#run-filter\") {CORE_TYPE} unreachable)"
    );
    of_world(&packages, &format!("import moon:base/shuttle; export {ABOUT_INTERFACE};"), &module)
}

#[test]
fn the_samples_fit() {
    const ANY_EVENT: &str = "hookbox:plugin/any-event@1.0.0";
    for (name, interface) in [
        ("archive-sync", "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0"),
        ("audit-log", ANY_EVENT),
        ("catalog-logger", "openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0"),
        ("course-about-url", ABOUT_INTERFACE),
        ("enrollment-guard", "openedx:filters/learning-course-enrollment-started-v1@1.0.0"),
        ("test-panic", ABOUT_INTERFACE),
        ("webhook-forwarder", ANY_EVENT),
    ] {
        let site = Site::empty().with("plugin.wasm", sample(name));
        // The only one that does nothing without settings.
        let settings: &[&str] = match name {
            "webhook-forwarder" => &[
                "--setting",
                "url=https://hooks.example.com",
                "--setting",
                "secret=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            ],
            _ => &[],
        };
        let ran = site.run(&[&["check", "plugin.wasm"], settings].concat()).exits(0);
        ran.prints(&["fits: the host would run it", &format!("{name} 1.0.0"), interface, "sha256:"]);
        let json = site.run(&[&["check", "plugin.wasm", "--json"], settings].concat()).exits(0).json();
        assert_eq!(json["fits"], true, "{json}");
        assert_eq!(json["problems"].as_array().unwrap().len(), 0, "{json}");
        assert_eq!(json["metadata"]["name"], name, "{json}");
        let exports = json["exports"].as_array().unwrap();
        assert!(
            exports.iter().any(|export| export["interface"] == interface && export["role"] == "hook"),
            "{json}"
        );
    }
}

#[test]
fn what_does_not_fit_is_explained() {
    let whole = sample("course-about-url");
    for (what, component, code, says) in [
        ("text", b"not a component".to_vec(), "not-wasm", vec!["a WebAssembly component", "no WebAssembly"]),
        ("text format", b"(component)".to_vec(), "not-wasm", vec!["text format"]),
        ("nothing", Vec::new(), "not-wasm", vec!["an empty file"]),
        (
            "a core module",
            wat::parse_str("(module)").unwrap(),
            "core-module",
            vec!["a core module", "wasm-tools component new"],
        ),
        (
            "a truncated file",
            whole[..whole.len() / 2].to_vec(),
            "invalid",
            vec!["cut short", "Build it again"],
        ),
        (
            "another type",
            with_a_number(),
            "type-mismatch",
            vec![ABOUT_INTERFACE, "run-filter", "url", "string", "u32", "hookbox wit"],
        ),
        (
            "another function",
            exporting(ABOUT, "1.0.0", "filter: func();", "filter", ""),
            "missing-function",
            vec![ABOUT_INTERFACE, "a function run-filter", "found none", "hookbox wit"],
        ),
        (
            "another major version",
            exporting(ABOUT, "2.0.0", RIGHT, "run-filter", CORE_TYPE),
            "hook-version",
            vec!["@2.0.0", "@1.0.0", "hookbox wit"],
        ),
        (
            "a hook that is not there",
            exporting("learning-course-about-page-url-request-v1", "1.0.0", RIGHT, "run-filter", CORE_TYPE),
            "unknown-hook",
            vec!["learning-course-about-page-url-request-v1", "Did you mean", ABOUT],
        ),
        (
            "an import that is not there",
            with_a_shuttle(),
            "unknown-import",
            vec!["moon:base/shuttle", "The host offers", "wasi:config/store"],
        ),
        (
            "no hook",
            of_world(&[], "export run: func();", "(func (export \"run\"))"),
            "no-hooks",
            vec!["an exported hook", "found none", "hooks list"],
        ),
    ] {
        let site = Site::empty().with("plugin.wasm", component);
        let ran = site.run(&["check", "plugin.wasm"]).exits(1);
        ran.prints(&["plugin.wasm", "does not fit:", &format!("[{code}]")]);
        contains_all(&ran.stdout, &says, what);

        let json = site.run(&["check", "--json", "plugin.wasm"]).exits(1).json();
        assert_eq!(json["fits"], false, "{what}: {json}");
        let problems = json["problems"].as_array().unwrap();
        let problem = problems.iter().find(|problem| problem["code"] == code);
        let problem = problem.unwrap_or_else(|| panic!("{what}: {json}"));
        for member in ["expected", "found", "help"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{what}: {problem}");
        }
    }
}

#[test]
fn a_type_mismatch_is_placed_in_its_function() {
    let component = with_a_number();
    let json =
        Site::empty().with("plugin.wasm", component).run(&["check", "--json", "plugin.wasm"]).exits(1).json();
    let problem = &json["problems"][0];
    assert_eq!(problem["interface"], ABOUT_INTERFACE, "{problem}");
    assert_eq!(problem["function"], "run-filter", "{problem}");
    assert_eq!(problem["place"], "parameter url", "{problem}");
    assert_eq!((&problem["expected"], &problem["found"]), (&"string".into(), &"u32".into()), "{problem}");
}

#[test]
fn a_bad_setting_is_found_by_trying_the_plugin() {
    let site = Site::empty().with("plugin.wasm", sample("course-about-url"));
    let good =
        ["check", "plugin.wasm", "--setting", "path=about", "--setting", "redirect_domain=site.example"];
    site.run(&good).exits(0);
    let bad = site.run(&["check", "plugin.wasm", "--setting", "redirect_domain=https://x/"]).exits(1);
    bad.prints(&["does not fit:", "[trial]", "\"https://x/\" is not a host name"]);
    let json = site.run(&["check", "plugin.wasm", "--json", "--setting", "colour=red"]).exits(1).json();
    assert_eq!(json["trial"]["code"], "settings", "{json}");
    assert!(json["trial"]["message"].as_str().unwrap().contains("colour"), "{json}");
}

#[test]
fn a_component_is_held_to_a_plugin_s_table() {
    let configuration = "[plugins.keeps]\ncomponent = \"old.wasm\"
         grants = [\"keyvalue\", \"archive:read\"]\nlimits = { memory = \"9MiB\" }
         [plugins.plain]\ncomponent = \"old.wasm\"\nsettings = { redirect_domain = \"https://x/\" }
         [plugins.tight]\ncomponent = \"old.wasm\"\nlimits = { memory = \"64KiB\" }";
    let site = Site::new(configuration)
        .with("new.wasm", written("key-value"))
        .with("url.wasm", sample("course-about-url"));
    // On its own it gets what it imports.
    site.run(&["check", "new.wasm"]).exits(0).prints(&["needs grants keyvalue", "fits"]);

    let ran = site.run(&["check", "new.wasm", "--plugin", "keeps"]).exits(0);
    let unused =
        "plugins.keeps: its component imports nothing for the grant archive:read; all it needs is keyvalue";
    ran.prints(&["fits", "9437184 bytes", unused]);
    let json = site.run(&["check", "new.wasm", "--plugin", "keeps", "--json"]).exits(0).json();
    assert_eq!((&json["fits"], &json["warnings"][0]), (&true.into(), &unused.into()), "{json}");
    assert_eq!(json["limits"]["memory_bytes"], 9 << 20, "{json}");

    let refused = site.run(&["check", "new.wasm", "--plugin", "plain"]).exits(1);
    refused.prints(&["[not-granted]", "wasi:keyvalue/store", "the grant keyvalue", "`grants`"]);
    // Its settings hold, and those of the command line over them.
    let settings = site.run(&["check", "url.wasm", "--plugin", "plain"]).exits(1);
    settings.prints(&["[trial]", "\"https://x/\" is not a host name"]);
    let given = ["check", "url.wasm", "--plugin", "plain", "--setting", "redirect_domain=site.example"];
    site.run(&given).exits(0);
    let tight = site.run(&["check", "url.wasm", "--plugin", "tight"]).exits(1);
    tight.prints(&["[trial]", "65536 bytes allowed", "raised by  limits.memory"]);
    site.run(&["check", "url.wasm", "--plugin", "gone"])
        .exits(1)
        .explains(&["--plugin \"gone\"", "no such table"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    Site::empty().run(&["check", "none.wasm"]).exits(1).explains(&["none.wasm", "No such file"]);
}
