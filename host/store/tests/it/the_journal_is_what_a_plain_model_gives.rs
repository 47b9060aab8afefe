//! Random work on the journal, compared with a map in which everything is decided anew each time.

mod model;

use std::collections::BTreeSet;

use hookbox_store::{
    After, AttemptEnd, AttemptRecord, DeliveryState, Keep, NewDelivery, Selection, Timestamp, Writes,
};
use model::{FAR, Model, PLUGINS, TYPES, event};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::support::{Place, assert_sound};

#[derive(Debug, Clone)]
enum Step {
    Add { id: u8, event_type: usize, keys: [Option<Option<&'static str>>; 2] },
    Claim { plugin: &'static str, limit: u32 },
    End { plugin: &'static str, ends: Vec<After> },
    Crash,
    Bury { plugin: &'static str, event_type: Option<usize>, limit: u32 },
    Retry(Selection),
    Discard(Selection),
    Replay { plugin: &'static str, event_type: Option<usize>, first: i64, key: Option<&'static str> },
    Prune { done: (i64, u64), dead: (i64, u64) },
    Tick(i64),
}

fn key() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("a")), Just(Some("b"))]
}

fn selection() -> impl Strategy<Value = Selection> {
    let states = prop::collection::vec(select(DeliveryState::ALL.to_vec()), 0..3);
    let plugin = prop::option::of(select(PLUGINS.to_vec()));
    let event_type = prop::option::weighted(0.2, select(TYPES.to_vec()));
    (states, plugin, event_type).prop_map(|(states, plugin, event_type)| Selection {
        states,
        plugin: plugin.map(str::to_owned),
        types: event_type.into_iter().map(str::to_owned).collect(),
        ..Selection::default()
    })
}

fn end() -> impl Strategy<Value = After> {
    prop_oneof![
        3 => Just(After::Delivered),
        4 => (0..3 * FAR, any::<bool>()).prop_map(|(after, counts)| After::Again {
            due_at: Timestamp::from_micros(after),
            counts,
        }),
        2 => Just(After::Dead { reason: "rejected" }),
        1 => Just(After::Untouched),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let plugin = || select(PLUGINS.to_vec());
    let event_type = || prop::option::of(0..TYPES.len());
    let keep = || (0..200_i64, prop_oneof![0..400_u64, Just(u64::MAX)]);
    prop_oneof![
        10 => (any::<u8>(), 0..TYPES.len(), prop::array::uniform2(prop::option::weighted(0.8, key())))
            .prop_map(|(id, event_type, keys)| Step::Add { id: id % 60, event_type, keys }),
        8 => (plugin(), 0..5_u32).prop_map(|(plugin, limit)| Step::Claim { plugin, limit }),
        8 => (plugin(), prop::collection::vec(end(), 0..4)).prop_map(|(plugin, ends)| Step::End { plugin, ends }),
        1 => Just(Step::Crash),
        1 => (plugin(), event_type(), 0..4_u32)
            .prop_map(|(plugin, event_type, limit)| Step::Bury { plugin, event_type, limit }),
        3 => selection().prop_map(Step::Retry),
        2 => selection().prop_map(Step::Discard),
        1 => (plugin(), event_type(), 0..30_i64, key())
            .prop_map(|(plugin, event_type, first, key)| Step::Replay { plugin, event_type, first, key }),
        1 => (keep(), keep()).prop_map(|(done, dead)| Step::Prune { done, dead }),
        3 => (-20..60_i64).prop_map(Step::Tick),
    ]
}

/// Does a step with the journal and with the model, and holds the two answers against each other.
fn apply(writes: &Writes<'_>, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    let now = Timestamp::from_micros(model.now);
    match step {
        Step::Add { id, event_type, keys } => {
            let new = event(*id, TYPES[*event_type], now);
            let wanted: Vec<_> =
                PLUGINS.into_iter().zip(keys).filter_map(|(p, key)| Some((p, (*key)?))).collect();
            let deliveries = wanted.iter().map(|(plugin, key)| NewDelivery {
                plugin: (*plugin).to_owned(),
                order_key: key.map(str::to_owned),
            });
            let added = writes.add_event(&new, &deliveries.collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(added.new, model.add(added.seq, new, &wanted)?);
        }
        Step::Claim { plugin, limit } => {
            let far = Timestamp::from_micros(model.now + FAR);
            let claimed = writes.claim_deliveries(plugin, now, far, *limit).unwrap();
            model.claim(plugin, *limit, &claimed)?;
        }
        Step::End { plugin, ends } => {
            let running = model.seqs(plugin, |delivery| delivery.state == DeliveryState::Running);
            let ends: Vec<_> =
                running.into_iter().zip(ends).map(|(seq, then)| attempt(seq, then, now)).collect();
            writes.end_attempts(plugin, now, &ends).unwrap();
            ends.iter().for_each(|end| model.end(plugin, end));
        }
        Step::Crash => while writes.release_running(now, 2).unwrap() > 0 {},
        Step::Bury { plugin, event_type, limit } => {
            let types: Vec<_> = event_type.iter().map(|number| TYPES[*number].to_owned()).collect();
            let buried = writes.bury_deliveries(plugin, &types, "plugin-removed", now, *limit).unwrap();
            prop_assert_eq!(buried, model.bury(plugin, &types, *limit));
        }
        Step::Retry(selection) => {
            let part = |after| writes.retry_deliveries(selection, after, 3).unwrap();
            prop_assert_eq!(in_parts(part), model.retry(selection));
        }
        Step::Discard(selection) => {
            let part = |after| writes.discard_deliveries(selection, after, now, 3).unwrap();
            prop_assert_eq!(in_parts(part), model.discard(selection));
        }
        Step::Replay { plugin, event_type, first, key } => {
            let types = event_type.iter().map(|number| TYPES[*number].to_owned()).collect();
            let selection = Selection { types, ..Selection::default() };
            let last = writes.last_event().unwrap();
            let counted = writes.count_replay(plugin, &selection, *first, last).unwrap();
            let (mut made, mut next) = (0, Some(*first));
            while let Some(from) = next {
                let part = writes
                    .replay_events(plugin, &selection, from, last, 3, &|_| key.map(str::to_owned))
                    .unwrap();
                made += part.made;
                next = part.next_seq;
            }
            prop_assert_eq!(made, counted.made);
            prop_assert_eq!(made, model.replay(plugin, &selection, *first, *key));
        }
        Step::Prune { done, dead } => {
            let keep = |(age, bytes): (i64, u64)| Keep {
                since: Timestamp::from_micros(now.as_micros() - age),
                bytes,
            };
            let mut went = 0;
            loop {
                let part = writes.prune_events(keep(*done), keep(*dead), 3).unwrap();
                prop_assert!(part.events <= 3);
                went += part.events;
                if part.events == 0 {
                    break;
                }
            }
            prop_assert_eq!(went, model.prune(keep(*done), keep(*dead)));
        }
        Step::Tick(by) => model.now = (model.now + by).max(1),
    }
    if matches!(step, Step::Crash) {
        model.crash(model.now);
    }
    model.settle();
    Ok(())
}

fn attempt(seq: i64, then: &After, now: Timestamp) -> AttemptEnd {
    let mut then = then.clone();
    if let After::Again { due_at, .. } = &mut then {
        *due_at = Timestamp::from_micros(now.as_micros() + due_at.as_micros());
    }
    let record = (then != After::Delivered)
        .then(|| AttemptRecord { outcome: "failed".to_owned(), ..AttemptRecord::default() });
    AttemptEnd { seq, then, began_at: now, took: Some(5), release: Some(1), record }
}

/// Does a bulk change part by part; how many deliveries it changed.
fn in_parts(mut part: impl FnMut(Option<i64>) -> hookbox_store::BulkPart) -> u64 {
    let (mut changed, mut after) = (0, None);
    loop {
        let done = part(after);
        changed += done.changed;
        assert!(done.next.is_none_or(|next| after.is_none_or(|after| next < after)));
        after = done.next;
        if after.is_none() {
            return changed;
        }
    }
}

/// Every list is what the model gives, page by page.
fn compare_lists(writes: &Writes<'_>, model: &Model) -> Result<(), TestCaseError> {
    let states = DeliveryState::ALL.map(|state| vec![state]).into_iter();
    let states = states.chain([vec![], vec![DeliveryState::Ready, DeliveryState::Held]]);
    for states in states {
        for plugin in [None, Some(PLUGINS[0].to_owned()), Some("none".to_owned())] {
            let selection = Selection { states: states.clone(), plugin, ..Selection::default() };
            let (mut listed, mut before) = (Vec::new(), None);
            loop {
                let page = writes.events(&selection, before, 4).unwrap();
                prop_assert!(page.events.len() <= 4);
                listed.extend(page.events.iter().map(|row| row.event.seq));
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            let wanted: Vec<_> = model.listed(&selection).into_iter().rev().collect();
            prop_assert_eq!(listed, wanted, "{:?}", &selection);
            let counted = in_parts(|after| writes.count_deliveries(&selection, after, 3).unwrap());
            prop_assert_eq!(counted, model.count(&selection));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_is_what_a_plain_model_gives(steps in prop::collection::vec(step(), 0..250)) {
        let runtime = Runtime::new().unwrap();
        let place = Place::new();
        runtime.block_on(place.write(move |writes| {
            let mut model = Model::default();
            Ok(steps.iter().try_for_each(|step| {
                apply(writes, &mut model, step)?;
                model.compare(writes)
            })
            .and_then(|()| compare_lists(writes, &model)))
        }))?;
        assert_sound(place.path());
    }
}

#[test]
fn every_state_has_a_name_of_its_own() {
    let names: BTreeSet<_> = DeliveryState::ALL.iter().map(|state| state.name()).collect();
    assert_eq!(names.len(), DeliveryState::ALL.len());
}
