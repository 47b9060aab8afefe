//! Which plugins are live and what a hook's call reaches. [`load`] turns the configuration into a [`Generation`]; its
//! [`Pipeline`]s run filters and its [`Receiver`]s take events. No HTTP here.

mod breaker;
mod candidate;
mod cases;
mod change;
mod circuit;
mod detail;
mod effective;
mod failed_calls;
mod files;
mod folder;
mod generation;
mod keep;
mod load;
mod lock;
mod metering;
mod overview;
mod pipeline;
mod receiver;
mod record;
mod registry;
mod release_ref;
mod settings;
mod trial;
mod views;

pub use breaker::{LastFailure, Quarantine, QuarantineRule};
pub use cases::{CASES_BYTES, CaseReport, Cases};
pub use change::{Change, Refusal};
pub use detail::{DeliveryView, HookTaken, IsolationView, LimitView, PluginDetail, RuleView};
pub use failed_calls::{
    CallFile, CallFileError, CallOutcome, DEFAULT_REDACTION, FailedCallKeeper, FailedCallOptions,
    FailedCallView, FilterContext, HookCalled, HookKind, Redaction, ReplayError, Replayed, kept_component,
    replay,
};
pub use folder::{FolderOptions, FolderWatch};
pub use generation::{Generation, LivePlugin};
pub use load::{LoadError, Recipe, Sample, contract, is_plugin_name, load, read, unused_grants};
pub use lock::{DataLock, LockError};
pub use overview::{Argument, HookView, MissingView, PluginState, PluginView, TakerView};
pub use pipeline::{FilterError, FilterRun, Outcome, Pipeline, Step, StepFailure, StepOutcome, StepReport};
pub use receiver::{Handed, Receipt, Receiver};
pub use record::{PluginRecord, Release, ReleaseState, Source, Standing};
pub use registry::{
    Approval, By, ChangeError, Changed, Configured, HookChange, NewRelease, PluginChange, Registry,
    RegistryOptions, ReleaseRef, ReloadReport, Rows, Then, TrialRequest,
};
pub use release_ref::BadReleaseRef;
pub use settings::{
    DeliveryRule, DeliveryTable, FiltersTable, IsolationKind, LimitsTable, PluginTable, PluginsTable,
    QuarantineTable,
};
pub use trial::{
    Difference, Trial, TrialCounts, TrialEnd, TrialExample, TrialKind, TrialPlan, TrialRule, TrialView,
};
pub use views::{Attention, PluginOverview, ReleaseView};
