//! Which resource a path names, as Django's URL patterns and the REST framework's suffixes decide.

/// Where the API lives.
pub(crate) const BASE: &str = "/sample-plugin/api/v1/";
/// The resource's name in paths.
pub(crate) const STATUSES: &str = "course-archive-status";

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The API's root.
    Root,
    /// All rows.
    List,
    /// One row, by its id as the path spells it.
    Detail(String),
}

impl Resource {
    /// The methods it takes, in the order of `Allow`.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Self::Root => "GET, HEAD, OPTIONS",
            Self::List => "GET, POST, HEAD, OPTIONS",
            Self::Detail(_) => "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        }
    }
}

/// What to do with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A resource, and the format that a suffix asks for.
    To { resource: Resource, suffix: Option<String> },
    /// The path lacks its last slash.
    AppendSlash,
    /// Nothing is here.
    Nothing,
}

/// Finds what a decoded path names.
pub(crate) fn route(path: &str) -> Route {
    let Some(rest) = path.strip_prefix(BASE) else {
        return if path == BASE.trim_end_matches('/') { Route::AppendSlash } else { Route::Nothing };
    };
    if rest.is_empty() {
        return Route::To { resource: Resource::Root, suffix: None };
    }
    if let Some(suffix) = suffix(rest) {
        return Route::To { resource: Resource::Root, suffix: Some(suffix) };
    }
    let Some(rest) = rest.strip_prefix(STATUSES) else { return Route::Nothing };
    if let Some(suffix) = suffix(rest) {
        return Route::To { resource: Resource::List, suffix: Some(suffix) };
    }
    let Some(rest) = rest.strip_prefix('/') else {
        return if rest.is_empty() { Route::AppendSlash } else { Route::Nothing };
    };
    if rest.is_empty() {
        return Route::To { resource: Resource::List, suffix: None };
    }
    let end = rest.find(['/', '.']).unwrap_or(rest.len());
    let (id, after) = rest.split_at(end);
    if id.is_empty() {
        return Route::Nothing;
    }
    let resource = || Resource::Detail(id.to_owned());
    match (after, suffix(after)) {
        ("", _) => Route::AppendSlash,
        ("/", _) => Route::To { resource: resource(), suffix: None },
        (_, Some(suffix)) => Route::To { resource: resource(), suffix: Some(suffix) },
        _ => Route::Nothing,
    }
}

/// `json` of `.json` and of `.json/`.
fn suffix(text: &str) -> Option<String> {
    let format = text.strip_prefix('.')?;
    let format = format.strip_suffix('/').unwrap_or(format);
    let sound =
        !format.is_empty() && format.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    sound.then(|| format.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_name_in_django() {
        let to = |resource: Resource, suffix: Option<&str>| Route::To {
            resource,
            suffix: suffix.map(str::to_owned),
        };
        let detail = |id: &str| Resource::Detail(id.to_owned());
        for (path, expected) in [
            ("/sample-plugin/api/v1", Route::AppendSlash),
            ("/sample-plugin/api/v1/", to(Resource::Root, None)),
            ("/sample-plugin/api/v1/.json", to(Resource::Root, Some("json"))),
            ("/sample-plugin/api/v1/course-archive-status", Route::AppendSlash),
            ("/sample-plugin/api/v1/course-archive-status/", to(Resource::List, None)),
            ("/sample-plugin/api/v1/course-archive-status.json", to(Resource::List, Some("json"))),
            ("/sample-plugin/api/v1/course-archive-status.xml/", to(Resource::List, Some("xml"))),
            ("/sample-plugin/api/v1/course-archive-status.JSON", Route::Nothing),
            ("/sample-plugin/api/v1/course-archive-status/1", Route::AppendSlash),
            ("/sample-plugin/api/v1/course-archive-status/1/", to(detail("1"), None)),
            ("/sample-plugin/api/v1/course-archive-status/\n/", to(detail("\n"), None)),
            ("/sample-plugin/api/v1/course-archive-status/1.json", to(detail("1"), Some("json"))),
            ("/sample-plugin/api/v1/course-archive-status/1.0/", to(detail("1"), Some("0"))),
            ("/sample-plugin/api/v1/course-archive-status/1.", Route::Nothing),
            ("/sample-plugin/api/v1/course-archive-status/.json", Route::Nothing),
            ("/sample-plugin/api/v1/course-archive-status//", Route::Nothing),
            ("/sample-plugin/api/v1/course-archive-status/1/x/", Route::Nothing),
            ("/sample-plugin/api/v1/course-archive-status/1//", Route::Nothing),
            ("/sample-plugin/api/v1/course-archive-statuses/", Route::Nothing),
            ("/sample-plugin/api/v2/", Route::Nothing),
            ("/sample-plugin/api/v1x/", Route::Nothing),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }
}
