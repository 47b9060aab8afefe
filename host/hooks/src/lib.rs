//! What Open edX means by a filter pipeline and an event. No I/O, no WebAssembly: the catalogue of hooks, the
//! contract's types, how a pipeline accumulates, what an event carries.

pub mod catalogue;
pub mod check;
pub mod cloudevents;
pub mod config;
pub mod datetime;
pub mod event;
pub mod names;
pub mod pipeline;
pub mod types;
pub mod users;
pub mod wit;

pub use catalogue::{Catalogue, Event, Filter, Hook};
pub use check::Mismatch;
pub use config::{FilterConfig, StepMetadata};
pub use event::{EventMetadata, ReceivedEvent};
pub use pipeline::{Accumulator, FilterException, OnFailure, StepAnswer, Verdict};
