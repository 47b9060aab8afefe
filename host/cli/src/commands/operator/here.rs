//! Plugins of a data folder that no server uses, worked on by this process.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use hookbox_plugins::{
    By, ChangeError, Changed, DataLock, NewRelease, PluginOverview, Registry, RegistryOptions, ReleaseRef,
    Source,
};
use hookbox_sandbox::{Sandbox, SandboxOptions};
use hookbox_server::{Config, EventDesk, compile_cache, services};
use hookbox_store::{AuditEntry, AuditQuery, Store};
use serde_json::{Value, json};

use super::{Answer, Change};
use crate::commands::{all, compiler};
use crate::samples::SAMPLES;

/// Whom the audit trail names.
pub(super) const ACTOR: &str = "hookbox:cli";

/// The plugins of a data folder, for this process alone while this lives.
pub(crate) struct Here {
    registry: Registry,
    events: EventDesk,
    data: PathBuf,
    _lock: DataLock,
}

impl Here {
    /// Reads what the folder keeps.
    pub(super) async fn open(config: &Config, lock: DataLock) -> anyhow::Result<Self> {
        let data = config.server.data.clone();
        let store = Store::open(&config.database_options())
            .with_context(|| format!("no server uses {}, and here", data.display()))?;
        let options = SandboxOptions {
            // What is compiled here needs no compiling when a server starts.
            cache: Some(compile_cache(&data)),
            compiler: compiler(config)?,
            services: services(&store),
            guest_memory_bytes: None,
        };
        let sandbox = Sandbox::new(options)?;
        let options = RegistryOptions { sandbox, store: store.clone(), data: data.clone(), samples: SAMPLES };
        let registry = Registry::open(options).await?;
        let events = EventDesk::idle(registry.clone(), store, config);
        Ok(Self { registry, events, data, _lock: lock })
    }

    /// Brings back what the folder's last server had live, with the configuration of today, so that changes can be made.
    pub(super) async fn start(&self, config: &Config) -> anyhow::Result<()> {
        self.registry.start(config.configured()).await.map_err(|errors| all(&errors))
    }

    /// Its journal of events.
    pub(super) fn events(&self) -> &EventDesk {
        &self.events
    }

    /// The folder, for people.
    pub(super) fn data(&self) -> String {
        self.data.display().to_string()
    }

    /// Why nothing runs.
    pub(super) fn idle(&self) -> String {
        format!("no server uses the data folder {}", self.data.display())
    }

    pub(super) async fn change(&self, plugin: &str, change: Change, if_match: Option<u64>) -> Answer {
        let registry = &self.registry;
        let by = By { actor: ACTOR.to_owned(), if_revision: if_match };
        let changed = match change {
            Change::Install(upload) => {
                let release = NewRelease {
                    plugin: plugin.to_owned(),
                    bytes: upload.component.into(),
                    cases: upload.cases,
                    sha256: upload.sha256,
                    source: Source::Upload,
                    origin: upload.origin,
                    then: upload.then,
                };
                registry.install(release, by).await
            }
            Change::Activate(release) => registry.activate(plugin, release, by).await,
            Change::RollBack(to) => registry.roll_back(plugin, to, by).await,
            Change::Disable => registry.disable(plugin, by).await,
            Change::Enable => registry.enable(plugin, by).await,
            Change::Remove(rows) => registry.remove(plugin, rows, by).await,
            Change::Approve(approval) => registry.approve(plugin, approval, by).await,
            Change::Try(release, request) => registry.begin_trial(plugin, release, request, by).await,
            Change::EndTrial(end) => registry.end_trial(plugin, end, by).await,
        };
        answer(changed)
    }

    pub(super) fn plugins(&self) -> anyhow::Result<Answer> {
        let plugins =
            self.registry.plugins().into_iter().map(kept).collect::<anyhow::Result<Vec<Value>>>()?;
        Ok(Answer::Done(json!({"generation": 0, "plugins": plugins})))
    }

    pub(super) fn plugin(&self, name: &str) -> anyhow::Result<Answer> {
        match self.registry.plugin(name) {
            Ok(overview) => Ok(Answer::Done(kept(overview)?)),
            Err(error) => Ok(refused(&error)),
        }
    }

    pub(super) fn release(&self, name: &str, release: &ReleaseRef) -> anyhow::Result<Answer> {
        let report = match self.registry.report(name, release) {
            Ok(report) => report,
            Err(error) => return Ok(refused(&error)),
        };
        let overview = match self.registry.plugin(name) {
            Ok(overview) => overview,
            Err(error) => return Ok(refused(&error)),
        };
        let named = |view: &&hookbox_plugins::ReleaseView| {
            release.names(view.release, &view.digest, view.version.as_deref())
        };
        let mut value = match overview.releases.iter().find(named) {
            Some(view) => serde_json::to_value(view)?,
            None => json!({}),
        };
        value["report"] = report;
        Ok(Answer::Done(value))
    }

    pub(super) async fn audit(&self, plugin: Option<&str>, limit: u32) -> anyhow::Result<Answer> {
        let query = AuditQuery { plugin: plugin.map(str::to_owned), before: None, limit };
        let entries = self.registry.audit(query).await?;
        let full = u32::try_from(entries.len()).is_ok_and(|found| found >= limit);
        let next = entries.last().filter(|_| full).map(|entry| entry.id);
        let entries: Vec<Value> = entries.iter().map(entry).collect();
        Ok(Answer::Done(json!({"entries": entries, "next": next})))
    }
}

/// A plugin as the next server will find it: the release that was live will be.
fn kept(overview: PluginOverview) -> anyhow::Result<Value> {
    let live =
        overview.releases.iter().find(|release| release.state == "live").map(|release| release.release);
    let mut value = serde_json::to_value(overview)?;
    if let Some(release) = live {
        value["state"] = json!("live");
        value["release"] = json!(release);
    }
    Ok(value)
}

fn answer(changed: Result<Changed, ChangeError>) -> Answer {
    match changed {
        Ok(changed) => match serde_json::to_value(changed) {
            Ok(value) => Answer::Done(value),
            Err(error) => refused(&ChangeError::Internal(error.to_string())),
        },
        Err(error) => refused(&error),
    }
}

fn refused(error: &ChangeError) -> Answer {
    let mut problem = json!({"code": error.code(), "detail": error.to_string()});
    if let ChangeError::Rejected { release, report, .. } = error {
        problem["release"] = json!(release);
        problem["report"] = report.clone();
    }
    Answer::Refused { problem, by: String::new() }
}

fn entry(found: &AuditEntry) -> Value {
    let entry = &found.entry;
    let micros = u64::try_from(entry.at.as_micros()).unwrap_or_default();
    let at = humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(micros)).to_string();
    json!({
        "id": found.id,
        "at": at,
        "actor": entry.actor,
        "action": entry.action,
        "outcome": entry.outcome,
        "plugin": entry.plugin,
        "release": entry.release,
        "digest": entry.digest,
        "generation": entry.generation,
        "detail": serde_json::from_str::<Value>(&entry.detail).unwrap_or_default(),
    })
}
