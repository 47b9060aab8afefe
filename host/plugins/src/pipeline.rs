//! The steps of one filter, and running them.

mod ask;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_hooks::pipeline::{put_back_passwords, set_aside_passwords};
use hookbox_hooks::{Accumulator, Filter, FilterException, Mismatch, StepAnswer, Verdict};
use hookbox_sandbox::{CallContext, CallFailure};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::ask::{Asked, Question, ask};
use crate::breaker::Quarantine;
use crate::effective::Entry;
use crate::generation::LivePlugin;
use crate::metering::StepMeter;
use crate::trial::{Draws, Said, Tried};

pub(crate) use self::ask::meaning;

/// The effective pipeline of a filter type.
#[derive(Debug)]
pub struct Pipeline {
    /// The type.
    pub filter_type: String,
    /// The catalogued filter it is or behaves like; `None` for a type that only generic plugins know.
    pub filter: Option<Arc<Filter>>,
    /// The catalogued type it behaves like, when it is a type of the operator's own.
    pub like: Option<String>,
    /// Whether a failed step is skipped.
    pub fail_silently: bool,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Listed plugins that are not there, with the reason. Where the filter may not fail silently, each call fails.
    pub missing: Vec<(String, String)>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// The plugin.
    pub plugin: Arc<LivePlugin>,
    /// Why it is in the pipeline.
    pub reason: String,
    pub(crate) entry: Entry,
    /// Another release of it that is tried, when that takes the filter too.
    pub(crate) tried: Option<Tried>,
    pub(crate) context: Arc<CallContext>,
    pub(crate) meter: StepMeter,
}

/// How a pipeline ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every step ran, or was skipped.
    Completed,
    /// A step let no later one run.
    Halted,
    /// A step raised one of the filter's exceptions.
    Raised(FilterException),
}

/// A pipeline's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterRun {
    /// How it ended.
    pub outcome: Outcome,
    /// The arguments as the steps left them.
    pub kwargs: Map<String, Value>,
    /// What each step did.
    pub steps: Vec<StepReport>,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// The plugin's name.
    pub plugin: String,
    /// The version its component names.
    pub version: Option<String>,
    /// The component's digest.
    pub digest: String,
    /// What came of it.
    pub outcome: StepOutcome,
    /// The arguments it changed or added.
    pub changed: Vec<String>,
    /// Wall-clock microseconds from making the instance to reading the answer.
    pub microseconds: u64,
    /// Why it failed, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<StepFailure>,
    /// The name under which the failed call is kept to be run again, when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It answered; the pipeline went on.
    Proceeded,
    /// It ended the pipeline.
    Halted,
    /// It raised an exception.
    Raised,
    /// It failed; the pipeline went on without it.
    Skipped,
    /// It failed, and the pipeline with it.
    Failed,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StepFailure {
    /// The call ended without an answer.
    #[error(transparent)]
    Call(#[from] CallFailure),
    /// The plugin answered with an error of its own.
    #[error("the plugin answered with an error: {0}")]
    Error(String),
    /// The plugin is put aside, and was not called. What it said as it last failed stays out of this: it was said in
    /// somebody else's call.
    #[error(
        "the plugin is put aside after {} failures in a row, the last of them {}; the next trial may be made at {}",
        .0.failures, .0.last_failure.code, moment(.0.until)
    )]
    Quarantined(Arc<Quarantine>),
}

/// A time as it is written everywhere.
fn moment(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

impl StepFailure {
    /// The guest's call stack in one line, innermost first, for the log.
    fn stack(&self) -> Option<String> {
        match self {
            Self::Call(failure) if !failure.backtrace().is_empty() => Some(failure.backtrace().join(" < ")),
            _ => None,
        }
    }

    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Call(failure) => failure.code(),
            Self::Error(_) => "error",
            Self::Quarantined(_) => "quarantined",
        }
    }
}

impl Serialize for StepFailure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("code", self.code())?;
        fields.serialize_entry("message", &self.to_string())?;
        match self {
            Self::Call(failure) => fields.serialize_entry("report", failure)?,
            Self::Error(_) => {}
            Self::Quarantined(quarantine) => fields.serialize_entry(
                "report",
                &json!({
                    "kind": self.code(),
                    "since": moment(quarantine.since),
                    "until": moment(quarantine.until),
                    "failures": quarantine.failures,
                    "last_failure": quarantine.last_failure.code,
                }),
            )?,
        }
        fields.end()
    }
}

/// A pipeline that gave no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// The arguments do not fit the filter.
    #[error(transparent)]
    Arguments(#[from] Mismatch),
    /// A listed plugin could not be brought back, and the filter may not fail silently.
    #[error("step {plugin} does not run: {reason}")]
    NotLive {
        /// The plugin's name.
        plugin: String,
        /// Why.
        reason: String,
    },
    /// A step failed where the filter does not allow that.
    #[error("step {plugin} failed: {failure}")]
    Step {
        /// The plugin's name.
        plugin: String,
        /// Why.
        failure: StepFailure,
        /// What it and the steps before it did.
        steps: Vec<StepReport>,
    },
    /// The host had no room to run a step within its time. That is no failure of the step's: neither `fail_silently`
    /// nor `on_failure` turns it into an answer that lacks the step.
    #[error("step {plugin} found no room: {detail}")]
    Overloaded {
        /// The plugin's name.
        plugin: String,
        /// What there was no room in.
        detail: String,
        /// What it and the steps before it did.
        steps: Vec<StepReport>,
    },
}

impl Pipeline {
    /// Runs the steps one after the other over the arguments, with upstream's semantics.
    ///
    /// # Errors
    /// The arguments do not fit, a step failed that may not, or found no room.
    pub async fn run(&self, mut kwargs: Map<String, Value>) -> Result<FilterRun, FilterError> {
        let mut passwords = None;
        if let Some((plugin, reason)) = self.missing.first().filter(|_| !self.fail_silently) {
            return Err(FilterError::NotLive { plugin: plugin.clone(), reason: reason.clone() });
        }
        if let Some(filter) = &self.filter {
            hookbox_hooks::check::check_fields(&filter.params, &kwargs, "")?;
            passwords = Some((filter, set_aside_passwords(filter, &mut kwargs)));
        }
        let mut accumulator = Accumulator::new(kwargs, self.fail_silently);
        let mut steps = Vec::with_capacity(self.steps.len());
        let mut outcome = Outcome::Completed;
        let mut draws = Draws::default();
        for step in &self.steps {
            let tried = draws.pick(step.tried.as_ref());
            let (release, entry) = tried.and_then(Tried::canary).unwrap_or((&step.plugin, step.entry));
            let started = Instant::now();
            let (answer, replay) = self.call(release, entry, &step.context, accumulator.kwargs()).await;
            let took = started.elapsed();
            if let Some(tried) = tried {
                self.tell(tried, step, &answer, accumulator.kwargs());
            }
            let on_failure = release.on_failure;
            let (verdict, failure) = match answer {
                Ok(StepAnswer::Error(text)) => {
                    (accumulator.failed(on_failure), Some(StepFailure::Error(text)))
                }
                Ok(answer) => (accumulator.take(answer, on_failure), None),
                Err(failure @ StepFailure::Call(CallFailure::Overloaded { .. })) => {
                    (Verdict::Failed, Some(failure))
                }
                Err(failure) => (accumulator.failed(on_failure), Some(failure)),
            };
            let ended = Ended { verdict: &verdict, took, failure, replay };
            let report = step.report(release, &self.filter_type, ended);
            steps.push(report);
            match verdict {
                Verdict::Continue { .. } | Verdict::Skipped => {}
                Verdict::Halted => {
                    outcome = Outcome::Halted;
                    break;
                }
                Verdict::Raised(exception) => {
                    outcome = Outcome::Raised(exception);
                    break;
                }
                Verdict::Failed => {
                    let plugin = step.plugin.name().to_owned();
                    let last = steps.last().and_then(|report| report.failure.clone());
                    return Err(match last.unwrap_or_else(|| StepFailure::Error(String::new())) {
                        StepFailure::Call(CallFailure::Overloaded { detail }) => {
                            FilterError::Overloaded { plugin, detail, steps }
                        }
                        failure => FilterError::Step { plugin, failure, steps },
                    });
                }
            }
        }
        let mut kwargs = accumulator.into_kwargs();
        if let Some((filter, aside)) = passwords {
            put_back_passwords(filter, &mut kwargs, aside);
        }
        Ok(FilterRun { outcome, kwargs, steps })
    }

    /// Calls a release's function, unless it is put aside. Also gives the name under which a failed call is kept.
    async fn call(
        &self,
        live: &LivePlugin,
        entry: Entry,
        context: &Arc<CallContext>,
        kwargs: &Map<String, Value>,
    ) -> (Result<StepAnswer, StepFailure>, Option<String>) {
        let admission = match live.circuit.admit() {
            Ok(admission) => admission,
            Err(quarantine) => return (Err(StepFailure::Quarantined(quarantine)), None),
        };
        let (filter_type, filter) = (&*self.filter_type, self.filter.as_deref());
        let question = Question { filter_type, filter, context };
        let Asked { answer, replay } = ask(&live.plugin, entry, question, kwargs).await;
        admission.ended(answer.as_ref().err());
        (answer.map_err(StepFailure::Call), replay)
    }

    /// A call that a trial chose was answered: by the tried release, which counts, or by the live one, beside which the
    /// tried one is now asked.
    fn tell(
        &self,
        tried: &Tried,
        step: &Step,
        answer: &Result<StepAnswer, StepFailure>,
        kwargs: &Map<String, Value>,
    ) {
        let no_room = matches!(answer, Err(StepFailure::Call(CallFailure::Overloaded { .. })));
        if tried.canary().is_some() {
            match no_room {
                true => tried.trial.left_out(),
                false => tried.trial.answered(&self.filter_type, &Said::by_step(answer, kwargs)),
            }
            return;
        }
        // Where the live release was not called, there is nothing to compare with.
        if no_room || matches!(answer, Err(StepFailure::Quarantined(_))) {
            return;
        }
        let Some(shadow) = tried.trial.shadow() else {
            return;
        };
        let (filter_type, filter, context) =
            (self.filter_type.clone(), self.filter.clone(), Arc::clone(&step.context));
        let (entry, kwargs, live) = (tried.entry, kwargs.clone(), Said::by_step(answer, kwargs));
        tokio::spawn(async move {
            let question =
                Question { filter_type: &filter_type, filter: filter.as_deref(), context: &context };
            let call = async { ask(&shadow.rehearsal.plugin, entry, question, &kwargs).await.answer };
            let say = |answer: Result<_, _>| Said::by_step(&answer.map_err(StepFailure::Call), &kwargs);
            shadow.run(&filter_type, &live, call, say).await;
        });
    }
}

/// How one step ended.
struct Ended<'a> {
    verdict: &'a Verdict,
    took: Duration,
    failure: Option<StepFailure>,
    replay: Option<String>,
}

impl Step {
    /// What it did. `release` is the one that answered: the live one, or the one that is tried in its place.
    fn report(&self, release: &LivePlugin, filter_type: &str, ended: Ended<'_>) -> StepReport {
        let Ended { verdict, took, failure, replay } = ended;
        let (outcome, changed) = match verdict {
            Verdict::Continue { changed } => (StepOutcome::Proceeded, changed.clone()),
            Verdict::Halted => (StepOutcome::Halted, Vec::new()),
            Verdict::Raised(_) => (StepOutcome::Raised, Vec::new()),
            Verdict::Skipped => (StepOutcome::Skipped, Vec::new()),
            Verdict::Failed => (StepOutcome::Failed, Vec::new()),
        };
        self.meter.record(outcome, took);
        let plugin = release.name();
        match (outcome, &failure) {
            (StepOutcome::Proceeded, _) => tracing::debug!(filter_type, plugin, ?changed, "step proceeded"),
            (StepOutcome::Halted, _) => tracing::info!(filter_type, plugin, "step halted the pipeline"),
            (StepOutcome::Raised, _) => {
                if let Verdict::Raised(exception) = verdict {
                    tracing::info!(filter_type, plugin, class = exception.class, "step raised an exception");
                }
            }
            // The quarantine itself has been told, louder than this.
            (_, Some(StepFailure::Quarantined(_))) => {
                tracing::debug!(filter_type, plugin, "step not called: its plugin is put aside");
            }
            (_, Some(failure)) => {
                let code = failure.code();
                let skipped = outcome == StepOutcome::Skipped;
                let stack = failure.stack();
                tracing::error!(filter_type, plugin, code, skipped, stack, replay, "step failed: {failure}");
            }
            (_, None) => {}
        }
        StepReport {
            plugin: plugin.to_owned(),
            version: release.version().map(str::to_owned),
            digest: release.digest.clone(),
            outcome,
            changed,
            microseconds: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            failure,
            replay,
        }
    }
}
