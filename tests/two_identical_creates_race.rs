//! Two who do the same thing at the same time: one wins, the other is told, and there is one row.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::http::Answer;
use crate::support::{Server, Site};

const AT_ONCE: usize = 4;
const ROUNDS: usize = 12;

/// Sends these at the same moment; answers in their order.
fn together(server: &Server, requests: &[(&Person, &str, String, Value)]) -> Vec<Answer> {
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let senders: Vec<_> = requests
            .iter()
            .map(|(person, method, path, body)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    person.ask(server, method, path, body)
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    })
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

#[track_caller]
fn told_of_the_other(answers: &[Answer]) {
    for refused in answers.iter().filter(|answer| answer.status == 400) {
        let told = json!({"non_field_errors": ["The fields course_id, user must make a unique set."]});
        assert_eq!(refused.json(400), told);
    }
}

#[test]
fn of_identical_creates_one_wins() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    for round in 0..ROUNDS {
        // ASCII case does not tell two courses apart.
        let body = |letter: &str| json!({"course_id": format!("course-v1:edX+{letter}+{round}")});
        let one =
            |at: usize| (&alice, "POST", ROWS.to_owned(), body(if at.is_multiple_of(2) { "a" } else { "A" }));
        let answers = together(&server, &(0..AT_ONCE).map(one).collect::<Vec<_>>());
        assert_eq!(statuses(&answers), [201, 400, 400, 400], "{answers:?}");
        told_of_the_other(&answers);
        assert_eq!(alice.get(&server, ROWS).json(200)["count"], round + 1);
    }
}

#[test]
fn of_moves_to_one_place_one_wins() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    for round in 0..ROUNDS {
        let moves: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let body = json!({"course_id": format!("course-v1:edX+From{number}+{round}")});
                let id = alice.post(&server, &body).json(201)["id"].clone();
                let to = json!({"course_id": format!("course-v1:edX+To+{round}")});
                (&alice, "PATCH", row(&id), to)
            })
            .collect();
        let answers = together(&server, &moves);
        assert_eq!(statuses(&answers), [200, 400, 400, 400], "{answers:?}");
        told_of_the_other(&answers);
    }
}

#[test]
fn of_identical_deletes_one_wins() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let alice = Person::known(&server, &site, "alice", 1, &[]);
    for round in 0..ROUNDS {
        let body = json!({"course_id": format!("course-v1:edX+Gone+{round}")});
        let id = alice.post(&server, &body).json(201)["id"].clone();
        let one = (&alice, "DELETE", row(&id), Value::Null);
        let answers = together(&server, &vec![one; AT_ONCE]);
        assert_eq!(statuses(&answers), [204, 404, 404, 404], "{answers:?}");
    }
    assert_eq!(alice.all(&server), Vec::<Value>::new());
}

#[test]
fn a_user_who_comes_twice_at_once_is_one_user() {
    let site = Site::new(&unthrottled(""));
    let server = site.serve();
    let staff = Person::known(&server, &site, "staff", 1, &["--staff"]);
    for round in 0..6 {
        let id = 100 + round;
        let newcomer = Person::new(&site, &format!("newcomer-{round}"), id, &[]);
        let create = |number: usize| {
            let body = json!({"course_id": format!("course-v1:edX+First+{number}")});
            (&newcomer, "POST", ROWS.to_owned(), body)
        };
        let answers = together(&server, &(0..AT_ONCE).map(create).collect::<Vec<_>>());
        for answer in &answers {
            assert_eq!(answer.json(201)["user"], id);
        }
        let path = format!("{ROWS}?user={id}");
        assert_eq!(staff.get(&server, &path).json(200)["count"], AT_ONCE);
    }
}
