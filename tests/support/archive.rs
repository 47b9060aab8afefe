//! People who use the course archive's REST API.

use serde_json::Value;

use super::http::{self, Answer};
use super::{Server, Site};

/// The list of rows; a row's own path is its id after this.
pub(crate) const ROWS: &str = "/sample-plugin/api/v1/course-archive-status/";

/// A configuration without plugins and without the throttle; `more` stands below it.
pub(crate) fn unthrottled(more: &str) -> String {
    format!("[plugins]\nsamples = false\n[archive]\nrate_limit = \"unlimited\"\n{more}")
}

/// The path of the row with this id.
pub(crate) fn row(id: &Value) -> String {
    format!("{ROWS}{id}/")
}

/// Somebody with a token of this site's server.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: i64,
    /// What they send as `Authorization`.
    pub(crate) authorization: String,
}

impl Person {
    /// Makes them a token with `hookbox token`; `marks` such as `--staff`.
    #[track_caller]
    pub(crate) fn new(site: &Site, name: &str, id: i64, marks: &[&str]) -> Self {
        let text = id.to_string();
        let token = site.token(&[&["--user", name, "--user-id", &text], marks].concat());
        Self { id, authorization: format!("JWT {token}") }
    }

    /// The same, known to this server from now on.
    #[track_caller]
    pub(crate) fn known(server: &Server, site: &Site, name: &str, id: i64, marks: &[&str]) -> Self {
        let person = Self::new(site, name, id, marks);
        assert_eq!(person.get(server, ROWS).json(200)["count"], 0, "a site without rows");
        person
    }

    /// One request, to its answer.
    pub(crate) fn try_ask(
        &self,
        base: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Answer, ureq::Error> {
        let headers = [("authorization", self.authorization.as_str()), ("content-type", "application/json")];
        http::send(method, &format!("{base}{path}"), &headers, body.to_string().as_bytes())
    }

    /// One request to a server that runs.
    #[track_caller]
    pub(crate) fn ask(&self, server: &Server, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.try_ask(server.url(), method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", server.log()))
    }

    #[track_caller]
    pub(crate) fn get(&self, server: &Server, path: &str) -> Answer {
        self.ask(server, "GET", path, &Value::Null)
    }

    #[track_caller]
    pub(crate) fn post(&self, server: &Server, body: &Value) -> Answer {
        self.ask(server, "POST", ROWS, body)
    }

    #[track_caller]
    pub(crate) fn patch(&self, server: &Server, id: &Value, body: &Value) -> Answer {
        self.ask(server, "PATCH", &row(id), body)
    }

    #[track_caller]
    pub(crate) fn delete(&self, server: &Server, id: &Value) -> Answer {
        self.ask(server, "DELETE", &row(id), &Value::Null)
    }

    /// Every row that they see, over all pages, by id.
    #[track_caller]
    pub(crate) fn all(&self, server: &Server) -> Vec<Value> {
        let mut rows = Vec::new();
        for page in 1.. {
            let path = format!("{ROWS}?ordering=created_at&page_size=100&page={page}");
            let answer = self.get(server, &path).json(200);
            rows.extend(answer["results"].as_array().unwrap().iter().cloned());
            if answer["next"].is_null() {
                assert_eq!(answer["count"], rows.len(), "the count is that of the rows");
                break;
            }
        }
        rows.sort_by_key(|row| row["id"].as_i64());
        rows
    }
}
