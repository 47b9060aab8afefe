//! `hooks = ["*"]`.

use std::path::Path;

use hookbox_sandbox::{Sandbox, SandboxOptions};

use super::*;
use crate::generation::Generation;
use crate::load::{Recipe, Sample, load};
use crate::settings::{PluginTable, PluginsTable};

const OWN: &str = "org.example.happened.v1";

/// A component that exports generic interfaces.
fn component(interfaces: &[(&str, &str)]) -> &'static [u8] {
    let exports: String =
        interfaces.iter().map(|(name, _)| format!(";; export hookbox:plugin/{name}@1.0.0;\n")).collect();
    let functions: String = interfaces
        .iter()
        .map(|(name, function)| {
            format!("(func (export \"hookbox:plugin/{name}@1.0.0#{function} (result i32) (i32.const 1024))\n")
        })
        .collect();
    let text = format!(
        r#"{exports}(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))
            {functions})"#
    );
    Vec::leak(hookbox_hostile::component(&text).unwrap())
}

const STEP: (&str, &str) = ("any-filter", r#"run-filter") (param i32 i32 i32 i32)"#);
const RECEIVER: (&str, &str) = ("any-event", r#"receive") (param i32)"#);

async fn loaded(interfaces: &[(&str, &str)], hooks: &[&str]) -> Result<Generation, Vec<LoadError>> {
    let sandbox = Sandbox::new(SandboxOptions::default()).unwrap();
    let hooks = hooks.iter().map(|hook| (*hook).to_owned()).collect();
    let table = PluginTable { hooks, ..PluginTable::default() };
    let plugins = BTreeMap::from([("all".to_owned(), table)]);
    let plugins = PluginsTable { plugins, ..PluginsTable::default() };
    let samples = [Sample { name: "all", component: component(interfaces), default: true }];
    let filters = FiltersTable::new();
    let recipe = Recipe { plugins: &plugins, filters: &filters, samples: &samples, folder: Path::new(".") };
    load(&sandbox, recipe, None).await
}

/// The types of events that the plugin receives.
fn received(generation: &Generation) -> Vec<&str> {
    generation.events().filter(|(_, receivers)| !receivers.is_empty()).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn a_star_is_every_event_of_the_catalogue_and_nothing_else() {
    let generation = loaded(&[STEP, RECEIVER], &["*"]).await.unwrap();
    let mut catalogued: Vec<&str> =
        Catalogue::embedded().events().iter().map(|event| event.event_type.as_str()).collect();
    catalogued.sort_unstable();
    assert_eq!(received(&generation), catalogued);
    let reason = &generation.receivers(catalogued[0]).unwrap()[0].reason;
    assert_eq!(reason, "its `hooks` has \"*\", which is every event of the catalogue");
    assert!(generation.pipelines().all(|(_, pipeline)| pipeline.steps.is_empty()), "it is no filter's step");
    for unknown in ["*", OWN] {
        assert!(generation.receivers(unknown).is_none() && generation.pipeline(unknown).is_none());
    }
}

#[tokio::test]
async fn types_of_ones_own_are_named_beside_the_star() {
    let generation = loaded(&[RECEIVER], &["*", OWN]).await.unwrap();
    assert_eq!(received(&generation).len(), Catalogue::embedded().events().len() + 1);
    assert_eq!(generation.receivers(OWN).unwrap()[0].reason, format!("its `hooks` names {OWN}"));
}

#[tokio::test]
async fn a_star_for_a_plugin_that_takes_filters_only_is_a_mistake() {
    let errors = loaded(&[STEP], &["*"]).await.unwrap_err();
    let said = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("takes filters only") && said.contains("name the filters"), "{said}");
}
