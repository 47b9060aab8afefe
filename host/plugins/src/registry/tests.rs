//! The registry over a real sandbox and a real database.

mod corners;

use std::path::Path;

use hookbox_sandbox::{Sandbox, SandboxOptions};
use hookbox_store::{Options, Store};
use serde_json::Map;

use super::*;
use crate::record::ReleaseState;
use crate::settings::{PluginTable, PluginsTable};

const ABOUT_URL: &str = "org.openedx.learning.course_about.page.url.requested.v1";

fn prebuilt(name: &str) -> Vec<u8> {
    let prebuilt = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-plugins/prebuilt");
    let folder = std::env::var("HOOKBOX_GUESTS").unwrap_or_else(|_| prebuilt.to_owned());
    let path = Path::new(&folder).join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The sample under another digest: with a custom section that nobody reads.
fn variant(number: u8) -> Vec<u8> {
    let mut bytes = prebuilt("course-about-url");
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', number]);
    bytes
}

/// A host's data folder, and what is made anew at every start.
struct Host {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = Some(folder.path().join("cache"));
        let sandbox = Sandbox::new(SandboxOptions { cache, ..SandboxOptions::default() }).unwrap();
        Self { folder, sandbox }
    }

    async fn opened(&self) -> Registry {
        let store = Store::open(&Options::at(self.folder.path().join("hookbox.db"))).unwrap();
        let options = RegistryOptions {
            sandbox: self.sandbox.clone(),
            store,
            data: self.folder.path().to_owned(),
            samples: &[],
        };
        Registry::open(options).await.unwrap()
    }

    async fn started(&self) -> Registry {
        let registry = self.opened().await;
        registry.start(self.configured(PluginsTable::default())).await.unwrap();
        registry
    }

    fn configured(&self, plugins: PluginsTable) -> Configured {
        Configured { plugins, folder: self.folder.path().to_owned(), ..Configured::default() }
    }
}

fn new(plugin: &str, bytes: Vec<u8>) -> NewRelease {
    NewRelease {
        plugin: plugin.to_owned(),
        bytes: bytes.into(),
        cases: None,
        sha256: None,
        source: Source::Upload,
        origin: "test".to_owned(),
        then: Then::Activate,
    }
}

fn ada() -> By {
    By::whoever("ada")
}

/// The digest of the step that answers.
async fn answering(registry: &Registry) -> Option<String> {
    let generation = registry.generation().unwrap();
    let kwargs = ["url", "org"].map(|name| (name.to_owned(), Value::from("course-v1:edX+DemoX+Demo_Course")));
    let run = generation.pipeline(ABOUT_URL).unwrap().run(Map::from_iter(kwargs)).await.unwrap();
    run.steps.first().map(|step| step.digest.clone())
}

fn states(registry: &Registry, plugin: &str) -> Vec<&'static str> {
    registry.plugin(plugin).unwrap().releases.iter().rev().map(|release| release.state).collect()
}

#[tokio::test]
async fn releases_come_go_back_and_come_again() {
    let host = Host::new();
    let registry = host.started().await;
    assert_eq!(answering(&registry).await, None);
    let first = registry.install(new("about", variant(1)), ada()).await.unwrap();
    let second = registry.install(new("about", variant(2)), ada()).await.unwrap();
    assert_eq!((first.outcome, first.release, second.release), ("live", Some(1), Some(2)));
    assert!(second.generation > first.generation);
    let digests = [1, 2].map(|number| hookbox_sandbox::Digest::of(&variant(number)).to_string());
    assert_eq!(answering(&registry).await.as_ref(), Some(&digests[1]));
    assert_eq!(states(&registry, "about"), ["replaced", "live"]);

    let again = registry.install(new("about", variant(2)), ada()).await.unwrap();
    assert_eq!((again.outcome, again.generation), ("unchanged", second.generation));

    let back = registry.roll_back("about", None, ada()).await.unwrap();
    assert_eq!((back.outcome, back.release), ("live", Some(1)));
    assert_eq!(answering(&registry).await.as_ref(), Some(&digests[0]));
    let further = registry.roll_back("about", None, ada()).await.unwrap_err();
    assert_eq!(further.code(), "plugin-state", "{further}");

    registry.disable("about", ada()).await.unwrap();
    assert_eq!(answering(&registry).await, None);
    assert_eq!(registry.plugin("about").unwrap().state, "disabled");
    registry.enable("about", ada()).await.unwrap();
    assert_eq!(answering(&registry).await.as_ref(), Some(&digests[0]));
    registry.activate("about", ReleaseRef::Digest(digests[1].clone()), ada()).await.unwrap();
    assert_eq!(answering(&registry).await.as_ref(), Some(&digests[1]));

    registry.remove("about", Rows::Keep, ada()).await.unwrap();
    assert_eq!((answering(&registry).await, states(&registry, "about")), (None, vec!["removed", "removed"]));
    let files = std::fs::read_dir(host.folder.path().join("releases")).unwrap().count();
    assert_eq!(files, 0, "no component is kept for nobody");
    let audit = registry.audit(AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let actions: Vec<&str> = audit.iter().rev().map(|entry| &*entry.entry.action).collect();
    assert_eq!(actions, ["install", "install", "rollback", "disable", "enable", "activate", "remove"]);
    assert!(audit.iter().all(|entry| entry.entry.actor == "ada"));
}

#[tokio::test]
async fn a_component_that_fails_admission_leaves_the_old_release_serving() {
    let host = Host::new();
    let registry = host.started().await;
    registry.install(new("about", variant(1)), ada()).await.unwrap();
    let before = registry.generation().unwrap().number();
    let mut broken = variant(2);
    broken.truncate(broken.len() / 2);
    for bytes in [broken, b"no component".to_vec(), Vec::new()] {
        let error = registry.install(new("about", bytes), ada()).await.unwrap_err();
        assert_eq!(error.code(), "release-rejected", "{error}");
    }
    let page = registry.plugin("about").unwrap();
    assert_eq!((page.state, page.release), ("live", Some(1)));
    assert_eq!(page.attention.unwrap().state, "rejected");
    assert_eq!(registry.generation().unwrap().number(), before);
    // A good one ends the complaint.
    registry.install(new("about", variant(3)), ada()).await.unwrap();
    assert_eq!(registry.plugin("about").unwrap().attention, None);
}

#[tokio::test]
async fn what_was_live_is_live_after_a_restart_and_a_rollback_stays() {
    let host = Host::new();
    let registry = host.started().await;
    for number in [1, 2, 3] {
        registry.install(new("about", variant(number)), ada()).await.unwrap();
    }
    registry.roll_back("about", Some(ReleaseRef::Number(1)), ada()).await.unwrap();
    let (before, digest) = (registry.generation().unwrap().number(), answering(&registry).await);
    drop(registry);
    let registry = host.opened().await;
    assert!(registry.generation().is_none(), "nothing is live before the start");
    registry.start(host.configured(PluginsTable::default())).await.unwrap();
    assert!(registry.generation().unwrap().number() > before);
    assert_eq!(answering(&registry).await, digest);
    assert_eq!(states(&registry, "about"), ["live", "replaced", "replaced"]);
}

#[tokio::test]
async fn names_digests_and_revisions_are_checked_first() {
    let host = Host::new();
    let registry = host.started().await;
    for name in ["../x", "", "Upper", "a/b", ".hidden", &"x".repeat(64)] {
        let error = registry.install(new(name, variant(1)), ada()).await.unwrap_err();
        assert_eq!(error.code(), "plugin-name", "{name}");
    }
    let meant = NewRelease { sha256: Some("0".repeat(64)), ..new("about", variant(1)) };
    assert_eq!(registry.install(meant, ada()).await.unwrap_err().code(), "digest-mismatch");
    let installed = registry.install(new("about", variant(1)), ada()).await.unwrap();
    let stale = By { if_revision: Some(installed.plugin.revision - 1), ..ada() };
    let error = registry.install(new("about", variant(2)), stale.clone()).await.unwrap_err();
    assert_eq!(error.code(), "precondition-failed", "{error}");
    assert_eq!(registry.disable("about", stale).await.unwrap_err().code(), "precondition-failed");
    let fresh = By { if_revision: Some(installed.plugin.revision), ..ada() };
    assert_eq!(registry.install(new("about", variant(2)), fresh).await.unwrap().outcome, "live");
    assert_eq!(registry.disable("abuot", ada()).await.unwrap_err().code(), "unknown-plugin");
}

#[tokio::test]
async fn a_source_that_offers_the_same_again_changes_nothing() {
    let host = Host::new();
    let registry = host.started().await;
    let offered = |number| NewRelease { source: Source::Folder, ..new("about", variant(number)) };
    registry.install(offered(1), By::whoever("folder")).await.unwrap();
    registry.install(new("about", variant(2)), ada()).await.unwrap();
    let same = registry.install(offered(1), By::whoever("folder")).await.unwrap();
    assert_eq!((same.outcome, states(&registry, "about")), ("unchanged", vec!["replaced", "live"]));
    // What is live came another way: the folder's file may go.
    assert!(registry.withdraw("about", Source::Folder, By::whoever("folder")).await.unwrap().is_none());
    registry.install(offered(3), By::whoever("folder")).await.unwrap();
    let gone = registry.withdraw("about", Source::Folder, By::whoever("folder")).await.unwrap();
    assert_eq!(gone.unwrap().outcome, "removed");
    assert_eq!(answering(&registry).await, None);
    // When the file is back, so is the plugin.
    assert_eq!(registry.install(offered(3), By::whoever("folder")).await.unwrap().outcome, "live");
}

#[tokio::test]
async fn a_reload_happens_whole_or_not_at_all() {
    let host = Host::new();
    let registry = host.started().await;
    registry.install(new("uploaded", variant(1)), ada()).await.unwrap();
    let path = host.folder.path().join("about.wasm");
    std::fs::write(&path, variant(2)).unwrap();
    let with = |table: PluginTable| {
        let mut plugins = PluginsTable::default();
        plugins.plugins.insert("about".to_owned(), table);
        host.configured(plugins)
    };
    let good = PluginTable { component: Some("about.wasm".into()), ..PluginTable::default() };
    let diff = registry.diff(with(good.clone())).await.unwrap();
    assert_eq!((diff.plugins.len(), diff.plugins[0].change, diff.generation), (1, "added", None));
    assert_eq!(diff.hooks[0].before, ["uploaded"]);
    assert_eq!(diff.hooks[0].after, ["about", "uploaded"]);
    assert!(registry.plugin("about").is_err(), "a question changes nothing");

    let report = registry.reload(with(good.clone()), ada()).await.unwrap();
    assert_eq!(report.generation, Some(registry.generation().unwrap().number()));
    assert_eq!(registry.plugin("about").unwrap().state, "live");
    let unchanged = registry.reload(with(good.clone()), ada()).await.unwrap();
    assert_eq!((unchanged.generation, unchanged.plugins.len()), (report.generation, 0));

    // The sample refuses this setting, so nothing of it happens.
    let mut bad = good.clone();
    bad.settings.insert("redirect_domain".to_owned(), Value::from(""));
    let before = registry.generation().unwrap().number();
    let errors = registry.reload(with(bad), ada()).await.unwrap_err();
    assert!(errors[0].to_string().contains("plugins.about"), "{errors:?}");
    assert_eq!(registry.generation().unwrap().number(), before);

    let settings = serde_json::json!({"redirect_domain": "about.example.com"});
    let changed = PluginTable { settings: settings.as_object().unwrap().clone(), ..good };
    let report = registry.reload(with(changed), ada()).await.unwrap();
    assert_eq!(report.plugins[0].what, ["settings.redirect_domain"]);
    // What the configuration brought goes with it, what was uploaded stays.
    let report = registry.reload(host.configured(PluginsTable::default()), ada()).await.unwrap();
    assert_eq!((report.plugins[0].change, report.plugins[0].plugin.as_str()), ("removed", "about"));
    assert_eq!(registry.plugin("uploaded").unwrap().state, "live");
}

#[tokio::test]
async fn who_watches_hears_of_each_change_after_it_is_true() {
    let host = Host::new();
    let registry = host.started().await;
    let mut changes = registry.changes();
    registry.install(new("about", variant(1)), ada()).await.unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(registry.standing("about"), Some(Standing::Enabled));
    registry.disable("about", ada()).await.unwrap();
    changes.changed().await.unwrap();
    assert_eq!(registry.standing("about"), Some(Standing::Disabled));
    // A change of what is kept alone is one too.
    registry.remove("about", Rows::Keep, ada()).await.unwrap();
    changes.changed().await.unwrap();
    assert_eq!((registry.standing("about"), registry.standing("nobody")), (Some(Standing::Removed), None));
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn a_component_that_is_lost_is_put_aside_and_the_rest_serves() {
    let host = Host::new();
    let registry = host.started().await;
    let lost = registry.install(new("lost", variant(1)), ada()).await.unwrap();
    registry.install(new("about", variant(2)), ada()).await.unwrap();
    drop(registry);
    let digest = lost.plugin.releases[0].digest.trim_start_matches("sha256:").to_owned();
    std::fs::remove_file(host.folder.path().join(format!("releases/{digest}.wasm"))).unwrap();
    let registry = host.started().await;
    let page = registry.plugin("lost").unwrap();
    assert_eq!(
        (page.state, states(&registry, "lost")),
        ("quarantined", vec![ReleaseState::Quarantined.name()])
    );
    assert_eq!(answering(&registry).await, Some(hookbox_sandbox::Digest::of(&variant(2)).to_string()));
    // The same bytes bring it back.
    assert_eq!(registry.install(new("lost", variant(1)), ada()).await.unwrap().outcome, "live");
}

#[tokio::test]
async fn the_first_release_waits_where_the_configuration_says_so() {
    let host = Host::new();
    let registry = host.opened().await;
    let table = PluginsTable { approve_first: true, ..PluginsTable::default() };
    registry.start(host.configured(table)).await.unwrap();
    let held = registry.install(new("about", variant(1)), ada()).await.unwrap();
    assert_eq!((held.outcome, answering(&registry).await), ("needs-approval", None));
    let approved = registry.approve("about", Approval::default(), ada()).await.unwrap();
    assert_eq!((approved.outcome, approved.release), ("live", Some(1)));
    assert_eq!(registry.install(new("about", variant(2)), ada()).await.unwrap().outcome, "live");
}

#[tokio::test]
async fn a_trial_is_promoted_by_hand_or_leaves_things_as_they_were() {
    let host = Host::new();
    let registry = host.started().await;
    registry.install(new("about", variant(1)), ada()).await.unwrap();
    let request =
        TrialRequest { kind: crate::trial::TrialKind::Shadow, percent: 100.0, rule: None, values: false };
    let then = Then::Try(request);
    let tried = registry.install(NewRelease { then: then.clone(), ..new("about", variant(2)) }, ada()).await;
    assert_eq!(tried.unwrap().outcome, "trial");
    assert_eq!(states(&registry, "about"), ["live", "checked"]);
    let ended = registry.end_trial("about", TrialEnd::RollBack, ada()).await.unwrap();
    assert_eq!((ended.outcome, states(&registry, "about")), ("trial-ended", vec!["live", "checked"]));
    assert_eq!(
        registry.end_trial("about", TrialEnd::Promote, ada()).await.unwrap_err().code(),
        "plugin-state"
    );
    registry.install(NewRelease { then, ..new("about", variant(3)) }, ada()).await.unwrap();
    let promoted = registry.end_trial("about", TrialEnd::Promote, ada()).await.unwrap();
    assert_eq!((promoted.outcome, promoted.release), ("live", Some(3)));
    assert_eq!(states(&registry, "about"), ["replaced", "checked", "live"]);
}
