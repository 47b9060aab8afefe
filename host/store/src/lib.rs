//! What the host remembers, in one SQLite file. rusqlite is named here and nowhere else.
//!
//! [`Store::open`] brings the file's schema up to date and starts one writer thread and some reader threads, each with a
//! connection of its own. A job is a closure: [`Store::read`] runs it against one consistent snapshot, [`Store::write`]
//! in a transaction that is on the disk before the answer comes. Jobs that wait together are committed together, because
//! the commit is what costs; each still stands or falls alone.
//!
//! [`Reads`] and [`Writes`] are what a job may do. Their methods, and all SQL, live in one module per family of tables.
//! [`migrate`], [`check`] and [`backup`] work on a file, whether or not a server has it open.

mod archive;
mod audit;
mod cache;
mod connection;
mod error;
mod events;
mod job;
mod key_value;
mod maintenance;
mod options;
mod plugins;
mod readers;
mod schema;
mod store;
mod time;
mod users;
mod writer;

pub use archive::{Column, Filter, NewStatus, Order, Status, Synced};
pub use error::{OpenError, StoreError};
pub use events::{
    Added, After, AttemptEnd, AttemptRecord, AttemptRow, BulkPart, Claimed, DeliveryRow, DeliveryState,
    EventPage, EventRow, EventTotals, Keep, NewDelivery, NewEvent, ReceiverCounts, ReplayPart, ReplayRow,
    Selection, StoredEvent, Total,
};
pub use job::{Reads, Writes};
pub use key_value::{KeyProblem, KeyValueError, Quota, QuotaLimit, Usage};
pub use maintenance::{BackupReport, CheckReport, backup, check, migrate, plugins_of};
pub use options::Options;
pub use plugins::{AUDIT_ENTRIES, AuditEntry, AuditQuery, NewAuditEntry, PluginRow, ReleaseRow};
pub use schema::{Migrated, SCHEMA_VERSION};
pub use store::{Closing, Store};
pub use time::Timestamp;
pub use users::{NewUser, Told, ToldUser, User};
