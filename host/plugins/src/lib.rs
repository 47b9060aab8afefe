//! Which plugins are live and what a hook's call reaches. [`load`] turns the configuration into a [`Generation`]; its
//! [`Pipeline`]s run filters and its [`Receiver`]s take events. No HTTP here.

mod breaker;
mod circuit;
mod detail;
mod effective;
mod generation;
mod load;
mod metering;
mod overview;
mod pipeline;
mod receiver;
mod settings;

pub use breaker::{LastFailure, Quarantine, QuarantineRule};
pub use detail::{HookTaken, IsolationView, LimitView, PluginDetail, RuleView};
pub use generation::{Generation, LivePlugin};
pub use load::{LoadError, Recipe, Sample, contract, load, read, unused_grants};
pub use overview::{Argument, HookView, MissingView, PluginState, PluginView, TakerView};
pub use pipeline::{FilterError, FilterRun, Outcome, Pipeline, Step, StepFailure, StepOutcome, StepReport};
pub use receiver::{Receipt, Receiver};
pub use settings::{FiltersTable, IsolationKind, LimitsTable, PluginTable, PluginsTable, QuarantineTable};
