//! Taking another configuration while calls run: the same for `SIGHUP` and for the admin API.

use std::sync::Arc;

use hookbox_plugins::{By, FolderOptions, FolderWatch, ReloadReport};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::app::App;
use crate::auth::AuthTable;
use crate::config::{
    ArchiveTable, Config, ConfigError, DatabaseTable, EventsTable, FailedCallsTable, ServerTable, UsersTable,
};
use crate::cors::CorsTable;

/// Reads the configuration again, with everything that the server's start laid over it.
pub type Reread = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What reloads need.
pub(crate) struct Reloads {
    reread: Reread,
    /// What the server started with.
    running: Config,
    /// The folder that is watched. Held while a reload runs: who comes second reads files that are at least as new.
    watch: Mutex<Option<FolderWatch>>,
}

/// What a reload did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Reloaded {
    /// Plugins and hooks that change.
    #[serde(flatten)]
    pub(crate) report: ReloadReport,
    /// Keys that differ from those the server runs with, and change nothing before it starts again.
    pub(crate) needs_restart: Vec<&'static str>,
}

impl Reloads {
    pub(crate) fn new(running: Config, reread: Reread) -> Self {
        Self { reread, running, watch: Mutex::default() }
    }

    /// The configuration as the files have it now, and what of it needs a restart.
    async fn read(&self) -> Result<(Config, Vec<&'static str>), Vec<String>> {
        let reread = Arc::clone(&self.reread);
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let config = read
            .map_err(|error| vec![format!("the configuration was not read to its end: {error}")])?
            .map_err(|ConfigError(mistakes)| mistakes)?;
        let needs_restart = differences(&self.running, &config);
        Ok((config, needs_restart))
    }
}

impl App {
    /// Reads the configuration again and takes what it says of plugins and filters, whole or not at all.
    ///
    /// # Errors
    /// Every mistake in it. Then nothing has changed.
    pub(crate) async fn reload(&self, actor: String) -> Result<Reloaded, Vec<String>> {
        let mut watch = self.reloads.watch.lock().await;
        let (config, needs_restart) = self.reloads.read().await?;
        let report = self.plugins.reload(config.configured(), By::whoever(actor.as_str())).await;
        let report = report.map_err(|errors| told(&errors))?;
        // Watching begins anew also where nothing of it changed: a file that was rejected may be good now.
        // What the old watch still installs is older than what the new one finds.
        if let Some(before) = watch.take() {
            before.stop().await;
        }
        *watch = self.watching(&config).await;
        tracing::info!(
            actor,
            generation = report.generation,
            plugins = report.plugins.len(),
            hooks = report.hooks.len(),
            "the configuration is read again and live"
        );
        if !needs_restart.is_empty() {
            let keys = needs_restart.join(", ");
            tracing::warn!(keys, "these keys changed and need a restart of the server");
        }
        Ok(Reloaded { report, needs_restart })
    }

    /// Watches the folder that the configuration names, if any. What lies in it is installed when this returns.
    pub(crate) async fn watch(&self, config: &Config) {
        let mut watch = self.reloads.watch.lock().await;
        *watch = self.watching(config).await;
    }

    /// Nothing more is installed from the folder.
    pub(crate) async fn watch_nothing(&self) {
        let watch = self.reloads.watch.lock().await.take();
        if let Some(watch) = watch {
            watch.stop().await;
        }
    }

    async fn watching(&self, config: &Config) -> Option<FolderWatch> {
        let options = FolderOptions::of(&config.plugins, &config.folder)?;
        let watch = FolderWatch::start(self.plugins.clone(), options);
        watch.first_look().await;
        Some(watch)
    }

    /// What [`App::reload`] would do.
    ///
    /// # Errors
    /// Every mistake in the configuration.
    pub(crate) async fn reload_would(&self) -> Result<Reloaded, Vec<String>> {
        let (config, needs_restart) = self.reloads.read().await?;
        let report = self.plugins.diff(config.configured()).await.map_err(|errors| told(&errors))?;
        Ok(Reloaded { report, needs_restart })
    }
}

fn told(errors: &[hookbox_plugins::LoadError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Reloads at each `SIGHUP`, until it is dropped.
#[cfg(unix)]
pub(crate) async fn at_hangups(app: Arc<App>, mut hangups: tokio::signal::unix::Signal) {
    while hangups.recv().await.is_some() {
        if let Err(mistakes) = app.reload("signal".to_owned()).await {
            for mistake in mistakes {
                tracing::error!("the configuration is not taken, what was live goes on: {mistake}");
            }
        }
    }
}

/// Adds the keys of a table that differ. Every field by name, so that a new one is not forgotten.
macro_rules! keys {
    ($found:ident, $table:literal, $kind:ident { $($field:ident),* $(,)? }, $one:expr, $other:expr) => {
        let $kind { $($field),* } = $one;
        $(
            if *$field != $other.$field {
                $found.push(concat!($table, ".", stringify!($field)));
            }
        )*
    };
}

/// The keys outside `[plugins]` and `[filters]` that differ.
fn differences(running: &Config, read: &Config) -> Vec<&'static str> {
    let Config {
        server,
        database,
        auth,
        archive,
        events,
        users,
        cors,
        failed_calls,
        plugins: _,
        filters: _,
        folder: _,
    } = running;
    let mut found = Vec::new();
    keys!(
        found,
        "server",
        ServerTable { listen, data, body, shutdown_grace, guest_memory, compile },
        server,
        read.server
    );
    keys!(found, "database", DatabaseTable { busy_timeout, max_size }, database, read.database);
    keys!(
        found,
        "auth",
        AuthTable {
            secret,
            secret_file,
            jwks,
            audience,
            issuers,
            header_prefix,
            cookie,
            cookie_header_payload,
            cookie_signature,
            impersonation_cookie,
            csrf_cookie,
            csrf_header,
            trusted_origins,
            supported_version,
            claims,
        },
        auth,
        read.auth
    );
    keys!(found, "archive", ArchiveTable { rate_limit, body }, archive, read.archive);
    keys!(found, "events", EventsTable { backlog, backlog_bytes, keep }, events, read.events);
    keys!(found, "users", UsersTable { follow, retired_by }, users, read.users);
    keys!(found, "cors", CorsTable { origins }, cors, read.cors);
    keys!(
        found,
        "failed_calls",
        FailedCallsTable { keep, size, age, redact, plugins },
        failed_calls,
        read.failed_calls
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_a_reload_cannot_change_is_named_and_its_value_is_not() {
        let running = Config::default();
        let mut read = Config::default();
        assert_eq!(differences(&running, &read), [""; 0]);
        read.plugins.samples = Some(false);
        read.folder = "elsewhere".into();
        assert_eq!(differences(&running, &read), [""; 0]);
        read.auth.secret = Some("swordfish".into());
        read.server.body = bytesize::ByteSize::mib(2);
        read.server.compile.cpu = std::time::Duration::from_secs(7);
        read.database.max_size = Some(bytesize::ByteSize::gib(1));
        read.archive.body = bytesize::ByteSize::mib(2);
        read.events.keep.dead = std::time::Duration::from_secs(7);
        read.users.retired_by.insert("org.example.user.retired.v1".into());
        read.cors.origins.push("https://apps.example.com".into());
        read.failed_calls.keep = 7;
        let named = [
            "server.body",
            "server.compile",
            "database.max_size",
            "auth.secret",
            "archive.body",
            "events.keep",
            "users.retired_by",
            "cors.origins",
            "failed_calls.keep",
        ];
        assert_eq!(differences(&running, &read), named);
    }
}
