#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use hookbox_hooks::EventMetadata;
use hookbox_store::{Options, Store, Timestamp, User};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::*;

const REGISTRATION: &str = "org.openedx.learning.student.registration.completed.v1";
const RETIREMENT: &str = "org.example.user.retired.v1";

fn following() -> Following {
    Following { retired_by: BTreeSet::from([RETIREMENT.to_owned()]), ..Following::default() }
}

fn received(event_type: &str, data: Value) -> ReceivedEvent {
    let metadata = EventMetadata {
        id: "22f8b1a8-2c4f-11ee-8f1e-0242ac120002".into(),
        event_type: event_type.into(),
        minorversion: 0,
        source: "openedx/lms/web".into(),
        sourcehost: String::new(),
        time: OffsetDateTime::UNIX_EPOCH,
        sourcelib: Vec::new(),
    };
    ReceivedEvent { metadata, data, extensions: Map::new() }
}

fn user(id: i64, name: &str) -> Value {
    json!({"user": {"id": id, "is_active": true, "pii": {"username": name, "email": "", "name": ""}}})
}

/// The row of an event that was sent at one moment and arrived at another.
fn row(event: &ReceivedEvent, time: i64, received_at: i64) -> NewEvent {
    let received_at = Timestamp::from_micros(received_at);
    let row = crate::row::to_row(event, received_at).unwrap();
    NewEvent { time: Timestamp::from_micros(time), received_at, ..row }
}

struct Place {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(&Options::at(folder.path().join("hookbox.db"))).unwrap(), _folder: folder }
    }

    /// What came of an event that was sent and arrived at these moments.
    async fn take(&self, event: &ReceivedEvent, time: i64, received_at: i64) -> Vec<&'static str> {
        let (said, row) = (following().said_by(event), row(event, time, received_at));
        let done = self.store.write(move |writes| keep_in_step(writes, &row, &said)).await;
        done.unwrap().0
    }

    async fn user(&self, id: i64) -> Option<User> {
        self.store.read(move |reads| reads.user_by_id(id)).await.unwrap()
    }
}

#[tokio::test]
async fn a_user_comes_and_goes_with_events() {
    let place = Place::new();
    assert_eq!(place.take(&received(REGISTRATION, user(42, "ada")), 1, 1).await, ["made"]);
    assert_eq!(place.user(42).await.unwrap().username, "ada");
    assert_eq!(place.take(&received(REGISTRATION, user(42, "lovelace")), 2, 2).await, ["updated"]);
    assert_eq!(place.take(&received(REGISTRATION, user(42, "ada")), 1, 3).await, ["late"]);
    assert_eq!(place.take(&received(RETIREMENT, user(42, "retired")), 4, 4).await, ["removed"]);
    assert_eq!(place.user(42).await, None);
    assert_eq!(place.take(&received(REGISTRATION, user(42, "ada")), 5, 5).await, ["retired"]);
    assert_eq!(place.take(&received(RETIREMENT, json!({"user_id": 42})), 6, 6).await, ["not-known"]);
    assert_eq!(place.take(&received(RETIREMENT, json!({"who": "ada"})), 7, 7).await, ["unread"]);
}

#[tokio::test]
async fn a_sender_whose_clock_is_ahead_silences_nobody() {
    let place = Place::new();
    assert_eq!(place.take(&received(REGISTRATION, user(42, "ada")), i64::MAX, 10).await, ["made"]);
    assert_eq!(place.take(&received(REGISTRATION, user(42, "lovelace")), 11, 11).await, ["updated"]);
}

#[tokio::test]
async fn what_cannot_be_written_down_keeps_no_event_out() {
    let place = Place::new();
    place.take(&received(REGISTRATION, user(1, "ada")), 1, 1).await;
    // Somebody has the very name that a user without one would get.
    place.take(&received(REGISTRATION, user(3, "#1")), 1, 1).await;
    assert_eq!(place.take(&received(REGISTRATION, user(2, "ada")), 2, 2).await, ["failed"]);
    assert_eq!(place.user(1).await.unwrap().username, "ada");
    assert_eq!(place.user(2).await, None);
}

#[test]
fn an_event_says_something_of_users_when_its_type_does_and_it_is_wanted() {
    let silent = |following: &Following, event_type: &str| {
        following.said_by(&received(event_type, user(42, "ada"))) == Said::Users(Vec::new())
    };
    assert!(!silent(&following(), REGISTRATION));
    assert!(silent(&following(), "org.example.other.v1"), "what another type means, nobody knows");
    assert!(silent(&Following { users: false, ..following() }, REGISTRATION));
    assert!(matches!(
        Following { users: false, ..following() }.said_by(&received(RETIREMENT, user(42, "ada"))),
        Said::Retired(Some(_))
    ));
}
