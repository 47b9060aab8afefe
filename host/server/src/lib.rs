//! Hookbox over HTTP: filters, events, what is live, health and metrics. [`router`] needs no socket; [`serve`] owns
//! the server's life. [`Config`] is `hookbox.toml`.

mod app;
mod body;
mod config;
mod events;
mod filters;
mod health;
mod hooks;
mod inbox;
mod path;
mod problem;
mod serve;
mod telemetry;

pub use app::{App, router};
pub use config::{Config, ConfigError, DEFAULT_FILE, ServerTable};
pub use filters::FilterAnswer;
pub use serve::{ServeError, compile_cache, serve};
