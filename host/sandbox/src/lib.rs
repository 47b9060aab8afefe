//! Admits WebAssembly components and calls their functions inside limits. wasmtime is named here and nowhere else.
//!
//! The way of a component: [`Sandbox::admit`] looks at the bytes, has its [`Compiler`] make code of them and matches exports
//! and imports against the [`Contract`]; [`Sandbox::plugin`] joins the result with settings and limits; [`Plugin::call`] makes an
//! instance, converts JSON to the function's own types, runs it against the clock and converts the answer back.
//! Whatever a guest does, a call ends with an answer or a [`CallFailure`].

mod admission;
mod cache;
mod call;
mod capabilities;
mod compile;
mod death;
mod digest;
mod engine;
mod failure;
mod grants;
mod instances;
mod limits;
mod log;
mod memory;
mod name;
mod plan;
mod plugin;
mod problem;
mod record;
mod state;

pub use admission::{Contract, Export, Granting, Metadata, Report, Role};
pub use call::Answer;
pub use capabilities::{
    ArchiveFault, ArchiveQuery, ArchiveStatus, CallContext, CourseArchive, DeliveryWishes, KeyValue,
    KeyValueBucket, KeyValueFault, KeyValueQuota, Resolver, Resolving, Services, Settings,
};
pub use compile::child::compile_as_child;
pub use compile::{ChildCompiler, Compiler};
pub use digest::Digest;
pub use engine::{Allocation, PoolUse};
pub use failure::{CallFailure, LimitReport};
pub use grants::{Grant, GrantError, Grants, Host, Origin};
pub use limits::{COMPONENT_BYTES, JSON_DEPTH_MOST, Limit, Limits};
pub use log::escape;
pub use memory::GuestMemoryUse;
pub use name::name_of;
pub use plugin::{
    Admitted, FunctionId, Isolation, Plugin, PluginOptions, Sandbox, SandboxError, SandboxOptions,
    TryOutError,
};
pub use problem::{Problem, ProblemCode};
pub use record::{CallRecord, Ending, FailedCall, FailedCalls, HostCall, RecordedInstance, Seed};
/// For the traits of [`Services`].
pub use wasmtime_wasi::async_trait;
