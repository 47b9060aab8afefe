//! `kill -9` in the middle of writes: what was answered is there, the database is sound, and the server starts again
//! by itself.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde_json::{Value, json};

use crate::support::archive::{Person, ROWS, row, unthrottled};
use crate::support::{Server, Site};

const WRITERS: i64 = 6;
/// After so many answers the server is killed, round by round; what else was asked is then in any state. An answer that
/// comes a fraction of a millisecond before its commit is found out by a few of the rounds, so there are many.
const ROUNDS: [usize; 8] = [1, 60, 13, 200, 7, 110, 29, 3];
const TIMES: usize = 4;

/// One client, with what it was answered.
struct Writer {
    person: Person,
    /// Rows as the last answer about each showed them.
    rows: BTreeMap<i64, Value>,
    /// The request that the kill left without an answer.
    doubt: Option<Doubt>,
    number: usize,
}

/// A request that may have been done or not.
#[derive(Debug)]
struct Doubt {
    method: &'static str,
    id: Option<i64>,
    body: Value,
}

impl Writer {
    /// Creates, changes and deletes rows until the server is gone.
    fn write(&mut self, base: &str, answered: &Sender<()>) {
        loop {
            let doubt = self.next();
            let path = doubt.id.map_or_else(|| ROWS.to_owned(), |id| row(&id.into()));
            let Ok(answer) = self.person.try_ask(base, doubt.method, &path, &doubt.body) else {
                self.doubt = Some(doubt);
                return;
            };
            let right = match doubt.method {
                "POST" => 201,
                "DELETE" => 204,
                _ => 200,
            };
            assert_eq!(answer.status, right, "{doubt:?}: {answer:?}");
            if let Some(id) = doubt.id.filter(|_| right == 204) {
                self.rows.remove(&id);
            } else {
                let row = answer.json(right);
                let id = row["id"].as_i64().unwrap();
                assert_eq!(doubt.id.is_none(), self.rows.insert(id, row).is_none(), "{doubt:?}");
            }
            // The other end is gone once enough were answered.
            let _ = answered.send(());
        }
    }

    fn next(&mut self) -> Doubt {
        self.number += 1;
        let number = self.number;
        let course = |number| format!("course-v1:Writer{}+Course+{number}", self.person.id);
        let picked = self.rows.keys().nth((number * 7) % self.rows.len().max(1)).copied();
        let is_archived = picked.is_none_or(|id| self.rows[&id]["is_archived"] == false);
        match (picked, number % 8) {
            (Some(id), 2 | 4) => {
                Doubt { method: "PATCH", id: Some(id), body: json!({"is_archived": is_archived}) }
            }
            (Some(id), 6) => {
                let body = json!({"course_id": course(number), "is_archived": is_archived});
                Doubt { method: "PUT", id: Some(id), body }
            }
            (Some(id), 7) => Doubt { method: "DELETE", id: Some(id), body: Value::Null },
            _ => {
                let body = json!({"course_id": course(number), "is_archived": number.is_multiple_of(3)});
                Doubt { method: "POST", id: None, body }
            }
        }
    }

    /// Holds what the server has to what it answered. What was in doubt may be one or the other, and is that from
    /// now on.
    fn compare(&mut self, server: &Server) {
        let there = self.person.all(server).into_iter().map(|row| (row["id"].as_i64().unwrap(), row));
        let there: BTreeMap<i64, Value> = there.collect();
        if let Some(doubt) = self.doubt.take() {
            let wrote = |row: &&Value| {
                doubt.body.as_object().unwrap().iter().all(|(field, value)| row[field] == *value)
            };
            match (doubt.method, doubt.id) {
                ("POST", _) => {
                    let new = there.iter().filter(|(id, _)| !self.rows.contains_key(id));
                    let new: Vec<(i64, Value)> = new.map(|(id, row)| (*id, row.clone())).collect();
                    assert!(new.len() < 2 && new.iter().all(|(_, row)| wrote(&row)), "{doubt:?}: {new:?}");
                    self.rows.extend(new);
                }
                ("DELETE", Some(id)) if !there.contains_key(&id) => drop(self.rows.remove(&id)),
                ("DELETE", _) => {}
                (_, Some(id)) => {
                    let now = there
                        .get(&id)
                        .filter(wrote)
                        .filter(|row| row["updated_at"] != self.rows[&id]["updated_at"]);
                    if let Some(now) = now {
                        self.rows.insert(id, now.clone());
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(there, self.rows, "what was answered is what is there");
    }
}

#[track_caller]
fn assert_sound(site: &Site, rows: usize) {
    let data = site.data();
    let mut command = site.command(&["--json", "db", "check"]);
    command.env("HOOKBOX_SERVER__DATA", data);
    let report = crate::support::site::run(command).exits(0).json();
    assert_eq!(report["sound"], true, "{report}");
    assert_eq!(report["tables"]["archive_status"], rows, "{report}");
}

#[test]
fn what_was_answered_is_there_after_a_kill() {
    let site = Site::new(&unthrottled(""));
    let mut writers: Vec<Writer> = (1..=WRITERS)
        .map(|id| Writer {
            person: Person::new(&site, &format!("writer-{id}"), id, &[]),
            rows: BTreeMap::new(),
            doubt: None,
            number: 0,
        })
        .collect();
    let mut kept = 0;
    for enough in ROUNDS.repeat(TIMES) {
        let server = site.serve();
        writers.iter_mut().for_each(|writer| writer.compare(&server));
        let base = server.url().to_owned();
        let (answered, answers) = channel();
        let counted = thread::scope(|scope| {
            for writer in &mut writers {
                let (base, answered) = (base.clone(), answered.clone());
                scope.spawn(move || writer.write(&base, &answered));
            }
            drop(answered);
            let counted = answers.iter().take(enough).count();
            server.kill();
            counted
        });
        assert_eq!(counted, enough, "the writers ended by themselves");
        assert!(writers.iter().any(|writer| writer.doubt.is_some()), "the kill came between requests");
        kept += counted;
    }
    let server = site.serve();
    writers.iter_mut().for_each(|writer| writer.compare(&server));
    let rows: usize = writers.iter().map(|writer| writer.rows.len()).sum();
    assert!(rows > 10 && kept > rows, "{rows} rows of {kept} writes");
    assert_sound(&site, rows);
    server.stop();
    assert_sound(&site, rows);
}

#[test]
fn a_kill_while_the_database_is_made_leaves_one_that_opens() {
    for seen in ["data", "data/hookbox.db", "data/hookbox.db-wal", "data/hookbox.db-shm", "data/jwt-secret"] {
        let site = Site::new(&unthrottled(""));
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--data", "data"]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let path = site.path().join(seen);
        while !path.exists() && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "{seen}: it was killed, and did not end by itself");
        let server = site.serve();
        let alice = Person::known(&server, &site, "alice", 1, &[]);
        alice.post(&server, &json!({"course_id": "course-v1:edX+DemoX+2026"})).json(201);
        assert_sound(&site, 1);
    }
}
