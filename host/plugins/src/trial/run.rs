//! A trial that runs: which calls it gets, and what becomes of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_sandbox::{CallFailure, Plugin};
use rand::Rng;
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::compare::{Finding, Said, compare};
use super::tally::{Ended, Tally};
use super::{Difference, TrialExample, TrialKind, TrialPlan, TrialVerdict, TrialView};
use crate::circuit::Circuit;
use crate::effective::Entry;
use crate::generation::LivePlugin;
use crate::metering::TrialMeter;

/// Shadows of one trial that run at the same time.
const SHADOWS: usize = 8;

/// A trial that runs.
#[derive(Debug)]
pub struct Trial {
    plan: TrialPlan,
    /// The release that is tried.
    pub(crate) candidate: Arc<LivePlugin>,
    /// What a shadow runs in.
    rehearsal: Option<Arc<Rehearsal>>,
    tally: Mutex<Tally>,
    meter: TrialMeter,
    verdicts: UnboundedSender<TrialVerdict>,
}

/// The tried release, for calls that change nothing.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    pub(crate) plugin: Plugin,
    /// Keeps a release that fails every time from using up what live calls need. Not the candidate's own: once it is
    /// live, it begins with no failure.
    circuit: Circuit,
    room: Arc<Semaphore>,
}

/// A hook that the tried release takes too.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) trial: Arc<Trial>,
    /// Its own function for the hook.
    pub(crate) entry: Entry,
}

impl Tried {
    /// The tried release, when it answers in the live one's place.
    pub(crate) fn canary(&self) -> Option<(&Arc<LivePlugin>, Entry)> {
        (self.trial.plan.kind == TrialKind::Canary).then_some((&self.trial.candidate, self.entry))
    }
}

/// The draws of one run: a plugin that stands twice in a pipeline answers with one release.
#[derive(Default)]
pub(crate) struct Draws<'a>(Vec<(&'a Arc<Trial>, bool)>);

impl<'a> Draws<'a> {
    /// The trial, if this run is its.
    pub(crate) fn pick(&mut self, tried: Option<&'a Tried>) -> Option<&'a Tried> {
        let tried = tried?;
        let trial = &tried.trial;
        let drawn = match self.0.iter().find(|(other, _)| Arc::ptr_eq(other, trial)) {
            Some((_, drawn)) => *drawn,
            None => {
                let drawn = trial.draw();
                self.0.push((trial, drawn));
                drawn
            }
        };
        drawn.then_some(tried)
    }
}

impl Trial {
    /// Begins to count from zero. `verdicts` hears once when the rule decides.
    ///
    /// The candidate is the release as it would live; a shadow makes a rehearsal of it.
    pub(crate) fn new(
        plan: TrialPlan,
        candidate: Arc<LivePlugin>,
        verdicts: UnboundedSender<TrialVerdict>,
    ) -> Arc<Self> {
        let rehearsal = (plan.kind == TrialKind::Shadow).then(|| {
            let name = format!("{} (shadow)", candidate.name());
            Arc::new(Rehearsal {
                plugin: candidate.plugin.rehearsal(),
                circuit: Circuit::new(&name, candidate.quarantine_rule()),
                room: Arc::new(Semaphore::new(SHADOWS)),
            })
        });
        let meter = TrialMeter::new(candidate.name());
        Arc::new(Self { plan, candidate, rehearsal, tally: Mutex::default(), meter, verdicts })
    }

    /// How it is done.
    pub fn plan(&self) -> &TrialPlan {
        &self.plan
    }

    /// What it is and found so far.
    pub fn view(&self) -> TrialView {
        let tally = self.tally();
        TrialView { plan: self.plan.clone(), counts: tally.counts(), examples: tally.examples() }
    }

    /// How it is done, in words.
    pub(crate) fn described(&self) -> String {
        let TrialPlan { release, kind, percent, .. } = &self.plan;
        match kind {
            TrialKind::Shadow => format!("release {release} shadows {percent} of 100 calls"),
            TrialKind::Canary => format!("release {release} answers {percent} of 100 calls"),
        }
    }

    /// It is over: its rule decides no more, whatever calls in flight still find.
    pub(crate) fn close(&self) {
        self.tally().close();
    }

    fn draw(&self) -> bool {
        rand::rng().random_range(0.0..100.0) < self.plan.percent
    }

    /// A canary's call ended.
    pub(crate) fn answered(&self, hook: &str, said: &Said) {
        if said.failed() {
            self.count(Ended::Failed, hook, said.alone());
        } else {
            self.count(Ended::Answered, hook, Vec::new());
        }
    }

    /// The host had no room for a call that was chosen.
    pub(crate) fn left_out(&self) {
        self.count(Ended::LeftOut, "", Vec::new());
    }

    /// Room for one more shadow. Without room, or as a canary, the call is left out.
    pub(crate) fn shadow(self: &Arc<Self>) -> Option<Shadow> {
        let rehearsal = self.rehearsal.as_ref()?;
        let Ok(permit) = Arc::clone(&rehearsal.room).try_acquire_owned() else {
            self.left_out();
            return None;
        };
        Some(Shadow { trial: Arc::clone(self), rehearsal: Arc::clone(rehearsal), _permit: permit })
    }

    fn count(&self, ended: Ended, hook: &str, differences: Vec<Difference>) {
        self.meter.record(ended);
        let example = (!differences.is_empty()).then(|| TrialExample {
            hook: hook.to_owned(),
            at: OffsetDateTime::now_utc(),
            differences: match self.plan.values {
                true => differences,
                false => differences.into_iter().map(Difference::without_values).collect(),
            },
        });
        let mut tally = self.tally();
        let Some(end) = tally.count(ended, example, self.plan.kind, self.plan.rule) else {
            return;
        };
        let verdict = TrialVerdict {
            plugin: self.candidate.name().to_owned(),
            release: self.plan.release,
            began_at: self.plan.began_at,
            end,
            counts: tally.counts(),
        };
        drop(tally);
        // Nobody hears it when the host is stopping.
        let _ = self.verdicts.send(verdict);
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call of the tried release beside the live one's.
pub(crate) struct Shadow {
    trial: Arc<Trial>,
    pub(crate) rehearsal: Arc<Rehearsal>,
    _permit: OwnedSemaphorePermit,
}

impl Shadow {
    /// Makes the call, which has not begun yet, and compares what it gives with what the live release said.
    pub(crate) async fn run<T>(
        &self,
        hook: &str,
        live: &Said,
        call: impl Future<Output = Result<T, CallFailure>>,
        say: impl FnOnce(Result<T, CallFailure>) -> Said,
    ) {
        let Ok(admission) = self.rehearsal.circuit.admit() else {
            return self.trial.left_out();
        };
        let answer = call.await;
        admission.ended(answer.as_ref().err());
        if let Err(CallFailure::Overloaded { .. }) = answer {
            return self.trial.left_out();
        }
        let said = say(answer);
        let (ended, differences) = match compare(live, &said) {
            Finding::Equal => (Ended::Equal, Vec::new()),
            Finding::Different(differences) => (Ended::Different, differences),
            Finding::Failed(differences) => (Ended::Failed, differences),
        };
        let plugin = self.rehearsal.plugin.name();
        tracing::debug!(hook, plugin, ?ended, places = differences.len(), "shadow ended");
        self.trial.count(ended, hook, differences);
    }
}
