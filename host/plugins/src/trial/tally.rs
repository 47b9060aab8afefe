//! What a trial found so far, and what its rule makes of that. Pure.

use std::collections::VecDeque;

use super::{TrialCounts, TrialEnd, TrialExample, TrialKind, TrialRule};

/// Examples that are kept.
const EXAMPLES: usize = 20;

/// What came of one call that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Canary: it answered.
    Answered,
    /// Shadow: as the live release did.
    Equal,
    /// Shadow: otherwise.
    Different,
    /// It failed, and the live release, where it was asked too, did not.
    Failed,
    /// It was not made, or the host had no room for it.
    LeftOut,
}

/// Counts and examples of one trial.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: TrialCounts,
    /// The latest first.
    examples: VecDeque<TrialExample>,
    /// Whether nothing more is to be decided.
    closed: bool,
}

impl Tally {
    /// Counts a call. Gives the end that the rule decides on, the first time it does.
    pub(super) fn count(
        &mut self,
        ended: Ended,
        example: Option<TrialExample>,
        kind: TrialKind,
        rule: Option<TrialRule>,
    ) -> Option<TrialEnd> {
        let counts = &mut self.counts;
        match ended {
            Ended::LeftOut => counts.left_out += 1,
            Ended::Answered => {}
            Ended::Equal => counts.equal += 1,
            Ended::Different => counts.different += 1,
            Ended::Failed => counts.failed += 1,
        }
        if ended == Ended::LeftOut {
            return None;
        }
        counts.calls += 1;
        if let Some(example) = example {
            self.examples.push_front(example);
            self.examples.truncate(EXAMPLES);
        }
        let end = rule.filter(|_| !self.closed).and_then(|rule| decide(rule, kind, &self.counts));
        self.closed |= end.is_some();
        end
    }

    /// Nothing is decided any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn counts(&self) -> TrialCounts {
        self.counts.clone()
    }

    pub(super) fn examples(&self) -> Vec<TrialExample> {
        self.examples.iter().cloned().collect()
    }
}

/// What a rule makes of the counts: too many differences end a trial at once, enough calls without them promote.
pub(super) fn decide(rule: TrialRule, kind: TrialKind, counts: &TrialCounts) -> Option<TrialEnd> {
    let wrong = match kind {
        TrialKind::Shadow => counts.different.saturating_add(counts.failed),
        TrialKind::Canary => counts.failed,
    };
    if wrong > rule.differences {
        return Some(TrialEnd::RollBack);
    }
    (counts.calls >= rule.calls).then_some(TrialEnd::Promote)
}

#[cfg(test)]
mod tests;
