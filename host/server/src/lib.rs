//! Hookbox over HTTP: filters, events, the course archive, what is live, health and metrics. [`router`] needs no socket; [`serve`] owns
//! the server's life. [`Config`] is `hookbox.toml`.

mod admin;
mod app;
mod archive;
mod auth;
mod body;
mod config;
mod cors;
mod events;
mod filters;
mod health;
mod hooks;
mod identity;
mod openapi;
mod path;
mod problem;
mod receivers;
mod reload;
mod serve;
mod services;
mod telemetry;
mod throttle;

pub use admin::events::{
    BulkAsked, BulkDone, EventDesk, EventInFull, EventList, EventRef, EventsAsked, EventsSummary, Names,
    ReplayAsked, ReplayCount, ReplayList, ReplayView,
};
pub use app::{App, AppError, router};
pub use auth::{AuthError, AuthTable, Authenticator, TokenRequest};
pub use config::{
    ArchiveTable, Config, ConfigError, DEFAULT_FILE, DatabaseTable, EventsTable, FailedCallsTable, KeepTable,
    ServerTable, UsersTable,
};
pub use cors::CorsTable;
pub use filters::FilterAnswer;
pub use identity::HOOKS_RUN;
pub use problem::Problem;
pub use receivers::PluginReceivers;
pub use reload::Reread;
pub use serve::{ServeError, compile_cache, serve};
pub use services::services;
pub use throttle::{BadRate, Rate};
