//! `PUT /admin/api/plugins/{name}`: a component, alone or with its recorded cases.

mod body;
mod query;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hookbox_plugins::{Changed, NewRelease, PluginOverview, Source, Then};
use hookbox_sandbox::COMPONENT_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::body::{CASES_BYTES, Pace, Sent};
use self::query::Wanted;
use super::problems::log;
use super::target::{Target, to_its_end, told};
use crate::app::App;
use crate::path::Asked;
use crate::problem::Problem;
use crate::telemetry::UPLOADS;

pub(crate) use self::body::problems;

/// Bytes of the longest body: a component, its cases, and what a form adds to them.
pub(super) const BODY_BYTES: usize = COMPONENT_BYTES + CASES_BYTES + (64 << 10);

/// Uploads that are read and admitted at once. Each may hold its component in memory.
const AT_ONCE: usize = 2;
/// Uploads that wait for a turn; more are refused at once.
const WAITING: usize = 32;
/// How long one waits.
const WAIT: Duration = Duration::from_secs(60);
/// When a refused upload is worth sending again.
const AGAIN_SECONDS: u32 = 5;

/// Turns at uploading.
pub(crate) struct Uploads {
    turns: Arc<Semaphore>,
    line: Arc<Semaphore>,
    wait: Duration,
}

impl Default for Uploads {
    fn default() -> Self {
        Self::new(AT_ONCE, WAITING, WAIT)
    }
}

impl Uploads {
    fn new(at_once: usize, waiting: usize, wait: Duration) -> Self {
        let line = Arc::new(Semaphore::new(at_once + waiting));
        Self { turns: Arc::new(Semaphore::new(at_once)), line, wait }
    }

    /// Waits for a turn, which lasts until the answer is dropped.
    async fn turn(&self) -> Result<Turn, Problem> {
        let place = Arc::clone(&self.line).try_acquire_owned().map_err(|_| busy())?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(self.wait, turn).await {
            Ok(Ok(turn)) => Ok(Turn { _turn: turn, _place: place }),
            _ => Err(busy()),
        }
    }
}

struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

/// 503 for one upload too many.
pub(super) fn busy() -> Problem {
    let detail = "other components are being uploaded and admitted; send this one again later";
    Problem::busy("uploads-busy", detail).retry_after(AGAIN_SECONDS)
}

pub(super) async fn install(
    target: Target,
    Asked(wanted): Asked<Wanted>,
    request: Request,
) -> Result<Response, Problem> {
    let answer = receive(target, wanted, request).await;
    let result = match &answer {
        Ok((_, outcome)) => outcome,
        Err(problem) => problem.code(),
    };
    metrics::counter!(UPLOADS, "result" => result).increment(1);
    answer.map(|(response, _)| response)
}

async fn receive(
    target: Target,
    wanted: Wanted,
    request: Request,
) -> Result<(Response, &'static str), Problem> {
    let Target { app, name, by } = target;
    let then = wanted.then()?;
    let kind = Kind::of(request.headers())?;
    let turn = app.uploads.turn().await?;
    let Sent { component, cases } = sent(kind, request, &app).await?;
    let was = app.plugins.plugin(&name).ok();
    let asked = then.clone();
    let release = NewRelease {
        plugin: name.clone(),
        bytes: Arc::new(component),
        cases,
        sha256: wanted.sha256,
        source: Source::Upload,
        origin: by.actor.clone(),
        then,
    };
    let changed = to_its_end(async move {
        let changed = app.plugins.install(release, by).await;
        drop(turn);
        changed
    })
    .await?
    .inspect_err(log)?;
    let status = status(&changed, &asked, was.as_ref());
    let outcome = changed.outcome;
    let mut response = told(status, changed);
    if status == StatusCode::CREATED
        && let Ok(place) = HeaderValue::try_from(format!("/admin/api/plugins/{name}"))
    {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok((response, outcome))
}

/// How a component is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The body is the component.
    Alone,
    /// The body is a form.
    Form,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence =
            kind.and_then(|kind| kind.split(';').next()).map(|kind| kind.trim().to_ascii_lowercase());
        match essence.as_deref() {
            Some("application/wasm" | "application/octet-stream") => Ok(Self::Alone),
            Some("multipart/form-data") => Ok(Self::Form),
            _ => Err(body::unsupported()),
        }
    }
}

async fn sent(kind: Kind, request: Request, app: &Arc<App>) -> Result<Sent, Problem> {
    let length = body::announced(request.headers());
    let pace = Pace::default();
    match kind {
        Kind::Alone => {
            let component = body::alone(request.into_body(), length, &pace).await?;
            Ok(Sent { component, cases: None })
        }
        Kind::Form => {
            if length.is_some_and(|length| length > BODY_BYTES) {
                return Err(body::too_large("body", BODY_BYTES));
            }
            let form = Multipart::from_request(request, app).await;
            let form = form.map_err(|error| body::bad_form(&error.body_text()))?;
            body::form(form, &pace).await
        }
    }
}

/// 201: there was no such plugin, and now it takes calls. 202: what was asked for is not all done yet.
fn status(changed: &Changed, asked: &Then, was: Option<&PluginOverview>) -> StatusCode {
    let is_new = was.is_none_or(|was| was.state == "removed");
    match (changed.outcome, asked) {
        ("live", _) if is_new => StatusCode::CREATED,
        ("needs-approval" | "trial", _) | ("checked", Then::Activate | Then::Try(_)) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(outcome: &'static str) -> Changed {
        let plugin = plugin("live");
        Changed { outcome, release: Some(1), generation: 1, plugin }
    }

    fn plugin(state: &'static str) -> PluginOverview {
        PluginOverview {
            name: "a".into(),
            state,
            quarantine: None,
            revision: 1,
            release: Some(1),
            attention: None,
            trial: None,
            approved: Vec::new(),
            releases: Vec::new(),
            live: None,
        }
    }

    #[test]
    fn the_status_tells_a_new_plugin_from_an_upgrade_and_from_what_waits() {
        let of = |outcome, asked: &Then, was: Option<&str>| {
            let was = was.map(|state| plugin(if state == "removed" { "removed" } else { "live" }));
            status(&changed(outcome), asked, was.as_ref()).as_u16()
        };
        assert_eq!(of("live", &Then::Activate, None), 201);
        assert_eq!(of("live", &Then::Activate, Some("removed")), 201);
        assert_eq!(of("live", &Then::Activate, Some("live")), 200);
        assert_eq!(of("unchanged", &Then::Activate, Some("live")), 200);
        assert_eq!(of("checked", &Then::Keep, Some("live")), 200);
        assert_eq!(of("checked", &Then::Activate, Some("live")), 202);
        assert_eq!(of("needs-approval", &Then::Activate, None), 202);
    }

    #[test]
    fn a_component_is_told_from_a_form_and_from_everything_else() {
        let of = |text: &str| {
            let value = HeaderValue::try_from(text).unwrap();
            Kind::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)])).map_err(|problem| problem.code())
        };
        assert_eq!(of("application/wasm"), Ok(Kind::Alone));
        assert_eq!(of("Application/Octet-Stream; x=1"), Ok(Kind::Alone));
        assert_eq!(of("multipart/form-data; boundary=b"), Ok(Kind::Form));
        assert_eq!(of("application/json"), Err("unsupported-media-type"));
        assert!(Kind::of(&HeaderMap::new()).is_err());
    }

    #[tokio::test]
    async fn one_upload_too_many_is_told_when_to_come_back() {
        let uploads = Uploads::new(1, 1, Duration::ZERO);
        let first = uploads.turn().await;
        assert!(first.is_ok());
        // The second may wait, and has no patience here.
        assert_eq!(uploads.turn().await.err().map(|problem| problem.code()), Some("uploads-busy"));
        let _place = Arc::clone(&uploads.line).try_acquire_owned().unwrap();
        assert!(uploads.turn().await.is_err());
        drop((first, _place));
        assert!(uploads.turn().await.is_ok());
    }
}
