//! Generations of a real component.

use std::path::Path;

use hookbox_sandbox::{Sandbox, SandboxOptions};
use serde_json::{Map, Value};

use super::*;
use crate::load::{Recipe, Sample, load};
use crate::pipeline::StepFailure;
use crate::settings::{FiltersTable, PluginTable, PluginsTable, QuarantineTable};

const ABOUT_URL: &str = "org.openedx.learning.course_about.page.url.requested.v1";

fn component() -> &'static [u8] {
    let prebuilt = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-plugins/prebuilt");
    let folder = std::env::var("HOOKBOX_GUESTS").unwrap_or_else(|_| prebuilt.to_owned());
    let path = Path::new(&folder).join("test-panic.wasm");
    Vec::leak(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The code of the only step's failure.
async fn failure(generation: &Generation, url: &str) -> Option<&'static str> {
    let kwargs = ["url", "org"].map(|name| (name.to_owned(), Value::from(url)));
    let run = generation.pipeline(ABOUT_URL).unwrap().run(Map::from_iter(kwargs)).await.unwrap();
    run.steps[0].failure.as_ref().map(StepFailure::code)
}

#[tokio::test]
async fn another_release_of_a_plugin_that_is_put_aside_begins_anew() {
    let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
    let quarantine = QuarantineTable { failures: Some(2), ..QuarantineTable::default() };
    let table = PluginTable { quarantine, ..PluginTable::default() };
    let plugins = BTreeMap::from([("test-panic".to_owned(), table)]);
    let plugins = PluginsTable { plugins, ..PluginsTable::default() };
    let samples = [Sample { name: "test-panic", component: component(), default: true }];
    let filters = FiltersTable::new();
    let recipe = Recipe { plugins: &plugins, filters: &filters, samples: &samples, folder: Path::new(".") };
    let first = load(&sandbox, recipe.clone(), None).await.unwrap();
    assert_eq!(failure(&first, "/panic").await, Some("trap"));
    assert_eq!(failure(&first, "/panic").await, Some("trap"));
    assert_eq!(failure(&first, "/fine").await, Some("quarantined"));

    let second = load(&sandbox, recipe, None).await.unwrap();
    assert_eq!(failure(&second, "/fine").await, None);
    assert!(second.plugin("test-panic").unwrap().quarantine().is_none());
    assert_eq!(failure(&first, "/fine").await, Some("quarantined"), "calls in flight keep theirs");
}
