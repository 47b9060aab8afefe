//! A filter step: lets only some enrollment modes and e-mail domains enroll.
//!
//! This file connects the rule to Hookbox; the rule itself is in [`rule`].

pub mod rule;

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:enrollment-guard;

        world enrollment-guard {
            include hookbox:plugin/plugin@1.0.0;
            export openedx:filters/learning-course-enrollment-started-v1@1.0.0;
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
use crate::exports::openedx::filters::learning_course_enrollment_started_v1::{
    Changes, CourseKey, Failure, Guest as Filter, Outcome, PreventEnrollment, User,
};
use crate::rule::{EMAIL_DOMAINS, List, MODES, Rule};
use crate::wasi::config::store;
use crate::wasi::logging::logging;

struct EnrollmentGuard;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(EnrollmentGuard);

impl Filter for EnrollmentGuard {
    fn run_filter(user: User, _course_key: CourseKey, mode: String) -> Result<Outcome, Failure> {
        report_panics();
        let rule = rule().map_err(Failure::Error)?;
        rule.check(&mode, &user.email).map_err(|message| {
            Failure::PreventEnrollment(PreventEnrollment {
                message,
                redirect_to: None,
                status_code: Some(403),
            })
        })?;
        Ok(Outcome::Proceed(Changes { user: None, course_key: None, mode: None }))
    }
}

impl lifecycle::Guest for EnrollmentGuard {
    // A guard with a mistyped setting would let everyone in, so it must not go live.
    fn configure(settings: String) -> Result<(), String> {
        report_panics();
        Rule::from_json(&settings).map(|_| ())
    }
}

/// The rule that the operator's settings make.
fn rule() -> Result<Rule, String> {
    Ok(Rule { modes: list(MODES)?, email_domains: list(EMAIL_DOMAINS)? })
}

fn list(key: &str) -> Result<Option<List>, String> {
    let text = store::get(key).map_err(|error| format!("cannot read the setting {key}: {error}"))?;
    text.map(|text| List::parse(key, &text)).transpose()
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}
