//! A process that writes is killed at moments of no one's choosing. What it has acknowledged is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use hookbox_store::{Options, Store, StoreError, Writes};
use tokio::runtime::Runtime;

use crate::support::{anyone, assert_sound, new_status, new_user};

const DATABASE: &str = "HOOKBOX_STORE_TEST_DATABASE";
const ROUND: &str = "HOOKBOX_STORE_TEST_ROUND";

/// The process that is killed: this test binary, running this test alone. In any other run there is nothing to do.
#[test]
fn the_process_that_is_killed() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let round: i64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let runtime = Runtime::new().unwrap();
    let store = Store::open(&Options::at(path)).unwrap();
    let writer = |caller: i64| {
        let store = store.clone();
        async move {
            for number in 0_i64.. {
                let course = format!("course-{round}-{caller}-{number}");
                let job = move |writes: &Writes<'_>| {
                    let user = match writes.user_by_name("ada")? {
                        Some(user) => user.id,
                        None => writes.insert_user(&new_user("ada"))?.id,
                    };
                    writes.insert_status(&new_status(&course, user, number))
                };
                let status: Result<_, StoreError> = store.write(job).await;
                // Straight to the pipe, so that what was printed was answered.
                writeln!(std::io::stderr(), "acknowledged {}", status.unwrap().id).unwrap();
            }
        }
    };
    runtime.block_on(async {
        let writers: Vec<_> = (0..8).map(|caller| tokio::spawn(writer(caller))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Runs the process, kills it after so many acknowledgements, and gives all that it made.
fn killed_after(path: &Path, round: usize, acknowledgements: usize) -> Vec<i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_processes_lose_nothing::the_process_that_is_killed", "--nocapture"])
        .env(DATABASE, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut ids = Vec::new();
    let mut lines = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<i64>().ok());
    ids.extend(lines.by_ref().take(acknowledgements));
    child.kill().unwrap();
    // What was in the pipe when it died counts as well.
    ids.extend(lines);
    assert!(!child.wait().unwrap().success());
    ids
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let mut acknowledged = BTreeSet::new();
    for (round, acknowledgements) in [1, 700, 37, 2_500, 250, 3].into_iter().enumerate() {
        let ids = killed_after(&path, round, acknowledgements);
        assert!(ids.len() >= acknowledgements, "the process ended by itself");
        for id in ids {
            assert!(acknowledged.insert(id), "{id} was given twice");
        }
        assert_sound(&path);
    }
    let store = Store::open(&Options::at(&path)).unwrap();
    let read = store.read(|reads| {
        let statuses = reads.statuses(&anyone(), &[], 0, u32::MAX)?;
        Ok::<_, StoreError>(statuses.into_iter().map(|status| status.id).collect::<BTreeSet<_>>())
    });
    let present = Runtime::new().unwrap().block_on(read).unwrap();
    assert!(acknowledged.is_subset(&present), "{:?}", acknowledged.difference(&present).collect::<Vec<_>>());
}
