//! An event receiver with a mistake that is easily made: it logs from when to when a course lasts, and takes it for granted
//! that the course has an end. For the README and the host's tests.

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:test-course-length;

        world test-course-length {
            include hookbox:plugin/plugin@1.0.0;
            export openedx:events/content-authoring-course-catalog-info-changed-v1@1.0.0;
        }
    ",
    path: [
        "../../wit/deps/wasi-config",
        "../../wit/deps/wasi-logging",
        "../../wit/hookbox",
        "../../wit/openedx-events",
    ],
    generate_all,
});

use crate::exports::openedx::events::content_authoring_course_catalog_info_changed_v1::{
    CourseCatalogData, EventMetadata, Guest as Receiver, ReceiveFailure,
};
use crate::wasi::logging::logging;

struct CourseLength;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(CourseLength);

impl Receiver for CourseLength {
    fn receive(catalog_info: CourseCatalogData, _metadata: EventMetadata) -> Result<(), ReceiveFailure> {
        report_panics();
        let schedule = catalog_info.schedule_data;
        let text = lasts(&catalog_info.course_key, &schedule.start, schedule.end.as_deref());
        logging::log(logging::Level::Info, "", &text);
        Ok(())
    }
}

/// The line to log.
#[inline(never)]
fn lasts(course_key: &str, start: &str, end: Option<&str>) -> String {
    let end = end.expect("a course has an end");
    format!("{course_key} lasts from {start} to {end}")
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}

#[cfg(test)]
mod tests {
    use super::lasts;

    #[test]
    fn the_line_names_start_and_end() {
        assert_eq!(
            lasts("course-v1:a+b+c", "2026-01-15", Some("2026-06-01")),
            "course-v1:a+b+c lasts from 2026-01-15 to 2026-06-01"
        );
    }

    #[test]
    #[should_panic(expected = "a course has an end")]
    fn a_course_without_an_end_is_the_mistake() {
        lasts("course-v1:a+b+c", "2026-01-15", None);
    }
}
