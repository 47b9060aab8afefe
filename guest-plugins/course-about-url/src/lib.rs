//! A filter step: sends a course's about page to a site of your own.
//!
//! This file connects the rule to Hookbox; the rule itself is in [`rule`].

pub mod rule;

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:course-about-url;

        world course-about-url {
            include hookbox:plugin/plugin@1.0.0;
            export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
            export hookbox:plugin/lifecycle@1.0.0;
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

use crate::exports::hookbox::plugin::lifecycle;
use crate::exports::openedx::filters::learning_course_about_page_url_requested_v1::{
    Changes, Failure, Guest as Filter, Outcome,
};
use crate::rule::Settings;
use crate::wasi::config::store;
use crate::wasi::logging::logging;

struct CourseAboutUrl;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(CourseAboutUrl);

impl Filter for CourseAboutUrl {
    fn run_filter(url: String, _org: String) -> Result<Outcome, Failure> {
        report_panics();
        let settings = settings().map_err(Failure::Error)?;
        Ok(Outcome::Proceed(Changes { url: rule::about_url(&url, &settings), org: None }))
    }
}

impl lifecycle::Guest for CourseAboutUrl {
    fn configure(settings: String) -> Result<(), String> {
        report_panics();
        Settings::from_json(&settings).map(|_| ())
    }
}

/// The operator's settings, with the default for each one that is absent.
fn settings() -> Result<Settings, String> {
    let defaults = Settings::default();
    Ok(Settings {
        redirect_domain: setting("redirect_domain")?.unwrap_or(defaults.redirect_domain),
        path: setting("path")?.unwrap_or(defaults.path),
    })
}

fn setting(key: &str) -> Result<Option<String>, String> {
    store::get(key).map_err(|error| format!("cannot read the setting {key}: {error}"))
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}
