//! A call's tape: it runs beside the call and takes down what the host says, or says it instead of the host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CallRecord, HostCall, RECORD_BYTES, RecordedInstance, Seed, TextOrBytes};

/// What a host call takes in a record beside its texts.
const CALL_BYTES: usize = 32;
/// Differences from a record that are told.
const DIVERGENCES: usize = 50;
/// Letters of a question in a told difference.
const ASKED_LETTERS: usize = 200;

/// What a call hears and says, shared by its capabilities.
pub(crate) struct Tape {
    plays: bool,
    reel: Mutex<Reel>,
}

struct Reel {
    record: CallRecord,
    random: StdRng,
    /// Recording: bytes that are left.
    left: usize,
    /// Recording: what came of the bodies of answers to requests, by the request's place in the record.
    bodies: BTreeMap<usize, Body>,
    /// Playing: which calls of the record have been answered with.
    used: Vec<bool>,
    divergences: Vec<String>,
}

#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    end: Option<BodyEnd>,
}

/// How an answer's body ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BodyEnd {
    /// It was read to its end.
    Whole,
    /// The guest read no further.
    Unread,
    /// It was longer than a record can be.
    Truncated,
    /// Reading it failed with this error.
    Error(String),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, TextOrBytes)>,
    #[serde(default = "empty")]
    pub(crate) body: TextOrBytes,
    #[serde(default = "unread")]
    pub(crate) end: BodyEnd,
}

fn empty() -> TextOrBytes {
    TextOrBytes(Vec::new())
}

fn unread() -> BodyEnd {
    BodyEnd::Unread
}

/// A `Result` as a record spells it: `{"ok": …}` or `{"err": …}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said<T, E> {
    Ok(T),
    Err(E),
}

impl Tape {
    /// An empty tape, with a seed of its own.
    pub(crate) fn recording() -> Arc<Self> {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::new(
            false,
            CallRecord {
                time_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
                seed: Seed(seed),
                instance: RecordedInstance::Fresh,
                truncated: false,
                host_calls: Vec::new(),
            },
        )
    }

    /// A tape that says what this record has.
    pub(crate) fn playing(record: CallRecord) -> Arc<Self> {
        Self::new(true, record)
    }

    fn new(plays: bool, record: CallRecord) -> Arc<Self> {
        let reel = Reel {
            random: StdRng::from_seed(record.seed.0),
            left: RECORD_BYTES,
            bodies: BTreeMap::new(),
            used: vec![false; record.host_calls.len()],
            divergences: Vec::new(),
            record,
        };
        Arc::new(Self { plays, reel: Mutex::new(reel) })
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it answers instead of the host.
    pub(crate) fn plays(&self) -> bool {
        self.plays
    }

    /// Takes what was recorded, at the end of the call.
    pub(crate) fn record(&self) -> CallRecord {
        let mut reel = self.reel();
        let bodies = std::mem::take(&mut reel.bodies);
        for (at, Body { bytes, end }) in bodies {
            if let Some(call) = reel.record.host_calls.get_mut(at) {
                call.answer["ok"]["body"] = json!(TextOrBytes(bytes));
                call.answer["ok"]["end"] = json!(end.unwrap_or(BodyEnd::Unread));
            }
        }
        CallRecord { host_calls: std::mem::take(&mut reel.record.host_calls), ..reel.record.clone() }
    }

    /// Where the call that was played differed from its record.
    pub(crate) fn divergences(&self) -> Vec<String> {
        let mut reel = self.reel();
        if reel.record.truncated {
            reel.diverge("the record is truncated: its last host calls are missing".to_owned());
        }
        std::mem::take(&mut reel.divergences)
    }

    /// Notes that the call runs in an instance that served others.
    pub(crate) fn reused(&self) {
        self.reel().record.instance = RecordedInstance::Reused;
    }

    /// Random bytes.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        self.reel().random.fill_bytes(bytes);
    }

    /// A reading of a clock, or of what is left of the call's time. Where the record has no more of them, time stands still.
    pub(crate) fn reading<T: Serialize + DeserializeOwned>(&self, clock: &'static str, now: T) -> T {
        if !self.plays {
            self.add(clock, Value::Null, json!(now));
            return now;
        }
        let mut reel = self.reel();
        let played = reel.take(clock, &Value::Null).or_else(|| {
            reel.diverge(format!("{clock}: read more often than in the record"));
            reel.record.host_calls.iter().rfind(|call| call.call == clock).map(|call| call.answer.clone())
        });
        played.and_then(|answer| serde_json::from_value(answer).ok()).unwrap_or(now)
    }

    /// The reading of a clock that a played call saw last.
    pub(crate) fn last_reading<T: DeserializeOwned>(&self, clock: &str) -> Option<T> {
        let reel = self.reel();
        let mut calls = reel.record.host_calls.iter().zip(&reel.used);
        let seen = calls.rfind(|(call, used)| **used && call.call == clock)?;
        serde_json::from_value(seen.0.answer.clone()).ok()
    }

    /// Takes down what a host call answered.
    pub(crate) fn took<T: Serialize, E: Serialize>(
        &self,
        call: &'static str,
        asked: Value,
        answer: &Result<T, E>,
    ) {
        let said = match answer {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"err": error}),
        };
        self.add(call, asked, said);
    }

    /// What the record answers; `None`, and a divergence, when it has nothing.
    pub(crate) fn play<T: DeserializeOwned, E: DeserializeOwned>(
        &self,
        call: &str,
        asked: &Value,
    ) -> Option<Result<T, E>> {
        let mut reel = self.reel();
        let question = || {
            let text = if asked.is_null() { String::new() } else { format!(" {asked}") };
            text.chars().take(ASKED_LETTERS).collect::<String>()
        };
        let Some(answer) = reel.take(call, asked) else {
            let text = format!("{call}{}: not in the record, answered as unavailable", question());
            reel.diverge(text);
            return None;
        };
        match serde_json::from_value(answer) {
            Ok(Said::Ok(value)) => Some(Ok(value)),
            Ok(Said::Err(error)) => Some(Err(error)),
            Err(_) => {
                let text =
                    format!("{call}{}: the record's answer is none, answered as unavailable", question());
                reel.diverge(text);
                None
            }
        }
    }

    /// Notes a difference from the record.
    pub(crate) fn diverge(&self, text: String) {
        self.reel().diverge(text);
    }

    /// Begins to take down a request, in the order in which requests are made; its place.
    pub(crate) fn request(&self, asked: Value) -> Option<usize> {
        self.add("http", asked, Value::Null)
    }

    /// The head of the answer to a request, or why there is none.
    pub(crate) fn answered(&self, request: usize, head: &Result<HttpAnswer, String>) {
        let mut reel = self.reel();
        let answer = match head {
            Ok(head) => json!({"ok": head}),
            Err(error) => json!({"err": error}),
        };
        let fits = reel.pays(answer.to_string().len());
        if let Some(call) = reel.record.host_calls.get_mut(request).filter(|_| fits) {
            call.answer = answer;
            if head.is_ok() {
                reel.bodies.insert(request, Body::default());
            }
        }
    }

    /// Bytes of the body of an answer.
    pub(crate) fn body(&self, request: usize, bytes: &[u8]) {
        let mut reel = self.reel();
        let fits = reel.pays(bytes.len());
        if let Some(body) = reel.bodies.get_mut(&request).filter(|body| body.end.is_none()) {
            match fits {
                true => body.bytes.extend_from_slice(bytes),
                false => body.end = Some(BodyEnd::Truncated),
            }
        }
    }

    /// The end of such a body.
    pub(crate) fn body_end(&self, request: usize, end: BodyEnd) {
        if let Some(body) = self.reel().bodies.get_mut(&request) {
            body.end.get_or_insert(end);
        }
    }

    /// Adds a call where there is room; its place.
    fn add(&self, call: &'static str, asked: Value, answer: Value) -> Option<usize> {
        let length = |value: &Value| if value.is_null() { 0 } else { value.to_string().len() };
        let bytes = CALL_BYTES + call.len() + length(&asked) + length(&answer);
        let mut reel = self.reel();
        reel.pays(bytes).then(|| {
            reel.record.host_calls.push(HostCall { call: call.to_owned(), asked, answer });
            reel.record.host_calls.len() - 1
        })
    }
}

impl Reel {
    /// Whether there is room for these bytes. After the first that did not fit there is none for any.
    fn pays(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes).filter(|_| !self.record.truncated) {
            Some(left) => self.left = left,
            None => self.record.truncated = true,
        }
        !self.record.truncated
    }

    /// The first answer of the record to this very question that was not given yet.
    fn take(&mut self, call: &str, asked: &Value) -> Option<Value> {
        let mut calls = self.record.host_calls.iter().zip(&mut self.used);
        let (found, used) =
            calls.find(|(kept, used)| !**used && kept.call == call && kept.asked == *asked)?;
        *used = true;
        Some(found.answer.clone())
    }

    fn diverge(&mut self, text: String) {
        if self.divergences.len() < DIVERGENCES && !self.divergences.contains(&text) {
            self.divergences.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Got = Result<i64, String>;

    #[test]
    fn what_was_said_is_said_again_in_its_order() {
        let tape = Tape::recording();
        tape.took::<i64, String>("a", json!("x"), &Ok(1));
        tape.took::<i64, String>("a", json!("y"), &Ok(2));
        tape.took::<i64, String>("a", json!("x"), &Err("no".into()));
        assert_eq!(tape.reading("clock", 10), 10);
        assert_eq!(tape.reading("clock", 20), 20);
        let mut random = [0; 16];
        tape.fill(&mut random);

        let played = Tape::playing(tape.record());
        assert_eq!(played.play::<i64, String>("a", &json!("x")), Some(Got::Ok(1)));
        assert_eq!(played.play::<i64, String>("a", &json!("x")), Some(Got::Err("no".into())));
        assert_eq!(played.play::<i64, String>("a", &json!("y")), Some(Got::Ok(2)));
        assert_eq!(played.last_reading::<i64>("clock"), None);
        assert_eq!((played.reading("clock", 0), played.reading("clock", 0)), (10, 20));
        assert_eq!(played.last_reading::<i64>("clock"), Some(20));
        let mut again = [0; 16];
        played.fill(&mut again);
        assert_eq!(again, random);
        assert_eq!(played.divergences(), [""; 0]);
    }

    #[test]
    fn what_the_record_lacks_is_told_once() {
        let played = Tape::playing(Tape::recording().record());
        for _ in 0..100 {
            assert_eq!(played.play::<i64, String>("a", &json!({"key": "x"})), None);
            assert_eq!(played.reading("clock", 7), 7);
        }
        let told = played.divergences();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0], "a {\"key\":\"x\"}: not in the record, answered as unavailable");
    }

    #[test]
    fn answers_of_another_shape_are_none() {
        let tape = Tape::recording();
        tape.took::<&str, String>("a", Value::Null, &Ok("a text"));
        tape.add("b", Value::Null, json!([1]));
        let played = Tape::playing(tape.record());
        assert_eq!(played.play::<i64, String>("a", &Value::Null), None);
        assert_eq!(played.play::<i64, String>("b", &Value::Null), None);
        assert_eq!(played.divergences().len(), 2);
    }

    #[test]
    fn a_record_has_a_bound_and_says_when_it_was_reached() {
        let tape = Tape::recording();
        let long = "x".repeat(RECORD_BYTES / 4);
        for _ in 0..10 {
            tape.took::<_, String>("a", Value::Null, &Ok(&long));
        }
        // One that would fit comes after one that did not: what there is is the beginning, without gaps.
        tape.took::<_, String>("a", Value::Null, &Ok(1));
        let record = tape.record();
        assert!(record.truncated);
        assert_eq!(record.host_calls.len(), 3);
        assert!(Tape::playing(record).divergences()[0].contains("truncated"));
    }

    #[test]
    fn a_body_is_kept_as_far_as_it_was_read() {
        let tape = Tape::recording();
        let head = || HttpAnswer { status: 200, headers: Vec::new(), body: empty(), end: unread() };
        let requests: Vec<usize> = (0..3).map(|_| tape.request(json!("x")).unwrap_or(usize::MAX)).collect();
        tape.answered(requests[1], &Ok(head()));
        tape.body(requests[1], b"one ");
        tape.body(requests[1], b"two");
        tape.body_end(requests[1], BodyEnd::Whole);
        tape.answered(requests[0], &Ok(head()));
        tape.body(requests[0], b"part");
        tape.answered(requests[2], &Err("ConnectionRefused".into()));
        tape.body(99, b"nobody's");
        let calls = tape.record().host_calls;
        assert_eq!(calls[0].answer["ok"]["body"], "part");
        assert_eq!(calls[0].answer["ok"]["end"], "unread");
        assert_eq!(calls[1].answer["ok"]["body"], "one two");
        assert_eq!(calls[1].answer["ok"]["end"], "whole");
        assert_eq!(calls[2].answer, json!({"err": "ConnectionRefused"}));
    }
}
