//! Receivers that do as they are told, and a clock that stands still.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookbox_hooks::{EventMetadata, ReceivedEvent};
use hookbox_store::{DeliveryRow, EventRow, Options, ReceiverCounts, Selection, Store, Timestamp};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{Sleep, Time};
use crate::{Delivery, DeliveryOptions, Outcome, Policy, Receipt, Receivers, Standing};

/// The type of most events here.
pub(super) const TYPE: &str = "org.example.thing.done.v1";
/// A test that waits so long for something has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time of day at which [`Manual`] begins.
pub(super) const START: i64 = 1_700_000_000_000_000;

pub(super) type Said = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Script = Arc<dyn Fn(u64, u32) -> Said + Send + Sync>;

/// One call of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) plugin: String,
    pub(super) event: u64,
    pub(super) attempt: u32,
}

#[derive(Clone)]
struct Plugin {
    types: Vec<String>,
    standing: Standing,
    policy: Policy,
    release: u32,
    script: Script,
    wish: Option<Duration>,
    vanishes: bool,
}

/// Plugins that do as they are told.
#[derive(Clone)]
pub(super) struct Fakes {
    plugins: Arc<Mutex<BTreeMap<String, Plugin>>>,
    calls: Arc<watch::Sender<Vec<Call>>>,
}

impl std::fmt::Debug for Fakes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Fakes")
    }
}

/// A policy whose pauses a test does not feel.
pub(super) fn quick() -> Policy {
    Policy { pause: Duration::from_millis(1), longest_pause: Duration::from_millis(2), ..Policy::default() }
}

/// An outcome that is there at once.
pub(super) fn at_once(outcome: Outcome) -> Said {
    Box::pin(std::future::ready(outcome))
}

pub(super) fn retry() -> Outcome {
    Outcome::Retry { reason: "not now".into() }
}

impl Fakes {
    pub(super) fn new() -> Self {
        Self { plugins: Arc::default(), calls: Arc::new(watch::Sender::new(Vec::new())) }
    }

    /// A plugin that receives [`TYPE`]; the script gets the event's number and the attempt's.
    pub(super) fn plugin(
        &self,
        name: &str,
        policy: Policy,
        script: impl Fn(u64, u32) -> Said + Send + Sync + 'static,
    ) {
        let plugin = Plugin {
            types: vec![TYPE.to_owned()],
            standing: Standing::Live,
            policy,
            release: 1,
            script: Arc::new(script),
            wish: None,
            vanishes: false,
        };
        self.plugins.lock().unwrap().insert(name.to_owned(), plugin);
    }

    /// A plugin that takes everything.
    pub(super) fn good(&self, name: &str) {
        self.plugin(name, quick(), |_, _| at_once(Outcome::Delivered));
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Plugin)) {
        change(self.plugins.lock().unwrap().get_mut(name).unwrap());
    }

    pub(super) fn stand(&self, name: &str, standing: Standing) {
        self.change(name, |plugin| plugin.standing = standing);
    }

    pub(super) fn receive(&self, name: &str, types: &[&str]) {
        self.change(name, |plugin| plugin.types = types.iter().map(|name| (*name).to_owned()).collect());
    }

    pub(super) fn wish(&self, name: &str, pause: Duration) {
        self.change(name, |plugin| plugin.wish = Some(pause));
    }

    /// The next call finds the plugin gone away, and nobody says so.
    pub(super) fn vanish(&self, name: &str) {
        self.change(name, |plugin| plugin.vanishes = true);
    }

    /// Puts another release in the plugin's place.
    pub(super) fn replace(
        &self,
        name: &str,
        release: u32,
        script: impl Fn(u64, u32) -> Said + Send + Sync + 'static,
    ) {
        self.change(name, |plugin| (plugin.release, plugin.script) = (release, Arc::new(script)));
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// The numbers of the events that a plugin was called with, in order.
    pub(super) fn events(&self, plugin: &str) -> Vec<u64> {
        self.calls.borrow().iter().filter(|call| call.plugin == plugin).map(|call| call.event).collect()
    }

    /// Waits until a plugin was called so often.
    pub(super) async fn called(&self, plugin: &str, times: usize) {
        let mut calls = self.calls.subscribe();
        let enough = |calls: &Vec<Call>| calls.iter().filter(|call| call.plugin == plugin).count() >= times;
        let waited = tokio::time::timeout(PATIENCE, calls.wait_for(enough)).await;
        assert!(waited.is_ok(), "{plugin} was not called {times} times: {:?}", self.calls());
    }
}

impl Receivers for Fakes {
    fn of(&self, event_type: &str) -> Vec<String> {
        let plugins = self.plugins.lock().unwrap();
        let receive = |plugin: &Plugin| {
            plugin.standing == Standing::Live && plugin.types.iter().any(|name| name == event_type)
        };
        plugins.iter().filter(|(_, plugin)| receive(plugin)).map(|(name, _)| name.clone()).collect()
    }

    fn types(&self, plugin: &str) -> Vec<String> {
        self.plugins.lock().unwrap().get(plugin).map(|plugin| plugin.types.clone()).unwrap_or_default()
    }

    fn standing(&self, plugin: &str) -> Standing {
        self.plugins.lock().unwrap().get(plugin).map_or(Standing::Gone, |plugin| plugin.standing)
    }

    fn policy(&self, plugin: &str) -> Policy {
        self.plugins.lock().unwrap().get(plugin).map(|plugin| plugin.policy.clone()).unwrap_or_default()
    }

    async fn deliver(&self, plugin: &str, event: &ReceivedEvent, attempt: u32) -> Receipt {
        let Some(found) = self.plugins.lock().unwrap().get(plugin).cloned() else {
            return Receipt {
                outcome: Outcome::NotReceived,
                release: None,
                digest: None,
                not_before: None,
                replay: None,
            };
        };
        if found.vanishes {
            self.change(plugin, |plugin| (plugin.vanishes, plugin.standing) = (false, Standing::Away));
            return Receipt {
                outcome: Outcome::NotReceived,
                release: None,
                digest: None,
                not_before: None,
                replay: None,
            };
        }
        let number = event.data["thing"]["number"].as_u64().unwrap();
        let known = found.standing == Standing::Live && found.types.contains(&event.metadata.event_type);
        let outcome = if known {
            let call = Call { plugin: plugin.to_owned(), event: number, attempt };
            self.calls.send_modify(|calls| calls.push(call));
            (found.script)(number, attempt).await
        } else {
            Outcome::NotReceived
        };
        Receipt {
            outcome,
            release: Some(found.release),
            digest: Some(format!("sha256:{}", found.release)),
            not_before: found.wish,
            replay: None,
        }
    }
}

/// An event with a number and a course.
pub(super) fn event(number: u64, course: &str) -> ReceivedEvent {
    ReceivedEvent {
        metadata: EventMetadata {
            id: Uuid::from_u128(u128::from(number)).hyphenated().to_string(),
            event_type: TYPE.to_owned(),
            minorversion: 0,
            source: "openedx/test/web".to_owned(),
            sourcehost: String::new(),
            time: OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap(),
            sourcelib: vec![11, 2, 0],
        },
        data: json!({"thing": {"number": number, "course_key": course}}),
        extensions: Map::from_iter([("partitionkey".to_owned(), Value::from("k"))]),
    }
}

pub(super) fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<ReceivedEvent> {
    numbers.into_iter().map(|number| event(number, "course-v1:a+b+c")).collect()
}

pub(super) fn open(folder: &Path) -> Store {
    Store::open(&Options::at(folder.join("journal.sqlite3"))).unwrap()
}

/// A journal over a new database, started.
pub(super) struct Journal {
    pub(super) delivery: Delivery<Fakes>,
    pub(super) fakes: Fakes,
    pub(super) time: Arc<Manual>,
    folder: tempfile::TempDir,
}

impl Journal {
    pub(super) async fn begin(fakes: Fakes) -> Self {
        Self::with(fakes, DeliveryOptions::default(), None).await
    }

    /// `time`: its clock stands still.
    pub(super) async fn with(fakes: Fakes, options: DeliveryOptions, time: Option<Arc<Manual>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let delivery = match &time {
            Some(time) => Delivery::with_time(store, fakes.clone(), options, Arc::<Manual>::clone(time)),
            None => Delivery::new(store, fakes.clone(), options),
        };
        delivery.start().await.unwrap();
        Self { delivery, fakes, time: time.unwrap_or_default(), folder }
    }

    pub(super) async fn counts(&self, plugin: &str) -> ReceiverCounts {
        counts(self.delivery.store(), plugin).await
    }

    /// Waits until the counts of a plugin are so; the clock goes on meanwhile, where it is a manual one.
    pub(super) async fn until(&self, plugin: &str, so: impl Fn(&ReceiverCounts) -> bool) -> ReceiverCounts {
        self.until_advancing(plugin, Duration::ZERO, so).await
    }

    /// Like [`Journal::until`], with the manual clock going forward in such steps.
    pub(super) async fn until_advancing(
        &self,
        plugin: &str,
        step: Duration,
        so: impl Fn(&ReceiverCounts) -> bool,
    ) -> ReceiverCounts {
        let began = std::time::Instant::now();
        loop {
            let counts = self.counts(plugin).await;
            if so(&counts) {
                return counts;
            }
            assert!(began.elapsed() < PATIENCE, "{counts:?}");
            self.time.advance(step);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The rows of all events, the first first.
    pub(super) async fn rows(&self) -> Vec<EventRow> {
        let mut rows = self.delivery.events(Selection::default(), None, 1000).await.unwrap().events;
        rows.reverse();
        rows
    }

    /// A plugin's delivery of the event with this place in order of arrival, from 1.
    pub(super) async fn row(&self, seq: i64, plugin: &str) -> DeliveryRow {
        let row = self.delivery.event(seq).await.unwrap().unwrap().row;
        row.deliveries.into_iter().find(|delivery| delivery.plugin == plugin).unwrap()
    }

    pub(super) async fn accept(&self, numbers: impl IntoIterator<Item = u64>) {
        self.delivery.accept(events(numbers)).await.unwrap();
    }
}

/// The journal's counters agree with its rows, and who waits for whom is as it must be.
pub(super) fn sound(folder: &Path) {
    let report = hookbox_store::check(folder.join("journal.sqlite3")).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

pub(super) async fn counts(store: &Store, plugin: &str) -> ReceiverCounts {
    let receivers = store.read(crate::measure::summary).await.unwrap().receivers;
    let own = receivers.into_iter().map(|receiver| receiver.counts).find(|counts| counts.plugin == plugin);
    own.unwrap_or(ReceiverCounts { plugin: plugin.to_owned(), ..ReceiverCounts::default() })
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            sound(self.folder.path());
        }
    }
}

/// A clock that stands still until somebody moves it.
#[derive(Debug)]
pub(super) struct Manual(watch::Sender<(i64, Duration)>);

impl Default for Manual {
    fn default() -> Self {
        Self(watch::Sender::new((START, Duration::ZERO)))
    }
}

impl Manual {
    /// Time goes by.
    pub(super) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.0.send_modify(|(wall, steady)| (*wall, *steady) = (*wall + micros, *steady + by));
    }

    /// The time of day, in seconds since the epoch.
    pub(super) fn wall_seconds(&self) -> i64 {
        self.0.borrow().0 / 1_000_000
    }

    /// Somebody sets the time of day.
    pub(super) fn set(&self, micros: i64) {
        self.0.send_modify(|(wall, _)| *wall = micros);
    }
}

impl Time for Manual {
    fn wall(&self) -> Timestamp {
        Timestamp::from_micros(self.0.borrow().0)
    }

    fn steady(&self) -> Duration {
        self.0.borrow().1
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.steady() + duration;
        let mut time = self.0.subscribe();
        Box::pin(async move {
            drop(time.wait_for(|(_, steady)| *steady >= until).await);
        })
    }
}
