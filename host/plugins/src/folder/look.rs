//! What listings of the folder mean, one after the other. Pure: the clock and the listings come from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// The pause before an offer that failed for a passing reason is made again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause; each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    /// Which file it is; another one under the same name has another. 0 where the system has no such number.
    pub(super) inode: u64,
    /// When it was written, as it says itself.
    pub(super) modified: SystemTime,
    /// When it was written, renamed or given other permissions, as the system says. The same as `modified` where it does
    /// not.
    pub(super) changed: SystemTime,
}

/// A plugin's files: the component, and its recorded cases where there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    pub(super) component: Stamp,
    pub(super) cases: Option<Stamp>,
}

/// Which folder a listing is of. Another folder at the same path is another one.
pub(super) type FolderId = (u64, u64);

/// One look at the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) folder: FolderId,
    /// The folder of recorded cases in it.
    pub(super) tests: Option<FolderId>,
    /// What has a plugin's name; `None` where it cannot be read, so that it is neither new nor gone.
    pub(super) plugins: BTreeMap<String, Option<Stamps>>,
    /// What an operator may have meant as a plugin and is none, with the reason. Ready to be shown.
    pub(super) odd: BTreeMap<String, String>,
}

/// When a look was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// By a clock that never goes back.
    pub(super) steady: Duration,
    /// By the clock that stamps are made with.
    pub(super) wall: SystemTime,
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Plugins that are new or changed, and have settled. Each is answered with one of the functions below.
    pub(super) settled: Vec<(String, Stamps)>,
    /// Plugins whose file went, and stayed away. Answered too.
    pub(super) gone: Vec<String>,
    /// What should be told now, and was not before.
    pub(super) odd: Vec<(String, String)>,
    /// Whether the folder can be read, when that has changed.
    pub(super) turned: Option<Readable>,
}

/// Whether the folder can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readable {
    Yes,
    /// Why not.
    No(String),
}

/// What is known of the folder.
#[derive(Debug)]
pub(super) struct Looks {
    settle: Duration,
    known: BTreeMap<String, Known>,
    told: BTreeSet<String>,
    /// The folder that was seen last; `None` before one was.
    folder: Option<FolderId>,
    readable: Option<bool>,
}

/// What is known of one plugin.
#[derive(Debug, Default)]
struct Known {
    /// What the last look saw of it, and since when it has been so.
    seen: Option<(Sight, Duration)>,
    /// What was offered last, and dealt with.
    offered: Option<Stamps>,
    /// Whether somebody has to hear when it goes.
    held: bool,
    /// When what failed is tried again, and how long that pause is.
    again: Option<(Duration, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    There(Stamps),
    Hidden,
    Away,
}

impl Looks {
    /// `held` names the plugins that the folder brought before the host started.
    pub(super) fn new(settle: Duration, held: impl IntoIterator<Item = String>) -> Self {
        let held = held.into_iter().map(|name| (name, Known { held: true, ..Known::default() }));
        Self { settle, known: held.collect(), told: BTreeSet::new(), folder: None, readable: None }
    }

    /// Takes a listing in, or the reason why there is none.
    pub(super) fn look(&mut self, listing: Result<&Listing, String>, now: Moment) -> Found {
        match listing {
            Err(reason) => self.unreadable(reason),
            Ok(listing) if self.is_emptied_by_replacement(listing) => {
                self.unreadable("another folder than before is there, and it is empty".to_owned())
            }
            Ok(listing) => self.read(listing, now),
        }
    }

    /// A volume that is mounted there no more leaves another folder, empty. Nobody took the plugins out of it.
    fn is_emptied_by_replacement(&self, listing: &Listing) -> bool {
        listing.plugins.is_empty()
            && self.folder.is_some_and(|folder| folder != listing.folder)
            && self.known.values().any(|known| known.held)
    }

    fn unreadable(&mut self, reason: String) -> Found {
        for known in self.known.values_mut() {
            // What was away a moment ago has to be seen to be away once more.
            known.seen = known.seen.filter(|(sight, _)| *sight != Sight::Away);
        }
        let turned = self.readable.replace(false) != Some(false);
        Found { turned: turned.then_some(Readable::No(reason)), ..Found::default() }
    }

    fn read(&mut self, listing: &Listing, now: Moment) -> Found {
        let turned = self.readable.replace(true) != Some(true);
        let mut found = Found { turned: turned.then_some(Readable::Yes), ..Found::default() };
        self.folder = Some(listing.folder);
        for name in listing.plugins.keys() {
            self.known.entry(name.clone()).or_default();
        }
        let settle = self.settle;
        self.known.retain(|name, known| {
            let sight = match listing.plugins.get(name) {
                Some(Some(stamps)) => Sight::There(*stamps),
                Some(None) => Sight::Hidden,
                None => Sight::Away,
            };
            match known.see(sight, settle, now) {
                Verdict::Offer(stamps) => found.settled.push((name.clone(), stamps)),
                Verdict::Withdraw => found.gone.push(name.clone()),
                Verdict::Forget => return false,
                Verdict::Wait => {}
            }
            true
        });
        let new = listing.odd.iter().filter(|(name, _)| !self.told.contains(*name));
        found.odd = new.map(|(name, reason)| (name.clone(), reason.clone())).collect();
        self.told = listing.odd.keys().cloned().collect();
        found
    }

    /// What settled was offered, and is dealt with until it changes.
    pub(super) fn taken(&mut self, name: &str, stamps: Stamps) {
        let known = self.known.entry(name.to_owned()).or_default();
        *known = Known { seen: known.seen, offered: Some(stamps), held: true, again: None };
    }

    /// What settled changed while it was read: it settles anew.
    pub(super) fn changed(&mut self, name: &str) {
        if let Some(known) = self.known.get_mut(name) {
            known.seen = None;
        }
    }

    /// An offer or a withdrawal failed for a reason that may pass: it is tried again, after longer and longer pauses.
    pub(super) fn failed(&mut self, name: &str, now: Moment) {
        let known = self.known.entry(name.to_owned()).or_default();
        let pause = known.again.map_or(FIRST_PAUSE, |(_, pause)| (pause * 2).min(LONGEST_PAUSE));
        known.again = Some((now.steady.saturating_add(pause), pause));
    }

    /// The plugin of a file that went is withdrawn.
    pub(super) fn withdrawn(&mut self, name: &str) {
        self.known.remove(name);
    }

    /// How long until something may have settled; `None` when all has.
    pub(super) fn next(&self, now: Moment) -> Option<Duration> {
        self.known.values().filter_map(|known| known.due(self.settle, now)).min()
    }
}

enum Verdict {
    Offer(Stamps),
    Withdraw,
    Forget,
    Wait,
}

impl Known {
    fn see(&mut self, sight: Sight, settle: Duration, now: Moment) -> Verdict {
        if self.seen.is_none_or(|(before, _)| before != sight) {
            self.seen = Some((sight, now.steady));
            self.again = None;
        }
        let due = self.due(settle, now).is_some_and(|wait| wait.is_zero());
        match sight {
            Sight::There(stamps) if due => Verdict::Offer(stamps),
            Sight::Away if !self.held => Verdict::Forget,
            Sight::Away if due => Verdict::Withdraw,
            _ => Verdict::Wait,
        }
    }

    /// How long until it may be offered or withdrawn; `None` when neither will be.
    fn due(&self, settle: Duration, now: Moment) -> Option<Duration> {
        let (sight, since) = self.seen?;
        let quiet = settle.saturating_sub(now.steady.saturating_sub(since));
        let quiet = match sight {
            Sight::There(stamps) if self.offered != Some(stamps) => quiet.min(stamps.rest(settle, now.wall)),
            Sight::Away if self.held => quiet,
            _ => return None,
        };
        let pause = self.again.map_or(Duration::ZERO, |(at, _)| at.saturating_sub(now.steady));
        Some(quiet.max(pause))
    }
}

impl Stamps {
    /// How long until the files have rested for `settle`, by their own times: what was written long ago need not be
    /// seen twice. A time to come says nothing.
    fn rest(&self, settle: Duration, wall: SystemTime) -> Duration {
        let rest = |stamp: Stamp| match wall.duration_since(stamp.modified.max(stamp.changed)) {
            Ok(age) => settle.saturating_sub(age),
            Err(_) => settle,
        };
        rest(self.component).max(self.cases.map_or(Duration::ZERO, rest))
    }
}

#[cfg(test)]
mod tests;
