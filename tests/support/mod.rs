//! What the promises share: hooks and values, a site, a server, HTTP, guests, people and their tokens.

pub(crate) mod archive;
pub(crate) mod bombs;
pub(crate) mod guest;
pub(crate) mod http;
pub(crate) mod jwt;
pub(crate) mod raw;
pub(crate) mod releases;
pub(crate) mod site;

use serde_json::{Value, json};

pub(crate) use site::{Ran, Server, Site};

/// The filter that `course-about-url` takes.
pub(crate) const ABOUT_URL: &str = "org.openedx.learning.course_about.page.url.requested.v1";
/// The name that Open edX's documentation gives that filter.
pub(crate) const ABOUT_RENDER: &str = "org.openedx.learning.course.about.render.started.v1";
/// The filter that `enrollment-guard` takes.
pub(crate) const ENROLLMENT: &str = "org.openedx.learning.course.enrollment.started.v1";
/// A filter that no sample takes, with passwords in its argument.
pub(crate) const REGISTRATION: &str = "org.openedx.learning.student.registration.requested.v1";
/// A filter that no sample takes.
pub(crate) const NO_STEPS: &str = "org.openedx.learning.idv.page.url.requested.v1";
/// The event that `catalog-logger` receives.
pub(crate) const CATALOG_INFO: &str = "org.openedx.content_authoring.course.catalog_info.changed.v1";

pub(crate) const COURSE: &str = "course-v1:edX+DemoX+Demo_Course";
pub(crate) const OLD_URL: &str = "https://lms.example.com/courses/course-v1:edX+DemoX+Demo_Course/about";
pub(crate) const NEW_URL: &str = "https://example.com/new_about_page/course-v1:edX+DemoX+Demo_Course";

/// Arguments of [`ABOUT_URL`].
pub(crate) fn about(url: &str) -> Value {
    json!({"url": url, "org": "edX"})
}

/// Arguments of [`ENROLLMENT`].
pub(crate) fn enrollment(mode: &str) -> Value {
    json!({
        "user": {"id": 7, "username": "ada", "email": "ada@example.com", "is_active": true, "is_staff": false, "is_superuser": false},
        "course_key": COURSE,
        "mode": mode,
    })
}

/// Data of [`CATALOG_INFO`].
pub(crate) fn catalog_info(course_key: &str) -> Value {
    json!({"catalog_info": {
        "course_key": course_key,
        "name": "Demo",
        "schedule_data": {"start": "2026-01-15T09:30:00+00:00", "pacing": "instructor"},
        "hidden": false,
        "invitation_only": false,
    }})
}

/// A structured CloudEvent.
pub(crate) fn event(id: &str, event_type: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "openedx/cms/web", "type": event_type, "data": data})
}

/// A structured CloudEvent that no other has the id of: a change of a course's catalogue information.
pub(crate) fn catalog_change(course_key: &str) -> Value {
    event(&uuid::Uuid::new_v4().to_string(), CATALOG_INFO, &catalog_info(course_key))
}

/// A change of a course's catalogue information whose id ends with these digits, of hexadecimal.
pub(crate) fn numbered(number: u64, course_key: &str) -> Value {
    event(&format!("00000000-0000-4000-8000-{number:012x}"), CATALOG_INFO, &catalog_info(course_key))
}

/// The names and outcomes of an answer's steps.
pub(crate) fn steps(answer: &Value) -> Vec<(&str, &str)> {
    let list = answer["steps"].as_array().expect("steps");
    list.iter().map(|step| (step["plugin"].as_str().unwrap(), step["outcome"].as_str().unwrap())).collect()
}
