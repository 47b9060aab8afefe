//! Panics on purpose, and ends in every other way a step can; used by the host's tests. The `url` says how.

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:test-panic;

        world test-panic {
            include hookbox:plugin/plugin@1.0.0;
            export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
        }
    ",
    path: [
        "../../wit/deps/wasi-config",
        "../../wit/deps/wasi-logging",
        "../../wit/hookbox",
        "../../wit/openedx-filters",
    ],
    generate_all,
});

use crate::exports::openedx::filters::learning_course_about_page_url_requested_v1::{
    Changes, Failure, Guest as Filter, Outcome,
};
use crate::wasi::logging::logging;

struct TestPanic;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(TestPanic);

impl Filter for TestPanic {
    fn run_filter(url: String, _org: String) -> Result<Outcome, Failure> {
        report_panics();
        end_as_asked(&url)
    }
}

fn end_as_asked(url: &str) -> Result<Outcome, Failure> {
    if url.contains("panic") {
        panic!("the url was {url}");
    }
    if url.contains("index") {
        let bytes = url.as_bytes();
        return Err(Failure::Error(format!("there is a byte {} after the end", bytes[bytes.len()])));
    }
    if url.contains("loop") {
        never_end(url);
    }
    if url.contains("memory") {
        take_all_memory(url);
    }
    if url.contains("error") {
        return Err(Failure::Error("asked to fail".to_owned()));
    }
    if url.contains("halt") {
        return Ok(Outcome::Halt);
    }
    Ok(Outcome::Proceed(Changes { url: None, org: None }))
}

#[inline(never)]
fn never_end(url: &str) {
    let mut turns = url.len();
    while std::hint::black_box(turns) > 0 {
        turns = turns.wrapping_add(1) | 1;
    }
}

#[inline(never)]
fn take_all_memory(url: &str) {
    let mut taken = vec![url.as_bytes().to_vec()];
    while !std::hint::black_box(&taken).is_empty() {
        taken.push(vec![1; 1 << 20]);
    }
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the url was /panic")]
    fn a_url_with_panic_panics() {
        let _ = end_as_asked("/panic");
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_url_with_index_reads_past_the_end() {
        let _ = end_as_asked("/index");
    }

    #[test]
    fn any_other_url_ends_without_a_panic() {
        assert!(matches!(end_as_asked("/error"), Err(Failure::Error(text)) if text == "asked to fail"));
        assert!(matches!(end_as_asked("/halt"), Ok(Outcome::Halt)));
        assert!(matches!(end_as_asked("/"), Ok(Outcome::Proceed(Changes { url: None, org: None }))));
    }
}
