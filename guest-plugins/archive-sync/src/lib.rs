//! An event receiver: notes when a course's archive statuses last agreed with its catalog information.
//!
//! This file connects the rule to Hookbox; the rule itself is in [`rule`].

pub mod rule;

use first_heap as _;

wit_bindgen::generate!({
    inline: "
        package hookbox:archive-sync;

        world archive-sync {
            include hookbox:plugin/plugin@1.0.0;
            import hookbox:plugin/course-archive@1.0.0;
            import hookbox:plugin/course-archive-updates@1.0.0;
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
use crate::hookbox::plugin::course_archive::{ArchiveError, ArchiveQuery, list_statuses};
use crate::hookbox::plugin::course_archive_updates::set_last_synced;
use crate::wasi::logging::logging;

struct ArchiveSync;

// A native linker does not take the names of these exports, and `cargo test` links natively.
#[cfg(target_family = "wasm")]
export!(ArchiveSync);

impl Receiver for ArchiveSync {
    fn receive(catalog_info: CourseCatalogData, metadata: EventMetadata) -> Result<(), ReceiveFailure> {
        report_panics();
        let (course, time) = (&catalog_info.course_key, &metadata.time);
        let last_synced = last_synced(course).map_err(failure)?;
        if rule::is_outdated(time, last_synced.as_deref()) {
            note(&format!("{course}: the event of {time} is older than the last one that was synced"));
            return Ok(());
        }
        let statuses = set_last_synced(course, time).map_err(failure)?;
        note(&format!("{course}: {statuses} statuses synced as of {time}"));
        Ok(())
    }
}

/// The time of the last event that reached the course's oldest status. No other status has a later one.
fn last_synced(course: &str) -> Result<Option<String>, ArchiveError> {
    let oldest = ArchiveQuery {
        course_id: Some(course.to_owned()),
        user: None,
        is_archived: None,
        after: None,
        limit: 1,
    };
    Ok(list_statuses(&oldest)?.into_iter().next().and_then(|status| status.last_synced))
}

fn failure(error: ArchiveError) -> ReceiveFailure {
    match error {
        ArchiveError::Unavailable(reason) => ReceiveFailure::Retry(reason),
        ArchiveError::Invalid(reason) => ReceiveFailure::Reject(reason),
    }
}

fn note(text: &str) {
    logging::log(logging::Level::Debug, "", text);
}

fn report_panics() {
    panic_report::install(|text| logging::log(logging::Level::Critical, "panic", text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_be_is_not() {
        let unavailable = failure(ArchiveError::Unavailable("not now".to_owned()));
        assert!(matches!(unavailable, ReceiveFailure::Retry(reason) if reason == "not now"));
        let invalid = failure(ArchiveError::Invalid("no key".to_owned()));
        assert!(matches!(invalid, ReceiveFailure::Reject(reason) if reason == "no key"));
    }
}
