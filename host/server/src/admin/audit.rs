//! `GET /admin/api/audit`: who did what when.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hookbox_store::{AuditEntry, AuditQuery};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::path::Asked;
use crate::problem::Problem;

/// Entries of a page, unless another number is asked for.
const LIMIT: u32 = 50;
/// The most entries of a page.
pub(crate) const LIMIT_MOST: u32 = 500;

/// A page of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// The entries, the latest first.
    pub(crate) entries: Vec<Entry>,
    /// What `before` is on the next page; `null` on the last.
    #[schema(required = true)]
    pub(crate) next: Option<i64>,
}

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct Entry {
    /// Its number; later entries have higher ones.
    pub(crate) id: i64,
    /// When. UTC.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: OffsetDateTime,
    /// Who: a user's name, or a part of the host: `configuration`, `folder`, `signal`, `rule`.
    pub(crate) actor: String,
    /// What was done: `install`, `activate`, `disable`, …
    pub(crate) action: String,
    /// What came of it: `live`, `rejected`, `refused`, …
    pub(crate) outcome: String,
    /// To which plugin.
    #[schema(required = true)]
    pub(crate) plugin: Option<String>,
    /// To which release of it.
    #[schema(required = true)]
    pub(crate) release: Option<u32>,
    /// The component's digest.
    #[schema(required = true)]
    pub(crate) digest: Option<String>,
    /// The generation that went live with it.
    #[schema(required = true)]
    pub(crate) generation: Option<u64>,
    /// Further facts.
    #[schema(value_type = Object)]
    pub(crate) detail: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    plugin: Option<String>,
    before: Option<i64>,
    #[serde(default = "limit")]
    limit: u32,
}

fn limit() -> u32 {
    LIMIT
}

pub(super) async fn read(
    State(app): State<Arc<App>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<AuditPage>, Problem> {
    let limit = wanted.limit;
    if !(1..=LIMIT_MOST).contains(&limit) {
        let detail = format!("limit must be from 1 to {LIMIT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail));
    }
    // One more tells whether there is another page.
    let query = AuditQuery { plugin: wanted.plugin, before: wanted.before, limit: limit + 1 };
    let found = app.plugins.audit(query).await.map_err(|error| Problem::store(&error))?;
    Ok(Json(page(found, usize::try_from(limit).unwrap_or(usize::MAX))))
}

fn page(found: Vec<AuditEntry>, limit: usize) -> AuditPage {
    let more = found.len() > limit;
    let entries: Vec<Entry> = found.into_iter().take(limit).map(Entry::from).collect();
    let next = entries.last().map(|entry| entry.id).filter(|_| more);
    AuditPage { entries, next }
}

impl From<AuditEntry> for Entry {
    fn from(AuditEntry { id, entry }: AuditEntry) -> Self {
        let nanoseconds = i128::from(entry.at.as_micros()) * 1_000;
        Self {
            id,
            at: OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            actor: entry.actor,
            action: entry.action,
            outcome: entry.outcome,
            plugin: entry.plugin,
            release: entry.release,
            digest: entry.digest,
            generation: entry.generation,
            detail: serde_json::from_str(&entry.detail).unwrap_or_else(|_| Value::Object(Default::default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use hookbox_store::{NewAuditEntry, Timestamp};
    use serde_json::json;

    use super::*;

    fn entries(count: i64) -> Vec<AuditEntry> {
        let entry = NewAuditEntry {
            at: Timestamp::from_micros(1_700_000_000_123_456),
            actor: "ada".into(),
            action: "install".into(),
            outcome: "live".into(),
            plugin: Some("a".into()),
            release: Some(1),
            digest: None,
            generation: Some(7),
            detail: "{\"bytes\":1}".into(),
        };
        (0..count).map(|at| AuditEntry { id: 100 - at, entry: entry.clone() }).collect()
    }

    #[test]
    fn a_page_names_the_next_one_only_when_there_is_one() {
        let full = page(entries(3), 2);
        assert_eq!((full.entries.len(), full.next), (2, Some(99)));
        let last = page(entries(2), 2);
        assert_eq!((last.entries.len(), last.next), (2, None));
        assert_eq!(page(entries(0), 2).next, None);
    }

    #[test]
    fn an_entry_says_when_it_was_and_what_else_is_known() {
        let entry = json!(Entry::from(entries(1).remove(0)));
        assert_eq!(entry["at"], "2023-11-14T22:13:20.123456Z");
        assert_eq!(entry["detail"], json!({"bytes": 1}));
        assert_eq!(entry["digest"], Value::Null);
    }
}
