//! The steps of one filter, and running them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_hooks::pipeline::{any_filter_answer, put_back_passwords, set_aside_passwords};
use hookbox_hooks::{Accumulator, Filter, FilterException, Mismatch, StepAnswer, Verdict};
use hookbox_sandbox::{CallContext, CallFailure, FunctionId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::breaker::Quarantine;
use crate::generation::LivePlugin;
use crate::metering::StepMeter;

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
    /// Listed plugins that are not there, with the reason. Only where the filter fails silently.
    pub missing: Vec<(String, String)>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// The plugin.
    pub plugin: Arc<LivePlugin>,
    /// Why it is in the pipeline.
    pub reason: String,
    pub(crate) function: FunctionId,
    pub(crate) generic: bool,
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
        if let Some(filter) = &self.filter {
            hookbox_hooks::check::check_fields(&filter.params, &kwargs, "")?;
            passwords = Some((filter, set_aside_passwords(filter, &mut kwargs)));
        }
        let mut accumulator = Accumulator::new(kwargs, self.fail_silently);
        let mut steps = Vec::with_capacity(self.steps.len());
        let mut outcome = Outcome::Completed;
        for step in &self.steps {
            let started = Instant::now();
            let answer = self.call(step, accumulator.kwargs()).await;
            let took = started.elapsed();
            let on_failure = step.plugin.on_failure;
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
            let report = step.report(&self.filter_type, &verdict, took, failure);
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

    /// Calls a step, unless its plugin is put aside.
    async fn call(&self, step: &Step, kwargs: &Map<String, Value>) -> Result<StepAnswer, StepFailure> {
        let admission = step.plugin.circuit.admit().map_err(StepFailure::Quarantined)?;
        let answer = self.ask(step, kwargs).await;
        admission.ended(answer.as_ref().err());
        answer.map_err(StepFailure::Call)
    }

    async fn ask(&self, step: &Step, kwargs: &Map<String, Value>) -> Result<StepAnswer, CallFailure> {
        let plugin = &step.plugin.plugin;
        let time = plugin.limits().filter_time();
        let context = Arc::clone(&step.context);
        if step.generic {
            let arguments = Map::from_iter([
                ("filter_type".to_owned(), Value::String(self.filter_type.clone())),
                ("arguments".to_owned(), Value::Object(kwargs.clone())),
            ]);
            let lifted = plugin.call(step.function, &arguments, context, time).await?;
            let answer = any_filter_answer(lifted, self.filter.as_deref()).map_err(CallFailure::Answer)?;
            self.check_changes(&answer).map_err(CallFailure::Answer)?;
            return Ok(answer);
        }
        let lifted = plugin.call(step.function, kwargs, context, time).await?;
        match &self.filter {
            Some(filter) => filter.answer(lifted).map_err(CallFailure::Answer),
            None => any_filter_answer(lifted, None).map_err(CallFailure::Answer),
        }
    }

    /// A generic step's changes to catalogued arguments must be of their types. `null` passes, as upstream.
    fn check_changes(&self, answer: &StepAnswer) -> Result<(), Mismatch> {
        let (Some(filter), StepAnswer::Proceed(changes)) = (&self.filter, answer) else {
            return Ok(());
        };
        filter.params.iter().try_for_each(|param| match changes.get(&param.name) {
            None | Some(Value::Null) => Ok(()),
            Some(value) => param.ty.check(value, &param.name),
        })
    }
}

impl Step {
    fn report(
        &self,
        filter_type: &str,
        verdict: &Verdict,
        took: Duration,
        failure: Option<StepFailure>,
    ) -> StepReport {
        let (outcome, changed) = match verdict {
            Verdict::Continue { changed } => (StepOutcome::Proceeded, changed.clone()),
            Verdict::Halted => (StepOutcome::Halted, Vec::new()),
            Verdict::Raised(_) => (StepOutcome::Raised, Vec::new()),
            Verdict::Skipped => (StepOutcome::Skipped, Vec::new()),
            Verdict::Failed => (StepOutcome::Failed, Vec::new()),
        };
        self.meter.record(outcome, took);
        let plugin = self.plugin.name();
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
                tracing::error!(filter_type, plugin, code, skipped, stack, "step failed: {failure}");
            }
            (_, None) => {}
        }
        StepReport {
            plugin: plugin.to_owned(),
            version: self.plugin.version().map(str::to_owned),
            digest: self.plugin.digest.clone(),
            outcome,
            changed,
            microseconds: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            failure,
        }
    }
}
