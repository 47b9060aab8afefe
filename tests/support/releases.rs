//! What an operator does with releases over HTTP. The plugin is always `mine`.

use serde_json::{Value, json};

use super::guest::answering;
use super::http::Answer;
use super::{ABOUT_URL, OLD_URL, Server, Site, about};

/// A configuration without a plugin.
pub(crate) const CONFIGURATION: &str = "[plugins]\nsamples = false";
const MINE: &str = "/admin/api/plugins/mine";

impl Server {
    /// Sends a component as a release of `mine`; `query` begins with `?`, or is nothing.
    #[track_caller]
    pub(crate) fn install(&self, query: &str, component: impl AsRef<[u8]>) -> Answer {
        self.install_as("mine", query, component)
    }

    /// The same of another plugin.
    #[track_caller]
    pub(crate) fn install_as(&self, name: &str, query: &str, component: impl AsRef<[u8]>) -> Answer {
        let path = format!("/admin/api/plugins/{name}{query}");
        self.send("PUT", &path, &[("content-type", "application/wasm")], component)
    }

    /// Posts a change of `mine`, such as `approve`.
    #[track_caller]
    pub(crate) fn change(&self, action: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send("POST", &format!("{MINE}/{action}"), &headers, body.to_string())
    }

    /// Ends the trial of `mine`; the live release stays.
    #[track_caller]
    pub(crate) fn end_trial(&self) -> Answer {
        self.send("DELETE", &format!("{MINE}/trial"), &[], "")
    }

    /// Removes `mine`.
    #[track_caller]
    pub(crate) fn remove(&self) -> Value {
        self.send("DELETE", MINE, &[], "").json(200)
    }

    /// `mine` as operators see it.
    #[track_caller]
    pub(crate) fn mine(&self) -> Value {
        self.get(MINE).json(200)
    }

    /// Every plugin as operators see it.
    #[track_caller]
    pub(crate) fn plugins(&self) -> Value {
        self.get("/admin/api/plugins").json(200)["plugins"].take()
    }

    /// What was done to `mine`, the latest first.
    #[track_caller]
    pub(crate) fn audit(&self) -> Vec<Value> {
        let mut page = self.get("/admin/api/audit?plugin=mine").json(200);
        serde_json::from_value(page["entries"].take()).unwrap()
    }

    /// What a call makes of this url; the url as it was when no plugin takes it.
    #[track_caller]
    pub(crate) fn moved(&self, url: &str) -> String {
        let answer = self.filter(ABOUT_URL, &about(url)).json(200);
        answer["kwargs"]["url"].as_str().unwrap().to_owned()
    }

    /// The same of a page that every plugin here moves.
    #[track_caller]
    pub(crate) fn answered(&self) -> String {
        self.moved(OLD_URL)
    }
}

/// A server where `mine` answers with `one`.
pub(crate) fn one_is_live() -> (Site, Server) {
    let site = Site::new(CONFIGURATION);
    let server = site.serve();
    server.install("", answering("one")).json(201);
    (site, server)
}

/// A server where `mine` answers as this component, with these grants for it and what comes after.
pub(crate) fn live_with(component: Vec<u8>, grants: &str) -> (Site, Server) {
    let configuration =
        format!("{CONFIGURATION}\n[plugins.mine]\ngrants = [{grants}]\nlimits = {{ time = \"30s\" }}");
    let site = Site::new(&configuration);
    let server = site.serve();
    server.install("", component).json(201);
    (site, server)
}

/// Waits until the trial has counted so many calls; what it counted, and its examples.
#[track_caller]
pub(crate) fn counted(server: &Server, calls: u64) -> (Value, Vec<Value>) {
    server.until("the calls are counted", |server| server.mine()["trial"]["counts"]["calls"] == calls);
    let mut trial = server.mine()["trial"].take();
    (trial["counts"].take(), serde_json::from_value(trial["examples"].take()).unwrap())
}

/// Counts of a trial that left no call out.
pub(crate) fn counts(calls: u64, equal: u64, different: u64, failed: u64) -> Value {
    json!({"calls": calls, "equal": equal, "different": different, "failed": failed, "left_out": 0})
}

/// Waits until the trial is over; the entry that tells of it.
#[track_caller]
pub(crate) fn over(server: &Server) -> Value {
    server.until("the trial is over", |server| server.mine()["trial"].is_null());
    server.audit().remove(0)
}
