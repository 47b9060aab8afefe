//! The plugins of a host: what is kept, what is live, and every way from one to the other.
//!
//! All ways in end in [`Registry::install`]; every change builds the next [`Generation`] first, writes down what happened,
//! and then swaps, so that a crash at any moment leaves one or the other. Changes follow one another; calls wait for none.

mod approve;
mod changes;
mod compare;
mod desk;
mod error;
mod install;
mod on_the_way;
pub(crate) mod plan;
mod reload;
mod requests;
mod trials;

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use hookbox_sandbox::Contract;
use hookbox_store::{AuditEntry, AuditQuery, StoreError};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, MutexGuard, watch};

use self::desk::{Desk, Meters};
use self::on_the_way::OnTheWay;
use crate::files::ReleaseFiles;
use crate::generation::Generation;
use crate::keep;
use crate::load::{LoadError, contract};
use crate::record::{PluginRecord, Release, Source, Standing};
use crate::trial::{TrialEnd, TrialVerdict};
use crate::views::PluginOverview;

pub(crate) use desk::Records;
pub use error::ChangeError;
pub use requests::{
    Approval, By, Changed, Configured, HookChange, NewRelease, PluginChange, RegistryOptions, ReleaseRef,
    ReloadReport, Rows, Then, TrialRequest,
};

/// How long after a rule's decision failed it is tried again, at first and at most.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(60);

/// The plugins of a host. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: RegistryOptions,
    files: ReleaseFiles,
    on_the_way: Arc<OnTheWay>,
    contract: Arc<Contract>,
    /// Held by whoever changes something, to the end of the change.
    desk: Mutex<Desk>,
    /// The records as they were after the last change, for whoever only looks.
    records: ArcSwap<Records>,
    generation: ArcSwapOption<Generation>,
    verdicts: UnboundedSender<TrialVerdict>,
    /// How many changes became true.
    changes: watch::Sender<u64>,
    meters: Meters,
}

impl Registry {
    /// Reads what is kept. Nothing is live before [`Registry::start`].
    ///
    /// # Errors
    /// The data folder or the database cannot be used.
    pub async fn open(options: RegistryOptions) -> Result<Self, ChangeError> {
        let data = options.data.clone();
        let opening = tokio::task::spawn_blocking(move || ReleaseFiles::open(&data));
        let files = opening
            .await
            .map_err(|error| ChangeError::Internal(error.to_string()))?
            .map_err(ChangeError::File)?;
        let kept =
            options.store.read(|reads| Ok::<_, StoreError>((reads.plugins()?, reads.generation_number()?)));
        let (rows, number) = kept.await?;
        let mut records = Records::new();
        for (plugin, releases) in rows {
            let record = keep::from_rows(plugin, releases)
                .map_err(|error| ChangeError::Internal(format!("{}: {error}", error.code())))?;
            records.insert(record.name.clone(), Arc::new(record));
        }
        let (verdicts, decided) = unbounded_channel();
        let inner = Arc::new(Inner {
            options,
            files,
            on_the_way: Arc::default(),
            contract: Arc::new(contract()),
            records: ArcSwap::from_pointee(records.clone()),
            desk: Mutex::new(Desk { records, number, ..Desk::default() }),
            generation: ArcSwapOption::empty(),
            verdicts,
            changes: watch::Sender::new(0),
            meters: Meters::new(),
        });
        tokio::spawn(heed(Arc::downgrade(&inner), decided));
        Ok(Self(inner))
    }

    /// Brings back what was live, takes what the configuration offers, and makes the first generation.
    ///
    /// # Errors
    /// Every reason why the configuration cannot live.
    pub async fn start(&self, configured: Configured) -> Result<(), Vec<LoadError>> {
        let inner = Arc::clone(&self.0);
        let starting = tokio::spawn(async move { inner.start(configured).await });
        starting.await.unwrap_or_else(|error| Err(vec![LoadError::Kept(error.to_string())]))
    }

    /// What is live; `None` before the first generation is. A call takes it once and keeps it.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.0.generation.load_full()
    }

    /// Hears of every change, after it became true: of what is live, of what is kept, and of a quarantine's end by hand.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Whether a plugin is meant to run; `None` for one that nobody heard of.
    pub fn standing(&self, plugin: &str) -> Option<Standing> {
        self.0.records.load().get(plugin).map(|record| record.standing)
    }

    /// Admits a component and does with it what was asked.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn install(&self, release: NewRelease, by: By) -> Result<Changed, ChangeError> {
        let inner = Arc::clone(&self.0);
        whole(async move { inner.install(release, by).await }).await
    }

    /// Makes a kept release the live one. A plugin that is disabled is enabled with it.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn activate(&self, plugin: &str, release: ReleaseRef, by: By) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.activate(&plugin, release, "activate", by).await }).await
    }

    /// Goes back to a kept release that was live; `None` for the newest that is older than the live one.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn roll_back(
        &self,
        plugin: &str,
        to: Option<ReleaseRef>,
        by: By,
    ) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.roll_back(&plugin, to, by).await }).await
    }

    /// The plugin takes no more calls. Its releases stay.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn disable(&self, plugin: &str, by: By) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.disable(&plugin, by).await }).await
    }

    /// A disabled plugin takes calls again, with the release that it had.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn enable(&self, plugin: &str, by: By) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.enable(&plugin, by).await }).await
    }

    /// The plugin and its releases go.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn remove(&self, plugin: &str, rows: Rows, by: By) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.remove(&plugin, rows, by).await }).await
    }

    /// A source has its component no more. The plugin goes when what is live came from there; else nothing but the
    /// offer does. `None` when nothing changed.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn withdraw(
        &self,
        plugin: &str,
        source: Source,
        by: By,
    ) -> Result<Option<Changed>, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.withdraw(&plugin, source, by).await }).await
    }

    /// Grants a plugin more, and lets the release live that waited for it.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn approve(&self, plugin: &str, approval: Approval, by: By) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.approve(&plugin, approval, by).await }).await
    }

    /// Tries a release beside the live one.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn begin_trial(
        &self,
        plugin: &str,
        release: ReleaseRef,
        request: TrialRequest,
        by: By,
    ) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.begin_trial(&plugin, release, request, by).await }).await
    }

    /// Ends a trial.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn end_trial(&self, plugin: &str, end: TrialEnd, by: By) -> Result<Changed, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.end_trial(&plugin, end, by, json!({}), None).await }).await
    }

    /// Ends a quarantine by hand; whether there was one. Of a plugin whose calls run it only begins the count of failures
    /// anew.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn lift(&self, plugin: &str, by: By) -> Result<bool, ChangeError> {
        let (inner, plugin) = (Arc::clone(&self.0), plugin.to_owned());
        whole(async move { inner.lift(&plugin, by).await }).await
    }

    /// Takes another configuration, whole or not at all.
    ///
    /// # Errors
    /// Every reason why it cannot live.
    pub async fn reload(&self, configured: Configured, by: By) -> Result<ReloadReport, Vec<LoadError>> {
        let inner = Arc::clone(&self.0);
        let reloading = tokio::spawn(async move { inner.reload(configured, by).await });
        reloading.await.unwrap_or_else(|error| Err(vec![LoadError::Kept(error.to_string())]))
    }

    /// What [`Registry::reload`] would change.
    ///
    /// # Errors
    /// Every reason why the configuration cannot live.
    pub async fn diff(&self, configured: Configured) -> Result<ReloadReport, Vec<LoadError>> {
        self.0.diff(configured).await
    }

    /// Every plugin, by name; removed ones too.
    pub fn plugins(&self) -> Vec<PluginOverview> {
        let (records, generation) = (self.0.records.load(), self.0.generation.load());
        records.values().map(|record| PluginOverview::of(record, generation.as_deref())).collect()
    }

    /// One plugin.
    ///
    /// # Errors
    /// [`ChangeError::UnknownPlugin`].
    pub fn plugin(&self, name: &str) -> Result<PluginOverview, ChangeError> {
        let records = self.0.records.load();
        let record = known(&records, name)?;
        Ok(PluginOverview::of(record, self.0.generation.load().as_deref()))
    }

    /// What one release's admission found.
    ///
    /// # Errors
    /// [`ChangeError::UnknownPlugin`], [`ChangeError::UnknownRelease`].
    pub fn report(&self, plugin: &str, release: &ReleaseRef) -> Result<Value, ChangeError> {
        let records = self.0.records.load();
        let release = find(known(&records, plugin)?, release)?;
        Ok(release.report.clone())
    }

    /// What was done, the latest first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.0.options.store.read(move |reads| reads.audit(&query)).await
    }
}

/// A change goes on to its end when whoever asked for it hangs up.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, ChangeError>> + Send + 'static,
) -> Result<T, ChangeError> {
    tokio::spawn(change).await.unwrap_or_else(|error| Err(ChangeError::Internal(error.to_string())))
}

/// Ends trials whose rule has decided, as long as there is a registry.
async fn heed(inner: Weak<Inner>, mut decided: UnboundedReceiver<TrialVerdict>) {
    while let Some(verdict) = decided.recv().await {
        tokio::spawn(carry_out(Weak::clone(&inner), verdict));
    }
}

/// Does what a rule decided, also when the database cannot be written just now: a rule decides once, and a canary that
/// fails answers until then.
async fn carry_out(inner: Weak<Inner>, verdict: TrialVerdict) {
    let TrialVerdict { plugin, release, began_at, mut end, counts } = verdict;
    let mut detail = json!({"counts": counts});
    let mut pause = SOON;
    loop {
        let Some(now) = inner.upgrade() else { return };
        // A trial that somebody ended meanwhile stays as they left it.
        let ended = now.end_trial(&plugin, end, By::whoever("rule"), detail.clone(), Some(began_at)).await;
        drop(now);
        match ended {
            Ok(_) => return,
            Err(error @ ChangeError::Store(_)) => {
                tracing::error!(plugin, release, "a trial's rule decided, but it is not ended yet: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LATER);
            }
            // A release that may not go live is not tried for ever.
            Err(error) if end == TrialEnd::Promote => {
                tracing::warn!(plugin, release, "the release passed its trial, but cannot go live: {error}");
                detail["reason"] = json!(error.to_string());
                end = TrialEnd::RollBack;
            }
            Err(error) => {
                tracing::error!(plugin, release, "a trial's rule decided, but it cannot be ended: {error}");
                return;
            }
        }
    }
}

impl Inner {
    async fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().await
    }

    fn changed(
        &self,
        desk: &Desk,
        plugin: &str,
        outcome: &'static str,
        release: Option<u32>,
    ) -> Result<Changed, ChangeError> {
        let record = known(&desk.records, plugin)?;
        let plugin = PluginOverview::of(record, self.generation.load().as_deref());
        Ok(Changed { outcome, release, generation: desk.number, plugin })
    }
}

/// The record of a plugin that somebody heard of.
fn known<'a>(records: &'a Records, name: &str) -> Result<&'a Arc<PluginRecord>, ChangeError> {
    records.get(name).ok_or_else(|| ChangeError::UnknownPlugin {
        name: name.chars().take(80).collect(),
        near: hookbox_hooks::names::nearest(name, records.keys().map(String::as_str)).map(str::to_owned),
    })
}

/// The release that is named; the newest of those with a version.
fn find<'a>(record: &'a PluginRecord, wanted: &ReleaseRef) -> Result<&'a Release, ChangeError> {
    let named =
        |release: &&Release| wanted.names(release.number, &release.digest, release.version.as_deref());
    let mut found = record.releases.iter().rev().filter(named);
    let first = found.next().ok_or_else(|| ChangeError::UnknownRelease {
        plugin: record.name.clone(),
        wanted: wanted.to_string().chars().take(80).collect(),
    })?;
    match (wanted, found.next()) {
        (ReleaseRef::Digest(digest), Some(_)) => {
            let text = format!("several releases have a digest that begins with {digest}: give more digits");
            Err(ChangeError::Request(text))
        }
        _ => Ok(first),
    }
}

/// Holds a plugin's revision against the one that the change is meant for.
fn check_revision(record: Option<&PluginRecord>, name: &str, by: &By) -> Result<(), ChangeError> {
    let now = record.map_or(0, |record| record.revision);
    match by.if_revision {
        Some(seen) if seen != now => Err(ChangeError::Precondition { plugin: name.to_owned(), seen, now }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
