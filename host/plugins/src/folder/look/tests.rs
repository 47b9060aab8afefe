use super::*;

const SETTLE: Duration = Duration::from_millis(500);
/// When the tests' clocks begin.
const BEGIN: Duration = Duration::from_secs(1_000_000_000);

fn at(ms: u64) -> Moment {
    let steady = Duration::from_millis(ms);
    Moment { steady, wall: SystemTime::UNIX_EPOCH + BEGIN + steady }
}

/// Of a file that was written then.
fn written(ms: u64) -> Stamp {
    let then = at(ms).wall;
    Stamp { bytes: 100, inode: 1, modified: then, changed: then }
}

fn component(ms: u64) -> Stamps {
    Stamps { component: written(ms), cases: None }
}

fn listing(plugins: &[(&str, Stamps)]) -> Listing {
    let plugins = plugins.iter().map(|(name, stamps)| ((*name).to_owned(), Some(*stamps)));
    Listing { folder: (1, 1), plugins: plugins.collect(), ..Listing::default() }
}

fn looks(held: &[&str]) -> Looks {
    Looks::new(SETTLE, held.iter().map(|name| (*name).to_owned()))
}

fn settled(found: &Found) -> Vec<&str> {
    found.settled.iter().map(|(name, _)| name.as_str()).collect()
}

/// Looks, and takes whatever settled.
fn look(looks: &mut Looks, listing: &Listing, ms: u64) -> Found {
    let found = looks.look(Ok(listing), at(ms));
    for (name, stamps) in &found.settled {
        looks.taken(name, *stamps);
    }
    for name in &found.gone {
        looks.withdrawn(name);
    }
    found
}

#[test]
fn what_was_written_long_ago_is_taken_at_the_first_look() {
    let mut looks = looks(&[]);
    let folder = listing(&[("old", component(0)), ("new", component(900))]);
    assert_eq!(settled(&look(&mut looks, &folder, 1_000)), ["old"]);
    assert_eq!(looks.next(at(1_000)), Some(Duration::from_millis(400)));
    assert_eq!(settled(&look(&mut looks, &folder, 1_399)), [] as [&str; 0]);
    assert_eq!(settled(&look(&mut looks, &folder, 1_400)), ["new"]);
    assert_eq!(settled(&look(&mut looks, &folder, 9_000)), [] as [&str; 0]);
    assert_eq!(looks.next(at(9_000)), None);
}

#[test]
fn a_time_to_come_or_one_that_a_copy_kept_says_nothing() {
    let mut looks = looks(&[]);
    let copied = Stamps { component: Stamp { modified: at(0).wall, ..written(9_900) }, cases: None };
    let folder = listing(&[("copied", copied), ("skewed", component(1_000_000))]);
    assert_eq!(settled(&look(&mut looks, &folder, 10_000)), [] as [&str; 0]);
    assert_eq!(settled(&look(&mut looks, &folder, 10_400)), ["copied"]);
    assert_eq!(settled(&look(&mut looks, &folder, 10_500)), ["skewed"]);
}

#[test]
fn recorded_cases_belong_to_the_plugin() {
    let mut looks = looks(&[]);
    let with = |ms| listing(&[("a", Stamps { cases: Some(written(ms)), ..component(0) })]);
    assert_eq!(settled(&look(&mut looks, &listing(&[("a", component(0))]), 1_000)), ["a"]);
    assert_eq!(settled(&look(&mut looks, &with(1_100), 1_200)), [] as [&str; 0]);
    assert_eq!(settled(&look(&mut looks, &with(1_100), 1_600)), ["a"]);
    assert_eq!(settled(&look(&mut looks, &listing(&[("a", component(0))]), 9_000)), ["a"]);
}

#[test]
fn a_plugin_goes_when_its_file_stays_away() {
    let mut looks = looks(&["before"]);
    let (there, empty) = (listing(&[("a", component(0))]), listing(&[]));
    look(&mut looks, &there, 1_000);
    assert_eq!(look(&mut looks, &there, 1_500).gone, ["before"], "it went before the host started");
    assert_eq!(look(&mut looks, &empty, 2_000).gone, [] as [&str; 0]);
    assert_eq!(look(&mut looks, &there, 2_400), Found::default(), "it was replaced by itself");
    assert_eq!(look(&mut looks, &empty, 3_000).gone, [] as [&str; 0]);
    assert_eq!(looks.next(at(3_000)), Some(SETTLE));
    assert_eq!(look(&mut looks, &empty, 3_500).gone, ["a"]);
    assert_eq!(look(&mut looks, &empty, 9_000).gone, [] as [&str; 0]);
    assert_eq!(settled(&look(&mut looks, &there, 9_500)), ["a"], "the same file again is new");
}

#[test]
fn a_folder_that_cannot_be_read_withdraws_nothing() {
    let mut looks = looks(&["held"]);
    let lost = |looks: &mut Looks, ms| looks.look(Err("gone".to_owned()), at(ms));
    assert_eq!(lost(&mut looks, 0).turned, Some(Readable::No("gone".to_owned())));
    assert_eq!(lost(&mut looks, 60_000), Found::default(), "one warning");
    let empty = listing(&[]);
    let found = look(&mut looks, &empty, 60_100);
    assert_eq!((found.turned, found.gone), (Some(Readable::Yes), vec![]));
    lost(&mut looks, 61_000);
    assert_eq!(look(&mut looks, &empty, 62_000).gone, [] as [&str; 0], "it must be seen to be away again");
    assert_eq!(look(&mut looks, &empty, 62_500).gone, ["held"]);
}

#[test]
fn a_volume_that_is_mounted_there_no_more_withdraws_nothing() {
    let mut looks = looks(&[]);
    let mounted = listing(&[("a", component(0))]);
    let unmounted = Listing { folder: (2, 2), ..Listing::default() };
    look(&mut looks, &mounted, 1_000);
    let found = look(&mut looks, &unmounted, 2_000);
    assert!(matches!(&found.turned, Some(Readable::No(reason)) if reason.contains("another folder")));
    assert_eq!(look(&mut looks, &unmounted, 60_000), Found::default());
    let found = look(&mut looks, &mounted, 61_000);
    assert_eq!(found, Found { turned: Some(Readable::Yes), ..Found::default() });
    let moved = Listing { folder: (2, 2), ..listing(&[("b", component(0))]) };
    assert_eq!(settled(&look(&mut looks, &moved, 62_000)), ["b"]);
    assert_eq!(look(&mut looks, &moved, 62_500).gone, ["a"], "one with plugins in it is meant");
}

#[test]
fn what_hides_is_neither_new_nor_gone() {
    let mut looks = looks(&["held"]);
    let mut hidden = listing(&[]);
    hidden.plugins = [("held".to_owned(), None), ("new".to_owned(), None)].into();
    for ms in [0, 1_000, 2_000] {
        let found = look(&mut looks, &hidden, ms);
        assert_eq!((found.settled, found.gone), (vec![], vec![]));
    }
    assert_eq!(looks.next(at(2_000)), None);
}

#[test]
fn odd_names_are_told_once_until_they_come_back() {
    let mut looks = looks(&[]);
    let mut odd = listing(&[]);
    odd.odd.insert("\"A.wasm\"".to_owned(), "a reason".to_owned());
    let told = |looks: &mut Looks, listing: &Listing, ms| look(looks, listing, ms).odd.len();
    assert_eq!([0, 1, 2].map(|ms| told(&mut looks, &odd, ms)), [1, 0, 0]);
    assert_eq!(told(&mut looks, &listing(&[]), 3), 0);
    assert_eq!(told(&mut looks, &odd, 4), 1);
}

#[test]
fn what_failed_is_tried_again_after_longer_and_longer_pauses() {
    let mut looks = looks(&[]);
    let folder = listing(&[("a", component(0))]);
    let mut now = 1_000;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(settled(&looks.look(Ok(&folder), at(now))), ["a"]);
        looks.failed("a", at(now));
        let pause = looks.next(at(now)).unwrap().as_secs();
        pauses.push(pause);
        assert_eq!(settled(&looks.look(Ok(&folder), at(now + pause * 1_000 - 1))), [] as [&str; 0]);
        now += pause * 1_000;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    let changed = listing(&[("a", component(now - 600))]);
    looks.failed("a", at(now));
    assert_eq!(settled(&looks.look(Ok(&changed), at(now))), ["a"], "another file need not wait");
}

#[test]
fn what_changed_while_it_was_read_settles_anew() {
    let mut looks = looks(&[]);
    let skewed = listing(&[("a", component(1_000_000))]);
    looks.look(Ok(&skewed), at(0));
    assert_eq!(settled(&looks.look(Ok(&skewed), at(500))), ["a"]);
    looks.changed("a");
    assert_eq!(settled(&looks.look(Ok(&skewed), at(600))), [] as [&str; 0]);
    assert_eq!(settled(&looks.look(Ok(&skewed), at(1_100))), ["a"]);
}

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Write(usize),
        WriteCases(usize),
        Remove(usize),
        Wait(u64),
        Look(Answer),
        Unreadable,
    }

    /// What comes of whatever a look found.
    #[derive(Debug, Clone, Copy)]
    enum Answer {
        Done,
        Failed,
        Changed,
    }

    fn act() -> impl Strategy<Value = Act> {
        let answer =
            prop_oneof![3 => Just(Answer::Done), 1 => Just(Answer::Failed), 1 => Just(Answer::Changed)];
        prop_oneof![
            3 => (0..3usize).prop_map(Act::Write),
            1 => (0..3usize).prop_map(Act::WriteCases),
            2 => (0..3usize).prop_map(Act::Remove),
            4 => (0..900u64).prop_map(Act::Wait),
            6 => answer.prop_map(Act::Look),
            1 => Just(Act::Unreadable),
        ]
    }

    const NAMES: [&str; 3] = ["a", "b", "c"];

    /// A folder, and what was made of it.
    struct World {
        now: u64,
        /// How far the files' clock is ahead.
        ahead: u64,
        inode: u64,
        folder: BTreeMap<&'static str, Stamps>,
        /// When each was written last.
        touched: BTreeMap<&'static str, u64>,
        /// When a look saw each last.
        seen: BTreeMap<&'static str, u64>,
        live: BTreeMap<String, Stamps>,
        looks: Looks,
    }

    impl World {
        fn stamp(&mut self) -> Stamp {
            self.inode += 1;
            Stamp { inode: self.inode, ..written(self.now + self.ahead) }
        }

        fn act(&mut self, act: &Act) {
            match *act {
                Act::Write(which) => {
                    let stamps = Stamps { component: self.stamp(), cases: None };
                    self.folder.insert(NAMES[which], stamps);
                    self.touched.insert(NAMES[which], self.now);
                }
                Act::WriteCases(which) => {
                    let cases = Some(self.stamp());
                    if let Some(stamps) = self.folder.get_mut(NAMES[which]) {
                        stamps.cases = cases;
                        self.touched.insert(NAMES[which], self.now);
                    }
                }
                Act::Remove(which) => {
                    self.folder.remove(NAMES[which]);
                }
                Act::Wait(ms) => self.now += ms,
                Act::Look(answer) => self.look(answer),
                Act::Unreadable => {
                    let found = self.looks.look(Err("no".to_owned()), at(self.now));
                    assert_eq!((found.settled, found.gone), (vec![], vec![]));
                }
            }
        }

        fn look(&mut self, answer: Answer) {
            let plugins: Vec<_> = self.folder.iter().map(|(name, stamps)| (*name, *stamps)).collect();
            let found = self.looks.look(Ok(&listing(&plugins)), at(self.now));
            self.seen.extend(self.folder.keys().map(|name| (*name, self.now)));
            for (name, stamps) in found.settled {
                assert_eq!(self.folder.get(&*name), Some(&stamps));
                assert_ne!(self.live.get(&name), Some(&stamps), "it was taken already");
                assert!(self.touched[&*name] + 500 <= self.now, "{name} is still being written");
                match answer {
                    Answer::Done => {
                        self.looks.taken(&name, stamps);
                        self.live.insert(name, stamps);
                    }
                    Answer::Failed => self.looks.failed(&name, at(self.now)),
                    Answer::Changed => self.looks.changed(&name),
                }
            }
            for name in found.gone {
                assert!(!self.folder.contains_key(&*name), "{name} is there");
                assert!(self.seen[&*name] + 500 <= self.now, "{name} may be back in a moment");
                assert!(self.live.contains_key(&name), "{name} never was");
                match answer {
                    Answer::Done => {
                        self.looks.withdrawn(&name);
                        self.live.remove(&name);
                    }
                    Answer::Failed | Answer::Changed => self.looks.failed(&name, at(self.now)),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn only_what_rested_is_taken_and_in_the_end_all_of_it(
            acts in vec(act(), 0..80),
            ahead in prop_oneof![Just(0), Just(1_000_000_000)],
        ) {
            let mut world = World {
                now: 0, ahead, inode: 0, folder: BTreeMap::new(), touched: BTreeMap::new(), seen: BTreeMap::new(), live: BTreeMap::new(),
                looks: looks(&[]),
            };
            for act in &acts {
                world.act(act);
            }
            for _ in 0..8 {
                world.look(Answer::Done);
                let Some(next) = world.looks.next(at(world.now)) else { break };
                world.now += u64::try_from(next.as_millis()).unwrap();
            }
            let folder: BTreeMap<String, Stamps> =
                world.folder.iter().map(|(name, stamps)| ((*name).to_owned(), *stamps)).collect();
            prop_assert_eq!(world.live, folder);
        }
    }
}
