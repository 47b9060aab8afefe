//! Working on events: the same questions to a running server and to a data folder that no server uses.

use std::fmt::Write as _;

use anyhow::bail;
use hookbox_server::{BulkAsked, EventDesk, EventRef, EventsAsked, Names, Problem, ReplayAsked};
use serde::Serialize;
use serde_json::Value;

use super::server::{JSON, ask, in_path, send};
use super::{Answer, Operator, here};
use crate::commands::client::{Client, Request};

const EVENTS: &str = "/admin/api/events";

/// What a bulk change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bulk {
    Retry,
    Discard,
}

impl Operator {
    /// A page of events.
    pub(crate) async fn events(&self, asked: &EventsAsked) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => ask(client, &format!("{EVENTS}{}", query(asked))),
            Self::Here(here) => told(here.events().list(asked).await),
        }
    }

    /// One event in full.
    pub(crate) async fn event(&self, event: EventRef, source: Option<&str>) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => {
                let source = source.map(|source| format!("?source={}", in_path(source)));
                ask(client, &format!("{EVENTS}/{event}{}", source.unwrap_or_default()))
            }
            Self::Here(here) => told(here.events().show(event, source).await),
        }
    }

    /// How the journal stands.
    pub(crate) async fn events_summary(&self) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => ask(client, &format!("{EVENTS}/summary")),
            Self::Here(here) => told(here.events().summary().await),
        }
    }

    /// One part of a bulk change.
    pub(crate) async fn change_events(&self, bulk: Bulk, asked: &BulkAsked) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => {
                let what = match bulk {
                    Bulk::Retry => "retry",
                    Bulk::Discard => "discard",
                };
                post(client, &format!("{EVENTS}/{what}"), asked)
            }
            Self::Here(here) => {
                let desk: &EventDesk = here.events();
                told(match bulk {
                    Bulk::Retry => desk.retry(asked.clone(), here::ACTOR).await,
                    Bulk::Discard => desk.discard(asked.clone(), here::ACTOR).await,
                })
            }
        }
    }

    /// Begins a replay, or counts a part of what it would do.
    pub(crate) fn replay_events(&self, asked: &ReplayAsked) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => post(client, &format!("{EVENTS}/replay"), asked),
            Self::Here(here) => {
                bail!("{}: a replay needs one, which knows what its plugins receive", here.idle())
            }
        }
    }

    /// All replays.
    pub(crate) async fn replays(&self) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => ask(client, &format!("{EVENTS}/replays")),
            Self::Here(here) => told(here.events().replays().await),
        }
    }

    /// Stops a replay.
    pub(crate) async fn stop_replay(&self, replay: i64) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => {
                let path = format!("{EVENTS}/replays/{replay}");
                send(client, &Request { method: "DELETE", path: &path, ..Request::default() })
            }
            Self::Here(here) => told(here.events().stop_replay(replay, here::ACTOR).await),
        }
    }
}

fn post(client: &Client, path: &str, asked: &impl Serialize) -> anyhow::Result<Answer> {
    let body = serde_json::to_string(asked)?;
    send(
        client,
        &Request { method: "POST", path, media: Some(JSON), body: body.as_bytes(), ..Request::default() },
    )
}

fn told(done: Result<impl Serialize, Problem>) -> anyhow::Result<Answer> {
    Ok(match done {
        Ok(done) => Answer::Done(serde_json::to_value(done)?),
        Err(problem) => Answer::Refused { problem: problem.body(), by: String::new() },
    })
}

/// The same as a query.
fn query(asked: &EventsAsked) -> String {
    let joined = |names: &Names| (!names.0.is_empty()).then(|| names.0.join(","));
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let mut query = format!("?limit={}", asked.limit);
    for (key, value) in [
        ("state", joined(&asked.state)),
        ("type", joined(&asked.types)),
        ("plugin", asked.plugin.clone()),
        ("course", asked.course.clone()),
        ("source", asked.source.clone()),
        ("from", asked.from.clone()),
        ("to", asked.to.clone()),
        ("id", asked.id.clone()),
        ("before", number(asked.before)),
    ] {
        if let Some(value) = value {
            let _ = write!(query, "&{key}={}", in_path(&value));
        }
    }
    query
}

impl Answer {
    /// What was answered, or why not.
    pub(crate) fn done(self) -> Result<Value, Self> {
        match self {
            Self::Done(value) => Ok(value),
            refused @ Self::Refused { .. } => Err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_fits_into_a_query() {
        let asked = EventsAsked {
            state: Names(vec!["dead".into(), "open".into()]),
            course: Some("course-v1:a+b&c=d".into()),
            before: Some(7),
            ..EventsAsked::default()
        };
        let expected = "?limit=50&state=dead%2Copen&course=course-v1%3Aa%2Bb%26c%3Dd&before=7";
        assert_eq!(query(&asked), expected);
    }
}
