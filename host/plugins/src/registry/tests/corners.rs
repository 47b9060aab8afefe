//! What operators meet seldom, and must get out of.

use std::path::PathBuf;

use super::*;
use crate::trial::TrialKind;

impl Host {
    fn file(&self, bytes: &[u8]) -> PathBuf {
        let digest = hookbox_sandbox::Digest::of(bytes).to_string();
        self.folder.path().join(format!("releases/{}.wasm", digest.trim_start_matches("sha256:")))
    }

    fn with_component(&self, plugin: &str, table: PluginTable) -> Configured {
        let mut plugins = PluginsTable::default();
        plugins.plugins.insert(plugin.to_owned(), table);
        self.configured(plugins)
    }
}

fn shadow() -> TrialRequest {
    TrialRequest { kind: TrialKind::Shadow, percent: 100.0, rule: None, values: false }
}

#[tokio::test]
async fn cleaning_up_leaves_a_component_that_is_being_installed() {
    let host = Host::new();
    let registry = host.started().await;
    let installing = tokio::spawn({
        let registry = registry.clone();
        async move { registry.install(new("about", variant(1)), ada()).await }
    });
    let file = host.file(&variant(1));
    while !file.exists() && !installing.is_finished() {
        tokio::task::yield_now().await;
    }
    // As when another plugin is removed right now.
    let desk = registry.0.desk().await;
    registry.0.clean(&desk).await;
    drop(desk);
    assert_eq!(installing.await.unwrap().unwrap().outcome, "live");
    assert!(file.exists(), "a live release has its file");
    registry.remove("about", Rows::Keep, ada()).await.unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn the_same_bytes_mend_the_file_of_a_live_release() {
    let host = Host::new();
    let registry = host.started().await;
    registry.install(new("about", variant(1)), ada()).await.unwrap();
    std::fs::write(host.file(&variant(1)), b"damaged").unwrap();
    let again = registry.install(new("about", variant(1)), ada()).await.unwrap();
    assert_eq!(again.outcome, "unchanged");
    assert_eq!(std::fs::read(host.file(&variant(1))).unwrap(), variant(1));
}

#[tokio::test]
async fn a_grant_for_the_live_release_leaves_its_trial_running() {
    let host = Host::new();
    let registry = host.started().await;
    registry.install(new("about", variant(1)), ada()).await.unwrap();
    let then = Then::Try(shadow());
    registry.install(NewRelease { then, ..new("about", variant(2)) }, ada()).await.unwrap();
    let approval = Approval { grants: vec!["keyvalue".to_owned()], ..Approval::default() };
    let approved = registry.approve("about", approval, ada()).await.unwrap();
    assert_eq!((approved.outcome, approved.plugin.trial.map(|trial| trial.plan.release)), ("live", Some(2)));
    // Nothing more is granted, so nothing is made anew.
    let again = registry.approve("about", Approval::default(), ada()).await.unwrap();
    assert_eq!((again.outcome, again.generation), ("unchanged", approved.generation));
    registry.end_trial("about", TrialEnd::RollBack, ada()).await.unwrap();
    let begun = registry.begin_trial("about", ReleaseRef::Number(2), shadow(), ada()).await;
    assert_eq!(begun.unwrap().outcome, "trial");
}

#[tokio::test]
async fn a_rollback_never_goes_forward() {
    let host = Host::new();
    let registry = host.started().await;
    for number in [1, 2] {
        registry.install(new("about", variant(number)), ada()).await.unwrap();
    }
    registry.roll_back("about", None, ada()).await.unwrap();
    registry.disable("about", ada()).await.unwrap();
    let further = registry.roll_back("about", None, ada()).await.unwrap_err();
    assert_eq!(further.code(), "plugin-state", "{further}");
    assert_eq!(states(&registry, "about"), ["disabled", "replaced"]);
}

#[tokio::test]
async fn an_older_release_that_is_lost_is_shown_and_what_replaced_it_is_no_source_s_to_take() {
    let host = Host::new();
    let registry = host.started().await;
    registry.install(new("about", variant(1)), ada()).await.unwrap();
    let offered = NewRelease { source: Source::Folder, ..new("about", variant(2)) };
    registry.install(offered, By::whoever("folder")).await.unwrap();
    registry.install(new("about", variant(3)), ada()).await.unwrap();
    registry.roll_back("about", None, ada()).await.unwrap();
    drop(registry);
    std::fs::remove_file(host.file(&variant(2))).unwrap();

    let registry = host.started().await;
    let page = registry.plugin("about").unwrap();
    assert_eq!((page.state, page.attention.map(|attention| attention.release)), ("quarantined", Some(2)));
    registry.activate("about", ReleaseRef::Number(1), ada()).await.unwrap();
    let gone = registry.withdraw("about", Source::Folder, By::whoever("folder")).await.unwrap();
    assert!(gone.is_none(), "what is live was uploaded");
    assert_eq!(registry.plugin("about").unwrap().state, "live");
}

#[tokio::test]
async fn a_component_that_the_configuration_names_again_is_taken_again() {
    let host = Host::new();
    let registry = host.started().await;
    let path = host.folder.path().join("sample.wasm");
    std::fs::write(&path, variant(1)).unwrap();
    let samples: &'static [crate::Sample] = Box::leak(Box::new([crate::Sample {
        name: "about",
        component: Box::leak(variant(2).into_boxed_slice()),
        default: true,
    }]));
    drop(registry);
    let store = Store::open(&Options::at(host.folder.path().join("hookbox.db"))).unwrap();
    let options = RegistryOptions {
        sandbox: host.sandbox.clone(),
        store,
        data: host.folder.path().to_owned(),
        samples,
    };
    let registry = Registry::open(options).await.unwrap();
    let sample = || host.with_component("about", PluginTable::default());
    let named = PluginTable { component: Some("sample.wasm".into()), ..PluginTable::default() };
    registry.start(sample()).await.unwrap();
    let embedded = answering(&registry).await;
    registry.reload(host.with_component("about", named), ada()).await.unwrap();
    assert_ne!(answering(&registry).await, embedded);
    registry.reload(sample(), ada()).await.unwrap();
    assert_eq!(answering(&registry).await, embedded, "the table names no component any more");
}

#[tokio::test]
async fn a_release_to_roll_back_to_survives_an_upload_of_it_that_fails() {
    let host = Host::new();
    let registry = host.started().await;
    for number in [1, 2] {
        registry.install(new("about", variant(number)), ada()).await.unwrap();
    }
    let wrong = serde_json::json!({"cases": [{
        "filter": ABOUT_URL,
        "kwargs": {"url": "u", "org": "o"},
        "expect": {"outcome": "completed", "kwargs": {"url": "never"}},
    }]});
    let again = NewRelease { cases: Some(wrong.to_string()), ..new("about", variant(1)) };
    let error = registry.install(again, ada()).await.unwrap_err();
    assert_eq!(error.code(), "release-rejected", "{error}");
    assert_eq!(states(&registry, "about"), ["replaced", "live"]);
    assert_eq!(registry.roll_back("about", None, ada()).await.unwrap().release, Some(1));
}

#[tokio::test]
async fn a_rejected_offer_does_not_come_back_over_a_newer_release() {
    let host = Host::new();
    let registry = host.opened().await;
    let refused = serde_json::json!({"redirect_domain": ""});
    let broken = PluginTable { settings: refused.as_object().unwrap().clone(), ..PluginTable::default() };
    registry.start(host.with_component("about", broken)).await.unwrap();
    let offered = || NewRelease { source: Source::Folder, ..new("about", variant(1)) };
    let error = registry.install(offered(), By::whoever("folder")).await.unwrap_err();
    assert_eq!(error.code(), "release-rejected", "{error}");
    // With these settings it would be good.
    registry.reload(host.configured(PluginsTable::default()), ada()).await.unwrap();
    registry.install(new("about", variant(2)), ada()).await.unwrap();
    let again = registry.install(offered(), By::whoever("folder")).await.unwrap();
    assert_eq!((again.outcome, again.plugin.release), ("unchanged", Some(2)));
}

#[tokio::test]
async fn a_plugin_that_could_have_no_table_is_not_installed() {
    let host = Host::new();
    let registry = host.started().await;
    for name in ["folder", "poll", "samples", "settle"] {
        let error = registry.install(new(name, variant(1)), ada()).await.unwrap_err();
        assert!(error.to_string().contains(&format!("plugins.{name}")), "{error}");
    }
}
