//! The map that stands for the journal.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_store::{After, AttemptEnd, Claimed, DeliveryState, Keep, NewEvent, Reads, Selection, Timestamp};
use proptest::prelude::*;

pub(crate) const PLUGINS: [&str; 2] = ["p", "q"];
pub(crate) const TYPES: [&str; 2] = ["org.example.one", "org.example.two"];
/// A retry that is due later than this from now is due at once.
pub(crate) const FAR: i64 = 40;

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) state: DeliveryState,
    due_at: i64,
    key: Option<String>,
    attempts: u32,
    failures: u32,
    began_at: Option<i64>,
    claimed_at: Option<i64>,
    reason: Option<String>,
    written: Vec<(u32, String)>,
}

#[derive(Debug)]
struct Event {
    new: NewEvent,
    deliveries: BTreeMap<&'static str, Delivery>,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now: i64,
    events: BTreeMap<i64, Event>,
}

impl Default for Model {
    fn default() -> Self {
        Self { now: 1, events: BTreeMap::new() }
    }
}

pub(crate) fn event(id: u8, event_type: &str, now: Timestamp) -> NewEvent {
    NewEvent {
        id: [id; 16],
        source: "/lms".to_owned(),
        event_type: event_type.to_owned(),
        time: now,
        received_at: now,
        minorversion: 0,
        sourcehost: "host".to_owned(),
        sourcelib: "[10,1,0]".to_owned(),
        course: None,
        data: format!("{{\"number\":{id}}}"),
        extensions: "{}".to_owned(),
    }
}

impl Delivery {
    fn new(key: Option<&str>) -> Self {
        Self {
            state: DeliveryState::Ready,
            due_at: 0,
            key: key.map(str::to_owned),
            attempts: 0,
            failures: 0,
            began_at: None,
            claimed_at: None,
            reason: None,
            written: Vec::new(),
        }
    }

    fn waits(&self) -> bool {
        self.state.is_open() && self.state != DeliveryState::Running
    }

    fn close(&mut self, state: DeliveryState, reason: Option<&str>) {
        self.state = state;
        self.due_at = 0;
        self.reason = reason.map(str::to_owned);
    }

    fn bring_back(&mut self) {
        self.state = DeliveryState::Ready;
        (self.due_at, self.failures, self.began_at, self.reason) = (0, 0, None, None);
    }
}

impl Event {
    fn class(&self) -> DeliveryState {
        let any = |test: fn(&Delivery) -> bool| self.deliveries.values().any(test);
        match () {
            () if any(|delivery| delivery.state.is_open()) => DeliveryState::Ready,
            () if any(|delivery| delivery.state == DeliveryState::Dead) => DeliveryState::Dead,
            () => DeliveryState::Delivered,
        }
    }

    fn bytes(&self) -> u64 {
        (self.new.data.len() + self.new.extensions.len()) as u64
    }
}

fn admits(selection: &Selection, plugin: &str, delivery: &Delivery) -> bool {
    (selection.states.is_empty() || selection.states.contains(&delivery.state))
        && selection.plugin.as_ref().is_none_or(|wanted| wanted == plugin)
}

impl Model {
    pub(crate) fn add(
        &mut self,
        seq: i64,
        new: NewEvent,
        wanted: &[(&'static str, Option<&str>)],
    ) -> Result<bool, TestCaseError> {
        let known = self.events.iter().find(|(_, event)| event.new.id == new.id).map(|(seq, _)| *seq);
        if let Some(known) = known {
            prop_assert_eq!(seq, known);
            return Ok(false);
        }
        prop_assert!(self.events.keys().all(|earlier| *earlier < seq));
        let deliveries = wanted.iter().map(|(plugin, key)| (*plugin, Delivery::new(*key))).collect();
        self.events.insert(seq, Event { new, deliveries });
        Ok(true)
    }

    fn of<'a>(&'a self, plugin: &'a str) -> impl Iterator<Item = (i64, &'a Delivery)> {
        self.events.iter().filter_map(move |(seq, event)| Some((*seq, event.deliveries.get(plugin)?)))
    }

    fn delivery(&mut self, plugin: &str, seq: i64) -> &mut Delivery {
        self.events.get_mut(&seq).unwrap().deliveries.get_mut(plugin).unwrap()
    }

    /// The events of a plugin's deliveries of which this is true.
    pub(crate) fn seqs(&self, plugin: &str, test: impl Fn(&Delivery) -> bool) -> Vec<i64> {
        self.of(plugin).filter(|(_, delivery)| test(delivery)).map(|(seq, _)| seq).collect()
    }

    /// What was claimed is what may be, and all of it that there is room for.
    pub(crate) fn claim(
        &mut self,
        plugin: &'static str,
        limit: u32,
        claimed: &[Claimed],
    ) -> Result<(), TestCaseError> {
        let (now, far) = (self.now, self.now + FAR);
        let ready = |due: &dyn Fn(i64) -> bool| -> Vec<(i64, i64)> {
            let ready = self.of(plugin).filter(|(_, delivery)| delivery.state == DeliveryState::Ready);
            let mut ready: Vec<_> = ready.map(|(seq, delivery)| (delivery.due_at, seq)).collect();
            ready.retain(|(due_at, _)| due(*due_at));
            ready.sort_unstable();
            ready
        };
        let first = ready(&|due_at| due_at == 0);
        let mut retries = ready(&|due_at| due_at > 0 && due_at <= now);
        retries.extend(ready(&|due_at| due_at > far));

        let seqs: Vec<_> = claimed.iter().map(|claimed| claimed.event.seq).collect();
        let taken = retries.iter().take_while(|(_, seq)| seqs.contains(seq)).count();
        let wanted =
            retries.iter().take(taken).chain(first.iter().take(seqs.len() - taken)).map(|(_, seq)| *seq);
        prop_assert_eq!(&seqs, &wanted.collect::<Vec<_>>(), "retries first, then in order of arrival");
        prop_assert_eq!(seqs.len(), (limit as usize).min(first.len() + retries.len()));
        let room = limit as usize;
        let most = room.div_ceil(2).max(room.saturating_sub(first.len()));
        prop_assert!(taken <= most, "{} retries, room for {}, {} first attempts", taken, room, first.len());

        for claimed in claimed {
            let seq = claimed.event.seq;
            let new = self.events[&seq].new.clone();
            prop_assert_eq!(&claimed.event.event, &new);
            let key = self.events[&seq].deliveries[plugin].key.clone();
            let earlier = key.is_some()
                && self
                    .of(plugin)
                    .any(|(other, delivery)| other < seq && delivery.state.is_open() && delivery.key == key);
            prop_assert!(!earlier, "an earlier one with the key is open");
            let delivery = self.delivery(plugin, seq);
            delivery.state = DeliveryState::Running;
            delivery.attempts += 1;
            delivery.began_at = delivery.began_at.or(Some(now));
            delivery.claimed_at = Some(now);
            prop_assert_eq!(claimed.attempt, delivery.attempts);
            prop_assert_eq!(claimed.failures, delivery.failures);
            prop_assert_eq!(Some(claimed.began_at.as_micros()), delivery.began_at);
            prop_assert_eq!(&claimed.order_key, &delivery.key);
        }
        Ok(())
    }

    pub(crate) fn end(&mut self, plugin: &str, end: &AttemptEnd) {
        let delivery = self.delivery(plugin, end.seq);
        match &end.then {
            After::Delivered => delivery.close(DeliveryState::Delivered, None),
            After::Again { due_at, counts } => {
                delivery.state = DeliveryState::Ready;
                delivery.due_at = due_at.as_micros().max(1);
                delivery.failures += u32::from(*counts);
                delivery.began_at = delivery.began_at.filter(|_| delivery.failures > 0);
            }
            After::Dead { reason } => {
                delivery.close(DeliveryState::Dead, Some(reason));
                delivery.failures += 1;
            }
            After::Untouched => {
                delivery.state = DeliveryState::Ready;
                delivery.attempts -= 1;
                delivery.began_at =
                    delivery.began_at.filter(|began_at| Some(*began_at) != delivery.claimed_at);
                return;
            }
        }
        let number = delivery.attempts;
        delivery.written.extend(end.record.iter().map(|record| (number, record.outcome.clone())));
    }

    pub(crate) fn crash(&mut self, now: i64) {
        for delivery in self.events.values_mut().flat_map(|event| event.deliveries.values_mut()) {
            if delivery.state == DeliveryState::Running {
                (delivery.state, delivery.due_at) = (DeliveryState::Ready, 0);
                delivery.began_at = delivery.began_at.filter(|_| delivery.failures > 0);
                delivery.written.push((delivery.attempts, "interrupted".to_owned()));
                let cut =
                    delivery.written.iter().rev().take_while(|(_, outcome)| outcome == "interrupted").count();
                if cut >= 3 {
                    delivery.due_at = now + (1_000_000 << (cut - 3)).min(300_000_000);
                }
            }
        }
    }

    pub(crate) fn bury(&mut self, plugin: &str, types: &[String], limit: u32) -> u64 {
        let mut seqs = self.seqs(plugin, Delivery::waits);
        seqs.retain(|seq| types.is_empty() || types.contains(&self.events[seq].new.event_type));
        seqs.truncate(limit as usize);
        seqs.iter()
            .for_each(|seq| self.delivery(plugin, *seq).close(DeliveryState::Dead, Some("plugin-removed")));
        seqs.len() as u64
    }

    /// The deliveries that match and of which this is true.
    fn matching(&self, selection: &Selection, test: impl Fn(&Delivery) -> bool) -> Vec<(&'static str, i64)> {
        let mut matching = Vec::new();
        for (seq, event) in &self.events {
            let right = selection.types.is_empty() || selection.types.contains(&event.new.event_type);
            for (plugin, delivery) in &event.deliveries {
                if right && admits(selection, plugin, delivery) && test(delivery) {
                    matching.push((*plugin, *seq));
                }
            }
        }
        matching
    }

    pub(crate) fn retry(&mut self, selection: &Selection) -> u64 {
        let named = selection.states.contains(&DeliveryState::Discarded);
        let matching = self.matching(selection, |delivery| match delivery.state {
            DeliveryState::Dead => true,
            DeliveryState::Discarded => named,
            _ => false,
        });
        matching.iter().for_each(|(plugin, seq)| self.delivery(plugin, *seq).bring_back());
        matching.len() as u64
    }

    pub(crate) fn discard(&mut self, selection: &Selection) -> u64 {
        let may = |delivery: &Delivery| delivery.waits() || delivery.state == DeliveryState::Dead;
        let matching = self.matching(selection, may);
        for (plugin, seq) in &matching {
            let delivery = self.delivery(plugin, *seq);
            let reason = delivery.reason.take();
            delivery.close(DeliveryState::Discarded, reason.as_deref());
        }
        matching.len() as u64
    }

    pub(crate) fn replay(
        &mut self,
        plugin: &'static str,
        selection: &Selection,
        first: i64,
        key: Option<&str>,
    ) -> u64 {
        let mut made = 0;
        for (_, event) in self.events.range_mut(first..) {
            if !selection.types.is_empty() && !selection.types.contains(&event.new.event_type) {
                continue;
            }
            let delivery = event
                .deliveries
                .entry(plugin)
                .or_insert_with(|| Delivery { state: DeliveryState::Delivered, ..Delivery::new(None) });
            if !delivery.state.is_open() {
                delivery.bring_back();
                delivery.key = key.map(str::to_owned);
                made += 1;
            }
        }
        made
    }

    pub(crate) fn prune(&mut self, done: Keep, dead: Keep) -> u64 {
        let before = self.events.len();
        for (class, keep) in [(DeliveryState::Delivered, done), (DeliveryState::Dead, dead)] {
            let of_class = self.events.iter().filter(|(_, event)| event.class() == class);
            let mut oldest: Vec<_> =
                of_class.map(|(seq, event)| (event.new.received_at, *seq, event.bytes())).collect();
            oldest.sort_unstable();
            let mut bytes: u64 = oldest.iter().map(|(_, _, bytes)| bytes).sum();
            for (received_at, seq, size) in oldest {
                if received_at < keep.since || bytes > keep.bytes {
                    self.events.remove(&seq);
                    bytes -= size;
                }
            }
        }
        (before - self.events.len()) as u64
    }

    /// Of the open ones with a key, the one that runs has its turn; or else the earliest.
    pub(crate) fn settle(&mut self) {
        for plugin in PLUGINS {
            let keys: BTreeSet<_> =
                self.of(plugin).filter_map(|(_, delivery)| delivery.key.clone()).collect();
            for key in keys {
                let open = self
                    .seqs(plugin, |delivery| delivery.state.is_open() && delivery.key.as_ref() == Some(&key));
                let runs = |seq: &i64| self.events[seq].deliveries[plugin].state == DeliveryState::Running;
                let turn = open.iter().copied().find(runs).or(open.first().copied());
                for seq in open {
                    let delivery = self.delivery(plugin, seq);
                    match delivery.state {
                        DeliveryState::Running => {}
                        _ if Some(seq) == turn => delivery.state = DeliveryState::Ready,
                        _ => delivery.state = DeliveryState::Held,
                    }
                }
            }
        }
    }

    /// The events that match.
    pub(crate) fn listed(&self, selection: &Selection) -> Vec<i64> {
        let all = selection.states.is_empty() && selection.plugin.is_none();
        let matching: BTreeSet<_> =
            self.matching(selection, |_| true).into_iter().map(|(_, seq)| seq).collect();
        self.events.keys().copied().filter(|seq| all || matching.contains(seq)).collect()
    }

    pub(crate) fn count(&self, selection: &Selection) -> u64 {
        self.matching(selection, |_| true).len() as u64
    }

    /// Everything that the journal holds is what the map holds.
    pub(crate) fn compare(&self, reads: &Reads<'_>) -> Result<(), TestCaseError> {
        for (seq, event) in &self.events {
            let row = reads.event(*seq).unwrap().unwrap();
            prop_assert_eq!(&row.event.event, &event.new);
            prop_assert_eq!(row.bytes, event.bytes());
            prop_assert_eq!(row.deliveries.len(), event.deliveries.len());
            for (row, (plugin, wanted)) in row.deliveries.iter().zip(&event.deliveries) {
                prop_assert_eq!(&row.plugin, plugin);
                prop_assert_eq!(row.state, wanted.state, "event {} of {}", seq, plugin);
                let due_at = (wanted.waits() && wanted.due_at != 0).then_some(wanted.due_at);
                prop_assert_eq!(row.due_at.map(Timestamp::as_micros), due_at);
                prop_assert_eq!(&row.order_key, &wanted.key);
                prop_assert_eq!((row.attempts, row.failures), (wanted.attempts, wanted.failures));
                prop_assert_eq!(row.ended_at.is_some(), !wanted.state.is_open());
                prop_assert_eq!(&row.reason, &wanted.reason);
                let written = reads.attempts(*seq, plugin).unwrap().into_iter();
                let written: Vec<_> = written.map(|row| (row.number, row.record.outcome)).collect();
                prop_assert_eq!(&written, &wanted.written);
            }
        }
        let totals = reads.event_totals().unwrap();
        prop_assert_eq!(
            totals.open.events + totals.dead.events + totals.done.events,
            self.events.len() as u64
        );
        for plugin in PLUGINS {
            let ready = self.of(plugin).filter(|(_, delivery)| delivery.state == DeliveryState::Ready);
            let next = ready.map(|(_, delivery)| Timestamp::from_micros(delivery.due_at)).min();
            prop_assert_eq!(reads.next_due(plugin).unwrap(), next);
            let oldest = self.of(plugin).find(|(_, delivery)| delivery.state.is_open());
            let oldest = oldest.map(|(seq, _)| self.events[&seq].new.received_at);
            prop_assert_eq!(reads.oldest_open(plugin).unwrap(), oldest);
        }
        Ok(())
    }
}
