//! An event receiver: logs the key of each course whose catalog information changed.

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:catalog-logger;

        world catalog-logger {
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

struct CatalogLogger;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(CatalogLogger);

impl Receiver for CatalogLogger {
    fn receive(catalog_info: CourseCatalogData, _metadata: EventMetadata) -> Result<(), ReceiveFailure> {
        report_panics();
        logging::log(logging::Level::Info, "", &updated(&catalog_info.course_key));
        Ok(())
    }
}

/// The line to log.
fn updated(course_key: &str) -> String {
    format!("{course_key} has been updated!")
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_names_the_course() {
        assert_eq!(
            super::updated("course-v1:edX+DemoX+Demo_Course"),
            "course-v1:edX+DemoX+Demo_Course has been updated!"
        );
    }
}
