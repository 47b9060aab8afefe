//! What creating and updating do to a row.

use hookbox_store::{NewStatus, Status, Timestamp};

use crate::draft::{Course, Wanted};

/// The row that a valid body creates. `caller` owns it unless the body names another.
/// `None` without a course, which a body of this kind always has.
pub fn created(wanted: &Wanted, caller: i64, now: Timestamp) -> Option<NewStatus> {
    let is_archived = wanted.is_archived.unwrap_or(false);
    Some(created_in(wanted.course.as_ref()?, wanted.user.unwrap_or(caller), is_archived, now))
}

/// A new row of this course and user.
pub fn created_in(course: &Course, user: i64, is_archived: bool, now: Timestamp) -> NewStatus {
    NewStatus {
        course_id: course.kept.clone(),
        user,
        is_archived,
        archive_date: is_archived.then_some(now),
        created_at: now,
        updated_at: now,
    }
}

/// The row after a valid body. What the body leaves out stays, also its `user`: who wants a default puts it in.
///
/// `archive_date` is set when the row becomes archived, cleared when it is not, and kept otherwise. `updated_at` always
/// moves forward, also when nothing else changes or the clock went back.
pub fn changed(current: &Status, wanted: &Wanted, now: Timestamp) -> Status {
    let is_archived = wanted.is_archived.unwrap_or(current.is_archived);
    let next = Timestamp::from_micros(current.updated_at.as_micros().saturating_add(1));
    let now = now.max(next);
    let archive_date = match (current.is_archived, is_archived) {
        (false, true) => Some(now),
        (true, true) => current.archive_date,
        (_, false) => None,
    };
    Status {
        course_id: wanted
            .course
            .as_ref()
            .map_or_else(|| current.course_id.clone(), |course| course.kept.clone()),
        user: wanted.user.unwrap_or(current.user),
        is_archived,
        archive_date,
        updated_at: now,
        ..current.clone()
    }
}
