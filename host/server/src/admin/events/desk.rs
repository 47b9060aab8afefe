//! What operators ask of the journal and change in it, the same for the API and for a command without a server.

use axum::http::StatusCode;
use hookbox_delivery::{Delivery, ReplayError, ReplayRequest};
use hookbox_plugins::{Registry, Standing};
use hookbox_store::{AUDIT_ENTRIES, NewAuditEntry, Store, StoreError, Timestamp};
use serde_json::{Value, json};

use super::asked::{Bulk, BulkAsked, EventRef, EventsAsked, ReplayAsked};
use super::views::{BulkDone, EventInFull, EventList, EventsSummary, ReplayCount, ReplayList, ReplayView};
use crate::app::App;
use crate::config::Config;
use crate::problem::Problem;
use crate::receivers::PluginReceivers;

/// The journal of events, for whoever looks at it and repairs.
#[derive(Debug, Clone)]
pub struct EventDesk {
    plugins: Registry,
    delivery: Delivery<PluginReceivers>,
}

/// What asking for a replay came to.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Replayed {
    Begun(ReplayView),
    Counted(ReplayCount),
}

impl EventDesk {
    /// The journal in this store, which no server works on. Nothing is delivered.
    pub fn idle(plugins: Registry, store: Store, config: &Config) -> Self {
        let receivers = PluginReceivers::new(plugins.clone());
        Self { plugins, delivery: Delivery::new(store, receivers, config.events.options()) }
    }

    pub(crate) fn of(app: &App) -> Self {
        Self { plugins: app.plugins.clone(), delivery: app.delivery.clone() }
    }

    /// A page of events.
    ///
    /// # Errors
    /// What is asked for cannot be, no plugin has that name, or the database could not be read.
    pub async fn list(&self, asked: &EventsAsked) -> Result<EventList, Problem> {
        let selection = asked.selection().map_err(bad_query)?;
        self.check_plugin(selection.plugin.as_deref())?;
        let page = self.delivery.events(selection, asked.before, asked.limit).await;
        page.map(EventList::from).map_err(|error| Problem::store(&error))
    }

    /// One event in full. `source` tells which, where two senders gave the same UUID.
    ///
    /// # Errors
    /// There is none, there are several, or the database could not be read.
    pub async fn show(&self, event: EventRef, source: Option<&str>) -> Result<EventInFull, Problem> {
        let number = self.number(event, source).await?;
        let found = self.delivery.event(number).await.map_err(|error| Problem::store(&error))?;
        found.map(EventInFull::from).ok_or_else(|| not_found(event))
    }

    /// Makes dead letters ready again.
    ///
    /// # Errors
    /// What is asked for cannot be, there is no such plugin or event, or the database could not be written.
    pub async fn retry(&self, asked: BulkAsked, by: &str) -> Result<BulkDone, Problem> {
        self.bulk(Bulk::Retry, asked, by).await
    }

    /// Discards dead letters and deliveries that wait.
    ///
    /// # Errors
    /// What is asked for cannot be, there is no such plugin or event, or the database could not be written.
    pub async fn discard(&self, asked: BulkAsked, by: &str) -> Result<BulkDone, Problem> {
        self.bulk(Bulk::Discard, asked, by).await
    }

    /// How the journal stands.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn summary(&self) -> Result<EventsSummary, Problem> {
        let summary = self.delivery.summary().await.map_err(|error| Problem::store(&error))?;
        Ok(EventsSummary::of(summary, |plugin| self.plugins.standing(plugin)))
    }

    /// All replays that are remembered.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn replays(&self) -> Result<ReplayList, Problem> {
        let rows = self.delivery.replays().await.map_err(|error| Problem::store(&error))?;
        Ok(ReplayList { replays: rows.into_iter().map(ReplayView::from).collect() })
    }

    pub(crate) async fn replay(&self, asked: ReplayAsked, by: &str) -> Result<Replayed, Problem> {
        let mut selection = asked.selection().map_err(bad_body)?;
        self.check_plugin(Some(&asked.plugin))?;
        if let Some(event) = asked.event {
            selection.seq = Some(self.number(event, asked.source.as_deref()).await?);
        }
        let request = ReplayRequest {
            plugin: asked.plugin.clone(),
            selection,
            rate: asked.rate.unwrap_or(ReplayRequest::RATE),
            by: by.to_owned(),
        };
        if asked.dry_run {
            let part = self.delivery.count_replay(request, asked.after.unwrap_or(0)).await;
            return part.map(|part| Replayed::Counted(part.into())).map_err(|error| refused(&error));
        }
        let begun = self.delivery.replay(request).await.map_err(|error| refused(&error))?;
        let detail = json!({"replay": begun.id, "asked": asked});
        self.note(by, "replay-events", "begun", Some(&asked.plugin), &detail).await;
        Ok(Replayed::Begun(begun.into()))
    }

    /// Stops a replay; what it made stays.
    ///
    /// # Errors
    /// There is none, or the database could not be written.
    pub async fn stop_replay(&self, replay: i64, by: &str) -> Result<ReplayView, Problem> {
        let stopped = self.delivery.stop_replay(replay).await.map_err(|error| Problem::store(&error))?;
        let row = stopped.ok_or_else(|| no_replay(replay))?;
        let detail = json!({"replay": replay, "made": row.made});
        self.note(by, "stop-replay", &row.state, Some(&row.plugin), &detail).await;
        Ok(row.into())
    }

    async fn bulk(&self, bulk: Bulk, asked: BulkAsked, by: &str) -> Result<BulkDone, Problem> {
        let mut selection = asked.selection(bulk).map_err(bad_body)?;
        self.check_plugin(selection.plugin.as_deref())?;
        if let (Bulk::Retry, Some(plugin)) = (bulk, &selection.plugin)
            && self.plugins.standing(plugin) == Some(Standing::Removed)
        {
            return Err(removed(plugin));
        }
        if let Some(event) = asked.event {
            selection.seq = Some(self.number(event, asked.source.as_deref()).await?);
        }
        let after = asked.after;
        let part = match (bulk, asked.dry_run) {
            (Bulk::Retry, false) => self.delivery.retry(selection, after).await,
            (Bulk::Discard, false) => self.delivery.discard(selection, after).await,
            (Bulk::Retry, true) => self.delivery.count_retry(selection, after).await,
            (Bulk::Discard, true) => self.delivery.count_discard(selection, after).await,
        };
        let part = part.map_err(|error| Problem::store(&error))?;
        if !asked.dry_run {
            let action = match bulk {
                Bulk::Retry => "retry-events",
                Bulk::Discard => "discard-events",
            };
            let detail = json!({"changed": part.changed, "next": part.next, "asked": asked});
            self.note(by, action, "done", asked.plugin.as_deref(), &detail).await;
        }
        Ok(BulkDone::of(part, asked.dry_run))
    }

    /// Writes down who did what. What was done is done: where this fails, the log has it.
    async fn note(&self, by: &str, action: &str, outcome: &str, plugin: Option<&str>, detail: &Value) {
        let entry = NewAuditEntry {
            at: Timestamp::now(),
            actor: by.to_owned(),
            action: action.to_owned(),
            outcome: outcome.to_owned(),
            plugin: plugin.map(str::to_owned),
            release: None,
            digest: None,
            generation: None,
            detail: detail.to_string(),
        };
        tracing::info!(by, action, plugin, %detail, "an operator worked on events");
        let written = self.delivery.store().write(move |writes| {
            writes.record(&entry)?;
            writes.prune_audit(AUDIT_ENTRIES)?;
            Ok::<(), StoreError>(())
        });
        if let Err(error) = written.await {
            tracing::error!(%error, by, action, "what was done could not be written into the audit trail");
        }
    }

    /// 404 with the nearest name for a plugin that nobody heard of.
    fn check_plugin(&self, name: Option<&str>) -> Result<(), Problem> {
        match name {
            Some(name) if self.plugins.standing(name).is_none() => {
                self.plugins.plugin(name).map(|_| ()).map_err(Problem::from)
            }
            _ => Ok(()),
        }
    }

    async fn number(&self, event: EventRef, source: Option<&str>) -> Result<i64, Problem> {
        let id = match event {
            EventRef::Number(number) => {
                let kept = self.delivery.is_kept(number).await.map_err(|error| Problem::store(&error))?;
                return if kept { Ok(number) } else { Err(not_found(event)) };
            }
            EventRef::Id(id) => id,
        };
        let found = self.delivery.events_with_id(id.into_bytes()).await;
        let mut found = found.map_err(|error| Problem::store(&error))?;
        found.retain(|(_, from)| source.is_none_or(|source| source == from));
        match found.as_slice() {
            [] => Err(not_found(event)),
            [(number, _)] => Ok(*number),
            several => Err(ambiguous(event, several)),
        }
    }
}

fn bad_query(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail)
}

fn bad_body(detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-body", detail)
}

/// 404: pruned, or never there.
pub(crate) fn not_found(event: EventRef) -> Problem {
    let detail = format!("no event {event} is kept; it may have been pruned");
    Problem::new(StatusCode::NOT_FOUND, "no-such-event", detail)
}

/// 409 with the events that may be meant.
pub(crate) fn ambiguous(event: EventRef, several: &[(i64, String)]) -> Problem {
    let sources: Vec<&str> = several.iter().map(|(_, source)| source.as_str()).collect();
    let detail = format!(
        "several senders gave the id {event}: {}; name the source, or the event's number",
        sources.join(", ")
    );
    let events: Vec<Value> =
        several.iter().map(|(number, source)| json!({"event": number, "source": source})).collect();
    Problem::new(StatusCode::CONFLICT, "ambiguous-event", detail).with("events", events)
}

/// 409 for a retry that nobody could take.
pub(crate) fn removed(plugin: &str) -> Problem {
    let detail = format!("plugin {plugin} was removed, and could take nothing; install it first");
    Problem::new(StatusCode::CONFLICT, "plugin-not-live", detail)
}

/// 404 for a replay's number.
pub(crate) fn no_replay(replay: i64) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-replay", format!("there is no replay {replay}"))
}

/// Why a replay does not begin.
pub(crate) fn refused(error: &ReplayError) -> Problem {
    let status = match error {
        ReplayError::Store(error) => return Problem::store(error),
        ReplayError::NotLive { .. } => StatusCode::CONFLICT,
        ReplayError::NothingReceived { .. } | ReplayError::Rate { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, error.code(), error.to_string())
}
