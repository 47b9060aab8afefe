//! When a plugin dies, its author reads why, where and what to change: in `filter run`, in the REST answer and in the log.

use crate::support::guest::sample;
use crate::support::{ABOUT_URL, Site, about};

/// The folder of the plugin's source, as its debug information names it.
const SOURCE: &str = "guest-plugins/test-panic/src/lib.rs";

fn site() -> Site {
    let configuration = format!(
        "[plugins.test-panic]\ncomponent = \"test-panic.wasm\"\nlimits = {{ time = \"5s\", memory = \"8MiB\" }}
         [filters.\"{ABOUT_URL}\"]\nfail_silently = false"
    );
    Site::new(&configuration).with("test-panic.wasm", sample("test-panic"))
}

#[test]
fn a_limit_is_reported_with_its_values_its_key_and_the_place() {
    let site = site();
    let arguments = about("https://lms.example.com/memory").to_string();
    let ran = site.run(&["filter", "run", ABOUT_URL, "--args", &arguments]).exits(1);
    let raised = ["kind       memory", "allowed    8388608 bytes", "raised by  limits.memory"];
    ran.explains(&raised);
    ran.explains(&["function   test_panic::take_all_memory", SOURCE, "in         end_as_asked"]);

    let server = site.serve();
    let problem =
        server.filter(ABOUT_URL, &about("https://lms.example.com/memory")).problem(502, "step-failed");
    let report = &problem["failure"]["report"];
    assert_eq!(report["kind"], "limit");
    assert_eq!((&report["limit"], &report["allowed"]), (&"memory".into(), &8_388_608.into()));
    assert_eq!((&report["unit"], &report["setting"]), (&"bytes".into(), &"limits.memory".into()));
    assert!(report["used"].as_u64().unwrap() > 8_388_608, "{report}");
    let location = report["location"].as_str().unwrap();
    let line = location.rsplit_once(':').and_then(|(file, line)| file.ends_with(SOURCE).then_some(line));
    assert!(line.is_some_and(|line| line.parse::<u32>().is_ok()), "{location}");
    let stack = report["backtrace"].as_array().unwrap();
    assert_eq!(stack[0], "test_panic::take_all_memory", "{report}");
    server.logs(1, &["step failed", "memory limit", "8388608 bytes allowed", "limits.memory", SOURCE]);
}

#[test]
fn a_panic_is_reported_with_its_text_and_its_line() {
    let site = site();
    let arguments = about("https://lms.example.com/panic").to_string();
    let ran = site.run(&["filter", "run", ABOUT_URL, "--args", &arguments]).exits(1);
    let said =
        ["kind       trap", "said       panicked at test-panic/src/lib.rs:", "the url was https://lms"];
    ran.explains(&said);
    ran.explains(&["function   end_as_asked"]);

    let server = site.serve();
    let problem =
        server.filter(ABOUT_URL, &about("https://lms.example.com/panic")).problem(502, "step-failed");
    let report = &problem["failure"]["report"];
    assert_eq!(report["function"], "end_as_asked");
    assert!(
        report["message"].as_str().unwrap().starts_with("panicked at test-panic/src/lib.rs:"),
        "{report}"
    );
    assert!(report["location"].as_str().unwrap().contains(SOURCE), "{report}");
    server.logs(1, &["step failed", "panicked at test-panic/src/lib.rs:", "in end_as_asked"]);
}

#[test]
fn a_loop_is_reported_with_the_function_that_looped() {
    let site = site();
    let server = site.serve();
    let problem =
        server.filter(ABOUT_URL, &about("https://lms.example.com/loop")).problem(502, "step-failed");
    let report = &problem["failure"]["report"];
    assert_eq!((&report["limit"], &report["allowed"]), (&"time".into(), &5_000.into()));
    assert_eq!((&report["unit"], &report["setting"]), (&"ms".into(), &"limits.time".into()));
    assert!(report["used"].as_u64().unwrap() >= 5_000, "{report}");
    assert_eq!(report["function"], "test_panic::never_end");
}
