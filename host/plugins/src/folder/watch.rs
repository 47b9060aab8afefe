//! Looks at the folder when something happens there and from time to time, and hands what it finds to the registry.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;

use super::FolderOptions;
use super::list::{self, Contents, Reading, component_path, tests_path};
use super::look::{FolderId, Found, Listing, Looks, Moment, Readable, Stamps};
use crate::record::Source;
use crate::registry::{By, ChangeError, NewRelease, Registry, Then};

/// The shortest time from one look to the next, however much happens in the folder.
const BREATH: Duration = Duration::from_millis(50);
/// Who the audit trail names.
const ACTOR: &str = "folder";

/// Where plugins are installed and withdrawn.
pub(super) trait Installs: Send + Sync + 'static {
    /// The names of the plugins that have something of the folder's.
    fn held(&self) -> Vec<String>;
    /// Installs a component that is to go live. What is said of it is only shown.
    fn install(&self, release: NewRelease) -> impl Future<Output = Result<&'static str, ChangeError>> + Send;
    /// Withdraws what the folder brought; whether that changed anything.
    fn withdraw(&self, plugin: &str) -> impl Future<Output = Result<bool, ChangeError>> + Send;
}

impl Installs for Registry {
    fn held(&self) -> Vec<String> {
        let folder = Source::Folder.name();
        let plugins = self.plugins().into_iter().filter(|plugin| {
            plugin.state != "removed" && plugin.releases.iter().any(|release| release.source == folder)
        });
        plugins.map(|plugin| plugin.name).collect()
    }

    async fn install(&self, release: NewRelease) -> Result<&'static str, ChangeError> {
        Ok(Registry::install(self, release, By::whoever(ACTOR)).await?.outcome)
    }

    async fn withdraw(&self, plugin: &str) -> Result<bool, ChangeError> {
        Ok(Registry::withdraw(self, plugin, Source::Folder, By::whoever(ACTOR)).await?.is_some())
    }
}

/// Watches a folder until it is dropped. What it is doing then, it finishes.
#[derive(Debug)]
pub struct FolderWatch {
    options: FolderOptions,
    looked: watch::Receiver<bool>,
    /// The task ends when this is gone.
    _running: watch::Sender<()>,
}

impl FolderWatch {
    /// Starts to watch, on the runtime that this is called on. The registry has to be started.
    pub fn start(registry: Registry, options: FolderOptions) -> Self {
        Self::start_with(registry, options)
    }

    fn start_with(installs: impl Installs, options: FolderOptions) -> Self {
        let (running, stop) = watch::channel(());
        let (first, looked) = watch::channel(false);
        tokio::spawn(Watching::new(installs, options.clone()).run(first, stop));
        Self { options, looked, _running: running }
    }

    /// Waits until the folder was looked at once, and what had settled in it long ago is installed, or is not. What was
    /// written a moment ago is not waited for. Does not fail, also where the folder cannot be read.
    pub async fn first_look(&self) {
        // An error means that the task is gone: there is nothing to wait for.
        let _ = self.looked.clone().wait_for(|looked| *looked).await;
    }

    /// Watches no more, and waits for what it is doing: nothing of it comes after what is done next.
    pub async fn stop(self) {
        let Self { mut looked, _running: running, .. } = self;
        drop(running);
        // An error means that the task is gone.
        while looked.changed().await.is_ok() {}
    }

    /// What it watches, and how.
    pub fn options(&self) -> &FolderOptions {
        &self.options
    }
}

/// The task.
struct Watching<I> {
    installs: I,
    options: FolderOptions,
    looks: Looks,
    alarm: Alarm,
    begun: Instant,
}

impl<I: Installs> Watching<I> {
    fn new(installs: I, options: FolderOptions) -> Self {
        let looks = Looks::new(options.settle, installs.held());
        Self { installs, options, looks, alarm: Alarm::default(), begun: Instant::now() }
    }

    async fn run(mut self, first: watch::Sender<bool>, mut stop: watch::Receiver<()>) {
        loop {
            self.look(&stop).await;
            first.send_replace(true);
            let longest = self.options.poll.max(BREATH);
            let next = self.looks.next(self.now()).map_or(longest, |next| next.clamp(BREATH, longest));
            let rest = async {
                tokio::time::sleep(BREATH).await;
                tokio::select! {
                    () = self.alarm.rung.notified() => {}
                    () = tokio::time::sleep(next.saturating_sub(BREATH)) => {}
                }
            };
            tokio::select! {
                () = rest => {}
                // Nothing is ever sent: this is the end.
                _ = stop.changed() => return,
            }
        }
    }

    fn now(&self) -> Moment {
        Moment { steady: self.begun.elapsed(), wall: SystemTime::now() }
    }

    async fn look(&mut self, stop: &watch::Receiver<()>) {
        metrics::counter!("hookbox_folder_looks_total").increment(1);
        let path = self.options.path.clone();
        let listing = match spawn_blocking(move || list::list(&path)).await {
            Ok(Ok(listing)) => Ok(listing),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Ok(listing) = &listing {
            self.alarm.follow(&self.options.path, listing);
        }
        let now = self.now();
        let found = self.looks.look(listing.as_ref().map_err(Clone::clone), now);
        self.tell(&found);
        for (name, stamps) in found.settled {
            if stop.has_changed().is_err() {
                return;
            }
            self.offer(&name, stamps).await;
        }
        for name in found.gone {
            if stop.has_changed().is_err() {
                return;
            }
            self.withdraw(&name).await;
        }
    }

    fn tell(&self, found: &Found) {
        let folder = self.options.path.display();
        if let Some(turned) = &found.turned {
            let readable = if *turned == Readable::Yes { 1.0 } else { 0.0 };
            metrics::gauge!("hookbox_folder_readable").set(readable);
        }
        match &found.turned {
            Some(Readable::Yes) => tracing::info!(%folder, "the plugin folder is watched"),
            Some(Readable::No(reason)) => {
                tracing::warn!(%folder, reason, "the plugin folder cannot be read: the plugins stay as they are");
            }
            None => {}
        }
        for (name, reason) in &found.odd {
            tracing::warn!(%folder, name, "not taken as a plugin: {reason}");
        }
    }

    async fn offer(&mut self, name: &str, stamps: Stamps) {
        let (folder, plugin) = (self.options.path.clone(), name.to_owned());
        let reading = spawn_blocking(move || list::read(&folder, &plugin, stamps)).await;
        let contents = match reading.map_err(std::io::Error::other).flatten() {
            Ok(Reading::Whole(contents)) => contents,
            Ok(Reading::Changed) => return self.looks.changed(name),
            Ok(Reading::Wrong(reason)) => {
                tracing::warn!(plugin = name, "the component is not taken from the folder: {reason}");
                return self.looks.taken(name, stamps);
            }
            Err(error) => {
                tracing::warn!(plugin = name, %error, "the component in the folder cannot be read: it is tried again");
                return self.looks.failed(name, self.now());
            }
        };
        match self.installs.install(self.release(name, contents)).await {
            Ok(outcome) => {
                tracing::debug!(plugin = name, outcome, "the component was taken from the folder");
                self.looks.taken(name, stamps);
            }
            // The registry has said why.
            Err(ChangeError::Rejected { release, .. }) => {
                tracing::warn!(
                    plugin = name,
                    release,
                    "rejected: the folder offers it again when its file changes"
                );
                self.looks.taken(name, stamps);
            }
            Err(error) if may_pass(&error) => {
                tracing::warn!(plugin = name, code = error.code(), %error, "the component is not taken from the folder: it is tried again");
                self.looks.failed(name, self.now());
            }
            Err(error) => {
                tracing::warn!(plugin = name, code = error.code(), %error, "the component is not taken from the folder");
                self.looks.taken(name, stamps);
            }
        }
    }

    fn release(&self, name: &str, contents: Contents) -> NewRelease {
        NewRelease {
            plugin: name.to_owned(),
            bytes: contents.component.into(),
            cases: contents.cases,
            sha256: None,
            source: Source::Folder,
            origin: component_path(&self.options.path, name).display().to_string(),
            then: Then::Activate,
        }
    }

    async fn withdraw(&mut self, name: &str) {
        match self.installs.withdraw(name).await {
            Ok(changed) => {
                tracing::info!(plugin = name, changed, "the component is gone from the folder");
                self.looks.withdrawn(name);
            }
            Err(ChangeError::UnknownPlugin { .. }) => self.looks.withdrawn(name),
            Err(error) => {
                tracing::warn!(plugin = name, code = error.code(), %error, "the component is gone from the folder, and the plugin cannot go: it is tried again");
                self.looks.failed(name, self.now());
            }
        }
    }
}

/// Whether the same component may be taken another time.
fn may_pass(error: &ChangeError) -> bool {
    match error {
        ChangeError::Pipelines(_)
        | ChangeError::File(_)
        | ChangeError::Kept { .. }
        | ChangeError::Store(_)
        | ChangeError::Busy
        | ChangeError::Internal(_)
        | ChangeError::Precondition { .. } => true,
        ChangeError::Name(_)
        | ChangeError::UnknownPlugin { .. }
        | ChangeError::UnknownRelease { .. }
        | ChangeError::Digest { .. }
        | ChangeError::Request(_)
        | ChangeError::Rejected { .. }
        | ChangeError::Refused(_) => false,
    }
}

/// Rings when something happens in the folder, where the file system tells. Looking from time to time does the rest.
#[derive(Default)]
struct Alarm {
    rung: Arc<Notify>,
    watched: Option<(FolderId, Option<FolderId>)>,
    _watcher: Option<RecommendedWatcher>,
}

impl Alarm {
    /// Listens to the folder of this listing. One that was put in another's place is another.
    fn follow(&mut self, folder: &Path, listing: &Listing) {
        let folders = (listing.folder, listing.tests);
        if self.watched == Some(folders) {
            return;
        }
        self.watched = Some(folders);
        let watcher = self.listen(folder, listing.tests.is_some());
        if let Err(error) = &watcher {
            tracing::info!(folder = %folder.display(), %error, "the system does not tell what happens in the plugin folder: it is looked at from time to time");
        }
        self._watcher = watcher.ok();
        // What happened before this moment nobody was told.
        self.rung.notify_one();
    }

    fn listen(&self, folder: &Path, with_tests: bool) -> notify::Result<RecommendedWatcher> {
        let rung = Arc::clone(&self.rung);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !is_only_read(event.kind)) {
                rung.notify_one();
            }
        })?;
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        if with_tests {
            watcher.watch(&tests_path(folder), RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }
}

/// Reading the folder is an event too, and must not be a reason to read it.
fn is_only_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
