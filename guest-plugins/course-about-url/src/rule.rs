//! Which address a course's about page gets.

use serde::Deserialize;

/// What the operator can set.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Host of the site that has the about pages.
    pub redirect_domain: String,
    /// Path on that site, before the course key.
    pub path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { redirect_domain: "example.com".to_owned(), path: "new_about_page".to_owned() }
    }
}

impl Settings {
    /// Read and check settings, a JSON object. The error is a text for the operator.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        let domain = &settings.redirect_domain;
        if domain.is_empty() || domain.contains(|c: char| c == '/' || c.is_whitespace()) {
            return Err(format!(
                "redirect_domain: {domain:?} is not a host name; write it without scheme, path or spaces, \
                 as in \"example.com\""
            ));
        }
        if settings.path.is_empty() {
            return Err("path: must not be empty; leave it out for \"new_about_page\"".to_owned());
        }
        Ok(settings)
    }
}

/// The new address, or `None` when `url` names no course.
pub fn about_url(url: &str, settings: &Settings) -> Option<String> {
    let course_key = course_key(url)?;
    Some(format!("https://{}/{}/{course_key}", settings.redirect_domain, settings.path))
}

/// The first match of `course-v1:[^/]+`, the pattern that Open edX's own sample step searches with.
fn course_key(url: &str) -> Option<&str> {
    const PREFIX: &str = "course-v1:";
    url.match_indices(PREFIX).find_map(|(start, _)| {
        let key = url[start..].split('/').next()?;
        (key.len() > PREFIX.len()).then_some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(url: &str) -> Option<String> {
        about_url(url, &Settings::default())
    }

    #[test]
    fn the_course_key_moves_to_the_new_site() {
        assert_eq!(
            redirected("http://lms.test/courses/course-v1:edX+DemoX+Demo_Course/about").as_deref(),
            Some("https://example.com/new_about_page/course-v1:edX+DemoX+Demo_Course")
        );
    }

    #[test]
    fn a_key_at_the_end_of_the_url_is_found() {
        assert_eq!(
            redirected("/courses/course-v1:a+b+c").as_deref(),
            Some("https://example.com/new_about_page/course-v1:a+b+c")
        );
    }

    #[test]
    fn the_first_of_two_keys_counts_and_an_empty_one_does_not() {
        assert_eq!(
            redirected("/course-v1:/course-v1:a+b+c/course-v1:d+e+f").as_deref(),
            Some("https://example.com/new_about_page/course-v1:a+b+c")
        );
    }

    #[test]
    fn a_url_without_a_course_key_stays() {
        assert_eq!(redirected("http://lms.test/courses/edX/DemoX/2014/about"), None);
        assert_eq!(redirected("course-v1:"), None);
        assert_eq!(redirected(""), None);
    }

    #[test]
    fn settings_choose_the_site() {
        let settings =
            Settings::from_json(r#"{"redirect_domain": "site.test:8443", "path": "a/b"}"#).unwrap();
        assert_eq!(
            about_url("/course-v1:a+b+c", &settings).as_deref(),
            Some("https://site.test:8443/a/b/course-v1:a+b+c")
        );
    }

    #[test]
    fn no_settings_are_the_defaults() {
        assert_eq!(Settings::from_json("{}"), Ok(Settings::default()));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (json, named) in [
            (r#"{"redirect_domian": "x"}"#, "`redirect_domian`"),
            (r#"{"redirect_domain": ""}"#, "redirect_domain"),
            (r#"{"redirect_domain": "https://example.com"}"#, "redirect_domain"),
            (r#"{"redirect_domain": "example com"}"#, "redirect_domain"),
            (r#"{"path": ""}"#, "path"),
            (r#"{"path": 5}"#, "expected a string"),
        ] {
            let error = Settings::from_json(json).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}
