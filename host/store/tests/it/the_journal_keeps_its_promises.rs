//! The journal: whose turn it is, what an operator may do meanwhile, what is kept, and how long.

use hookbox_store::{
    After, AttemptEnd, AttemptRecord, DeliveryState, Keep, Migrated, NewDelivery, NewEvent, NewUser,
    SCHEMA_VERSION, Selection, StoreError, Timestamp, Total, Writes, check, migrate,
};
use rusqlite::Connection;

use crate::support::{Place, assert_sound, new_user};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn event(number: u8, received_at: i64, data_bytes: usize) -> NewEvent {
    NewEvent {
        id: [number; 16],
        source: "/lms".to_owned(),
        event_type: "org.example.event".to_owned(),
        time: at(0),
        received_at: at(received_at),
        minorversion: 0,
        sourcehost: "host".to_owned(),
        sourcelib: "[10,1,0]".to_owned(),
        course: None,
        data: format!("{{\"a\":\"{}\"}}", "x".repeat(data_bytes)),
        extensions: "{}".to_owned(),
    }
}

fn to_p(key: Option<&str>) -> [NewDelivery; 1] {
    [NewDelivery { plugin: "p".to_owned(), order_key: key.map(str::to_owned) }]
}

fn add(writes: &Writes<'_>, number: u8, key: Option<&str>) -> i64 {
    writes.add_event(&event(number, i64::from(number), 10), &to_p(key)).unwrap().seq
}

fn claim(writes: &Writes<'_>, now: i64, limit: u32) -> Vec<i64> {
    let claimed = writes.claim_deliveries("p", at(now), at(now + 1_000_000), limit).unwrap();
    claimed.iter().map(|claimed| claimed.event.seq).collect()
}

fn end(writes: &Writes<'_>, seq: i64, then: After) {
    let record = matches!(then, After::Again { .. } | After::Dead { .. })
        .then(|| AttemptRecord { outcome: "failed".to_owned(), ..AttemptRecord::default() });
    let end = AttemptEnd { seq, then, began_at: at(1), took: Some(2), release: Some(3), record };
    writes.end_attempts("p", at(5), &[end]).unwrap();
}

fn state(writes: &Writes<'_>, seq: i64) -> DeliveryState {
    writes.event(seq).unwrap().unwrap().deliveries[0].state
}

const DEAD: After = After::Dead { reason: "attempts" };

#[tokio::test]
async fn a_known_event_is_told_and_not_delivered_again() {
    let place = Place::new();
    let (first, again, other) = place
        .write(|writes| {
            let first = writes.add_event(&event(1, 1, 10), &to_p(None))?;
            let again = writes.add_event(&event(1, 2, 99), &to_p(None))?;
            let other = NewEvent { source: "/cms".to_owned(), ..event(1, 3, 10) };
            Ok((first, again, writes.add_event(&other, &to_p(None))?))
        })
        .await;
    assert_eq!((first.new, again.new, again.seq == first.seq), (true, false, true));
    assert!(other.new && other.seq > first.seq);
    let (ids, counts) =
        place.read(|reads| Ok((reads.events_with_id([1; 16])?, reads.receiver_counts()?))).await;
    assert_eq!(ids, [first.seq, other.seq]);
    assert_eq!(counts[0].open, 2);
    assert_sound(place.path());
}

#[tokio::test]
async fn one_that_comes_back_waits_for_a_later_one_that_runs() {
    let place = Place::new();
    place
        .write(|writes| {
            let (one, two) = (add(writes, 1, Some("k")), add(writes, 2, Some("k")));
            assert_eq!(claim(writes, 10, 9), [one]);
            end(writes, one, DEAD);
            assert_eq!(claim(writes, 10, 9), [two]);

            let dead = Selection::default();
            assert_eq!(writes.retry_deliveries(&dead, None, 9)?.changed, 1);
            assert_eq!(
                (state(writes, one), state(writes, two)),
                (DeliveryState::Held, DeliveryState::Running)
            );
            assert_eq!(claim(writes, 11, 9), [0; 0]);
            // The later one fails: now the earlier one has its turn.
            end(writes, two, After::Again { due_at: at(12), counts: true });
            assert_eq!((state(writes, one), state(writes, two)), (DeliveryState::Ready, DeliveryState::Held));
            assert_eq!(claim(writes, 20, 9), [one]);
            end(writes, one, After::Delivered);
            assert_eq!(claim(writes, 20, 9), [two]);
            Ok(())
        })
        .await;
    assert_sound(place.path());
}

#[tokio::test]
async fn an_operator_touches_nothing_that_runs() {
    let place = Place::new();
    place
        .write(|writes| {
            let (one, two) = (add(writes, 1, None), add(writes, 2, None));
            assert_eq!(claim(writes, 10, 1), [one]);
            let all = Selection { seq: Some(one), ..Selection::default() };
            assert_eq!(writes.discard_deliveries(&all, None, at(11), 9)?.changed, 0);
            assert_eq!(writes.retry_deliveries(&all, None, 9)?.changed, 0);
            assert_eq!(writes.bury_deliveries("p", &[], "plugin-removed", at(11), 9)?, 1);
            assert_eq!(
                (state(writes, one), state(writes, two)),
                (DeliveryState::Running, DeliveryState::Dead)
            );
            let running = Selection { states: vec![DeliveryState::Running], ..Selection::default() };
            assert_eq!(writes.events(&running, None, 9)?.events.len(), 1);
            end(writes, one, After::Delivered);
            // A second report of the same end changes nothing.
            end(writes, one, DEAD);
            assert_eq!(state(writes, one), DeliveryState::Delivered);
            Ok(())
        })
        .await;
    assert_sound(place.path());
}

#[tokio::test]
async fn retries_leave_room_for_first_attempts_and_the_other_way_round() {
    let place = Place::new();
    place
        .write(|writes| {
            let seqs: Vec<_> = (1..=8).map(|number| add(writes, number, None)).collect();
            assert_eq!(claim(writes, 10, 4), seqs[..4]);
            for seq in &seqs[..4] {
                end(writes, *seq, After::Again { due_at: at(20 - seq), counts: true });
            }
            assert_eq!(writes.next_due("p")?, Some(at(0)));
            assert_eq!(claim(writes, 30, 4), [seqs[3], seqs[2], seqs[4], seqs[5]]);
            assert_eq!(claim(writes, 30, 9), [seqs[1], seqs[0], seqs[6], seqs[7]]);
            // One at a time, neither waits for ever.
            for seq in &seqs {
                end(writes, *seq, After::Again { due_at: at(40), counts: true });
            }
            add(writes, 9, None);
            let first = (0..64).any(|second| {
                let seq = claim(writes, 100 + second * 1_000_000, 1)[0];
                end(writes, seq, After::Untouched);
                seq > seqs[7]
            });
            assert!(first);
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn a_retry_that_is_due_too_far_ahead_is_due_now() {
    let place = Place::new();
    place
        .write(|writes| {
            let seq = add(writes, 1, None);
            claim(writes, 5_000_000, 1);
            end(writes, seq, After::Again { due_at: at(6_000_000), counts: true });
            assert_eq!(claim(writes, 5_500_000, 1), [0; 0]);
            assert_eq!(writes.next_due("p")?, Some(at(6_000_000)));
            // The clock was set back by more than any pause.
            assert_eq!(claim(writes, 1, 1), [seq]);
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn of_many_attempts_the_latest_hundred_are_kept() {
    let place = Place::new();
    let (row, attempts) = place
        .write(|writes| {
            let seq = add(writes, 1, None);
            for now in 0..120 {
                assert_eq!(claim(writes, 100 + now, 1), [seq]);
                end(writes, seq, After::Again { due_at: at(1), counts: false });
            }
            Ok((writes.event(seq)?.unwrap(), writes.attempts(seq, "p")?))
        })
        .await;
    assert_eq!((row.deliveries[0].attempts, row.deliveries[0].failures), (120, 0));
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (21..=120).collect::<Vec<_>>());
    assert_sound(place.path());
}

#[tokio::test]
async fn each_kind_is_pruned_by_its_own_rule_and_what_is_open_never() {
    let place = Place::new();
    place
        .write(|writes| {
            let seqs: Vec<_> = (1..=5).map(|number| add(writes, number, None)).collect();
            claim(writes, 10, 4);
            [0, 1].into_iter().for_each(|place| end(writes, seqs[place], After::Delivered));
            [2, 3].into_iter().for_each(|place| end(writes, seqs[place], DEAD));
            let never = Keep { since: at(i64::MIN), bytes: u64::MAX };
            let old = Keep { since: at(2), bytes: u64::MAX };
            assert_eq!(writes.prune_events(old, old, 9)?.events, 1);
            assert!(writes.event(seqs[0])?.is_none());
            let totals = writes.event_totals()?;
            assert_eq!([totals.open, totals.dead, totals.done].map(|total| total.events), [1, 2, 1]);
            // The oldest dead letter is one too many.
            let few = Keep { bytes: totals.dead.bytes - 1, ..never };
            assert_eq!(writes.prune_events(never, few, 9)?.events, 1);
            assert!(writes.event(seqs[2])?.is_none() && writes.attempts(seqs[2], "p")?.is_empty());
            let all = Keep { since: at(i64::MAX), bytes: 0 };
            assert_eq!(writes.prune_events(all, all, 9)?.events, 2);
            assert_eq!(writes.prune_events(all, all, 9)?, Total::default());
            assert_eq!(writes.receiver_counts()?[0].open, 1);
            Ok(())
        })
        .await;
    let report = check(place.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(
        ["event", "event_data", "delivery", "delivery_attempt"].map(|table| report.tables[table]),
        [1, 1, 1, 0]
    );
}

#[tokio::test]
async fn a_part_of_pruning_is_bounded_by_bytes_too() {
    let place = Place::new();
    place
        .write(|writes| {
            for number in 0..6 {
                writes.add_event(&event(number, 1, 1 << 20), &[])?;
            }
            let all = Keep { since: at(i64::MAX), bytes: 0 };
            assert_eq!(writes.prune_events(all, all, 100)?.events, 4);
            assert_eq!(writes.prune_events(all, all, 100)?.events, 2);
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn a_page_looks_at_a_bounded_number_of_events_and_says_where_to_go_on() {
    let place = Place::new();
    let found = place
        .write(|writes| {
            for number in 0..10_010_u32 {
                let mut new = event(0, 1, 0);
                new.id[..4].copy_from_slice(&number.to_be_bytes());
                new.course = (number == 0).then(|| "course-v1:a+b+c".to_owned());
                writes.add_event(&new, &[])?;
            }
            let of_course = Selection { course: Some("course-v1:a+b+c".to_owned()), ..Selection::default() };
            let first = writes.events(&of_course, None, 5)?;
            assert_eq!((first.events.len(), first.next), (0, Some(11)));
            writes.events(&of_course, first.next, 5)
        })
        .await;
    assert_eq!((found.events.len(), found.next), (1, None));
    assert_eq!(found.events[0].event.seq, 1);
}

#[tokio::test]
async fn times_are_compared_whatever_the_order_of_arrival() {
    let place = Place::new();
    let seqs = place
        .write(|writes| {
            // The clock was set back between them.
            for (number, received_at) in [(1, 30), (2, 10), (3, 20)] {
                writes.add_event(&event(number, received_at, 1), &[])?;
            }
            let from_15 = Selection { from: Some(at(15)), to: Some(at(30)), ..Selection::default() };
            writes.events(&from_15, None, 9)
        })
        .await;
    assert_eq!(seqs.events.iter().map(|row| row.event.seq).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_file_of_the_third_version_gets_a_journal_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x484b4258; PRAGMA user_version = 3",
        )
        .unwrap();
    for step in [
        include_str!("../../migrations/0001_users_and_archive.sql"),
        include_str!("../../migrations/0002_key_value.sql"),
        include_str!("../../migrations/0003_plugins.sql"),
    ] {
        database.execute_batch(step).unwrap();
    }
    database.execute_batch("INSERT INTO users VALUES (7, 'ada', 'ada@example.com', 1, 0, 0)").unwrap();
    drop(database);
    assert_eq!(check(&path).unwrap().problems, Vec::<String>::new());
    assert_eq!(migrate(&path).unwrap(), Migrated { from: 3, to: SCHEMA_VERSION });
    let report = check(&path).unwrap();
    assert_eq!((report.schema_version, report.problems), (SCHEMA_VERSION, Vec::new()));
    assert_eq!(["users", "event", "event_total"].map(|table| report.tables[table]), [1, 0, 3]);
}

#[tokio::test]
async fn the_check_sees_what_disagrees_in_the_journal() {
    let place = Place::new();
    place
        .write(|writes| {
            for number in 1..=3 {
                add(writes, number, Some("k"));
            }
            Ok(())
        })
        .await;
    let path = place.path();
    drop(place.store);
    for (damage, named) in [
        ("UPDATE receiver SET open = 7", "receiver: plugin p"),
        ("UPDATE event SET dead = 1 WHERE seq = 2", "event: event 2"),
        ("UPDATE event_total SET bytes = 0 WHERE class = 'open'", "event_total: open"),
        ("UPDATE delivery SET state = 'held'", "key k"),
        ("DELETE FROM event_data WHERE seq = 1", "event 1 has no data"),
        ("UPDATE delivery SET state = 'running' WHERE event = 1", "no attempt began"),
    ] {
        let copy = path.with_file_name("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(damage).unwrap();
        let problems = check(&copy).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(named)), "{damage}: {problems:?}");
    }
}

#[tokio::test]
async fn an_event_that_takes_the_host_with_it_keeps_back_no_other() {
    let place = Place::new();
    place
        .write(|writes| {
            let (fatal, other) = (add(writes, 1, None), add(writes, 2, None));
            let mut now = 0;
            let claim = |writes: &Writes<'_>, now: i64, limit| -> Vec<i64> {
                let claimed = writes.claim_deliveries("p", at(now), at(now + 3_600_000_000), limit).unwrap();
                claimed.iter().map(|claimed| claimed.event.seq).collect()
            };
            // One attempt that is cut short, or two, may be anybody's bad luck.
            for _ in 0..3 {
                assert_eq!(claim(writes, now, 1), [fatal]);
                writes.release_running(at(now), 100)?;
            }
            for pause in [1_000_000, 2_000_000, 4_000_000] {
                assert_eq!(claim(writes, now, 1), [other], "the other one is not kept back");
                end(writes, other, After::Untouched);
                now += pause;
                assert_eq!(claim(writes, now - 1, 9), [other]);
                end(writes, other, After::Untouched);
                assert_eq!(claim(writes, now, 9), [fatal, other]);
                end(writes, other, After::Untouched);
                writes.release_running(at(now), 100)?;
            }
            // It got through: what is cut short later begins anew.
            now += 8_000_000;
            assert_eq!(claim(writes, now, 1), [fatal]);
            end(writes, fatal, After::Again { due_at: at(now), counts: true });
            assert_eq!(claim(writes, now, 1), [fatal]);
            writes.release_running(at(now), 100)?;
            assert_eq!(claim(writes, now, 1), [fatal]);
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn events_leave_room_for_what_works_them_off() {
    let place = Place::with(|options| options.max_size_bytes = Some(1 << 20));
    let add = |number: u8, bytes: usize| {
        place.store.write(move |writes| writes.add_event(&event(number, 1, bytes), &to_p(None)))
    };
    let mut accepted = 0;
    let refused = loop {
        match add(accepted, 10_000).await {
            Ok(added) => assert!(added.new),
            Err(error) => break error,
        }
        accepted += 1;
    };
    assert_eq!(refused, StoreError::Full);
    assert!(accepted > 50, "{accepted}");
    // A sixteenth of it is left, for everybody else.
    let user = NewUser { email: "e".repeat(40_000), ..new_user("ada") };
    assert_eq!(place.write(move |writes| writes.insert_user(&user)).await.username, "ada");
    let claimed = place.write(move |writes| writes.claim_deliveries("p", at(2), at(3), 100)).await;
    assert_eq!(claimed.len(), usize::from(accepted));
    assert_eq!(add(200, 10).await, Err(StoreError::Full), "also a small one");
    assert_sound(place.path());
}

#[tokio::test]
async fn a_replay_writes_in_small_parts_and_finds_what_is_next_without_writing() {
    let place = Place::new();
    let rare = Selection { types: vec!["rare".to_owned()], ..Selection::default() };
    let wanted = rare.clone();
    let (part, all) = place
        .write(move |writes| {
            for number in 1..=1500_u128 {
                let event_type = if number % 700 == 0 { "rare" } else { "frequent" }.to_owned();
                writes
                    .add_event(&NewEvent { id: number.to_be_bytes(), event_type, ..event(0, 1, 1) }, &[])?;
            }
            let part = writes.replay_events("p", &wanted, 1, 1500, 10, &|_| None)?;
            Ok((part, writes.replay_events("p", &Selection::default(), 701, 1500, 7, &|_| None)?))
        })
        .await;
    assert_eq!((part.made, part.next_seq), (0, Some(501)));
    assert_eq!((all.made, all.next_seq), (7, Some(708)));
    let next = async |from| {
        let rare = rare.clone();
        let part = place.read(move |reads| reads.next_to_replay("p", &rare, from, 1500)).await;
        (part.made, part.next_seq)
    };
    assert_eq!(next(1).await, (1, Some(700)));
    assert_eq!(next(700).await, (1, Some(700)));
    assert_eq!(next(701).await, (1, Some(1400)));
    assert_eq!(next(1401).await, (0, None));
    let everything = Selection::default();
    // Those that wait are stepped over.
    let part = place.read(move |reads| reads.next_to_replay("p", &everything, 703, 1500)).await;
    assert_eq!((part.made, part.next_seq), (1, Some(708)));
}

#[tokio::test]
async fn a_part_of_a_replay_is_bounded_by_bytes_too() {
    let place = Place::new();
    let part = place
        .write(|writes| {
            for number in 1..=8 {
                writes.add_event(&event(number, 1, 1 << 20), &[])?;
            }
            writes.replay_events("p", &Selection::default(), 1, 8, 100, &|_| None)
        })
        .await;
    assert_eq!((part.made, part.next_seq), (4, Some(5)));
}
