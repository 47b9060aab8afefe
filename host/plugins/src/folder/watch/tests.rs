use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;

/// Far longer than anything here takes.
const AGES: Duration = Duration::from_secs(30);

/// What a registry was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Install { plugin: String, content: String, cases: Option<String> },
    Withdraw(String),
}

/// Tells what it is asked, and answers by the content: `rejected` is, `passing` fails the first time.
struct Fake {
    asked: UnboundedSender<Asked>,
    held: Vec<String>,
    failed: std::sync::atomic::AtomicBool,
}

impl Installs for Fake {
    fn held(&self) -> Vec<String> {
        self.held.clone()
    }

    async fn install(&self, release: NewRelease) -> Result<&'static str, ChangeError> {
        assert_eq!((release.source, &release.then), (Source::Folder, &Then::Activate));
        assert!(release.origin.ends_with(&format!("{}.wasm", release.plugin)), "{}", release.origin);
        let content = String::from_utf8(release.bytes.to_vec()).unwrap();
        let plugin = release.plugin.clone();
        let asked = Asked::Install { plugin: release.plugin, content: content.clone(), cases: release.cases };
        let _ = self.asked.send(asked);
        let reason = content.clone();
        match &*content {
            "rejected" => {
                Err(ChangeError::Rejected { plugin, release: 1, reason, report: serde_json::Value::Null })
            }
            "passing" if !self.failed.swap(true, std::sync::atomic::Ordering::Relaxed) => {
                Err(ChangeError::Internal(reason))
            }
            _ => Ok("live"),
        }
    }

    async fn withdraw(&self, plugin: &str) -> Result<bool, ChangeError> {
        let _ = self.asked.send(Asked::Withdraw(plugin.to_owned()));
        Ok(true)
    }
}

/// A folder, watched.
struct Site {
    folder: TempDir,
    watch: FolderWatch,
    asked: UnboundedReceiver<Asked>,
}

impl Site {
    /// With these files in the folder `plugins`, which is there if any is.
    fn with(files: &[(&str, &str)], held: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = FolderOptions {
            path: folder.path().join("plugins"),
            settle: Duration::from_millis(100),
            poll: Duration::from_millis(200),
        };
        for (name, content) in files {
            write(&options.path, name, content);
        }
        let (sender, asked) = unbounded_channel();
        let held = held.iter().map(|name| (*name).to_owned()).collect();
        let fake = Fake { asked: sender, held, failed: false.into() };
        Self { watch: FolderWatch::start_with(fake, options), folder, asked }
    }

    fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    fn write(&self, name: &str, content: &str) {
        write(&self.plugins(), name, content);
    }

    async fn next(&mut self) -> Asked {
        tokio::time::timeout(AGES, self.asked.recv()).await.unwrap().unwrap()
    }

    async fn installs(&mut self, plugin: &str, content: &str) {
        self.installs_with(plugin, content, None).await;
    }

    async fn installs_with(&mut self, plugin: &str, content: &str, cases: Option<&str>) {
        let (plugin, content, cases) = (plugin.to_owned(), content.to_owned(), cases.map(str::to_owned));
        assert_eq!(self.next().await, Asked::Install { plugin, content, cases });
    }

    async fn withdraws(&mut self, plugin: &str) {
        assert_eq!(self.next().await, Asked::Withdraw(plugin.to_owned()));
    }
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[tokio::test]
async fn a_file_that_appears_changes_and_goes_is_installed_upgraded_and_withdrawn() {
    let mut site = Site::with(&[("a.wasm", "1")], &[]);
    site.installs("a", "1").await;
    site.write("b.wasm", "2");
    site.installs("b", "2").await;
    site.write("a.wasm", "another 1");
    site.installs("a", "another 1").await;
    fs::remove_file(site.plugins().join("a.wasm")).unwrap();
    site.withdraws("a").await;
    site.write("a.wasm", "another 1");
    site.installs("a", "another 1").await;
    site.write("tests/a.json", "[]");
    site.installs_with("a", "another 1", Some("[]")).await;
}

#[tokio::test]
async fn the_first_look_is_waited_for_and_withdraws_what_went_before() {
    let mut site = Site::with(&[("Odd.wasm", "")], &["went"]);
    tokio::time::timeout(AGES, site.watch.first_look()).await.unwrap();
    site.withdraws("went").await;
    assert_eq!(site.watch.options().path, site.plugins());
}

#[tokio::test]
async fn a_rejected_file_waits_for_another_and_what_may_pass_is_tried_again() {
    let mut site = Site::with(&[("a.wasm", "rejected"), ("b.wasm", "passing")], &[]);
    site.installs("a", "rejected").await;
    site.installs("b", "passing").await;
    site.installs("b", "passing").await;
    site.write("a.wasm", "better");
    site.installs("a", "better").await;
}

#[tokio::test]
async fn a_folder_that_comes_later_or_comes_back_is_watched() {
    let mut site = Site::with(&[], &["held"]);
    site.watch.first_look().await;
    site.write("held.wasm", "1");
    site.installs("held", "1").await;
    let away = site.folder.path().join("away");
    fs::rename(site.plugins(), &away).unwrap();
    write(&away, "new.wasm", "2");
    fs::rename(&away, site.plugins()).unwrap();
    site.installs("new", "2").await;
}

#[tokio::test]
async fn a_watch_that_is_dropped_ends() {
    let mut site = Site::with(&[("a.wasm", "1")], &[]);
    site.installs("a", "1").await;
    let Site { folder: _folder, watch, mut asked } = site;
    drop(watch);
    // The task owns the sender.
    assert!(tokio::time::timeout(AGES, asked.recv()).await.unwrap().is_none());
}

#[tokio::test]
async fn looking_is_no_reason_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let mut alarm = Alarm::default();
    let listing = list::list(folder.path()).unwrap();
    alarm.follow(folder.path(), &listing);
    alarm.rung.notified().await;
    for _ in 0..10 {
        list::list(folder.path()).unwrap();
    }
    fs::write(folder.path().join("a.wasm"), "1").unwrap();
    // The one event that counts comes after all others.
    tokio::time::timeout(AGES, alarm.rung.notified()).await.unwrap();
    assert!(is_only_read(EventKind::Access(AccessKind::Open(AccessMode::Any))));
    assert!(is_only_read(EventKind::Access(AccessKind::Close(AccessMode::Read))));
    assert!(!is_only_read(EventKind::Access(AccessKind::Close(AccessMode::Write))));
    assert!(!is_only_read(EventKind::Any));
}
