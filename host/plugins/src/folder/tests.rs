//! The folder over a real registry.

use std::fs;
use std::time::Duration;

use hookbox_sandbox::{Sandbox, SandboxOptions};
use hookbox_store::{Options, Store};
use tempfile::TempDir;

use super::*;
use crate::registry::{By, Configured, Registry, RegistryOptions};
use crate::views::PluginOverview;

/// Far longer than anything here takes.
const AGES: Duration = Duration::from_secs(60);

/// A sample under another digest: with a custom section that nobody reads.
fn variant(number: u8) -> Vec<u8> {
    let prebuilt = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-plugins/prebuilt");
    let folder = std::env::var("HOOKBOX_GUESTS").unwrap_or_else(|_| prebuilt.to_owned());
    let mut bytes = fs::read(Path::new(&folder).join("course-about-url.wasm")).unwrap();
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', number]);
    bytes
}

/// A data folder and a plugin folder.
struct Site {
    folder: TempDir,
    sandbox: Sandbox,
}

/// A start of the host.
struct Host {
    registry: Registry,
    watch: FolderWatch,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        let cache = Some(folder.path().join("cache"));
        let sandbox = Sandbox::new(SandboxOptions { cache, ..SandboxOptions::default() }).unwrap();
        Self { folder, sandbox }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("plugins/about.wasm")
    }

    fn put(&self, bytes: &[u8]) {
        let unfinished = self.folder.path().join("plugins/.about.wasm.tmp");
        fs::write(&unfinished, bytes).unwrap();
        fs::rename(unfinished, self.file()).unwrap();
    }

    async fn start(&self) -> Host {
        let store = Store::open(&Options::at(self.folder.path().join("hookbox.db"))).unwrap();
        let data = self.folder.path().to_owned();
        let options =
            RegistryOptions { sandbox: self.sandbox.clone(), store, data: data.clone(), samples: &[] };
        let registry = Registry::open(options).await.unwrap();
        let plugins = PluginsTable { samples: Some(false), ..PluginsTable::default() };
        let configured = Configured { plugins, folder: data.clone(), ..Configured::default() };
        registry.start(configured).await.unwrap();
        let options = FolderOptions {
            path: data.join("plugins"),
            settle: Duration::from_millis(50),
            poll: Duration::from_millis(50),
        };
        let watch = FolderWatch::start(registry.clone(), options);
        watch.first_look().await;
        Host { registry, watch }
    }
}

impl Host {
    fn plugin(&self) -> PluginOverview {
        self.registry.plugin("about").unwrap()
    }

    async fn until(&self, what: &str, right: impl Fn(&PluginOverview) -> bool) -> PluginOverview {
        let wait = async {
            loop {
                match self.registry.plugin("about") {
                    Ok(plugin) if right(&plugin) => return plugin,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        let waited = tokio::time::timeout(AGES, wait).await;
        waited.unwrap_or_else(|_| panic!("{what}: {:?}", self.registry.plugin("about")))
    }

    async fn until_live(&self, release: u32) -> PluginOverview {
        self.until("it is live", |plugin| plugin.state == "live" && plugin.release == Some(release)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_follows_its_file() {
    let site = Site::new();
    let host = site.start().await;
    site.put(&variant(1));
    let live = host.until_live(1).await;
    assert_eq!((live.releases[0].source, live.releases[0].installed_by.as_str()), ("folder", "folder"));
    assert_eq!(live.releases[0].origin, site.file().display().to_string());

    fs::write(site.file(), &variant(2)[..1_000]).unwrap();
    let half = host.until("half a file is refused", |plugin| plugin.attention.is_some()).await;
    assert_eq!((half.state, half.release), ("live", Some(1)));

    site.put(&variant(3));
    let live = host.until_live(3).await;
    assert_eq!(live.attention, None);
    fs::remove_file(site.file()).unwrap();
    host.until("it goes", |plugin| plugin.state == "removed").await;
    site.put(&variant(3));
    host.until("it comes back", |plugin| plugin.state == "live").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_undoes_no_rollback_and_sees_what_went_meanwhile() {
    let site = Site::new();
    site.put(&variant(1));
    let host = site.start().await;
    host.until_live(1).await;
    site.put(&variant(2));
    host.until_live(2).await;
    host.registry.roll_back("about", None, By::whoever("ada")).await.unwrap();
    assert_eq!(host.plugin().release, Some(1));

    let host = site.start().await;
    assert_eq!(host.plugin().release, Some(1), "the folder's second release was rolled back");
    drop(host.watch);
    fs::remove_file(site.file()).unwrap();
    let host = site.start().await;
    host.until("it goes", |plugin| plugin.state == "removed").await;
}
